//! A bound UDP socket: its addresses, its queue, its pending error.

use super::{Datagram, MAX_DATA, MAX_SEGMENTS, build};
use crate::event::{Context, DropReason, Event, Layer};
use crate::ip::{Ip, NetworkError, Outgoing};
use crate::wire::udp::HEADER_LEN;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use thiserror::Error;

/// Why a datagram was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SendError {
    #[error("the socket has no peer: connect it or name a destination")]
    NotConnected,
    #[error("{destination} is a broadcast address: allow broadcast on the socket first")]
    BroadcastNotAllowed { destination: IpAddr },
    #[error("a datagram of {len} bytes is longer than the {max} that UDP carries")]
    TooLong { len: usize, max: usize },
    #[error("a datagram of {size} bytes does not go in one packet, as those of a train must: at most {max} do")]
    SegmentSize { size: usize, max: usize },
    #[error("a train of {count} datagrams is longer than {max}: send it in parts")]
    TooManySegments { count: usize, max: usize },
    #[error("no route to {destination}")]
    NoRoute { destination: IpAddr },
    #[error("the stack's queue of outgoing datagrams is full")]
    WouldBlock,
    /// An ICMP error that an earlier datagram brought about, reported once.
    #[error("{0}")]
    Network(NetworkError),
}

/// Why no datagram was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReceiveError {
    #[error("no datagram has arrived yet")]
    WouldBlock,
    /// An ICMP error that an earlier datagram brought about, reported once.
    #[error("{0}")]
    Network(NetworkError),
}

/// A datagram that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceivedDatagram {
    /// The datagram's whole length; what was larger than the buffer is lost.
    pub len: usize,
    pub truncated: bool,
    pub source: SocketAddr,
    pub destination: SocketAddr,
}

/// A train of datagrams that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceivedSegments {
    /// The length of all together. What of the first was larger than the buffer is lost.
    pub len: usize,
    /// The length of each, but for the last, which may be shorter.
    pub segment_size: usize,
    pub source: SocketAddr,
    pub destination: SocketAddr,
}

/// What a socket starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Datagrams that may wait to be read.
    pub queue_datagrams: usize,
    /// Bytes that may wait to be read.
    pub queue_bytes: usize,
    /// 1..=255.
    pub ttl: u8,
    pub traffic_class: u8,
    /// Broadcasts may be sent.
    pub broadcast: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { queue_datagrams: 256, queue_bytes: 256 << 10, ttl: 64, traffic_class: 0, broadcast: false }
    }
}

/// A datagram that waits to be read, or a train of them.
#[derive(Debug)]
struct Waiting {
    source: SocketAddr,
    destination: SocketAddr,
    data: Bytes,
    /// The length of each, but for the last.
    segment_size: usize,
}

impl Waiting {
    fn count(&self) -> usize {
        if self.segment_size == 0 { 1 } else { self.data.len().div_ceil(self.segment_size).max(1) }
    }

    /// Could its datagrams come behind `len` bytes of a train of the same kind?
    fn follows(&self, len: usize, train: &ReceivedSegments) -> bool {
        let is_full = train.segment_size > 0 && len.is_multiple_of(train.segment_size);
        let first = self.segment_size.min(self.data.len());
        // Of another size only one that is shorter and the last.
        let suits = self.segment_size == train.segment_size || self.count() == 1 && first < train.segment_size;
        is_full && suits && first > 0 && (self.source, self.destination) == (train.source, train.destination)
    }
}

/// One bound socket.
#[derive(Debug)]
pub struct Socket {
    local: SocketAddr,
    remote: Option<SocketAddr>,
    /// May change at any time: TTL, traffic class, broadcast permission, bounds.
    pub config: Config,
    queue: VecDeque<Waiting>,
    queued_datagrams: usize,
    queued_bytes: usize,
    error: Option<NetworkError>,
}

