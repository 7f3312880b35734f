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
}

/// Sends from the front of `frames` until none is left or the device is full.
pub(super) fn each(frames: &mut VecDeque<Frame>, mut send: impl FnMut(&Frame) -> io::Result<Sent>) -> io::Result<()> {
    while let Some(frame) = frames.front() {
        match send(frame)? {
            Sent::Gone => drop(frames.pop_front()),
            Sent::Full => break,
        }
    }
    Ok(())
}

/// Writes a frame, gathered from `header` (none when it is empty) and its own pieces.
pub(super) fn write_frame(fd: BorrowedFd<'_>, header: &[u8], frame: &Frame, lost: &mut u64) -> io::Result<Sent> {
    write(fd, std::iter::once(header).chain(frame.slices()), lost)
}

/// Writes one frame in pieces. A frame that the other side cannot take is counted in `lost`, as a wire would lose it;
/// an error is what ends the device.
pub(super) fn write<'a>(
    fd: BorrowedFd<'_>,
    pieces: impl Iterator<Item = &'a [u8]>,
    lost: &mut u64,
) -> io::Result<Sent> {
    let pieces: SmallVec<[IoSlice<'_>; 4]> = pieces.filter(|piece| !piece.is_empty()).map(IoSlice::new).collect();
    loop {
        match rustix::io::writev(fd, &pieces) {
            Ok(_) => return Ok(Sent::Gone),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Sent::Full),
            // The interface is down (a TAP says EIO), the kernel is out of memory or of queue, or the frame is none
            // that it takes: too long for the interface, too short for Ethernet.
            Err(Errno::IO | Errno::NETDOWN | Errno::NOBUFS | Errno::NOMEM | Errno::MSGSIZE | Errno::INVAL) => {
                *lost += 1;
                return Ok(Sent::Gone);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
