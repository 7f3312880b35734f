//! Packets of a script as bytes for the stack.

use super::Stop;
use super::mapping::Mapping;
use super::settings::Settings;
use crate::event::FourTuple;
use crate::sim::script::icmp_names;
use crate::sim::script::syntax::{Body, Ecn, EcnCounter, Icmp, IpInfo, Packet, Quote, Tcp, TcpOption};
use crate::wire::checksum::Sum;
use crate::wire::{icmpv4, ipv4, protocol, tcp};
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

/// The most data behind an IP header.
const MAX_PAYLOAD: usize = 65_515;

/// The most data of a super-frame, which has room for the headers beside it whatever its options.
const LONGEST_TRAIN: usize = 65_535 - 120;

/// The most data in a UDP datagram.
const MAX_DATAGRAM: u16 = 65_507;

/// A packet as a device hands it over.
pub struct Handed {
    pub bytes: Vec<u8>,
    /// It is a super-frame of segments with so much data each.
    pub segment_size: Option<NonZeroU16>,
}

impl Handed {
    fn plain(bytes: Vec<u8>) -> Handed {
        Handed { bytes, segment_size: None }
    }
}

/// The packets, in order: one, but for a line that is longer than a packet can be.
pub fn build(packet: &Packet, map: &mut Mapping, settings: &Settings, udp: bool) -> Result<Vec<Handed>, Stop> {
    if !packet.outer.is_empty() {
        return Err(Stop::unsupported("packets within packets"));
    }
    match &packet.body {
        Body::Tcp(tcp) => segments(tcp, packet.ip, map, settings),
        Body::Udp { ports, len } => {
            if *len > MAX_DATAGRAM {
                return Err(Stop::unsupported("a datagram that is longer than IPv4 allows"));
            }
            let tuple = match ports {
                Some((remote, local)) => map.with_ports(*local, *remote),
                None => map.tuple(),
            };
            let datagram = datagram(&tuple, usize::from(*len));
            Ok(vec![Handed::plain(in_ip(map, packet.ip, protocol::UDP, &datagram)?)])
        }
        Body::Icmp(icmp) => {
            let message = message(icmp, map, udp)?;
            Ok(vec![Handed::plain(in_ip(map, packet.ip, protocol::ICMP, &message)?)])
        }
    }
}

fn segments(tcp: &Tcp, ip: IpInfo, map: &mut Mapping, settings: &Settings) -> Result<Vec<Handed>, Stop> {
    if tcp.psp.is_some() {
        return Err(Stop::unsupported("PSP encapsulation"));
    }
    let tuple = match tcp.ports {
        Some((remote, local)) => map.with_ports(local, remote),
        None => map.tuple(),
    };
    map.select(tuple);
    map.pass(tcp.seq, tcp.seq.wrapping_add(u32::from(tcp.len) + u32::from(tcp.flags.bits & 1)));
    if tcp.flags.bits & 2 != 0 {
        map.learn_peer_scales(tcp.options.iter().flatten().any(|option| matches!(option, TcpOption::WindowScale(_))));
    }
    if tcp.flags.bits & 0x12 == 2 {
        map.learn_peer_isn(tcp.seq);
        // The connection that it asks for is the one under test from now on.
        map.tuple = Some(tuple);
    }
    // With `--mss` a long line is a train of segments that the device has put together, as a TUN does with an offload.
    let mss = settings.mss.and_then(NonZeroU16::new);
    let step = mss.map_or(usize::MAX, |mss| LONGEST_TRAIN - LONGEST_TRAIN % usize::from(mss.get()));
    let (mut packets, mut start, len) = (Vec::new(), 0, usize::from(tcp.len));
    loop {
        let piece = (len - start).min(step);
        let last = start + piece == len;
        let mut segment = Tcp { seq: tcp.seq.wrapping_add(start as u32), len: piece as u16, ..tcp.clone() };
        if !last {
            // What ends the data stands on its last piece.
            segment.flags.bits &= !0x009;
        }
        let bytes = segment_bytes(&segment, &tuple, map, settings)?;
        let segment_size = mss.filter(|mss| piece > usize::from(mss.get()));
        packets.push(Handed { bytes: in_ip(map, ip, protocol::TCP, &bytes)?, segment_size });
        start += piece;
        if last {
            return Ok(packets);
        }
    }
}

