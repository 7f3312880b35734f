//! Handing frames to a descriptor: what is gathered, what ends the device, what only loses a frame.

use crate::frame::Frame;
use rustix::io::Errno;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

/// What became of one frame.
pub(super) enum Sent {
    Gone,
    /// The device takes no more for now.
    Full,
    /// The kernel takes no such frame.
    Refused,
    /// The kernel has no memory for it, or no queue.
    NoMemory,
    /// The interface is down.
    Down,
}

/// Sends from the front of `frames` until none is left or the device is full.
pub(super) fn each(frames: &mut VecDeque<Frame>, mut send: impl FnMut(&Frame) -> io::Result<Sent>) -> io::Result<()> {
    while let Some(frame) = frames.front() {
        match send(frame)? {
            Sent::Gone | Sent::Refused | Sent::NoMemory | Sent::Down => drop(frames.pop_front()),
            Sent::Full => break,
        }
    }
    Ok(())
}

/// Up to so many bytes are put in one piece before they are written: copying them costs less than the kernel's gathering
/// of a second piece (20 ns against 130 to 260).
const GATHERED: usize = 2048;
/// Of a longer frame the headers.
const HEADERS: usize = 256;

/// What writes frames to a descriptor.
#[derive(Debug)]
pub(super) struct Writer {
    gathered: Vec<u8>,
    /// How many frames the other side did not take.
    pub lost: u64,
    /// The kernel splits trains of datagrams, as far as is known.
    pub takes_datagrams: bool,
}

impl Writer {
    pub fn new(takes_datagrams: bool) -> Writer {
        Writer { gathered: Vec::new(), lost: 0, takes_datagrams }
    }

    /// A frame that the kernel did not take is lost, as on a wire: it is counted, and gone.
    pub fn count(&mut self, sent: Sent) -> Sent {
        match sent {
            Sent::Gone | Sent::Full => sent,
            Sent::Refused | Sent::NoMemory | Sent::Down => {
                self.lost += 1;
                Sent::Gone
            }
        }
    }

    /// The same for one piece of a frame. The frame cannot be put back when its first piece is gone, so a piece that finds
    /// no room is lost as well.
    pub fn count_piece(&mut self, sent: Sent) {
        self.lost += u64::from(matches!(self.count(sent), Sent::Full));
    }

    /// Writes a frame behind `header` (none when it is empty).
    pub fn write_frame(&mut self, fd: BorrowedFd<'_>, header: &[u8], frame: &Frame) -> io::Result<Sent> {
        self.write(fd, std::iter::once(header).chain(frame.slices()), header.len() + frame.len())
    }

    /// Writes one frame of `len` bytes in pieces; an error is what ends the device.
    pub fn write<'a>(
        &mut self,
        fd: BorrowedFd<'_>,
        pieces: impl Iterator<Item = &'a [u8]>,
        len: usize,
    ) -> io::Result<Sent> {
        let room = if len <= GATHERED { GATHERED } else { HEADERS };
        self.gathered.clear();
        let mut pieces = pieces.peekable();
        while let Some(piece) = pieces.next_if(|piece| self.gathered.len() + piece.len() <= room) {
            self.gathered.extend_from_slice(piece);
        }
        let gathered = &self.gathered;
        if gathered.len() == len {
            return outcome(|| rustix::io::write(fd, gathered));
        }
        let mut slices = SmallVec::<[IoSlice<'_>; 6]>::new();
        slices.push(IoSlice::new(gathered));
        for piece in pieces {
            slices.push(IoSlice::new(piece));
        }
        outcome(|| rustix::io::writev(fd, &slices))
    }
}

fn outcome(write: impl Fn() -> rustix::io::Result<usize>) -> io::Result<Sent> {
    loop {
        match write() {
            Ok(_) => return Ok(Sent::Gone),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Sent::Full),
            // Too long for the interface, too short for Ethernet, or of a kind that is not known.
            Err(Errno::MSGSIZE | Errno::INVAL) => return Ok(Sent::Refused),
            Err(Errno::NOBUFS | Errno::NOMEM) => return Ok(Sent::NoMemory),
            // A TAP says EIO.
            Err(Errno::IO | Errno::NETDOWN) => return Ok(Sent::Down),
            Err(error) => return Err(error.into()),
        }
    }
}
