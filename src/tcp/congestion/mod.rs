//! Congestion control: how much may be in flight, and how fast (RFC 9293 §3.8.2, MUST-19, MAY-18).
//!
//! A controller hears facts (acknowledged, lost, marked, timed out, idle) and answers with a window and, if it paces, a
//! rate. It sees no connection and no sequence number; *what* is lost is [`recovery`](super)'s business, and so is how
//! the window is approached during a recovery (PRR), unless the controller says that it governs that too.
//!
//! | file | idea | source |
//! |---|---|---|
//! | `facts` | what a controller is told | |
//! | `window` | cwnd and ssthresh, and what happens to them under every controller | RFC 5681, 2861, 7661 |
//! | `algorithm` | the controllers by name | |
//! | `none`, `reno` | no control; slow start, congestion avoidance, halving | RFC 5681, 6582 |
//! | `dctcp` | as many marks, as much less | RFC 8257 |
//! | `bbr` | a model of the path: rate and round trip | draft-ietf-ccwg-bbr |
//! | `cubic`, `hystart` | a window that grows with time; when to leave slow start | RFC 9438, 9406 |
//!
//! Adding a controller is one file here and one line in `algorithm`; a program can bring its own without either: an
//! [`Algorithm`] is a value.

mod algorithm;
mod bbr;
mod cubic;
mod dctcp;
mod facts;
mod hystart;
mod none;
mod reno;
mod window;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use bbr::Bbr;
pub use cubic::Cubic;
pub use dctcp::Dctcp;
pub use facts::{Acknowledged, Congested, LostSegment, RateSample, Start};
pub use none::Unlimited;
pub use reno::Reno;
pub use window::Window;

use super::fold::{Folder, Unfolder};
use crate::time::Instant;
use std::fmt::Debug;
use std::time::Duration;

/// The seam behind which all congestion control stands.
///
/// What a controller must do: keep a [`Window`], say how it grows, and say how far it shrinks. Everything else has a
/// default that is right for controllers that are steered by their window.
pub trait CongestionControl: Send + Debug {
    fn window(&self) -> &Window;

    fn window_mut(&mut self) -> &mut Window;

    /// New data was acknowledged outside of loss recovery: the window may grow.
    fn on_acknowledged(&mut self, ack: &Acknowledged);

    /// The new ssthresh, in bytes, when the network is congested. Asked once for each event of congestion.
    fn reduced(&mut self, event: &Congested) -> u64;

    /// How many bytes may be in flight.
    fn cwnd(&self) -> u64 {
        self.window().cwnd
    }

    /// Below it slow start, above it congestion avoidance; `u64::MAX` before the first loss.
    fn ssthresh(&self) -> u64 {
        self.window().ssthresh
    }

    /// Bytes a second to spread transmissions by; none to leave that to the acknowledgements.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// What it sends now is less than the path takes, on purpose: samples of the rate are to be marked.
    fn holds_rate_down(&self) -> bool {
        false
    }

    /// It must know of each mark: our side echoes those that come in the same way (RFC 8257 §3.2), and not until a CWR.
    fn wants_each_mark(&self) -> bool {
        false
    }

    /// The controller sets its own window during loss recovery, where others are led to ssthresh by what is delivered.
    fn governs_recovery(&self) -> bool {
        false
    }

