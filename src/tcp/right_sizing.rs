//! How wide the receive window should be, learned from the application (Fisk and Feng, "Dynamic Right-Sizing in TCP",
//! 2001).
//!
//! What the application reads in one round trip is what the peer can send in one, and twice as much is offered. What
//! waits past a hole counts as read, since it would be if it could, and is offered once more: it takes up the window
//! without being in flight, for several round trips when a retransmission is lost as well. While what is read grows, the peer is in slow start: when the offer has reached it, it sends twice as much as was read, and
//! twice that again before the next measurement is there. So the offer is as much larger as the last measurement was
//! than the one before, up to four times what was read. The window is never what holds a peer back for long, and a
//! connection whose application reads little never pins much memory.

use super::fold::folded;
use crate::time::{Instant, nanos};
use std::time::Duration;

/// A shorter round trip counts as this: in so little time the machines' own delays weigh more than the path's.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(1);
/// When no round trip has been measured, because the SYN was sent more than once.
const USUAL_ROUND_TRIP: Duration = Duration::from_millis(100);

/// One measurement after another, each at least a round trip long.
#[derive(Clone, Copy, Debug)]
pub struct RightSizing {
    /// How much came in the round trip before.
    before: u64,
    /// Up to where the application had read when this one began, and as much further as waited past holes.
    arrived: u64,
    since: Instant,
}

folded!(RightSizing { since, arrived, before });

impl RightSizing {
    pub fn new(now: Instant, read: u64) -> RightSizing {
        RightSizing { since: now, arrived: read, before: 0 }
    }

    /// How many bytes came in the last round trip that was measured; none before the first.
    pub fn in_a_round_trip(&self) -> Option<u64> {
        (self.before > 0).then_some(self.before)
    }

    /// Data arrives; `state` tells up to which position the application has read, and how many bytes wait past holes.
    /// Gives how many bytes should be on offer, once for each measurement.
    pub fn on_data(&mut self, now: Instant, rtt: Option<Duration>, state: impl FnOnce() -> (u64, u64)) -> Option<u64> {
        let rtt = nanos(rtt.unwrap_or(USUAL_ROUND_TRIP)).max(nanos(SHORTEST_ROUND_TRIP));
        let elapsed = now.nanos_since(self.since);
        if elapsed < rtt {
            return None;
        }
        let (read, waiting) = state();
        let arrived = read + waiting;
        let [rtt, elapsed] = [rtt, elapsed].map(|span| span / 1000);
        let in_a_round_trip = arrived.saturating_sub(self.arrived).saturating_mul(rtt) / elapsed;
        let growth = in_a_round_trip.saturating_sub(self.before);
        // Four times, where it has doubled or more.
        let offer = match self.before {
            before if growth >= before => 4 * in_a_round_trip,
            before => 2 * in_a_round_trip + (2 * in_a_round_trip).saturating_mul(growth) / before,
        };
        *self = RightSizing { since: now, arrived, before: in_a_round_trip };
        Some(offer + waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_what_is_read_in_a_round_trip_is_offered_and_more_while_that_grows() {
        let at = Instant::from_millis;
        let rtt = Some(Duration::from_millis(100));
        let mut sizing = RightSizing::new(at(0), 1000);
        let steps = [
            (50, 40_000, None),
            (100, 101_000, Some(400_000)),
            (150, 150_000, None),
            // Two round trips, as much in each as before.
            (300, 301_000, Some(200_000)),
            // A quarter more, twice as much, less.
            (400, 426_000, Some(2 * 125_000 + 250_000 / 4)),
            (500, 676_000, Some(4 * 250_000)),
            (600, 776_000, Some(200_000)),
            // Nothing was read, and then something.
            (700, 776_000, Some(0)),
            (800, 777_000, Some(4_000)),
        ];
        for (millis, read, expected) in steps {
            assert_eq!(sizing.on_data(at(millis), rtt, || (read, 0)), expected, "at {millis} ms");
        }
    }

    #[test]
    fn what_waits_past_a_hole_counts_and_takes_no_room() {
        let at = Instant::from_millis;
        let rtt = Some(Duration::from_millis(100));
        let mut sizing = RightSizing::new(at(0), 0);
        let steps = [
            (100, (100_000, 0), 400_000),
            (200, (200_000, 0), 200_000),
            // One segment is missing, and its retransmission too: two round trips in which nothing can be read.
            (300, (200_000, 99_000), 2 * 99_000 + 99_000),
            (400, (200_000, 198_000), 2 * 99_000 + 198_000),
            // There it is.
            (500, (500_000, 0), 2 * 102_000 + 6181),
        ];
        for (millis, state, expected) in steps {
            assert_eq!(sizing.on_data(at(millis), rtt, || state), Some(expected), "at {millis} ms");
        }
    }

    #[test]
    fn very_short_and_unknown_round_trips_count_as_usual_ones() {
        for (rtt, millis) in [(Some(Duration::from_micros(30)), 1), (None, 100)] {
            let mut sizing = RightSizing::new(Instant::ZERO, 0);
            assert_eq!(sizing.on_data(Instant::from_micros(millis * 1000 - 1), rtt, || (5, 0)), None);
            assert_eq!(sizing.on_data(Instant::from_millis(millis), rtt, || (5, 0)), Some(20));
        }
    }
}