impl Socket {
    /// `local` has its port already; its address may be unspecified.
    pub fn new(local: SocketAddr, config: Config) -> Socket {
        Socket {
            local,
            remote: None,
            config,
            queue: VecDeque::new(),
            queued_datagrams: 0,
            queued_bytes: 0,
            error: None,
        }
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Fixes the peer: only its datagrams are taken from now on, and what others sent before is forgotten. `source`
    /// replaces an unspecified local address.
    pub fn connect(&mut self, remote: SocketAddr, source: IpAddr) {
        self.remote = Some(remote);
        if self.local.ip().is_unspecified() {
            self.local.set_ip(source);
        }
        self.queue.retain(|waiting| waiting.source == remote);
        self.queued_datagrams = self.queue.iter().map(Waiting::count).sum();
        self.queued_bytes = self.queue.iter().map(|waiting| waiting.data.len()).sum();
        self.error = None;
    }

    /// How well the datagram fits: none when it is not for this socket; the highest takes it (connected before bound
    /// to an address before bound to all), a broadcast all that match.
    pub fn matches(&self, source: SocketAddr, destination: SocketAddr) -> Option<u8> {
        let to_port = self.local.port() == destination.port();
        let same_version = self.local.is_ipv4() == destination.is_ipv4();
        let exact = self.local.ip() == destination.ip();
        let any = self.local.ip().is_unspecified() && same_version;
        let from_peer = self.remote.is_none_or(|remote| remote == source);
        let connected = self.remote.is_some();
        (to_port && (exact || any) && from_peer).then_some(2 * u8::from(connected) + u8::from(exact))
    }

    /// Queues a datagram, or as much of a train as fits; tells `Delivered` of each, or `Dropped` when the queue is full.
    /// True when any was taken.
    pub fn handle(&mut self, cx: &mut Context<'_>, datagram: Datagram<'_>) -> bool {
        let Datagram { source, destination, data, segment_size } = datagram;
        let size = segment_size.map_or(data.len(), |size| usize::from(size.get()).min(data.len()));
        let mut taken = 0;
        loop {
            let len = size.min(data.len() - taken);
            let count = self.queued_datagrams + taken / size.max(1);
            if count >= self.config.queue_datagrams || self.queued_bytes + taken + len > self.config.queue_bytes {
                cx.tell(|| Event::Dropped { layer: Layer::Udp, reason: DropReason::UdpQueueFull });
                break;
            }
            cx.tell(|| Event::Delivered { layer: Layer::Udp, len });
            taken += len;
            if taken == data.len() {
                let waiting = Waiting { source, destination, data: cx.pool.copy(data), segment_size: size };
                self.push(waiting);
                return true;
            }
        }
        if taken > 0 {
            let data = cx.pool.copy(&data[..taken]);
            self.push(Waiting { source, destination, data, segment_size: size });
        }
        taken > 0
    }

    fn push(&mut self, waiting: Waiting) {
        self.queued_datagrams += waiting.count();
        self.queued_bytes += waiting.data.len();
        self.queue.push_back(waiting);
    }

    /// An ICMP error about a datagram of ours to `destination`. True when the socket is woken by it.
    ///
    /// RFC 1122 §4.1.3.3: it is passed up. Only to a connected socket, though: one that serves many peers could not
    /// tell which of them it is about, and would fail them all.
    pub fn handle_error(&mut self, error: NetworkError, destination: SocketAddr) -> bool {
        let wakes = match error {
            // The next datagram is fragmented to the new path MTU.
            NetworkError::FragmentationNeeded { .. } => false,
            NetworkError::NetUnreachable
            | NetworkError::HostUnreachable
            | NetworkError::ProtocolUnreachable
            | NetworkError::PortUnreachable
            | NetworkError::SourceRouteFailed
            | NetworkError::AdministrativelyProhibited
            | NetworkError::TtlExceeded
            | NetworkError::ReassemblyTimeExceeded
            | NetworkError::ParameterProblem { .. } => self.remote == Some(destination),
        };
        if wakes {
            self.error = Some(error);
        }
        wakes
    }

    /// [`receive`](Socket::receive) would not say `WouldBlock`.
    pub fn is_readable(&self) -> bool {
        self.error.is_some() || !self.queue.is_empty()
    }

    /// Takes the oldest datagram.
    pub fn receive(&mut self, into: &mut [u8]) -> Result<ReceivedDatagram, ReceiveError> {
        if let Some(error) = self.error.take() {
            return Err(ReceiveError::Network(error));
        }
        let first = self.queue.front().ok_or(ReceiveError::WouldBlock)?;
        let (source, destination) = (first.source, first.destination);
        let data = self.take(1);
        let len = data.len().min(into.len());
        into[..len].copy_from_slice(&data[..len]);
        Ok(ReceivedDatagram { len: data.len(), truncated: len < data.len(), source, destination })
    }

    /// Takes the oldest datagram and those of the same size and the same sender that follow it, as many as fit into
    /// `into`; one that is shorter is the last.
    pub fn receive_segments(&mut self, into: &mut [u8]) -> Result<ReceivedSegments, ReceiveError> {
        if let Some(error) = self.error.take() {
            return Err(ReceiveError::Network(error));
        }
        let first = self.queue.front().ok_or(ReceiveError::WouldBlock)?;
        let (source, destination) = (first.source, first.destination);
        let segment_size = first.segment_size.min(first.data.len());
        let mut train = ReceivedSegments { len: 0, segment_size, source, destination };
        if segment_size > into.len() || segment_size == 0 {
            train.len = self.receive(into)?.len;
            return Ok(train);
        }
        let mut len = 0;
        while let Some(next) = self.queue.front().filter(|next| next.follows(len, &train)) {
            let fitting = (into.len() - len) / next.segment_size.min(next.data.len());
            if fitting == 0 {
                break;
            }
            let data = self.take(fitting);
            into[len..len + data.len()].copy_from_slice(&data);
            len += data.len();
        }
        train.len = len;
        Ok(train)
    }

    /// Up to `count` datagrams of what came first.
    fn take(&mut self, count: usize) -> Bytes {
        let Some(first) = self.queue.front_mut() else { return Bytes::new() };
        let data = if first.count() <= count {
            self.queue.pop_front().map(|first| (first.count(), first.data))
        } else {
            Some((count, first.data.split_to(count * first.segment_size)))
        };
        let (count, data) = data.unwrap_or_default();
        self.queued_datagrams -= count;
        self.queued_bytes -= data.len();
        data
    }

    /// Writes a datagram to `to`, or to the peer, as a `packet` for [`Ip::send`].
    pub fn send(
        &mut self,
        cx: &mut Context<'_>,
        ip: &Ip,
        to: Option<SocketAddr>,
        data: &[u8],
        packet: &mut Outgoing,
    ) -> Result<(), SendError> {
        self.build(cx, ip, to, data, None, packet)
    }

    /// Writes a train of datagrams of `segment_size` bytes, of which the last may be shorter.
    pub fn send_segments(
        &mut self,
        cx: &mut Context<'_>,
        ip: &Ip,
        to: Option<SocketAddr>,
        data: &[u8],
        segment_size: NonZeroU16,
        packet: &mut Outgoing,
    ) -> Result<(), SendError> {
        let (size, count) = (usize::from(segment_size.get()), data.len().div_ceil(segment_size.get().into()));
        if count <= 1 {
            return self.send(cx, ip, to, data, packet);
        }
        if count > MAX_SEGMENTS {
            return Err(SendError::TooManySegments { count, max: MAX_SEGMENTS });
        }
        if let Some(to) = to.or(self.remote) {
            let header = if to.is_ipv4() { 20 } else { 40 };
            let max = ip.mtu_for(cx.now, to.ip()).saturating_sub(header + HEADER_LEN);
            if size > max {
                return Err(SendError::SegmentSize { size, max });
            }
        }
        self.build(cx, ip, to, data, Some(segment_size), packet)
    }

    fn build(
        &mut self,
        cx: &mut Context<'_>,
        ip: &Ip,
        to: Option<SocketAddr>,
        data: &[u8],
        segment_size: Option<NonZeroU16>,
        packet: &mut Outgoing,
    ) -> Result<(), SendError> {
        if let Some(error) = self.error.take() {
            return Err(SendError::Network(error));
        }
        let to = to.or(self.remote).ok_or(SendError::NotConnected)?;
        let destination = to.ip();
        if data.len() > MAX_DATA {
            return Err(SendError::TooLong { len: data.len(), max: MAX_DATA });
        }
        if !self.config.broadcast && ip.is_broadcast(destination) && !destination.is_multicast() {
            return Err(SendError::BroadcastNotAllowed { destination });
        }
        let no_route = SendError::NoRoute { destination };
        if destination.is_ipv4() != self.local.is_ipv4() {
            return Err(no_route);
        }
        let routed = ip.source_for(destination).ok_or(no_route)?;
        let source = if self.local.ip().is_unspecified() { routed } else { self.local.ip() };
        let source = SocketAddr::new(source, self.local.port());
        let data = cx.pool.copy(data);
        build(cx, source, to, data, segment_size, packet);
        (packet.ttl, packet.traffic_class) = (self.config.ttl, self.config.traffic_class);
        Ok(())
    }
}
