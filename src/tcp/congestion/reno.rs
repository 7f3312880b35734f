//! Reno: slow start and congestion avoidance (RFC 5681), with the window halved once for each loss event (RFC 6582).

use super::{Acknowledged, CongestionControl};
use crate::time::Instant;

#[derive(Clone, Debug)]
pub struct Reno {
    mss: u64,
    initial_window: u64,
    cwnd: u64,
    ssthresh: u64,
    /// Bytes acknowledged in congestion avoidance since the window last grew (RFC 5681 §3.1, from RFC 3465).
    counted: u64,
}

impl Reno {
    /// Both in bytes of data.
    pub fn new(mss: u64, initial_window: u64) -> Reno {
        Reno { mss, initial_window, cwnd: initial_window, ssthresh: u64::MAX, counted: 0 }
    }

    /// RFC 5681 §3.1, equation 4: half of what is in flight, at least two segments.
    fn half(&self, in_flight: u64) -> u64 {
        (in_flight / 2).max(2 * self.mss)
    }
}

impl CongestionControl for Reno {
    fn name(&self) -> &'static str {
        "reno"
    }

    fn cwnd(&self) -> u64 {
        self.cwnd
    }

    fn ssthresh(&self) -> u64 {
        self.ssthresh
    }

    fn on_acknowledged(&mut self, fact: &Acknowledged) {
        // RFC 7661 §4.1: a window that the application does not use is not shown to be sustainable.
        if !fact.cwnd_limited {
            return;
        }
        if self.cwnd < self.ssthresh {
            // RFC 5681 §3.1, equation 2, with the byte counting of RFC 3465 §2.3 (L = 2).
            self.cwnd += fact.bytes.min(2 * self.mss);
        } else {
            self.counted += fact.bytes;
            if self.counted >= self.cwnd {
                self.counted -= self.cwnd;
                self.cwnd += self.mss;
            }
        }
    }

    fn on_lost(&mut self, _now: Instant, in_flight: u64) {
        self.ssthresh = self.half(in_flight);
        self.cwnd = self.ssthresh;
        self.counted = 0;
    }

    fn on_recovered(&mut self, _now: Instant) {
        self.cwnd = self.ssthresh;
        self.counted = 0;
    }

    fn on_timeout(&mut self, _now: Instant, in_flight: u64, again: bool) {
        // RFC 5681 §3.1: ssthresh is held when the same segment times out again.
        if !again {
            self.ssthresh = self.half(in_flight);
        }
        self.cwnd = self.mss;
        self.counted = 0;
    }

    fn on_idle(&mut self, _now: Instant) {
        self.cwnd = self.cwnd.min(self.initial_window);
    }

    fn set_mss(&mut self, mss: u64) {
        self.mss = mss;
        self.cwnd = self.cwnd.max(mss);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(bytes: u64) -> Acknowledged {
        Acknowledged { now: Instant::ZERO, bytes, in_flight: 0, rtt: None, cwnd_limited: true }
    }

    #[test]
    fn slow_start_doubles_and_avoidance_adds_one_segment_a_round() {
        let mut reno = Reno::new(1000, 10_000);
        (0..10).for_each(|_| reno.on_acknowledged(&acknowledged(1000)));
        assert_eq!(reno.cwnd(), 20_000);
        reno.on_lost(Instant::ZERO, 20_000);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (10_000, 10_000));
        (0..10).for_each(|_| reno.on_acknowledged(&acknowledged(1000)));
        assert_eq!(reno.cwnd(), 11_000);
    }

    #[test]
    fn timeout_leaves_one_segment_and_holds_ssthresh_the_second_time() {
        let mut reno = Reno::new(1000, 10_000);
        reno.on_timeout(Instant::ZERO, 10_000, false);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (1000, 5000));
        reno.on_timeout(Instant::ZERO, 1000, true);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (1000, 5000));
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut reno = Reno::new(1000, 10_000);
        reno.on_acknowledged(&Acknowledged { cwnd_limited: false, ..acknowledged(1000) });
        assert_eq!(reno.cwnd(), 10_000);
    }
}
