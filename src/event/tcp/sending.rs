//! Why a segment leaves, and which timers see to that.

words! {
    /// Why a segment was sent.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum SendReason {
        Syn => "SYN",
        /// Our RST has ended an old connection of the peer's (RFC 9293 §3.5.1).
        SynAfterReset => "SYN again: a RST has ended the peer's old connection",
        SynAck => "SYN-ACK",
        /// The SYN queue is full: nothing is kept but what the SYN-ACK itself says (RFC 4987 §3.6).
        SynCookie => "SYN-ACK with a cookie: the SYN queue is full",
        Data => "data",
        Fin => "FIN",
        /// The retransmission timer fired (RFC 6298 §5.4).
        RetransmitTimeout => "retransmission: the timer ran out",
        /// The third duplicate acknowledgement (RFC 5681 §3.2).
        FastRetransmit => "fast retransmit: third duplicate ACK",
        /// A partial acknowledgement named the next hole (RFC 6582 §3.2).
        PartialAck => "retransmission: partial ACK names the next hole",
        /// Something that was sent later has arrived (RACK, RFC 8985 §6).
        SentLaterArrived => "retransmission: what was sent later has arrived (RACK)",
        /// So much is sacked beyond it that it must be lost (RFC 6675 §4).
        SackedBeyond => "retransmission: enough is sacked beyond it (RFC 6675)",
        /// Nothing came back for two round trips: the end of the flight goes once more, so that its acknowledgement tells
        /// what was lost (RFC 8985 §7).
        TailLossProbe => "tail loss probe",
        /// A smaller path MTU was reported: what was too large goes again in smaller pieces.
        SmallerMtu => "retransmission: the path MTU is smaller",
        ZeroWindowProbe => "zero-window probe",
        Keepalive => "keepalive probe",
        /// Every second full segment is acknowledged at once (RFC 9293 §3.8.6.3).
        SecondSegment => "ACK: second full segment",
        DelayedAck => "ACK: the delayed-ACK timer ran out",
        /// The network has marked what came, or the peer says that it has reacted to that (RFC 3168 §6.1.3).
        CongestionEcho => "ACK at once: the network marks packets (ECN)",
        OutOfOrderAck => "ACK at once: a hole in the data",
        DuplicateAck => "ACK at once: data that had already come",
        FinAck => "ACK of the peer's FIN",
        WindowUpdate => "window update",
        HandshakeAck => "ACK that completes the handshake",
        ChallengeAck => "challenge ACK (RFC 5961)",
        /// An acknowledgement that answers a segment outside the window (RFC 9293 §3.10.7.4).
        UnacceptableSegment => "ACK: the segment was outside the window",
        TimeWaitAck => "ACK of a repeated FIN in TIME-WAIT",
        /// The accept queue is full, and who connects is to know.
        AcceptQueueFull => "RST: the accept queue is full",
        /// The connection was aborted by its application.
        Abort => "RST: the application aborted",
        /// Answers a segment that belongs to no connection (RFC 9293 §3.10.7.1).
        NoConnection => "RST: no connection there",
    }
}

words! {
    /// The timers of a connection.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum TimerKind {
        /// RACK's: what was sent earlier than something that arrived has had its time (RFC 8985 §6.2, step 5).
        Reordering => "reordering timer",
        /// Before the retransmission timer, so that it comes first when both are due (RFC 8985 §7.2).
        TailLossProbe => "probe timer",
        Retransmission => "retransmission timer",
        Persist => "persist timer",
        DelayedAck => "delayed-ACK timer",
        Keepalive => "keepalive timer",
        UserTimeout => "user timeout",
        TimeWait => "TIME-WAIT timer",
        /// The override timeout of sender silly-window avoidance (RFC 9293 §3.8.6.2.1).
        SillyWindow => "silly-window override timer",
        /// How long a connection that nobody holds any more waits for the peer's FIN.
        FinWait2 => "FIN-WAIT-2 timer",
        /// The next data may leave, at the rate that congestion control has set.
        Pacing => "pacing timer",
    }
}
