//! A link between two hosts in one process: a pair of devices joined by two queues.
//!
//! Time comes in with every call, so that the same link runs in virtual time (where it makes no system call at all)
//! and between two drivers in threads of their own, which then poll an eventfd. It is deterministic and keeps the
//! order of frames; whatever should go wrong on the way is the business of [`fault`](super::fault).

use super::{Batch, Capabilities, Device, SUPER_FRAME, offload};
use crate::frame::{Frame, Offload};
use crate::time::Instant;
use rustix::event::{EventfdFlags, eventfd};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a link is like; the same in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// How long a frame travels.
    pub delay: Duration,
    /// Bits a second; none is no limit. A frame takes its length over this to leave.
    pub rate: Option<u64>,
    /// The largest IP packet, in bytes.
    pub mtu: usize,
    /// How many frames a direction holds at most: waiting, under way and not yet fetched. What comes on top is lost.
    pub limit: usize,
    /// Partial checksums and super-frames pass as they are, as between two machines on one host. Else the wire sees
    /// what a wire would: every frame finished, and split.
    pub offload: bool,
}

impl Default for Config {
    /// Without delay, without a limit of rate, Ethernet's MTU, 8192 frames, without offloads.
    fn default() -> Config {
        Config { delay: Duration::ZERO, rate: None, mtu: 1500, limit: 8192, offload: false }
    }
}

/// Makes links.
///
/// ```
/// use strata::device::{Batch, Device, link::{Config, Link}};
/// use strata::frame::{Frame, FrameId};
/// use strata::time::Instant;
/// use std::time::Duration;
///
/// let (mut left, mut right) = Link::pair(Config { delay: Duration::from_millis(5), ..Config::default() });
/// left.transmit(Instant::ZERO, &mut [Frame::new(FrameId(1), b"a frame".to_vec().into())].into())?;
///
/// let due = right.next_deadline().expect("a frame is under way");
/// assert_eq!(due, Instant::from_millis(5));
/// let mut batch = Batch::new(32);
/// right.receive(due, &mut batch)?;
/// assert_eq!(batch.iter().next().map(|frame| frame.bytes), Some(&b"a frame"[..]));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Link;

impl Link {
    /// Two ends that no system knows: for virtual time, or for one thread that drives both.
    pub fn pair(config: Config) -> (End, End) {
        let (there, back) = (Arc::new(Direction::new(None)), Arc::new(Direction::new(None)));
        (End::new(config, &back, &there), End::new(config, &there, &back))
    }

    /// Two ends for two threads: each has a descriptor that becomes readable when the other has sent.
    pub fn pollable_pair(config: Config) -> io::Result<(End, End)> {
        let wake = || eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC);
        let (there, back) = (Arc::new(Direction::new(Some(wake()?))), Arc::new(Direction::new(Some(wake()?))));
        Ok((End::new(config, &back, &there), End::new(config, &there, &back)))
    }
}

/// One end of a link. When the other end is gone, what is sent is lost, as on a cable that is not plugged in.
#[derive(Debug)]
pub struct End {
    config: Config,
    incoming: Arc<Direction>,
    outgoing: Arc<Direction>,
}

impl End {
    fn new(config: Config, incoming: &Arc<Direction>, outgoing: &Arc<Direction>) -> End {
        End { config, incoming: Arc::clone(incoming), outgoing: Arc::clone(outgoing) }
    }
}

impl Device for End {
    fn describe(&self) -> String {
        format!("in-process link, MTU {}", self.config.mtu)
    }

    fn capabilities(&self) -> Capabilities {
        let Config { mtu, offload, .. } = self.config;
        Capabilities {
            mtu,
            partial_checksum: offload,
            segmentation: offload.then_some(SUPER_FRAME),
            receive_queue: None,
        }
    }

