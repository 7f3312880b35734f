//! The system calls, each tried as often as it takes: one that would block is tried again when something happened.

use super::constants::{MSG_DONTWAIT, MSG_NOSIGNAL, MSG_OOB, O_NONBLOCK, member, number};
use super::sockets::{File, Kind, Tcp};
use super::{Pending, Returned, Run, Stop, options};
use crate::sim::script::syntax::Expression;
use crate::tcp::{ConnectError, ReceiveError, SendError};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// More than any script reads or writes at once.
const MAX_BUFFER: i64 = 64 << 20;

type Attempt = Result<Option<Returned>, Stop>;

fn done(value: i64) -> Attempt {
    Ok(Some(Returned::value(value)))
}

fn error(name: &'static str) -> Attempt {
    Ok(Some(Returned { value: -1, errno: Some(name), descriptor: false }))
}

impl Run {
    /// None when the call would have to wait.
    pub(super) fn attempt(&mut self, pending: &mut Pending) -> Attempt {
        let call = pending.call.clone();
        let arguments = &call.arguments;
        match call.name.as_str() {
            "socket" => self.socket(arguments, &call.result),
            "bind" => self.bind(arguments),
            "listen" => self.listen(arguments),
            "accept" => self.accept(arguments, &call.result),
            "connect" => self.connect(arguments, pending),
            "read" | "recv" => self.receive(arguments, argument_number(arguments, 2)?),
            "recvfrom" => self.receive(arguments, argument_number(arguments, 2)?),
            "readv" => self.receive(arguments, iovec_len(arguments.get(1))?),
            "write" | "send" | "sendto" => {
                self.write_contents(arguments.get(1));
                self.send(arguments, argument_number(arguments, 2)?, pending)
            }
            "writev" => self.send(&arguments[..1.min(arguments.len())], iovec_len(arguments.get(1))?, pending),
            "sendmsg" => self.send_message(arguments, pending),
            "fcntl" => self.fcntl(arguments),
            "close" => self.close(arguments),
            "shutdown" => self.shutdown(arguments),
            "setsockopt" | "getsockopt" => self.socket_option(&call.name, arguments),
            "poll" => self.poll(arguments, pending),
            "epoll_create" => {
                let file = File { nonblocking: false, kind: Kind::Epoll(Vec::new()) };
                self.open(file, &call.result)
            }
            "epoll_ctl" => self.epoll_control(arguments),
            "epoll_wait" => self.epoll_wait(arguments, pending),
            other => Err(Stop::unsupported(format!("the system call {other}"))),
        }
    }

    /// Text in place of zeros: its bytes need not be zeros on the wire either.
    fn write_contents(&mut self, contents: Option<&Expression>) {
        self.zeros &= !matches!(contents, Some(Expression::Text(_) | Expression::TextAndMore(_)));
    }

    /// The script's number for a new descriptor is the one it expects, or a free one.
    fn open(&mut self, file: File, result: &Expression) -> Attempt {
        let wanted = number(result).filter(|wanted| *wanted >= 0 && !self.files.contains_key(wanted));
        let descriptor = wanted.unwrap_or_else(|| (3..).find(|free| !self.files.contains_key(free)).unwrap_or(3));
        self.files.insert(descriptor, file);
        Ok(Some(Returned { value: descriptor, errno: None, descriptor: true }))
    }

    fn file(&mut self, arguments: &[Expression]) -> Result<Option<&mut File>, Stop> {
        let descriptor = argument_number(arguments, 0)?;
        Ok(self.files.get_mut(&descriptor))
    }

    fn socket(&mut self, arguments: &[Expression], result: &Expression) -> Attempt {
        let family = arguments.first().and_then(number).unwrap_or(2);
        if family != 2 {
            return Err(Stop::unsupported("sockets of IPv6"));
        }
        let kind = argument_number(arguments, 1)?;
        let file = match kind & 0xf {
            1 => Kind::Fresh { config: Box::new(self.config.clone()), local: None },
            2 => Kind::UnboundUdp,
            other => return Err(Stop::unsupported(format!("sockets of type {other}"))),
        };
        self.map.restart();
        self.udp = matches!(file, Kind::UnboundUdp);
        self.open(File { nonblocking: kind & O_NONBLOCK != 0, kind: file }, result)
    }

