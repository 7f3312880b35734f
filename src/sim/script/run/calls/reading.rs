//! What receives data.

use super::message::{self, Control, Message, pieces_len};
use super::{Attempt, argument_number, buffer_len, done, error, flags_of, is_null};
use crate::sim::script::run::constants::{
    MSG_DONTWAIT, MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, number,
};
use crate::sim::script::run::sockets::Kind;
use crate::sim::script::run::{Pending, Run, Stop};
use crate::sim::script::syntax::Expression;
use crate::stack::UdpReceiveError;
use crate::tcp::ReceiveError;

const KNOWN: i64 = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_TRUNC | MSG_WAITALL;

impl Run {
    /// `read(fd, buffer, len)`, `recv(.., flags)`, `recvfrom(.., flags, address, len)`, `readv(fd, pieces, count)`
    pub(super) fn read_call(&mut self, name: &str, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let len = if name == "readv" { pieces_len(arguments.get(1))? } else { argument_number(arguments, 2)? };
        let flags = flags_of(arguments.get(3).filter(|_| name != "readv"), KNOWN)?;
        if len > 0 && is_null(arguments.get(1)) && flags & MSG_TRUNC == 0 {
            return error("EFAULT");
        }
        self.receive(argument_number(arguments, 0)?, len, flags, pending)
    }

    pub(super) fn receive_message(&mut self, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let message = Message::of(arguments.get(1))?;
        let descriptor = argument_number(arguments, 0)?;
        let flags = flags_of(arguments.get(2), KNOWN | MSG_ERRQUEUE)?;
        if flags & MSG_ERRQUEUE != 0 {
            return self.receive_notification(descriptor, &message);
        }
        let returned = self.receive(descriptor, message.len, flags, pending)?;
        if returned.as_ref().is_some_and(|returned| returned.errno.is_none()) {
            message.check_flags(0)?;
            message.check_control(&self.inquiry(descriptor))?;
        }
        Ok(returned)
    }

    /// What `TCP_INQ` adds to each message: how much more there is to read, or 1 at the end of the stream.
    fn inquiry(&self, descriptor: i64) -> Vec<Control> {
        let Some(file) = self.files.get(&descriptor).filter(|file| file.attributes.inquire) else { return Vec::new() };
        let Kind::Tcp(tcp) = &file.kind else { return Vec::new() };
        let stack = &self.machine.stack;
        let queued = stack.tcp_info(tcp.id).map_or(0, |info| info.receive_queue as i64);
        let over = queued == 0 && stack.tcp_status(tcp.id).readable;
        vec![message::inquiry(if over { 1 } else { queued })]
    }

    /// The queue of errors: when data left and was acknowledged, and word of data that was sent without being copied.
    fn receive_notification(&mut self, descriptor: i64, message: &Message<'_>) -> Attempt {
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        if let Kind::Tcp(tcp) = &mut file.kind
            && let Some(stamp) = tcp.stamps.take()
        {
            message.check_flags(if stamp.alone { MSG_ERRQUEUE } else { MSG_ERRQUEUE | MSG_TRUNC })?;
            let at = stamp.at.since(self.machine.beginning());
            message.check_stamp(&message::stamp(&stamp, at), self.settings.tolerance)?;
            return done(0);
        }
        let found = match &mut file.kind {
            Kind::Tcp(tcp) => tcp.zero_copies.take(),
            _ => None,
        };
        let Some((first, last)) = found else { return error("EAGAIN") };
        message.check_flags(MSG_ERRQUEUE)?;
        message.check_control(&[message::zero_copy(first, last)])?;
        done(0)
    }

    pub(super) fn receive(&mut self, descriptor: i64, len: i64, flags: i64, pending: &mut Pending) -> Attempt {
        let len = buffer_len(len)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let wait = !file.nonblocking && flags & MSG_DONTWAIT == 0;
        match &mut file.kind {
            Kind::Tcp(_) => self.receive_stream(descriptor, len, flags, pending),
            Kind::Udp(id) => match self.machine.stack.udp_receive(*id, &mut vec![0; len]) {
                Ok((read, _)) => done(if flags & MSG_TRUNC != 0 { read } else { read.min(len) } as i64),
                Err(UdpReceiveError::WouldBlock) if wait => Ok(None),
                Err(UdpReceiveError::WouldBlock) => error("EAGAIN"),
                Err(UdpReceiveError::Network(_)) => error("ECONNREFUSED"),
            },
            Kind::Fresh { .. } | Kind::Listener(_) => error("ENOTCONN"),
            Kind::UnboundUdp => error("EAGAIN"),
            Kind::Pipe(pipe) => {
                let full = &mut self.pipes[pipe.number];
                let read = len.min(*full);
                *full -= read;
                done(read as i64)
            }
            Kind::Zeros => done(len as i64),
            Kind::Epoll(_) => error("EINVAL"),
        }
    }

    fn receive_stream(&mut self, descriptor: i64, len: usize, flags: i64, pending: &mut Pending) -> Attempt {
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let wait = !file.nonblocking && flags & MSG_DONTWAIT == 0;
        let enough = if flags & MSG_WAITALL != 0 { len } else { file.attributes.low_water.min(len) };
        let Kind::Tcp(tcp) = &mut file.kind else { return error("EBADF") };
        let stack = &mut self.machine.stack;
        let mut buffer = vec![0xff; len - pending.progress.min(len)];
        let peek = flags & MSG_PEEK != 0;
        if buffer.is_empty() {
            return done(pending.progress as i64);
        }
        let received = match peek {
            true => stack.tcp_peek(tcp.id, &mut buffer),
            false => stack.tcp_receive(tcp.id, &mut buffer),
        };
        match received {
            Ok(read) if buffer[..read].iter().any(|byte| *byte != 0) => {
                return Err(Stop::failed("data of zeros", "other bytes"));
            }
            Ok(0) => return done(pending.progress as i64),
            Ok(read) => {
                tcp.read += if peek { 0 } else { read as u64 };
                pending.progress = if peek { read } else { pending.progress + read };
                let all = pending.progress >= enough;
                if !all && wait && peek {
                    pending.progress = 0;
                }
                return if all || !wait { done(pending.progress as i64) } else { Ok(None) };
            }
            Err(_) if tcp.shut_for_reading => return done(pending.progress as i64),
            Err(ReceiveError::WouldBlock) if pending.progress > 0 && !wait => return done(pending.progress as i64),
            Err(ReceiveError::WouldBlock) if wait => return Ok(None),
            Err(ReceiveError::WouldBlock) => return error("EAGAIN"),
            Err(ReceiveError::Closed(_)) if pending.progress > 0 => return done(pending.progress as i64),
            Err(ReceiveError::Closed(_)) => {}
        }
        tcp.take_error(stack).map_or_else(|| done(0), error)
    }
}

/// The first number of a list `[n]`, which a call fills in; none where anything goes.
pub(super) fn filled_in(argument: Option<&Expression>) -> Option<i64> {
    argument.and_then(number)
}
