//! The share of packets that is lost whether we send much or little: noise on a radio link, a broken cable.
//!
//! Such loss says nothing of how much the path takes, so it must not slow us down; but nothing in a lost packet tells
//! why it was lost. What tells is the queue. A packet that found next to none was not lost for want of room, so what is
//! lost *there* is ambient. Losses elsewhere count as congestion as far as they are more than that explains.
//!
//! All of it errs towards congestion. A path is taken for free of ambient loss until it has shown some; more than a tenth
//! is not believed (a policer drops without a queue, too, but far more of what exceeds its rate); while probing nothing is
//! learned; and what was learned is forgotten as packets pass, so that a queue that stays makes it fade.

use super::super::Acknowledged;
use super::model::volume;
use super::{Bbr, State};
use crate::tcp::fold::folded;
use std::time::Duration;

/// In segments: the path is taken to have carried so many before the first without loss, and what it has carried counts
/// half after so many more.
const PRIOR: u64 = 100;
const HORIZON: u64 = 1000;
/// Shares are in parts of so many. The most that is believed.
const WHOLE: u64 = 10_000;
const MOST: u64 = 1000;
/// Chance: so many standard deviations more than expected are still explained.
const DEVIATIONS: u64 = 2;
/// A round trip that is longer than the shortest by no more than this part of it, or by one segment, found no queue.
const TOLERANCE: u32 = 32;

/// In bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ambient {
    /// What travelled without a queue, and how much of it was lost; older ones count less.
    carried: u64,
    lost: u64,
    /// All that travelled since it was last made to count less.
    passed: u64,
    /// Not yet known how it travelled: delivered, lost.
    open: (u64, u64),
}

folded!(Ambient { carried, lost, passed, open });

/// What a packet has found in front of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Queue {
    /// No round trip was measured.
    Unseen,
    Absent,
    /// No more than what left together with it.
    OfItsOwn,
    There,
}

impl Ambient {
    /// Judged lost; the next acknowledgement will show what the queue was like.
    pub fn lose(&mut self, bytes: u64) {
        self.open.1 += bytes;
    }

    /// So much was delivered, through a queue if that could be seen.
    pub fn deliver(&mut self, bytes: u64, queue: Queue, mss: u64) {
        self.open.0 += bytes;
        let (delivered, lost) = match queue {
            Queue::Unseen => return,
            // It has carried that in any case; of what was lost the next one tells.
            Queue::OfItsOwn => (std::mem::take(&mut self.open.0), 0),
            Queue::Absent | Queue::There => std::mem::take(&mut self.open),
        };
        self.passed += delivered + lost;
        if queue != Queue::There {
            self.carried += delivered + lost;
            self.lost += lost;
        }
        if self.passed > HORIZON * mss {
            (self.carried, self.lost, self.passed) = (self.carried / 2, self.lost / 2, 0);
        }
    }

    /// In parts of [`WHOLE`].
    fn share(&self, mss: u64) -> u64 {
        (self.lost.saturating_mul(WHOLE) / (self.carried + PRIOR * mss).max(1)).min(MOST)
    }

    /// The same for those who look on.
    pub fn thousandths(&self, mss: u64) -> u32 {
        (self.share(mss) * 1000 / WHOLE) as u32
    }

    /// How much of `bytes` may be lost with nobody to blame, chance included.
    pub fn explains(&self, bytes: u64, mss: u64) -> u64 {
        let expected = u128::from(bytes) * u128::from(self.share(mss)) / u128::from(WHOLE);
        // Of a Poisson variable, counted in segments, the variance is the mean.
        let deviation = (expected * u128::from(mss)).isqrt();
        u64::try_from(expected + u128::from(DEVIATIONS) * deviation).unwrap_or(u64::MAX)
    }
}

impl Bbr {
    /// What an acknowledgement tells of has found a queue, or none. In a super-frame the last segment waits for the others.
    pub(super) fn learn_ambient(&mut self, ack: &Acknowledged) {
        let mss = self.window.mss;
        let own = if ack.super_frames { self.send_quantum() } else { mss };
        let queue = match ack.rtt {
            None => Queue::Unseen,
            Some(_) if matches!(self.state, State::Refill | State::Up) => Queue::There,
            Some(rtt) if self.is_queued(rtt, own) => Queue::There,
            Some(rtt) if self.is_queued(rtt, mss) => Queue::OfItsOwn,
            Some(_) => Queue::Absent,
        };
        self.ambient.deliver(ack.bytes, queue, mss);
    }

