//! HyStart++ (RFC 9406): leave slow start when round trips grow longer, before the queue overflows.
//!
//! ```text
//!                    round trips longer by an eighth            five rounds
//!     slow start  ------------------------------->   CSS   ------------------> over: ssthresh = cwnd
//!                 <-------------------------------
//!                     shorter again: a false alarm
//! ```
//!
//! In conservative slow start (CSS) the window grows a quarter as fast, while it is found out which of the two it was.

use super::Acknowledged;
use crate::tcp::fold::{Fold, Folder, Unfolder, folded};
use std::time::Duration;

/// RFC 9406 §4.3.
const MIN_RTT_THRESH: Duration = Duration::from_millis(4);
const MAX_RTT_THRESH: Duration = Duration::from_millis(16);
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u32 = 8;
const CSS_GROWTH_DIVISOR: u64 = 4;
const CSS_ROUNDS: u32 = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    SlowStart,
    /// Rounds done in it, and the smallest round trip of the one that raised the alarm.
    Conservative {
        rounds: u32,
        baseline: Duration,
    },
    Over,
}

impl Fold for Phase {
    fn fold(&self, to: &mut Folder) {
        let conservative = match self {
            Phase::SlowStart => None,
            Phase::Conservative { rounds, baseline } => Some((*rounds, *baseline)),
            Phase::Over => None,
        };
        (*self == Phase::Over).fold(to);
        conservative.fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> Phase {
        match Fold::unfold(from) {
            (true, _) => Phase::Over,
            (false, None) => Phase::SlowStart,
            (false, Some((rounds, baseline))) => Phase::Conservative { rounds, baseline },
        }
    }
}

/// Watches the round trips of the first slow start of a connection.
#[derive(Clone, Debug)]
pub struct HyStart {
    phase: Phase,
    /// The smallest round trip of the last round and of this one, and how many were measured in it.
    last: Option<Duration>,
    current: Option<Duration>,
    samples: u32,
}

folded!(HyStart { phase, last, current, samples });

impl Default for HyStart {
    fn default() -> HyStart {
        HyStart { phase: Phase::SlowStart, last: None, current: None, samples: 0 }
    }
}

impl HyStart {
    /// Slow start is over by other means: a loss, a mark, a timeout.
    pub fn finish(&mut self) {
        self.phase = Phase::Over;
    }

    pub fn is_conservative(&self) -> bool {
        matches!(self.phase, Phase::Conservative { .. })
    }

    /// An acknowledgement came in slow start. True when it is to end here.
    pub fn on_acknowledged(&mut self, ack: &Acknowledged) -> bool {
        if ack.round_starts && self.next_round() {
            self.phase = Phase::Over;
            return true;
        }
        let Some(rtt) = ack.rtt else { return false };
        self.current = Some(self.current.map_or(rtt, |current| current.min(rtt)));
        self.samples += 1;
        if self.samples >= N_RTT_SAMPLE {
            self.judge();
        }
        false
    }

    /// How many of `bytes` count for the growth of the window.
    pub fn growth(&self, bytes: u64) -> u64 {
        if self.is_conservative() { bytes / CSS_GROWTH_DIVISOR } else { bytes }
    }

    /// RFC 9406 §4.2: CSS lasts for five rounds at most; a part of a round in which it began counts as one.
    fn next_round(&mut self) -> bool {
        (self.last, self.current, self.samples) = (self.current, None, 0);
        match &mut self.phase {
            Phase::Conservative { rounds, .. } => {
                *rounds += 1;
                *rounds >= CSS_ROUNDS
            }
            Phase::SlowStart | Phase::Over => false,
        }
    }

    fn judge(&mut self) {
        let Some(current) = self.current else { return };
        match (self.phase, self.last) {
            (Phase::SlowStart, Some(last)) => {
                let threshold = (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH);
                if current >= last + threshold {
                    self.phase = Phase::Conservative { rounds: 0, baseline: current };
                }
            }
            (Phase::Conservative { baseline, .. }, _) if current < baseline => self.phase = Phase::SlowStart,
            (Phase::SlowStart | Phase::Conservative { .. } | Phase::Over, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::congestion::testing::acknowledged;

    /// A round of `samples` acknowledgements, each of `millis`; did slow start end in it?
    fn round(hystart: &mut HyStart, millis: u64, samples: u32) -> bool {
        (0..samples).any(|n| {
            let rtt = Some(Duration::from_millis(millis));
            hystart.on_acknowledged(&Acknowledged { rtt, round_starts: n == 0, ..acknowledged(1000) })
        })
    }

    #[test]
    fn longer_round_trips_raise_the_alarm() {
        // The first round, the second, and whether the second is conservative.
        let table = [
            (100, 112, 8, false),
            (100, 113, 8, true),
            (100, 113, 7, false),
            (10, 13, 8, false),
            (10, 14, 8, true),
            (400, 415, 8, false),
            (400, 416, 8, true),
        ];
        for (first, second, samples, expected) in table {
            let mut hystart = HyStart::default();
            round(&mut hystart, first, 10);
            assert!(!hystart.is_conservative());
            round(&mut hystart, second, samples);
            assert_eq!(hystart.is_conservative(), expected, "{first} ms, then {second} ms {samples} times");
            assert_eq!(hystart.growth(4000), if expected { 1000 } else { 4000 });
        }
    }

    #[test]
    fn slow_start_ends_after_five_conservative_rounds() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 100, 10);
        round(&mut hystart, 120, 10);
        assert!(hystart.is_conservative());
        let ends: Vec<bool> = (0..5).map(|_| round(&mut hystart, 120, 10)).collect();
        assert_eq!(ends, [false, false, false, false, true]);
    }

    #[test]
    fn a_false_alarm_is_taken_back() {
        let mut hystart = HyStart::default();
        round(&mut hystart, 100, 10);
        round(&mut hystart, 120, 10);
        round(&mut hystart, 100, 10);
        assert!(!hystart.is_conservative());
        assert!((0..20).all(|_| !round(&mut hystart, 100, 10)));
    }
}
