//! Memory that buffers hand on to each other.
//!
//! A buffer takes memory when it has something to hold and gives it back when it is empty. What was given back last is
//! taken first, so that it is still in the processor's cache, and a busy stack asks neither the allocator for memory
//! nor anybody for zeroes. What is kept here is bounded and counts for no connection.

use bytes::{Bytes, BytesMut};

/// Rings are powers of two from one to the other; a longer one is not kept.
const SMALLEST_RING: usize = 2048;
const LARGEST_RING: usize = 512 * 1024;
const RING_SIZES: usize = (LARGEST_RING / SMALLEST_RING).ilog2() as usize + 1;

/// How much memory a stream takes at a time that has much to send, and one that has little.
pub const LARGE_CHUNK: usize = 64 * 1024;
pub const SMALL_CHUNK: usize = 2 * 1024;

/// The most that is kept of each size, in bytes.
const KEPT: usize = 1024 * 1024;
/// And of large chunks, of which a stream with a window of some megabytes gives back and takes that much at a time: what
/// goes back to the system comes again by way of a page fault for every 4 KiB.
const KEPT_LARGE: usize = 4 * KEPT;

/// The longest copy that stands in a chunk with others.
const LONGEST_SHARED: usize = SMALL_CHUNK / 2;

/// A frame with less than so many bytes is not lent.
pub const WORTH_SHARING: usize = 8 * 1024;

/// Free memory of one stack.
#[derive(Debug, Default)]
pub struct Pool {
    rings: [Vec<Vec<u8>>; RING_SIZES],
    large: Vec<BytesMut>,
    small: Vec<BytesMut>,
    /// Memory of frames that arrive.
    frames: Vec<BytesMut>,
    /// What is left of the chunk that copies are made in.
    copies: BytesMut,
    /// The frame that is handled at present, and how much memory it takes; nothing when it may not be kept.
    lent: (Bytes, usize),
}

impl Pool {
    /// So many bytes, a power of two, of any content.
    pub fn take_ring(&mut self, len: usize) -> Vec<u8> {
        self.rings(len).and_then(Vec::pop).unwrap_or_else(|| vec![0; len])
    }

    /// A ring that is no longer needed.
    pub fn give_ring(&mut self, ring: Vec<u8>) {
        let len = ring.len();
        if let Some(free) = self.rings(len).filter(|free| free.len() * len < KEPT) {
            free.push(ring);
        }
    }

    /// The free rings of `len` bytes, if any of them are kept.
    fn rings(&mut self, len: usize) -> Option<&mut Vec<Vec<u8>>> {
        debug_assert!(len.is_power_of_two());
        self.rings.get_mut((len / SMALLEST_RING).trailing_zeros() as usize)
    }

    /// An empty chunk with room for [`LARGE_CHUNK`] or [`SMALL_CHUNK`] bytes.
    pub fn take_chunk(&mut self, large: bool) -> BytesMut {
        let (free, len) = if large { (&mut self.large, LARGE_CHUNK) } else { (&mut self.small, SMALL_CHUNK) };
        free.pop().unwrap_or_else(|| {
            let mut chunk = BytesMut::with_capacity(len);
            // Who holds a part of it is counted beside it from now on, and not anew whenever it is shared.
            let _nothing = chunk.split_to(0);
            chunk
        })
    }

    /// A copy of `data`. Short ones stand behind each other in a chunk that they share, so that few cost an allocation; the
    /// last of them that is held holds the chunk.
    pub fn copy(&mut self, data: &[u8]) -> Bytes {
        if data.len() > LONGEST_SHARED {
            return Bytes::copy_from_slice(data);
        }
        if self.copies.capacity() < data.len() && !self.copies.try_reclaim(data.len()) {
            self.copies = self.take_chunk(false);
        }
        self.copies.extend_from_slice(data);
        self.copies.split().freeze()
    }

    /// Lends the memory of a frame that has arrived, until it is [taken back](Pool::take_back).
    pub fn lend(&mut self, memory: BytesMut) -> Bytes {
        let taken = memory.capacity();
        let frame = memory.freeze();
        self.lent = (frame.clone(), taken);
        frame
    }

    /// `data` in the memory of the frame that was lent, if it is at least half of that and a part of the frame; and how much
    /// memory is kept with it.
    pub fn share(&self, data: &[u8]) -> Option<(Bytes, usize)> {
        let (frame, taken) = &self.lent;
        let is_part =
            frame.as_ptr_range().start <= data.as_ptr() && data.as_ptr_range().end <= frame.as_ptr_range().end;
        (2 * data.len() >= *taken && is_part && !data.is_empty()).then(|| (frame.slice_ref(data), *taken))
    }

    /// The memory that was lent; none when a part of it is kept.
    pub fn take_back(&mut self, frame: Bytes) -> BytesMut {
        self.lent = Default::default();
        frame.try_into_mut().unwrap_or_default()
    }

