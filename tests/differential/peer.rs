//! The peer by raw frames: it makes a script's segments from what an end has said, and reads what the end answers.

use crate::facts::Facts;
use crate::script::{Place, Script, Segment, Stamp, Step, letters};
use etherparse::{PacketBuilder, TcpHeader};
use strata::event::TcpState;
use strata::wire::tcp::{Flags, Header};
use strata::wire::tcp_options::{Options, Timestamps};
use strata::wire::{arp, ethernet, ipv4, protocol};

pub const END: [u8; 4] = [192, 0, 2, 1];
pub const END_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const PEER: [u8; 4] = [192, 0, 2, 2];
pub const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Not scaled.
const WINDOW: u16 = 20_000;
/// The peer's clock at the beginning; every step it goes on by [`TICKS`].
const CLOCK: u32 = 1_000_000;
pub const TICKS: u32 = 100;

/// The ports of one run of a script: the end's and the peer's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ports {
    pub end: u16,
    pub peer: u16,
}

/// One connection as the peer sees it.
pub struct Peer {
    script: Script,
    pub ports: Ports,
    /// The end's ISN, zero until it is known.
    isn: u32,
    /// The first sequence number that the end has not used.
    end_next: u32,
    /// The end's window as it was last told.
    left: u32,
    right: u32,
    scale: u8,
    timestamps: bool,
    last_stamp: u32,
    clock: u32,
    /// The number that others are counted from: the peer's ISN, or where it began anew.
    base: u32,
    /// The first number of the stream, counted from there.
    first: i32,
    /// The right edges that segments were placed by: the two ends' windows differ in size.
    edges: Vec<u32>,
    /// The last segment was.
    placed_by_edge: bool,
}

/// A TCP segment of the end's.
pub struct Reply {
    pub header: Header,
    pub len: u32,
}

impl Peer {
    pub fn new(script: Script, ports: Ports) -> Peer {
        let (isn, left, right) = (script.isn, script.isn, script.isn);
        Peer {
            script,
            ports,
            isn: 0,
            end_next: 0,
            left,
            right,
            scale: 0,
            timestamps: false,
            last_stamp: 0,
            clock: CLOCK,
            base: isn,
            first: 1,
            edges: Vec::new(),
            placed_by_edge: false,
        }
    }

    /// The frame of a segment.
    pub fn frame(&mut self, segment: &Segment) -> Vec<u8> {
        self.clock += TICKS;
        self.placed_by_edge = matches!(segment.place, Place::Right(_));
        self.edges.extend(self.placed_by_edge.then_some(self.right));
        let seq = self.place(segment);
        let flags = segment.flags;
        let mut tcp = TcpHeader::new(self.ports.peer, self.ports.end, seq, WINDOW);
        (tcp.syn, tcp.ack, tcp.fin) = (flags.syn(), flags.ack(), flags.fin());
        (tcp.rst, tcp.psh, tcp.urg) = (flags.rst(), flags.psh(), flags.urg());
        tcp.urgent_pointer = segment.urgent;
        if flags.ack() {
            tcp.acknowledgment_number = self.end_next.wrapping_add_signed(segment.ack.0);
        }
        tcp.set_options_raw(&self.options(segment).emit()).expect("fewer than 40 bytes");
        // The stream's bytes tell their places, so that what was read can be compared.
        let place = seq.wrapping_sub(self.base);
        let data: Vec<u8> = (0..u32::from(segment.len)).map(|at| (place.wrapping_add(at) % 251) as u8).collect();
        let mut bytes = Vec::new();
        let packet = PacketBuilder::ethernet2(PEER_MAC, END_MAC).ipv4(PEER, END, 64).tcp_header(tcp);
        packet.write(&mut bytes, &data).expect("a vector takes everything");
        bytes
    }

    fn place(&self, segment: &Segment) -> u32 {
        match segment.place {
            Place::Left(offset) => self.left.wrapping_add_signed(offset),
            Place::Right(offset) => self.right.wrapping_add_signed(offset),
        }
    }

    /// What is known before a step, of ours in `state`.
    pub fn facts(&self, state: TcpState, step: &Step) -> Facts {
        let mut facts =
            Facts { state, ack_is_too_old: false, ack_is_isn: false, fin: None, end: None, first: self.first };
        let Step::Segment(segment) = step else { return facts };
        if segment.flags.ack() {
            let ack = self.end_next.wrapping_add_signed(segment.ack.0);
            facts.ack_is_too_old = is_after(self.isn.wrapping_add(1), ack);
            facts.ack_is_isn = ack == self.isn;
        }
        let start = self.place(segment).wrapping_sub(self.base) as i32;
        let data_end = start + i32::from(segment.len);
        // What no end takes tells nothing of where the stream ends.
        if data_end >= self.first && start < 1 << 20 && !segment.flags.rst() && !segment.flags.syn() {
            facts.end = Some(data_end);
            facts.fin = segment.flags.fin().then_some(data_end);
        }
        facts
    }

    fn options(&self, segment: &Segment) -> Options {
        let (offer, syn) = (self.script.offer, segment.flags.syn());
        let value = match segment.stamp {
            Stamp::Present => Some(self.clock),
            Stamp::Missing => None,
            Stamp::Old => Some(self.clock - 100_000),
        };
        // RFC 7323 §3.2: the echo means something with ACK only; a SYN must not miss what it is to offer.
        let echo = if segment.flags.ack() { self.last_stamp } else { 0 };
        let wanted = if syn { offer.timestamps } else { self.timestamps };
        let value = if syn { Some(self.clock) } else { value };
        Options {
            mss: offer.mss.filter(|_| syn),
            window_scale: offer.window_scale.filter(|_| syn),
            sack_permitted: syn && offer.sack,
            timestamps: value.filter(|_| wanted).map(|value| Timestamps { value, echo }),
            ..Options::default()
        }
    }

