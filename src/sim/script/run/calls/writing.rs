//! What sends data.

use super::message::{Message, pieces_len};
use super::opening::port_of;
use super::{Attempt, argument_number, buffer_len, done, error, flags_of, is_null};
use crate::sim::script::run::constants::{
    MSG_DONTWAIT, MSG_EOR, MSG_FASTOPEN, MSG_MORE, MSG_NOSIGNAL, MSG_OOB, MSG_ZEROCOPY,
};
use crate::sim::script::run::sockets::{Kind, Tcp};
use crate::sim::script::run::{Pending, Run, Stop, System};
use crate::sim::script::syntax::Expression;
use crate::stack::UdpSendError;
use crate::tcp::{Config, SendError, Writing};
use std::net::SocketAddr;

const KNOWN: i64 = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB | MSG_MORE | MSG_EOR | MSG_ZEROCOPY | MSG_FASTOPEN;

impl Run {
    /// `write(fd, data, len)`, `send(.., flags)`, `sendto(.., flags, address, len)`, `writev(fd, pieces, count)`
    pub(super) fn write_call(&mut self, name: &str, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let len = if name == "writev" { pieces_len(arguments.get(1))? } else { argument_number(arguments, 2)? };
        if len > 0 && is_null(arguments.get(1)) {
            return error("EFAULT");
        }
        self.write_contents(arguments.get(1));
        let flags = flags_of(arguments.get(3).filter(|_| name != "writev"), KNOWN)?;
        self.send(argument_number(arguments, 0)?, len, flags, arguments.get(4), pending)
    }

    pub(super) fn send_message(&mut self, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let message = Message::of(arguments.get(1))?;
        if let Some(control) = message.control.and_then(<[Expression]>::first) {
            return Err(Stop::unsupported(format!("the control message {control} of sendmsg")));
        }
        if message.len > 0 && message.null {
            return error("EFAULT");
        }
        let flags = flags_of(arguments.get(2), KNOWN)?;
        self.send(argument_number(arguments, 0)?, message.len, flags, message.name, pending)
    }

    /// Text in place of zeros: its bytes need not be zeros on the wire either.
    fn write_contents(&mut self, contents: Option<&Expression>) {
        self.zeros &= !matches!(contents, Some(Expression::Text(_) | Expression::TextAndMore(_)));
    }

    pub(super) fn send(
        &mut self,
        descriptor: i64,
        len: i64,
        flags: i64,
        to: Option<&Expression>,
        pending: &mut Pending,
    ) -> Attempt {
        let len = buffer_len(len)?;
        let Some(file) = self.files.get(&descriptor) else { return error("EBADF") };
        match &file.kind {
            Kind::Fresh { config, .. } if to.is_some() && self.opens_by_sending(flags, config) => {
                self.send_in_syn(descriptor, len, flags, to, pending)
            }
            Kind::Tcp(tcp) if pending.begun && !tcp.connected => self.finish_sending_in_syn(descriptor, len),
            Kind::Tcp(_) => self.send_stream(descriptor, len, flags, pending),
            Kind::UnboundUdp | Kind::Udp(_) => self.send_datagram(descriptor, len, to),
            Kind::Fresh { .. } | Kind::Listener(_) => error("EPIPE"),
            Kind::Pipe(pipe) => {
                let full = &mut self.pipes[pipe.number];
                *full = full.saturating_add(len);
                done(len as i64)
            }
            Kind::Zeros => error("EBADF"),
            Kind::Epoll(_) => error("EINVAL"),
        }
    }

    /// `MSG_FASTOPEN` of Linux; at FreeBSD `TCP_FASTOPEN` of the socket is enough.
    fn opens_by_sending(&self, flags: i64, config: &Config) -> bool {
        flags & MSG_FASTOPEN != 0 || self.system == System::FreeBsd && config.fast_open_queue > 0
    }

    /// Opens a connection with data (RFC 7413). Linux takes none of it where a SYN cannot carry it and nobody waits.
    fn send_in_syn(
        &mut self,
        descriptor: i64,
        len: usize,
        flags: i64,
        to: Option<&Expression>,
        pending: &mut Pending,
    ) -> Attempt {
        let remote = SocketAddr::new(self.map.remote.into(), port_of(to, self.settings.connect_port));
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let Kind::Fresh { config, local } = &file.kind else { return error("EISCONN") };
        let (stack, now) = (&mut self.machine.stack, self.machine.now);
        let waits = !file.nonblocking && flags & MSG_DONTWAIT == 0;
        let linux = self.system == System::Linux;
        let in_progress = linux && !waits && !stack.tcp_has_fast_open_cookie(now, remote.ip());
        let data = vec![0; if in_progress { 0 } else { len }];
        let opened = stack.tcp_connect_with_data(now, remote, *local, (**config).clone(), &data);
        let Ok((id, taken)) = opened else { return error("EADDRNOTAVAIL") };
        let tuple = self.map.with_ports(stack.tcp_local_addr(id).port(), remote.port());
        self.map.connect(tuple);
        let mut tcp = Tcp::new(id, false);
        tcp.written = taken as u64;
        // At FreeBSD nobody asks again whether it stands.
        tcp.connected = !linux;
        file.kind = Kind::Tcp(Box::new(tcp));
        pending.begun = true;
        match (in_progress, linux && waits) {
            (true, _) => error("EINPROGRESS"),
            (false, true) => Ok(None),
            (false, false) => done(taken as i64),
        }
    }

