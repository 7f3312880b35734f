//! The words in which TCP tells what it does.

mod congestion;
mod life;
mod path;
mod sending;

pub use congestion::{CongestionState, CwndCause, SpuriousCause};
pub use life::{CloseReason, FastOpen, StateCause, TcpState};
pub use path::{EcnTrouble, MtuVerdict};
pub use sending::{SendReason, TimerKind};

use crate::time::Instant;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What identifies a connection: the pair of sockets (RFC 9293 §3.3.1), ours first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FourTuple {
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

impl fmt::Display for FourTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <-> {}", self.local, self.remote)
    }
}

/// One thing that happened to a connection.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum TcpEvent {
    State {
        from: TcpState,
        to: TcpState,
        why: StateCause,
    },
    /// With what this connection holds the buffers of all take `taken` of `limit` bytes, so that memory is now this:
    /// "scarce".
    Memory {
        level: &'static str,
        taken: usize,
        limit: usize,
    },
    /// A cookie left with our SYN-ACK, or came back with the peer's ACK, and the options with it.
    SynCookie {
        sent: bool,
        mss: Option<u16>,
        window_scale: Option<u8>,
        sack: bool,
    },
    /// The options of a SYN: ours (`sent`) or the peer's.
    Synchronise {
        sent: bool,
        isn: u32,
        mss: Option<u16>,
        window_scale: Option<u8>,
        sack: bool,
        timestamps: bool,
    },
    /// A segment was built; the sequence number is the one on the wire, `len` the data in it.
    SegmentSent {
        seq: u32,
        len: usize,
        why: SendReason,
    },
    /// The peer acknowledged `bytes` more; so much is still in flight.
    Acknowledged {
        bytes: u64,
        in_flight: u64,
    },
    /// The same acknowledgement again, for the `count`th time (RFC 5681 §2).
    DuplicateAck {
        count: u32,
    },
    /// Data came in order: so much can be read now.
    Accepted {
        bytes: usize,
    },
    /// Data came past a hole, and waits for what is missing.
    OutOfOrder {
        bytes: usize,
        missing: u64,
    },
    /// Data that had already come.
    Duplicate {
        bytes: usize,
    },
    /// The peer's window moved, in bytes.
    PeerWindow {
        from: u64,
        to: u64,
    },
    /// The application reads fast: more bytes than before may wait for it.
    ReceiveBuffer {
        from: usize,
        to: usize,
    },
    /// Data in a SYN, and the cookie that allows it (RFC 7413).
    FastOpen {
        what: FastOpen,
    },
    RttSample {
        rtt: Duration,
        srtt: Duration,
        rttvar: Duration,
        rto: Duration,
    },
    /// A sample of how fast data arrives, in bytes a second: `delivered` bytes in `interval` (draft-ietf-ccwg-bbr §4.1).
    DeliveryRate {
        rate: u64,
        delivered: u64,
        interval: Duration,
        application_limited: bool,
    },
    /// SACK blocks told of bytes past a hole that are newly known to have arrived (RFC 2018).
    Sacked {
        bytes: u64,
    },
    /// So much is judged lost, `again` when retransmissions are among it.
    Lost {
        bytes: u64,
        again: bool,
    },
    /// A D-SACK: what was sent again, or copied by the network, had arrived before (RFC 2883).
    DuplicateSack {
        segments: u64,
    },
    /// Something arrived after what was sent later: so many segments late.
    Reordering {
        segments: u32,
    },
    /// The peer has thrown away what it had sacked (RFC 2018 §8).
    Reneged,
    /// Loss recovery moved from one state to another.
    Recovery {
        from: CongestionState,
        to: CongestionState,
    },
    /// Data came that the network has marked: congestion experienced (RFC 3168 §6.1.3).
    Marked,
    /// The peer says that so much of ours was marked (RFC 9768): packets, as its count has it or as far as that can be
    /// told, and bytes, `exact` when it has counted those too.
    MarksTold {
        packets: u32,
        bytes: u64,
        exact: bool,
    },
    /// Accurate feedback is not what it should be.
    EcnTrouble {
        what: EcnTrouble,
    },
    /// A loss was none: what had been sent first arrived after all, as this proves.
    Spurious {
        why: SpuriousCause,
    },
    Cwnd {
        from: u64,
        to: u64,
        ssthresh: u64,
        why: CwndCause,
    },
    /// Congestion control went from one of its phases to another, in its own words.
    CongestionPhase {
        from: &'static str,
        to: &'static str,
    },
    /// What the path loses however little is sent, as the controller judges by what it has seen, in thousandths.
    AmbientLoss {
        from: u32,
        to: u32,
    },
    TimerSet {
        timer: TimerKind,
        at: Instant,
    },
    TimerStopped {
        timer: TimerKind,
    },
    TimerFired {
        timer: TimerKind,
        count: u32,
    },
    /// A router is said to take only packets of `mtu` bytes (RFC 1191), and what we make of that (RFC 5927 §7.2).
    PathMtuClaim {
        mtu: usize,
        verdict: MtuVerdict,
    },
    /// An ICMP error reached the connection; a hard one ends it.
    IcmpError {
        meaning: &'static str,
        hard: bool,
    },
    /// The peer has signalled urgent data up to this distance ahead of what was read.
    Urgent {
        ahead: u64,
    },
    Closed {
        why: CloseReason,
    },
}
