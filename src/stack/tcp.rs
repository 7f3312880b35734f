//! The TCP sockets of a host: which segment belongs to which, which have something to send, and which want waking.

use super::deadlines::Deadlines;
use super::keyed::{CookieMint, Key};
use super::listeners::Handshakes;
use super::time_wait::{Former, TimeWaits};
use super::{ClosedPort, ListenerId, SocketId, TcpId, TcpUsage};
use crate::event::{CloseReason, Context, DropReason, Event, FourTuple, Layer, SendReason, TcpEvent, TcpState};
use crate::frame::Payload;
use crate::ip::{MIN_PATH_MTU, NetworkError, Outgoing, Packet};
use crate::random::Random;
use crate::tcp::fast_open::{CookieJar, Lesson};
use crate::tcp::listen::Listener;
use crate::tcp::{Arrival, Config, Connection, Memory, Opening, Outcome, Segment, Seq, emit};
use crate::time::Instant;
use crate::wire::checksum::Sum;
use crate::wire::tcp::{Header, ParseError};
use crate::wire::{self, protocol};
use slotmap::SlotMap;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What of a traffic class belongs to explicit congestion notification (RFC 3168 §5).
const ECN: u8 = 3;
/// Answers to segments that belong to no connection: how many may wait to be sent.
const MAX_REPLIES: usize = 256;

/// What a socket is at the moment.
#[derive(Debug)]
pub(super) enum Shape {
    Opening(Box<Opening>),
    Connection(Box<Connection>),
    /// The handshake failed; the application has not yet let go.
    Failed {
        tuple: FourTuple,
        config: Arc<Config>,
        reason: CloseReason,
    },
}

#[derive(Debug)]
pub(super) struct Socket {
    pub shape: Shape,
    /// The listener in one of whose queues it stands.
    pub(super) listener: Option<ListenerId>,
    /// No application holds it.
    pub(super) released: bool,
    /// It stands in the queue of those that have something to send.
    ready: bool,
    /// Its entry among the deadlines.
    filed: Option<Instant>,
    /// What its buffers hold, as it was last counted.
    memory: usize,
    /// The connection in TIME-WAIT whose place an opening took: it comes back if nothing comes of that.
    pub(super) former: Option<Box<Former>>,
    /// The listener that counts it among the openings whose data the application has already.
    pub(super) early_at: Option<ListenerId>,
}

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
    memory_taken: usize,
    memory_told: Memory,
    pub(super) closed_port: ClosedPort,
    pub(super) sockets: SlotMap<TcpId, Socket>,
    pub(super) by_tuple: HashMap<FourTuple, TcpId, Key>,
    pub(super) listeners: SlotMap<ListenerId, BoundListener>,
    pub(super) by_port: HashMap<u16, Vec<ListenerId>, Key>,
    ready: VecDeque<TcpId>,
    deadlines: Deadlines<TcpId>,
    pub(super) time_waits: TimeWaits,
    replies: VecDeque<Reply>,
    pub(super) handshakes: Handshakes,
    /// Peers of whom nothing was heard for long although something was sent.
    pub(super) doubted: VecDeque<IpAddr>,
    /// Paths that a connection has come to believe narrower, in bytes.
    pub(super) narrower: VecDeque<(IpAddr, u16)>,
    pub(super) wakeups: VecDeque<SocketId>,
}

