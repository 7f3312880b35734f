//! A TAP: an Ethernet interface of the kernel whose other end is this program.
//!
//! The kernel's own TCP/IP is then one hop away, and every program on the machine is a client. Frames are plain: the
//! kernel finishes checksums and splits super-frames before it hands them over. (With `IFF_VNET_HDR` it would do
//! neither; `virtio` has the header that comes with it.)

use super::system::interface;
use super::transmit::{self, Sent};
use super::{Batch, Capabilities, Device, LINK_HEADER_LEN, offload};
use crate::frame::{Frame, Offload};
use crate::time::Instant;
use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The node through which every TAP is made.
pub const NODE: &str = "/dev/net/tun";

/// The queue between the kernel and a TAP, in frames, unless somebody set `txqueuelen`.
const QUEUE_FRAMES: usize = 500;

/// An open TAP. The interface vanishes with it, unless somebody made it persistent.
#[derive(Debug)]
pub struct Tap {
    node: OwnedFd,
    name: String,
    mtu: usize,
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
    #[error("{name} exists and is no TAP with a single queue: choose another name with `--link tap:NAME`")]
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
    pub fn open(name: &str) -> Result<Tap, TapError> {
        if !is_name(name) {
            return Err(TapError::BadName { name: name.to_owned() });
        }
        let node = open_node()?;
        let name = interface::attach_tap(node.as_fd(), name).map_err(|error| not_attached(name, error))?;
        let mut tap = Tap { node, name, mtu: 0, lost: 0 };
        tap.refresh().map_err(|error| TapError::Other { name: tap.name.clone(), error })?;
        Ok(tap)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the kernel for the MTU again, after somebody changed it.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.mtu = interface::facts(&self.name)?.mtu;
        Ok(())
    }

    /// The next frame, read into `buffer`; none when nothing is there.
    fn next_frame(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Offload>> {
        loop {
            // One byte more than a frame can have: what fills it all was cut off, because somebody raised the MTU.
            buffer.clear();
            buffer.reserve(self.mtu + LINK_HEADER_LEN + 1);
            let room = buffer.capacity();
            match rustix::io::read(&self.node, spare_capacity(buffer)) {
                Ok(len) if len < room => return Ok(Some(Offload::default())),
                Ok(_) => {
                    self.lost += 1;
                    self.refresh()?;
                }
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(Errno::BADFD) => return Err(gone(&self.name)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn send(&mut self, frame: &Frame) -> io::Result<Sent> {
        if !offload::needs_software(frame) {
            return transmit::write_frame(self.node.as_fd(), &[], frame, &mut self.lost);
        }
        for piece in offload::pieces_of(frame) {
            // A super-frame of which the first part is gone cannot be put back: what finds no room is lost.
            match transmit::write(self.node.as_fd(), [&piece[..]].into_iter(), &mut self.lost)? {
                Sent::Gone => {}
                Sent::Full => self.lost += 1,
            }
        }
        Ok(Sent::Gone)
    }
}

impl Device for Tap {
    fn describe(&self) -> String {
        format!("TAP {}, MTU {}", self.name, self.mtu)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mtu: self.mtu,
            partial_checksum: false,
            segmentation: None,
            receive_queue: Some(QUEUE_FRAMES * self.mtu),
        }
    }

    fn receive(&mut self, _: Instant, batch: &mut Batch) -> io::Result<()> {
        while !batch.is_full() && batch.fill(|buffer| self.next_frame(buffer))? {}
        Ok(())
    }

    fn transmit(&mut self, _: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        let sent = transmit::each(frames, |frame| self.send(frame));
        sent.map_err(|error| if error.raw_os_error() == Some(libc::EBADFD) { gone(&self.name) } else { error })
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.node.as_fd())
    }

    fn lost(&self) -> u64 {
        self.lost
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
            let error = Tap::open(name).expect_err(name);
            assert!(matches!(error, TapError::BadName { .. }), "{name:?}: {error}");
        }
        assert!(is_name("strata0") && is_name("fifteen-bytes-x") && is_name("strata%d"));
        assert_eq!(
            Tap::open("a b").expect_err("a blank").to_string(),
            r#""a b" cannot be the name of an interface: 1 to 15 bytes, without blanks, `/` and `:`"#
        );
    }
}
