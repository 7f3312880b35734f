//! The words in which TCP tells what it does.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::time::Instant;

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

/// The eleven states of RFC 9293 §3.3.2. `tcp::state` has the figure and the table of moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum TcpState {
    #[default]
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl TcpState {
    pub const ALL: [TcpState; 11] = [
        TcpState::Closed,
        TcpState::Listen,
        TcpState::SynSent,
        TcpState::SynReceived,
        TcpState::Established,
        TcpState::FinWait1,
        TcpState::FinWait2,
        TcpState::CloseWait,
        TcpState::Closing,
        TcpState::LastAck,
        TcpState::TimeWait,
    ];
}

/// As the RFC writes them: `SYN-SENT`.
impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TcpState::Closed => "CLOSED",
            TcpState::Listen => "LISTEN",
            TcpState::SynSent => "SYN-SENT",
            TcpState::SynReceived => "SYN-RECEIVED",
            TcpState::Established => "ESTABLISHED",
            TcpState::FinWait1 => "FIN-WAIT-1",
            TcpState::FinWait2 => "FIN-WAIT-2",
            TcpState::CloseWait => "CLOSE-WAIT",
            TcpState::Closing => "CLOSING",
            TcpState::LastAck => "LAST-ACK",
            TcpState::TimeWait => "TIME-WAIT",
        })
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

/// Why a segment was sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SendReason {
    Syn,
    /// Our RST has ended an old connection of the peer's (RFC 9293 §3.5.1).
    SynAfterReset,
    SynAck,
    /// The SYN queue is full: nothing is kept but what the SYN-ACK itself says (RFC 4987 §3.6).
    SynCookie,
    Data,
    Fin,
    /// The retransmission timer fired (RFC 6298 §5.4).
    RetransmitTimeout,
    /// The third duplicate acknowledgement (RFC 5681 §3.2).
    FastRetransmit,
    /// A partial acknowledgement named the next hole (RFC 6582 §3.2).
    PartialAck,
    /// Something that was sent later has arrived (RACK, RFC 8985 §6).
    SentLaterArrived,
    /// So much is sacked beyond it that it must be lost (RFC 6675 §4).
    SackedBeyond,
    /// Nothing came back for two round trips: the end of the flight goes once more, so that its acknowledgement tells
    /// what was lost (RFC 8985 §7).
    TailLossProbe,
    /// A smaller path MTU was reported: what was too large goes again in smaller pieces.
    SmallerMtu,
    ZeroWindowProbe,
    Keepalive,
    /// Every second full segment is acknowledged at once (RFC 9293 §3.8.6.3).
    SecondSegment,
    DelayedAck,
    /// The network has marked what came, or the peer says that it has reacted to that (RFC 3168 §6.1.3).
    CongestionEcho,
    OutOfOrderAck,
    DuplicateAck,
    FinAck,
    WindowUpdate,
    HandshakeAck,
    ChallengeAck,
    /// An acknowledgement that answers a segment outside the window (RFC 9293 §3.10.7.4).
    UnacceptableSegment,
    TimeWaitAck,
    /// The accept queue is full, and who connects is to know.
    AcceptQueueFull,
    /// The connection was aborted by its application.
    Abort,
    /// Answers a segment that belongs to no connection (RFC 9293 §3.10.7.1).
    NoConnection,
}

impl fmt::Display for SendReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendReason::Syn => "SYN",
            SendReason::SynAfterReset => "SYN again: a RST has ended the peer's old connection",
            SendReason::SynAck => "SYN-ACK",
            SendReason::SynCookie => "SYN-ACK with a cookie: the SYN queue is full",
            SendReason::Data => "data",
            SendReason::Fin => "FIN",
            SendReason::RetransmitTimeout => "retransmission: the timer ran out",
            SendReason::FastRetransmit => "fast retransmit: third duplicate ACK",
            SendReason::PartialAck => "retransmission: partial ACK names the next hole",
            SendReason::SentLaterArrived => "retransmission: what was sent later has arrived (RACK)",
            SendReason::SackedBeyond => "retransmission: enough is sacked beyond it (RFC 6675)",
            SendReason::TailLossProbe => "tail loss probe",
            SendReason::SmallerMtu => "retransmission: the path MTU is smaller",
            SendReason::ZeroWindowProbe => "zero-window probe",
            SendReason::Keepalive => "keepalive probe",
            SendReason::SecondSegment => "ACK: second full segment",
            SendReason::DelayedAck => "ACK: the delayed-ACK timer ran out",
            SendReason::CongestionEcho => "ACK at once: the network marks packets (ECN)",
            SendReason::OutOfOrderAck => "ACK at once: a hole in the data",
            SendReason::DuplicateAck => "ACK at once: data that had already come",
            SendReason::FinAck => "ACK of the peer's FIN",
            SendReason::WindowUpdate => "window update",
            SendReason::HandshakeAck => "ACK that completes the handshake",
            SendReason::ChallengeAck => "challenge ACK (RFC 5961)",
            SendReason::UnacceptableSegment => "ACK: the segment was outside the window",
            SendReason::TimeWaitAck => "ACK of a repeated FIN in TIME-WAIT",
            SendReason::AcceptQueueFull => "RST: the accept queue is full",
            SendReason::Abort => "RST: the application aborted",
            SendReason::NoConnection => "RST: no connection there",
        })
    }
}

