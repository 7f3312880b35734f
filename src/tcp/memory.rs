//! How much memory buffers may take when there is little: a stack bounds the sum over all of its connections.
//!
//! Plenty is the usual case. When half of the limit is taken windows and buffers grow no further, buffers that hold
//! little give memory back, and a byte far past a hole does not get a buffer that reaches there. At the limit each
//! connection keeps what it has, and [`FLOOR`] bytes in each direction, so that all of them go on.

use super::connection::Connection;
use super::fold::folded;
use crate::pool::Pool;

/// What every connection may hold in each direction, in bytes.
pub const FLOOR: usize = 2048;
/// The most that waits to be sent when memory is scarce.
const SCARCE: usize = 64 * 1024;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Memory {
    #[default]
    Plenty,
    Scarce,
    Exhausted,
}

folded!(Memory: Plenty, Scarce, Exhausted);

impl Memory {
    pub fn name(self) -> &'static str {
        match self {
            Memory::Plenty => "plenty",
            Memory::Scarce => "scarce",
            Memory::Exhausted => "exhausted",
        }
    }

    /// Of `limit` bytes so many are taken.
    pub fn of(taken: usize, limit: usize) -> Memory {
        match taken {
            _ if taken >= limit => Memory::Exhausted,
            _ if taken >= limit / 2 => Memory::Scarce,
            _ => Memory::Plenty,
        }
    }

    /// What may wait to be sent, where it could be `capacity`.
    pub fn bound(self, capacity: usize) -> usize {
        match self {
            Memory::Plenty => capacity,
            Memory::Scarce => capacity.min(SCARCE),
            Memory::Exhausted => capacity.min(FLOOR),
        }
    }
}

impl Connection {
    pub fn set_memory(&mut self, memory: Memory, pool: &mut Pool) {
        self.memory = memory;
        self.rcv.buffer.be_thrifty(memory != Memory::Plenty, pool);
    }

    /// Bytes of memory that its buffers take.
    pub fn memory_held(&self) -> usize {
        self.rcv.buffer.allocated() + self.snd.buffer.allocated()
    }
}
