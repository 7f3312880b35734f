//! The layers of a host, joined: who is handed what on the way up, and in which order they may send on the way down.

use super::ping::PingTable;
use super::share::Strays;
use super::tcp::TcpTable;
use super::udp::UdpTable;
use super::{Config, SocketId, UdpId};
use crate::event::{Context, DropReason, Event, FourTuple, Layer};
use crate::frame::{Frame, Received};
use crate::icmp::{self, Disposition, Icmp, Quoted};
use crate::ip::{self, Ip, NetworkError, Outgoing, Packet, Problem, SendError};
use crate::link::{self, Link};
use crate::random::Random;
use crate::tcp::Seq;
use crate::time::{Instant, earliest};
use crate::udp;
use crate::wire::{MacAddress, protocol};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// How many packets that are not TCP's may wait for the device: as many as one batch can bring about.
const MAX_OUTGOING: usize = 1024;

#[derive(Debug)]
pub(super) struct Layers {
    pub link: Link,
    pub ip: Ip,
    pub icmp: Icmp,
    pub tcp: TcpTable,
    pub udp: UdpTable,
    pub ping: PingTable,
    pub strays: Strays,
    /// Datagrams, echo messages and errors, on their way down.
    outgoing: VecDeque<Outgoing>,
    /// The one that is on its way down: it is not moved until its frame is complete.
    packet: Outgoing,
}

impl Layers {
    pub fn new(config: &Config, random: &mut Random) -> Layers {
        let routes = config.gateway.map(|gateway| ip::Route {
            prefix: if gateway.is_ipv4() { "0.0.0.0/0" } else { "::/0" }.parse().expect("the shortest prefix"),
            gateway: Some(gateway),
        });
        let ip = ip::Config {
            addresses: config.addresses.clone(),
            routes: routes.into_iter().collect(),
            mtu: config.mtu,
            identifications: (config.share.index, config.share.count),
            ..ip::Config::default()
        };
        let link = link::Config {
            mac: MacAddress(config.mac),
            addresses: config.addresses.clone(),
            ..link::Config::default()
        };
        Layers {
            link: Link::new(link),
            ip: Ip::new(ip, random),
            icmp: Icmp::new(icmp::Config::default()),
            tcp: TcpTable::new(random, config),
            udp: UdpTable::new(random, config.share),
            ping: PingTable::new(config.share),
            strays: Strays::new(config.share),
            outgoing: VecDeque::new(),
            packet: Outgoing::default(),
        }
    }

    /// A frame climbs.
    pub fn handle(&mut self, cx: &mut Context<'_>, frame: Received<'_>) {
        self.share_arp(frame.bytes);
        if let Some(up) = self.link.handle(cx, frame)
            && let Some(packet) = self.ip.handle(cx, up)
        {
            self.handle_packet(cx, &packet);
        }
        self.answer_problems(cx);
    }

    pub(super) fn handle_packet(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>) {
        match packet.protocol {
            protocol::TCP => {
                let (ip, now) = (&self.ip, cx.now);
                self.tcp.has_others = self.strays.has_others();
                if self.tcp.handle(cx, packet, |remote| ip.mtu_for(now, remote)) {
                    self.confirm_neighbour(cx, packet);
                }
                self.pass_on_segment(packet);
            }
            protocol::UDP => {
                if !self.udp.handle(cx, packet) {
                    self.refuse_datagram(cx, packet);
                }
            }
            protocol::ICMP => self.handle_icmp(cx, packet),
            _ => {
                cx.tell(|| Event::Dropped { layer: Layer::Ipv4, reason: DropReason::UnknownProtocol });
                self.send_error(cx, packet, NetworkError::ProtocolUnreachable);
            }
        }
    }

    fn handle_icmp(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>) {
        match self.icmp.handle(cx, packet) {
            Disposition::Reply(reply) => {
                self.enqueue(reply);
            }
            Disposition::EchoReply(reply) => {
                if !self.ping.handle_reply(cx.now, &reply) {
                    self.is_stray(packet);
                }
            }
            Disposition::Error(quoted) => {
                if !self.hand_up_error(cx, &quoted, quoted.error.is_hard()) {
                    if self.is_stray(packet) {
                        return;
                    }
                    cx.tell(|| Event::Dropped { layer: Layer::Icmp, reason: DropReason::UnmatchedIcmpError });
                } else if let NetworkError::FragmentationNeeded { mtu } = quoted.error
                    && quoted.protocol != protocol::TCP
                {
                    self.ip.handle_path_mtu(cx, quoted.destination, usize::from(mtu));
                }
                self.take_narrower_paths(cx);
            }
            Disposition::None => {}
        }
    }

    /// RFC 9293 §3.9.2.2 (MUST-54): to the socket whose packet is quoted. False when there is none.
    fn hand_up_error(&mut self, cx: &mut Context<'_>, quoted: &Quoted<'_>, hard: bool) -> bool {
        if quoted.protocol == protocol::ICMP {
            return self.ping.handle_error(cx.now, quoted.from, quoted.transport, quoted.error)
                || !self.strays.has_others();
        }
        let (source, destination) = quoted.ports();
        let local = SocketAddr::from((quoted.source, source));
        let remote = SocketAddr::from((quoted.destination, destination));
        match (quoted.protocol, quoted.transport) {
            (protocol::TCP, [_, _, _, _, a, b, c, d, ..]) => {
                let seq = Seq(u32::from_be_bytes([*a, *b, *c, *d]));
                self.tcp.handle_error(cx, &FourTuple { local, remote }, seq, quoted.error, hard)
            }
            (protocol::UDP, _) => self.udp.handle_error(local, remote, quoted.error),
            (_, _) => false,
        }
    }

