//! CUBIC (RFC 9438): after a loss the window climbs back on a cubic curve over the *time* since then, not over round
//! trips, so that long paths are not starved.
//!
//! ```text
//!   window
//!     |                                            /
//!     |                                          /   convex: probing for more
//!     |   W_max . . . . . . . ______------------
//!     |                ___----       concave: back to where it was, ever more carefully
//!     |            _--
//!     |          /
//!     |    cwnd_epoch
//!     +----------+-----------------------+-------------> t
//!                0                       K
//! ```
//!
//! `W_cubic(t) = C (t - K)^3 + W_max`, in segments and seconds (RFC 9438 §4.2). Where Reno would have the larger window,
//! that is taken instead (§4.3). Slow start is watched by HyStart++ (RFC 9406).
//!
//! All of it is in integers, bytes and microseconds, so that every machine computes the same. ssthresh is taken from
//! cwnd, as §4.6 allows where a window that is not used does not grow. Beyond the RFC, as Linux does: at most one
//! segment for two that are acknowledged.

mod curve;
#[cfg(test)]
mod tests;

use super::hystart::HyStart;
use super::{Acknowledged, Congested, CongestionControl, Start, Window, common_parts};
use crate::tcp::fold::folded;
use crate::time::Instant;
use curve::{Epoch, micros};

/// beta_cubic = 0.7 (§4.6).
const BETA: (u64, u64) = (7, 10);
/// alpha_cubic = 3 (1 - beta) / (1 + beta) (§4.3): growth as fast as Reno's, with a smaller decrease.
const ALPHA: (u64, u64) = (9, 17);

#[derive(Clone, Debug)]
pub struct Cubic {
    window: Window,
    hystart: HyStart,
    epoch: Option<Epoch>,
    /// W_max and cwnd_prior: the window before the last reduction, the first with room made for others (§4.7).
    w_max: u64,
    prior: u64,
    /// What is acknowledged towards the next segment, in bytes squared.
    credit: u128,
    /// When the window was last seen to be used.
    used_at: Instant,
    region: Region,
    before: Option<(Option<Epoch>, u64, u64)>,
}

folded!(Cubic { window, hystart, epoch, w_max, prior, credit, used_at, region, before });

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Region {
    RenoFriendly,
    Concave,
    Convex,
}

folded!(Region: RenoFriendly, Concave, Convex);

impl Cubic {
    pub fn new(start: &Start) -> Cubic {
        Cubic {
            window: Window::new(start),
            hystart: HyStart::default(),
            epoch: None,
            w_max: 0,
            prior: 0,
            credit: 0,
            used_at: start.now,
            region: Region::Convex,
            before: None,
        }
    }

    /// §4.2: a stage begins. After a timeout, and after a slow start without loss, it begins at the top of the curve
    /// (§4.8, §4.10).
    fn begin_epoch(&mut self, now: Instant) -> Epoch {
        let cwnd = self.window.cwnd;
        self.credit = 0;
        let below = self.w_max.saturating_sub(cwnd);
        self.w_max = self.w_max.max(cwnd);
        let k = curve::time_to_climb(below, self.window.mss);
        Epoch { start: now, origin: self.w_max, k, estimate: cwnd, estimate_rest: 0 }
    }

    /// §4.4, §4.5: by `bytes` acknowledged towards where the curve will be a round trip from now.
    fn avoid_congestion(&mut self, ack: &Acknowledged, bytes: u64) {
        let mut epoch = self.epoch.unwrap_or_else(|| self.begin_epoch(ack.now));
        let (cwnd, mss) = (self.window.cwnd, self.window.mss);
        self.estimate(&mut epoch, bytes);
        let t = epoch.elapsed(ack.now);
        let rtt = micros(ack.srtt.or(ack.rtt).unwrap_or_default());
        let target = epoch.curve(t.saturating_add(rtt), mss).clamp(cwnd, cwnd + cwnd / 2);
        self.epoch = Some(epoch);
        self.region = match (epoch.curve(t, mss) < epoch.estimate, t < epoch.k) {
            (true, _) => Region::RenoFriendly,
            (false, true) => Region::Concave,
            (false, false) => Region::Convex,
        };
        if self.region == Region::RenoFriendly {
            let whole = epoch.estimate - epoch.estimate % mss;
            self.window.cwnd = cwnd.max(whole.min(cwnd + bytes));
        } else {
            self.climb(target, bytes);
        }
    }

