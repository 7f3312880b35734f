//! How wide the receive window should be, learned from the application (Fisk and Feng, "Dynamic Right-Sizing in TCP",
//! 2001).
//!
//! What the application reads in one round trip is what the peer can send in one. A peer in slow start sends twice as
//! much in the next, so that is offered: the window is never what holds a peer back for long, and a connection whose
//! application reads little never pins much memory.

use crate::time::Instant;
use std::time::Duration;

/// A shorter round trip counts as this: in so little time the machines' own delays weigh more than the path's.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(1);
/// When no round trip has been measured, because the SYN was sent more than once.
const USUAL_ROUND_TRIP: Duration = Duration::from_millis(100);

/// One measurement after another, each at least a round trip long.
#[derive(Clone, Copy, Debug)]
pub struct RightSizing {
    since: Instant,
    /// Up to where the application had read then.
    read: u64,
}

impl RightSizing {
    pub fn new(now: Instant, read: u64) -> RightSizing {
        RightSizing { since: now, read }
    }

    /// Data arrives when the application has read up to position `read`. Gives how many bytes should be on offer, once
    /// for each measurement.
    pub fn on_data(&mut self, now: Instant, rtt: Option<Duration>, read: u64) -> Option<u64> {
        let rtt = rtt.unwrap_or(USUAL_ROUND_TRIP).max(SHORTEST_ROUND_TRIP);
        let elapsed = now.since(self.since);
        if elapsed < rtt {
            return None;
        }
        let in_a_round_trip = u128::from(read - self.read) * rtt.as_nanos() / elapsed.as_nanos();
        *self = RightSizing::new(now, read);
        Some(2 * in_a_round_trip as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_what_is_read_in_a_round_trip_is_offered() {
        let at = Instant::from_millis;
        let rtt = Some(Duration::from_millis(100));
        let mut sizing = RightSizing::new(at(0), 1000);
        let steps = [
            (50, 40_000, None),
            (100, 101_000, Some(200_000)),
            (150, 150_000, None),
            // Two round trips: half as much in each.
            (300, 301_000, Some(200_000)),
            // Nothing was read.
            (400, 301_000, Some(0)),
        ];
        for (millis, read, expected) in steps {
            assert_eq!(sizing.on_data(at(millis), rtt, read), expected, "at {millis} ms");
        }
    }

    #[test]
    fn very_short_and_unknown_round_trips_count_as_usual_ones() {
        for (rtt, millis) in [(Some(Duration::from_micros(30)), 1), (None, 100)] {
            let mut sizing = RightSizing::new(Instant::ZERO, 0);
            assert_eq!(sizing.on_data(Instant::from_micros(millis * 1000 - 1), rtt, 5), None);
            assert_eq!(sizing.on_data(Instant::from_millis(millis), rtt, 5), Some(10));
        }
    }
}