impl TcpTable {
    pub fn new(random: &mut Random, config: &super::Config) -> TcpTable {
        let key = Key::new(random);
        TcpTable {
            sockets: SlotMap::with_key(),
            by_tuple: HashMap::with_hasher(key.clone()),
            listeners: SlotMap::with_key(),
            by_port: HashMap::with_hasher(key.clone()),
            ready: VecDeque::new(),
            deadlines: Deadlines::default(),
            replies: VecDeque::new(),
            handshakes: Handshakes::default(),
            doubted: VecDeque::new(),
            narrower: VecDeque::new(),
            wakeups: VecDeque::new(),
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
        let Some(&id) = self.by_tuple.get(&tuple) else {
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
                    Arrival::Handled | Arrival::Progress => self.settle(id),
                }
                self.tell_memory(cx, id);
                arrival == Arrival::Progress
            }
            Shape::Opening(_) => self.handle_in_opening(cx, id, segment),
            Shape::Failed { .. } => unreachable!("a failed opening leaves the table of connections"),
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
        let (tuple, resets) = (*self.tuple(id), self.config(id).reset_on_overflow);
        if let Some(header) = segment.reset_reply().filter(|_| resets) {
            self.reply(tuple, header, SendReason::AcceptQueueFull);
            self.fail(cx, id, CloseReason::Aborted);
        }
    }

    /// What became of an opening that did not become a connection.
    fn conclude(&mut self, cx: &mut Context<'_>, id: TcpId, outcome: Outcome) {
        match outcome {
            Outcome::Stay => {}
            Outcome::Reply(header) => {
                let tuple = *self.tuple(id);
                self.reply(tuple, header, SendReason::NoConnection);
            }
            Outcome::Closed(reason) if self.sockets[id].early_at.is_some() => self.fail_early(cx, id, reason),
            Outcome::Closed(reason) => return self.fail(cx, id, reason),
            Outcome::Established(_) => unreachable!("only a segment completes a handshake"),
        }
        self.settle(id);
    }

    pub(super) fn fail(&mut self, cx: &mut Context<'_>, id: TcpId, reason: CloseReason) {
        let socket = &mut self.sockets[id];
        let Shape::Opening(opening) = &socket.shape else { return };
        let (tuple, config) = (*opening.tuple(), opening.config().clone());
        let lesson = opening.lesson().filter(|lesson| *lesson == Lesson::Lost);
        cx.tell(|| Event::Tcp { connection: tuple, event: crate::event::TcpEvent::Closed { why: reason } });
        socket.shape = Shape::Failed { tuple, config, reason };
        if let Some(listener) = socket.listener.take() {
            socket.released = true;
            if let Some(bound) = self.listeners.get_mut(listener) {
                bound.listener.opening_ended();
            }
        }
        let former = socket.former.take();
        self.early_opening_ended(cx.now, id, Some(reason));
        self.learn(cx.now, &tuple, lesson);
        self.by_tuple.remove(&tuple);
        if let Some(former) = former {
            // RFC 9293 §3.6.1 (MAY-2): the SYN was an old duplicate.
            self.return_to_time_wait(cx, *former);
        }
        self.wakeups.push_back(SocketId::Tcp(id));
        self.remove_if_released(id);
    }

    pub(super) fn insert(&mut self, shape: Shape, tuple: FourTuple, listener: Option<ListenerId>) -> TcpId {
        let (released, ready, filed, memory, former, early_at) = (false, false, None, 0, None, None);
        let id = self.sockets.insert(Socket { shape, listener, released, ready, filed, memory, former, early_at });
        self.by_tuple.insert(tuple, id);
        self.settle(id);
        id
    }

