//! A whole stack against a peer of raw frames, in virtual time.

mod memory;
mod neighbour;
mod rest;
mod share;
mod time_wait;

use super::{Config, Stack};
use crate::event::{Event, Observer, Record, TcpEvent};
use crate::frame::{Offload, Received};
use crate::time::Instant;
use crate::wire::tcp::{Flags, Header};
use crate::wire::tcp_options::Options;
use crate::wire::{arp, ethernet, ipv4};
use etherparse::{PacketBuilder, TcpHeader};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// The words of the TCP events that were told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Observer for Told {
    fn observe(&mut self, record: &Record<'_>) {
        let text = match record.event {
            Event::Tcp { event: TcpEvent::State { from, to, why }, .. } => format!("{from} -> {to}: {why}"),
            Event::Tcp { event: TcpEvent::TimerFired { timer, .. }, .. } => format!("{timer} fired"),
            Event::Neighbour { from, to, why, .. } => format!("neighbour {from} -> {to}: {why}"),
            Event::Tcp { event: TcpEvent::Memory { level, .. }, .. } => format!("memory is {level}"),
            Event::Tcp { event: TcpEvent::TimerStopped { timer }, .. } => format!("{timer} stopped"),
            Event::Dropped { reason, .. } => reason.text().to_owned(),
            _ => return,
        };
        self.0.lock().expect("nobody panics with it").push(text);
    }
}

struct Wire {
    stack: Stack,
    now: Instant,
    told: Told,
}

/// Flags, sequence and acknowledgement number of a segment.
type Brief = (Flags, u32, u32);

impl Wire {
    fn new(config: Config) -> Wire {
        let (mut stack, told) = (Stack::new(config, 7), Told::default());
        stack.set_observer(Some(Box::new(told.clone())));
        let now = Instant::from_secs(1000);
        stack.start(now);
        let mut wire = Wire { stack, now, told };
        wire.out();
        wire
    }

    /// What was told since the last time.
    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.0.lock().expect("nobody panics with it"))
    }

    /// A segment from `from` to one of our ports; gives the answers.
    fn segment(&mut self, from: SocketAddr, to: u16, brief: Brief, options: &Options, data: &[u8]) -> Vec<Header> {
        let (flags, seq, ack) = brief;
        let mut tcp = TcpHeader::new(from.port(), to, seq, 10_000);
        (tcp.syn, tcp.ack, tcp.fin, tcp.rst) = (flags.syn(), flags.ack(), flags.fin(), flags.rst());
        tcp.acknowledgment_number = ack;
        tcp.set_options_raw(&options.emit()).expect("fewer than 40 bytes");
        let SocketAddr::V4(from) = from else { panic!("an IPv4 address") };
        let mut bytes = Vec::new();
        let packet = PacketBuilder::ethernet2(PEER_MAC, MAC).ipv4(from.ip().octets(), OURS.octets(), 64);
        packet.tcp_header(tcp).write(&mut bytes, data).expect("a vector takes everything");
        self.stack.handle_frame(self.now, Received { bytes: &bytes, offload: Offload::default() });
        self.out()
    }

    /// All TCP segments that leave now; every ARP request is answered.
    fn out(&mut self) -> Vec<Header> {
        let mut headers = Vec::new();
        while let Some(frame) = self.stack.poll_transmit(self.now) {
            let bytes = frame.to_vec();
            let (header, rest) = ethernet::Header::parse(&bytes).expect("our own frames parse");
            if header.ether_type == ethernet::ether_type::ARP {
                self.answer_arp(rest);
            } else {
                let (packet, _) = ipv4::Header::parse(rest).expect("our own packets parse");
                let segment = &rest[packet.len()..packet.total_length.into()];
                headers.push(Header::parse(segment).expect("our own segments parse").0);
            }
        }
        headers
    }

    fn answer_arp(&mut self, request: &[u8]) {
        let (asked, _) = arp::Packet::parse(request).expect("our own requests parse");
        if asked.target_ip == OURS {
            return;
        }
        let head: &[&[u8]] = &[&MAC, &PEER_MAC, &[8, 6], &[0, 1, 8, 0, 6, 4, 0, 2], &PEER_MAC];
        let tail: &[&[u8]] = &[&asked.target_ip.octets(), &MAC, &OURS.octets()];
        let bytes = [head, tail].concat().concat();
        self.stack.handle_frame(self.now, Received { bytes: &bytes, offload: Offload::default() });
    }

    /// Time passes; gives what is sent meanwhile.
    fn wait(&mut self, span: Duration) -> Vec<Header> {
        let end = self.now + span;
        let mut headers = self.out();
        while let Some(next) = self.stack.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.stack.handle_timeout(self.now);
            headers.extend(self.out());
        }
        self.now = end;
        headers
    }
}

/// A peer on the link.
fn peer(host: u8, port: u16) -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, host), port).into()
}
