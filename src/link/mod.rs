//! Ethernet in and out, and who is behind which hardware address.
//!
//! Up: [`Link::handle`] strips Ethernet (RFC 894, RFC 1042), looks past up to two 802.1Q tags, keeps ARP (RFC 826) to
//! itself and hands the rest [`Up`] to IP. Down: [`Link::send`] takes an IP packet for a neighbour, finds its hardware
//! address in the neighbour cache (RFC 4861 §7.3; one state machine, driven by ARP), and prepends Ethernet: at once,
//! or when the neighbour has answered. Group addresses need no answer: they map to hardware addresses directly.
//!
//! Our own addresses are announced on start, on wish probed for first, and defended (RFC 5227).
//!
//! Invariants: the cache, what waits in it, and what waits for the device are bounded; a neighbour is asked for once a
//! second at most (RFC 1122 §2.3.2.1); only a packet meant for us can make an entry.

mod addresses;
mod arp;
mod conflict;
mod neighbours;
#[cfg(test)]
mod tests;

pub use addresses::Addresses;
pub use neighbours::{Config as NeighbourConfig, Failure};

use crate::event::{Context, DropReason, Event, Layer};
use crate::frame::{Frame, Offload, Received};
use crate::time::{Instant, earliest};
use crate::wire::MacAddress;
use crate::wire::ethernet::{Header, ParseError, ether_type};
use conflict::Claims;
use ipnet::{IpNet, Ipv4Net};
use neighbours::Neighbours;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

/// What the link is told about its interface.
#[derive(Clone, Debug)]
pub struct Config {
    pub mac: MacAddress,
    /// Our addresses with their prefixes: what ARP answers for, and which destinations are broadcasts.
    pub addresses: Vec<IpNet>,
    /// Ask three times whether somebody has our address before using it (RFC 5227 §2.1); else announce at once.
    pub probe: bool,
    pub neighbours: NeighbourConfig,
    /// Frames that may wait to be polled for transmission.
    pub transmit_queue: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mac: MacAddress([0x02, 0, 0, 0, 0, 2]),
            addresses: Vec::new(),
            probe: false,
            neighbours: NeighbourConfig::default(),
            transmit_queue: 16_384,
        }
    }
}

/// What climbs to IP: the Ethernet payload, padding included.
#[derive(Clone, Copy, Debug)]
pub enum Up<'a> {
    Ipv4 {
        packet: &'a [u8],
        /// The frame was addressed to a group (broadcast or multicast).
        broadcast: bool,
        offload: Offload,
    },
    Ipv6 {
        packet: &'a [u8],
        broadcast: bool,
        offload: Offload,
    },
}

/// The link layer of one interface.
#[derive(Debug)]
pub struct Link {
    config: Config,
    own: Addresses,
    neighbours: Neighbours,
    claims: Claims,
    ready: VecDeque<Frame>,
}

impl Link {
    pub fn new(config: Config) -> Link {
        let own = config.addresses.iter().filter_map(as_v4).map(|own| own.addr());
        Link {
            neighbours: Neighbours::new(config.neighbours),
            claims: Claims::new(own, config.probe),
            ready: VecDeque::new(),
            own: Addresses::new(&config.addresses),
            config,
        }
    }

    pub fn mac(&self) -> MacAddress {
        self.config.mac
    }

    /// Announces our addresses, or begins to probe for them.
    pub fn start(&mut self, cx: &mut Context<'_>) {
        self.claims.start(cx);
        self.handle_timeout(cx);
    }

    /// Strips Ethernet; ARP ends here. What is thrown away is told.
    pub fn handle<'a>(&mut self, cx: &mut Context<'_>, frame: Received<'a>) -> Option<Up<'a>> {
        let (header, payload) = match self.check(frame.bytes) {
            Ok(checked) => checked,
            Err(reason) => {
                cx.tell(|| Event::Dropped { layer: Layer::Ethernet, reason });
                return None;
            }
        };
        let header_bytes = &frame.bytes[..header.len()];
        cx.tell(|| Event::Stripped { layer: Layer::Ethernet, header: header_bytes, payload: payload.len() });
        let (packet, broadcast, offload) = (payload, header.destination.is_multicast(), frame.offload);
        match header.ether_type {
            ether_type::IPV4 => Some(Up::Ipv4 { packet, broadcast, offload }),
            ether_type::IPV6 => Some(Up::Ipv6 { packet, broadcast, offload }),
            ether_type::ARP => {
                self.handle_arp(cx, header.source, payload);
                self.ask(cx);
                None
            }
            _ => {
                cx.tell(|| Event::Dropped { layer: Layer::Ethernet, reason: DropReason::UnknownEtherType });
                None
            }
        }
    }

