//! What is made of losses and marks.

words! {
    /// Where loss recovery stands; the names are Linux's.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
    pub enum CongestionState {
        /// Nothing is amiss.
        #[default]
        Open => "Open",
        /// Something is sacked, or acknowledged twice: loss or reordering, nobody knows yet.
        Disorder => "Disorder",
        /// The window is being reduced without a retransmission: ECN, or a tail loss that its probe repaired.
        Cwr => "CWR",
        /// Fast recovery: what is lost goes again, as the acknowledgements allow.
        Recovery => "Recovery",
        /// After a retransmission timeout.
        Loss => "Loss",
    }
}

words! {
    /// What shows that nothing was lost.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum SpuriousCause {
        /// The acknowledgement echoes a timestamp from before the first retransmission (Eifel, RFC 3522).
        Timestamp => "a timestamp from before the retransmission comes back (Eifel)",
        /// Every retransmission arrived as a duplicate (D-SACK, RFC 3708).
        DuplicateSack => "every retransmission arrived twice (D-SACK)",
        /// After the timeout something was acknowledged that was sent once (F-RTO, RFC 5682).
        ForwardRto => "what was sent once is acknowledged (F-RTO)",
    }
}

words! {
    /// Why the congestion window changed.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum CwndCause {
        SlowStart => "slow start",
        CongestionAvoidance => "congestion avoidance",
        FastRetransmit => "fast retransmit",
        FastRecovery => "fast recovery",
        RecoveryOver => "recovery over",
        /// The end of a flight was lost and its probe has repaired it (RFC 8985 §7.4).
        TailLoss => "tail loss, repaired by its probe",
        Timeout => "retransmission timeout",
        /// The loss was none (RFC 4015).
        Undo => "the loss was none: undo",
        Idle => "restart after idle",
        ApplicationLimited => "the application leaves it unused",
        Marked => "marked by the network (ECN)",
        /// The controller has a model of the path, from which the window follows (BBR).
        Model => "the model of the path",
    }
}
