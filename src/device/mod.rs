//! Network devices: where frames come from and go to.
//!
//! A [`Device`] hands over what has arrived in batches and takes what should leave. Wrappers around any device add
//! faults ([`fault`]) and captures. Devices live in the shell: they do the input and output that the core does not.

use crate::frame::{Frame, Offload, Received};
use crate::time::Instant;
use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

/// The seam between the stack and the world.
pub trait Device: Send {
    /// One line for people: "TAP strata0, MTU 1500".
    fn describe(&self) -> String;

    fn capabilities(&self) -> Capabilities;

    /// Appends frames that have arrived, as many as are there or as the batch holds. Never blocks; nothing there is
    /// not an error.
    fn receive(&mut self, now: Instant, batch: &mut Batch) -> io::Result<()>;

    /// Takes frames from the front of `frames` and sends them, until none is left or the device is full for now.
    fn transmit(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()>;

    /// What to poll for readability, when the device is one that the system knows.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// When the device wants [`receive`](Device::receive) or [`transmit`](Device::transmit) called although nothing
    /// is readable: a delayed frame comes due.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }
}

/// What a device can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// The largest IP packet that one frame carries, in bytes.
    pub mtu: usize,
    /// It fills in a [`Checksum::Partial`](crate::frame::Checksum) itself.
    pub partial_checksum: bool,
    /// The largest super-frame that it splits itself, in bytes of IP packet; none when it cannot.
    pub segmentation: Option<usize>,
}

/// Frames that have arrived, in buffers that are used again and again.
#[derive(Debug)]
pub struct Batch {
    buffers: Vec<(Vec<u8>, Offload)>,
    len: usize,
    limit: usize,
}

impl Batch {
    /// A batch that takes up to `limit` frames.
    pub fn new(limit: usize) -> Batch {
        Batch { buffers: Vec::new(), len: 0, limit }
    }

    pub fn is_full(&self) -> bool {
        self.len == self.limit
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Forgets the frames and keeps their buffers.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Lets `fill` put a frame into the next buffer, which still holds whatever it held before; `Ok(None)` leaves
    /// the batch as it was.
    pub fn fill(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> io::Result<Option<Offload>>) -> io::Result<bool> {
        if self.len == self.buffers.len() {
            self.buffers.push((Vec::new(), Offload::default()));
        }
        let (buffer, offload) = &mut self.buffers[self.len];
        let Some(found) = fill(buffer)? else { return Ok(false) };
        *offload = found;
        self.len += 1;
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

    pub fn iter(&self) -> impl Iterator<Item = Received<'_>> {
        self.buffers[..self.len].iter().map(|(bytes, offload)| Received { bytes, offload: *offload })
    }
}
