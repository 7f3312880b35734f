//! UDP: datagrams with ports and a checksum (front page to come).

use crate::event::Context;
use crate::ip::{Ip, NetworkError, Outgoing, Packet};
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;

/// The most data that one datagram carries over IPv4: 65,535 less the IP and UDP headers.
pub const MAX_DATA: usize = 65_507;

/// A datagram on its way up, its header stripped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'p> {
    pub source: SocketAddr,
    /// The address that it was really sent to: ours, or a broadcast (RFC 1122 §4.1.3.5).
    pub destination: SocketAddr,
    pub data: &'p [u8],
}

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
    pub ttl: u8,
    pub traffic_class: u8,
    pub broadcast: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { queue_datagrams: 256, queue_bytes: 256 << 10, ttl: 64, traffic_class: 0, broadcast: false }
    }
}

/// One bound socket.
#[derive(Debug)]
pub struct Socket {
    local: SocketAddr,
    remote: Option<SocketAddr>,
    /// May change at any time: TTL, traffic class, broadcast permission, bounds.
    pub config: Config,
}

#[allow(unused_variables)]
impl Socket {
    /// `local` has its port already; its address may be unspecified.
    pub fn new(local: SocketAddr, config: Config) -> Socket {
        Socket { local, remote: None, config }
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Fixes the peer: only its datagrams are taken from now on. `source` replaces an unspecified local address.
    pub fn connect(&mut self, remote: SocketAddr, source: IpAddr) {
        todo!()
    }

    /// How well the datagram fits: none when it is not for this socket; the highest takes it (connected before bound
    /// to an address before bound to all).
    pub fn matches(&self, source: SocketAddr, destination: SocketAddr, broadcast: bool) -> Option<u8> {
        todo!()
    }

    /// Queues a datagram; tells `Delivered`, or `Dropped` when the queue is full. True when it was taken.
    pub fn handle(&mut self, cx: &mut Context<'_>, datagram: Datagram<'_>) -> bool {
        todo!()
    }

    /// An ICMP error about a datagram of ours to `destination`. True when the socket is woken by it.
    pub fn handle_error(&mut self, error: NetworkError, destination: SocketAddr) -> bool {
        todo!()
    }

    /// [`receive`](Socket::receive) would not say `WouldBlock`.
    pub fn is_readable(&self) -> bool {
        todo!()
    }

    /// Takes the oldest datagram.
    pub fn receive(&mut self, into: &mut [u8]) -> Result<ReceivedDatagram, ReceiveError> {
        todo!()
    }

    /// Builds a datagram to `to`, or to the peer; it is for [`Ip::send`].
    pub fn send(
        &mut self,
        cx: &mut Context<'_>,
        ip: &Ip,
        to: Option<SocketAddr>,
        data: &[u8],
    ) -> Result<Outgoing, SendError> {
        todo!()
    }
}

/// Strips the UDP header and verifies the checksum; none when that fails, which is told.
#[allow(unused_variables)]
pub fn handle<'p>(cx: &mut Context<'_>, packet: &'p Packet<'_>) -> Option<Datagram<'p>> {
    todo!()
}
