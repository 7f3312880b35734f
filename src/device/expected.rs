//! How many frames are likely to be there.
//!
//! To read until there is none takes one read more than there are frames. Where a peer waits for the answer to each frame
//! that is every other read, and it comes before the answer. So no more are read than came the last time, and more again
//! once that has been too few for a while.

use super::Batch;
use std::io;

/// Frames at a time, when nothing is known yet and at the most.
const MOST: usize = 64;
/// So many bytes at a time are a stream, which does not wait for each answer.
const STREAM: usize = 16 * 1024;
/// After so many batches in a row that were full the next one may be larger.
const FULL_BATCHES: u32 = 4;

#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    frames: usize,
    full: u32,
    super_frames: bool,
}

impl Expected {
    /// Of a device with `super_frames`. Where frames come in small all of them are wanted, for what comes in one batch is
    /// put together.
    pub fn of(super_frames: bool) -> Expected {
        Expected { frames: MOST, full: 0, super_frames }
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
        self.full = if full { self.full + 1 } else { 0 };
        if !full {
            self.frames = came.max(1);
        } else if self.full == FULL_BATCHES {
            (self.frames, self.full) = ((2 * self.frames).min(MOST), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Offload;

    /// So many frames are there at each time; how many reads it takes, and how many frames they bring.
    #[test]
    fn no_more_is_read_than_came_the_last_time_until_that_was_too_few_for_a_while() {
        let (mut expected, mut batch) = (Expected::of(true), Batch::new(64));
        let mut left = 0;
        for (arrive, reads, brought) in [
            (1, 2, 1),
            (1, 1, 1),
            (1, 1, 1),
            (0, 1, 0),
            (20, 1, 1),
            (0, 1, 1),
            (0, 1, 1),
            (0, 1, 1),
            (0, 2, 2),
            (0, 2, 2),
            (0, 2, 2),
            (0, 2, 2),
            (0, 4, 4),
            (0, 4, 4),
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