    fn receive(&mut self, now: Instant, batch: &mut Batch) -> io::Result<()> {
        // The signal first, the queue after: a frame that comes between the two signals again.
        self.incoming.hush()?;
        let mut queue = self.incoming.queue();
        while !batch.is_full()
            && let Some((bytes, offload)) = queue.take_due(now)
        {
            batch.put(bytes, offload);
        }
        Ok(())
    }

    fn transmit(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        if frames.is_empty() {
            return Ok(());
        }
        let mut queue = self.outgoing.queue();
        for frame in frames.drain(..) {
            if self.config.offload {
                queue.put(now, (frame.to_vec(), frame.offload), &self.config);
                continue;
            }
            let pieces = offload::pieces_of(&frame).into_iter();
            pieces.for_each(|bytes| queue.put(now, (bytes, Offload::default()), &self.config));
        }
        drop(queue);
        self.outgoing.signal()
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.incoming.wake.as_ref().map(AsFd::as_fd)
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.incoming.queue().frames.front().map(|(due, ..)| *due)
    }

    fn lost(&self) -> u64 {
        self.outgoing.queue().lost
    }
}

/// What travels one way. The lock is held for the length of a copy, never while anything waits.
#[derive(Debug)]
struct Direction {
    queue: Mutex<Queue>,
    wake: Option<OwnedFd>,
}

impl Direction {
    fn new(wake: Option<OwnedFd>) -> Direction {
        Direction { queue: Mutex::default(), wake }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self) -> io::Result<()> {
        match &self.wake {
            Some(wake) => again_is_fine(rustix::io::write(wake, &1u64.to_ne_bytes())),
            None => Ok(()),
        }
    }

    fn hush(&self) -> io::Result<()> {
        match &self.wake {
            Some(wake) => again_is_fine(rustix::io::read(wake, &mut [0u8; 8])),
            None => Ok(()),
        }
    }
}

/// An eventfd that is signalled already, or not at all, is as it should be.
fn again_is_fine(result: rustix::io::Result<usize>) -> io::Result<()> {
    match result {
        Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, Default)]
struct Queue {
    /// When each arrives, in the order of sending.
    frames: VecDeque<(Instant, Vec<u8>, Offload)>,
    /// When the last one has left its sender.
    idle: Instant,
    lost: u64,
}

impl Queue {
    fn put(&mut self, now: Instant, (bytes, offload): (Vec<u8>, Offload), config: &Config) {
        let longest = if offload.segment_size.is_some() { SUPER_FRAME } else { config.mtu };
        if self.frames.len() >= config.limit || bytes.len() > longest + super::LINK_HEADER_LEN {
            self.lost += 1;
            return;
        }
        self.idle = self.idle.max(now);
        if let Some(rate) = config.rate {
            self.idle += super::serialization(bytes.len(), rate);
        }
        self.frames.push_back((self.idle + config.delay, bytes, offload));
    }

