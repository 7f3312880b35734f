//! cwnd and ssthresh, and what happens to them under every controller alike.

use super::Start;
use crate::tcp::fold::folded;
use std::time::Duration;

/// The congestion window, in bytes of data.
#[derive(Clone, Debug)]
pub struct Window {
    pub mss: u64,
    /// The window of a connection that knows nothing of its path.
    pub initial: u64,
    pub cwnd: u64,
    pub ssthresh: u64,
    /// The most that one acknowledgement adds in slow start.
    growth: u64,
    /// Both as they were before the last reduction.
    before: Option<(u64, u64)>,
}

folded!(Window { mss, initial, cwnd, ssthresh, growth, before });

impl Window {
    pub fn new(start: &Start) -> Window {
        Window {
            mss: start.mss,
            initial: start.initial_window,
            cwnd: start.initial_window,
            ssthresh: u64::MAX,
            growth: start.slow_start_limit.map_or(u64::MAX, |segments| u64::from(segments).saturating_mul(start.mss)),
            before: None,
        }
    }

    pub fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    /// RFC 5681 §3.1, equation 2, in bytes (RFC 3465). Gives back what is left over when ssthresh is reached.
    pub fn slow_start(&mut self, bytes: u64) -> u64 {
        let cwnd = self.cwnd.saturating_add(bytes.min(self.growth)).min(self.ssthresh).max(self.cwnd);
        let used = cwnd - self.cwnd;
        self.cwnd = cwnd;
        if cwnd < self.ssthresh { 0 } else { bytes - used }
    }

    /// What can be in flight: segments are sent whole, and half of an odd number leaves a part of one unused.
    pub fn whole(&self) -> u64 {
        (self.cwnd - self.cwnd % self.mss).max(self.mss)
    }

    /// RFC 5681 §3.1, equation 4: half of what is in flight, at least two segments.
    pub fn half(&self, in_flight: u64) -> u64 {
        (in_flight / 2).max(2 * self.mss)
    }

    /// Congestion without a timeout: down to `ssthresh`.
    pub fn reduce(&mut self, ssthresh: u64) {
        self.before = Some((self.cwnd, self.ssthresh));
        self.ssthresh = ssthresh.max(2 * self.mss);
        self.cwnd = self.ssthresh;
    }

    /// A timeout: one segment, the loss window (RFC 5681 §3.1). `ssthresh` only for the first one of a loss.
    pub fn collapse(&mut self, ssthresh: Option<u64>) {
        if let Some(ssthresh) = ssthresh {
            self.before = Some((self.cwnd, self.ssthresh));
            self.ssthresh = ssthresh.max(2 * self.mss);
        }
        self.cwnd = self.mss;
    }

    /// The last reduction was for nothing. As Linux: neither becomes smaller than it is.
    pub fn undo(&mut self) {
        if let Some((cwnd, ssthresh)) = self.before.take() {
            self.cwnd = self.cwnd.max(cwnd);
            self.ssthresh = self.ssthresh.max(ssthresh);
        }
    }

    /// RFC 2861 §3.1: half for each timeout that passed without sending, down to the initial window, while ssthresh
    /// remembers what the path had carried. (RFC 5681 §4.1 allows as much; it goes to the initial window at once.)
    pub fn restart(&mut self, idle: Duration, rto: Duration) {
        let floor = self.initial.min(self.cwnd);
        self.remember();
        let mut left = idle.saturating_sub(rto);
        while !left.is_zero() && self.cwnd > floor {
            self.cwnd /= 2;
            left = left.saturating_sub(rto.max(Duration::from_millis(1)));
        }
        self.cwnd = self.cwnd.max(floor);
    }

    /// RFC 2861 §3.2 and RFC 7661 §4.4: a window that goes unused for a timeout comes half-way down to what was used.
    pub fn validate(&mut self, used: u64) {
        let used = used.max(self.initial);
        if used < self.cwnd {
            self.remember();
            self.cwnd = self.cwnd.midpoint(used);
        }
    }

    /// RFC 2861 §3: three quarters of the window that is about to shrink.
    fn remember(&mut self) {
        self.ssthresh = self.ssthresh.max(self.cwnd / 4 * 3);
    }

    pub fn set_mss(&mut self, mss: u64) {
        self.mss = mss;
        self.cwnd = self.cwnd.max(mss);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::congestion::testing::start;

    fn at(cwnd: u64, ssthresh: u64) -> Window {
        Window { cwnd, ssthresh, ..Window::new(&start()) }
    }

    #[test]
    fn slow_start_stops_at_ssthresh_and_gives_back_the_rest() {
        let table = [
            (10_000, u64::MAX, 3000, 13_000, 0),
            (10_000, 12_000, 3000, 12_000, 1000),
            (10_000, 13_000, 3000, 13_000, 0),
            (10_000, u64::MAX, 9000, 18_000, 0),
        ];
        for (cwnd, ssthresh, bytes, expected, left) in table {
            let mut window = at(cwnd, ssthresh);
            assert_eq!((window.slow_start(bytes), window.cwnd), (left, expected), "{cwnd} {ssthresh} {bytes}");
        }
    }

    #[test]
    fn each_idle_timeout_halves_the_window_down_to_the_initial_one() {
        let rto = Duration::from_millis(200);
        for (idle, expected) in [(201, 40_000), (401, 20_000), (601, 10_000), (60_000, 10_000)] {
            let mut window = at(80_000, u64::MAX - 1);
            window.restart(Duration::from_millis(idle), rto);
            assert_eq!(window.cwnd, expected, "{idle} ms");
        }
        let mut window = at(80_000, 20_000);
        window.restart(Duration::from_secs(1), rto);
        assert_eq!(window.ssthresh, 60_000, "three quarters are remembered");
        let mut small = at(3000, 20_000);
        small.restart(Duration::from_secs(1), rto);
        assert_eq!(small.cwnd, 3000, "a restart never opens the window");
        let mut none = at(80_000, 20_000);
        none.restart(Duration::from_secs(1), Duration::ZERO);
        assert_eq!(none.cwnd, 10_000);
    }

    #[test]
    fn an_unused_window_comes_half_way_down() {
        for (cwnd, used, expected) in [(40_000, 20_000, 30_000), (40_000, 1000, 25_000), (40_000, 50_000, 40_000)] {
            let mut window = at(cwnd, 20_000);
            window.validate(used);
            assert_eq!(window.cwnd, expected, "{cwnd} {used}");
        }
    }

    #[test]
    fn undo_gives_back_what_the_first_reduction_took() {
        let mut window = at(40_000, u64::MAX);
        window.collapse(Some(20_000));
        assert_eq!((window.cwnd, window.ssthresh), (1000, 20_000));
        window.collapse(None);
        window.undo();
        assert_eq!((window.cwnd, window.ssthresh), (40_000, u64::MAX));
        window.cwnd = 50_000;
        window.undo();
        assert_eq!(window.cwnd, 50_000, "once");
    }

    #[test]
    fn no_reduction_goes_below_two_segments() {
        let mut window = at(1000, 1000);
        window.reduce(0);
        assert_eq!((window.cwnd, window.ssthresh), (2000, 2000), "RFC 5681 §3.1");
    }
}
