//! Descriptors that are no sockets, and what may be asked of any.

use super::{Attempt, argument_number, buffer_len, done, error, reading::filled_in};
use crate::sim::script::run::constants::{MSG_MORE, O_NONBLOCK, O_RDWR};
use crate::sim::script::run::sockets::{File, Kind, Pipe};
use crate::sim::script::run::{Pending, Returned, Run, Stop};
use crate::sim::script::syntax::Expression;

/// Pipes that a script may make.
const MAX_PIPES: usize = 1_000;

/// `SPLICE_F_MORE`
const SPLICE_MORE: i64 = 4;

impl Run {
    pub(super) fn fcntl(&mut self, arguments: &[Expression]) -> Attempt {
        let (descriptor, command) = (argument_number(arguments, 0)?, argument_number(arguments, 1)?);
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        match command {
            // The bits differ between systems: any are as good as others.
            3 => {
                let value = O_RDWR | if file.nonblocking { O_NONBLOCK } else { 0 };
                Ok(Some(Returned { value, errno: None, descriptor: true }))
            }
            4 => {
                file.nonblocking = argument_number(arguments, 2)? & O_NONBLOCK != 0;
                done(0)
            }
            other => Err(Stop::unsupported(format!("fcntl with command {other}"))),
        }
    }

    pub(super) fn ioctl(&mut self, arguments: &[Expression]) -> Attempt {
        let Some(Expression::Word(request)) = arguments.get(1) else {
            return Err(Stop::unsupported("ioctl with a request that has no name"));
        };
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        if request == "FIONBIO" {
            file.nonblocking = filled_in(arguments.get(2)) != Some(0);
            return done(0);
        }
        let stack = &self.machine.stack;
        let info = match &file.kind {
            Kind::Tcp(tcp) => stack.tcp_info(tcp.id),
            Kind::Listener(_) => return error("EINVAL"),
            Kind::Fresh { .. } => None,
            _ => return Err(Stop::unsupported(format!("{request} of this descriptor"))),
        };
        let value = |of: fn(&crate::tcp::Info) -> i64| info.as_ref().map_or(0, of);
        let found = match request.as_str() {
            "SIOCINQ" | "FIONREAD" => value(|info| info.receive_queue as i64),
            "SIOCOUTQ" | "TIOCOUTQ" | "FIONWRITE" => value(|info| info.send_queue as i64),
            "SIOCOUTQNSD" => value(|info| (info.send_queue as u64).saturating_sub(info.unacked) as i64),
            "SIOCATMARK" => value(|info| i64::from(info.urgent_ahead == Some(0))),
            other => return Err(Stop::unsupported(format!("ioctl with request {other}"))),
        };
        match filled_in(arguments.get(2)) {
            Some(wanted) if wanted != found => Err(Stop::failed(format!("{request} [{wanted}]"), format!("[{found}]"))),
            _ => done(0),
        }
    }

    /// `pipe([5, 6])`: the numbers are what the script calls its ends.
    pub(super) fn pipe(&mut self, arguments: &[Expression]) -> Attempt {
        let ends = match arguments.first() {
            Some(Expression::List(ends)) => ends.iter().map(crate::sim::script::run::constants::number).collect(),
            _ => None,
        };
        let Some(ends) = ends.filter(|ends: &Vec<i64>| ends.len() == 2 && self.pipes.len() < MAX_PIPES) else {
            return Err(Stop::unsupported("pipe without the numbers of its ends"));
        };
        let number = self.pipes.len();
        self.pipes.push(0);
        for end in ends {
            self.files.insert(end, File::new(Kind::Pipe(Pipe { number })));
        }
        done(0)
    }

    /// `splice(from, NULL, to, NULL, len, flags)`
    pub(super) fn splice(&mut self, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let (from, to) = (argument_number(arguments, 0)?, argument_number(arguments, 2)?);
        let len = argument_number(arguments, 4)?;
        let more = arguments.get(5).and_then(crate::sim::script::run::constants::number).unwrap_or(0) & SPLICE_MORE;
        let into_pipe = self.files.get(&to).is_some_and(|file| matches!(file.kind, Kind::Pipe(_)));
        if into_pipe {
            let read = self.receive(from, len, 0, pending)?;
            if let (Some(read), Some(Kind::Pipe(pipe))) = (&read, self.files.get(&to).map(|file| &file.kind)) {
                let full = &mut self.pipes[pipe.number];
                *full = full.saturating_add(usize::try_from(read.value).unwrap_or(0));
            }
            return Ok(read);
        }
        let Some(Kind::Pipe(pipe)) = self.files.get(&from).map(|file| &file.kind) else { return error("EINVAL") };
        let number = pipe.number;
        let len = buffer_len(len)?.min(self.pipes[number] + pending.progress);
        let before = pending.progress;
        let sent = self.send(to, len as i64, if more != 0 { MSG_MORE } else { 0 }, None, pending)?;
        self.pipes[number] -= (pending.progress - before).min(self.pipes[number]);
        Ok(sent)
    }

    /// `sendfile(to, from, [offset], len)`: every file is zeros without end.
    pub(super) fn send_file(&mut self, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let (to, from) = (argument_number(arguments, 0)?, argument_number(arguments, 1)?);
        if !matches!(self.files.get(&from).map(|file| &file.kind), Some(Kind::Zeros)) {
            return error("EBADF");
        }
        self.send(to, argument_number(arguments, 3)?, 0, None, pending)
    }
}
