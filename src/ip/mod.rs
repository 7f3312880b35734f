//! The Internet layer: addresses, routes, fragments, path MTU.
//!
//! Up: [`Ip::handle`] strips the header of what the link hands up, checks it (RFC 791, RFC 1122 §3.2.1), holds
//! fragments until they are whole, and gives a [`Packet`] for the transport that its protocol names. Down:
//! [`Ip::send`] takes an [`Outgoing`], finds the next hop, fragments when it must and may, prepends the header and
//! hands the frame to the [`Link`](crate::link::Link).
//!
//! Invariants: a packet that goes up comes from a unicast address and goes to one of ours or to a broadcast; nothing
//! larger than the path MTU goes down, but for super-frames, of which each segment fits; what strangers can make us
//! remember (fragments, path MTUs) is bounded in number, bytes and time. An unfragmented packet costs no allocation.
//!
//! What the sender of a packet should be told is found here and said in [`icmp`](crate::icmp): see
//! [`Ip::poll_problem`].

mod error;
mod fragment;
mod identification;
mod packet;
mod path_mtu;
mod reassembly;
mod routes;
mod send;
#[cfg(test)]
mod tests;
mod v4;

pub use error::NetworkError;
pub use packet::{Outgoing, Packet};
pub use send::SendError;

use crate::event::{Context, DropReason, Event, Layer};
use crate::link::{Addresses, Up};
use crate::random::Random;
use crate::time::{Instant, earliest};
use identification::Identifications;
use ipnet::IpNet;
pub use path_mtu::FLOOR as MIN_PATH_MTU;
use path_mtu::PathMtus;
use reassembly::Reassembly;
use routes::Routes;
use std::cell::Cell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// Problems that wait to be asked for; more are forgotten.
const MAX_PROBLEMS: usize = 64;

/// What the Internet layer of a host is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our addresses with their prefixes; each prefix is a route to its own link.
    pub addresses: Vec<IpNet>,
    /// Routes beside those of our own prefixes. The longest prefix wins; among equals the first whose gateway answers.
    pub routes: Vec<Route>,
    /// The largest IP packet that the link carries, in bytes; at least 68 (RFC 791 §3.2).
    pub mtu: usize,
    pub reassembly: ReassemblyConfig,
    /// The first identification and the step to the next: hosts that share an address give out different ones.
    pub identifications: (u16, u16),
}

impl Default for Config {
    fn default() -> Config {
        Config {
            addresses: Vec::new(),
            routes: Vec::new(),
            mtu: 1500,
            reassembly: ReassemblyConfig::default(),
            identifications: (0, 1),
        }
    }
}

/// Where packets to a prefix go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    pub prefix: IpNet,
    /// None when the destinations are on the link themselves.
    pub gateway: Option<IpAddr>,
}

/// Bounds on reassembly, which remembers what strangers send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReassemblyConfig {
    /// Bytes over all unfinished datagrams.
    pub max_bytes: usize,
    /// Unfinished datagrams.
    pub max_datagrams: usize,
    /// How long the first fragment to arrive waits for the rest (RFC 1122 §3.3.2 asks for 60 s at least; like Linux
    /// we free the memory sooner).
    pub timeout: Duration,
}

impl Default for ReassemblyConfig {
    fn default() -> ReassemblyConfig {
        ReassemblyConfig { max_bytes: 1 << 20, max_datagrams: 64, timeout: Duration::from_secs(30) }
    }
}

/// What IP met that the sender should hear of through ICMP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// Fragments were missing to the end; the packet is the first fragment.
    ReassemblyTimeout,
    /// The byte of the header at `pointer` makes no sense.
    Parameter { pointer: u8 },
}

impl From<Problem> for NetworkError {
    fn from(problem: Problem) -> NetworkError {
        match problem {
            Problem::ReassemblyTimeout => NetworkError::ReassemblyTimeExceeded,
            Problem::Parameter { pointer } => NetworkError::ParameterProblem { pointer },
        }
    }
}