    /// RFC 4861 §7.3.1: a connection that makes progress knows that the neighbour on the way lives.
    fn confirm_neighbour(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>) {
        if let Some(next_hop) = self.ip.next_hop(packet.source) {
            self.link.confirm(cx, next_hop);
        }
    }

    pub(super) fn send_error(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, error: NetworkError) {
        if let Some(message) = self.icmp.error(cx, packet, error) {
            self.enqueue(message);
        }
    }

    fn answer_problems(&mut self, cx: &mut Context<'_>) {
        while let Some((packet, problem)) = self.ip.poll_problem() {
            let error = match problem {
                Problem::ReassemblyTimeout => NetworkError::ReassemblyTimeExceeded,
                Problem::Parameter { pointer } => NetworkError::ParameterProblem { pointer },
            };
            self.send_error(cx, &packet, error);
        }
    }

    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        self.link.handle_timeout(cx);
        self.ip.handle_timeout(cx);
        self.tcp.handle_timeout(cx);
        // RFC 9293 §3.8.3 (MUST-20): nothing came back three times.
        while let Some(remote) = self.tcp.doubted.pop_front() {
            if let Some(next_hop) = self.ip.next_hop(remote) {
                self.link.doubt(cx, next_hop);
            }
        }
        self.take_narrower_paths(cx);
        self.answer_problems(cx);
        self.report_failures(cx);
    }

    /// RFC 5927 §7.2: what a connection believes, and not before, is for all to know.
    fn take_narrower_paths(&mut self, cx: &mut Context<'_>) {
        while let Some((destination, mtu)) = self.tcp.narrower.pop_front() {
            self.ip.handle_path_mtu(cx, destination, usize::from(mtu));
        }
    }

    /// What waited for a neighbour that does not answer: its senders hear of it (RFC 1122 §2.4). We know that by
    /// ourselves and need believe nobody, so that an opening ends at once, as on Linux (RFC 5461 §4.1).
    fn report_failures(&mut self, cx: &mut Context<'_>) {
        while let Some(failure) = self.link.poll_failure() {
            self.ip.handle_neighbour_failure(cx, failure.address);
            for frame in &failure.frames {
                if let Some(quoted) = icmp::quoted_from_frame(frame, NetworkError::HostUnreachable) {
                    self.hand_up_error(cx, &quoted, true);
                }
            }
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        earliest([self.link.next_deadline(), self.ip.next_deadline(), self.tcp.next_deadline()])
    }

    /// True when there was room.
    pub fn enqueue(&mut self, packet: Outgoing) -> bool {
        let room = self.has_room();
        if room {
            self.outgoing.push_back(packet);
        }
        room
    }

    /// A socket writes a datagram where it waits for its turn, if there is room.
    pub fn send_datagram(
        &mut self,
        id: UdpId,
        write: impl FnOnce(&mut udp::Socket, &Ip, &mut Outgoing) -> Result<(), udp::SendError>,
    ) -> Result<(), udp::SendError> {
        if !self.has_room() {
            return Err(udp::SendError::WouldBlock);
        }
        let place = self.outgoing.len();
        self.outgoing.resize_with(place + 1, Outgoing::default);
        write(self.udp.socket_mut(id), &self.ip, &mut self.outgoing[place])
            .inspect_err(|_| self.outgoing.truncate(place))
    }

    pub fn has_room(&self) -> bool {
        self.outgoing.len() < MAX_OUTGOING
    }

    /// The next frame for the device: what the link has ready, then what waits, then what TCP decides to send.
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Option<Frame> {
        loop {
            if let Some(frame) = self.link.poll_transmit() {
                leaves(cx, &frame);
                return Some(frame);
            }
            match self.outgoing.pop_front() {
                Some(waiting) => self.packet = waiting,
                None if self.tcp.poll_transmit(cx, &mut self.packet) => {}
                None => return None,
            }
            let packet = &mut self.packet;
            cx.about(Some(packet.frame.id()));
            match self.ip.send(cx, packet, &mut self.link) {
                Ok(true) => {
                    leaves(cx, &packet.frame);
                    return Some(packet.frame.take());
                }
                Err(SendError::FragmentationNeeded { mtu, .. }) => {
                    if let Some(tuple) = transport_ports(packet) {
                        self.tcp.handle_too_large(&tuple, mtu);
                    }
                }
                Ok(false) | Err(SendError::NoRoute { .. } | SendError::TooLong { .. }) => {}
            }
            drop(packet.frame.take());
        }
    }

    pub fn poll_wakeup(&mut self) -> Option<SocketId> {
        self.tcp.poll_wakeup().or_else(|| self.udp.poll_wakeup()).or_else(|| self.ping.poll_wakeup())
    }
}

fn leaves(cx: &mut Context<'_>, frame: &Frame) {
    cx.about(Some(frame.id()));
    cx.tell(|| Event::FrameSent { frame });
}

/// The connection that a TCP segment belongs to, read off its header, which is the first as long as IP has not sent it.
fn transport_ports(packet: &Outgoing) -> Option<FourTuple> {
    let [a, b, c, d, ..] = *packet.frame.headers() else { return None };
    (packet.protocol == protocol::TCP).then(|| FourTuple {
        local: (packet.source, u16::from_be_bytes([a, b])).into(),
        remote: (packet.destination, u16::from_be_bytes([c, d])).into(),
    })
}
