//! The way down: route, fragment if need be, prepend, hand to the link.

use super::Ip;
use super::fragment::fragments;
use super::packet::Outgoing;
use crate::event::{Context, DropReason, Event, Layer};
use crate::frame::Frame;
use crate::link::Link;
use crate::wire::ipv4::{self, Header};
use smallvec::SmallVec;
use std::net::{IpAddr, Ipv4Addr};
use thiserror::Error;

/// Why a packet was not sent; it was told as dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SendError {
    #[error("no route to {destination}")]
    NoRoute { destination: IpAddr },
    /// It may not be fragmented, or is a super-frame whose segments are too large: build it anew with this MTU.
    #[error("a packet of {len} bytes does not fit the path MTU of {mtu}")]
    FragmentationNeeded { len: usize, mtu: usize },
    #[error("a packet of {len} bytes is longer than IP can say")]
    TooLong { len: usize },
}

impl SendError {
    fn reason(self) -> DropReason {
        match self {
            SendError::NoRoute { .. } => DropReason::NoRoute,
            SendError::FragmentationNeeded { .. } | SendError::TooLong { .. } => DropReason::FragmentationNeeded,
        }
    }
}

impl Ip {
    /// Routes, prepends the header and lets the link prepend its own. True when the packet's frame is complete and to go at
    /// once; false when it waits for its neighbour, or for its turn in pieces. What cannot go is told as dropped, and why
    /// is given back.
    pub fn send(&mut self, cx: &mut Context<'_>, packet: &mut Outgoing, link: &mut Link) -> Result<bool, SendError> {
        let before = cx.about(Some(packet.frame.id()));
        let sent = match (packet.source, packet.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.send_v4(cx, packet, (source, destination), link),
            (_, destination) => Err(SendError::NoRoute { destination }),
        };
        if let Err(error) = sent {
            cx.tell(|| Event::Dropped { layer: Layer::Ipv4, reason: error.reason() });
        }
        cx.about(before);
        sent
    }

    fn send_v4(
        &mut self,
        cx: &mut Context<'_>,
        packet: &mut Outgoing,
        (source, destination): (Ipv4Addr, Ipv4Addr),
        link: &mut Link,
    ) -> Result<bool, SendError> {
        debug_assert!(packet.ttl > 0, "RFC 1122 §3.2.1.7: no packet leaves with TTL 0");
        let next_hop =
            self.next_hop(packet.destination).ok_or(SendError::NoRoute { destination: packet.destination })?;
        let path = self.paths.get(cx.now, packet.destination);
        let mtu = path.map_or(self.config.mtu, |path| path.mtu);
        let len = ipv4::MIN_HEADER_LEN + packet.frame.len();
        let total_length = total_length(&packet.frame, len)?;
        let on_the_wire = largest_on_the_wire(&packet.frame);
        let dont_fragment = packet.dont_fragment && !path.is_some_and(|path| path.fragment_on_the_way);
        if on_the_wire > mtu && (packet.dont_fragment || packet.frame.offload.segment_size.is_some()) {
            return Err(SendError::FragmentationNeeded { len: on_the_wire, mtu });
        }
        let header = Header {
            traffic_class: packet.traffic_class,
            total_length,
            // RFC 6864 §4.1: what is atomic needs no identification.
            identification: if dont_fragment {
                0
            } else {
                self.identifications.next(source, destination, packet.protocol)
            },
            dont_fragment,
            more_fragments: false,
            fragment_offset: 0,
            ttl: packet.ttl,
            protocol: packet.protocol,
            source,
            destination,
            options: SmallVec::new(),
        };
        if on_the_wire <= mtu {
            prepend(cx, &header, &mut packet.frame);
            return Ok(link.send(cx, next_hop, &mut packet.frame));
        }
        for (header, mut piece) in fragments(cx, &header, packet.frame.clone(), mtu) {
            cx.about(Some(piece.id()));
            prepend(cx, &header, &mut piece);
            if link.send(cx, next_hop, &mut piece) {
                link.enqueue(cx, piece);
            }
        }
        Ok(false)
    }
}

/// What the header says of a packet of `len` bytes. A train of segments may be longer than it can say; it then says zero,
/// and the train ends with its frame (BIG TCP: `iph_totlen` in the kernel's `include/linux/ip.h`).
fn total_length(frame: &Frame, len: usize) -> Result<u16, SendError> {
    match u16::try_from(len) {
        Ok(total_length) => Ok(total_length),
        Err(_) if frame.offload.segment_size.is_some() => Ok(0),
        Err(_) => Err(SendError::TooLong { len }),
    }
}

/// The largest IP packet that the wire will see: of a super-frame, one segment.
fn largest_on_the_wire(frame: &Frame) -> usize {
    let payload = match frame.offload.segment_size {
        Some(size) => frame.payload().len().min(size.get().into()),
        None => frame.payload().len(),
    };
    ipv4::MIN_HEADER_LEN + frame.headers().len() + payload
}

fn prepend(cx: &mut Context<'_>, header: &Header, frame: &mut Frame) {
    let payload = frame.len();
    header.emit(|bytes| {
        frame.prepend(bytes);
        cx.tell(|| Event::Prepended { layer: Layer::Ipv4, header: bytes, payload });
    });
}
