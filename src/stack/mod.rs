//! One host: its interface, its sockets, and who gets what (front page to come).

use crate::event::Observer;
use crate::frame::{Frame, Received};
use crate::tcp;
use crate::time::Instant;
use slotmap::new_key_type;
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;

new_key_type! {
    /// A connection.
    pub struct TcpId;
    pub struct ListenerId;
    pub struct UdpId;
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
    pub tcp: tcp::Config,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mac: [0x02, 0, 0, 0, 0, 2],
            addresses: vec!["192.0.2.2/24".parse().expect("a prefix of RFC 5737")],
            gateway: None,
            mtu: 1500,
            partial_checksum: false,
            tcp: tcp::Config::default(),
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
    #[error("every UDP port is in use")]
    PortsExhausted,
}

/// Why a datagram was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UdpSendError {
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
    #[error("{meaning}")]
    Icmp { meaning: &'static str },
}

/// Why no datagram was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UdpReceiveError {
    #[error("no datagram has arrived yet")]
    WouldBlock,
    #[error("{meaning}")]
    Icmp { meaning: &'static str },
}

/// An echo reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PingReply {
    pub from: IpAddr,
    pub sequence: u16,
    /// Bytes of ICMP payload that came back.
    pub len: usize,
    pub ttl: u8,
    pub at: Instant,
    /// Set when an ICMP error came instead of a reply.
    pub error: Option<&'static str>,
}

/// One host.
pub struct Stack {
    config: Config,
}

#[allow(unused_variables)]
impl Stack {
    pub fn new(config: Config, seed: u64) -> Stack {
        Stack { config }
    }
    pub fn config(&self) -> &Config {
        &self.config
    }
    pub fn set_observer(&mut self, observer: Option<Box<dyn Observer>>) {
        todo!()
    }
    pub fn start(&mut self, now: Instant) {
        todo!()
    }
    pub fn handle_frame(&mut self, now: Instant, frame: Received<'_>) {
        todo!()
    }
    pub fn handle_timeout(&mut self, now: Instant) {
        todo!()
    }
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Frame> {
        todo!()
    }
    pub fn poll_wakeup(&mut self) -> Option<SocketId> {
        todo!()
    }
    pub fn next_deadline(&self) -> Option<Instant> {
        todo!()
    }

    pub fn tcp_listen(
        &mut self,
        local: SocketAddr,
        backlog: usize,
        config: tcp::Config,
    ) -> Result<ListenerId, tcp::ListenError> {
        todo!()
    }
    pub fn tcp_accept(&mut self, listener: ListenerId) -> Option<TcpId> {
        todo!()
    }
    pub fn tcp_close_listener(&mut self, now: Instant, listener: ListenerId) {
        todo!()
    }
    pub fn tcp_listener_addr(&self, listener: ListenerId) -> SocketAddr {
        todo!()
    }
    pub fn tcp_connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        config: tcp::Config,
    ) -> Result<TcpId, tcp::ConnectError> {
        todo!()
    }
    pub fn tcp_send(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, tcp::SendError> {
        todo!()
    }
    pub fn tcp_receive(&mut self, now: Instant, id: TcpId, into: &mut [u8]) -> Result<usize, tcp::ReceiveError> {
        todo!()
    }
    /// Sends FIN after what is buffered.
    pub fn tcp_shutdown(&mut self, now: Instant, id: TcpId) {
        todo!()
    }
    /// The application lets go; the stack finishes by itself. The id is no longer valid.
    pub fn tcp_close(&mut self, now: Instant, id: TcpId) {
        todo!()
    }
    /// Sends RST. The id is no longer valid.
    pub fn tcp_abort(&mut self, now: Instant, id: TcpId) {
        todo!()
    }
    pub fn tcp_status(&self, id: TcpId) -> tcp::Status {
        todo!()
    }
    pub fn tcp_info(&self, id: TcpId) -> tcp::Info {
        todo!()
    }
    pub fn tcp_local_addr(&self, id: TcpId) -> SocketAddr {
        todo!()
    }
    pub fn tcp_remote_addr(&self, id: TcpId) -> SocketAddr {
        todo!()
    }
    pub fn tcp_config(&self, id: TcpId) -> &tcp::Config {
        todo!()
    }
    /// Changes the settings of a connection that is open: `nagle`, `keepalive`, `ttl` and so on.
    pub fn tcp_configure(&mut self, now: Instant, id: TcpId, change: impl FnOnce(&mut tcp::Config)) {
        todo!()
    }

    /// Port 0 takes a random free one (RFC 6056); an unspecified address takes all.
    pub fn udp_bind(&mut self, local: SocketAddr) -> Result<UdpId, BindError> {
        todo!()
    }
    pub fn udp_connect(&mut self, id: UdpId, remote: SocketAddr) -> Result<(), BindError> {
        todo!()
    }
    pub fn udp_send(
        &mut self,
        now: Instant,
        id: UdpId,
        to: Option<SocketAddr>,
        data: &[u8],
    ) -> Result<usize, UdpSendError> {
        todo!()
    }
    /// Gives the whole length of the datagram, what did not fit into `into` being lost, and who sent it.
    pub fn udp_receive(&mut self, id: UdpId, into: &mut [u8]) -> Result<(usize, SocketAddr), UdpReceiveError> {
        todo!()
    }
    pub fn udp_readable(&self, id: UdpId) -> bool {
        todo!()
    }
    pub fn udp_local_addr(&self, id: UdpId) -> SocketAddr {
        todo!()
    }
    pub fn udp_remote_addr(&self, id: UdpId) -> Option<SocketAddr> {
        todo!()
    }
    pub fn udp_set_broadcast(&mut self, id: UdpId, allowed: bool) {
        todo!()
    }
    pub fn udp_broadcast(&self, id: UdpId) -> bool {
        todo!()
    }
    pub fn udp_set_ttl(&mut self, id: UdpId, ttl: u8) {
        todo!()
    }
    pub fn udp_close(&mut self, id: UdpId) {
        todo!()
    }

    pub fn ping_open(&mut self) -> PingId {
        todo!()
    }
    pub fn ping_send(
        &mut self,
        now: Instant,
        id: PingId,
        to: IpAddr,
        sequence: u16,
        data: &[u8],
        ttl: u8,
    ) -> Result<(), UdpSendError> {
        todo!()
    }
    pub fn ping_receive(&mut self, id: PingId) -> Option<PingReply> {
        todo!()
    }
    pub fn ping_close(&mut self, id: PingId) {
        todo!()
    }
}
