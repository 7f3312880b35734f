//! One host: its interface, its sockets, and who gets what.
//!
//! A [`Stack`] is driven from outside. Frames and the time go in ([`handle_frame`](Stack::handle_frame),
//! [`handle_timeout`](Stack::handle_timeout)); frames ([`poll_transmit`](Stack::poll_transmit)), wake-ups
//! ([`poll_wakeup`](Stack::poll_wakeup)) and the next deadline come out. Between those, applications use its sockets:
//! every call returns at once, and what cannot be done now says so and is announced by a wake-up later.
//!
//! This layer routes and does not decide: `layers` joins the protocols, `tcp`, `udp` and `ping` find the socket that
//! a packet belongs to, `deadlines` knows which connection wants waking next, `keyed` and `ports` hold the secrets.
//!
//! ```
//! use strata::{stack::{Config, Stack}, time::Instant, frame::Received};
//!
//! let mut stack = Stack::new(Config::default(), 7);
//! stack.start(Instant::ZERO);
//! // The first frame that a host sends announces its address: a gratuitous ARP.
//! let frame = stack.poll_transmit(Instant::ZERO).expect("an announcement");
//! assert_eq!(frame.to_vec()[12..14], [0x08, 0x06]);
//! ```

mod deadlines;
mod keyed;
mod layers;
mod ping;
mod ports;
mod tcp;
mod udp;

pub use crate::udp::{ReceiveError as UdpReceiveError, SendError as UdpSendError};
pub use ping::PingReply;

use crate::event::{Context, Event, FourTuple, Observer};
use crate::frame::{Frame, Received};
use crate::icmp;
use crate::random::Random;
use crate::tcp::{ConnectError, Info, ListenError, ReceiveError, SendError, Status};
use crate::time::Instant;
use layers::Layers;
use slotmap::new_key_type;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use tcp::Shape;
use thiserror::Error;

new_key_type! {
    /// A connection.
    pub struct TcpId;
    /// A TCP listener.
    pub struct ListenerId;
    /// A UDP socket.
    pub struct UdpId;
    /// A ping socket.
    pub struct PingId;
}

/// A socket of any kind, in a wake-up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SocketId {
    Tcp(TcpId),
    Listener(ListenerId),
    Udp(UdpId),
    Ping(PingId),
}

/// What a host is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// Hardware address of the interface.
    pub mac: [u8; 6],
    /// Addresses with their prefixes: `192.0.2.2/24`.
    pub addresses: Vec<ipnet::IpNet>,
    pub gateway: Option<IpAddr>,
    /// The largest IP packet of the interface, in bytes.
    pub mtu: usize,
    /// The device fills in partial checksums.
    pub partial_checksum: bool,
    /// What new TCP sockets start with.
    pub tcp: crate::tcp::Config,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mac: [0x02, 0, 0, 0, 0, 2],
            addresses: vec!["192.0.2.2/24".parse().expect("a prefix of RFC 5737")],
            gateway: None,
            mtu: 1500,
            partial_checksum: false,
            tcp: crate::tcp::Config::default(),
        }
    }
}

/// Why a UDP socket could not be bound or connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BindError {
    #[error("address in use: UDP port {port} is taken; close its socket or choose another port")]
    AddressInUse { port: u16 },
    #[error("{address} is not an address of this stack")]
    NotOurAddress { address: IpAddr },
    #[error("no route to {destination}")]
    NoRoute { destination: IpAddr },
    #[error("every UDP port is in use")]
    PortsExhausted,
}

/// Why an echo request was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PingError {
    #[error("no route to {destination}")]
    NoRoute { destination: IpAddr },
    #[error("an echo request of {len} bytes is longer than the {max} that ICMP carries")]
    TooLong { len: usize, max: usize },
    #[error("the stack's queue of outgoing packets is full")]
    WouldBlock,
}

/// The most data in an echo request over IPv4: 65,535 less the IP and ICMP headers.
const MAX_ECHO_DATA: usize = 65_507;