/// The Internet layer of one host.
#[derive(Debug)]
pub struct Ip {
    config: Config,
    own: Addresses,
    routes: Routes,
    paths: PathMtus,
    reassembly: Reassembly,
    identifications: Identifications,
    problems: VecDeque<(Packet<'static>, Problem)>,
    /// The destination that was asked for last, and its next hop: mostly it is asked for again.
    last_hop: Cell<Option<(IpAddr, IpAddr)>>,
}

impl Ip {
    /// `random` gives the key of the identification field.
    pub fn new(config: Config, random: &mut Random) -> Ip {
        Ip {
            routes: Routes::new(&config.addresses, &config.routes),
            paths: PathMtus::default(),
            reassembly: Reassembly::new(config.reassembly),
            identifications: Identifications::new(random, config.identifications),
            problems: VecDeque::new(),
            last_hop: Cell::new(None),
            own: Addresses::new(&config.addresses),
            config,
        }
    }

    /// Strips the IP header: a whole packet for us, or nothing yet, or nothing at all (which is told).
    pub fn handle<'a>(&mut self, cx: &mut Context<'_>, up: Up<'a>) -> Option<Packet<'a>> {
        match up {
            Up::Ipv4 { packet, broadcast, offload } => self.handle_v4(cx, packet, broadcast, offload),
            Up::Ipv6 { .. } => {
                cx.tell(|| Event::Dropped { layer: Layer::Ethernet, reason: DropReason::UnknownEtherType });
                None
            }
        }
    }

    /// What the sender should hear of through ICMP ([`Icmp::error`](crate::icmp::Icmp::error)).
    pub fn poll_problem(&mut self) -> Option<(Packet<'static>, Problem)> {
        self.problems.pop_front()
    }

    fn report(&mut self, packet: Packet<'static>, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push_back((packet, problem));
        }
    }

    /// The source address for a destination; none without a route.
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        v4::source_for(&self.config.addresses, self.next_hop(destination)?)
    }

    /// The neighbour that packets to `destination` go to: itself on our link, else a gateway. None without a route,
    /// and for our own addresses, which no neighbour has.
    pub fn next_hop(&self, destination: IpAddr) -> Option<IpAddr> {
        match self.last_hop.get() {
            Some((last, hop)) if last == destination => Some(hop),
            Some(_) | None => {
                let hop = self.look_up_next_hop(destination)?;
                self.last_hop.set(Some((destination, hop)));
                Some(hop)
            }
        }
    }

    fn look_up_next_hop(&self, destination: IpAddr) -> Option<IpAddr> {
        if self.is_broadcast(destination) {
            let reachable = self.config.addresses.iter().any(|own| same_version(own.addr(), destination));
            return reachable.then_some(destination);
        }
        if self.is_ours(destination) || destination.is_loopback() || destination.is_unspecified() {
            return None;
        }
        self.routes.next_hop(destination)
    }

    /// The largest IP packet that may go to `destination`, header included.
    pub fn mtu_for(&self, now: Instant, destination: IpAddr) -> usize {
        self.paths.get(now, destination).map_or(self.config.mtu, |path| path.mtu)
    }

    /// A router said that only `mtu` bytes fit (RFC 1191 §3). True when that is news.
    pub fn handle_path_mtu(&mut self, cx: &mut Context<'_>, destination: IpAddr, mtu: usize) -> bool {
        let known = self.mtu_for(cx.now, destination);
        self.paths.handle(cx, destination, mtu, known)
    }

    /// The link gave a neighbour up: if it is a gateway, another one is used for a while.
    pub fn handle_neighbour_failure(&mut self, cx: &mut Context<'_>, neighbour: IpAddr) {
        self.routes.avoid(cx.now, neighbour);
        self.last_hop.set(None);
    }

    pub fn is_ours(&self, address: IpAddr) -> bool {
        self.own.is_ours(address)
    }

    /// A broadcast of any form that our prefixes know, or a multicast.
    pub fn is_broadcast(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => v4.is_multicast() || self.own.is_broadcast(v4),
            IpAddr::V6(v6) => v6.is_multicast(),
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [self.reassembly.next_deadline(), self.paths.next_deadline(), self.routes.next_deadline()];
        earliest(deadlines)
    }

    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        let mut first_fragments = Vec::new();
        self.reassembly.handle_timeout(cx, |first| first_fragments.push(first));
        first_fragments.into_iter().for_each(|first| self.report(first, Problem::ReassemblyTimeout));
        self.paths.handle_timeout(cx, self.config.mtu);
        self.routes.handle_timeout(cx.now);
        self.last_hop.set(None);
    }
}

fn same_version(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}
