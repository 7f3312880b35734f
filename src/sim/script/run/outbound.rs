//! What the stack sent, read as a packet of the script's language and compared with what was expected.

use super::Stop;
use super::mapping::Mapping;
use crate::event::FourTuple;
use crate::sim::script::icmp_names;
use crate::sim::script::syntax::{Body, Direction, Ecn, EcnCounter, Icmp, IpInfo, Packet, Tcp, TcpFlags, TcpOption};
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
                mtu: None,
                id: (!icmpv4::is_error(kind)).then(|| u16::from_be_bytes([a, b])),
                quote: None,
            };
            (Body::Icmp(icmp), ends((0, 0)), &payload[payload.len()..])
        }
        other => return Err(wrong(&format!("the protocol {other}"))),
    };
    let ecn = [Ecn::NotCapable, Ecn::Ect1, Ecn::Ect0, Ecn::Congestion][usize::from(header.traffic_class & 3)];
    let ip = IpInfo { ecn: Some(ecn), tos: Some(header.traffic_class), flow_label: None, ttl: Some(header.ttl) };
    let packet = Packet { direction: Direction::Out, outer: Vec::new(), ip, body };
    Ok(Sent { packet, tuple, zeros: data.iter().all(|byte| *byte == 0), segments: 1, timestamp_error: None })
}

fn segment(bytes: &[u8]) -> Option<(Tcp, &[u8])> {
    let (head, _) = bytes.split_first_chunk::<20>()?;
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let long = |at: usize| u32::from(word(at)) << 16 | u32::from(word(at + 2));
    let offset = usize::from(head[12] >> 4) * 4;
    let (options, data) = (bytes.get(20..offset)?, bytes.get(offset..)?);
    let bits = word(12) & 0xfff;
    let tcp = Tcp {
        psp: None,
        ports: Some((word(0), word(2))),
        flags: TcpFlags { bits, ace: false },
        seq: long(4),
        len: data.len() as u16,
        ack: (bits & 0x10 != 0).then(|| long(8)),
        window: Some(word(14)),
        urgent: Some(word(18)).filter(|_| bits & 0x20 != 0 || word(18) != 0),
        options: Some(options_of(options)?),
    };
    Some((tcp, data))
}

