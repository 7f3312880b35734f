//! The timers of a connection: one table, from which the next deadline is read.

use super::fold::{Fold, Folder, Unfolder};
use crate::event::TimerKind;
use crate::time::Instant;

pub const KINDS: [TimerKind; 11] = [
    TimerKind::Reordering,
    TimerKind::TailLossProbe,
    TimerKind::Retransmission,
    TimerKind::Persist,
    TimerKind::DelayedAck,
    TimerKind::Keepalive,
    TimerKind::UserTimeout,
    TimerKind::TimeWait,
    TimerKind::SillyWindow,
    TimerKind::FinWait2,
    TimerKind::Pacing,
];

/// When each timer fires; [`Instant::FAR_FUTURE`] where none runs.
#[derive(Clone, Debug)]
pub struct Timers([Instant; KINDS.len()]);

impl Default for Timers {
    fn default() -> Timers {
        Timers([Instant::FAR_FUTURE; KINDS.len()])
    }
}

impl Fold for Timers {
    fn fold(&self, to: &mut Folder) {
        KINDS.map(|timer| self.at(timer)).fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> Timers {
        let times: [Option<Instant>; KINDS.len()] = Fold::unfold(from);
        Timers(times.map(|at| at.unwrap_or(Instant::FAR_FUTURE)))
    }
}

impl Timers {
    pub fn set(&mut self, timer: TimerKind, at: Instant) {
        self.0[timer as usize] = at;
    }

    pub fn stop(&mut self, timer: TimerKind) {
        self.0[timer as usize] = Instant::FAR_FUTURE;
    }

    pub fn at(&self, timer: TimerKind) -> Option<Instant> {
        let at = self.0[timer as usize];
        (at != Instant::FAR_FUTURE).then_some(at)
    }

    pub fn is_running(&self, timer: TimerKind) -> bool {
        self.at(timer).is_some()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().copied().min().filter(|at| *at != Instant::FAR_FUTURE)
    }

    /// Takes one timer whose time has come, the earliest first.
    pub fn take_due(&mut self, now: Instant) -> Option<TimerKind> {
        let due = KINDS.into_iter().filter(|timer| self.0[*timer as usize] <= now);
        let timer = due.min_by_key(|timer| self.0[*timer as usize])?;
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_the_place_of_its_number() {
        assert!(KINDS.iter().enumerate().all(|(place, timer)| *timer as usize == place));
    }

    #[test]
    fn due_timers_come_earliest_first_and_once() {
        let mut timers = Timers::default();
        assert_eq!(timers.next_deadline(), None);
        timers.set(TimerKind::Keepalive, Instant::from_secs(1));
        timers.set(TimerKind::Retransmission, Instant::from_secs(2));
        timers.set(TimerKind::TimeWait, Instant::from_secs(3));
        assert_eq!(timers.next_deadline(), Some(Instant::from_secs(1)));
        let now = Instant::from_secs(2);
        let taken: Vec<_> = std::iter::from_fn(|| timers.take_due(now)).collect();
        assert_eq!(taken, [TimerKind::Keepalive, TimerKind::Retransmission]);
        assert!(timers.is_running(TimerKind::TimeWait));
    }
}
