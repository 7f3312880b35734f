//! The TCP sockets of a host: which segment belongs to which, which have something to send, and which want waking.

use super::deadlines::Deadlines;
use super::keyed::{CookieMint, Key};
use super::listeners::Handshakes;
use super::rest::RestQueue;
use super::socket::{Shape, is_unfolded};
use super::sockets::Sockets;
use super::time_waits::TimeWaits;
use super::{ClosedPort, ListenerId, SocketId, TcpId, TcpUsage};
use crate::event::{CloseReason, Context, DropReason, Event, FourTuple, Layer, SendReason, TcpEvent};
use crate::frame::Payload;
use crate::ip::{Outgoing, Packet};
use crate::random::Random;
use crate::tcp::fast_open::CookieJar;
use crate::tcp::listen::Listener;
use crate::tcp::{Arrival, Config, Memory, Opening, Outcome, Segment, emit};
use crate::time::{Instant, earliest};
use crate::wire::checksum::Sum;
use crate::wire::tcp::{Header, ParseError};
use crate::wire::{self, protocol};
use slotmap::SlotMap;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// What of a traffic class belongs to explicit congestion notification (RFC 3168 §5).
const ECN: u8 = 3;
/// Answers to segments that belong to no connection: how many may wait to be sent.
pub(super) const MAX_REPLIES: usize = 256;

/// A segment that no connection sends.
#[derive(Debug)]
struct Reply {
    tuple: FourTuple,
    header: Header,
    why: SendReason,
    ttl: u8,
    traffic_class: u8,
}

#[derive(Debug)]
pub(super) struct BoundListener {
    pub local: SocketAddr,
    pub listener: Listener<TcpId>,
}

#[derive(Debug)]
pub(super) struct TcpTable {
    pub(super) key: Key,
    pub(super) mint: CookieMint,
    pub(super) jar: CookieJar,
    /// The largest IP packet of our link: what we can receive.
    pub(super) mtu: usize,
    /// The longest IP packet that our device splits into segments by itself.
    pub(super) segmentation: Option<usize>,
    connection_limit: usize,
    memory_limit: usize,
    /// What the buffers of all connections hold, and what was last said of it.
    pub(super) memory_taken: usize,
    memory_told: Memory,
    pub(super) closed_port: ClosedPort,
    pub(super) sockets: Sockets,
    pub(super) listeners: SlotMap<ListenerId, BoundListener>,
    pub(super) by_port: BTreeMap<u16, Vec<ListenerId>>,
    pub(super) ready: VecDeque<TcpId>,
    pub(super) rest: RestQueue,
    pub(super) deadlines: Deadlines<TcpId>,
    pub(super) time_waits: TimeWaits,
    replies: VecDeque<Reply>,
    pub(super) handshakes: Handshakes,
    /// Peers of whom nothing was heard for long although something was sent.
    pub(super) doubted: VecDeque<IpAddr>,
    /// Paths that a connection has come to believe narrower, in bytes.
    pub(super) narrower: VecDeque<(IpAddr, u16)>,
    pub(super) wakeups: VecDeque<SocketId>,
    /// Another stack may have the connection that a segment belongs to; and the last one is for it to see.
    pub(super) has_others: bool,
    pub(super) stray: bool,
}

impl TcpTable {
    pub fn new(random: &mut Random, config: &super::Config) -> TcpTable {
        let key = Key::new(random);
        TcpTable {
            sockets: Sockets::new(key.clone()),
            rest: RestQueue::new(config.rest_after),
            listeners: SlotMap::with_key(),
            by_port: BTreeMap::new(),
            ready: VecDeque::new(),
            deadlines: Deadlines::default(),
            replies: VecDeque::new(),
            handshakes: Handshakes::default(),
            doubted: VecDeque::new(),
            narrower: VecDeque::new(),
            wakeups: VecDeque::new(),
            has_others: false,
            stray: false,
            time_waits: TimeWaits::new(key.clone(), config.time_wait_limit),
            mint: CookieMint::new(key.clone(), config.fast_open_key),
            jar: CookieJar::default(),
            key,
            mtu: config.mtu,
            segmentation: config.segmentation,
            connection_limit: config.connection_limit,
            memory_limit: config.tcp_memory_limit,
            memory_taken: 0,
            memory_told: Memory::default(),
            closed_port: config.closed_port,
        }
    }

    /// A packet whose protocol is TCP. True when a connection heard from its peer, so that the neighbour lives.
    pub fn handle(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, path_mtu: impl Fn(IpAddr) -> usize) -> bool {
        match parse(packet) {
            Ok(segment) => {
                let header = packet.payload.len() - segment.data.len();
                cx.tell(|| Event::Stripped {
                    layer: Layer::Tcp,
                    header: &packet.payload[..header],
                    payload: segment.data.len(),
                });
                let tuple = FourTuple {
                    local: (packet.destination, segment.header.destination_port).into(),
                    remote: (packet.source, segment.header.source_port).into(),
                };
                self.handle_segment(cx, tuple, segment, path_mtu)
            }
            Err(reason) => {
                cx.tell(|| Event::Dropped { layer: Layer::Tcp, reason });
                false
            }
        }
    }

