//! Why a frame was thrown away: counted and observed, never returned to a caller.

words! {
    /// Every way in which a frame can end early.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum DropReason {
        // Ethernet
        FrameTooShort => "frame shorter than its Ethernet header",
        OtherHost => "addressed to another host",
        UnknownEtherType => "EtherType that no layer here speaks",
        // ARP
        MalformedArp => "malformed ARP packet",
        NotForUs => "ARP for an address that is not ours",
        // neighbours
        NeighbourQueueFull => "too many packets waited for this neighbour: the oldest went",
        NeighbourUnreachable => "the neighbour does not answer",
        NeighbourTableFull => "the neighbour gave way to another: the table is full",
        AddressUnsettled => "our own address is still being probed for, or somebody else has it",
        TransmitQueueFull => "too many frames wait for the device",
        // IP
        MalformedIp => "malformed IP header",
        BadIpVersion => "IP version that does not match the EtherType",
        BadIpChecksum => "IP header checksum wrong",
        TruncatedIp => "shorter than the IP total length says",
        BadSource => "source address that no host may send from",
        NotOurAddress => "destination address is not ours",
        BroadcastUnicastMismatch => "unicast destination in a link-layer broadcast",
        NoRoute => "no route to the destination",
        FragmentationNeeded => "larger than the MTU and may not be fragmented",
        FragmentOverlap => "fragment overlaps another: the whole datagram goes (RFC 5722)",
        FragmentMalformed => "fragment of impossible offset or length",
        ReassemblyFull => "no room left to reassemble",
        ReassemblyTimeout => "the missing fragments never came",
        UnknownProtocol => "transport protocol that no layer here speaks",
        // ICMP
        MalformedIcmp => "malformed ICMP message",
        BadIcmpChecksum => "ICMP checksum wrong",
        UnknownIcmp => "ICMP type that no host need answer",
        UnmatchedIcmpError => "ICMP error that quotes nothing of ours",
        BroadcastEcho => "echo request to a broadcast address",
        IcmpRateLimited => "ICMP error withheld by its rate limit (RFC 1812)",
        // UDP
        MalformedUdp => "malformed UDP header",
        BadUdpChecksum => "UDP checksum wrong",
        NoUdpSocket => "no UDP socket on that port",
        UdpQueueFull => "the UDP socket's queue is full",
        // TCP
        MalformedTcp => "malformed TCP header",
        BadTcpOption => "TCP option of impossible length",
        BadTcpChecksum => "TCP checksum wrong",
        NotUnicast => "TCP from or to an address that is not unicast",
        NoTcpSocket => "no TCP connection or listener there",
        UnacceptableSegment => "TCP segment outside the window",
        UnacceptableAck => "TCP acknowledgement of what was never sent",
        BadTcpFlags => "TCP flags that make no sense in this state",
        BlindReset => "RST not exactly at RCV.NXT (RFC 5961 §3)",
        TimeWaitReset => "RST in TIME-WAIT, which it may not end (RFC 1337)",
        OldTimestamp => "TCP timestamp older than the last one (PAWS, RFC 7323 §5)",
        MissingAck => "TCP segment without ACK",
        ClosedForReceiving => "data after the application has closed",
        SynQueueFull => "the listener's SYN queue is full",
        AcceptQueueFull => "the listener's accept queue is full",
        TooManyConnections => "the stack has as many connections as it may",
        OutOfMemory => "the TCP buffers take as much memory as they may",
        // devices
        Oversize => "frame larger than the device carries",
    }
}
