//! A TAP: an Ethernet interface of the kernel whose other end is this program.
//!
//! The kernel's own TCP/IP is then one hop away, and every program on the machine is a client. A virtio-net header goes
//! before each frame (`IFF_VNET_HDR`), so that checksums may stay partial and super-frames pass whole in both directions: a
//! frame costs the same whatever its size. They have up to 64 KiB; on the way out up to 256 KiB, which an IPv4 header cannot
//! say, where the kernel knows such frames (BIG TCP) and passes them on to nobody. Without offloads frames are plain: the
//! kernel finishes checksums and splits super-frames before it hands them over.

use super::expected::Expected;
use super::netlink::Netlink;
use super::steering::Steering;
use super::system::{interface, tun};
use super::transmit::{self, Writer};
use super::virtio::{self, Waiting};
use super::{BIG_TCP, Batch, Capabilities, Device, LINK_HEADER_LEN, SUPER_FRAME};
use crate::frame::{Frame, Offload};
use crate::time::Instant;
use bytes::BytesMut;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The node through which every TAP is made.
pub const NODE: &str = "/dev/net/tun";

/// An open TAP. The interface vanishes with it, unless somebody made it persistent.
#[derive(Debug)]
pub struct Tap {
    node: OwnedFd,
    name: String,
    mtu: usize,
    /// How many frames the kernel keeps for us.
    queue_len: usize,
    offload: bool,
    /// The longest super-frame that it takes.
    longest: usize,
    expected: Expected,
    waiting: Waiting,
    writer: Writer,
    steering: Option<Steering>,
    lost: u64,
}

/// Why there is no TAP, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    #[error(
        "{NODE} does not exist: load the driver with `sudo modprobe tun` (in a container: start it with `--device {NODE}`)"
    )]
    NoNode,
    #[error("the tun driver is not loaded: load it with `sudo modprobe tun`")]
    NoDriver,
    #[error("no permission to open {NODE}: open it to every user with `sudo chmod 0666 {NODE}`, or run as root")]
    NodeClosed,
    #[error(
        "no permission to use the TAP {name}: run as root, or have it made for you with `sudo ip tuntap add dev {name} mode tap user $USER`"
    )]
    NotPermitted { name: String },
    #[error("the interface {name} is in use by another program: choose another name with `--link tap:NAME`")]
    InUse { name: String },
    #[error("{name} exists and is no TAP with as many queues: choose another name with `--link tap:NAME`")]
    NotATap { name: String },
    #[error("{name:?} cannot be the name of an interface: 1 to {len} bytes, without blanks, `/` and `:`", len = interface::NAME_LEN)]
    BadName { name: String },
    #[error("the TAP {name}: {error}")]
    Other { name: String, error: io::Error },
}

impl TapError {
    /// What is wrong, without what to do about it.
    pub fn reason(&self) -> String {
        match self {
            TapError::NoNode => format!("{NODE} does not exist"),
            TapError::NoDriver => "the tun driver is not loaded".into(),
            TapError::NodeClosed => format!("no permission to open {NODE}"),
            TapError::NotPermitted { name } => format!("no permission to use the TAP {name}"),
            TapError::InUse { name } => format!("the interface {name} is in use by another program"),
            TapError::NotATap { .. } | TapError::BadName { .. } | TapError::Other { .. } => self.to_string(),
        }
    }

    /// Is it that this user may not, or that this machine has no TAPs at all, so that another kind of link may do?
    pub fn is_lack_of_means(&self) -> bool {
        match self {
            TapError::NoNode | TapError::NoDriver | TapError::NodeClosed | TapError::NotPermitted { .. } => true,
            TapError::InUse { .. } | TapError::NotATap { .. } | TapError::BadName { .. } | TapError::Other { .. } => {
                false
            }
        }
    }

    /// The command that mends it, where one does.
    pub fn mend(&self) -> Option<String> {
        match self {
            TapError::NoNode | TapError::NoDriver => Some("sudo modprobe tun".into()),
            TapError::NodeClosed => Some(format!("sudo chmod 0666 {NODE}")),
            TapError::NotPermitted { name } => Some(format!("sudo ip tuntap add dev {name} mode tap user $USER")),
            TapError::InUse { .. } | TapError::NotATap { .. } | TapError::BadName { .. } | TapError::Other { .. } => {
                None
            }
        }
    }
}

impl Tap {
    /// Attaches to the TAP called `name`, or makes it. A `%d` in the name is replaced by the first free number.
    /// Without `offload` every frame is as it is on a wire.
    pub fn open(name: &str, offload: bool) -> Result<Tap, TapError> {
        Self::attach(name, offload, false)
    }

    /// The same with several queues, each a device of its own. The kernel hands the frames of a flow to the queue on which
    /// its last answer left, or else to one by a hash of its addresses and ports.
    pub fn open_queues(name: &str, offload: bool, count: usize) -> Result<Vec<Tap>, TapError> {
        let first = Self::attach(name, offload, count > 1)?;
        let name = first.name.clone();
        let others = (1..count).map(|_| Self::attach(&name, offload, true));
        std::iter::once(Ok(first)).chain(others).collect()
    }

