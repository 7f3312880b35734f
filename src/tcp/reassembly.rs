//! The receive buffer: whatever arrives is put in its place, and what is whole is read in order (RFC 9293 §3.10.7.4,
//! SHLD-31).
//!
//! One ring of bytes, indexed by stream position, holds both what is in order and what lies past a hole; a short list
//! of ranges says what of the latter is there. The ring grows with what it holds and goes away when it is empty.
//!
//! Data that fills most of a large frame and comes in its turn is not copied while the ring has nothing: the memory of
//! the frame is kept, and read from.

use super::fold::folded;
use super::ring::Ring;
use crate::pool::Pool;
use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::ops::Range;

/// The most holes that are kept track of: data behind a further one is as good as lost (a peer must not grow the list).
/// Beyond these one for so many bytes of the window that is used: when a burst overflows a queue, every second segment
/// of a whole window may be missing.
const MAX_RANGES: usize = 128;
const BYTES_PER_RANGE: u64 = 512;
/// When memory is scarce: how much larger than what it holds a ring may become.
const SPARSENESS: usize = 16;
/// The largest ring to begin with: whoever reads as fast as data comes never needs more, and it stays in the cache.
const MAX_FIRST_RING: usize = 512 * 1024;
/// The smallest ring.
const MIN_RING: usize = 2048;

/// Bytes `read..next` can be read: those of the kept frames, then those of the ring. The ranges lie beyond `next`, in
/// order, with holes between them.
#[derive(Clone, Debug)]
pub struct ReceiveBuffer {
    /// Parts of frames, none of them empty, with the memory that each keeps; how many bytes they are together, and of memory.
    frames: VecDeque<(Bytes, usize)>,
    framed: usize,
    kept: usize,
    ring: Ring,
    /// How much of the ring was used when it was last given up: a busy connection will want as much again.
    last_len: usize,
    read: u64,
    next: u64,
    ranges: SmallVec<[Range<u64>; 1]>,
    /// Memory is scarce.
    thrifty: bool,
}

folded!(ReceiveBuffer { last_len, read, next, thrifty; frames, framed, kept, ring, ranges });

/// What became of the bytes of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// So many bytes can now be read that could not before; `filled` when they closed a hole, or part of one.
    InOrder { bytes: u64, filled: bool },
    /// They wait past a hole.
    OutOfOrder,
    /// Every one of them had come before, or there was no place left to put them.
    Nothing,
}

impl ReceiveBuffer {
    /// An empty buffer whose next byte has the given position.
    pub fn new(next: u64) -> ReceiveBuffer {
        ReceiveBuffer {
            frames: VecDeque::new(),
            framed: 0,
            kept: 0,
            ring: Ring::default(),
            last_len: 0,
            read: next,
            next,
            ranges: SmallVec::new(),
            thrifty: false,
        }
    }

    /// It holds nothing.
    pub fn is_at_rest(&self) -> bool {
        self.readable() == 0 && self.ranges.is_empty()
    }

    /// RCV.NXT as far as data goes.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The position of the first byte that has not been read.
    pub fn read_position(&self) -> u64 {
        self.read
    }

    /// How many bytes can be read.
    pub fn readable(&self) -> usize {
        (self.next - self.read) as usize
    }

