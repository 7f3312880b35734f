//! UDP (RFC 768, RFC 1122 §4.1): datagrams with ports and a checksum.
//!
//! Up: [`handle`] strips the header of a packet and gives a [`Datagram`]; the stack asks each [`Socket`] on the port how
//! well it [matches](Socket::matches) and lets the best one [handle](Socket::handle) it. Down: [`Socket::send`] writes an
//! [`Outgoing`] for IP.
//!
//! A train of datagrams of one size, of which only the last may be shorter, travels through the stack in one piece, as
//! its device hands it over or takes it: sent by [`Socket::send_segments`], received by [`Socket::receive_segments`].
//! Who knows nothing of trains sends and receives the same datagrams one by one.
//!
//! Invariants: datagrams keep their boundaries; a socket's queue is bounded in datagrams and in bytes; an ICMP error is
//! reported once, to a socket that is connected to the destination in question.

mod socket;
#[cfg(test)]
mod tests;

pub use socket::{Config, ReceiveError, ReceivedDatagram, ReceivedSegments, SendError, Socket};

use crate::event::{Context, DropReason, Event, Layer};
use crate::frame::{Checksum, Payload};
use crate::ip::{Outgoing, Packet};
use crate::wire::checksum::Sum;
use crate::wire::protocol;
use crate::wire::udp::{CHECKSUM_OFFSET, HEADER_LEN, Header};
use bytes::Bytes;
use std::net::SocketAddr;
use std::num::NonZeroU16;

/// The most data that one datagram carries over IPv4: 65,535 less the IP and UDP headers.
pub const MAX_DATA: usize = 65_507;
/// How many datagrams are sent in one train at the most, as on Linux.
pub const MAX_SEGMENTS: usize = 128;

/// A datagram on its way up, its header stripped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'p> {
    pub source: SocketAddr,
    /// The address that it was really sent to: ours, or a broadcast (RFC 1122 §4.1.3.5).
    pub destination: SocketAddr,
    pub data: &'p [u8],
    /// When it is a train that the device has put together: how long each datagram of it is, but for the last.
    pub segment_size: Option<NonZeroU16>,
}

/// Strips the UDP header and verifies the checksum; none when that fails, which is told.
pub fn handle<'p>(cx: &mut Context<'_>, packet: &'p Packet<'_>) -> Option<Datagram<'p>> {
    match check(packet) {
        Ok((header, data)) => {
            let bytes = &packet.payload[..HEADER_LEN];
            cx.tell(|| Event::Stripped { layer: Layer::Udp, header: bytes, payload: data.len() });
            let source = SocketAddr::new(packet.source, header.source_port);
            let destination = SocketAddr::new(packet.destination, header.destination_port);
            Some(Datagram { source, destination, data, segment_size: packet.segment_size })
        }
        Err(reason) => {
            cx.tell(|| Event::Dropped { layer: Layer::Udp, reason });
            None
        }
    }
}

fn check<'p>(packet: &'p Packet<'_>) -> Result<(Header, &'p [u8]), DropReason> {
    let (header, data) = Header::parse(&packet.payload).map_err(|_| DropReason::MalformedUdp)?;
    // RFC 768: zero says that the sender made none; RFC 8200 §8.1: over IPv6 there must be one.
    let none = header.checksum == 0 && packet.source.is_ipv4();
    if packet.verify_checksum() && !none {
        let length = usize::from(header.length);
        let pseudo_header = Sum::pseudo_header(packet.source, packet.destination, protocol::UDP, length);
        if header.checksum == 0 || !pseudo_header.plus(&packet.payload[..length]).is_good() {
            return Err(DropReason::BadUdpChecksum);
        }
    }
    Ok((header, data))
}

/// Writes a datagram as a `packet` of its own, whatever that was before; its TTL and its traffic class are the socket's to
/// set. Its checksum is left to the device when the context allows it.
///
/// With a `segment_size` it is a train of datagrams of that size, whose splitting and checksums are left to the device
/// in any case.
///
/// # Panics
/// When `data` is longer than [`MAX_DATA`] or the addresses are of two IP versions, which the caller sees to.
pub fn build(
    cx: &mut Context<'_>,
    source: SocketAddr,
    destination: SocketAddr,
    data: Bytes,
    segment_size: Option<NonZeroU16>,
    packet: &mut Outgoing,
) {
    assert!(data.len() <= MAX_DATA, "a datagram of {} bytes", data.len());
    let length = HEADER_LEN + data.len();
    let sum = Sum::pseudo_header(source.ip(), destination.ip(), protocol::UDP, length);
    let (source_port, destination_port) = (source.port(), destination.port());
    let mut header = Header { source_port, destination_port, length: length as u16, checksum: 0 };
    let partial = cx.partial_checksum || segment_size.is_some();
    header.checksum = if partial {
        sum.folded()
    } else {
        // RFC 768: a sum that comes out as zero is sent as all ones.
        let checksum = header.emit(|bytes| sum.plus(bytes)).plus(&data).checksum();
        if checksum == 0 { 0xffff } else { checksum }
    };
    let before = cx.about(None);
    let payload = data.len();
    let frame = &mut packet.frame;
    frame.begin(cx.begin_frame(), Payload::from(data));
    header.emit(|bytes| {
        frame.prepend(bytes);
        cx.tell(|| Event::Prepended { layer: Layer::Udp, header: bytes, payload });
    });
    cx.about(before);
    frame.offload.segment_size = segment_size;
    if partial {
        frame.offload.checksum = Checksum::Partial { start: 0, offset: CHECKSUM_OFFSET as u16 };
    }
    (packet.source, packet.destination, packet.protocol) = (source.ip(), destination.ip(), protocol::UDP);
    packet.dont_fragment = segment_size.is_some();
}
