//! ICMP (RFC 792, RFC 1122 §3.2.2): echo, and the errors that packets meet.
//!
//! Up: [`Icmp::handle`] takes a packet whose protocol is ICMP. An echo request is answered, an echo reply goes to its
//! ping socket, an error goes, as a [`Quoted`], to the socket whose packet it quotes; that it really quotes one of ours
//! is for the transports to see (RFC 5927). Down: [`Icmp::error`] builds the error that answers a packet,
//! [`echo_request`] a ping; both give an [`Outgoing`] for IP.
//!
//! Invariants: no error answers an error, a broadcast, or a fragment other than the first (RFC 1122 §3.2.2); errors
//! keep to a rate (RFC 1812 §4.3.2.8) and to 576 bytes (RFC 1812 §4.3.2.3).

mod limit;
mod quoted;
#[cfg(test)]
mod tests;

pub use quoted::{Quoted, quoted_from_frame};

use crate::event::{Context, DropReason, Event, IcmpEvent, Layer};
use crate::frame::{Frame, Payload};
use crate::ip::{NetworkError, Outgoing, Packet};
use crate::wire::icmpv4::{self, Message, time_exceeded, unreachable};
use crate::wire::{ipv4, protocol};
use bytes::Bytes;
use limit::TokenBucket;
use std::net::IpAddr;

/// RFC 1812 §4.3.2.3: an error quotes as much as fits this.
const MAX_ERROR_LEN: usize = 576;
const MAX_QUOTE: usize = MAX_ERROR_LEN - ipv4::MIN_HEADER_LEN - icmpv4::HEADER_LEN;
/// DSCP without ECN, which is the network's.
const DSCP: u8 = 0xfc;

/// The token bucket of RFC 1812 §4.3.2.8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Zero sends none at all.
    pub errors_per_second: u32,
    /// How many errors may leave at once after a quiet time.
    pub burst: u32,
    /// The TTL of our own messages.
    pub ttl: u8,
}

impl Default for Config {
    fn default() -> Config {
        Config { errors_per_second: 1000, burst: 50, ttl: 64 }
    }
}

/// What became of an ICMP message.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "moved once, from here to the caller; a box would cost more")]
pub enum Disposition<'p> {
    /// Send this.
    Reply(Outgoing),
    /// For the ping socket with this id.
    EchoReply(EchoReply<'p>),
    /// For the socket whose packet is quoted.
    Error(Quoted<'p>),
    /// Nothing more to do; a drop was told.
    None,
}

/// An echo reply that reached us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EchoReply<'p> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub id: u16,
    pub sequence: u16,
    pub ttl: u8,
    pub data: &'p [u8],
}

/// ICMP of one host.
#[derive(Debug)]
pub struct Icmp {
    config: Config,
    limit: TokenBucket,
}

impl Icmp {
    pub fn new(config: Config) -> Icmp {
        Icmp { config, limit: TokenBucket::new(config.errors_per_second, config.burst) }
    }

    /// Deals with a packet whose protocol is ICMP.
    pub fn handle<'p>(&mut self, cx: &mut Context<'_>, packet: &'p Packet<'_>) -> Disposition<'p> {
        self.dispose(cx, packet).unwrap_or_else(|reason| {
            cx.tell(|| Event::Dropped { layer: Layer::Icmp, reason });
            Disposition::None
        })
    }

    fn dispose<'p>(&self, cx: &mut Context<'_>, packet: &'p Packet<'_>) -> Result<Disposition<'p>, DropReason> {
        if packet.verify_checksum() && !icmpv4::checksum_is_good(&packet.payload) {
            return Err(DropReason::BadIcmpChecksum);
        }
        let (message, data) = Message::parse(&packet.payload).map_err(|_| DropReason::MalformedIcmp)?;
        let header = &packet.payload[..icmpv4::HEADER_LEN];
        cx.tell(|| Event::Stripped { layer: Layer::Icmp, header, payload: data.len() });
        match message {
            Message::EchoRequest { id, sequence } => {
                cx.tell(|| Event::Icmp { message: IcmpEvent::EchoRequest { id, sequence, len: data.len() } });
                // RFC 1122 §3.2.2.6: may be ignored, and is: such a request asks every host of the link at once.
                if packet.broadcast {
                    return Err(DropReason::BroadcastEcho);
                }
                Ok(Disposition::Reply(self.echo_reply(cx, packet, (id, sequence), data)))
            }
            Message::EchoReply { id, sequence } => {
                cx.tell(|| Event::Icmp { message: IcmpEvent::EchoReply { id, sequence, len: data.len() } });
                let (source, destination, ttl) = (packet.source, packet.destination, packet.ttl);
                Ok(Disposition::EchoReply(EchoReply { source, destination, id, sequence, ttl, data }))
            }
            Message::DestinationUnreachable { .. }
            | Message::TimeExceeded { .. }
            | Message::ParameterProblem { .. } => {
                let quoted = quoted::parse(packet.source, message, data)?;
                let meaning = quoted.error.meaning();
                cx.tell(|| Event::Icmp { message: IcmpEvent::Error { sent: false, meaning } });
                Ok(Disposition::Error(quoted))
            }
            // RFC 1122 §3.2.2; redirects among them, which would let any neighbour turn our routes.
            Message::Other { .. } => Err(DropReason::UnknownIcmp),
        }
    }

    /// RFC 1122 §3.2.2.6: the same data, from the address that was asked.
    fn echo_reply(
        &self,
        cx: &mut Context<'_>,
        packet: &Packet<'_>,
        (id, sequence): (u16, u16),
        data: &[u8],
    ) -> Outgoing {
        let message = Message::EchoReply { id, sequence };
        let told = IcmpEvent::EchoReply { id, sequence, len: data.len() };
        let reply = build(cx, (packet.destination, packet.source), message, told, data);
        Outgoing { ttl: self.config.ttl, traffic_class: packet.traffic_class & DSCP, ..reply }
    }

    /// The error that answers `packet`, unless a rule or the rate limit forbids one.
    pub fn error(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, error: NetworkError) -> Option<Outgoing> {
        if !may_be_answered(packet) {
            return None;
        }
        if !self.limit.take(cx.now) {
            cx.tell(|| Event::Dropped { layer: Layer::Icmp, reason: DropReason::IcmpRateLimited });
            return None;
        }
        let len = (packet.header.len() + packet.payload.len()).min(MAX_QUOTE);
        let quote: Vec<u8> = packet.header.iter().chain(packet.payload.iter()).take(len).copied().collect();
        let told = IcmpEvent::Error { sent: true, meaning: error.meaning() };
        let outgoing = build(cx, (packet.destination, packet.source), message_of(error), told, &quote);
        Some(Outgoing { ttl: self.config.ttl, ..outgoing })
    }
}