    fn handle_segment(
        &mut self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        segment: Segment<'_>,
        path_mtu: impl Fn(IpAddr) -> usize,
    ) -> bool {
        let Some(id) = self.sockets.find(&tuple) else {
            if !self.handle_in_time_wait(cx, tuple, &segment, &path_mtu) {
                self.handle_without_connection(cx, tuple, &segment, path_mtu, None);
            }
            return false;
        };
        let memory = self.memory();
        match &mut self.socket(id).shape {
            Shape::Connection(connection) => {
                connection.set_memory(memory, cx.pool);
                let arrival = connection.handle_segment(cx, &segment);
                match arrival {
                    Arrival::NewIncarnation => self.begin_anew(cx, id, &segment, path_mtu),
                    Arrival::Handled | Arrival::Progress => self.touch(id),
                }
                arrival == Arrival::Progress
            }
            Shape::Opening(_) => self.handle_in_opening(cx, id, segment),
            Shape::Resting(_) => is_unfolded(),
            Shape::Failed { .. } => unreachable!("a failed opening leaves the directory"),
        }
    }

    /// True when the handshake is over, so that the neighbour lives.
    fn handle_in_opening(&mut self, cx: &mut Context<'_>, id: TcpId, segment: Segment<'_>) -> bool {
        // The handshake cannot complete while nobody accepts: the SYN,ACK will be sent again.
        let early = self.sockets[id].early_at.is_some();
        if segment.flags().ack() && !segment.flags().rst() && !early && self.accept_queue_is_full(id) {
            self.refuse_to_queue(cx, id, &segment);
            return false;
        }
        let socket = &mut self.sockets[id];
        let Shape::Opening(opening) = &mut socket.shape else { return false };
        let outcome = opening.handle_segment(cx, &segment);
        if let Outcome::Established(mut connection) = outcome {
            connection.set_super_frame(self.segmentation);
            opening.finish_closing(cx, &mut connection);
            connection.handle_rest(cx, segment);
            let (tuple, lesson) = (*opening.tuple(), opening.lesson());
            socket.shape = Shape::Connection(connection);
            self.learn(cx.now, &tuple, lesson);
            if early {
                self.early_opening_ended(cx.now, id, None);
            } else {
                self.queue_for_accept(id);
            }
            self.settle(id);
            true
        } else {
            self.conclude(cx, id, outcome);
            false
        }
    }