/// Why a connection changed its state: RFC 9293's events, in its words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StateCause {
    PassiveOpen,
    ActiveOpen,
    SynReceived,
    SynAckReceived,
    AckOfSyn,
    Close,
    FinReceived,
    AckOfFin,
    TimeWaitOver,
    Abort,
    ResetReceived,
    GaveUp,
    /// A newer SYN took the place of a connection in TIME-WAIT (RFC 6191).
    NewIncarnation,
    /// There were too many in TIME-WAIT: the oldest went.
    Evicted,
}

impl fmt::Display for StateCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StateCause::PassiveOpen => "passive OPEN",
            StateCause::ActiveOpen => "active OPEN",
            StateCause::SynReceived => "rcv SYN",
            StateCause::SynAckReceived => "rcv SYN,ACK",
            StateCause::AckOfSyn => "rcv ACK of SYN",
            StateCause::Close => "CLOSE",
            StateCause::FinReceived => "rcv FIN",
            StateCause::AckOfFin => "rcv ACK of FIN",
            StateCause::TimeWaitOver => "2MSL are over",
            StateCause::Abort => "ABORT",
            StateCause::ResetReceived => "rcv RST",
            StateCause::GaveUp => "gave up",
            StateCause::NewIncarnation => "a new incarnation begins",
            StateCause::Evicted => "too many in TIME-WAIT",
        })
    }
}

/// Why the congestion window changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CwndCause {
    SlowStart,
    CongestionAvoidance,
    FastRetransmit,
    FastRecovery,
    RecoveryOver,
    /// The end of a flight was lost and its probe has repaired it (RFC 8985 §7.4).
    TailLoss,
    Timeout,
    /// The loss was none (RFC 4015).
    Undo,
    Idle,
    ApplicationLimited,
    Marked,
    /// The controller has a model of the path, from which the window follows (BBR).
    Model,
}

impl fmt::Display for CwndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CwndCause::SlowStart => "slow start",
            CwndCause::CongestionAvoidance => "congestion avoidance",
            CwndCause::FastRetransmit => "fast retransmit",
            CwndCause::FastRecovery => "fast recovery",
            CwndCause::RecoveryOver => "recovery over",
            CwndCause::TailLoss => "tail loss, repaired by its probe",
            CwndCause::Undo => "the loss was none: undo",
            CwndCause::Timeout => "retransmission timeout",
            CwndCause::Idle => "restart after idle",
            CwndCause::ApplicationLimited => "the application leaves it unused",
            CwndCause::Marked => "marked by the network (ECN)",
            CwndCause::Model => "the model of the path",
        })
    }
}

/// Where loss recovery stands; the names are Linux's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum CongestionState {
    /// Nothing is amiss.
    #[default]
    Open,
    /// Something is sacked, or acknowledged twice: loss or reordering, nobody knows yet.
    Disorder,
    /// The window is being reduced without a retransmission: ECN, or a tail loss that its probe repaired.
    Cwr,
    /// Fast recovery: what is lost goes again, as the acknowledgements allow.
    Recovery,
    /// After a retransmission timeout.
    Loss,
}

impl fmt::Display for CongestionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CongestionState::Open => "Open",
            CongestionState::Disorder => "Disorder",
            CongestionState::Cwr => "CWR",
            CongestionState::Recovery => "Recovery",
            CongestionState::Loss => "Loss",
        })
    }
}

/// What shows that nothing was lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SpuriousCause {
    /// The acknowledgement echoes a timestamp from before the first retransmission (Eifel, RFC 3522).
    Timestamp,
    /// Every retransmission arrived as a duplicate (D-SACK, RFC 3708).
    DuplicateSack,
    /// After the timeout something was acknowledged that was sent once (F-RTO, RFC 5682).
    ForwardRto,
}

impl fmt::Display for SpuriousCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpuriousCause::Timestamp => "a timestamp from before the retransmission comes back (Eifel)",
            SpuriousCause::DuplicateSack => "every retransmission arrived twice (D-SACK)",
            SpuriousCause::ForwardRto => "what was sent once is acknowledged (F-RTO)",
        })
    }
}

/// What becomes of the claim that a path takes only smaller packets (RFC 5927 §7.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MtuVerdict {
    /// No packet of ours was larger.
    TooLarge,
    /// No packet of ours that was larger has arrived.
    Believed,
    /// Larger ones have arrived: it waits for a timeout.
    PutAside,
    /// And there it was.
    BelievedLate,
    /// What it quotes has arrived.
    Refuted,
}

