//! ICMP: echo, and the errors that packets meet (front page to come).

use crate::event::Context;
use crate::frame::Frame;
use crate::ip::{NetworkError, Outgoing, Packet};
use std::net::IpAddr;

/// The token bucket of RFC 1812 §4.3.2.8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    pub errors_per_second: u32,
    /// How many errors may leave at once after a quiet time.
    pub burst: u32,
    /// The TTL of our own messages.
    pub ttl: u8,
}

impl Default for Config {
    fn default() -> Config {
        Config { errors_per_second: 1000, burst: 50, ttl: 64 }
    }
}

/// What became of an ICMP message.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "moved once, from here to the caller; a box would cost more")]
pub enum Disposition<'p> {
    /// Send this.
    Reply(Outgoing),
    /// For the ping socket with this id.
    EchoReply(EchoReply<'p>),
    /// For the socket whose packet is quoted.
    Error(Quoted<'p>),
    /// Nothing more to do; a drop was told.
    None,
}

/// An echo reply that reached us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EchoReply<'p> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub id: u16,
    pub sequence: u16,
    pub ttl: u8,
    pub data: &'p [u8],
}

/// An error about a packet of ours, as far as it quotes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quoted<'p> {
    pub error: NetworkError,
    /// Who says so.
    pub from: IpAddr,
    /// Of the packet quoted: its source is (claimed to be) ours.
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    /// The beginning of the transport's bytes, at least 8: ports, and for TCP the sequence number.
    pub transport: &'p [u8],
}

/// ICMP of one host.
#[derive(Debug)]
pub struct Icmp {
    #[expect(dead_code, reason = "the skeleton")]
    config: Config,
}

#[allow(unused_variables)]
impl Icmp {
    pub fn new(config: Config) -> Icmp {
        Icmp { config }
    }

    /// Deals with a packet whose protocol is ICMP.
    pub fn handle<'p>(&mut self, cx: &mut Context<'_>, packet: &'p Packet<'_>) -> Disposition<'p> {
        todo!()
    }

    /// The error that answers `packet`, unless a rule or the rate limit forbids one.
    pub fn error(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, error: NetworkError) -> Option<Outgoing> {
        todo!()
    }
}

/// An echo request, ready for [`Ip::send`](crate::ip::Ip::send).
#[allow(unused_variables)]
pub fn echo_request(
    cx: &mut Context<'_>,
    (source, destination): (IpAddr, IpAddr),
    (id, sequence): (u16, u16),
    data: &[u8],
    ttl: u8,
) -> Outgoing {
    todo!()
}

/// What a frame of ours that never left (its neighbour failed) says to the socket that sent it; none when its
/// headers are not those of IP.
#[allow(unused_variables)]
pub fn quoted_from_frame(frame: &Frame, error: NetworkError) -> Option<Quoted<'_>> {
    todo!()
}
