//! The system calls, each tried as often as it takes: one that would block is tried again when something happened.
//!
//! `opening` has what makes and ends sockets, `reading` and `writing` what moves data, `message` the structures of
//! `recvmsg` and `sendmsg`, `files` what is no socket, and what is asked of a descriptor whatever it is.

mod files;
mod message;
mod opening;
mod reading;
mod writing;

use super::constants::number;
use super::sockets::{File, Kind};
use super::{Pending, Returned, Run, Stop, epoll::Epoll, options};
use crate::sim::script::syntax::Expression;

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
            "accept" | "accept4" => self.accept(arguments, &call.result),
            "connect" => self.connect(arguments, pending),
            "close" => self.close(arguments, pending),
            "shutdown" => self.shutdown(arguments),
            "read" | "recv" | "recvfrom" | "readv" => self.read_call(&call.name, arguments, pending),
            "recvmsg" => self.receive_message(arguments, pending),
            "write" | "send" | "sendto" | "writev" => self.write_call(&call.name, arguments, pending),
            "sendmsg" => self.send_message(arguments, pending),
            "fcntl" => self.fcntl(arguments),
            "ioctl" => self.ioctl(arguments),
            "setsockopt" | "getsockopt" => self.socket_option(&call.name, arguments),
            "poll" => self.poll(arguments, pending),
            "epoll_create" | "epoll_create1" => self.open_file(Kind::Epoll(Epoll::default()), &call.result),
            "epoll_ctl" => self.epoll_control(arguments),
            "epoll_wait" => self.epoll_wait(arguments, pending),
            "open" => self.open_file(Kind::Zeros, &call.result),
            "pipe" => self.pipe(arguments),
            "splice" => self.splice(arguments, pending),
            "sendfile" => self.send_file(arguments, pending),
            // Nobody here lacks a capability.
            "cap_set" => done(0),
            other => Err(Stop::unsupported(format!("the system call {other}"))),
        }
    }

    fn open_file(&mut self, kind: Kind, result: &Expression) -> Attempt {
        self.open(File::new(kind), result)
    }

    /// The script's number for a new descriptor is the one it expects, or a free one.
    fn open(&mut self, file: File, result: &Expression) -> Attempt {
        let wanted = number(result).filter(|wanted| *wanted >= 0 && !self.files.contains_key(wanted));
        let descriptor = wanted.unwrap_or_else(|| (3..).find(|free| !self.files.contains_key(free)).unwrap_or(3));
        self.files.insert(descriptor, file);
        Ok(Some(Returned { value: descriptor, errno: None, descriptor: true }))
    }

    fn socket_option(&mut self, call: &str, arguments: &[Expression]) -> Attempt {
        let [_, _, Expression::Word(name), value, ..] = arguments else {
            return Err(Stop::unsupported(format!("{call} of an option without a name")));
        };
        let descriptor = argument_number(arguments, 0)?;
        let system = self.system;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let stack = &mut self.machine.stack;
        let returned = if call == "getsockopt" {
            options::get(stack, system, file, name, value)
        } else {
            options::set(stack, system, self.machine.now, file, name, value)
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

/// The length of a buffer, as far as one can be had.
fn buffer_len(len: i64) -> Result<usize, Stop> {
    match usize::try_from(len) {
        Ok(bytes) if len <= MAX_BUFFER => Ok(bytes),
        _ => Err(Stop::unsupported(format!("a buffer of {len} bytes"))),
    }
}

/// The flags of `send` and `recv`; `known` are those that mean something here.
fn flags_of(flags: Option<&Expression>, known: i64) -> Result<i64, Stop> {
    let Some(flags) = flags else { return Ok(0) };
    match number(flags) {
        Some(value) if value & !known == 0 => Ok(value),
        _ => Err(Stop::unsupported(format!("the message flags {flags}"))),
    }
}

/// `NULL` where a buffer belongs.
fn is_null(buffer: Option<&Expression>) -> bool {
    matches!(buffer, Some(Expression::Word(word)) if word == "NULL")
}