    /// After anything happened to a socket: queues it, files its deadline, wakes who waits, removes what is over.
    pub fn settle(&mut self, id: TcpId) {
        let socket = &mut self.sockets[id];
        let doubts = match &mut socket.shape {
            Shape::Opening(opening) => opening.take_doubt().then_some(opening.tuple().remote.ip()),
            Shape::Connection(connection) => connection.take_doubt().then_some(connection.tuple().remote.ip()),
            Shape::Failed { .. } => None,
        };
        if let Shape::Connection(connection) = &mut socket.shape
            && let Some(mtu) = connection.take_path_mtu()
        {
            self.narrower.push_back((connection.tuple().remote.ip(), mtu));
        }
        self.doubted.extend(doubts.filter(|_| self.doubted.len() < MAX_REPLIES));
        let (has_something_to_send, deadline, wake, over) = match &mut socket.shape {
            Shape::Opening(opening) => (opening.has_something_to_send(), opening.next_deadline(), false, false),
            Shape::Connection(connection) => (
                connection.has_something_to_send(),
                connection.next_deadline(),
                connection.take_wake(),
                connection.is_over(),
            ),
            Shape::Failed { .. } => (false, None, false, false),
        };
        let held = match &socket.shape {
            Shape::Connection(connection) => connection.memory_held(),
            Shape::Opening(opening) => opening.memory_held(),
            Shape::Failed { .. } => 0,
        };
        self.memory_taken = self.memory_taken - std::mem::replace(&mut socket.memory, held) + held;
        if has_something_to_send && !socket.ready {
            socket.ready = true;
            self.ready.push_back(id);
        }
        self.deadlines.file(id, deadline, &mut socket.filed);
        if wake && !socket.released {
            self.wakeups.push_back(SocketId::Tcp(id));
        }
        if over {
            let tuple = *self.tuple(id);
            if self.by_tuple.get(&tuple) == Some(&id) {
                self.by_tuple.remove(&tuple);
            }
            self.remove_if_released(id);
        }
    }

