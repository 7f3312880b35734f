//! Each header in one line.

use super::sequence::{Flow, Relative, Sequences};
use crate::event::Layer;
use crate::probe::{LayerStep, Story};
use crate::wire::ethernet::ether_type;
use crate::wire::icmpv4::Message;
use crate::wire::{MacAddress, arp, ethernet, icmpv4, ipv4, protocol, tcp};
use std::fmt::Display;
use std::net::IpAddr;

pub(super) fn header(step: &LayerStep, story: &Story, sequences: &mut Sequences) -> String {
    match step.layer {
        Layer::Ethernet => parsed(ethernet::Header::parse(&step.header), |(header, _)| ethernet(&header)),
        Layer::Arp => parsed(arp::Packet::parse(&step.header), |(packet, _)| arp(&packet)),
        Layer::Ipv4 => parsed(ipv4::Header::parse(&step.header), |(header, _)| ipv4(&header)),
        Layer::Ipv6 => "IP version 6".into(),
        Layer::Icmp => parsed(icmpv4::Message::parse(&step.header), |(message, _)| icmp(&message)),
        Layer::Udp => match step.header.first_chunk() {
            Some(ports) => udp(*ports),
            None => format!("{} bytes", step.header.len()),
        },
        Layer::Tcp => parsed(tcp::Header::parse(&step.header), |(header, _)| {
            let relative = relative(&header, story, sequences);
            tcp(&header, relative)
        }),
    }
}

fn parsed<T>(result: Result<T, impl Display>, describe: impl FnOnce(T) -> String) -> String {
    result.map_or_else(|error| format!("malformed: {error}"), describe)
}

/// The segment's numbers counted from the first of its direction; absolute when its addresses are not known.
pub(super) fn relative(header: &tcp::Header, story: &Story, sequences: &mut Sequences) -> Relative {
    let Some((source, destination)) = addresses(story) else {
        return Relative { seq: header.seq, ack: header.ack };
    };
    let flow = Flow { source: (source, header.source_port), destination: (destination, header.destination_port) };
    sequences.relative(flow, header)
}

fn addresses(story: &Story) -> Option<(IpAddr, IpAddr)> {
    story.layers.iter().find_map(|step| match step.layer {
        Layer::Ipv4 => {
            let (header, _) = ipv4::Header::parse(&step.header).ok()?;
            Some((header.source.into(), header.destination.into()))
        }
        Layer::Ipv6 => {
            let address = |at: usize| {
                let octets: [u8; 16] = step.header.get(at..at + 16)?.try_into().ok()?;
                Some(IpAddr::from(octets))
            };
            Some((address(8)?, address(24)?))
        }
        Layer::Ethernet | Layer::Arp | Layer::Icmp | Layer::Udp | Layer::Tcp => None,
    })
}

fn ethernet(header: &ethernet::Header) -> String {
    let tags: String = header.tags.iter().map(|tag| format!(", VLAN {}", tag.vlan())).collect();
    let carried = match header.ether_type {
        ether_type::IPV4 => "IPv4".into(),
        ether_type::ARP => "ARP".into(),
        ether_type::IPV6 => "IPv6".into(),
        other => format!("type {other:#06x}"),
    };
    format!("{} -> {}{tags}, {carried}", header.source, mac(header.destination))
}

fn mac(address: MacAddress) -> String {
    if address.is_broadcast() { "broadcast".into() } else { address.to_string() }
}

fn arp(packet: &arp::Packet) -> String {
    match packet.operation {
        arp::Operation::Request if packet.sender_ip.is_unspecified() => {
            format!("probe: does anybody use {}?", packet.target_ip)
        }
        arp::Operation::Request if packet.sender_ip == packet.target_ip => {
            format!("announcement: {} is at {}", packet.sender_ip, packet.sender_mac)
        }
        arp::Operation::Request => format!("request: who has {}? tell {}", packet.target_ip, packet.sender_ip),
        arp::Operation::Reply => format!("reply: {} is at {}", packet.sender_ip, packet.sender_mac),
    }
}

fn ipv4(header: &ipv4::Header) -> String {
    let carried = match header.protocol {
        protocol::ICMP => "ICMP".into(),
        protocol::TCP => "TCP".into(),
        protocol::UDP => "UDP".into(),
        other => format!("protocol {other}"),
    };
    let fragment = match (header.fragment_offset, header.more_fragments) {
        (0, false) => String::new(),
        (offset, true) => format!(", fragment at {offset}"),
        (offset, false) => format!(", last fragment at {offset}"),
    };
    let length = if header.ends_with_frame() { ", ends with its frame" } else { "" };
    format!("{} -> {}, TTL {}, {carried}{fragment}{length}", header.source, header.destination, header.ttl)
}

fn icmp(message: &Message) -> String {
    match message {
        Message::EchoReply { id, sequence } => format!("echo reply id {id} seq {sequence}"),
        Message::EchoRequest { id, sequence } => format!("echo request id {id} seq {sequence}"),
        Message::DestinationUnreachable { code, mtu: 0 } => format!("destination unreachable, code {code}"),
        Message::DestinationUnreachable { code, mtu } => format!("destination unreachable, code {code}, MTU {mtu}"),
        Message::TimeExceeded { code } => format!("time exceeded, code {code}"),
        Message::ParameterProblem { code, pointer } => format!("parameter problem, code {code}, at byte {pointer}"),
        Message::Other { kind, code, .. } => format!("type {kind}, code {code}"),
    }
}

fn udp([a, b, c, d]: [u8; 4]) -> String {
    format!("{} -> {}", u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

fn tcp(header: &tcp::Header, relative: Relative) -> String {
    let mut line =
        format!("{} -> {} {} seq {}", header.source_port, header.destination_port, header.flags, relative.seq);
    if header.flags.ack() {
        line.push_str(&format!(" ack {}", relative.ack));
    }
    line.push_str(&format!(" win {}", header.window));
    line
}