    /// So long a round trip had a wait in it, for more than `own` bytes.
    pub(super) fn is_queued(&self, rtt: Duration, own: u64) -> bool {
        let Some(shortest) = self.min_rtt.min() else { return true };
        let waited = rtt.saturating_sub(shortest);
        waited > shortest / TOLERANCE && volume(self.max_bw.max(), waited) > own
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::MaxBandwidth;
    use super::*;
    use crate::tcp::congestion::Start;
    use crate::tcp::congestion::testing::start;
    use crate::time::Instant;

    const MSS: u64 = 1000;

    /// So many segments, of which one in `each` is lost.
    fn carry(ambient: &mut Ambient, segments: u64, each: u64, queue: Queue) {
        for n in 1..=segments {
            if n % each == 0 {
                ambient.lose(MSS);
            } else {
                ambient.deliver(MSS, queue, MSS);
            }
        }
    }

    #[test]
    fn what_is_lost_without_a_queue_is_explained_and_chance_with_it() {
        let mut ambient = Ambient::default();
        assert_eq!(ambient.explains(1_000_000, MSS), 0, "a path is free of loss until it has shown some");
        carry(&mut ambient, 3000, 50, Queue::Absent);
        let share = ambient.share(MSS);
        assert!((175..=200).contains(&share), "2 %, less what is taken for granted: {share}");
        // 1000 segments: 19 of them expected, and two standard deviations of 4.3.
        let explained = ambient.explains(1_000_000, MSS) / MSS;
        assert!((25..=29).contains(&explained), "{explained}");
        let few = ambient.explains(10 * MSS, MSS);
        assert!((MSS..2 * MSS).contains(&few), "one of ten is no sign, two are: {few}");
    }

    #[test]
    fn what_is_lost_beside_a_queue_teaches_nothing_and_lets_the_rest_fade() {
        let mut ambient = Ambient::default();
        carry(&mut ambient, 3000, 10, Queue::There);
        assert_eq!(ambient.share(MSS), 0);
        carry(&mut ambient, 1000, 50, Queue::Absent);
        let (fresh, mut faded) = (ambient.share(MSS), ambient);
        carry(&mut faded, 5000, 10, Queue::There);
        assert!(faded.share(MSS) < fresh / 3, "{fresh} {}", faded.share(MSS));
    }

    #[test]
    fn no_more_than_a_tenth_is_believed() {
        let mut ambient = Ambient::default();
        carry(&mut ambient, 3000, 2, Queue::Absent);
        assert_eq!(ambient.share(MSS), MOST);
    }

    #[test]
    fn a_loss_counts_where_the_next_round_trip_shows_whether_there_was_a_queue() {
        let mut ambient = Ambient::default();
        ambient.lose(MSS);
        ambient.deliver(9 * MSS, Queue::Unseen, MSS);
        assert_eq!((ambient.carried, ambient.lost), (0, 0), "no round trip was measured");
        ambient.deliver(10 * MSS, Queue::Absent, MSS);
        assert_eq!((ambient.carried, ambient.lost), (20 * MSS, MSS));
    }

    #[test]
    fn a_queue_is_a_wait_of_more_than_a_segment_and_a_little() {
        let mut bbr = Bbr::new(&Start { rtt: Some(Duration::from_millis(32)), ..start() });
        for (rate, waited_us, expected) in [
            // A segment takes 10 µs: what counts is a 32nd of the round trip, a millisecond.
            (100_000_000, 1000, false),
            (100_000_000, 1001, true),
            // A segment takes 2 ms.
            (500_000, 2000, false),
            (500_000, 2002, true),
        ] {
            bbr.max_bw = MaxBandwidth::default();
            bbr.max_bw.update(rate);
            let rtt = Duration::from_millis(32) + Duration::from_micros(waited_us);
            assert_eq!(bbr.is_queued(rtt, MSS), expected, "{rate} {waited_us}");
        }
        assert!(Bbr::new(&start()).is_queued(Duration::ZERO, MSS), "nobody knows");
    }

    #[test]
    fn the_end_of_a_super_frame_waits_for_its_beginning() {
        let mut bbr = Bbr::new(&Start { rtt: Some(Duration::from_millis(32)), ..start() });
        bbr.max_bw.update(500_000);
        // Two segments leave together, and each takes 2 ms. What was lost before counts where there is surely no queue.
        for (waited_us, super_frames, carried, lost) in [
            (2000, true, 2000, 1000),
            (4000, true, 1000, 0),
            (4002, true, 0, 0),
            (2000, false, 2000, 1000),
            (4000, false, 0, 0),
        ] {
            let mut bbr = bbr.clone();
            bbr.ambient.lose(1000);
            let rtt = Some(Duration::from_millis(32) + Duration::from_micros(waited_us));
            bbr.learn_ambient(&Acknowledged { bytes: 1000, rtt, super_frames, ..Acknowledged::new(Instant::ZERO) });
            assert_eq!((bbr.ambient.carried, bbr.ambient.lost), (carried, lost), "{waited_us} {super_frames}");
        }
    }
}