    pub(super) fn remove_if_released(&mut self, id: TcpId) {
        if let Some(socket) = self.sockets.get(id).filter(|socket| socket.released) {
            self.deadlines.forget(id, socket.filed);
            self.memory_taken -= socket.memory;
            self.sockets.remove(id);
        }
    }

    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        while let Some(id) = self.deadlines.take_due(cx.now) {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            socket.filed = None;
            match &mut socket.shape {
                Shape::Connection(connection) => {
                    connection.handle_timeout(cx);
                    self.settle(id);
                }
                Shape::Opening(opening) => {
                    let outcome = opening.handle_timeout(cx);
                    self.conclude(cx, id, outcome);
                }
                Shape::Failed { .. } => {}
            }
        }
        self.end_time_waits(cx);
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next().into_iter().chain(self.time_waits.next_deadline()).min()
    }

    /// The next segment of any socket; those that have much to send take turns.
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Option<Outgoing> {
        if let Some(Reply { tuple, header, why, ttl, traffic_class }) = self.replies.pop_front() {
            let frame = emit(cx, &tuple, &header, Payload::default(), why);
            return Some(outgoing(&tuple, (ttl, traffic_class), frame));
        }
        while let Some(id) = self.ready.pop_front() {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            let frame = match &mut socket.shape {
                Shape::Opening(opening) => opening.poll_transmit(cx),
                Shape::Connection(connection) => connection.poll_transmit(cx),
                Shape::Failed { .. } => None,
            };
            if let Some(frame) = frame {
                self.ready.push_back(id);
                let config = self.config(id);
                return Some(outgoing(self.tuple(id), (config.ttl, config.traffic_class), frame));
            }
            socket.ready = false;
            self.settle(id);
            self.shrink_to_time_wait(cx, id);
        }
        None
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
            let connection = *socket.shape.tuple();
            let event = TcpEvent::Memory { level: level.name(), taken, limit };
            cx.tell(|| Event::Tcp { connection, event });
        }
    }

    pub fn usage(&self) -> TcpUsage {
        let (connections, time_waits) = (self.sockets.len(), self.time_waits.len());
        TcpUsage { connections, time_waits, memory: self.memory_taken }
    }

    /// There are as many connections as there may be.
    pub(super) fn is_crowded(&self) -> bool {
        self.sockets.len() >= self.connection_limit
    }

    pub fn poll_wakeup(&mut self) -> Option<SocketId> {
        self.wakeups.pop_front()
    }

    /// An ICMP error that quotes a segment to `tuple` with the sequence number `seq`. True when it was believed; a
    /// `hard` one ends an opening.
    pub fn handle_error(
        &mut self,
        cx: &mut Context<'_>,
        tuple: &FourTuple,
        seq: Seq,
        error: NetworkError,
        hard: bool,
    ) -> bool {
        let Some(&id) = self.by_tuple.get(tuple) else { return false };
        match &mut self.socket(id).shape {
            Shape::Connection(connection) if connection.has_in_flight(seq) => {
                if let NetworkError::FragmentationNeeded { mtu } = error {
                    connection.hear_path_mtu(cx, seq, mtu, MIN_PATH_MTU);
                } else {
                    connection.handle_icmp(cx, error.meaning(), hard);
                }
                self.settle(id);
                true
            }
            Shape::Opening(opening) if opening.has_in_flight(seq) => {
                if let NetworkError::FragmentationNeeded { mtu } = error {
                    if opening.hear_path_mtu(cx, mtu) {
                        opening.handle_path_mtu(usize::from(mtu.max(MIN_PATH_MTU)));
                        self.narrower.push_back((tuple.remote.ip(), mtu));
                    }
                } else {
                    // Nobody refuses a connection that the application may hold already.
                    let is_at_work = opening.early().is_some();
                    let why = if is_at_work { CloseReason::Unreachable } else { refusal(error) };
                    let outcome = opening.handle_icmp(cx, error.meaning(), hard.then_some(why));
                    self.conclude(cx, id, outcome);
                }
                true
            }
            Shape::Connection(_) | Shape::Opening(_) | Shape::Failed { .. } => false,
        }
    }

    /// A segment of ours did not fit: another connection had found the path narrower before.
    pub fn handle_too_large(&mut self, tuple: &FourTuple, mtu: usize) {
        if let Some(&id) = self.by_tuple.get(tuple) {
            match &mut self.socket(id).shape {
                Shape::Connection(connection) => connection.handle_path_mtu(mtu),
                Shape::Opening(opening) => opening.handle_path_mtu(mtu),
                Shape::Failed { .. } => {}
            }
            self.settle(id);
        }
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
        self.by_tuple.contains_key(tuple) || self.time_waits.contains(tuple)
    }

    pub fn connect(&mut self, cx: &mut Context<'_>, tuple: FourTuple, config: Config, path_mtu: usize) -> TcpId {
        let opening = self.active_opening(cx, tuple, config, path_mtu);
        self.insert(Shape::Opening(Box::new(opening)), tuple, None)
    }

    pub(super) fn active_opening(
        &self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        config: Config,
        path_mtu: usize,
    ) -> Opening {
        let secrets = self.key.secrets(cx.now, &tuple);
        let mut opening = Opening::active(cx, tuple, config.into(), secrets, self.mtu);
        opening.handle_path_mtu(path_mtu);
        opening
    }

    /// The application lets go; the id is no longer its own.
    pub fn release(&mut self, cx: &mut Context<'_>, id: TcpId) {
        match &mut self.socket(id).shape {
            Shape::Connection(connection) => connection.release(cx),
            Shape::Opening(opening) if opening.early().is_some() => {
                opening.early_mut().into_iter().for_each(|early| early.release(cx));
            }
            Shape::Opening(opening) if opening.state() == TcpState::SynReceived => opening.close(true),
            Shape::Opening(_) | Shape::Failed { .. } => return self.abort(cx, id),
        }
        self.socket(id).released = true;
        self.settle(id);
        self.shrink_to_time_wait(cx, id);
    }

    pub fn abort(&mut self, cx: &mut Context<'_>, id: TcpId) {
        let socket = self.socket(id);
        socket.released = true;
        socket.listener = None;
        match &mut socket.shape {
            Shape::Connection(connection) => {
                connection.abort(cx);
                self.settle(id);
            }
            Shape::Opening(_) => self.abort_opening(cx, id),
            Shape::Failed { .. } => self.remove_if_released(id),
        }
    }

    fn abort_opening(&mut self, cx: &mut Context<'_>, id: TcpId) {
        let Shape::Opening(opening) = &mut self.socket(id).shape else { return };
        let (tuple, reset) = (*opening.tuple(), opening.abort(cx));
        if let Some(header) = reset {
            self.reply(tuple, header, SendReason::Abort);
        }
        self.fail(cx, id, CloseReason::Aborted);
    }

    /// CLOSE of the sending side. In SYN-SENT it ends the attempt (RFC 9293 §3.10.4).
    pub fn shutdown(&mut self, cx: &mut Context<'_>, id: TcpId) {
        match &mut self.socket(id).shape {
            Shape::Connection(connection) => {
                connection.shutdown(cx);
                self.settle(id);
            }
            Shape::Opening(opening) if opening.early().is_some() => {
                opening.early_mut().into_iter().for_each(|early| early.shutdown(cx));
                self.settle(id);
            }
            Shape::Opening(opening) if opening.state() == TcpState::SynReceived => opening.close(false),
            Shape::Opening(_) => self.abort_opening(cx, id),
            Shape::Failed { .. } => {}
        }
    }

    /// # Panics
    /// When the id is that of a socket which was closed: only a caller's bug brings that about.
    pub fn socket(&mut self, id: TcpId) -> &mut Socket {
        self.sockets.get_mut(id).expect("a TcpId is used only until its socket is closed")
    }

    pub fn shape(&self, id: TcpId) -> &Shape {
        &self.sockets.get(id).expect("a TcpId is used only until its socket is closed").shape
    }

    pub fn unfinished(&self) -> usize {
        let over = |state| matches!(state, TcpState::Closed | TcpState::TimeWait);
        self.sockets.values().filter(|socket| !over(socket.shape.state())).count()
    }

    pub fn states(&self) -> impl Iterator<Item = TcpState> {
        let listeners = self.listeners.values().map(|_| TcpState::Listen);
        let over = std::iter::repeat_n(TcpState::TimeWait, self.time_waits.len());
        self.sockets.values().map(|socket| socket.shape.state()).chain(listeners).chain(over)
    }

    pub fn tuple(&self, id: TcpId) -> &FourTuple {
        self.shape(id).tuple()
    }

    pub fn config(&self, id: TcpId) -> &Config {
        match self.shape(id) {
            Shape::Opening(opening) => opening.config(),
            Shape::Connection(connection) => connection.config(),
            Shape::Failed { config, .. } => config,
        }
    }
}