impl fmt::Display for MtuVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MtuVerdict::TooLarge => "not believed: nothing larger was sent",
            MtuVerdict::Believed => "believed: nothing larger has arrived yet",
            MtuVerdict::PutAside => "put aside: larger packets have arrived",
            MtuVerdict::BelievedLate => "believed after all: the segment has timed out",
            MtuVerdict::Refuted => "refuted: the segment has arrived",
        })
    }
}

/// What goes wrong with accurate feedback on a path (RFC 9768), and what follows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EcnTrouble {
    /// The peer's first segment had no AccECN option (§3.2.3.2.3).
    OptionAbsent,
    /// Its counters of bytes were zero, which they cannot be (§3.2.3.2.4).
    OptionZeroed,
    /// What we send with the option gets lost (§3.2.3.2.2).
    OptionBlocked,
    /// The bytes that were marked became more, and the packets did not (§3.2.3.2.5).
    Contradiction,
}

impl fmt::Display for EcnTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EcnTrouble::OptionAbsent => "the peer's first segment has no AccECN option: only packets are counted",
            EcnTrouble::OptionZeroed => "the AccECN option is set to zero on the way: it is not heard any more",
            EcnTrouble::OptionBlocked => "segments with the AccECN option get lost: it is not sent any more",
            EcnTrouble::Contradiction => "marked bytes but no marked packets: nothing of ours may be marked any more",
        })
    }
}

/// The timers of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TimerKind {
    /// RACK's: what was sent earlier than something that arrived has had its time (RFC 8985 §6.2, step 5).
    Reordering,
    /// Before the retransmission timer, so that it comes first when both are due (RFC 8985 §7.2).
    TailLossProbe,
    Retransmission,
    Persist,
    DelayedAck,
    Keepalive,
    UserTimeout,
    TimeWait,
    /// The override timeout of sender silly-window avoidance (RFC 9293 §3.8.6.2.1).
    SillyWindow,
    /// How long a connection that nobody holds any more waits for the peer's FIN.
    FinWait2,
    /// The next data may leave, at the rate that congestion control has set.
    Pacing,
}

impl fmt::Display for TimerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimerKind::Reordering => "reordering timer",
            TimerKind::TailLossProbe => "probe timer",
            TimerKind::Retransmission => "retransmission timer",
            TimerKind::Persist => "persist timer",
            TimerKind::DelayedAck => "delayed-ACK timer",
            TimerKind::Keepalive => "keepalive timer",
            TimerKind::UserTimeout => "user timeout",
            TimerKind::TimeWait => "TIME-WAIT timer",
            TimerKind::SillyWindow => "silly-window override timer",
            TimerKind::FinWait2 => "FIN-WAIT-2 timer",
            TimerKind::Pacing => "pacing timer",
        })
    }
}

/// What Fast Open did for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FastOpen {
    /// Our SYN asks for a cookie.
    Asked,
    /// Our SYN shows the cookie, with so much data behind it.
    Shown { bytes: usize },
    /// The server took so much of the data in our SYN.
    Acknowledged { bytes: usize },
    /// Our SYN,ACK carries a cookie: the peer had none, or one of another key.
    Offered,
    /// The peer's cookie is ours, and its SYN's data the application's.
    Taken { bytes: usize },
    /// The cookie is good, and there is no room for another opening with data.
    Full,
}

impl fmt::Display for FastOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FastOpen::Asked => f.write_str("the SYN asks for a cookie"),
            FastOpen::Shown { bytes } => write!(f, "the SYN shows the cookie and carries {bytes} bytes of data"),
            FastOpen::Acknowledged { bytes } => write!(f, "the server took {bytes} bytes of the SYN's data"),
            FastOpen::Offered => f.write_str("the SYN,ACK carries a cookie"),
            FastOpen::Taken { bytes } => write!(f, "the cookie is ours: {bytes} bytes of the SYN's data taken"),
            FastOpen::Full => f.write_str("the cookie is ours, but too many openings have data already"),
        }
    }
}

/// Why a connection ended and who ended it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CloseReason {
    /// Both sides sent FIN and both were acknowledged.
    Finished,
    /// Our application aborted, or closed with data unread.
    Aborted,
    /// The peer sent RST.
    ResetByPeer,
    /// The peer answered our SYN with RST.
    Refused,
    /// Retransmissions went unanswered too long (R2, or the user timeout).
    TimedOut,
    /// Keepalive probes went unanswered.
    KeepaliveTimedOut,
    /// An ICMP error says that the peer cannot be reached.
    Unreachable,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::Finished => "both sides finished",
            CloseReason::Aborted => "aborted by the application",
            CloseReason::ResetByPeer => "reset by the peer",
            CloseReason::Refused => "refused by the peer",
            CloseReason::TimedOut => "timed out: the peer does not acknowledge",
            CloseReason::KeepaliveTimedOut => "timed out: the peer does not answer keepalive probes",
            CloseReason::Unreachable => "unreachable: the network says so",
        })
    }
}
