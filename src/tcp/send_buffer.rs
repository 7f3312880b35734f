//! The send buffer: what the application wrote and the peer has not acknowledged.
//!
//! A write copies its bytes in once, or hands them over. From then on they are shared: a segment, its retransmission,
//! and a capture of both hold slices of the same memory.

use super::fold::folded;
use crate::frame::Payload;
use crate::pool::{LARGE_CHUNK, Pool, SMALL_CHUNK};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// What is handed over in smaller pieces is copied all the same: to keep account of a piece costs more.
const WORTH_SHARING: usize = 1024;

/// Bytes by stream position: `start()..end()`.
#[derive(Debug)]
pub struct SendBuffer {
    start: u64,
    /// Pieces that segments have been cut from, with the position of their first byte.
    chunks: VecDeque<(u64, Bytes)>,
    /// What was written since, which no segment has reached.
    tail: BytesMut,
    end: u64,
}

folded!(SendBuffer { start, end; chunks, tail });

#[allow(clippy::len_without_is_empty, reason = "public for a benchmark alone")]
impl SendBuffer {
    /// An empty buffer whose first byte will have the given position.
    pub fn new(start: u64) -> SendBuffer {
        SendBuffer { start, chunks: VecDeque::new(), tail: BytesMut::new(), end: start }
    }

    /// The position of the first byte that is held.
    #[cfg(test)]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The position after the last byte that was written.
    pub fn end(&self) -> u64 {
        self.end
    }

    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Bytes of memory held, at most: what is left of a chunk holds all of it.
    pub fn allocated(&self) -> usize {
        match self.len() {
            0 => 0,
            len if len <= SMALL_CHUNK => SMALL_CHUNK,
            len => len.next_multiple_of(LARGE_CHUNK),
        }
    }

    pub fn write(&mut self, mut data: &[u8], pool: &mut Pool) {
        while !data.is_empty() {
            if self.tail.capacity() == self.tail.len() {
                self.seal();
                self.tail = pool.take_chunk(data.len() > SMALL_CHUNK || self.len() > SMALL_CHUNK);
            }
            let (now, later) = data.split_at(data.len().min(self.tail.capacity() - self.tail.len()));
            self.tail.extend_from_slice(now);
            self.end += now.len() as u64;
            data = later;
        }
    }

    /// Takes over bytes that stay where they are.
    pub fn write_bytes(&mut self, data: Bytes, pool: &mut Pool) {
        if data.len() < WORTH_SHARING {
            return self.write(&data, pool);
        }
        self.seal();
        let start = self.end;
        self.end += data.len() as u64;
        self.chunks.push_back((start, data));
    }

    /// The bytes `from..to`, shared.
    ///
    /// # Panics
    /// When the buffer does not hold them.
    pub fn slice(&mut self, from: u64, to: u64) -> Payload {
        assert!(self.start <= from && from <= to && to <= self.end, "{from}..{to} of {}..{}", self.start, self.end);
        if to > self.end - self.tail.len() as u64 {
            self.seal();
        }
        if let Some((start, chunk)) = self.chunks.back()
            && *start <= from
        {
            return chunk.slice((from - start) as usize..(to - start) as usize).into();
        }
        let first = self.chunks.partition_point(|(start, chunk)| start + chunk.len() as u64 <= from);
        let mut payload = Payload::default();
        for (start, chunk) in self.chunks.range(first..).take_while(|(start, _)| *start < to) {
            let begin = from.saturating_sub(*start) as usize;
            let end = ((to - start) as usize).min(chunk.len());
            payload.push(chunk.slice(begin..end));
        }
        payload
    }

    /// Forgets everything before `position`.
    pub fn acknowledge(&mut self, position: u64, pool: &mut Pool) {
        let position = position.min(self.end);
        if position > self.end - self.tail.len() as u64 {
            self.seal();
        }
        while let Some((start, chunk)) = self.chunks.front_mut() {
            let gone = position.saturating_sub(*start);
            if gone < chunk.len() as u64 {
                chunk.advance(gone as usize);
                *start += gone;
                break;
            }
            let chunk = self.chunks.pop_front().map(|(_, chunk)| chunk.try_into_mut());
            if let Some(Ok(last_part)) = chunk {
                pool.give_chunk(last_part);
            }
        }
        self.start = self.start.max(position);
        if self.start == self.end {
            // An idle connection holds no memory.
            pool.give_chunk(std::mem::take(&mut self.tail));
        }
    }

    /// Makes the tail a piece that can be shared; room for little more goes with it.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let start = self.end - self.tail.len() as u64;
            let room = self.tail.capacity() - self.tail.len();
            let piece = if room < WORTH_SHARING { std::mem::take(&mut self.tail) } else { self.tail.split() };
            self.chunks.push_back((start, piece.freeze()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, FrameId};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_range_gives_the_bytes_that_were_written(
            writes in proptest::collection::vec((0usize..5000, any::<bool>()), 1..40),
            steps in proptest::collection::vec((0.0f64..1.0, 0.0f64..1.0, 0.0f64..0.3), 40),
        ) {
            let first = (1u64 << 32) + 17;
            let mut pool = Pool::default();
        let mut buffer = SendBuffer::new(first);
            let mut written = Vec::new();
            for ((len, owned), (from, to, acknowledged)) in writes.into_iter().zip(steps) {
                let data: Vec<u8> = (0..len).map(|i| (written.len() + i * 3) as u8).collect();
                if owned {
                    buffer.write_bytes(data.clone().into(), &mut pool);
                } else {
                    buffer.write(&data, &mut pool);
                }
                written.extend_from_slice(&data);
                let at = |share: f64| buffer.start() + (share * buffer.len() as f64) as u64;
                let (from, to) = (at(from).min(at(to)), at(from).max(at(to)));
                let payload = buffer.slice(from, to);
                let expected = &written[(from - first) as usize..(to - first) as usize];
                prop_assert_eq!(Frame::new(FrameId(0), payload).to_vec(), expected);
                let position = buffer.start() + (acknowledged * buffer.len() as f64) as u64;
                buffer.acknowledge(position, &mut pool);
                prop_assert_eq!((buffer.start(), buffer.end()), (position, first + written.len() as u64));
            }
        }
    }

    #[test]
    fn bytes_that_are_handed_over_stay_where_they_are() {
        let (mut pool, mut buffer) = (Pool::default(), SendBuffer::new(0));
        buffer.write(b"head", &mut pool);
        let data = Bytes::from(vec![7; 3000]);
        buffer.write_bytes(data.clone(), &mut pool);
        let payload = buffer.slice(2, 3004);
        assert_eq!(payload.slices()[1].as_ptr(), data.as_ptr());
        assert_eq!(payload.len(), 3002);
    }

    #[test]
    fn everything_acknowledged_leaves_nothing() {
        let mut pool = Pool::default();
        let mut buffer = SendBuffer::new(5);
        buffer.write(&[7; 100_000], &mut pool);
        buffer.acknowledge(100_005, &mut pool);
        assert_eq!((buffer.len(), buffer.chunks.len(), buffer.tail.capacity()), (0, 0, 0));
    }
}
