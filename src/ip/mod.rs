//! The Internet layer: addresses, routes, fragments, path MTU (front page to come).

mod error;
mod packet;

pub use error::NetworkError;
pub use packet::{Outgoing, Packet};

use crate::event::Context;
use crate::link::{Link, Up};
use crate::random::Random;
use crate::time::Instant;
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;
use thiserror::Error;

/// What the Internet layer of a host is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our addresses with their prefixes; each prefix is a route to its own link.
    pub addresses: Vec<IpNet>,
    /// Routes beside those of our own prefixes. The longest prefix wins; among equals the first.
    pub routes: Vec<Route>,
    /// The largest IP packet that the link carries, in bytes.
    pub mtu: usize,
    /// The TTL of what names none, 1..=255.
    pub ttl: u8,
    pub reassembly: ReassemblyConfig,
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
    /// How long the first fragment to arrive waits for the rest.
    pub timeout: Duration,
}

impl Default for ReassemblyConfig {
    fn default() -> ReassemblyConfig {
        ReassemblyConfig { max_bytes: 1 << 20, max_datagrams: 64, timeout: Duration::from_secs(30) }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            addresses: Vec::new(),
            routes: Vec::new(),
            mtu: 1500,
            ttl: 64,
            reassembly: ReassemblyConfig::default(),
        }
    }
}

/// Why a packet was not sent; it was told as dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SendError {
    #[error("no route to {destination}")]
    NoRoute { destination: IpAddr },
    /// It may not be fragmented, or is a super-frame whose segments are too large: build it anew with this MTU.
    #[error("a packet of {len} bytes does not fit the path MTU of {mtu}")]
    FragmentationNeeded { len: usize, mtu: usize },
    #[error("a packet of {len} bytes is longer than IP can say")]
    TooLong { len: usize },
}

/// What IP met that the sender should hear of through ICMP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// Fragments were missing to the end; the packet is the first fragment.
    ReassemblyTimeout,
    /// The byte of the header at `pointer` makes no sense.
    Parameter { pointer: u8 },
}

/// The Internet layer of one host.
#[derive(Debug)]
pub struct Ip {
    #[expect(dead_code, reason = "the skeleton")]
    config: Config,
}

#[allow(unused_variables)]
impl Ip {
    /// `random` gives the key of the identification field.
    pub fn new(config: Config, random: &mut Random) -> Ip {
        Ip { config }
    }

    /// Strips the IP header: a whole packet for us, or nothing yet, or nothing at all (which is told).
    pub fn handle<'a>(&mut self, cx: &mut Context<'_>, up: Up<'a>) -> Option<Packet<'a>> {
        todo!()
    }

    /// Routes, fragments if need be, prepends the header and hands the frame to the link.
    pub fn send(&mut self, cx: &mut Context<'_>, packet: Outgoing, link: &mut Link) -> Result<(), SendError> {
        todo!()
    }

    /// What the sender should hear of through ICMP (`icmp::Icmp::error`).
    pub fn poll_problem(&mut self) -> Option<(Packet<'static>, Problem)> {
        todo!()
    }

    /// The source address for a destination; none without a route.
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        todo!()
    }

    /// The neighbour that packets to `destination` go to: itself on our link, else a gateway.
    pub fn next_hop(&self, destination: IpAddr) -> Option<IpAddr> {
        todo!()
    }

    /// The largest IP packet that may go to `destination`, header included.
    pub fn mtu_for(&self, now: Instant, destination: IpAddr) -> usize {
        todo!()
    }

    /// A router said that only `mtu` bytes fit (RFC 1191 §3). True when that is news.
    pub fn handle_path_mtu(&mut self, cx: &mut Context<'_>, destination: IpAddr, mtu: usize) -> bool {
        todo!()
    }

    pub fn is_ours(&self, address: IpAddr) -> bool {
        todo!()
    }

    /// A broadcast of any form that our prefixes know, or a multicast.
    pub fn is_broadcast(&self, address: IpAddr) -> bool {
        todo!()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        todo!()
    }

    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        todo!()
    }
}
