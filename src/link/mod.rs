//! Ethernet in and out, and who is behind which hardware address (front page to come).

use crate::event::Context;
use crate::frame::{Frame, Offload, Received};
use crate::time::Instant;
use crate::wire::MacAddress;
use ipnet::IpNet;
use std::net::IpAddr;

/// What the link is told about its interface.
#[derive(Clone, Debug)]
pub struct Config {
    pub mac: MacAddress,
    /// Our addresses with their prefixes: what ARP answers for, and which destinations are broadcasts.
    pub addresses: Vec<IpNet>,
    /// Ask three times whether somebody has our address before using it (RFC 5227 §2.1); else announce at once.
    pub probe: bool,
}

/// What climbs to IP: the Ethernet payload, padding included.
#[derive(Clone, Copy, Debug)]
pub enum Up<'a> {
    Ipv4 {
        packet: &'a [u8],
        /// The frame was addressed to a group (broadcast or multicast).
        broadcast: bool,
        offload: Offload,
    },
    Ipv6 {
        packet: &'a [u8],
        broadcast: bool,
        offload: Offload,
    },
}

/// A neighbour that does not answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The next hop: a host of this link or a gateway.
    pub address: IpAddr,
    /// What waited for it, each with its IP header outermost; already told as dropped.
    pub frames: Vec<Frame>,
}

/// The link layer of one interface.
#[derive(Debug)]
pub struct Link {
    #[expect(dead_code, reason = "the skeleton")]
    config: Config,
}

#[allow(unused_variables)]
impl Link {
    pub fn new(config: Config) -> Link {
        Link { config }
    }

    /// Announces our addresses, or begins to probe for them.
    pub fn start(&mut self, cx: &mut Context<'_>) {
        todo!()
    }

    /// Strips Ethernet; ARP ends here. What is thrown away is told.
    pub fn handle<'a>(&mut self, cx: &mut Context<'_>, frame: Received<'a>) -> Option<Up<'a>> {
        todo!()
    }

    /// Sends an IP packet to a neighbour: at once when its hardware address is known, else when it is.
    pub fn send(&mut self, cx: &mut Context<'_>, next_hop: IpAddr, frame: Frame) {
        todo!()
    }

    /// Frames ready for the device, in order. Does not tell [`FrameSent`](crate::event::Event::FrameSent).
    pub fn poll_transmit(&mut self) -> Option<Frame> {
        todo!()
    }

    /// Neighbours that were given up, with what had waited for them.
    pub fn poll_failure(&mut self) -> Option<Failure> {
        todo!()
    }

    /// An upper layer knows that its packets arrive there: an acknowledgement came (RFC 4861 §7.3.1).
    pub fn confirm(&mut self, cx: &mut Context<'_>, next_hop: IpAddr) {
        todo!()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        todo!()
    }

    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        todo!()
    }
}