/// One host.
pub struct Stack {
    config: Config,
    layers: Layers,
    random: Random,
    frames: u64,
    observer: Option<Box<dyn Observer>>,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Driving.
impl Stack {
    /// The same seed and the same calls give the same frames. For real traffic the seed must be secret: sequence
    /// numbers and ports are made from it.
    pub fn new(config: Config, seed: u64) -> Stack {
        let mut random = Random::new(seed);
        let layers = Layers::new(&config, &mut random);
        Stack { config, layers, random, frames: 0, observer: None }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Who watches from now on.
    pub fn set_observer(&mut self, observer: Option<Box<dyn Observer>>) {
        self.observer = observer;
    }

    /// The interface is up: announces our addresses.
    pub fn start(&mut self, now: Instant) {
        let (mut cx, layers) = self.enter(now);
        layers.link.start(&mut cx);
    }

    /// A frame has arrived.
    pub fn handle_frame(&mut self, now: Instant, frame: Received<'_>) {
        let (mut cx, layers) = self.enter(now);
        let id = cx.begin_frame();
        cx.tell(|| Event::FrameReceived { bytes: frame.bytes, offload: frame.offload });
        layers.handle(&mut cx, frame);
        // An answer that was built on the way is a frame of its own.
        cx.about(Some(id));
        cx.tell(|| Event::FrameHandled);
    }

    /// Does whatever is due; harmless when nothing is.
    pub fn handle_timeout(&mut self, now: Instant) {
        let (mut cx, layers) = self.enter(now);
        layers.handle_timeout(&mut cx);
    }

    /// The next frame for the device. To be asked again until there is none, after every other call.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Frame> {
        let (mut cx, layers) = self.enter(now);
        layers.poll_transmit(&mut cx)
    }

    /// A socket whose state has changed in a way that its user may be waiting for.
    pub fn poll_wakeup(&mut self) -> Option<SocketId> {
        self.layers.poll_wakeup()
    }

    /// When [`handle_timeout`](Stack::handle_timeout) wants to be called at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.layers.next_deadline()
    }

    fn enter(&mut self, now: Instant) -> (Context<'_>, &mut Layers) {
        let mut cx = Context::new(now, &mut self.random, &mut self.frames, self.observer.as_deref_mut());
        cx.partial_checksum = self.config.partial_checksum;
        (cx, &mut self.layers)
    }
}

/// TCP sockets.
impl Stack {
    /// Passive OPEN (RFC 9293 §3.10.1). An unspecified address listens on all of ours; port 0 takes a random free one.
    pub fn tcp_listen(
        &mut self,
        mut local: SocketAddr,
        backlog: usize,
        config: crate::tcp::Config,
    ) -> Result<ListenerId, ListenError> {
        if !local.ip().is_unspecified() && !self.layers.ip.is_ours(local.ip()) {
            return Err(ListenError::NotOurAddress { address: local.ip() });
        }
        let table = &mut self.layers.tcp;
        if local.port() == 0 {
            let is_free = |port| !table.listens((local.ip(), port).into());
            local.set_port(ports::choose(&mut self.random, is_free).ok_or(ListenError::PortsExhausted)?);
        }
        // RFC 9293 §3.9.1.1 (MUST-41)
        if table.listens(local) {
            return Err(ListenError::AddressInUse { port: local.port() });
        }
        Ok(table.listen(local, backlog, config))
    }

    /// The next connection whose handshake is complete.
    pub fn tcp_accept(&mut self, listener: ListenerId) -> Option<TcpId> {
        self.layers.tcp.accept(listener)
    }

    /// [`tcp_accept`](Stack::tcp_accept) would give a connection.
    pub fn tcp_has_waiting(&self, listener: ListenerId) -> bool {
        self.layers.tcp.has_waiting(listener)
    }

    /// Connections that nobody has accepted are aborted.
    pub fn tcp_close_listener(&mut self, now: Instant, listener: ListenerId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.close_listener(&mut cx, listener);
    }

    pub fn tcp_listener_addr(&self, listener: ListenerId) -> SocketAddr {
        self.layers.tcp.listener_addr(listener)
    }

