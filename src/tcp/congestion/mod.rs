//! Congestion control: how much may be in flight, and how fast.
//!
//! A controller is told facts (sent, acknowledged, lost, timed out) and answers with a window and, if it paces, a
//! rate. It sees no connection and no sequence number; *what* is lost is [`recovery`](super)'s business. Adding a
//! controller is one file here and one line in [`by_name`].

mod reno;

pub use reno::Reno;

use crate::time::Instant;
use std::fmt::Debug;
use std::time::Duration;

/// The controllers that there are.
pub const NAMES: &[&str] = &["reno"];

/// The same for an error message.
pub const NAMES_TEXT: &str = "reno";

/// The seam behind which all congestion control stands.
pub trait CongestionControl: Send + Debug {
    fn name(&self) -> &'static str;

    /// How many bytes may be in flight.
    fn cwnd(&self) -> u64;

    /// Below it slow start, above it congestion avoidance; `u64::MAX` before the first loss.
    fn ssthresh(&self) -> u64;

    /// Bytes a second to spread transmissions by; none to leave that to the acknowledgements.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// New data was acknowledged outside of loss recovery.
    fn on_acknowledged(&mut self, fact: &Acknowledged);

    /// Loss was noticed by duplicate acknowledgements: recovery begins.
    fn on_lost(&mut self, now: Instant, in_flight: u64);

    /// All that was in flight when recovery began has been acknowledged.
    fn on_recovered(&mut self, now: Instant);

    /// The retransmission timer fired; `again` when it had already fired for the same data.
    fn on_timeout(&mut self, now: Instant, in_flight: u64, again: bool);

    /// Nothing was sent for longer than a retransmission timeout (RFC 5681 §4.1).
    fn on_idle(&mut self, now: Instant);

    /// The largest segment changed, in bytes of data.
    fn set_mss(&mut self, mss: u64);
}

/// What an acknowledgement says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acknowledged {
    pub now: Instant,
    /// Bytes newly acknowledged.
    pub bytes: u64,
    /// In flight before it came.
    pub in_flight: u64,
    pub rtt: Option<Duration>,
    /// The window, not the application or the peer, was what held us back.
    pub cwnd_limited: bool,
}

/// A new controller, or none when there is none of that name. `mss` and `initial_window` in bytes of data.
pub fn by_name(name: &str, mss: u64, initial_window: u64) -> Option<Box<dyn CongestionControl>> {
    match name {
        "reno" => Some(Box::new(Reno::new(mss, initial_window))),
        _ => None,
    }
}
