//! DCTCP (RFC 8257): Reno that listens to *how many* packets were marked, and gives way by as much.
//!
//! In a data centre a switch marks packets as soon as a few wait, instead of dropping them when its queue is full. A mark
//! then does not mean that half the window is too much: if one packet in fifty was marked, a hundredth is. alpha is the
//! share of marked bytes, smoothed over some sixteen windows, and a window with marks is cut by alpha / 2.
//!
//! It needs a receiver that tells of each mark by itself (RFC 8257 §3.2), which ours does where the controller asks for
//! it, and queues that mark early. **Not for the Internet**: beside Reno and CUBIC it takes nearly all (§4.1). Losses are
//! answered as Reno does (§3.5); where ECN was not agreed on it *is* Reno.

use super::{Acknowledged, Congested, CongestionControl, Reno, Start, common_parts};
use crate::tcp::fold::folded;

/// alpha counts in these.
const ONE: u64 = 1 << 10;
/// g = 1/16 (RFC 8257 §4.2), as a shift.
const GAIN: u32 = 4;

#[derive(Clone, Debug)]
pub struct Dctcp {
    reno: Reno,
    /// DCTCP.Alpha; 1 to begin with, so that the first mark counts like a loss.
    alpha: u64,
    /// DCTCP.BytesAcked and DCTCP.BytesMarked: of the window that goes on.
    acknowledged: u64,
    marked: u64,
}

folded!(Dctcp { reno, alpha, acknowledged, marked });

impl Dctcp {
    pub fn new(start: &Start) -> Dctcp {
        Dctcp { reno: Reno::new(start), alpha: ONE, acknowledged: 0, marked: 0 }
    }

    /// RFC 8257 §3.3, steps 5 to 7: a window is over.
    fn update_alpha(&mut self) {
        if self.acknowledged > 0 {
            let share =
                u128::from(self.marked.min(self.acknowledged)) * u128::from(ONE) / u128::from(self.acknowledged);
            // Never by nothing, or rounding would keep the rest for ever.
            self.alpha -= (self.alpha >> GAIN).max(self.alpha.min(1));
            self.alpha = (self.alpha + (share as u64 >> GAIN)).min(ONE);
        }
        (self.acknowledged, self.marked) = (0, 0);
    }
}

impl CongestionControl for Dctcp {
    common_parts!(reno.window);

    fn wants_each_mark(&self) -> bool {
        true
    }

    fn on_delivered(&mut self, ack: &Acknowledged) {
        self.acknowledged += ack.bytes;
        self.marked += ack.marked;
        if ack.round_starts {
            self.update_alpha();
        }
    }

    fn on_acknowledged(&mut self, ack: &Acknowledged) {
        self.reno.on_acknowledged(ack);
    }

    /// §3.4: cwnd = cwnd * (1 - alpha / 2).
    fn reduced(&mut self, event: &Congested) -> u64 {
        let half = self.reno.reduced(event);
        let cwnd = self.window().cwnd;
        match event {
            Congested::Marked { .. } => cwnd - (u128::from(cwnd) * u128::from(self.alpha) / u128::from(2 * ONE)) as u64,
            Congested::Lost { .. } | Congested::TimedOut { .. } => half,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::congestion::testing::start;
    use crate::time::Instant;

    fn window(dctcp: &mut Dctcp, marked: u64) {
        let ack = Acknowledged { bytes: 100_000, marked, round_starts: true, ..Acknowledged::new(Instant::ZERO) };
        dctcp.on_delivered(&ack);
    }

    #[test]
    fn alpha_follows_the_share_of_marks() {
        let mut dctcp = Dctcp::new(&start());
        (0..100).for_each(|_| window(&mut dctcp, 0));
        assert_eq!(dctcp.alpha, 0, "nothing is marked");
        (0..200).for_each(|_| window(&mut dctcp, 25_000));
        assert!((230..=256).contains(&dctcp.alpha), "a quarter: {}", dctcp.alpha);
        (0..200).for_each(|_| window(&mut dctcp, 100_000));
        assert!(dctcp.alpha > ONE - 32, "everything: {}", dctcp.alpha);
    }

    #[test]
    fn the_window_is_cut_by_half_of_the_share() {
        let mut dctcp = Dctcp::new(&start());
        dctcp.window_mut().cwnd = 100_000;
        for (alpha, expected) in [(ONE, 50_000), (ONE / 4, 87_500), (0, 100_000)] {
            dctcp.alpha = alpha;
            assert_eq!(dctcp.reduced(&Congested::Marked { now: Instant::ZERO, in_flight: 100_000 }), expected);
        }
        assert_eq!(dctcp.reduced(&Congested::Lost { now: Instant::ZERO, in_flight: 100_000 }), 50_000, "as Reno");
    }
}
