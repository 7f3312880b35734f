//! Frames that have arrived, and what one read of a device hands over.

use crate::frame::{Offload, Received};
use bytes::{Bytes, BytesMut};
use std::io;

/// A batch of super-frames is full before it outgrows the processor's cache: who handles it finds it there.
const BATCH_BYTES: usize = 128 * 1024;

/// Frames that have arrived, in buffers that are used again and again.
#[derive(Debug)]
pub struct Batch {
    pub(super) slots: Vec<Slot>,
    len: usize,
    limit: usize,
    bytes: usize,
    /// Who filled it has stopped although there may be more.
    cut_short: bool,
}

/// One frame of a batch.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub buffer: BytesMut,
    pub offload: Offload,
    /// Its data stands in the train of another slot.
    pub joined: bool,
}

impl Batch {
    /// A batch that takes up to `limit` frames.
    pub fn new(limit: usize) -> Batch {
        Batch { slots: Vec::new(), len: 0, limit, bytes: 0, cut_short: false }
    }

    /// It takes no more this time; the device may hold more.
    pub fn is_full(&self) -> bool {
        self.len == self.limit || self.bytes >= BATCH_BYTES || self.cut_short
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// It takes no more this time.
    pub(super) fn cut_short(&mut self) {
        self.cut_short = true;
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many frames were put in.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Forgets the frames and keeps their buffers.
    pub fn clear(&mut self) {
        (self.len, self.bytes, self.cut_short) = (0, 0, false);
    }

    /// Lets `fill` put a frame into the next buffer, which still holds whatever it held before; `Ok(None)` leaves
    /// the batch as it was.
    pub fn fill(&mut self, fill: impl FnOnce(&mut BytesMut) -> io::Result<Option<Offload>>) -> io::Result<bool> {
        if self.len == self.slots.len() {
            self.slots.push(Slot::default());
        }
        let slot = &mut self.slots[self.len];
        let Some(offload) = fill(&mut slot.buffer)? else { return Ok(false) };
        (slot.offload, slot.joined) = (offload, false);
        self.len += 1;
        self.bytes += slot.buffer.len();
        Ok(true)
    }

    /// Adds a copy of a frame.
    pub fn push(&mut self, bytes: &[u8], offload: Offload) {
        let pushed = self.fill(|buffer| {
            buffer.clear();
            buffer.extend_from_slice(bytes);
            Ok(Some(offload))
        });
        debug_assert!(matches!(pushed, Ok(true)), "copying cannot fail");
    }

    /// Takes over a frame in memory of its own.
    pub fn put(&mut self, bytes: Vec<u8>, offload: Offload) {
        let put = self.fill(|buffer| {
            *buffer = Bytes::from(bytes).into();
            Ok(Some(offload))
        });
        debug_assert!(matches!(put, Ok(true)), "moving cannot fail");
    }

    /// Gives memory to those buffers whose own was kept by whom the frames were handed over to.
    pub fn refill(&mut self, mut spare: impl FnMut() -> Option<BytesMut>) {
        let empty = self.slots[..self.len].iter_mut().filter(|slot| slot.buffer.capacity() == 0);
        empty.map_while(|slot| Some((slot, spare()?))).for_each(|(slot, memory)| slot.buffer = memory);
    }

    /// Hands over each frame in its memory, which may be kept.
    pub fn hand_over(&mut self, mut to: impl FnMut(&mut BytesMut, Offload)) {
        let frames = self.slots[..self.len].iter_mut().filter(|slot| !slot.joined);
        frames.for_each(|slot| to(&mut slot.buffer, slot.offload));
    }

    pub fn iter(&self) -> impl Iterator<Item = Received<'_>> {
        let frames = self.slots[..self.len].iter().filter(|slot| !slot.joined);
        frames.map(|slot| Received { bytes: &slot.buffer, offload: slot.offload })
    }
}