impl Shape {
    fn tuple(&self) -> &FourTuple {
        match self {
            Shape::Opening(opening) => opening.tuple(),
            Shape::Connection(connection) => connection.tuple(),
            Shape::Failed { tuple, .. } => tuple,
        }
    }

    pub fn state(&self) -> TcpState {
        match self {
            Shape::Opening(opening) => opening.state(),
            Shape::Connection(connection) => connection.state(),
            Shape::Failed { .. } => TcpState::Closed,
        }
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

/// Who says that there is no such port, or no TCP, is the host itself; the others are on the way to it.
fn refusal(error: NetworkError) -> CloseReason {
    match error {
        NetworkError::PortUnreachable | NetworkError::ProtocolUnreachable => CloseReason::Refused,
        NetworkError::NetUnreachable
        | NetworkError::HostUnreachable
        | NetworkError::FragmentationNeeded { .. }
        | NetworkError::SourceRouteFailed
        | NetworkError::AdministrativelyProhibited
        | NetworkError::TtlExceeded
        | NetworkError::ReassemblyTimeExceeded
        | NetworkError::ParameterProblem { .. } => CloseReason::Unreachable,
    }
}

fn outgoing(tuple: &FourTuple, (ttl, traffic_class): (u8, u8), frame: crate::frame::Frame) -> Outgoing {
    Outgoing {
        source: tuple.local.ip(),
        destination: tuple.remote.ip(),
        protocol: protocol::TCP,
        ttl,
        traffic_class: if frame.ecn == 0 { traffic_class } else { traffic_class & !ECN | frame.ecn },
        // RFC 1191 §3: the path tells when a segment is too large.
        dont_fragment: true,
        frame,
    }
}