    fn take_due(&mut self, now: Instant) -> Option<(Vec<u8>, Offload)> {
        self.frames.pop_front_if(|(due, ..)| *due <= now).map(|(_, bytes, offload)| (bytes, offload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Checksum, FrameId, Payload};
    use std::num::NonZeroU16;

    fn frames(payloads: &[&[u8]]) -> VecDeque<Frame> {
        payloads.iter().map(|bytes| Frame::new(FrameId(0), Payload::from(bytes.to_vec()))).collect()
    }

    fn received(end: &mut End, now: Instant) -> Vec<Vec<u8>> {
        let mut batch = Batch::new(16);
        end.receive(now, &mut batch).expect("a link does not fail");
        batch.iter().map(|frame| frame.bytes.to_vec()).collect()
    }

    #[test]
    fn frames_leave_one_after_the_other_and_then_travel() {
        // 1000 bits of frame at 1 Mbit/s take 1 ms.
        let config = Config { delay: Duration::from_millis(10), rate: Some(1_000_000), ..Config::default() };
        let (mut left, mut right) = Link::pair(config);
        left.transmit(Instant::from_millis(1), &mut frames(&[&[1; 125], &[2; 250]])).expect("sent");
        assert_eq!(right.next_deadline(), Some(Instant::from_millis(12)));
        assert!(received(&mut right, Instant::from_micros(11_999)).is_empty());
        assert_eq!(received(&mut right, Instant::from_millis(12)), [vec![1; 125]]);
        assert_eq!(right.next_deadline(), Some(Instant::from_millis(14)));
        assert_eq!(received(&mut right, Instant::from_millis(14)), [vec![2; 250]]);
        assert_eq!((right.next_deadline(), left.next_deadline()), (None, None), "and nothing came back");
    }

    #[test]
    fn a_full_link_and_a_frame_too_large_lose() {
        let (mut left, mut right) = Link::pair(Config { limit: 2, ..Config::default() });
        left.transmit(Instant::ZERO, &mut frames(&[b"a", b"b", b"c"])).expect("sent");
        assert_eq!((received(&mut right, Instant::ZERO).concat(), left.lost()), (b"ab".to_vec(), 1));
        left.transmit(Instant::ZERO, &mut frames(&[&[0; 1500 + super::super::LINK_HEADER_LEN + 1]])).expect("sent");
        assert_eq!((received(&mut right, Instant::ZERO).len(), left.lost()), (0, 2));
    }

    #[test]
    fn with_offloads_frames_pass_as_they_are_and_without_they_are_finished() {
        let offload =
            Offload { checksum: Checksum::Partial { start: 0, offset: 16 }, segment_size: NonZeroU16::new(100) };
        for (as_they_are, expected) in [(true, vec![(354, offload)]), (false, [154, 154, 154].map(plain).to_vec())] {
            let (mut left, mut right) = Link::pair(Config { offload: as_they_are, ..Config::default() });
            let mut bytes = Vec::new();
            let packet = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64);
            packet.tcp(1, 2, 3, 4).write(&mut bytes, &[7; 300]).expect("a vector takes everything");
            let mut frame = Frame::new(FrameId(0), Payload::from(bytes));
            frame.offload = offload;
            left.transmit(Instant::ZERO, &mut [frame].into()).expect("sent");
            let mut batch = Batch::new(16);
            right.receive(Instant::ZERO, &mut batch).expect("received");
            assert_eq!(batch.iter().map(|frame| (frame.bytes.len(), frame.offload)).collect::<Vec<_>>(), expected);
        }
    }

    fn plain(len: usize) -> (usize, Offload) {
        (len, Offload::default())
    }

    #[test]
    fn a_full_batch_leaves_the_rest_due_at_once() {
        let (mut left, mut right) = Link::pair(Config::default());
        left.transmit(Instant::from_millis(3), &mut frames(&[b"a", b"b"])).expect("sent");
        let mut batch = Batch::new(1);
        right.receive(Instant::from_millis(3), &mut batch).expect("received");
        assert_eq!((batch.len(), right.next_deadline()), (1, Some(Instant::from_millis(3))));
    }

    #[test]
    fn the_descriptor_is_readable_when_the_other_thread_has_sent() {
        let (mut left, mut right) = Link::pollable_pair(Config::default()).expect("an eventfd");
        let readable = |end: &End| {
            let fd = end.descriptor().expect("a pollable end has a descriptor");
            let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 5, tv_nsec: 0 })).expect("polled")
                == 1
        };
        let sender = std::thread::spawn(move || {
            left.transmit(Instant::ZERO, &mut frames(&[b"a"])).expect("sent");
            left
        });
        assert!(readable(&right));
        assert_eq!(received(&mut right, Instant::ZERO), [b"a"]);
        drop(sender.join());
        let fd = right.descriptor().expect("a pollable end has a descriptor");
        let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
        let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut fds, Some(&none)), Ok(0), "and no longer once it was fetched");
    }
}
