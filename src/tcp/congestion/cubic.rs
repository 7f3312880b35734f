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

use super::hystart::HyStart;
use super::{Acknowledged, Congested, CongestionControl, Start, Window};
use crate::tcp::fold::{Fold, Folder, Unfolder, folded};
use crate::time::Instant;
use std::time::Duration;

/// C = 0.4 (RFC 9438 §5.1), as a fraction.
const C: (u128, u128) = (2, 5);
/// beta_cubic = 0.7 (§4.6).
const BETA: (u64, u64) = (7, 10);
/// alpha_cubic = 3 (1 - beta) / (1 + beta) (§4.3): growth as fast as Reno's, with a smaller decrease.
const ALPHA: (u64, u64) = (9, 17);
/// (µs in a second)^3.
const CUBIC_SECOND: u128 = 1_000_000_000_000_000_000;
/// The curve is not followed further than this from K, in µs: there it is far beyond what one step may add.
const FAR: u64 = 1_000_000_000;

/// A stage of congestion avoidance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Epoch {
    /// When it began; time in which the application left the window unused does not count (§5.8), so it moves on.
    start: Instant,
    /// The window that the curve levels out at, and when it does, in µs.
    origin: u64,
    k: u64,
    /// What Reno's window would be (§4.3), and the parts of it that are less than a byte.
    estimate: u64,
    estimate_rest: u64,
}

folded!(Epoch { start, origin, k, estimate, estimate_rest });

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
        // K = cubic root of (W_max - cwnd_epoch) / C, with the windows in segments.
        let cube = u128::from(below) * C.1 * CUBIC_SECOND / (C.0 * u128::from(self.window.mss));
        self.w_max = self.w_max.max(cwnd);
        Epoch { start: now, origin: self.w_max, k: cubic_root(cube), estimate: cwnd, estimate_rest: 0 }
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
    fn window(&self) -> &Window {
        &self.window
    }

    fn window_mut(&mut self) -> &mut Window {
        &mut self.window
    }

    fn fold(&self, to: &mut Folder) -> bool {
        Fold::fold(self, to);
        true
    }

    fn unfold(&mut self, from: &mut Unfolder<'_>) {
        *self = Fold::unfold(from);
    }

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

impl Epoch {
    /// In µs.
    fn elapsed(&self, now: Instant) -> u64 {
        micros(now.since(self.start))
    }