    /// Memory of a frame that was given back.
    pub fn spare_frame(&mut self) -> Option<BytesMut> {
        self.frames.pop()
    }

    /// A part of a frame that is no longer needed.
    pub fn give_back(&mut self, part: Bytes) {
        if self.frames.len() < KEPT_LARGE / LARGE_CHUNK
            && let Ok(memory) = part.try_into_mut()
        {
            self.frames.push(memory);
        }
    }

    /// What is left of a chunk; kept when nobody else holds a part of it.
    pub fn give_chunk(&mut self, mut chunk: BytesMut) {
        chunk.clear();
        let (free, most) = match chunk.capacity() {
            SMALL_CHUNK => (&mut self.small, KEPT / SMALL_CHUNK),
            LARGE_CHUNK => (&mut self.large, KEPT_LARGE / LARGE_CHUNK),
            // All of its memory comes back, unless somebody else holds a part of it.
            rest if rest > 0 && chunk.try_reclaim(rest + 1) => return self.give_chunk(chunk),
            _ => return,
        };
        if free.len() < most {
            free.push(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_taken_again_and_no_more_than_that_is_kept() {
        let mut pool = Pool::default();
        for len in [1024, 2048, 4096, 512 * 1024, 1024 * 1024] {
            let mut ring = pool.take_ring(len);
            ring[0] = 7;
            pool.give_ring(ring);
            let kept = (SMALLEST_RING..=LARGEST_RING).contains(&len);
            assert_eq!(pool.take_ring(len)[0] == 7, kept, "{len}");
        }
        for _ in 0..10_000 {
            pool.give_ring(vec![0; 2048]);
            pool.give_chunk(BytesMut::with_capacity(SMALL_CHUNK));
        }
        assert_eq!((pool.rings[0].len(), pool.small.len()), (512, 512));
        // What an application handed over may be of any size.
        pool.give_chunk(BytesMut::with_capacity(16 * LARGE_CHUNK));
        assert!(pool.large.is_empty());
    }

    #[test]
    fn lent_memory_comes_back_at_once_or_when_it_is_given_back() {
        let mut pool = Pool::default();
        let place = |memory: &[u8]| memory.as_ptr() as usize;
        let memory = BytesMut::from(&[7; 1000][..]);
        let first = place(&memory);
        let frame = pool.lend(memory);
        assert!(pool.share(&[7; 1000]).is_none(), "other bytes than the frame's");
        assert!(pool.share(&frame[..400]).is_none(), "less than half of the memory");
        let memory = pool.take_back(frame);
        assert_eq!(place(&memory), first, "nobody kept it");
        let frame = pool.lend(memory);
        let (part, memory) = pool.share(&frame[100..]).expect("most of the frame");
        assert_eq!((part.len(), place(&part), memory), (900, first + 100, 1000));
        assert_eq!(pool.take_back(frame).capacity(), 0, "it is kept");
        assert!(pool.share(&part).is_none(), "no frame is lent any more");
        assert!(pool.spare_frame().is_none());
        pool.give_back(part);
        let mut memory = pool.spare_frame().expect("what was given back");
        memory.clear();
        assert!(memory.try_reclaim(1000));
        assert_eq!(place(&memory), first);
    }

    #[test]
    fn short_copies_share_a_chunk_and_use_it_again() {
        let mut pool = Pool::default();
        let first = pool.copy(b"one");
        let second = pool.copy(b"two");
        assert_eq!((&first[..], &second[..]), (&b"one"[..], &b"two"[..]));
        assert_eq!(second.as_ptr() as usize - first.as_ptr() as usize, 3, "behind each other");
        let place = first.as_ptr();
        drop((first, second));
        let mut again = 0;
        for _ in 0..10 * SMALL_CHUNK {
            again += usize::from(pool.copy(&[7; 3]).as_ptr() == place);
        }
        assert!((10 * 3 - 2..=10 * 3).contains(&again), "{again}");
        let (kept, long) = (pool.copy(b"kept"), pool.copy(&[7; LONGEST_SHARED + 1]));
        for _ in 0..10 * SMALL_CHUNK {
            pool.copy(&[8; 3]);
        }
        assert_eq!((&kept[..], long.len()), (&b"kept"[..], LONGEST_SHARED + 1));
    }

    #[test]
    fn a_chunk_comes_back_whole_once_nobody_else_holds_a_part_of_it() {
        let mut pool = Pool::default();
        let mut chunk = pool.take_chunk(true);
        chunk.extend_from_slice(b"sent and still to come");
        let sent = chunk.split_to(4).freeze();
        pool.give_chunk(chunk);
        assert!(pool.large.is_empty() && pool.small.is_empty(), "a segment holds a part");
        pool.give_chunk(sent.try_into_mut().expect("the last part"));
        assert_eq!(pool.large.len(), 1);
        let again = pool.take_chunk(true);
        assert!(again.is_empty() && again.capacity() >= LARGE_CHUNK);
    }
}