    /// A writer that waits for the connection that its data opens.
    fn finish_sending_in_syn(&mut self, descriptor: i64, len: usize) -> Attempt {
        let Some(Kind::Tcp(tcp)) = self.files.get_mut(&descriptor).map(|file| &mut file.kind) else {
            return error("EBADF");
        };
        let stack = &self.machine.stack;
        let status = stack.tcp_status(tcp.id);
        if let Some(name) = tcp.take_error(stack) {
            return error(name);
        }
        if !status.established {
            return Ok(None);
        }
        tcp.connected = true;
        done(len as i64)
    }

    fn send_stream(&mut self, descriptor: i64, len: usize, flags: i64, pending: &mut Pending) -> Attempt {
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let (wait, zero_copy) = (!file.nonblocking && flags & MSG_DONTWAIT == 0, file.attributes.zero_copy);
        let Kind::Tcp(tcp) = &mut file.kind else { return error("EBADF") };
        let (stack, now) = (&mut self.machine.stack, self.machine.now);
        let how =
            Writing { urgent: flags & MSG_OOB != 0, more: flags & MSG_MORE != 0, end_of_record: flags & MSG_EOR != 0 };
        let mut left = len - pending.progress;
        // What is taken is sent while the rest is copied, and makes room for more that is not sent.
        let mut end = stack.tcp_send_with(now, tcp.id, &vec![0; left], how);
        while let Ok(sent) = end {
            pending.progress += sent;
            tcp.written += sent as u64;
            left -= sent;
            if left == 0 || sent == 0 {
                break;
            }
            self.machine.drain()?;
            end = self.machine.stack.tcp_send_with(now, tcp.id, &vec![0; left], how);
        }
        let stack = &mut self.machine.stack;
        match end {
            Ok(_) => {}
            Err(SendError::WouldBlock) if left == 0 => {}
            Err(SendError::WouldBlock) => {
                tcp.wants_room = true;
                match (wait, pending.progress) {
                    (true, _) => return Ok(None),
                    (false, 0) => return error("EAGAIN"),
                    (false, _) => {}
                }
            }
            Err(_) if pending.progress > 0 => {}
            Err(SendError::Shutdown) => return error("EPIPE"),
            Err(SendError::Closed(_)) => return error(tcp.take_error(stack).unwrap_or("EPIPE")),
        }
        let all = pending.progress == len;
        tcp.wants_room |= !all;
        if !all && wait {
            return Ok(None);
        }
        if zero_copy && flags & MSG_ZEROCOPY != 0 && pending.progress > 0 {
            tcp.zero_copies.sent(tcp.written);
        }
        if pending.progress > 0 {
            tcp.stamps.wrote(tcp.written);
        }
        done(pending.progress as i64)
    }

    fn send_datagram(&mut self, descriptor: i64, len: usize, to: Option<&Expression>) -> Attempt {
        let Some(id) = self.bound_datagrams(descriptor) else { return error("EADDRINUSE") };
        let (stack, now) = (&mut self.machine.stack, self.machine.now);
        let to = to
            .map(|address| SocketAddr::new(self.map.remote.into(), port_of(Some(address), self.settings.connect_port)));
        let to = to.filter(|_| stack.udp_remote_addr(id).is_none());
        if let Some(to) = to {
            let local = stack.udp_local_addr(id).port();
            self.map.tuple.get_or_insert(self.map.with_ports(local, to.port()));
        }
        match stack.udp_send(now, id, to, &vec![0; len]) {
            Ok(sent) => done(sent as i64),
            Err(UdpSendError::TooLong { .. } | UdpSendError::SegmentSize { .. }) => error("EMSGSIZE"),
            Err(UdpSendError::TooManySegments { .. }) => error("EINVAL"),
            Err(UdpSendError::Network(_)) => error("ECONNREFUSED"),
            Err(UdpSendError::NotConnected) => error("EDESTADDRREQ"),
            Err(UdpSendError::NoRoute { .. }) => error("ENETUNREACH"),
            Err(UdpSendError::BroadcastNotAllowed { .. }) => error("EACCES"),
            Err(UdpSendError::WouldBlock) => error("EAGAIN"),
        }
    }
}
