//! What a controller is told.

use crate::time::{Instant, nanos, per_second};
use std::time::Duration;

/// What a controller begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Start {
    pub now: Instant,
    /// The largest segment, in bytes of data.
    pub mss: u64,
    /// RFC 6928, in bytes of data; one segment after a SYN was lost.
    pub initial_window: u64,
    /// The round trip that the handshake took, where it was measured.
    pub rtt: Option<Duration>,
    /// The peer tells what arrived past a hole: more than one loss of a round can be seen.
    pub sack: bool,
    /// The most segments by which one acknowledgement opens the window in slow start (RFC 3465 §2.3: L).
    pub slow_start_limit: Option<u32>,
    /// Whatever chance the controller needs begins here.
    pub seed: u64,
}

/// What an acknowledgement says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Acknowledged {
    pub now: Instant,
    /// Bytes newly known to have arrived, whether acknowledged or sacked.
    pub bytes: u64,
    /// Bytes judged lost since the last acknowledgement.
    pub lost: u64,
    /// Bytes delivered over the life of the connection, these included.
    pub delivered: u64,
    /// Of the delivered bytes those that the network had marked (RFC 3168: all of an acknowledgement with ECE).
    pub marked: u64,
    /// In flight before it came, and after.
    pub prior_in_flight: u64,
    pub in_flight: u64,
    /// Of the newest segment that it tells of.
    pub rtt: Option<Duration>,
    /// Smoothed, and the smallest one lately.
    pub srtt: Option<Duration>,
    pub min_rtt: Option<Duration>,
    /// A round trip is over: what was sent when the last one ended has arrived.
    pub round_starts: bool,
    /// The window, not the application or the peer, was what held us back.
    pub cwnd_limited: bool,
    /// Segments may leave together, in a super-frame, and then wait for each other.
    pub super_frames: bool,
    /// How fast data arrives, where that could be measured.
    pub rate: Option<RateSample>,
}

impl Acknowledged {
    /// One that says nothing.
    pub fn new(now: Instant) -> Acknowledged {
        Acknowledged {
            now,
            bytes: 0,
            lost: 0,
            delivered: 0,
            marked: 0,
            prior_in_flight: 0,
            in_flight: 0,
            rtt: None,
            srtt: None,
            min_rtt: None,
            round_starts: false,
            cwnd_limited: false,
            super_frames: false,
            rate: None,
        }
    }
}

/// A sample of the delivery rate (draft-ietf-ccwg-bbr §4.1): between the sending of a segment and its acknowledgement so
/// much was delivered.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RateSample {
    /// Bytes delivered over `interval`.
    pub delivered: u64,
    pub interval: Duration,
    /// Bytes delivered over the life of the connection when the segment was sent.
    pub prior_delivered: u64,
    /// Bytes judged lost meanwhile, and in flight when the segment was sent, itself included.
    pub lost: u64,
    pub sent_in_flight: u64,
    /// The application had nothing to send at some time in between: the path may be faster.
    pub application_limited: bool,
}

impl RateSample {
    /// Bytes a second.
    pub fn rate(&self) -> u64 {
        per_second(self.delivered, nanos(self.interval))
    }
}

/// A segment that was judged lost, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostSegment {
    pub now: Instant,
    pub len: u64,
    /// In flight when it was sent, itself included.
    pub sent_in_flight: u64,
    /// Judged lost since it was sent, itself included.
    pub lost: u64,
    /// Delivered over the life of the connection.
    pub delivered: u64,
    /// It was sent when the application had left a gap.
    pub application_limited: bool,
}

/// How the network was found to be congested; `in_flight` bytes were outstanding then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Congested {
    Lost {
        now: Instant,
        in_flight: u64,
    },
    /// ECN: nothing was lost.
    Marked {
        now: Instant,
        in_flight: u64,
    },
    TimedOut {
        now: Instant,
        in_flight: u64,
    },
}

impl Congested {
    pub fn now(&self) -> Instant {
        match *self {
            Congested::Lost { now, .. } | Congested::Marked { now, .. } | Congested::TimedOut { now, .. } => now,
        }
    }

    pub fn in_flight(&self) -> u64 {
        match *self {
            Congested::Lost { in_flight, .. }
            | Congested::Marked { in_flight, .. }
            | Congested::TimedOut { in_flight, .. } => in_flight,
        }
    }
}
