//! How a connection begins, which states it goes through, and how it ends.

use std::fmt;

words! {
    /// The eleven states of RFC 9293 §3.3.2, in its words. `tcp::state` has the figure and the table of moves.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
    pub enum TcpState {
        #[default]
        Closed => "CLOSED",
        Listen => "LISTEN",
        SynSent => "SYN-SENT",
        SynReceived => "SYN-RECEIVED",
        Established => "ESTABLISHED",
        FinWait1 => "FIN-WAIT-1",
        FinWait2 => "FIN-WAIT-2",
        CloseWait => "CLOSE-WAIT",
        Closing => "CLOSING",
        LastAck => "LAST-ACK",
        TimeWait => "TIME-WAIT",
    }
}

words! {
    /// Why a connection changed its state: RFC 9293's events, in its words.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum StateCause {
        PassiveOpen => "passive OPEN",
        ActiveOpen => "active OPEN",
        SynReceived => "rcv SYN",
        SynAckReceived => "rcv SYN,ACK",
        AckOfSyn => "rcv ACK of SYN",
        Close => "CLOSE",
        FinReceived => "rcv FIN",
        AckOfFin => "rcv ACK of FIN",
        TimeWaitOver => "2MSL are over",
        Abort => "ABORT",
        ResetReceived => "rcv RST",
        GaveUp => "gave up",
        /// A newer SYN took the place of a connection in TIME-WAIT (RFC 6191).
        NewIncarnation => "a new incarnation begins",
        /// There were too many in TIME-WAIT: the oldest went.
        Evicted => "too many in TIME-WAIT",
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

words! {
    /// Why a connection ended and who ended it.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum CloseReason {
        /// Both sides sent FIN and both were acknowledged.
        Finished => "both sides finished",
        /// Our application aborted, or closed with data unread.
        Aborted => "aborted by the application",
        /// The peer sent RST.
        ResetByPeer => "reset by the peer",
        /// The peer answered our SYN with RST.
        Refused => "refused by the peer",
        /// Retransmissions went unanswered too long (R2, or the user timeout).
        TimedOut => "timed out: the peer does not acknowledge",
        /// Keepalive probes went unanswered.
        KeepaliveTimedOut => "timed out: the peer does not answer keepalive probes",
        /// An ICMP error says that the peer cannot be reached.
        Unreachable => "unreachable: the network says so",
    }
}