    fn bind(&mut self, arguments: &[Expression]) -> Attempt {
        let port = arguments.get(1).and_then(|address| member(address, "sin_port")).and_then(number);
        let port = port.map_or(super::mapping::PORT, |port| port as u16);
        let address = SocketAddr::new(IpAddr::V4(self.map.local), port);
        self.map.local_port = port;
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        match &mut file.kind {
            Kind::Fresh { local: local @ None, .. } => *local = Some(address),
            Kind::UnboundUdp => match self.machine.stack.udp_bind(address) {
                Ok(id) => file.kind = Kind::Udp(id),
                Err(_) => return error("EADDRINUSE"),
            },
            _ => return error("EINVAL"),
        }
        done(0)
    }

    fn listen(&mut self, arguments: &[Expression]) -> Attempt {
        let backlog = arguments.get(1).and_then(number).unwrap_or(1).clamp(1, 1 << 16) as usize;
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let Kind::Fresh { config, local } = &file.kind else { return error("EINVAL") };
        let local = local.unwrap_or_else(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        match self.machine.stack.tcp_listen(local, backlog, (**config).clone()) {
            Ok(id) => file.kind = Kind::Listener(id),
            Err(_) => return error("EADDRINUSE"),
        }
        done(0)
    }

    fn accept(&mut self, arguments: &[Expression], result: &Expression) -> Attempt {
        let Some(file) = self.file(arguments)? else { return error("EBADF") };
        let (nonblocking, kind) = (file.nonblocking, &file.kind);
        let Kind::Listener(id) = *kind else { return error("EINVAL") };
        match self.machine.stack.tcp_accept(id) {
            Some(id) => self.open(File { nonblocking: false, kind: Kind::Tcp(Tcp::new(id, true)) }, result),
            None if nonblocking => error("EAGAIN"),
            None => Ok(None),
        }
    }

    fn connect(&mut self, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let port = arguments.get(1).and_then(|address| member(address, "sin_port")).and_then(number);
        let remote = SocketAddr::new(self.map.remote.into(), port.map_or(super::mapping::PORT, |port| port as u16));
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let (stack, now) = (&mut self.machine.stack, self.machine.now);
        match &mut file.kind {
            Kind::UnboundUdp | Kind::Udp(_) => {
                if let Kind::UnboundUdp = file.kind {
                    let any = SocketAddr::new(self.map.local.into(), 0);
                    let Ok(id) = stack.udp_bind(any) else { return error("EADDRINUSE") };
                    file.kind = Kind::Udp(id);
                }
                let Kind::Udp(id) = file.kind else { return error("EINVAL") };
                let local = stack.udp_local_addr(id).port();
                self.map.tuple = Some(self.map.with_ports(local, remote.port()));
                if stack.udp_connect(id, remote).is_ok() { done(0) } else { error("ENETUNREACH") }
            }
            Kind::Fresh { config, local } => match stack.tcp_connect(now, remote, *local, (**config).clone()) {
                Ok(id) => {
                    let tuple = self.map.with_ports(stack.tcp_local_addr(id).port(), remote.port());
                    self.map.tuple = Some(tuple);
                    file.kind = Kind::Tcp(Tcp::new(id, false));
                    pending.begun = true;
                    if file.nonblocking { error("EINPROGRESS") } else { Ok(None) }
                }
                Err(ConnectError::NoRoute { .. }) => error("ENETUNREACH"),
                Err(ConnectError::AddressInUse { .. } | ConnectError::PortsExhausted { .. }) => error("EADDRNOTAVAIL"),
                Err(ConnectError::NotUnicast { .. } | ConnectError::NotOurAddress { .. }) => error("EINVAL"),
            },
            Kind::Tcp(tcp) => {
                let status = stack.tcp_status(tcp.id);
                match tcp.take_error(stack) {
                    Some(name) => error(name),
                    None if status.closed.is_some() => error("ECONNABORTED"),
                    None if status.established && !tcp.connected => {
                        tcp.connected = true;
                        done(0)
                    }
                    None if status.established => error("EISCONN"),
                    None if !pending.begun => error("EALREADY"),
                    None => Ok(None),
                }
            }
            Kind::Listener(_) => error("EISCONN"),
            Kind::Epoll(_) => error("ENOTSOCK"),
        }
    }

    fn receive(&mut self, arguments: &[Expression], len: i64) -> Attempt {
        if !(0..=MAX_BUFFER).contains(&len) {
            return Err(Stop::unsupported(format!("a buffer of {len} bytes")));
        }
        let flags = flags_of(arguments, MSG_DONTWAIT | MSG_NOSIGNAL)?;
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let wait = !file.nonblocking && flags & MSG_DONTWAIT == 0;
        let mut buffer = vec![0; len as usize];
        let stack = &mut self.machine.stack;
        match &mut file.kind {
            Kind::Tcp(tcp) if tcp.shut_for_reading => {
                let read = stack.tcp_receive(tcp.id, &mut buffer).unwrap_or(0);
                done(read as i64)
            }
            Kind::Tcp(tcp) => match stack.tcp_receive(tcp.id, &mut buffer) {
                Ok(read) if buffer[..read].iter().any(|byte| *byte != 0) => {
                    Err(Stop::failed("data of zeros", "other bytes"))
                }
                Ok(read) => done(read as i64),
                Err(ReceiveError::WouldBlock) if wait => Ok(None),
                Err(ReceiveError::WouldBlock) => error("EAGAIN"),
                Err(ReceiveError::Closed(_)) => tcp.take_error(stack).map_or_else(|| done(0), error),
            },
            Kind::Udp(id) => match stack.udp_receive(*id, &mut buffer) {
                Ok((read, _)) => done((read as i64).min(len)),
                Err(crate::stack::UdpReceiveError::WouldBlock) if wait => Ok(None),
                Err(crate::stack::UdpReceiveError::WouldBlock) => error("EAGAIN"),
                Err(crate::stack::UdpReceiveError::Network(_)) => error("ECONNREFUSED"),
            },
            Kind::Fresh { .. } | Kind::Listener(_) => error("ENOTCONN"),
            Kind::UnboundUdp => error("EAGAIN"),
            Kind::Epoll(_) => error("EINVAL"),
        }
    }

    fn send(&mut self, arguments: &[Expression], len: i64, pending: &mut Pending) -> Attempt {
        if !(0..=MAX_BUFFER).contains(&len) {
            return Err(Stop::unsupported(format!("a buffer of {len} bytes")));
        }
        let flags = flags_of(arguments, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB)?;
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let wait = !file.nonblocking && flags & MSG_DONTWAIT == 0;
        let (stack, now) = (&mut self.machine.stack, self.machine.now);
        match &mut file.kind {
            Kind::Tcp(tcp) => {
                let data = vec![0; len as usize - pending.progress];
                let sent = if flags & MSG_OOB != 0 {
                    stack.tcp_send_urgent(now, tcp.id, &data)
                } else {
                    stack.tcp_send(now, tcp.id, &data)
                };
                match sent {
                    Ok(sent) => pending.progress += sent,
                    Err(SendError::WouldBlock) if data.is_empty() => {}
                    Err(SendError::WouldBlock) if wait => return Ok(None),
                    Err(SendError::WouldBlock) if pending.progress == 0 => return error("EAGAIN"),
                    Err(SendError::WouldBlock) => {}
                    Err(SendError::Shutdown) => return error("EPIPE"),
                    Err(SendError::Closed(_)) => return error(tcp.take_error(stack).unwrap_or("EPIPE")),
                }
                let all = pending.progress == len as usize;
                if all || !wait { done(pending.progress as i64) } else { Ok(None) }
            }
            Kind::UnboundUdp | Kind::Udp(_) => {
                if let Kind::UnboundUdp = file.kind {
                    let any = SocketAddr::new(self.map.local.into(), 0);
                    let Ok(id) = stack.udp_bind(any) else { return error("EADDRINUSE") };
                    file.kind = Kind::Udp(id);
                }
                let Kind::Udp(id) = file.kind else { return error("EBADF") };
                let port = arguments.get(4).and_then(|address| member(address, "sin_port")).and_then(number);
                let port = port.map_or(super::mapping::PORT, |port| port as u16);
                let to = (arguments.len() > 4).then(|| SocketAddr::new(self.map.remote.into(), port));
                let to = to.filter(|_| stack.udp_remote_addr(id).is_none());
                if let Some(to) = to {
                    let local = stack.udp_local_addr(id).port();
                    self.map.tuple.get_or_insert(self.map.with_ports(local, to.port()));
                }
                match stack.udp_send(now, id, to, &vec![0; len as usize]) {
                    Ok(sent) => done(sent as i64),
                    Err(crate::stack::UdpSendError::TooLong { .. }) => error("EMSGSIZE"),
                    Err(crate::stack::UdpSendError::Network(_)) => error("ECONNREFUSED"),
                    Err(crate::stack::UdpSendError::NotConnected) => error("EDESTADDRREQ"),
                    Err(crate::stack::UdpSendError::NoRoute { .. }) => error("ENETUNREACH"),
                    Err(crate::stack::UdpSendError::BroadcastNotAllowed { .. }) => error("EACCES"),
                    Err(crate::stack::UdpSendError::WouldBlock) => error("EAGAIN"),
                }
            }
            Kind::Fresh { .. } | Kind::Listener(_) => error("EPIPE"),
            Kind::Epoll(_) => error("EINVAL"),
        }
    }

    fn send_message(&mut self, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let message = arguments.get(1).ok_or_else(|| Stop::unsupported("sendmsg without a message"))?;
        if member(message, "msg_control").is_some() {
            return Err(Stop::unsupported("control messages"));
        }
        let len = iovec_len(member(message, "msg_iov"))?;
        let flags = arguments.get(2).cloned().unwrap_or(Expression::Integer(0));
        let as_send = [arguments[0].clone(), Expression::Ellipsis, Expression::Integer(len), flags];
        self.send(&as_send, len, pending)
    }

    fn fcntl(&mut self, arguments: &[Expression]) -> Attempt {
        let command = argument_number(arguments, 1)?;
        let Some(file) = self.file(arguments)? else { return error("EBADF") };
        match command {
            3 => Ok(Some(Returned { value: 0, errno: None, descriptor: true })),
            4 => {
                file.nonblocking = argument_number(arguments, 2)? & O_NONBLOCK != 0;
                done(0)
            }
            other => Err(Stop::unsupported(format!("fcntl with command {other}"))),
        }
    }

    fn close(&mut self, arguments: &[Expression]) -> Attempt {
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.remove(&descriptor) else { return error("EBADF") };
        self.release(file);
        done(0)
    }

    pub(super) fn release(&mut self, file: File) {
        let (stack, now) = (&mut self.machine.stack, self.machine.now);
        match file.kind {
            Kind::Tcp(tcp) if tcp.aborts => stack.tcp_abort(now, tcp.id),
            Kind::Tcp(tcp) => stack.tcp_close(now, tcp.id),
            Kind::Listener(id) => stack.tcp_close_listener(now, id),
            Kind::Udp(id) => stack.udp_close(id),
            Kind::Fresh { .. } | Kind::UnboundUdp | Kind::Epoll(_) => {}
        }
    }

    fn shutdown(&mut self, arguments: &[Expression]) -> Attempt {
        let how = argument_number(arguments, 1)?;
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let Kind::Tcp(tcp) = &mut file.kind else { return error("ENOTCONN") };
        let status = self.machine.stack.tcp_status(tcp.id);
        if !status.established || status.closed.is_some() {
            return error("ENOTCONN");
        }
        tcp.shut_for_reading |= how != 1;
        if how != 0 {
            self.machine.stack.tcp_shutdown(self.machine.now, tcp.id);
        }
        done(0)
    }

    fn socket_option(&mut self, call: &str, arguments: &[Expression]) -> Attempt {
        let [_, _, Expression::Word(name), value, ..] = arguments else {
            return Err(Stop::unsupported(format!("{call} of an option without a name")));
        };
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let stack = &mut self.machine.stack;
        let returned = if call == "getsockopt" {
            options::get(stack, file, name, value)
        } else {
            options::set(stack, self.machine.now, file, name, value)
        };
        returned.map(Some)
    }
}

pub(super) fn argument_number(arguments: &[Expression], index: usize) -> Result<i64, Stop> {
    let number = arguments.get(index).map(|argument| (argument, number(argument)));
    match number {
        Some((_, Some(number))) => Ok(number),
        Some((argument, None)) => Err(Stop::unsupported(format!("the argument {argument}"))),
        None => Err(Stop::unsupported(format!("a call without its argument {}", index + 1))),
    }
}

/// The flags of `send` and `recv`, their fourth argument.
fn flags_of(arguments: &[Expression], known: i64) -> Result<i64, Stop> {
    let flags = if arguments.len() > 3 { argument_number(arguments, 3)? } else { 0 };
    if flags & !known != 0 {
        return Err(Stop::unsupported(format!("the message flags {}", arguments[3])));
    }
    Ok(flags)
}

/// How many bytes the pieces `[{..., 10}, {..., 20}]` have.
fn iovec_len(pieces: Option<&Expression>) -> Result<i64, Stop> {
    let Some(Expression::List(pieces)) = pieces else { return Err(Stop::unsupported("pieces of this form")) };
    let len = |piece: &Expression| match piece {
        Expression::Struct(members) => members.last().and_then(number),
        _ => None,
    };
    let lens: Option<Vec<i64>> = pieces.iter().map(len).collect();
    Ok(lens
        .ok_or_else(|| Stop::unsupported("pieces of this form"))?
        .iter()
        .fold(0, |sum, len| sum.saturating_add(*len)))
}
