//! A packet as transports see it, on the way up and on the way down.

use crate::frame::{Checksum, Frame, FrameId, Payload};
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;

/// A whole packet on its way up, its IP header stripped. Its source is a unicast address, its destination one of
/// ours or a broadcast.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub ttl: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// The IP destination was a broadcast or a multicast, or the frame's destination was.
    pub broadcast: bool,
    /// Owned when it was put together from fragments.
    pub payload: Cow<'a, [u8]>,
    /// Of the transport: `Full` is to be verified; `Good` and `Partial` (it never saw a wire) are vouched for.
    pub checksum: Checksum,
    pub segment_size: Option<NonZeroU16>,
    /// The IP header as received (the first fragment's), for quoting in ICMP errors.
    pub header: Cow<'a, [u8]>,
}

/// A packet on its way down: the transport's header is already in front of the frame.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    /// Never 0 (RFC 1122 §3.2.1.7).
    pub ttl: u8,
    pub traffic_class: u8,
    pub dont_fragment: bool,
    pub frame: Frame,
}

/// One that nobody has written yet.
impl Default for Outgoing {
    fn default() -> Outgoing {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Outgoing {
            source: nobody,
            destination: nobody,
            protocol: 0,
            ttl: 0,
            traffic_class: 0,
            dont_fragment: false,
            frame: Frame::new(FrameId::default(), Payload::default()),
        }
    }
}

impl Packet<'_> {
    /// Must the transport look at its checksum?
    pub fn verify_checksum(&self) -> bool {
        self.checksum == Checksum::Full
    }
}
