//! What the stack sent, read as a packet of the script's language.

use super::Stop;
use super::mapping::Mapping;
use crate::event::FourTuple;
use crate::sim::script::decode::{ecn_of, quote, segment, word};
use crate::sim::script::icmp_names;
use crate::sim::script::syntax::{Body, Direction, Icmp, IpInfo, Packet, TcpOption};
use crate::wire::checksum::Sum;
use crate::wire::{icmpv4, ipv4, protocol, udp};
use std::net::SocketAddr;

/// A packet of the stack. In a TCP one the numbers are still those of the wire.
#[derive(Clone, Debug)]
pub struct Sent {
    pub packet: Packet,
    pub tuple: FourTuple,
    pub zeros: bool,
    /// How many segments it was.
    pub segments: u32,
    /// How far its timestamp is from what the script makes of it, in microseconds, if that is compared.
    pub timestamp_error: Option<u64>,
}

/// Reads a packet, checking what must be right whatever the script says: lengths and checksums.
pub fn read(bytes: &[u8]) -> Result<Sent, Stop> {
    let wrong = |what: &str| Stop::failed("a sound packet", format!("one with {what}"));
    let (header, payload) = ipv4::Header::parse(bytes).map_err(|error| wrong(&error.to_string()))?;
    // RFC 791 §3.1: bit 0 of the flags is reserved and zero.
    if bytes[6] & 0x80 != 0 {
        return Err(wrong("the reserved bit of IPv4 set"));
    }
    if !ipv4::checksum_is_good(&bytes[..header.len()]) {
        return Err(wrong("a bad IPv4 checksum"));
    }
    if usize::from(header.total_length) != bytes.len() || !header.options.is_empty() {
        return Err(wrong("a wrong IPv4 length, or IPv4 options"));
    }
    let pseudo = Sum::pseudo_header(header.source.into(), header.destination.into(), header.protocol, payload.len());
    let ends = |ports: (u16, u16)| FourTuple {
        local: SocketAddr::new(header.source.into(), ports.0),
        remote: SocketAddr::new(header.destination.into(), ports.1),
    };
    let (body, tuple, data) = match header.protocol {
        protocol::TCP if !pseudo.plus(payload).is_good() => return Err(wrong("a bad TCP checksum")),
        protocol::TCP => {
            let (tcp, data) = segment(payload).ok_or_else(|| wrong("a broken TCP header"))?;
            let tuple = ends(tcp.ports.unwrap_or((0, 0)));
            (Body::Tcp(tcp), tuple, data)
        }
        protocol::UDP => {
            let (header, data) = udp::Header::parse(payload).map_err(|error| wrong(&error.to_string()))?;
            if header.checksum != 0 && !pseudo.plus(payload).is_good() {
                return Err(wrong("a bad UDP checksum"));
            }
            let ports = (header.source_port, header.destination_port);
            (Body::Udp { ports: Some(ports), len: data.len() as u16 }, ends(ports), data)
        }
        protocol::ICMP if !icmpv4::checksum_is_good(payload) => return Err(wrong("a bad ICMP checksum")),
        protocol::ICMP => {
            let [kind, code, _, _, a, b, ..] = *payload else { return Err(wrong("a broken ICMP header")) };
            let icmp = Icmp {
                kind: icmp_names::kind_name(kind),
                code: (code != 0 || icmpv4::is_error(kind)).then(|| icmp_names::code_name(kind, code)),
                mtu: (kind == 3 && code == 4).then(|| payload.get(6..8).map_or(0, |mtu| word(mtu).into())),
                id: (!icmpv4::is_error(kind)).then(|| u16::from_be_bytes([a, b])),
                quote: payload.get(8..).filter(|_| icmpv4::is_error(kind)).and_then(quote),
            };
            (Body::Icmp(icmp), ends((0, 0)), &payload[payload.len()..])
        }
        other => return Err(wrong(&format!("the protocol {other}"))),
    };
    let ip = IpInfo {
        ecn: Some(ecn_of(header.traffic_class)),
        tos: Some(header.traffic_class),
        flow_label: None,
        ttl: Some(header.ttl),
    };
    let packet = Packet { direction: Direction::Out, outer: Vec::new(), ip, body };
    Ok(Sent { packet, tuple, zeros: data.iter().all(|byte| *byte == 0), segments: 1, timestamp_error: None })
}

/// Puts the numbers of a segment into the script's, with what the script leaves open left out. Gives how far its
/// timestamp is off, when it is compared by ticks of `tick` microseconds.
pub fn in_script_numbers(sent: &mut Packet, expected: &Packet, map: &mut Mapping, tick: Option<u64>) -> Option<u64> {
    let Body::Tcp(tcp) = &mut sent.body else { return None };
    let syn = tcp.flags.bits & 2 != 0;
    let expected = if let Body::Tcp(expected) = &expected.body { Some(expected) } else { None };
    if syn {
        map.learn_isn(expected.map_or(0, |expected| expected.seq), tcp.seq);
    }
    tcp.seq = map.to_script(tcp.seq, syn);
    if let Some(ack) = tcp.ack {
        map.set_last_ack(ack);
    }
    let mut error = None;
    if syn {
        let shift = |option: &TcpOption| if let TcpOption::WindowScale(shift) = option { Some(*shift) } else { None };
        map.learn_shift(tcp.options.iter().flatten().find_map(shift));
    }
    let options = tcp.options.iter_mut().flatten();
    let wanted = expected.and_then(|expected| expected.options.as_deref()).unwrap_or(&[]);
    for option in options {
        let TcpOption::Timestamps { value, .. } = option else { continue };
        let script = wanted.iter().find_map(|wanted| match wanted {
            TcpOption::Timestamps { value, .. } => Some(*value),
            _ => None,
        });
        if let Some(script) = script {
            error = tick.and_then(|tick| map.timestamp_error(script, *value, tick));
            map.learn_timestamp(script, *value);
            *value = script;
        }
    }
    if expected.is_none_or(|expected| expected.ports.is_none()) {
        tcp.ports = None;
    }
    error
}