    /// Active OPEN (RFC 9293 §3.10.1). A local address or port that is not given is chosen.
    pub fn tcp_connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        config: crate::tcp::Config,
    ) -> Result<TcpId, ConnectError> {
        let tuple = self.choose_tuple(remote, local)?;
        let mtu = self.layers.ip.mtu_for(now, remote.ip());
        let (mut cx, layers) = self.enter(now);
        Ok(layers.tcp.connect(&mut cx, tuple, config, mtu))
    }

    fn choose_tuple(&mut self, remote: SocketAddr, local: Option<SocketAddr>) -> Result<FourTuple, ConnectError> {
        let ip = &self.layers.ip;
        // RFC 9293 §3.9.1.1 (MUST-46)
        if remote.port() == 0 || remote.ip().is_unspecified() || ip.is_broadcast(remote.ip()) {
            return Err(ConnectError::NotUnicast { remote });
        }
        // RFC 9293 §3.9.1.1 (MUST-44, MUST-45)
        let chosen = ip.source_for(remote.ip()).ok_or(ConnectError::NoRoute { remote: remote.ip() })?;
        let address = local.map(|local| local.ip()).filter(|address| !address.is_unspecified()).unwrap_or(chosen);
        if !ip.is_ours(address) {
            return Err(ConnectError::NotOurAddress { address });
        }
        let tuple = |port| FourTuple { local: (address, port).into(), remote };
        let table = &self.layers.tcp;
        match local.map_or(0, |local| local.port()) {
            0 => {
                let port = ports::choose(&mut self.random, |port| !table.is_taken(&tuple(port)));
                port.map(tuple).ok_or(ConnectError::PortsExhausted { remote })
            }
            port if table.is_taken(&tuple(port)) => {
                Err(ConnectError::AddressInUse { local: (address, port).into(), remote })
            }
            port => Ok(tuple(port)),
        }
    }

    /// SEND (RFC 9293 §3.10.2): takes as much as there is room for.
    pub fn tcp_send(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, SendError> {
        let (mut cx, layers) = self.enter(now);
        let sent = match &mut layers.tcp.socket(id).shape {
            Shape::Connection(connection) => connection.send(&mut cx, data),
            Shape::Opening(_) => Err(SendError::WouldBlock),
            Shape::Failed { reason, .. } => Err(SendError::Closed(*reason)),
        };
        layers.tcp.settle(id);
        sent
    }

    /// The same as urgent data (RFC 9293 §3.8.5), which new applications should not use (SHLD-13).
    pub fn tcp_send_urgent(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, SendError> {
        let (mut cx, layers) = self.enter(now);
        let sent = match &mut layers.tcp.socket(id).shape {
            Shape::Connection(connection) => connection.send_urgent(&mut cx, data),
            Shape::Opening(_) => Err(SendError::WouldBlock),
            Shape::Failed { reason, .. } => Err(SendError::Closed(*reason)),
        };
        layers.tcp.settle(id);
        sent
    }

    /// RECEIVE (RFC 9293 §3.10.3): 0 bytes mean that the peer has finished.
    pub fn tcp_receive(&mut self, id: TcpId, into: &mut [u8]) -> Result<usize, ReceiveError> {
        let received = match &mut self.layers.tcp.socket(id).shape {
            Shape::Connection(connection) => connection.receive(into),
            Shape::Opening(_) => Err(ReceiveError::WouldBlock),
            Shape::Failed { reason, .. } => Err(ReceiveError::Closed(*reason)),
        };
        self.layers.tcp.settle(id);
        received
    }

    /// CLOSE of the sending side: FIN after what is buffered. A connection that is still being opened is given up.
    pub fn tcp_shutdown(&mut self, now: Instant, id: TcpId) {
        let (mut cx, layers) = self.enter(now);
        if let Shape::Connection(connection) = &mut layers.tcp.socket(id).shape {
            connection.shutdown(&mut cx);
        }
        layers.tcp.settle(id);
    }

    /// The application lets go: what was written is still delivered, and the stack finishes by itself. With data
    /// unread the peer is told by a RST (RFC 9293 §3.6.1, SHLD-3). The id is no longer valid.
    pub fn tcp_close(&mut self, now: Instant, id: TcpId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.release(&mut cx, id);
    }

    /// ABORT (RFC 9293 §3.10.5): sends RST. The id is no longer valid.
    pub fn tcp_abort(&mut self, now: Instant, id: TcpId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.abort(&mut cx, id);
    }

    pub fn tcp_status(&self, id: TcpId) -> Status {
        match self.layers.tcp.shape(id) {
            Shape::Connection(connection) => connection.status(),
            shape @ (Shape::Opening(_) | Shape::Failed { .. }) => {
                let closed = if let Shape::Failed { reason, .. } = shape { Some(*reason) } else { None };
                let over = closed.is_some();
                Status { state: shape.state(), established: false, readable: over, writable: over, closed }
            }
        }
    }

    /// STATUS (RFC 9293 §3.10.6): none before the connection is established.
    pub fn tcp_info(&self, id: TcpId) -> Option<Info> {
        match self.layers.tcp.shape(id) {
            Shape::Connection(connection) => Some(connection.info()),
            Shape::Opening(_) | Shape::Failed { .. } => None,
        }
    }

    /// How many connections have not come to their end; those in TIME-WAIT only wait.
    pub fn tcp_unfinished(&self) -> usize {
        self.layers.tcp.unfinished()
    }

    pub fn tcp_local_addr(&self, id: TcpId) -> SocketAddr {
        self.layers.tcp.tuple(id).local
    }

    pub fn tcp_remote_addr(&self, id: TcpId) -> SocketAddr {
        self.layers.tcp.tuple(id).remote
    }

    pub fn tcp_config(&self, id: TcpId) -> &crate::tcp::Config {
        self.layers.tcp.config(id)
    }

    /// Changes the settings of an open connection: `nagle`, `keepalive`, `ttl` and so on.
    pub fn tcp_configure(&mut self, now: Instant, id: TcpId, change: impl FnOnce(&mut crate::tcp::Config)) {
        let (mut cx, layers) = self.enter(now);
        match &mut layers.tcp.socket(id).shape {
            Shape::Connection(connection) => connection.configure(&mut cx, change),
            Shape::Opening(opening) => change(opening.config_mut()),
            Shape::Failed { config, .. } => change(config),
        }
        layers.tcp.settle(id);
    }
}

/// UDP sockets.
impl Stack {
    /// Port 0 takes a random free one (RFC 6056); an unspecified address takes all of ours.
    pub fn udp_bind(&mut self, local: SocketAddr) -> Result<UdpId, BindError> {
        let ip = &self.layers.ip;
        if !local.ip().is_unspecified() && !ip.is_ours(local.ip()) && !ip.is_broadcast(local.ip()) {
            return Err(BindError::NotOurAddress { address: local.ip() });
        }
        self.layers.udp.bind(&mut self.random, local)
    }

    /// Fixes the peer: only its datagrams are taken, and ICMP errors about ours are reported.
    pub fn udp_connect(&mut self, id: UdpId, remote: SocketAddr) -> Result<(), BindError> {
        let source = self.layers.ip.source_for(remote.ip());
        let source = source.ok_or(BindError::NoRoute { destination: remote.ip() })?;
        self.layers.udp.socket_mut(id).connect(remote, source);
        Ok(())
    }

    /// One datagram to `to`, or to the peer. Where the device cannot take it now it waits.
    pub fn udp_send(
        &mut self,
        now: Instant,
        id: UdpId,
        to: Option<SocketAddr>,
        data: &[u8],
    ) -> Result<usize, UdpSendError> {
        let (mut cx, layers) = self.enter(now);
        if !layers.has_room() {
            return Err(UdpSendError::WouldBlock);
        }
        let packet = layers.udp.socket_mut(id).send(&mut cx, &layers.ip, to, data)?;
        layers.enqueue(packet);
        Ok(data.len())
    }

    /// Gives the whole length of the datagram, what did not fit into `into` being lost, and who sent it.
    pub fn udp_receive(&mut self, id: UdpId, into: &mut [u8]) -> Result<(usize, SocketAddr), UdpReceiveError> {
        self.layers.udp.socket_mut(id).receive(into).map(|datagram| (datagram.len, datagram.source))
    }

    pub fn udp_readable(&self, id: UdpId) -> bool {
        self.layers.udp.socket(id).is_readable()
    }

    pub fn udp_local_addr(&self, id: UdpId) -> SocketAddr {
        self.layers.udp.socket(id).local()
    }

    pub fn udp_remote_addr(&self, id: UdpId) -> Option<SocketAddr> {
        self.layers.udp.socket(id).remote()
    }

    pub fn udp_set_broadcast(&mut self, id: UdpId, allowed: bool) {
        self.layers.udp.socket_mut(id).config.broadcast = allowed;
    }

    pub fn udp_broadcast(&self, id: UdpId) -> bool {
        self.layers.udp.socket(id).config.broadcast
    }

    pub fn udp_set_ttl(&mut self, id: UdpId, ttl: u8) {
        self.layers.udp.socket_mut(id).config.ttl = ttl;
    }

    pub fn udp_close(&mut self, id: UdpId) {
        self.layers.udp.close(id);
    }
}

/// Ping sockets.
impl Stack {
    pub fn ping_open(&mut self) -> PingId {
        self.layers.ping.open(&mut self.random)
    }

    /// One echo request (RFC 792) with `data` behind its header.
    pub fn ping_send(
        &mut self,
        now: Instant,
        id: PingId,
        to: IpAddr,
        sequence: u16,
        data: &[u8],
        ttl: u8,
    ) -> Result<(), PingError> {
        let (mut cx, layers) = self.enter(now);
        if !layers.has_room() {
            return Err(PingError::WouldBlock);
        }
        if data.len() > MAX_ECHO_DATA {
            return Err(PingError::TooLong { len: data.len(), max: MAX_ECHO_DATA });
        }
        let source = layers.ip.source_for(to).ok_or(PingError::NoRoute { destination: to })?;
        let id = layers.ping.identifier(id);
        let packet = icmp::echo_request(&mut cx, (source, to), (id, sequence), data, ttl);
        layers.enqueue(packet);
        Ok(())
    }

    pub fn ping_receive(&mut self, id: PingId) -> Option<PingReply> {
        self.layers.ping.receive(id)
    }

    pub fn ping_close(&mut self, id: PingId) {
        self.layers.ping.close(id);
    }
}