    fn attach(name: &str, offload: bool, several: bool) -> Result<Tap, TapError> {
        if !is_name(name) {
            return Err(TapError::BadName { name: name.to_owned() });
        }
        let node = open_node()?;
        let name = tun::attach(node.as_fd(), name, true, several).map_err(|error| not_attached(name, error))?;
        let mut tap = Tap {
            node,
            name,
            mtu: 0,
            queue_len: 0,
            offload,
            longest: SUPER_FRAME,
            expected: Expected::of(offload),
            waiting: Waiting::default(),
            writer: Writer::new(offload),
            steering: None,
            lost: 0,
        };
        tun::set_offloads(tap.node.as_fd(), offload)
            .and_then(|()| tap.refresh())
            .map_err(|error| TapError::Other { name: tap.name.clone(), error })?;
        Ok(tap)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the kernel again for the MTU, the queue, and what becomes of our frames, after somebody changed them.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.mtu = interface::facts(&self.name)?.mtu;
        self.queue_len = interface::queue_len(&self.name)?;
        let index = interface::index(&self.name)?;
        // A kernel that does not say takes what every kernel takes.
        let big = Netlink::open().and_then(|mut netlink| netlink.is_the_end_for_long_trains(index)).unwrap_or(false);
        self.longest = if big { BIG_TCP } else { SUPER_FRAME };
        Ok(())
    }

    /// From now on the kernel takes in our frames on other processors than that of the thread which writes them, while that
    /// thread is busy, if it pays off, and as far as it may run on several; unless somebody has chosen the processors
    /// already. Needs root.
    pub fn steer(&mut self) -> io::Result<()> {
        self.steering = Steering::of(&self.name)?;
        Ok(())
    }

    /// The next frame, read into `buffer`; none when nothing is there.
    fn next_frame(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Offload>> {
        if let Some(facts) = self.waiting.take(buffer) {
            return Ok(Some(facts));
        }
        loop {
            // One byte more than a frame can have: what fills it all was cut off, because somebody raised the MTU.
            let room = LINK_HEADER_LEN + 1 + if self.offload { self.mtu.max(SUPER_FRAME) } else { self.mtu };
            match tun::receive(self.node.as_fd(), buffer, room) {
                Ok(header) if buffer.len() < room => {
                    let facts = virtio::parse(&header);
                    return Ok(Some(if self.offload { facts } else { self.waiting.split(facts, buffer) }));
                }
                Ok(_) => {
                    self.lost += 1;
                    self.refresh()?;
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(None),
                    Some(libc::EINTR) => {}
                    Some(libc::EBADFD) => return Err(gone(&self.name)),
                    _ => return Err(error),
                },
            }
        }
    }
}

impl Device for Tap {
    fn describe(&self) -> String {
        format!("TAP {}, MTU {}", self.name, self.mtu)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mtu: self.mtu,
            partial_checksum: self.offload,
            segmentation: self.offload.then_some(self.longest),
            receive_queue: Some(self.queue_len * self.mtu),
        }
    }

    fn receive(&mut self, _: Instant, batch: &mut Batch) -> io::Result<()> {
        let mut expected = self.expected;
        let read = expected.read(batch, |batch| batch.fill(|buffer| self.next_frame(buffer)));
        self.expected = expected;
        read
    }

    fn transmit(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        if let Some(steering) = &mut self.steering {
            steering.follow(now, frames.len());
        }
        let (node, plain, writer) = (self.node.as_fd(), !self.offload, &mut self.writer);
        let sent = transmit::each(frames, |frame| virtio::send(node, frame, plain, writer));
        sent.map_err(|error| if error.raw_os_error() == Some(libc::EBADFD) { gone(&self.name) } else { error })
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.node.as_fd())
    }

    fn next_deadline(&self) -> Option<Instant> {
        // What waits here, the descriptor does not tell.
        (!self.waiting.is_empty()).then_some(Instant::ZERO)
    }

    fn lost(&self) -> u64 {
        self.lost + self.writer.lost
    }
}

/// May an interface have this name? (`dev_valid_name` in the kernel's `net/core/dev.c`.)
pub fn is_name(name: &str) -> bool {
    let length = 1..=interface::NAME_LEN;
    let bad = |c: char| c == '/' || c == ':' || c == '\0' || c.is_whitespace();
    length.contains(&name.len()) && name != "." && name != ".." && !name.contains(bad)
}

/// Can this process open the node at all? What it may make of it is another matter.
pub fn node_opens() -> Result<(), TapError> {
    open_node().map(drop)
}

fn open_node() -> Result<OwnedFd, TapError> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(NODE, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT | Errno::NOTDIR => TapError::NoNode,
        Errno::NODEV | Errno::NXIO => TapError::NoDriver,
        Errno::ACCESS | Errno::PERM => TapError::NodeClosed,
        error => TapError::Other { name: NODE.to_owned(), error: error.into() },
    })
}

fn not_attached(name: &str, error: io::Error) -> TapError {
    let name = name.to_owned();
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => TapError::NotPermitted { name },
        Some(libc::EBUSY) => TapError::InUse { name },
        Some(libc::EINVAL) => TapError::NotATap { name },
        _ => TapError::Other { name, error },
    }
}

fn gone(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("the interface {name} is gone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_kernel_would_refuse_are_refused_in_words() {
        for name in ["", "a/b", "a b", "a:b", ".", "..", "sixteen-bytes-xx", "tab\t"] {
            let error = Tap::open(name, true).expect_err(name);
            assert!(matches!(error, TapError::BadName { .. }), "{name:?}: {error}");
        }
        assert!(is_name("strata0") && is_name("fifteen-bytes-x") && is_name("strata%d"));
        assert_eq!(
            Tap::open("a b", true).expect_err("a blank").to_string(),
            r#""a b" cannot be the name of an interface: 1 to 15 bytes, without blanks, `/` and `:`"#
        );
    }
}