    /// W_cubic(t) in bytes.
    fn curve(&self, t: u64, mss: u64) -> u64 {
        let distance = u128::from(t.abs_diff(self.k).min(FAR));
        let away = C.0 * distance * distance * distance * u128::from(mss) / (C.1 * CUBIC_SECOND);
        let away = u64::try_from(away).unwrap_or(u64::MAX);
        if t < self.k { self.origin.saturating_sub(away) } else { self.origin.saturating_add(away) }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// The largest number whose cube is at most `x`.
fn cubic_root(x: u128) -> u64 {
    let mut root = 0u128;
    for bit in (0..42).rev() {
        let larger = root | 1 << bit;
        if larger * larger * larger <= x {
            root = larger;
        }
    }
    root as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::congestion::testing::{acknowledged, start};

    const MSS: u64 = 1000;

    fn cubic(cwnd: u64) -> Cubic {
        let mut cubic = Cubic::new(&start());
        cubic.window.cwnd = cwnd * MSS;
        cubic
    }

    fn lose(cubic: &mut Cubic, now: Instant) {
        cubic.on_lost(now, cubic.cwnd());
    }

    /// Full windows, acknowledged segment by segment, each `rtt` milliseconds; the window in segments at each second.
    fn run(cubic: &mut Cubic, from: u64, seconds: u64, rtt: u64) -> Vec<u64> {
        let mut seen = Vec::new();
        for second in 0..seconds {
            for round in 0..1000 / rtt {
                let at = (from + second) * 1000 + round * rtt;
                let segments = cubic.cwnd() / MSS;
                for n in 0..segments {
                    let now = Instant::from_micros(at * 1000 + n * rtt * 1000 / segments);
                    let srtt = Some(Duration::from_millis(rtt));
                    cubic.on_acknowledged(&Acknowledged { now, srtt, ..acknowledged(MSS) });
                }
            }
            seen.push(cubic.cwnd() / MSS);
        }
        seen
    }

    #[test]
    fn cubic_roots() {
        for x in [0, 1, 2, 3, 10, 99, 4217, 1_000_000, 10_000_000_000] {
            let cube = u128::from(x) * u128::from(x) * u128::from(x);
            assert_eq!(cubic_root(cube), x);
            assert_eq!(cubic_root(cube + 1), if x == 0 { 1 } else { x });
        }
    }

    /// The window of RFC 9438 §4.2, in floating point.
    fn curve(w_max: f64, cwnd: f64, t: f64) -> f64 {
        let k = ((w_max - cwnd) / 0.4).cbrt();
        0.4 * (t - k).powi(3) + w_max
    }

    #[test]
    fn after_a_loss_the_window_follows_the_curve() {
        let mut cubic = cubic(1000);
        lose(&mut cubic, Instant::ZERO);
        assert_eq!((cubic.cwnd(), cubic.ssthresh()), (700 * MSS, 700 * MSS), "RFC 9438 §4.6");
        // A long round trip: Reno would be far behind.
        let windows = run(&mut cubic, 0, 14, 100);
        for (second, window) in windows.iter().enumerate() {
            let expected = curve(1000.0, 700.0, second as f64 + 1.1);
            assert!((*window as f64 - expected).abs() < 0.02 * expected, "{second}: {window}, not {expected}");
        }
        // K = cbrt(300 / 0.4) = 9.09 s: up to there concave, then convex.
        assert!(windows[6] < 1000 && windows[13] > 1000, "{windows:?}");
        assert_eq!(cubic.region, Region::Convex);
    }

    #[test]
    fn a_short_path_is_left_to_reno() {
        let mut cubic = cubic(20);
        lose(&mut cubic, Instant::ZERO);
        let windows = run(&mut cubic, 0, 1, 10);
        // 14 segments, alpha = 9/17 a round up to 20 (11.3 rounds), then one: 14 + 6 + 88.
        assert!((105..=110).contains(&windows[0]), "{windows:?}");
        assert_eq!(cubic.region, Region::RenoFriendly);
    }

    #[test]
    fn a_flow_that_lost_ground_gives_way() {
        let mut cubic = cubic(100);
        lose(&mut cubic, Instant::ZERO);
        assert_eq!(cubic.w_max, 100 * MSS);
        lose(&mut cubic, Instant::from_secs(1));
        assert_eq!(cubic.w_max, 59_500, "RFC 9438 §4.7: 70 x 1.7 / 2 segments");
    }

    #[test]
    fn a_needless_reduction_is_taken_back_with_the_curve() {
        let mut cubic = cubic(100);
        lose(&mut cubic, Instant::ZERO);
        run(&mut cubic, 0, 2, 100);
        let (cwnd, epoch, w_max) = (cubic.cwnd(), cubic.epoch, cubic.w_max);
        for timeout in [false, true] {
            let now = Instant::from_secs(2);
            if timeout {
                cubic.on_timeout(now, cwnd, false);
                assert_eq!((cubic.cwnd(), cubic.ssthresh()), (MSS, cwnd * 7 / 10));
            } else {
                lose(&mut cubic, now);
            }
            cubic.on_undo(now);
            assert_eq!((cubic.cwnd(), cubic.epoch, cubic.w_max), (cwnd, epoch, w_max), "RFC 9438 §4.9");
        }
    }

    #[test]
    fn after_a_timeout_the_curve_begins_at_its_top() {
        let mut cubic = cubic(100);
        cubic.on_timeout(Instant::ZERO, 100 * MSS, false);
        assert_eq!((cubic.cwnd(), cubic.ssthresh()), (MSS, 70 * MSS));
        run(&mut cubic, 0, 1, 100);
        let epoch = cubic.epoch.expect("congestion avoidance has begun");
        assert_eq!((epoch.k, epoch.origin), (0, 70 * MSS), "RFC 9438 §4.8");
    }

    #[test]
    fn time_that_was_not_used_does_not_count() {
        let mut cubic = cubic(1000);
        lose(&mut cubic, Instant::ZERO);
        let used = run(&mut cubic, 0, 3, 100);
        // Ten seconds of a trickle, and ten of nothing at all.
        for second in 3..13 {
            let now = Instant::from_secs(second);
            cubic.on_acknowledged(&Acknowledged { now, cwnd_limited: false, ..acknowledged(MSS) });
        }
        cubic.on_resumed(Instant::from_secs(23));
        let mut other = cubic.clone();
        other.epoch = other.epoch.map(|epoch| Epoch { start: epoch.start - Duration::from_secs(20), ..epoch });
        let (resumed, without) = (run(&mut cubic, 23, 1, 100), run(&mut other, 23, 1, 100));
        assert!(resumed[0] < used[2] + 60 && without[0] > 1200, "{used:?} {resumed:?} {without:?}");
    }

    #[test]
    fn slow_start_ends_when_round_trips_grow() {
        let mut cubic = cubic(10);
        let mut seen = Vec::new();
        for round in 0..12 {
            let rtt = Some(Duration::from_millis(if cubic.cwnd() > 100 * MSS { 130 } else { 100 }));
            for n in 0..cubic.cwnd() / MSS {
                let now = Instant::from_millis(round * 100);
                cubic.on_acknowledged(&Acknowledged { now, rtt, round_starts: n == 0, ..acknowledged(MSS) });
            }
            seen.push((cubic.cwnd() / MSS, cubic.phase()));
        }
        assert_eq!(seen[3], (160, "slow start"));
        assert_eq!(seen[4].1, "conservative slow start");
        assert!(cubic.ssthresh() < 700 * MSS && !cubic.window.in_slow_start(), "{seen:?}");
        assert_eq!(seen.iter().filter(|(_, phase)| *phase == "conservative slow start").count(), 5, "{seen:?}");
    }

    #[test]
    fn no_figures_overflow() {
        let mut cubic = Cubic::new(&Start { mss: 1, ..start() });
        cubic.window.cwnd = 1 << 40;
        lose(&mut cubic, Instant::ZERO);
        for seconds in [0, 1, 1000, 1_000_000, 10_000_000_000] {
            let (now, srtt) = (Instant::from_secs(seconds), Some(Duration::from_secs(100)));
            cubic.on_acknowledged(&Acknowledged { now, srtt, ..acknowledged(1 << 30) });
        }
        assert!(cubic.cwnd() >= 7 << 36);
    }
}
