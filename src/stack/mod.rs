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

mod calls;
mod cookies;
mod deadlines;
mod endings;
mod endpoints;
mod errors;
mod fast_open;
mod keyed;
mod layers;
mod listeners;
mod ping;
mod ports;
mod rest;
mod share;
mod slab;
mod socket;
mod sockets;
mod tcp;
#[cfg(test)]
mod tests;
mod time_wait;
mod time_waits;
mod udp;

pub use crate::udp::{ReceiveError as UdpReceiveError, SendError as UdpSendError};
pub use listeners::Handshakes;
pub use ping::PingReply;
pub use share::{Share, Stray};

/// What `benches/operations.rs` times by itself.
#[doc(hidden)]
pub mod parts {
    pub use super::deadlines::Deadlines;
}

use crate::event::{Context, Event, Observer};
use crate::frame::{Frame, Offload, Received};
use crate::pool::{Pool, WORTH_SHARING};
use crate::random::Random;
use crate::time::Instant;
use bytes::BytesMut;
use layers::Layers;
use slotmap::new_key_type;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
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

/// What becomes of a TCP segment to a port on which nobody listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClosedPort {
    /// It is answered with a RST (RFC 9293 §3.10.7.1).
    #[default]
    Resets,
    /// A SYN gets no answer, so that a scan learns nothing from it. The RFC asks for one: who connects by mistake has
    /// to wait.
    DropsSyn,
    /// Nothing gets an answer.
    DropsAll,
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
    /// The longest IP packet that the device splits into segments itself, filling in their checksums; none when it
    /// does not. It may be longer than an IP header can say, and then says that it has no length.
    pub segmentation: Option<usize>,
    /// What new TCP sockets start with.
    pub tcp: crate::tcp::Config,
    pub closed_port: ClosedPort,
    /// How many connections that nobody holds may be in TIME-WAIT, at under 100 bytes each; for more the oldest go.
    pub time_wait_limit: usize,
    /// How long a connection does nothing until only a short record of it is kept, from which it goes on as if nothing
    /// had been (see [`tcp::fold`](crate::tcp::fold)); [`Duration::MAX`] for never.
    pub rest_after: Duration,
    /// How many TCP connections there may be, those that are opening included; further ones are not let in.
    pub connection_limit: usize,
    /// How many bytes the buffers of all TCP connections may take, but for 4 KiB that each of them gets in any case.
    pub tcp_memory_limit: usize,
    /// What the cookies of TCP Fast Open are made with (RFC 7413 §4.1.2), for servers that share an address; none for a
    /// key of its own that changes every twelve hours.
    pub fast_open_key: Option<[u8; 16]>,
    /// Which of several stacks it is that share these addresses; see [`Stack::poll_stray`].
    pub share: Share,
}

/// What TCP takes up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpUsage {
    /// Connections, those that are opening included, and those in TIME-WAIT that nobody holds.
    pub connections: usize,
    /// Of the connections those that are at rest, of which only a record is kept.
    pub resting: usize,
    pub time_waits: usize,
    /// What the buffers hold, in bytes.
    pub memory: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mac: [0x02, 0, 0, 0, 0, 2],
            addresses: vec!["192.0.2.2/24".parse().expect("a prefix of RFC 5737")],
            gateway: None,
            mtu: 1500,
            partial_checksum: false,
            segmentation: None,
            tcp: crate::tcp::Config::default(),
            closed_port: ClosedPort::default(),
            time_wait_limit: 32_768,
            rest_after: Duration::from_secs(1),
            connection_limit: 65_536,
            tcp_memory_limit: 512 << 20,
            fast_open_key: None,
            share: Share::default(),
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

/// One host.
pub struct Stack {
    config: Config,
    layers: Layers,
    random: Random,
    pool: Pool,
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
        let frames = config.share.first_frame();
        Stack { config, layers, random, pool: Pool::default(), frames, observer: None }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn set_closed_port(&mut self, closed_port: ClosedPort) {
        self.config.closed_port = closed_port;
        self.layers.tcp.closed_port = closed_port;
    }

    /// The key of Fast Open cookies from now on; see [`Config::fast_open_key`].
    pub fn set_fast_open_key(&mut self, key: Option<[u8; 16]>) {
        self.config.fast_open_key = key;
        self.layers.tcp.mint.shared = key;
    }

    /// Forgets the cookies that servers have given us, and who did not want to.
    pub fn forget_fast_open_cookies(&mut self) {
        self.layers.tcp.jar.clear();
    }

    /// Who watches from now on.
    pub fn set_observer(&mut self, observer: Option<Box<dyn Observer>>) {
        self.observer = observer;
    }

    /// The interface is up: announces our addresses.
    pub fn start(&mut self, now: Instant) {
        let (mut cx, layers) = self.enter(now);
        // One announcement is enough for all.
        if layers.strays.share.speaks() {
            layers.link.start(&mut cx);
        }
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

    /// The same in memory of which the stack may keep a large part, in place of a copy; then nothing is left in `memory`.
    pub fn handle_frame_in(&mut self, now: Instant, memory: &mut BytesMut, offload: Offload) {
        if memory.len() < WORTH_SHARING {
            return self.handle_frame(now, Received { bytes: memory, offload });
        }
        let frame = self.pool.lend(std::mem::take(memory));
        self.handle_frame(now, Received { bytes: &frame, offload });
        *memory = self.pool.take_back(frame);
    }

    /// Memory of a frame that was kept and is needed no more: for the next frame, best taken just before that is read,
    /// while it is still in the processor's cache.
    pub fn spare_memory(&mut self) -> Option<BytesMut> {
        self.pool.spare_frame()
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
        let mut cx =
            Context::new(now, &mut self.random, &mut self.pool, &mut self.frames, self.observer.as_deref_mut());
        cx.partial_checksum = self.config.partial_checksum;
        (cx, &mut self.layers)
    }
}