    /// A reset that the end takes, so that it forgets the connection.
    pub fn farewell(&mut self) -> Vec<u8> {
        let segment = Segment {
            flags: Flags::RST,
            place: Place::Left(0),
            len: 0,
            ack: crate::script::Acknowledged(0),
            stamp: Stamp::Present,
            urgent: 0,
        };
        self.frame(&segment)
    }

    /// Learns what a reply says, and gives it as text.
    pub fn observe(&mut self, reply: &Reply) -> String {
        let header = &reply.header;
        let flags = header.flags;
        if flags.syn() {
            (self.isn, self.end_next) = (header.seq, header.seq);
            self.scale = header.options.window_scale.filter(|_| self.script.offer.window_scale.is_some()).unwrap_or(0);
            self.timestamps = header.options.timestamps.is_some() && self.script.offer.timestamps;
        }
        let text = self.text(reply);
        if flags.rst() {
            return text;
        }
        if flags.contains(Flags::SYN | Flags::ACK) {
            // Perhaps another connection: what is known of an old one's window is none of its.
            (self.left, self.right) = (header.ack, header.ack);
            if self.placed_by_edge {
                self.base = header.ack.wrapping_sub(1);
            }
            self.first = header.ack.wrapping_sub(self.base) as i32;
        }
        let next = header.seq.wrapping_add(reply.len + u32::from(flags.syn()) + u32::from(flags.fin()));
        if is_after(next, self.end_next) {
            self.end_next = next;
        }
        if let Some(stamps) = header.options.timestamps {
            self.last_stamp = stamps.value;
        }
        if flags.ack() {
            let scale = if flags.syn() { 0 } else { self.scale };
            let right = header.ack.wrapping_add(u32::from(header.window) << scale);
            self.left = if is_after(header.ack, self.left) { header.ack } else { self.left };
            self.right = if is_after(right, self.right) { right } else { self.right };
        }
        text
    }

    /// A number of the peer's: what is near a right edge that a segment was placed by is counted from there.
    fn name(&self, number: u32) -> String {
        let offsets = self.edges.iter().map(|edge| number.wrapping_sub(*edge) as i32);
        match offsets.min_by_key(|offset| offset.abs()) {
            Some(offset) if offset.abs() < 3000 => format!("right{offset:+}"),
            _ => (number.wrapping_sub(self.base) as i32).to_string(),
        }
    }

    fn text(&self, reply: &Reply) -> String {
        let header = &reply.header;
        let (flags, options) = (header.flags, &header.options);
        // RFC 9293 §3.10.7.1: the sequence number of a reset for what has no ACK is zero itself.
        let seq = if flags.rst() && flags.ack() && header.seq == 0 {
            "zero".into()
        } else {
            (header.seq.wrapping_sub(self.isn) as i32).to_string()
        };
        let mut text = format!("{} {seq}({})", letters(flags), reply.len);
        if flags.ack() {
            text += &format!(" ack {}", self.name(header.ack));
        }
        if header.window == 0 && !flags.rst() {
            text += " win 0";
        }
        if let Some(mss) = options.mss {
            text += &format!(" mss {mss}");
        }
        if options.sack_permitted {
            text += " sackOK";
        }
        if options.window_scale.is_some() {
            text += " wscale";
        }
        if let Some(stamps) = options.timestamps {
            text += &format!(" TS echo {}", stamps.echo.wrapping_sub(CLOCK) as i32);
        }
        for (left, right) in &options.sack {
            text += &format!(" sack {}:{}", self.name(*left), self.name(*right));
        }
        text
    }
}

pub fn is_after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

/// The peer's answer, where the frame is an ARP request for it.
pub fn answer_arp(bytes: &[u8]) -> Option<Vec<u8>> {
    let (frame, rest) = ethernet::Header::parse(bytes).ok()?;
    let (asked, _) = arp::Packet::parse(rest).ok().filter(|_| frame.ether_type == ethernet::ether_type::ARP)?;
    let for_us = asked.operation == arp::Operation::Request && asked.target_ip.octets() == PEER;
    for_us.then(|| {
        let head: &[&[u8]] = &[&asked.sender_mac.0, &PEER_MAC, &[8, 6], &[0, 1, 8, 0, 6, 4, 0, 2]];
        let tail: &[&[u8]] = &[&PEER_MAC, &PEER, &asked.sender_mac.0, &asked.sender_ip.octets()];
        [head, tail].concat().concat()
    })
}

/// The TCP segment to the peer in a frame, if it is one.
pub fn segment_in(bytes: &[u8]) -> Option<Reply> {
    let (frame, rest) = ethernet::Header::parse(bytes).ok()?;
    let (packet, _) = ipv4::Header::parse(rest).ok().filter(|_| frame.ether_type == ethernet::ether_type::IPV4)?;
    if packet.protocol != protocol::TCP || packet.destination.octets() != PEER {
        return None;
    }
    let segment = rest.get(packet.len()..usize::from(packet.total_length))?;
    let (header, data) = Header::parse(segment).expect("an end's headers are right");
    Some(Reply { header, len: data.len() as u32 })
}
