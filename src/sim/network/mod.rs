//! What lies between hosts: wires with a rate, a queue, a delay and faults, and switches that join several of them.
//!
//! ```text
//!   frame -> queue full? -> one after the other at the rate -> outage? -> faults and delay -> the other end
//! ```
//!
//! A [`cable`] has two [`Wire`]s, one a direction, and a [`Port`] at each end, which is a [`Device`] for a host. Ports
//! that are put into a [`Switch`] instead join networks: frames that meet there for the same way out share its queue.
//! That is the bottleneck of most experiments.
//!
//! Invariants: a wire hands over in the order of the times at which frames are due; a full queue loses what comes
//! last; what is lost after the queue has taken its time on the wire; the same seed gives the same faults.

mod port;
mod switch;
#[cfg(test)]
mod tests;
mod wire;

pub use port::{Meter, Port, cable};
pub use switch::Switch;
pub use wire::{Counters, Outage, Shape, Wire};

#[cfg(doc)]
use crate::device::Device;