    /// What has come past the first hole, left to right.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// How many bytes that is.
    pub fn waiting(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// Bytes of memory held.
    pub fn allocated(&self) -> usize {
        self.kept + self.ring.len()
    }

    /// The position of what the ring begins with.
    fn in_ring(&self) -> u64 {
        self.read + self.framed as u64
    }

    /// From now on memory is given back when little of it is used, and a byte far past a hole gets no buffer.
    pub fn be_thrifty(&mut self, thrifty: bool, pool: &mut Pool) {
        if thrifty && !self.thrifty {
            self.last_len = 0;
            self.thrifty = true;
            self.shrink(pool);
        }
        self.thrifty = thrifty;
    }

    /// Would bytes up to `end` need more than is held, and more than `floor`?
    pub fn exceeds(&self, end: u64, floor: usize) -> bool {
        end.saturating_sub(self.in_ring()) as usize > self.ring.len().max(floor)
    }

    /// Puts `data` at `position`. Bytes that are there already stay as they are; the caller has cut the data to the
    /// window, which bounds the ring.
    pub fn insert(&mut self, position: u64, data: &[u8], pool: &mut Pool) -> Inserted {
        let end = position + data.len() as u64;
        let start = position.max(self.next);
        if start >= end {
            return Inserted::Nothing;
        }
        let data = &data[(start - position) as usize..];
        if start > self.next {
            return self.insert_past_hole(start, data, pool);
        }
        let filled = !self.ranges.is_empty();
        let ring_is_empty = !filled && self.in_ring() == self.next;
        if ring_is_empty
            && !self.thrifty
            && let Some((data, memory)) = pool.share(data)
        {
            (self.framed, self.kept) = (self.framed + data.len(), self.kept + memory);
            self.frames.push_back((data, memory));
            self.next = end;
            return Inserted::InOrder { bytes: end - start, filled };
        }
        self.reserve(end, pool);
        self.ring.put(start, data);
        self.next = end;
        while self.ranges.first().is_some_and(|range| range.start <= self.next) {
            self.next = self.next.max(self.ranges.remove(0).end);
        }
        Inserted::InOrder { bytes: self.next - start, filled }
    }

    fn insert_past_hole(&mut self, start: u64, data: &[u8], pool: &mut Pool) -> Inserted {
        let end = start + data.len() as u64;
        // The ranges that touch the new one melt into it.
        let first = self.ranges.partition_point(|range| range.end < start);
        let last = self.ranges.partition_point(|range| range.start <= end);
        let touched = &self.ranges[first..last];
        if touched.iter().any(|range| range.start <= start && end <= range.end) {
            return Inserted::Nothing;
        }
        if touched.is_empty() && self.ranges.len() >= self.most_ranges(end) {
            return Inserted::Nothing;
        }
        let merged =
            touched.iter().fold(start..end, |merged, range| merged.start.min(range.start)..merged.end.max(range.end));
        if self.thrifty && self.is_too_sparse(merged.end, data.len()) {
            return Inserted::Nothing;
        }
        self.reserve(merged.end, pool);
        self.ring.put(start, data);
        self.ranges.drain(first..last);
        self.ranges.insert(first, merged);
        Inserted::OutOfOrder
    }

    /// Would a ring up to `end` be larger than what it holds by far?
    fn is_too_sparse(&self, end: u64, more: usize) -> bool {
        let deserved = SPARSENESS * (self.readable() + self.waiting() as usize + more);
        self.exceeds(end, deserved.max(MIN_RING))
    }

    fn most_ranges(&self, end: u64) -> usize {
        MAX_RANGES.max(((end - self.read) / BYTES_PER_RANGE) as usize)
    }

    /// What came from `end` on is not wanted after all; nothing in order lies there.
    pub fn forget_from(&mut self, end: u64, pool: &mut Pool) {
        self.ranges.retain(|range| range.start < end);
        if let Some(last) = self.ranges.last_mut() {
            last.end = last.end.min(end);
        }
        self.consume(0, pool);
    }

    /// Moves up to `into.len()` bytes out, in order.
    pub fn read(&mut self, into: &mut [u8], pool: &mut Pool) -> usize {
        let (wanted, mut len) = (into.len().min(self.readable()), 0);
        while len < wanted {
            let part = copy(self.front(), &mut into[len..]);
            self.consume(part, pool);
            len += part;
        }
        len
    }

    /// Copies what `read` would move.
    pub fn peek(&self, into: &mut [u8]) -> usize {
        let frames = self.frames.iter().map(|(data, _)| &data[..]);
        frames.chain(self.ring_slices()).fold(0, |len, slice| len + copy(slice, &mut into[len..]))
    }

    /// What can be read, where it lies, as far as it lies in one piece.
    pub fn front(&self) -> &[u8] {
        self.frames.front().map_or_else(|| self.ring_slices()[0], |(data, _)| data)
    }

    /// What can be read of the ring.
    fn ring_slices(&self) -> [&[u8]; 2] {
        self.ring.slices(self.in_ring(), self.readable() - self.framed)
    }

    /// Forgets `len` bytes that were read in place.
    ///
    /// # Panics
    /// When fewer are readable.
    pub fn consume(&mut self, len: usize, pool: &mut Pool) {
        assert!(len <= self.readable(), "consume {len} of {}", self.readable());
        let len = len - self.consume_frames(len, pool);
        if self.ring.is_empty() {
            // Nothing to forget; and what was used last is not forgotten because somebody looks for more.
            return;
        }
        self.read += len as u64;
        if self.read == self.next && self.ranges.is_empty() {
            // As much as went through it, so that what was large once does not stay large.
            self.last_len = if self.thrifty { 0 } else { self.ring.used(self.read).min(MAX_FIRST_RING) };
            std::mem::take(&mut self.ring).give_back(pool);
        } else if self.thrifty {
            self.shrink(pool);
        }
    }

    /// Forgets up to `len` bytes of frames; gives how many.
    fn consume_frames(&mut self, len: usize, pool: &mut Pool) -> usize {
        let mut left = len.min(self.framed);
        let consumed = left;
        while left > 0
            && let Some((first, memory)) = self.frames.front_mut()
        {
            let part = left.min(first.len());
            first.advance(part);
            left -= part;
            if first.is_empty() {
                self.kept -= *memory;
                pool.give_back(std::mem::take(first));
                self.frames.pop_front();
            }
        }
        self.framed -= consumed;
        self.read += consumed as u64;
        consumed
    }

    /// A ring that is hardly used is exchanged for one that fits.
    fn shrink(&mut self, pool: &mut Pool) {
        let end = self.ranges.last().map_or(self.next, |range| range.end);
        let needed = ((end - self.in_ring()) as usize).next_power_of_two().max(MIN_RING);
        if 8 * needed <= self.ring.len() {
            self.exchange(needed, pool);
        }
    }

    /// Makes the ring large enough to hold everything up to `end`, and moves what it holds to its new places.
    fn reserve(&mut self, end: u64, pool: &mut Pool) {
        let needed = (end - self.in_ring()) as usize;
        if needed <= self.ring.len() {
            return;
        }
        let len = needed.max(self.last_len).next_power_of_two().max(MIN_RING);
        if self.ring.is_empty() {
            self.ring = Ring::take(len, self.in_ring(), pool);
        } else {
            self.exchange(len, pool);
        }
    }

    /// Moves what is held to a ring of `len` bytes.
    fn exchange(&mut self, len: usize, pool: &mut Pool) {
        let in_ring = self.in_ring();
        let old = std::mem::replace(&mut self.ring, Ring::take(len, in_ring, pool));
        for range in std::iter::once(in_ring..self.next).chain(self.ranges.iter().cloned()) {
            let [front, back] = old.slices(range.start, (range.end - range.start) as usize);
            self.ring.put(range.start, front);
            self.ring.put(range.start + front.len() as u64, back);
        }
        old.give_back(pool);
    }
}

/// As much as there is, and is room for.
fn copy(from: &[u8], into: &mut [u8]) -> usize {
    let len = from.len().min(into.len());
    into[..len].copy_from_slice(&from[..len]);
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thrifty_buffer_gives_back_and_does_not_reach_far() {
        let mut pool = Pool::default();
        let mut buffer = ReceiveBuffer::new(0);
        buffer.insert(0, &[7; 100_000], &mut pool);
        buffer.read(&mut [0; 99_990], &mut pool);
        assert_eq!(buffer.allocated(), 1 << 17, "what will be wanted again");
        buffer.be_thrifty(true, &mut pool);
        assert_eq!(buffer.allocated(), MIN_RING);
        assert_eq!(buffer.insert(100_000 + 90_000, b"x", &mut pool), Inserted::Nothing);
        assert_eq!(buffer.allocated(), MIN_RING, "a byte far past a hole");
        assert_eq!(
            buffer.insert(100_000 + 10_000, &[8; 1000], &mut pool),
            Inserted::OutOfOrder,
            "not so far for a thousand"
        );
        let mut rest = [0; 20];
        assert_eq!((buffer.read(&mut rest, &mut pool), &rest[..10]), (10, &[7; 10][..]));
        buffer.be_thrifty(false, &mut pool);
        assert_eq!(buffer.insert(100_000 + 90_000, b"x", &mut pool), Inserted::OutOfOrder);
    }
    use bytes::BytesMut;
    use proptest::prelude::*;

    #[test]
    fn who_looks_in_vain_does_not_make_the_next_ring_small() {
        let (mut pool, mut buffer) = (Pool::default(), ReceiveBuffer::new(0));
        buffer.insert(0, &[7; 100_000], &mut pool);
        assert_eq!(buffer.read(&mut [0; 200_000], &mut pool), 100_000);
        assert_eq!(buffer.read(&mut [0; 200_000], &mut pool), 0, "in vain");
        buffer.insert(100_000, b"x", &mut pool);
        assert_eq!(buffer.allocated(), 1 << 17);
    }

    #[test]
    fn segments_out_of_order_are_read_in_order() {
        let mut pool = Pool::default();
        let mut buffer = ReceiveBuffer::new(100);
        assert_eq!(buffer.insert(103, b"def", &mut pool), Inserted::OutOfOrder);
        assert_eq!(buffer.insert(109, b"jk", &mut pool), Inserted::OutOfOrder);
        assert_eq!(buffer.ranges(), [103..106, 109..111]);
        assert_eq!(buffer.insert(100, b"abc", &mut pool), Inserted::InOrder { bytes: 6, filled: true });
        assert_eq!(buffer.insert(104, b"xx", &mut pool), Inserted::Nothing);
        assert_eq!(buffer.insert(105, b"xghixx", &mut pool), Inserted::InOrder { bytes: 5, filled: true });
        let mut into = [0; 20];
        assert_eq!(buffer.read(&mut into, &mut pool), 11);
        assert_eq!(&into[..11], b"abcdefghixx", "what came first for a byte in order stays");
        assert_eq!(buffer.allocated(), 0, "an empty buffer holds nothing");
    }

    #[test]
    fn holes_are_bounded() {
        let mut pool = Pool::default();
        let mut buffer = ReceiveBuffer::new(0);
        for hole in 0..1000 {
            buffer.insert(1 + 2 * hole, b"x", &mut pool);
        }
        assert_eq!(buffer.ranges().len(), MAX_RANGES);
    }

    #[test]
    fn every_second_segment_of_a_large_window_may_be_missing() {
        let mut pool = Pool::default();
        let mut buffer = ReceiveBuffer::new(0);
        for segment in 0..1000 {
            assert_eq!(buffer.insert((2 * segment + 1) * 1000, &[7; 1000], &mut pool), Inserted::OutOfOrder);
        }
        assert_eq!(buffer.ranges().len(), 1000);
    }

    #[test]
    fn a_frame_in_its_turn_is_kept_and_not_copied_while_the_ring_is_empty() {
        let (mut pool, mut buffer) = (Pool::default(), ReceiveBuffer::new(0));
        let mut arrive = |buffer: &mut ReceiveBuffer, position, len| {
            let frame = pool.lend(BytesMut::from(&vec![position as u8; len][..]));
            let (before, memory) = (buffer.readable(), frame.as_ptr());
            buffer.insert(position, &frame, &mut pool);
            let kept = buffer.frames.back().is_some_and(|(data, _)| data.as_ptr() == memory);
            assert_eq!(pool.take_back(frame).is_empty(), kept, "what is kept does not come back");
            (kept, buffer.readable() - before)
        };
        assert_eq!(arrive(&mut buffer, 0, 1000), (true, 1000));
        assert_eq!(arrive(&mut buffer, 1000, 1000), (true, 1000));
        assert_eq!(arrive(&mut buffer, 2500, 1000), (false, 0), "past a hole");
        assert_eq!(arrive(&mut buffer, 2000, 1000), (false, 1500), "up to what the ring has");
        assert_eq!(arrive(&mut buffer, 3500, 1000), (false, 1000), "behind what the ring has");
        let mut into = [0; 5000];
        assert_eq!(buffer.read(&mut into[..999], &mut pool), 999);
        assert_eq!(buffer.frames.len(), 2);
        assert_eq!(buffer.allocated(), 2000 + buffer.ring.len(), "the last octet of a frame keeps all of it");
        assert_eq!(buffer.read(&mut into[999..], &mut pool), 3501);
        assert_eq!([0, 1000, 2000, 3000, 4499].map(|at| into[at]), [0, 232, 208, 196, 172]);
        assert_eq!(buffer.allocated(), 0);
    }

    proptest! {
        /// Any pieces of a stream, in any order and overlap, give the stream.
        #[test]
        fn any_arrival_order_gives_the_stream(
            start in prop_oneof![Just(0u64), Just(u64::from(u32::MAX) - 500), Just((1 << 32) + 77)],
            pieces in proptest::collection::vec((0usize..3000, 1usize..800, any::<bool>()), 1..60),
            reads in proptest::collection::vec(0usize..2000, 60),
        ) {
            let stream: Vec<u8> = (0..4000usize).map(|i| (i * 7 + i / 256) as u8).collect();
            let mut pool = Pool::default();
        let mut buffer = ReceiveBuffer::new(start);
            let mut seen = vec![false; stream.len()];
            let mut out = Vec::new();
            for ((offset, len, lent), read) in pieces.into_iter().zip(reads) {
                let data = &stream[offset..offset + len];
                if lent {
                    let frame = pool.lend(BytesMut::from(data));
                    buffer.insert(start + offset as u64, &frame, &mut pool);
                    pool.take_back(frame);
                } else {
                    buffer.insert(start + offset as u64, data, &mut pool);
                }
                seen[offset..offset + len].fill(true);
                let whole = seen.iter().take_while(|seen| **seen).count();
                prop_assert_eq!(buffer.next(), start + whole as u64);
                prop_assert_eq!(buffer.readable(), whole - out.len());
                let mut into = vec![0; read];
                let got = buffer.read(&mut into, &mut pool);
                out.extend_from_slice(&into[..got]);
                prop_assert!(buffer.ranges().windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert_eq!(buffer.allocated() == 0, buffer.is_at_rest());
            }
            prop_assert_eq!(&out[..], &stream[..out.len()]);
        }
    }
}
