//! `poll` and epoll, level-triggered.

use super::calls::argument_number;
use super::constants::{EPOLLET, POLLERR, POLLHUP, member, number};
use super::sockets::Kind;
use super::{Pending, Returned, Run, Stop};
use crate::sim::script::syntax::Expression;
use std::time::Duration;

impl Run {
    /// Which of the `wanted` events hold for a descriptor; errors and hang-ups always count.
    fn ready(&self, descriptor: i64, wanted: i64) -> i64 {
        self.files.get(&descriptor).map_or(0x20, |file| file.events(&self.machine.stack) & (wanted | POLLERR | POLLHUP))
    }

    /// Has the time of a call with a timeout in milliseconds come?
    fn is_over(&self, pending: &mut Pending, timeout: i64) -> bool {
        let Ok(millis) = u64::try_from(timeout) else { return false };
        let at = pending.started + Duration::from_millis(millis);
        pending.wake_at = Some(at);
        self.machine.now >= at
    }

    pub(super) fn poll(&mut self, arguments: &[Expression], pending: &mut Pending) -> Result<Option<Returned>, Stop> {
        let Some(Expression::List(watched)) = arguments.first() else {
            return Err(Stop::unsupported("poll without a list"));
        };
        let timeout = argument_number(arguments, 2)?;
        let value = |entry: &Expression, name: &str| member(entry, name).and_then(number);
        let mut found = Vec::new();
        for entry in watched {
            let (Some(descriptor), Some(events)) = (value(entry, "fd"), value(entry, "events")) else {
                return Err(Stop::unsupported(format!("poll of {entry}")));
            };
            found.push((self.ready(descriptor, events), value(entry, "revents").unwrap_or(0), entry));
        }
        let count = found.iter().filter(|(ready, ..)| *ready != 0).count();
        if count == 0 && !self.is_over(pending, timeout) {
            return Ok(None);
        }
        match found.iter().find(|(ready, expected, _)| ready != expected) {
            Some((ready, _, entry)) => Err(Stop::failed(entry.to_string(), format!("revents={ready:#x}"))),
            None => Ok(Some(Returned::value(count as i64))),
        }
    }

    pub(super) fn epoll_control(&mut self, arguments: &[Expression]) -> Result<Option<Returned>, Stop> {
        let (epoll, operation) = (argument_number(arguments, 0)?, argument_number(arguments, 1)?);
        let descriptor = argument_number(arguments, 2)?;
        let events = arguments.get(3).and_then(|event| member(event, "events")).and_then(number).unwrap_or(0);
        if events & EPOLLET != 0 || events & 1 << 30 != 0 {
            return Err(Stop::unsupported("edge-triggered and one-shot epoll"));
        }
        let Some(Kind::Epoll(watched)) = self.files.get_mut(&epoll).map(|file| &mut file.kind) else {
            return Ok(Some(Returned { value: -1, errno: Some("EBADF"), descriptor: false }));
        };
        watched.retain(|(watched, _)| *watched != descriptor);
        if operation != 2 {
            watched.push((descriptor, events));
        }
        Ok(Some(Returned::value(0)))
    }

    pub(super) fn epoll_wait(
        &mut self,
        arguments: &[Expression],
        pending: &mut Pending,
    ) -> Result<Option<Returned>, Stop> {
        let epoll = argument_number(arguments, 0)?;
        let timeout = argument_number(arguments, 3)?;
        let Some(Kind::Epoll(watched)) = self.files.get(&epoll).map(|file| &file.kind) else {
            return Ok(Some(Returned { value: -1, errno: Some("EBADF"), descriptor: false }));
        };
        let ready = watched.iter().map(|(descriptor, events)| self.ready(*descriptor, *events));
        let ready: Vec<i64> = ready.filter(|ready| *ready != 0).collect();
        if ready.is_empty() && !self.is_over(pending, timeout) {
            return Ok(None);
        }
        let expected = match arguments.get(1) {
            Some(Expression::List(list)) => list.first(),
            other => other,
        };
        let expected = expected.and_then(|event| member(event, "events")).and_then(number);
        match (expected, ready.first()) {
            (Some(expected), Some(ready)) if expected != *ready => {
                Err(Stop::failed(format!("events={expected:#x}"), format!("events={ready:#x}")))
            }
            (_, _) => Ok(Some(Returned::value(ready.len() as i64))),
        }
    }
}
