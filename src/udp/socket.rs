//! A bound UDP socket: its addresses, its queue, its pending error.

use super::{Datagram, MAX_DATA, build};
use crate::event::{Context, DropReason, Event, Layer};
use crate::ip::{Ip, NetworkError, Outgoing};
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
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

/// A datagram that waits to be read.
#[derive(Debug)]
struct Waiting {
    source: SocketAddr,
    destination: SocketAddr,
    data: Bytes,
}

/// One bound socket.
#[derive(Debug)]
pub struct Socket {
    local: SocketAddr,
    remote: Option<SocketAddr>,
    /// May change at any time: TTL, traffic class, broadcast permission, bounds.
    pub config: Config,
    queue: VecDeque<Waiting>,
    queued_bytes: usize,
    error: Option<NetworkError>,
}

impl Socket {
    /// `local` has its port already; its address may be unspecified.
    pub fn new(local: SocketAddr, config: Config) -> Socket {
        Socket { local, remote: None, config, queue: VecDeque::new(), queued_bytes: 0, error: None }
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

    /// Queues a datagram; tells `Delivered`, or `Dropped` when the queue is full. True when it was taken.
    pub fn handle(&mut self, cx: &mut Context<'_>, datagram: Datagram<'_>) -> bool {
        let len = datagram.data.len();
        let fits = self.queue.len() < self.config.queue_datagrams && self.queued_bytes + len <= self.config.queue_bytes;
        if !fits {
            cx.tell(|| Event::Dropped { layer: Layer::Udp, reason: DropReason::UdpQueueFull });
            return false;
        }
        let Datagram { source, destination, data } = datagram;
        self.queue.push_back(Waiting { source, destination, data: Bytes::copy_from_slice(data) });
        self.queued_bytes += len;
        cx.tell(|| Event::Delivered { layer: Layer::Udp, len });
        true
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
        let Waiting { source, destination, data } = self.queue.pop_front().ok_or(ReceiveError::WouldBlock)?;
        self.queued_bytes -= data.len();
        let len = data.len().min(into.len());
        into[..len].copy_from_slice(&data[..len]);
        Ok(ReceivedDatagram { len: data.len(), truncated: len < data.len(), source, destination })
    }

    /// Builds a datagram to `to`, or to the peer; it is for [`Ip::send`].
    pub fn send(
        &mut self,
        cx: &mut Context<'_>,
        ip: &Ip,
        to: Option<SocketAddr>,
        data: &[u8],
    ) -> Result<Outgoing, SendError> {
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
        let outgoing = build(cx, source, to, Bytes::copy_from_slice(data));
        Ok(Outgoing { ttl: self.config.ttl, traffic_class: self.config.traffic_class, ..outgoing })
    }
}
