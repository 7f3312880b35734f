//! Reno: slow start and congestion avoidance (RFC 5681), with the window halved once for each loss event (RFC 6582).

use super::{Acknowledged, Congested, CongestionControl, Start, Window, common_parts};
use crate::tcp::fold::folded;

#[derive(Clone, Debug)]
pub struct Reno {
    pub(super) window: Window,
    /// Bytes acknowledged in congestion avoidance since the window last grew (RFC 5681 §3.1, from RFC 3465).
    counted: u64,
}

folded!(Reno { window, counted });

impl Reno {
    pub fn new(start: &Start) -> Reno {
        Reno { window: Window::new(start), counted: 0 }
    }

    /// RFC 5681 §3.1: one segment for each window of data.
    fn avoid_congestion(&mut self, bytes: u64) {
        self.counted += bytes;
        let whole = self.window.whole();
        if self.counted >= whole {
            self.counted -= whole;
            self.window.cwnd += self.window.mss;
        }
    }
}

impl CongestionControl for Reno {
    common_parts!(window);

    fn on_acknowledged(&mut self, ack: &Acknowledged) {
        // RFC 7661 §4.1: a window that the application does not use is not shown to be sustainable.
        if !ack.cwnd_limited {
            return;
        }
        let mut bytes = ack.bytes;
        if self.window.in_slow_start() {
            bytes = self.window.slow_start(bytes);
        }
        if bytes > 0 {
            self.avoid_congestion(bytes);
        }
    }

    fn reduced(&mut self, event: &Congested) -> u64 {
        self.counted = 0;
        self.window.half(event.in_flight())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::congestion::testing::{acknowledged, start};
    use crate::time::Instant;

    #[test]
    fn slow_start_doubles_and_avoidance_adds_one_segment_a_round() {
        let mut reno = Reno::new(&start());
        (0..10).for_each(|_| reno.on_acknowledged(&acknowledged(1000)));
        assert_eq!(reno.cwnd(), 20_000);
        reno.on_lost(Instant::ZERO, 20_000);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (10_000, 10_000));
        (0..10).for_each(|_| reno.on_acknowledged(&acknowledged(1000)));
        assert_eq!(reno.cwnd(), 11_000);
    }

    #[test]
    fn a_part_of_a_segment_does_not_make_the_window_grow_more_slowly() {
        let mut reno = Reno::new(&start());
        reno.on_lost(Instant::ZERO, 11_000);
        assert_eq!(reno.cwnd(), 5500);
        // Five segments are in flight in each round.
        (0..5).for_each(|_| reno.on_acknowledged(&acknowledged(1000)));
        assert_eq!(reno.cwnd(), 6500);
        (0..6).for_each(|_| reno.on_acknowledged(&acknowledged(1000)));
        assert_eq!(reno.cwnd(), 7500);
    }

    #[test]
    fn timeout_leaves_one_segment_and_holds_ssthresh_the_second_time() {
        let mut reno = Reno::new(&start());
        reno.on_timeout(Instant::ZERO, 10_000, false);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (1000, 5000));
        reno.on_timeout(Instant::ZERO, 1000, true);
        assert_eq!((reno.cwnd(), reno.ssthresh()), (1000, 5000));
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut reno = Reno::new(&start());
        reno.on_acknowledged(&Acknowledged { cwnd_limited: false, ..acknowledged(1000) });
        assert_eq!(reno.cwnd(), 10_000);
    }

    #[test]
    fn what_is_left_of_slow_start_counts_in_avoidance() {
        let mut reno = Reno::new(&start());
        reno.window.ssthresh = 12_000;
        reno.on_acknowledged(&acknowledged(8000));
        assert_eq!((reno.cwnd(), reno.counted), (12_000, 6000));
        reno.on_acknowledged(&acknowledged(6000));
        assert_eq!((reno.cwnd(), reno.counted), (13_000, 0));
    }
}
