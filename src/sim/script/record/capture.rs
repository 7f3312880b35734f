//! The TCP connections of a capture.

use crate::probe::pcapng::{Captured, ETHERNET};
use crate::sim::script::decode::{ecn_of, segment, word};
use crate::sim::script::syntax::{Ecn, IpInfo, Tcp};
use crate::time::Instant;
use crate::wire::ethernet::{self, ether_type};
use crate::wire::{ipv4, protocol};
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

/// The longest packet of IPv4. What a capture has cut is filled up to its length, since content does not count.
const LONGEST: usize = 65_535;

const SYN: u16 = 0x002;
const ACK: u16 = 0x010;

/// Link types (LINKTYPE_...) of captures on what is no Ethernet.
mod link {
    pub const NULL: u16 = 0;
    pub const RAW: u16 = 101;
    pub const LOOP: u16 = 108;
    pub const LINUX_SLL: u16 = 113;
    pub const IPV4: u16 = 228;
    pub const LINUX_SLL2: u16 = 276;
}

/// A segment of a capture, its numbers those of the wire.
pub(super) struct Seen {
    pub at: Instant,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub ip: IpInfo,
    pub tcp: Tcp,
    /// It had options that the language has no words for.
    pub unknown_options: bool,
}

impl Seen {
    pub fn has(&self, flags: u16) -> bool {
        self.tcp.flags.bits & flags == flags
    }
}

/// A connection that begins in the capture, with all its segments.
pub(super) struct Connection {
    pub client: SocketAddr,
    pub server: SocketAddr,
    isn: u32,
    pub segments: Vec<Seen>,
}

impl Display for Connection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", self.client, self.server)
    }
}

/// All of them in the order of their SYNs, and how many frames of which kind are none of theirs.
pub(super) fn connections(frames: &[Captured]) -> (Vec<Connection>, BTreeMap<&'static str, usize>) {
    let (mut connections, mut left_out) = (Vec::<Connection>::new(), BTreeMap::new());
    let mut current: HashMap<(SocketAddr, SocketAddr), usize> = HashMap::new();
    for frame in frames {
        let seen = match read(frame) {
            Ok(seen) => seen,
            Err(what) => {
                *left_out.entry(what).or_default() += 1;
                continue;
            }
        };
        let pair = (seen.from.min(seen.to), seen.from.max(seen.to));
        let known = current.get(&pair).copied();
        let opens = seen.has(SYN) && !seen.has(ACK);
        // The same SYN once more, or one from the other side (RFC 9293 §3.5), belongs to what is under way.
        let again = known.is_some_and(|at| connections[at].client != seen.from || connections[at].isn == seen.tcp.seq);
        match known {
            Some(at) if !opens || again => connections[at].segments.push(seen),
            _ if opens => {
                current.insert(pair, connections.len());
                let (client, server, isn) = (seen.from, seen.to, seen.tcp.seq);
                connections.push(Connection { client, server, isn, segments: vec![seen] });
            }
            _ => *left_out.entry("of connections whose beginning is not in the capture").or_default() += 1,
        }
    }
    (connections, left_out)
}

/// The segment in a frame, or what the frame is instead.
fn read(frame: &Captured) -> Result<Seen, &'static str> {
    let packet = ip_packet(frame.link_type, &frame.bytes)?;
    let (header, payload) = ipv4::Header::parse(packet).map_err(|_| "broken")?;
    if header.is_fragment() {
        return Err("IP fragments");
    }
    match header.protocol {
        protocol::TCP => {}
        protocol::UDP => return Err("UDP"),
        protocol::ICMP => return Err("ICMP"),
        _ => return Err("of other protocols"),
    }
    let total = if header.ends_with_frame() { header.len() + payload.len() } else { header.total_length.into() };
    let len = total.checked_sub(header.len()).filter(|_| total <= LONGEST).ok_or("broken")?;
    let mut bytes = payload[..len.min(payload.len())].to_vec();
    let is_cut = frame.original_len as usize > frame.bytes.len();
    if bytes.len() < len && !is_cut {
        return Err("broken");
    }
    bytes.resize(len, 0);
    let unknown_options = blank_unknown(&mut bytes).ok_or("broken")?;
    let (tcp, _) = segment(&bytes).ok_or("broken")?;
    let (source_port, destination_port) = tcp.ports.ok_or("broken")?;
    let ecn = Some(ecn_of(header.traffic_class)).filter(|ecn| *ecn != Ecn::NotCapable);
    Ok(Seen {
        at: frame.at,
        from: SocketAddr::new(header.source.into(), source_port),
        to: SocketAddr::new(header.destination.into(), destination_port),
        ip: IpInfo { ecn, ..IpInfo::default() },
        tcp: Tcp { ports: None, ..tcp },
        unknown_options,
    })
}

/// What lies behind the header of the link.
fn ip_packet(link_type: u16, bytes: &[u8]) -> Result<&[u8], &'static str> {
    let typed = |kind: Option<&[u8]>| match kind.map(word) {
        Some(ether_type::IPV4) => Ok(()),
        Some(ether_type::IPV6) => Err("IPv6"),
        Some(ether_type::ARP) => Err("ARP"),
        Some(_) => Err("of other protocols"),
        None => Err("broken"),
    };
    let behind = |len: usize| bytes.get(len..).ok_or("broken");
    match link_type {
        ETHERNET => {
            let (header, packet) = ethernet::Header::parse(bytes).map_err(|_| "broken")?;
            typed(Some(&header.ether_type.to_be_bytes())).map(|()| packet)
        }
        link::LINUX_SLL => typed(bytes.get(14..16)).and_then(|()| behind(16)),
        link::LINUX_SLL2 => typed(bytes.get(..2)).and_then(|()| behind(20)),
        link::NULL | link::LOOP => match bytes.get(..4) {
            Some([2, 0, 0, 0] | [0, 0, 0, 2]) => behind(4),
            _ => Err("IPv6"),
        },
        link::RAW | link::IPV4 => match bytes.first().map(|first| first >> 4) {
            Some(6) => Err("IPv6"),
            _ => Ok(bytes),
        },
        _ => Err("of links that are neither Ethernet nor IP"),
    }
}

/// Puts NOPs in the place of options that the language has no words for. True when there were some; none when the
/// lengths are wrong.
fn blank_unknown(bytes: &mut [u8]) -> Option<bool> {
    let end = usize::from(*bytes.get(12)? >> 4) * 4;
    let (mut at, mut found) = (20, false);
    while at < end {
        let kind = *bytes.get(at)?;
        if kind < 2 {
            at += 1;
            continue;
        }
        let len = usize::from(*bytes.get(at + 1)?);
        let option = bytes.get_mut(at..at + len.max(2)).filter(|_| len >= 2 && at + len <= end)?;
        let known = match kind {
            2 => len == 4,
            3 => len == 3,
            4 => len == 2,
            5 => matches!(len, 10 | 18 | 26 | 34),
            8 => len == 10,
            19 => len == 18,
            34 => len % 2 == 0,
            172 | 174 => matches!(len, 5 | 8 | 11),
            _ => false,
        };
        if !known {
            option.fill(1);
            found = true;
        }
        at += len;
    }
    Some(found)
}
