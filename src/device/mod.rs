//! Network devices: where frames come from and go to.
//!
//! A [`Device`] hands over what has arrived in batches and takes what should leave. Devices live in the shell: they do
//! the input and output that the core does not.
//!
//! ```text
//!   tap      a TAP: the kernel's own TCP/IP is at the other end         virtio-net header both ways, or plain frames
//!   packet   raw Ethernet on an interface that exists (AF_PACKET)       virtio-net header both ways
//!   link     two hosts in one process, in virtual time or in threads    offloads both ways, or plain frames
//!   fault    a wrapper around any of them: loss, delay, corruption ...  in netem's words
//!   coalesce a wrapper around those with plain frames                   trains of segments become super-frames
//! ```
//!
//! What a frame leaves to the device ([`Offload`](crate::frame::Offload)) and the device cannot do is done in software
//! first ([`offload`]). A capture is no wrapper: it is an observer of the stack's events, and stands in `probe`.
//!
//! Invariants: no call blocks; frames keep their order unless a fault says otherwise; a frame that the other side
//! cannot take is lost, as on a wire, and an error is what ends the device.

mod batch;
pub mod coalesce;
mod expected;
pub mod fault;
pub mod link;
#[cfg(target_os = "linux")]
pub(crate) mod netlink;
pub mod offload;
#[cfg(target_os = "linux")]
pub mod packet;
#[cfg(target_os = "linux")]
pub(crate) mod steering;
#[cfg(target_os = "linux")]
pub(crate) mod system;
#[cfg(target_os = "linux")]
pub mod tap;
#[cfg(target_os = "linux")]
mod transmit;
#[cfg(target_os = "linux")]
mod virtio;

pub use batch::Batch;
pub use coalesce::Coalesce;

use crate::frame::Frame;
use crate::time::Instant;
use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// The bytes before the IP packet at their most: Ethernet and two 802.1Q tags.
pub(crate) const LINK_HEADER_LEN: usize = 14 + 2 * 4;
/// The longest IP packet, and so the longest super-frame that says how long it is.
pub const SUPER_FRAME: usize = 65_535;
/// The longest of those that do not, for a device that takes them: a frame of 256 KiB, which is what the kernel finds
/// memory for in sixteen pieces of four pages, and what packet sockets show whole to a capture.
pub const BIG_TCP: usize = 256 * 1024 - LINK_HEADER_LEN;

/// How long `len` bytes take to leave at `rate` bits a second.
pub(crate) fn serialization(len: usize, rate: u64) -> Duration {
    let nanos = (len as u128 * 8 * 1_000_000_000).div_ceil(u128::from(rate.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

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

    /// How many frames the device itself lost, in both directions: the other side was down, full, or took no frame
    /// of that kind.
    fn lost(&self) -> u64 {
        0
    }
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn describe(&self) -> String {
        (**self).describe()
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    fn receive(&mut self, now: Instant, batch: &mut Batch) -> io::Result<()> {
        (**self).receive(now, batch)
    }

    fn transmit(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        (**self).transmit(now, frames)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (**self).descriptor()
    }

    fn next_deadline(&self) -> Option<Instant> {
        (**self).next_deadline()
    }

    fn lost(&self) -> u64 {
        (**self).lost()
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
    /// How many bytes of arrived frames it keeps until they are received; what comes beyond is lost. None where that
    /// is no concern.
    pub receive_queue: Option<usize>,
}
