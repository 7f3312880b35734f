//! The ends of a cable.

use super::wire::{Counters, Shape, Wire};
use crate::device::{Batch, Capabilities, Device, LINK_HEADER_LEN, offload};
use crate::frame::{Frame, Offload};
use crate::random::Random;
use crate::time::Instant;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Two ends joined by two wires: what goes into the first port comes out of the second as `there` says, and the other
/// way as `back` says. `mtu` is the largest IP packet, in bytes.
///
/// ```
/// use std::time::Duration;
/// use strata::sim::network::{Shape, cable};
/// use strata::time::Instant;
///
/// // 1000 bits take a millisecond to leave; two frames may wait behind the one that is being sent.
/// let shape = Shape { rate: Some(1_000_000), queue: 2, ..Shape::default() };
/// let (left, right) = cable(shape.clone(), shape, 1500, 1);
/// for number in 0..5 {
///     left.put(Instant::ZERO, vec![number; 125]);
/// }
/// assert_eq!(right.next_deadline(), Some(Instant::from_millis(1)));
/// let arrived: Vec<u8> = std::iter::from_fn(|| right.take(Instant::from_millis(10))).map(|frame| frame[0]).collect();
/// assert_eq!((arrived, left.meter().counters().queue_drops), (vec![0, 1, 2], 2));
/// ```
pub fn cable(there: Shape, back: Shape, mtu: usize, seed: u64) -> (Port, Port) {
    let mut random = Random::new(seed);
    let mut wire = |shape| Arc::new(Mutex::new(Wire::new(shape, random.next_u64())));
    let (there, back) = (wire(there), wire(back));
    let left = Port { incoming: Arc::clone(&back), outgoing: Arc::clone(&there), mtu };
    (left, Port { incoming: there, outgoing: back, mtu })
}

/// One end of a cable.
#[derive(Debug)]
pub struct Port {
    incoming: Arc<Mutex<Wire>>,
    outgoing: Arc<Mutex<Wire>>,
    mtu: usize,
}

impl Port {
    /// Sends a frame.
    pub fn put(&self, now: Instant, bytes: Vec<u8>) {
        lock(&self.outgoing).put(now, bytes);
    }

    /// The next frame that has arrived.
    pub fn take(&self, now: Instant) -> Option<Vec<u8>> {
        lock(&self.incoming).take(now)
    }

    /// When the next frame arrives.
    pub fn next_deadline(&self) -> Option<Instant> {
        lock(&self.incoming).next_deadline()
    }

    /// A view of the wire that leads away from here.
    pub fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.outgoing))
    }
}

/// What a wire has done so far, for as long as somebody wants to know.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Mutex<Wire>>);

impl Meter {
    pub fn counters(&self) -> Counters {
        lock(&self.0).counters()
    }

    /// How many frames of the TCP connection from `source` to `destination` found the queue full.
    pub fn dropped(&self, source: SocketAddr, destination: SocketAddr) -> u64 {
        lock(&self.0).dropped().get(&(source, destination)).copied().unwrap_or_default()
    }
}

fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device for Port {
    fn describe(&self) -> String {
        format!("simulated cable, MTU {}", self.mtu)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { mtu: self.mtu, partial_checksum: false, segmentation: None, receive_queue: None }
    }

    fn receive(&mut self, now: Instant, batch: &mut Batch) -> io::Result<()> {
        let mut wire = lock(&self.incoming);
        while !batch.is_full()
            && let Some(bytes) = wire.take(now)
        {
            batch.put(bytes, Offload::default());
        }
        Ok(())
    }

    fn transmit(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        let mut wire = lock(&self.outgoing);
        for frame in frames.drain(..) {
            debug_assert!(frame.offload.segment_size.is_some() || frame.len() <= self.mtu + LINK_HEADER_LEN);
            offload::pieces_of(&frame).into_iter().for_each(|bytes| wire.put(now, bytes));
        }
        Ok(())
    }

    fn next_deadline(&self) -> Option<Instant> {
        Port::next_deadline(self)
    }

    fn lost(&self) -> u64 {
        lock(&self.outgoing).counters().queue_drops
    }
}
