//! The timers of a connection: one table, from which the next deadline is read.

use super::fold::{Fold, Folder, Unfolder};
use crate::event::TimerKind;
use crate::time::Instant;
use std::fmt;

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

/// When each timer fires, and which of them run: few of a connection's do at a time.
#[derive(Clone, Default)]
pub struct Timers {
    /// A bit for each, as wide as an instant, and so laid out beside them.
    running: u64,
    at: [Instant; KINDS.len()],
}

impl Fold for Timers {
    fn fold(&self, to: &mut Folder) {
        KINDS.map(|timer| self.at(timer)).fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> Timers {
        let (times, mut timers): ([Option<Instant>; KINDS.len()], _) = (Fold::unfold(from), Timers::default());
        for (timer, at) in KINDS.into_iter().zip(times) {
            at.into_iter().for_each(|at| timers.set(timer, at));
        }
        timers
    }
}

impl Timers {
    pub fn set(&mut self, timer: TimerKind, at: Instant) {
        self.at[timer as usize] = at;
        self.running |= bit(timer);
    }

    pub fn stop(&mut self, timer: TimerKind) {
        self.running &= !bit(timer);
    }

    pub fn at(&self, timer: TimerKind) -> Option<Instant> {
        self.is_running(timer).then(|| self.at[timer as usize])
    }

    pub fn is_running(&self, timer: TimerKind) -> bool {
        self.running & bit(timer) != 0
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.first().map(|(_, at)| at)
    }

    /// Takes one timer whose time has come, the earliest first.
    pub fn take_due(&mut self, now: Instant) -> Option<TimerKind> {
        let (timer, _) = self.first().filter(|(_, at)| *at <= now)?;
        self.stop(timer);
        Some(timer)
    }

    /// The one that fires first; of several the first of [`KINDS`].
    fn first(&self) -> Option<(TimerKind, Instant)> {
        let (mut left, mut first) = (self.running, None);
        while left != 0 {
            let place = left.trailing_zeros() as usize;
            left &= left - 1;
            if first.is_none_or(|(_, at)| self.at[place] < at) {
                first = Some((KINDS[place], self.at[place]));
            }
        }
        first
    }
}

/// Those that run.
impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(KINDS.into_iter().filter_map(|timer| Some((timer, self.at(timer)?)))).finish()
    }
}

fn bit(timer: TimerKind) -> u64 {
    1 << timer as u64
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
