//! ARP messages, in and out (RFC 826): what they teach the neighbour cache, and what we answer.

use super::Link;
use super::conflict::{self, Say};
use super::neighbours::Solicitation;
use crate::event::{Context, DropReason, Event, Layer, NeighbourMessage};
use crate::frame::{Frame, Payload};
use crate::wire::MacAddress;
use crate::wire::arp::{self, Operation, Packet};
use crate::wire::ethernet::ether_type;
use std::net::{IpAddr, Ipv4Addr};

impl Link {
    /// An ARP packet in a frame from `source`.
    pub(super) fn handle_arp(&mut self, cx: &mut Context<'_>, source: MacAddress, bytes: &[u8]) {
        let packet = match Packet::parse(bytes) {
            // RFC 1812 §3.3.2: nobody's hardware address is a group.
            Ok((packet, _)) if packet.sender_mac.is_unicast() => packet,
            Ok(_) | Err(_) => return drop_arp(cx, DropReason::MalformedArp),
        };
        cx.tell(|| Event::Stripped { layer: Layer::Arp, header: &bytes[..arp::LEN], payload: 0 });
        if packet.sender_mac == self.config.mac {
            // Our own words, come back.
            return drop_arp(cx, DropReason::NotForUs);
        }
        cx.tell(|| Event::NeighbourMessage { message: message_of(&packet), address: subject_of(&packet).into() });
        if let Some(defence) = self.claims.handle(cx, &packet) {
            self.say(cx, defence);
        }
        // ARP has no checksum: that the frame's source says the same is the only check on what is learned, and a
        // damaged answer would turn our packets away for half a minute. RFC 826 does not ask for it.
        if packet.sender_mac == source {
            self.learn_from(cx, &packet);
        }
        let to_us = self.claims.is_ours(packet.target_ip);
        match packet.operation {
            Operation::Request if to_us => self.answer(cx, &packet),
            Operation::Request | Operation::Reply if to_us || packet.sender_ip == packet.target_ip => {}
            Operation::Request | Operation::Reply => drop_arp(cx, DropReason::NotForUs),
        }
    }

    /// RFC 826: who is known is brought up to date; who is not is remembered only when the packet is for us.
    fn learn_from(&mut self, cx: &mut Context<'_>, packet: &Packet) {
        if !self.is_neighbour(packet.sender_ip) {
            return;
        }
        let (address, mac) = (IpAddr::V4(packet.sender_ip), packet.sender_mac);
        let to_us = self.claims.is_ours(packet.target_ip);
        let freed = match packet.operation {
            Operation::Reply if to_us => self.neighbours.handle_answer(cx, address, mac),
            Operation::Request | Operation::Reply => self.neighbours.handle_hint(cx, address, mac, to_us),
        };
        freed.into_iter().for_each(|frame| self.transmit(cx, mac, ether_type::IPV4, frame));
    }

    /// Could be a host on our link: in one of our prefixes, neither ours nor a broadcast.
    fn is_neighbour(&self, address: Ipv4Addr) -> bool {
        self.own.is_on_link(address) && !self.own.is_broadcast(address) && !self.own.is_ours(address.into())
    }

    fn answer(&mut self, cx: &mut Context<'_>, request: &Packet) {
        let reply = Packet {
            operation: Operation::Reply,
            sender_mac: self.config.mac,
            sender_ip: request.target_ip,
            target_mac: request.sender_mac,
            target_ip: request.sender_ip,
        };
        self.transmit_arp(cx, request.sender_mac, &reply);
    }

    /// Asks who has an address, or whether somebody still has it.
    pub(super) fn solicit(&mut self, cx: &mut Context<'_>, solicitation: Solicitation) {
        let IpAddr::V4(target_ip) = solicitation.address else { return };
        let Some(sender_ip) = self.source_for(target_ip) else { return };
        let request = Packet {
            operation: Operation::Request,
            sender_mac: self.config.mac,
            sender_ip,
            target_mac: solicitation.to.unwrap_or(MacAddress::UNSPECIFIED),
            target_ip,
        };
        self.transmit_arp(cx, solicitation.to.unwrap_or(MacAddress::BROADCAST), &request);
    }

    /// The address that we ask from: the one on the target's own prefix, if it may be used, else any.
    fn source_for(&self, target: Ipv4Addr) -> Option<Ipv4Addr> {
        let usable = || self.own_v4().filter(|own| self.claims.is_ours(own.addr()));
        usable().find(|own| own.contains(&target)).or_else(|| usable().next()).map(|own| own.addr())
    }

    pub(super) fn say(&mut self, cx: &mut Context<'_>, say: Say) {
        let packet = conflict::packet(say, self.config.mac);
        self.transmit_arp(cx, MacAddress::BROADCAST, &packet);
    }

    /// A frame of the link's own making.
    fn transmit_arp(&mut self, cx: &mut Context<'_>, destination: MacAddress, packet: &Packet) {
        let before = cx.about(None);
        let mut frame = Frame::new(cx.begin_frame(), Payload::default());
        packet.emit(|header| {
            frame.prepend(header);
            cx.tell(|| Event::Prepended { layer: Layer::Arp, header, payload: 0 });
        });
        cx.tell(|| Event::NeighbourMessage { message: message_of(packet), address: subject_of(packet).into() });
        self.transmit(cx, destination, ether_type::ARP, frame);
        cx.about(before);
    }
}

/// RFC 5227 §1.1 names the requests that ask for nobody else.
fn message_of(packet: &Packet) -> NeighbourMessage {
    if packet.sender_ip == packet.target_ip {
        return NeighbourMessage::Announcement;
    }
    match packet.operation {
        Operation::Request if packet.sender_ip.is_unspecified() => NeighbourMessage::Probe,
        Operation::Request => NeighbourMessage::Request,
        Operation::Reply => NeighbourMessage::Reply,
    }
}

/// Whose hardware address the message asks for or tells.
fn subject_of(packet: &Packet) -> Ipv4Addr {
    match packet.operation {
        Operation::Request => packet.target_ip,
        Operation::Reply => packet.sender_ip,
    }
}

fn drop_arp(cx: &mut Context<'_>, reason: DropReason) {
    cx.tell(|| Event::Dropped { layer: Layer::Arp, reason });
}