fn options_of(mut bytes: &[u8]) -> Option<Vec<TcpOption>> {
    let long = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let mut options = Vec::new();
    while let [kind, rest @ ..] = bytes {
        if *kind < 2 {
            options.push(if *kind == 0 { TcpOption::Eol } else { TcpOption::Nop });
            bytes = rest;
            continue;
        }
        let len = usize::from(*rest.first()?);
        let value = bytes.get(2..len)?;
        options.push(match (*kind, value) {
            (2, [a, b]) => TcpOption::Mss(u16::from_be_bytes([*a, *b])),
            (3, [shift]) => TcpOption::WindowScale(*shift),
            (4, []) => TcpOption::SackPermitted,
            (5, blocks) if blocks.len() % 8 == 0 => {
                TcpOption::Sack(blocks.chunks(8).map(|block| (long(block), long(&block[4..]))).collect())
            }
            (8, value) if value.len() == 8 => TcpOption::Timestamps { value: long(value), echo: long(&value[4..]) },
            (34, cookie) => TcpOption::FastOpen { cookie: cookie.to_vec(), experimental: false },
            (254, [0xf9, 0x89, cookie @ ..]) => TcpOption::FastOpen { cookie: cookie.to_vec(), experimental: true },
            (19, digest) => TcpOption::Md5(digest.to_vec()),
            (172 | 174, counters) if counters.len() % 3 == 0 => {
                let order = [EcnCounter::E0b, EcnCounter::Ceb, EcnCounter::E1b];
                let counter = |at: usize| if *kind == 172 { order[at % 3] } else { order[2 - at % 3] };
                let counts = counters.chunks(3).map(|count| u32::from_be_bytes([0, count[0], count[1], count[2]]));
                TcpOption::AccEcn(counts.enumerate().map(|(at, count)| (counter(at), count)).collect())
            }
            (_, _) => return None,
        });
        bytes = &bytes[len..];
    }
    Some(options)
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
        map.guess_last_ack(ack);
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

/// Is what was sent what was expected? `relaxed` overlooks what stacks may well do in different ways.
pub fn matches(expected: &Packet, sent: &Sent, relaxed: bool) -> bool {
    let joined = sent.segments > 1;
    let sent = &sent.packet;
    let ip = (expected.ip, sent.ip);
    let ecn = match ip.0.ecn {
        Some(Ecn::Ect01) => matches!(ip.1.ecn, Some(Ecn::Ect0 | Ecn::Ect1)),
        wanted => wanted.is_none() || wanted == ip.1.ecn,
    };
    let ip = ecn && (ip.0.tos.is_none() || ip.0.tos == ip.1.tos) && (ip.0.ttl.is_none() || ip.0.ttl == ip.1.ttl);
    ip && match (&expected.body, &sent.body) {
        (Body::Tcp(expected), Body::Tcp(sent)) => tcp_matches(expected, sent, relaxed, joined),
        (Body::Udp { ports: None, len }, Body::Udp { len: sent, .. }) => len == sent,
        (Body::Udp { ports, len }, Body::Udp { ports: sent, len: sent_len }) => ports == sent && len == sent_len,
        (Body::Icmp(expected), Body::Icmp(sent)) => {
            let number = |icmp: &Icmp| {
                let code = icmp.code.as_deref().map_or(Some(0), icmp_names::code_v4);
                (icmp_names::kind_v4(&icmp.kind), code)
            };
            number(expected) == number(sent) && (expected.id.is_none() || expected.id == sent.id)
        }
        (_, _) => false,
    }
}

/// `joined`: it was several segments. A stack that hands such a train to its device as one sets PSH on it (Linux does
/// so since 4.20, and did not before), whatever was written; segments by themselves know no trains.
fn tcp_matches(expected: &Tcp, sent: &Tcp, relaxed: bool, joined: bool) -> bool {
    const PSH: u16 = 0x008;
    let window = match expected.window {
        Some(window) if relaxed => sent.window.map(|sent| sent == 0) == Some(window == 0),
        Some(window) => sent.window == Some(window),
        None => true,
    };
    let options = match (&expected.options, &sent.options) {
        (Some(expected), Some(sent)) if relaxed => as_set(expected) == as_set(sent),
        (Some(expected), Some(sent)) => expected == sent,
        (_, _) => true,
    };
    let ports = expected.ports.is_none() || expected.ports == sent.ports;
    let numbers =
        (expected.seq, expected.len, expected.ack.unwrap_or(0)) == (sent.seq, sent.len, sent.ack.unwrap_or(0));
    let urgent = expected.urgent.unwrap_or(0) == sent.urgent.unwrap_or(0);
    let differs = (expected.flags.bits ^ sent.flags.bits) & if joined { !PSH } else { !0 };
    ports && differs == 0 && numbers && urgent && window && options
}

/// Without padding, in one order; sizes and shifts are a stack's own.
fn as_set(options: &[TcpOption]) -> Vec<String> {
    let real = options.iter().filter(|option| !matches!(option, TcpOption::Nop | TcpOption::Eol));
    let mut texts: Vec<String> = real
        .map(|option| match option {
            TcpOption::WindowScale(_) => "wscale".into(),
            option => option.to_string(),
        })
        .collect();
    texts.sort();
    texts
}

/// What is not compared is not shown either.
pub fn as_told(sent: &Packet, expected: &Packet) -> Packet {
    let mut told = sent.clone();
    let keep = expected.ip;
    told.ip = IpInfo {
        ecn: sent.ip.ecn.filter(|_| keep.ecn.is_some()),
        tos: sent.ip.tos.filter(|_| keep.tos.is_some()),
        flow_label: None,
        ttl: sent.ip.ttl.filter(|_| keep.ttl.is_some()),
    };
    if let (Body::Tcp(told), Body::Tcp(expected)) = (&mut told.body, &expected.body) {
        told.window = told.window.filter(|_| expected.window.is_some());
    }
    told
}