    fn refuse_to_queue(&mut self, cx: &mut Context<'_>, id: TcpId, segment: &Segment<'_>) {
        self.refuse(cx, DropReason::AcceptQueueFull);
        let (tuple, resets) = (self.tuple(id), self.config(id).reset_on_overflow);
        if let Some(header) = segment.reset_reply().filter(|_| resets) {
            self.reply(tuple, header, SendReason::AcceptQueueFull);
            self.fail(cx, id, CloseReason::Aborted);
        }
    }

    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        while let Some(id) = self.deadlines.take_due(cx.now) {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            socket.filed = None;
            match &mut self.socket(id).shape {
                Shape::Connection(connection) => {
                    connection.handle_timeout(cx);
                    self.settle(id);
                }
                Shape::Opening(opening) => {
                    let outcome = opening.handle_timeout(cx);
                    self.conclude(cx, id, outcome);
                }
                Shape::Resting(_) => is_unfolded(),
                Shape::Failed { .. } => {}
            }
        }
        self.end_time_waits(cx);
        self.fold_the_resting(cx);
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        earliest([self.deadlines.next(), self.time_waits.next_deadline(), self.rest.next_deadline()])
    }

    /// Makes `packet` the next segment of any socket; those that have much to send take turns. False when there is none.
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>, packet: &mut Outgoing) -> bool {
        if let Some(Reply { tuple, header, why, ttl, traffic_class }) = self.replies.pop_front() {
            packet.frame.begin(cx.begin_frame(), Payload::default());
            emit(cx, &mut packet.frame, &tuple, &header, why);
            address(packet, &tuple, (ttl, traffic_class));
            return true;
        }
        while let Some(id) = self.ready.pop_front() {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            let (sends, more) = match &mut socket.shape {
                Shape::Opening(opening) => (opening.poll_transmit(cx, &mut packet.frame), true),
                Shape::Connection(connection) if connection.may_have_something_to_send() => {
                    let sends = connection.poll_transmit(cx, &mut packet.frame);
                    (sends, connection.may_go_on_sending(cx.now))
                }
                Shape::Connection(_) | Shape::Resting(_) | Shape::Failed { .. } => (false, false),
            };
            if sends {
                let Config { ttl, traffic_class, .. } = *socket.config();
                address(packet, &socket.tuple(), (ttl, traffic_class));
            }
            if sends && more {
                self.ready.push_back(id);
                return true;
            }
            // What is left has to wait for something to happen.
            socket.ready = false;
            let released = socket.released;
            self.settle_asked(id);
            self.tell_memory(cx, id);
            if released {
                self.shrink_to_time_wait(cx, id);
            }
            if sends {
                return true;
            }
        }
        self.rest.date(cx.now);
        false
    }

    pub fn memory(&self) -> Memory {
        Memory::of(self.memory_taken, self.memory_limit)
    }

    /// Says so when the last change of `id` has made memory scarce, or plenty again.
    pub fn tell_memory(&mut self, cx: &mut Context<'_>, id: TcpId) {
        let (level, taken, limit) = (self.memory(), self.memory_taken, self.memory_limit);
        if level != self.memory_told
            && let Some(socket) = self.sockets.get(id)
        {
            self.memory_told = level;
            let connection = socket.tuple();
            let event = TcpEvent::Memory { level: level.name(), taken, limit };
            cx.tell(|| Event::Tcp { connection, event });
        }
    }

    pub fn usage(&self) -> TcpUsage {
        let (connections, time_waits) = (self.sockets.len(), self.time_waits.len());
        TcpUsage { connections, resting: self.rest.resting(), time_waits, memory: self.memory_taken }
    }

    /// There are as many connections as there may be.
    pub(super) fn is_crowded(&self) -> bool {
        self.sockets.len() >= self.connection_limit
    }

    /// Was the last segment for a connection that this stack does not have, and another may?
    pub fn take_stray(&mut self) -> bool {
        std::mem::take(&mut self.stray)
    }

    pub fn poll_wakeup(&mut self) -> Option<SocketId> {
        self.wakeups.pop_front()
    }

    pub(super) fn reply(&mut self, tuple: FourTuple, header: Header, why: SendReason) {
        let Config { ttl, traffic_class, .. } = Config::default();
        self.reply_as(tuple, header, why, (ttl, traffic_class));
    }

    pub(super) fn reply_as(&mut self, tuple: FourTuple, header: Header, why: SendReason, (ttl, class): (u8, u8)) {
        if self.replies.len() < MAX_REPLIES {
            self.replies.push_back(Reply { tuple, header, why, ttl, traffic_class: class });
        }
    }

    pub fn is_taken(&self, tuple: &FourTuple) -> bool {
        self.sockets.find(tuple).is_some() || self.time_waits.contains(tuple)
    }

    pub fn connect(&mut self, cx: &mut Context<'_>, tuple: FourTuple, config: Config, path_mtu: usize) -> TcpId {
        let opening = self.active_opening(cx, tuple, config, path_mtu);
        self.insert(Shape::Opening(opening), tuple, None)
    }

    pub(super) fn active_opening(
        &self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        config: Config,
        path_mtu: usize,
    ) -> Box<Opening> {
        let secrets = self.key.secrets(cx.now, &tuple);
        let mut opening = Opening::active(cx, tuple, config.into(), secrets, self.mtu);
        opening.handle_path_mtu(path_mtu);
        opening
    }
}

/// Strips the TCP header and verifies the checksum (RFC 9293 §3.1, MUST-3).
fn parse<'p>(packet: &'p Packet<'_>) -> Result<Segment<'p>, DropReason> {
    // RFC 9293 §3.9.2.3 (MUST-57): a broadcast is nobody's connection.
    if packet.broadcast {
        return Err(DropReason::NotUnicast);
    }
    let bytes = &packet.payload[..];
    if packet.verify_checksum() {
        let sum = Sum::pseudo_header(packet.source, packet.destination, protocol::TCP, bytes.len()).plus(bytes);
        if !sum.is_good() {
            return Err(DropReason::BadTcpChecksum);
        }
    }
    match wire::tcp::Header::parse(bytes) {
        Ok((header, data)) => {
            let packets = packet.segment_size.map_or(1, |size| data.len().div_ceil(size.get().into()).max(1) as u32);
            Ok(Segment { header, data, ecn: packet.traffic_class & ECN, packets })
        }
        Err(ParseError::Header { .. }) => Err(DropReason::MalformedTcp),
        // RFC 9293 §3.1 (MUST-7)
        Err(ParseError::Options(_)) => Err(DropReason::BadTcpOption),
    }
}

/// Says to IP where the segment in the packet's frame is to go, and how.
fn address(packet: &mut Outgoing, tuple: &FourTuple, (ttl, traffic_class): (u8, u8)) {
    (packet.source, packet.destination) = (tuple.local.ip(), tuple.remote.ip());
    (packet.protocol, packet.ttl) = (protocol::TCP, ttl);
    packet.traffic_class = match packet.frame.ecn {
        0 => traffic_class,
        ecn => traffic_class & !ECN | ecn,
    };
    // RFC 1191 §3: the path tells when a segment is too large.
    packet.dont_fragment = true;
}