    /// Where the controller stands, in a word or two, for those who look on.
    fn phase(&self) -> &'static str {
        if self.cwnd() < self.ssthresh() { "slow start" } else { "congestion avoidance" }
    }

    /// What the path loses however little is sent, in thousandths, as far as the controller tells that from congestion.
    fn ambient_loss(&self) -> u32 {
        0
    }

    /// An acknowledgement came that told of anything, during recovery too; `on_acknowledged` may follow for the same.
    fn on_delivered(&mut self, _ack: &Acknowledged) {}

    /// A segment was judged lost; told for each, before the acknowledgement or the timeout that showed it.
    fn on_segment_lost(&mut self, _lost: &LostSegment) {}

    /// Data begins to flow after a pause in which nothing was in flight.
    fn on_resumed(&mut self, _now: Instant) {}

    /// Loss was noticed by acknowledgements: fast recovery begins. `in_flight` is what was then outstanding, in bytes.
    fn on_lost(&mut self, now: Instant, in_flight: u64) {
        let ssthresh = self.reduced(&Congested::Lost { now, in_flight });
        self.window_mut().reduce(ssthresh);
    }

    /// The peer says that the network has marked packets (RFC 3168 §6.1.2); told once for each window of data.
    fn on_marked(&mut self, now: Instant, in_flight: u64) {
        let ssthresh = self.reduced(&Congested::Marked { now, in_flight });
        self.window_mut().reduce(ssthresh);
    }

    /// All that was in flight when recovery began has been acknowledged.
    fn on_recovered(&mut self, _now: Instant) {
        let window = self.window_mut();
        window.cwnd = window.ssthresh;
    }

    /// The same after a timeout, from which the window has been growing all the while.
    fn on_repaired(&mut self, _now: Instant) {}

    /// The retransmission timer fired; `again` when this loss has already been reacted to.
    fn on_timeout(&mut self, now: Instant, in_flight: u64, again: bool) {
        // RFC 5681 §3.1: ssthresh is held when the same segment times out again.
        let ssthresh = (!again).then(|| self.reduced(&Congested::TimedOut { now, in_flight }));
        self.window_mut().collapse(ssthresh);
    }

    /// The last reduction was for a loss that was none: what it took comes back.
    fn on_undo(&mut self, _now: Instant) {
        self.window_mut().undo();
    }

    /// Nothing was sent for `idle`, which is longer than a retransmission timeout (RFC 5681 §4.1).
    fn on_idle(&mut self, _now: Instant, idle: Duration, rto: Duration) {
        self.window_mut().restart(idle, rto);
    }

    /// For a retransmission timeout no more than `used` bytes were in flight, because the application had no more.
    fn on_application_limited(&mut self, _now: Instant, used: u64) {
        self.window_mut().validate(used);
    }

    /// The largest segment changed, in bytes of data.
    fn set_mss(&mut self, mss: u64) {
        self.window_mut().set_mss(mss);
    }

    /// The connection rests: writes down all that the controller knows; false when it cannot, and then the connection
    /// stays as it is.
    fn fold(&self, _to: &mut Folder) -> bool {
        false
    }

    /// Takes the place of a controller that was written down, before anything else is asked of this one.
    fn unfold(&mut self, _from: &mut Unfolder<'_>) {}
}

/// What the controllers here say in the same words: where their window is, and that they are written down field by field.
macro_rules! common_parts {
    ($($window:ident).+) => {
        fn window(&self) -> &$crate::tcp::congestion::Window {
            &self.$($window).+
        }

        fn window_mut(&mut self) -> &mut $crate::tcp::congestion::Window {
            &mut self.$($window).+
        }

        fn fold(&self, to: &mut $crate::tcp::fold::Folder) -> bool {
            $crate::tcp::fold::Fold::fold(self, to);
            true
        }

        fn unfold(&mut self, from: &mut $crate::tcp::fold::Unfolder<'_>) {
            *self = $crate::tcp::fold::Fold::unfold(from);
        }
    };
}
use common_parts;

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Segments of a thousand bytes, and ten of them to begin with.
    pub fn start() -> Start {
        Start {
            now: Instant::ZERO,
            mss: 1000,
            initial_window: 10_000,
            rtt: None,
            sack: true,
            slow_start_limit: Some(8),
            seed: 1,
        }
    }

    /// An acknowledgement that uses the whole window.
    pub fn acknowledged(bytes: u64) -> Acknowledged {
        Acknowledged { bytes, cwnd_limited: true, ..Acknowledged::new(Instant::ZERO) }
    }
}
