//! No congestion control: a window that is always open. For a link that one has for oneself, and as the control of an
//! experiment.

use super::{Acknowledged, Congested, CongestionControl, Start, Window, common_parts};
use crate::tcp::fold::folded;
use crate::time::Instant;
use std::time::Duration;

/// More than fits into any window that a peer can offer (RFC 7323 §2.3).
const OPEN: u64 = 1 << 30;

#[derive(Clone, Debug)]
pub struct Unlimited {
    window: Window,
}

folded!(Unlimited { window });

impl Unlimited {
    pub fn new(start: &Start) -> Unlimited {
        let mut window = Window::new(start);
        window.cwnd = OPEN;
        Unlimited { window }
    }
}

impl CongestionControl for Unlimited {
    common_parts!(window);

    fn on_acknowledged(&mut self, _ack: &Acknowledged) {}

    fn reduced(&mut self, _event: &Congested) -> u64 {
        self.window.ssthresh
    }

    fn governs_recovery(&self) -> bool {
        true
    }

    fn phase(&self) -> &'static str {
        "open"
    }

    fn on_lost(&mut self, _now: Instant, _in_flight: u64) {}

    fn on_marked(&mut self, _now: Instant, _in_flight: u64) {}

    fn on_recovered(&mut self, _now: Instant) {}

    fn on_timeout(&mut self, _now: Instant, _in_flight: u64, _again: bool) {}

    fn on_undo(&mut self, _now: Instant) {}

    fn on_idle(&mut self, _now: Instant, _idle: Duration, _rto: Duration) {}

    fn on_application_limited(&mut self, _now: Instant, _used: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::congestion::testing::start;

    #[test]
    fn nothing_closes_the_window() {
        let mut none = Unlimited::new(&start());
        let now = Instant::ZERO;
        none.on_lost(now, 10_000);
        none.on_marked(now, 10_000);
        none.on_timeout(now, 10_000, false);
        none.on_recovered(now);
        none.on_idle(now, Duration::from_secs(9), Duration::from_secs(1));
        none.on_application_limited(now, 0);
        none.set_mss(500);
        assert_eq!((none.cwnd(), none.ssthresh()), (OPEN, u64::MAX));
    }
}
