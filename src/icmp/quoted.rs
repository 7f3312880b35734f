//! What an error says about a packet of ours, read from what it quotes.

use crate::event::DropReason;
use crate::frame::Frame;
use crate::ip::NetworkError;
use crate::wire::icmpv4::{Message, time_exceeded, unreachable};
use crate::wire::ipv4::Header;
use std::net::IpAddr;

/// RFC 792: so much of the transport is quoted at least; it holds the ports, and TCP's sequence number.
const MIN_TRANSPORT: usize = 8;

/// RFC 1191 §7.1: MTUs that links have.
const PLATEAUS: [u16; 10] = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

/// An error about a packet of ours, as far as it quotes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quoted<'p> {
    pub error: NetworkError,
    /// Who says so.
    pub from: IpAddr,
    /// Of the packet quoted: its source is (claimed to be) ours.
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    /// The beginning of the transport's bytes, at least 8: ports, and for TCP the sequence number.
    pub transport: &'p [u8],
}

impl Quoted<'_> {
    /// Source and destination port, when the protocol is one that has them there (TCP, UDP).
    pub fn ports(&self) -> (u16, u16) {
        let at = |i: usize| u16::from_be_bytes([self.transport[i], self.transport[i + 1]]);
        (at(0), at(2))
    }
}

/// Reads an error message that came from `from`.
pub(super) fn parse(from: IpAddr, message: Message, quote: &[u8]) -> Result<Quoted<'_>, DropReason> {
    let (header, transport) = Header::parse(quote).map_err(|_| DropReason::MalformedIcmp)?;
    // A source quench means nothing to us (RFC 9293 §3.9.2.2, MUST-55).
    let error = meaning_of(message, at_most(&header)).ok_or(DropReason::UnknownIcmp)?;
    quoted(error, from, &header, transport)
}

/// What a frame of ours that never left (its neighbour failed) says to the socket that sent it; none when its
/// headers are not those of IP, or when it is a fragment without the transport's header.
pub fn quoted_from_frame(frame: &Frame, error: NetworkError) -> Option<Quoted<'_>> {
    let (header, rest) = Header::parse(frame.headers()).ok()?;
    // Of a fragmented datagram the transport's header lies in the payload.
    let first = || frame.payload().slices().first().map(|slice| &slice[..]);
    let transport = if rest.is_empty() { first()? } else { rest };
    quoted(error, header.source.into(), &header, transport).ok()
}

fn quoted<'p>(
    error: NetworkError,
    from: IpAddr,
    header: &Header,
    transport: &'p [u8],
) -> Result<Quoted<'p>, DropReason> {
    // What follows the first piece has no ports to say whose it is.
    if header.fragment_offset > 0 {
        return Err(DropReason::UnmatchedIcmpError);
    }
    let len = usize::from(at_most(header)).saturating_sub(header.len()).min(transport.len());
    if len < MIN_TRANSPORT {
        return Err(DropReason::MalformedIcmp);
    }
    Ok(Quoted {
        error,
        from,
        source: header.source.into(),
        destination: header.destination.into(),
        protocol: header.protocol,
        transport: &transport[..len],
    })
}

/// How long the quoted packet was, as far as its header says.
fn at_most(header: &Header) -> u16 {
    if header.ends_with_frame() { u16::MAX } else { header.total_length }
}

/// What a message means; `total_length` is the quoted packet's. None for codes that nobody has defined.
fn meaning_of(message: Message, total_length: u16) -> Option<NetworkError> {
    match message {
        Message::DestinationUnreachable { code, mtu } => unreachable_meaning(code, mtu, total_length),
        Message::TimeExceeded { code: time_exceeded::TTL } => Some(NetworkError::TtlExceeded),
        Message::TimeExceeded { code: time_exceeded::REASSEMBLY } => Some(NetworkError::ReassemblyTimeExceeded),
        Message::ParameterProblem { pointer, .. } => Some(NetworkError::ParameterProblem { pointer }),
        Message::TimeExceeded { .. }
        | Message::EchoReply { .. }
        | Message::EchoRequest { .. }
        | Message::Other { .. } => None,
    }
}

/// RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1.
fn unreachable_meaning(code: u8, mtu: u16, total_length: u16) -> Option<NetworkError> {
    Some(match code {
        unreachable::NET | unreachable::NET_UNKNOWN | unreachable::NET_FOR_SERVICE => NetworkError::NetUnreachable,
        unreachable::HOST | unreachable::HOST_UNKNOWN | unreachable::HOST_ISOLATED | unreachable::HOST_FOR_SERVICE => {
            NetworkError::HostUnreachable
        }
        unreachable::PROTOCOL => NetworkError::ProtocolUnreachable,
        unreachable::PORT => NetworkError::PortUnreachable,
        unreachable::FRAGMENTATION_NEEDED => {
            // RFC 1191 §5: a router that does not know of it says zero; the next plateau is tried.
            let mtu = if mtu > 0 { mtu } else { next_plateau(total_length) };
            NetworkError::FragmentationNeeded { mtu }
        }
        unreachable::SOURCE_ROUTE_FAILED => NetworkError::SourceRouteFailed,
        unreachable::NET_PROHIBITED
        | unreachable::HOST_PROHIBITED
        | unreachable::PROHIBITED
        | unreachable::HOST_PRECEDENCE
        | unreachable::PRECEDENCE_CUTOFF => NetworkError::AdministrativelyProhibited,
        _ => return None,
    })
}

fn next_plateau(total_length: u16) -> u16 {
    PLATEAUS.into_iter().find(|plateau| *plateau < total_length).unwrap_or(68)
}