    /// (target - cwnd) / cwnd for each segment, in whole segments.
    fn climb(&mut self, target: u64, bytes: u64) {
        let (cwnd, mss) = (u128::from(self.window.cwnd), u128::from(self.window.mss));
        self.credit += (u128::from(target) - cwnd).min(cwnd / 2) * u128::from(bytes);
        let segments = self.credit / (cwnd * mss);
        self.credit %= cwnd * mss;
        self.window.cwnd += (segments * mss) as u64;
    }

    /// §4.3: W_est grows by alpha segments for each window, by one once it has reached what it was before the loss.
    fn estimate(&self, epoch: &mut Epoch, bytes: u64) {
        let (above, below) = if epoch.estimate < self.prior { ALPHA } else { (1, 1) };
        // In parts of 1 / 17 of a window, so that both values of alpha share the rest.
        let scale = ALPHA.1 * self.window.whole();
        let grown = epoch.estimate_rest + bytes * self.window.mss * above * (ALPHA.1 / below);
        epoch.estimate += grown / scale;
        epoch.estimate_rest = grown % scale;
    }

    /// What was not used does not count as time (§5.8).
    fn note_unused(&mut self, now: Instant) {
        let unused = now.since(self.used_at);
        if let Some(epoch) = &mut self.epoch {
            epoch.start += unused;
        }
        self.used_at = now;
    }
}

impl CongestionControl for Cubic {
    common_parts!(window);

    fn phase(&self) -> &'static str {
        match (self.window.in_slow_start(), self.region) {
            (true, _) if self.hystart.is_conservative() => "conservative slow start",
            (true, _) => "slow start",
            (false, Region::RenoFriendly) => "congestion avoidance, Reno-friendly",
            (false, Region::Concave) => "congestion avoidance, concave",
            (false, Region::Convex) => "congestion avoidance, convex",
        }
    }

    fn on_acknowledged(&mut self, ack: &Acknowledged) {
        // RFC 9406 §4.3: only in the first slow start. Later ones know where to end.
        let first = self.window.ssthresh == u64::MAX;
        if first && self.hystart.on_acknowledged(ack) {
            self.window.ssthresh = self.window.cwnd;
        }
        if !ack.cwnd_limited {
            return self.note_unused(ack.now);
        }
        self.used_at = ack.now;
        let mut bytes = ack.bytes;
        if self.window.in_slow_start() {
            bytes = self.window.slow_start(if first { self.hystart.growth(bytes) } else { bytes });
        }
        if bytes > 0 {
            self.avoid_congestion(ack, bytes);
        }
    }

    fn on_resumed(&mut self, now: Instant) {
        self.note_unused(now);
    }

    /// §4.6, and §4.7: a flow that has not got back to where it was gives way.
    fn reduced(&mut self, event: &Congested) -> u64 {
        let cwnd = self.window.cwnd;
        self.before = Some((self.epoch.take(), self.w_max, self.prior));
        self.hystart.finish();
        self.prior = cwnd;
        self.w_max = match event {
            Congested::TimedOut { .. } => 0,
            Congested::Lost { .. } | Congested::Marked { .. } if cwnd < self.w_max => {
                cwnd * (BETA.0 + BETA.1) / (2 * BETA.1)
            }
            Congested::Lost { .. } | Congested::Marked { .. } => cwnd,
        };
        cwnd * BETA.0 / BETA.1
    }

    /// §4.9: back on the curve as if nothing had happened.
    fn on_undo(&mut self, _now: Instant) {
        self.window.undo();
        if let Some((epoch, w_max, prior)) = self.before.take() {
            (self.epoch, self.w_max, self.prior) = (epoch, w_max, prior);
        }
    }
}
