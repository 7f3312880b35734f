//! `poll`, and how long a call waits.

use super::calls::argument_number;
use super::constants::{POLLERR, POLLHUP, member, number};
use super::{Pending, Returned, Run, Stop};
use crate::sim::script::syntax::Expression;
use std::time::Duration;

impl Run {
    /// Which of the `wanted` events hold for a descriptor; errors and hang-ups always count.
    fn ready(&self, descriptor: i64, wanted: i64) -> i64 {
        self.files.get(&descriptor).map_or(0x20, |file| file.events(&self.machine.stack) & (wanted | POLLERR | POLLHUP))
    }

    /// Has the time of a call with a timeout in milliseconds come?
    pub(super) fn is_over(&self, pending: &mut Pending, timeout: i64) -> bool {
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
}
