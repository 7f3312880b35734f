//! What a path does to packets, or is said to do.

words! {
    /// What becomes of the claim that a path takes only smaller packets (RFC 5927 §7.2).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum MtuVerdict {
        /// No packet of ours was larger.
        TooLarge => "not believed: nothing larger was sent",
        /// No packet of ours that was larger has arrived.
        Believed => "believed: nothing larger has arrived yet",
        /// Larger ones have arrived: it waits for a timeout.
        PutAside => "put aside: larger packets have arrived",
        /// And there it was.
        BelievedLate => "believed after all: the segment has timed out",
        /// What it quotes has arrived.
        Refuted => "refuted: the segment has arrived",
    }
}

words! {
    /// What goes wrong with accurate feedback on a path (RFC 9768), and what follows.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum EcnTrouble {
        /// The peer's first segment had no AccECN option (§3.2.3.2.3).
        OptionAbsent => "the peer's first segment has no AccECN option: only packets are counted",
        /// Its counters of bytes were zero, which they cannot be (§3.2.3.2.4).
        OptionZeroed => "the AccECN option is set to zero on the way: it is not heard any more",
        /// What we send with the option gets lost (§3.2.3.2.2).
        OptionBlocked => "segments with the AccECN option get lost: it is not sent any more",
        /// The bytes that were marked became more, and the packets did not (§3.2.3.2.5).
        Contradiction => "marked bytes but no marked packets: nothing of ours may be marked any more",
    }
}