fn segment_bytes(segment: &Tcp, tuple: &FourTuple, map: &Mapping, settings: &Settings) -> Result<Vec<u8>, Stop> {
    let syn = segment.flags.bits & 2 != 0;
    let options = option_bytes(segment.options.as_deref().unwrap_or(&[]), map, settings, segment.flags.bits)?;
    let ack = segment.ack.map_or(0, |ack| map.to_live(ack, syn));
    let mut bytes = Vec::with_capacity(60 + usize::from(segment.len));
    bytes.extend_from_slice(&tuple.remote.port().to_be_bytes());
    bytes.extend_from_slice(&tuple.local.port().to_be_bytes());
    bytes.extend_from_slice(&segment.seq.to_be_bytes());
    bytes.extend_from_slice(&ack.to_be_bytes());
    let words = ((tcp::MIN_HEADER_LEN + options.len()) / 4) as u16;
    bytes.extend_from_slice(&(words << 12 | segment.flags.bits).to_be_bytes());
    bytes.extend_from_slice(&segment.window.unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&segment.urgent.unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(&options);
    bytes.resize(bytes.len() + usize::from(segment.len), 0);
    let pseudo = Sum::pseudo_header(map.remote.into(), map.local.into(), protocol::TCP, bytes.len());
    let checksum = pseudo.plus(&bytes).checksum();
    bytes[16..18].copy_from_slice(&checksum.to_be_bytes());
    Ok(bytes)
}

fn option_bytes(options: &[TcpOption], map: &Mapping, settings: &Settings, flags: u16) -> Result<Vec<u8>, Stop> {
    // RFC 7323 §3.2: without an acknowledgment there is nothing to be echoed.
    let (syn, echoes) = (flags & 2 != 0, flags & 0x10 != 0);
    let mut bytes = Vec::new();
    for option in options {
        match option {
            TcpOption::Nop => bytes.push(1),
            TcpOption::Eol => bytes.push(0),
            TcpOption::Mss(mss) => {
                bytes.extend_from_slice(&[2, 4]);
                bytes.extend_from_slice(&mss.to_be_bytes());
            }
            TcpOption::WindowScale(shift) => bytes.extend_from_slice(&[3, 3, *shift]),
            TcpOption::SackPermitted => bytes.extend_from_slice(&[4, 2]),
            TcpOption::Sack(blocks) => {
                bytes.extend_from_slice(&[5, 2 + 8 * blocks.len() as u8]);
                for (left, right) in blocks {
                    bytes.extend_from_slice(&map.to_live(*left, syn).to_be_bytes());
                    bytes.extend_from_slice(&map.to_live(*right, syn).to_be_bytes());
                }
            }
            TcpOption::Timestamps { value, echo } => {
                let tick = settings.timestamp_tick.filter(|_| settings.scale_echoes);
                let scaled = || map.scaled_timestamp(*echo, tick?);
                let plain = (*echo == 0 || !echoes).then_some(*echo);
                let live = map.timestamp(*echo).or(plain).or_else(scaled).ok_or_else(|| {
                    Stop::failed(format!("a packet of the stack with TS val {echo} before this one"), "none")
                })?;
                bytes.extend_from_slice(&[8, 10]);
                bytes.extend_from_slice(&value.to_be_bytes());
                bytes.extend_from_slice(&live.to_be_bytes());
            }
            TcpOption::FastOpen { cookie, experimental: false } => {
                bytes.extend_from_slice(&[34, 2 + cookie.len() as u8]);
                bytes.extend_from_slice(cookie);
            }
            TcpOption::FastOpen { cookie, experimental: true } => {
                bytes.extend_from_slice(&[254, 4 + cookie.len() as u8, 0xf9, 0x89]);
                bytes.extend_from_slice(cookie);
            }
            TcpOption::Md5(digest) => {
                bytes.extend_from_slice(&[19, 2 + digest.len() as u8]);
                bytes.extend_from_slice(digest);
            }
            TcpOption::AccEcn(counters) => {
                // RFC 9768 §3.2.3: kind 172 begins with e0b, 174 with e1b.
                let kind = if counters.first().is_some_and(|(first, _)| *first == EcnCounter::E1b) { 174 } else { 172 };
                bytes.extend_from_slice(&[kind, 2 + 3 * counters.len() as u8]);
                counters.iter().for_each(|(_, count)| bytes.extend_from_slice(&count.to_be_bytes()[1..]));
            }
        }
    }
    Ok(bytes)
}

fn datagram(tuple: &FourTuple, len: usize) -> Vec<u8> {
    let length = 8 + len as u16;
    let mut bytes = Vec::new();
    for field in [tuple.remote.port(), tuple.local.port(), length, 0] {
        bytes.extend_from_slice(&field.to_be_bytes());
    }
    bytes.resize(usize::from(length), 0);
    let pseudo = Sum::pseudo_header(tuple.remote.ip(), tuple.local.ip(), protocol::UDP, bytes.len());
    let checksum = match pseudo.plus(&bytes).checksum() {
        0 => 0xffff,
        checksum => checksum,
    };
    bytes[6..8].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn message(icmp: &Icmp, map: &mut Mapping, udp: bool) -> Result<Vec<u8>, Stop> {
    let Some(kind) = icmp_names::kind_v4(&icmp.kind) else { return Err(Stop::unsupported("ICMPv6")) };
    let code = match &icmp.code {
        None => 0,
        Some(code) => icmp_names::code_v4(code).ok_or_else(|| Stop::unsupported("ICMPv6"))?,
    };
    let ([a, b], [c, d]) =
        (icmp.id.unwrap_or(0).to_be_bytes(), (icmp.mtu.unwrap_or(0).min(0xffff) as u16).to_be_bytes());
    let header = icmpv4::Message::Other { kind, code, rest: [a, b, c, d] };
    let data = match icmp.quote {
        Some(Quote::Raw { len }) => vec![0; usize::from(len)],
        Some(Quote::Tcp { seq, len }) => quoted_segment(map, seq, len),
        Some(Quote::Udp { len }) => quoted_datagram(map, len),
        None if !icmpv4::is_error(kind) => Vec::new(),
        None if udp => quoted_datagram(map, 0),
        None => quoted_segment(map, 0, 0),
    };
    Ok(header.emit(&data, |header| [header, &data].concat()))
}

fn quoted_segment(map: &mut Mapping, seq: u32, len: u16) -> Vec<u8> {
    let (tuple, seq) = (map.tuple(), map.to_live(seq, false));
    let ports = [tuple.local.port().to_be_bytes(), tuple.remote.port().to_be_bytes()].concat();
    let start = [&ports[..], &seq.to_be_bytes()].concat();
    quoted(map, protocol::TCP, 20 + usize::from(len), &start)
}

fn quoted_datagram(map: &mut Mapping, len: u16) -> Vec<u8> {
    let tuple = map.tuple();
    let length = len.saturating_add(8);
    let words = [tuple.local.port(), tuple.remote.port(), length, 0];
    let start: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    quoted(map, protocol::UDP, usize::from(length), &start)
}

/// The header of a packet of ours and its first eight bytes.
fn quoted(map: &Mapping, protocol: u8, len: usize, start: &[u8]) -> Vec<u8> {
    let header = header(map.local, map.remote, protocol, len, IpInfo::default());
    header.emit(|header| [header, start].concat())
}

fn header(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, len: usize, ip: IpInfo) -> ipv4::Header {
    let ecn = match ip.ecn {
        None | Some(Ecn::NotCapable) => 0,
        Some(Ecn::Ect1) => 1,
        Some(Ecn::Ect0 | Ecn::Ect01) => 2,
        Some(Ecn::Congestion) => 3,
    };
    ipv4::Header {
        traffic_class: ip.tos.unwrap_or(0) | ecn,
        total_length: (20 + len).min(0xffff) as u16,
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: ip.ttl.unwrap_or(255),
        protocol,
        source,
        destination,
        options: Default::default(),
    }
}

fn in_ip(map: &Mapping, ip: IpInfo, protocol: u8, payload: &[u8]) -> Result<Vec<u8>, Stop> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Stop::unsupported("a packet that is longer than IPv4 allows (--mss=N splits it)"));
    }
    Ok(header(map.remote, map.local, protocol, payload.len(), ip).emit(|header| [header, payload].concat()))
}

/// The RST that ends the connection under test when its script is over.
pub fn farewell(map: &mut Mapping) -> Option<Handed> {
    let tuple = map.tuple?;
    map.select(tuple);
    let seq = map.last_ack();
    let header = tcp::Header {
        source_port: tuple.remote.port(),
        destination_port: tuple.local.port(),
        seq,
        flags: tcp::Flags::RST,
        ..tcp::Header::default()
    };
    let pseudo = Sum::pseudo_header(map.remote.into(), map.local.into(), protocol::TCP, 20);
    let bytes = header.emit(|bytes| {
        let checksum = pseudo.plus(bytes).checksum();
        bytes[tcp::CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        bytes.to_vec()
    });
    in_ip(map, IpInfo::default(), protocol::TCP, &bytes).ok().map(Handed::plain)
}
