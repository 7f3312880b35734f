//! Faults: a wrapper around any device that does to its frames what netem would, in both directions.
//!
//! Real kernels need a module and privileges for that, and many have neither; here it is part of the device, works in
//! virtual time as well as in real time, and the same seed gives the same faults.
//!
//! ```text
//!   frame -> duplicate? -> lost or marked? -> corrupt? -> queue full? -> reorder? -> delay, rate -> out
//! ```
//!
//! The order and the meaning of each word are those of Linux's `sch_netem.c` (`man tc-netem`). A delay in both
//! directions makes the round trip longer by twice as much.

mod faults;
mod mark;
mod netem;
mod spec;
#[cfg(test)]
mod spec_tests;
#[cfg(test)]
mod tests;

pub use faults::Faults;
pub use mark::mark;
pub use netem::Counters;
pub(crate) use netem::{Netem, Packet};
pub use spec::{Chance, Spec, SpecError};

use super::{Batch, Capabilities, Device};
use crate::frame::{Frame, Payload};
use crate::random::Random;
use crate::time::Instant;
use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How many frames are taken from the device at a time.
const BATCH: usize = 64;
/// How many batches one call takes in at most.
const ROUNDS: usize = 16;
/// When the device was full, how soon it is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// A device with faults.
///
/// ```
/// use strata::device::{Device, fault::{Fault, Spec}, link::{Config, Link}};
///
/// let (left, right) = Link::pair(Config::default());
/// let left = Fault::new(left, "loss 2% delay 20ms 5ms".parse::<Spec>()?, 1);
/// assert_eq!(left.describe(), "in-process link, MTU 1500, with loss 2% delay 20ms 5ms");
/// # drop(right);
/// # Ok::<(), strata::device::fault::SpecError>(())
/// ```
#[derive(Debug)]
pub struct Fault<D> {
    device: D,
    incoming: Netem,
    outgoing: Netem,
    arrived: Batch,
    /// Let go by netem, not yet taken by the device.
    ready: VecDeque<Frame>,
    retry: Option<Instant>,
    watch: Watch,
}

/// What was done so far by a [`Fault`] that somebody else drives.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<(Counters, Counters)>>);

impl Watch {
    /// What was done to frames that came in, and to those that went out.
    pub fn counters(&self) -> (Counters, Counters) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Device> Fault<D> {
    /// Wraps `device`; faults may be a [`Spec`] for both directions or differ between them.
    pub fn new(device: D, faults: impl Into<Faults>, seed: u64) -> Fault<D> {
        let faults = faults.into();
        // A generator for each direction: what happens to one does not hang on what comes the other way.
        let mut random = Random::new(seed);
        let (incoming, outgoing) = (Random::new(random.next_u64()), Random::new(random.next_u64()));
        Fault {
            device,
            incoming: Netem::new(faults.incoming, incoming),
            outgoing: Netem::new(faults.outgoing, outgoing),
            arrived: Batch::new(BATCH),
            ready: VecDeque::new(),
            retry: None,
            watch: Watch::default(),
        }
    }

    /// A view of the counters that outlasts giving the device away.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// What was done so far to frames that came in, and to those that went out.
    pub fn counters(&self) -> (Counters, Counters) {
        (self.incoming.counters(), self.outgoing.counters())
    }

    pub fn device(&self) -> &D {
        &self.device
    }

    fn take_in(&mut self, now: Instant) -> io::Result<()> {
        for _ in 0..ROUNDS {
            self.arrived.clear();
            self.device.receive(now, &mut self.arrived)?;
            for frame in self.arrived.iter() {
                let packet = Packet { id: Default::default(), bytes: frame.bytes.to_vec(), offload: frame.offload };
                self.incoming.enqueue(now, packet);
            }
            if !self.arrived.is_full() {
                break;
            }
        }
        Ok(())
    }

    fn send_due(&mut self, now: Instant) -> io::Result<()> {
        while let Some(packet) = self.outgoing.dequeue(now) {
            let mut frame = Frame::new(packet.id, Payload::from(packet.bytes));
            frame.offload = packet.offload;
            self.ready.push_back(frame);
        }
        self.device.transmit(now, &mut self.ready)?;
        self.retry = (!self.ready.is_empty()).then(|| now + RETRY);
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        *self.watch.0.lock().unwrap_or_else(PoisonError::into_inner) = self.counters();
    }
}

impl<D: Device> Device for Fault<D> {
    fn describe(&self) -> String {
        match (self.incoming.spec(), self.outgoing.spec()) {
            (incoming, outgoing) if incoming.is_none() && outgoing.is_none() => self.device.describe(),
            (&incoming, &outgoing) => format!("{}, with {}", self.device.describe(), Faults { incoming, outgoing }),
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn receive(&mut self, now: Instant, batch: &mut Batch) -> io::Result<()> {
        self.send_due(now)?;
        if self.incoming.is_transparent() {
            return self.device.receive(now, batch);
        }
        self.take_in(now)?;
        self.tell();
        while !batch.is_full()
            && let Some(packet) = self.incoming.dequeue(now)
        {
            batch.put(packet.bytes, packet.offload);
        }
        Ok(())
    }

    fn transmit(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        if self.outgoing.is_transparent() && self.ready.is_empty() {
            return self.device.transmit(now, frames);
        }
        for frame in frames.drain(..) {
            let packet = Packet { id: frame.id(), bytes: frame.to_vec(), offload: frame.offload };
            self.outgoing.enqueue(now, packet);
        }
        self.send_due(now)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.device.descriptor()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let ours = [self.incoming.next_deadline(), self.outgoing.next_deadline(), self.retry];
        ours.into_iter().flatten().chain(self.device.next_deadline()).min()
    }

    fn lost(&self) -> u64 {
        self.device.lost()
    }
}
