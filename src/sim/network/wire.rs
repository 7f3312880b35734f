//! One direction of a cable.

use crate::device::fault::{self, Netem, Packet, Spec};
use crate::device::serialization;
use crate::frame::{FrameId, Offload};
use crate::random::Random;
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What one direction is like.
#[derive(Clone, PartialEq, Debug)]
pub struct Shape {
    /// Bits a second; none is no limit, and then nothing ever waits.
    pub rate: Option<u64>,
    /// How many packets wait at most while one is being sent; what comes on top is lost.
    pub queue: usize,
    /// From how many waiting packets on those that come are marked, if they may be (RFC 3168 §5; K of RFC 8257 §4.1).
    pub mark: Option<usize>,
    /// The delay, and all that goes wrong; `rate` and `limit` in it are not looked at.
    pub faults: Spec,
    /// When the wire is cut.
    pub outages: Vec<Outage>,
}

/// From when to when everything is lost, counted from the beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outage {
    pub from: Duration,
    pub to: Duration,
}

impl Default for Shape {
    /// No limit, no delay, no faults; a queue of 1000 packets, as Linux gives an interface.
    fn default() -> Shape {
        Shape { rate: None, queue: 1000, mark: None, faults: Spec::default(), outages: Vec::new() }
    }
}

/// What one direction has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Frames that came, and bytes that were sent.
    pub frames: u64,
    pub bytes: u64,
    /// Lost because the queue was full, and because the wire was cut.
    pub queue_drops: u64,
    /// Marked since so many waited already.
    pub marked: u64,
    pub outage_drops: u64,
    /// The most packets that ever waited.
    pub longest_queue: usize,
    pub faults: fault::Counters,
}

/// Frames on their way from one end to the other. It knows of each frame at once when it will arrive, so it needs to be
/// looked at only then.
#[derive(Debug)]
pub struct Wire {
    shape: Shape,
    /// When each frame that still waits or is being sent will have left.
    leaving: VecDeque<Instant>,
    idle_from: Instant,
    travelling: Netem,
    counters: Counters,
    dropped: BTreeMap<(SocketAddr, SocketAddr), u64>,
}

impl Wire {
    pub fn new(shape: Shape, seed: u64) -> Wire {
        let spec = Spec { rate: None, limit: usize::MAX, ..shape.faults };
        Wire {
            travelling: Netem::new(spec, Random::new(seed)),
            shape,
            leaving: VecDeque::new(),
            idle_from: Instant::ZERO,
            counters: Counters::default(),
            dropped: BTreeMap::new(),
        }
    }

    /// A frame comes to be sent.
    pub fn put(&mut self, now: Instant, mut bytes: Vec<u8>) {
        self.counters.frames += 1;
        while self.leaving.pop_front_if(|left| *left <= now).is_some() {}
        // The first of them is being sent, the others wait.
        if self.leaving.len() > self.shape.queue {
            self.counters.queue_drops += 1;
            if let Some(flow) = flow_of(&bytes) {
                *self.dropped.entry(flow).or_default() += 1;
            }
            return;
        }
        let crowded = self.shape.mark.is_some_and(|most| self.leaving.len() > most);
        if crowded && fault::mark(&mut bytes) {
            self.counters.marked += 1;
        }
        let leaves = self.send(now, bytes.len());
        if self.shape.outages.iter().any(|outage| outage.covers(leaves)) {
            self.counters.outage_drops += 1;
            return;
        }
        self.travelling.enqueue(leaves, Packet { id: FrameId::default(), bytes, offload: Offload::default() });
    }

    /// The next frame that has arrived.
    pub fn take(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.travelling.dequeue(now).map(|packet| packet.bytes)
    }

    /// When the next frame arrives.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.travelling.next_deadline()
    }

    pub fn counters(&self) -> Counters {
        Counters { faults: self.travelling.counters(), ..self.counters }
    }

    /// How many frames of each TCP connection, source first, found the queue full.
    pub fn dropped(&self) -> &BTreeMap<(SocketAddr, SocketAddr), u64> {
        &self.dropped
    }

    /// When a frame that comes now will have left.
    fn send(&mut self, now: Instant, len: usize) -> Instant {
        self.counters.bytes += len as u64;
        let Some(rate) = self.shape.rate else { return now };
        self.counters.longest_queue = self.counters.longest_queue.max(self.leaving.len());
        self.idle_from = self.idle_from.max(now) + serialization(len, rate);
        self.leaving.push_back(self.idle_from);
        self.idle_from
    }
}

impl Outage {
    fn covers(&self, at: Instant) -> bool {
        let since = at.since(Instant::ZERO);
        self.from <= since && since < self.to
    }
}

/// Whose TCP segment this frame carries: source and destination.
fn flow_of(frame: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let sliced = etherparse::SlicedPacket::from_ethernet(frame).ok()?;
    let Some(etherparse::NetSlice::Ipv4(ip)) = &sliced.net else { return None };
    let Some(etherparse::TransportSlice::Tcp(tcp)) = &sliced.transport else { return None };
    let (source, destination) = (ip.header().source_addr(), ip.header().destination_addr());
    let socket = |address: Ipv4Addr, port| SocketAddr::from((address, port));
    Some((socket(source, tcp.source_port()), socket(destination, tcp.destination_port())))
}