    fn check<'a>(&self, bytes: &'a [u8]) -> Result<(Header, &'a [u8]), DropReason> {
        let (header, payload) = Header::parse(bytes).map_err(|error| match error {
            ParseError::TooShort { .. } => DropReason::FrameTooShort,
            ParseError::NoSnap { .. } => DropReason::UnknownEtherType,
        })?;
        let for_us = header.destination == self.config.mac || header.destination.is_multicast();
        if !for_us {
            return Err(DropReason::OtherHost);
        }
        if header.source.is_multicast() {
            return Err(DropReason::BadSource);
        }
        Ok((header, payload))
    }

    /// An IP packet is to go to a neighbour. True when its frame is complete and to go at once; false when it waits until
    /// the neighbour's hardware address is known, or was dropped.
    pub fn send(&mut self, cx: &mut Context<'_>, next_hop: IpAddr, frame: &mut Frame) -> bool {
        let before = cx.about(Some(frame.id()));
        let known = if !self.claims.are_settled() && source_of(frame).is_some_and(|source| !self.claims.is_ours(source))
        {
            cx.tell(|| Event::Dropped { layer: Layer::Ethernet, reason: DropReason::AddressUnsettled });
            None
        } else if let Some(mac) = self.group_mac(next_hop).or_else(|| self.neighbours.resolve(cx, next_hop)) {
            Some(mac)
        } else {
            self.neighbours.keep(cx, next_hop, frame.clone());
            self.ask(cx);
            None
        };
        if let Some(mac) = known {
            self.prepend(cx, mac, ether_type_of(next_hop), frame);
        }
        cx.about(before);
        known.is_some()
    }

    fn prepend(&self, cx: &mut Context<'_>, destination: MacAddress, ether_type: u16, frame: &mut Frame) {
        let payload = frame.len();
        Header { destination, source: self.config.mac, ether_type, ..Header::default() }.emit(|header| {
            frame.prepend(header);
            cx.tell(|| Event::Prepended { layer: Layer::Ethernet, header, payload });
        });
    }

    /// A complete frame waits for its turn.
    pub fn enqueue(&mut self, cx: &mut Context<'_>, frame: Frame) {
        if self.has_room(cx, &frame) {
            self.ready.push_back(frame);
        }
    }

    /// Completes a frame of the link's own, or one that has waited, and queues it.
    fn transmit(&mut self, cx: &mut Context<'_>, destination: MacAddress, ether_type: u16, mut frame: Frame) {
        if self.has_room(cx, &frame) {
            let before = cx.about(Some(frame.id()));
            self.prepend(cx, destination, ether_type, &mut frame);
            cx.about(before);
            self.ready.push_back(frame);
        }
    }

    fn has_room(&self, cx: &mut Context<'_>, frame: &Frame) -> bool {
        let room = self.ready.len() < self.config.transmit_queue;
        if !room {
            let before = cx.about(Some(frame.id()));
            cx.tell(|| Event::Dropped { layer: Layer::Ethernet, reason: DropReason::TransmitQueueFull });
            cx.about(before);
        }
        room
    }

    /// The hardware address of a group; none for a single host.
    fn group_mac(&self, address: IpAddr) -> Option<MacAddress> {
        match address {
            IpAddr::V4(v4) if self.own.is_broadcast(v4) => Some(MacAddress::BROADCAST),
            // RFC 1112 §6.4: the low 23 bits.
            IpAddr::V4(v4) if v4.is_multicast() => {
                let [_, b, c, d] = v4.octets();
                Some(MacAddress([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
            }
            // RFC 2464 §7: the low 32 bits.
            IpAddr::V6(v6) if v6.is_multicast() => {
                let [.., a, b, c, d] = v6.octets();
                Some(MacAddress([0x33, 0x33, a, b, c, d]))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }

    /// Frames ready for the device, in order. Does not tell [`FrameSent`](Event::FrameSent).
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    /// Neighbours that were given up, with what had waited for them.
    pub fn poll_failure(&mut self) -> Option<Failure> {
        self.neighbours.poll_failure()
    }

    /// An upper layer knows that its packets arrive there: an acknowledgement came (RFC 4861 §7.3.1).
    pub fn confirm(&mut self, cx: &mut Context<'_>, next_hop: IpAddr) {
        self.neighbours.confirm(cx, next_hop);
    }

    /// An upper layer hears nothing although it sends: is the neighbour still there? (RFC 1122 §2.3.2.1)
    pub fn doubt(&mut self, cx: &mut Context<'_>, next_hop: IpAddr) {
        self.neighbours.doubt(cx, next_hop);
        self.ask(cx);
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        earliest([self.neighbours.next_deadline(), self.claims.next_deadline()])
    }

    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        while let Some(say) = self.claims.poll_due(cx) {
            self.say(cx, say);
        }
        self.neighbours.handle_timeout(cx);
        self.ask(cx);
    }

    /// Sends what the neighbour cache wants to know.
    fn ask(&mut self, cx: &mut Context<'_>) {
        while let Some(solicitation) = self.neighbours.poll_solicitation() {
            self.solicit(cx, solicitation);
        }
    }

    fn own_v4(&self) -> impl Iterator<Item = Ipv4Net> {
        self.config.addresses.iter().filter_map(as_v4)
    }
}

fn as_v4(own: &IpNet) -> Option<Ipv4Net> {
    match own {
        IpNet::V4(own) => Some(*own),
        IpNet::V6(_) => None,
    }
}

fn ether_type_of(next_hop: IpAddr) -> u16 {
    match next_hop {
        IpAddr::V4(_) => ether_type::IPV4,
        IpAddr::V6(_) => ether_type::IPV6,
    }
}

/// The source address of the IPv4 packet in a frame that has no Ethernet header yet.
fn source_of(frame: &Frame) -> Option<Ipv4Addr> {
    crate::wire::ipv4::Header::parse(frame.headers()).ok().map(|(header, _)| header.source)
}