/// RFC 1122 §3.2.2: what no error may answer. That the source is a single host, IP has seen to.
fn may_be_answered(packet: &Packet<'_>) -> bool {
    let is_error =
        packet.protocol == protocol::ICMP && packet.payload.first().is_none_or(|kind| icmpv4::is_error(*kind));
    let is_first = ipv4::Header::parse(&packet.header).is_ok_and(|(header, _)| header.fragment_offset == 0);
    !packet.broadcast && !is_error && is_first
}

/// An echo request, ready for [`Ip::send`](crate::ip::Ip::send).
pub fn echo_request(
    cx: &mut Context<'_>,
    ends: (IpAddr, IpAddr),
    (id, sequence): (u16, u16),
    data: &[u8],
    ttl: u8,
) -> Outgoing {
    let told = IcmpEvent::EchoRequest { id, sequence, len: data.len() };
    Outgoing { ttl, ..build(cx, ends, Message::EchoRequest { id, sequence }, told, data) }
}

/// A message in a frame of its own.
fn build(
    cx: &mut Context<'_>,
    (source, destination): (IpAddr, IpAddr),
    message: Message,
    told: IcmpEvent,
    data: &[u8],
) -> Outgoing {
    let before = cx.about(None);
    let mut frame = Frame::new(cx.begin_frame(), Payload::from(Bytes::copy_from_slice(data)));
    message.emit(data, |header| {
        frame.prepend(header);
        cx.tell(|| Event::Prepended { layer: Layer::Icmp, header, payload: data.len() });
    });
    cx.tell(|| Event::Icmp { message: told });
    cx.about(before);
    // RFC 1122 §3.2.2: errors go with the normal service.
    let (protocol, ttl, traffic_class, dont_fragment) = (protocol::ICMP, Config::default().ttl, 0, false);
    Outgoing { source, destination, protocol, ttl, traffic_class, dont_fragment, frame }
}

fn message_of(error: NetworkError) -> Message {
    let unreachable = |code| Message::DestinationUnreachable { code, mtu: 0 };
    match error {
        NetworkError::NetUnreachable => unreachable(unreachable::NET),
        NetworkError::HostUnreachable => unreachable(unreachable::HOST),
        NetworkError::ProtocolUnreachable => unreachable(unreachable::PROTOCOL),
        NetworkError::PortUnreachable => unreachable(unreachable::PORT),
        NetworkError::FragmentationNeeded { mtu } => {
            Message::DestinationUnreachable { code: unreachable::FRAGMENTATION_NEEDED, mtu }
        }
        NetworkError::SourceRouteFailed => unreachable(unreachable::SOURCE_ROUTE_FAILED),
        NetworkError::AdministrativelyProhibited => unreachable(unreachable::PROHIBITED),
        NetworkError::TtlExceeded => Message::TimeExceeded { code: time_exceeded::TTL },
        NetworkError::ReassemblyTimeExceeded => Message::TimeExceeded { code: time_exceeded::REASSEMBLY },
        NetworkError::ParameterProblem { pointer } => Message::ParameterProblem { code: 0, pointer },
    }
}
