//! How many frames are likely to be there.
//!
//! To read until there is none takes one read more than there are frames. Where a peer waits for the answer to each frame
//! that is every other read, and it comes before the answer. So no more are read than came the last time. When all of
//! those have come, twice as many are tried: at once as long as that brings more, and ever more seldom where it does not.
//! Large batches are worth having, for what handles them stays in the processor's cache from one frame to the next.

use super::Batch;
use std::io;

/// Frames at a time, when nothing is known yet and at the most.
const MOST: usize = 64;
/// So many bytes at a time are a stream, which does not wait for each answer.
const STREAM: usize = 16 * 1024;
/// After so many batches in a row that were full a larger one is tried at the latest.
const LONGEST_PATIENCE: u32 = 8;

#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    frames: usize,
    /// How many batches in a row were full.
    full: u32,
    /// After how many of them a larger one is tried.
    patience: u32,
    /// This one is larger than the one before.
    tried: bool,
    super_frames: bool,
}

impl Expected {
    /// Of a device with `super_frames`. Where frames come in small all of them are wanted, for what comes in one batch is
    /// put together.
    pub fn of(super_frames: bool) -> Expected {
        Expected { frames: MOST, full: 0, patience: 1, tried: false, super_frames }
    }

    /// Lets `next` put frames into `batch`, one at a time, as long as it finds one and so many are expected.
    pub fn read(&mut self, batch: &mut Batch, mut next: impl FnMut(&mut Batch) -> io::Result<bool>) -> io::Result<()> {
        let (before, bytes) = (batch.len(), batch.bytes());
        while !batch.is_full() && next(batch)? {
            if self.super_frames && batch.len() - before >= self.frames {
                batch.cut_short();
            }
        }
        if batch.bytes() - bytes >= STREAM {
            *self = Expected::of(self.super_frames);
        } else {
            self.learn(batch.len() - before, batch.is_full());
        }
        Ok(())
    }

    fn learn(&mut self, came: usize, full: bool) {
        if std::mem::take(&mut self.tried) {
            let brought_more = came > self.frames / 2;
            self.patience = if brought_more { 1 } else { (2 * self.patience).min(LONGEST_PATIENCE) };
        }
        if !full {
            (self.frames, self.full) = (came.max(1), 0);
            return;
        }
        self.full += 1;
        if self.full >= self.patience {
            (self.frames, self.full, self.tried) = ((2 * self.frames).min(MOST), 0, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Offload;

    /// So many frames are there at each time; how many reads it takes, and how many frames they bring.
    #[test]
    fn no_more_is_read_than_came_the_last_time_until_more_is_found_to_be_there() {
        let (mut expected, mut batch) = (Expected::of(true), Batch::new(64));
        let mut left = 0;
        for (arrive, reads, brought) in [
            (1, 2, 1),
            (1, 1, 1),
            (1, 2, 1),
            (1, 1, 1),
            (1, 1, 1),
            (1, 2, 1),
            (20, 1, 1),
            (0, 1, 1),
            (0, 1, 1),
            (0, 1, 1),
            (0, 2, 2),
            (0, 4, 4),
            (0, 8, 8),
            (0, 3, 2),
            (0, 1, 0),
        ] {
            left += arrive;
            let mut count = 0;
            batch.clear();
            let read = expected.read(&mut batch, |batch| {
                count += 1;
                if left == 0 {
                    return Ok(false);
                }
                left -= 1;
                batch.push(b"a frame", Offload::default());
                Ok(true)
            });
            read.expect("no error");
            assert_eq!((count, batch.len()), (reads, brought), "{left} left");
        }
    }
}
