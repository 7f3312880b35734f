//! What the network has to say about a packet of ours, whichever version of ICMP said it.

use std::fmt;

/// The meaning of an ICMP error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NetworkError {
    NetUnreachable,
    HostUnreachable,
    ProtocolUnreachable,
    PortUnreachable,
    /// The packet may not be fragmented and only `mtu` bytes fit; routers that do not say have it estimated
    /// (RFC 1191 §5).
    FragmentationNeeded {
        mtu: u16,
    },
    SourceRouteFailed,
    AdministrativelyProhibited,
    TtlExceeded,
    ReassemblyTimeExceeded,
    /// The byte of the IP header at `pointer` makes no sense.
    ParameterProblem {
        pointer: u8,
    },
}

impl NetworkError {
    /// In the words that the field uses.
    pub fn meaning(self) -> &'static str {
        match self {
            NetworkError::NetUnreachable => "network unreachable",
            NetworkError::HostUnreachable => "host unreachable",
            NetworkError::ProtocolUnreachable => "protocol unreachable",
            NetworkError::PortUnreachable => "port unreachable",
            NetworkError::FragmentationNeeded { .. } => "fragmentation needed",
            NetworkError::SourceRouteFailed => "source route failed",
            NetworkError::AdministrativelyProhibited => "administratively prohibited",
            NetworkError::TtlExceeded => "time to live exceeded",
            NetworkError::ReassemblyTimeExceeded => "fragment reassembly time exceeded",
            NetworkError::ParameterProblem { .. } => "parameter problem",
        }
    }

    /// RFC 9293 §3.9.2.2 (MUST-56, SHLD-26): a hard error says that trying again will not help; like Linux we count a
    /// filter's "prohibited" among them. RFC 5927 §5.2: TCP believes it only before it is synchronized.
    pub fn is_hard(self) -> bool {
        match self {
            NetworkError::ProtocolUnreachable
            | NetworkError::PortUnreachable
            | NetworkError::AdministrativelyProhibited => true,
            NetworkError::NetUnreachable
            | NetworkError::HostUnreachable
            | NetworkError::FragmentationNeeded { .. }
            | NetworkError::SourceRouteFailed
            | NetworkError::TtlExceeded
            | NetworkError::ReassemblyTimeExceeded
            | NetworkError::ParameterProblem { .. } => false,
        }
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning())
    }
}
