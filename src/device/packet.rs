//! Raw Ethernet on an interface that exists already, by a packet socket (`AF_PACKET`) with a virtio-net header before
//! each frame.
//!
//! No tun node is needed: `CAP_NET_RAW` is enough, which everybody has in a network namespace of their own. Offloads
//! come with the header: a checksum that the kernel left partial is good as it is, and one that we leave partial is
//! finished where the frame leaves the machine; super-frames pass whole in both directions.
//!
//! The stack lives beside the kernel on that interface, with a MAC address of its own, so the socket is promiscuous.
//! Frames that the kernel itself sends on the interface are not seen: it is reached from its network, not from its
//! own machine (a veth pair has the kernel at its other end, where it is).

use super::expected::Expected;
use super::system::{interface, packet};
use super::transmit::{self, Writer};
use super::virtio::{self, Waiting};
use super::{Batch, Capabilities, Device, LINK_HEADER_LEN, SUPER_FRAME};
use crate::frame::{Checksum, Frame, Offload};
use crate::time::Instant;
use bytes::{BufMut, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where 802.1Q puts its tag: behind both addresses.
const TAG_AT: usize = 12;
const TAG_LEN: u16 = 4;

/// A packet socket on one interface.
#[derive(Debug)]
pub struct Packet {
    socket: OwnedFd,
    name: String,
    mtu: usize,
    offload: bool,
    /// The end of frames that are longer than the MTU.
    overflow: Box<[u8]>,
    expected: Expected,
    waiting: Waiting,
    writer: Writer,
    lost: u64,
}

/// Why an interface cannot be used, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    #[error("no interface is called {name:?} here: `ip link` lists those that exist")]
    NoInterface { name: String },
    #[error("the interface {name} is down: bring it up with `sudo ip link set {name} up`")]
    Down { name: String },
    #[error(
        "no permission for raw Ethernet on {name}: run as root, or give the program that right with `sudo setcap cap_net_raw+ep PROGRAM`"
    )]
    NotPermitted { name: String },
    #[error("raw Ethernet on {name}: {error}")]
    Other { name: String, error: io::Error },
}

impl Packet {
    /// Opens the interface called `name`, which must be up. Without `offload` every frame is as it is on a wire.
    pub fn open(name: &str, offload: bool) -> Result<Packet, PacketError> {
        Packet::open_as(name, offload, packet::open)
    }

    /// As [`open`](Packet::open), but nothing is ever received: what passes on the interface costs nothing here.
    pub fn open_to_send(name: &str) -> Result<Packet, PacketError> {
        Packet::open_as(name, false, packet::open_to_send)
    }

    fn open_as(name: &str, offload: bool, open: fn(u32) -> io::Result<OwnedFd>) -> Result<Packet, PacketError> {
        let other = |error| PacketError::Other { name: name.to_owned(), error };
        let index = interface::index(name).map_err(|_| PacketError::NoInterface { name: name.to_owned() })?;
        let facts = interface::facts(name).map_err(other)?;
        if !facts.up {
            return Err(PacketError::Down { name: name.to_owned() });
        }
        let socket = open(index).map_err(|error| match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => PacketError::NotPermitted { name: name.to_owned() },
            _ => other(error),
        })?;
        let overflow = vec![0; SUPER_FRAME + LINK_HEADER_LEN].into();
        let waiting = Waiting::default();
        Ok(Packet {
            socket,
            name: name.to_owned(),
            mtu: facts.mtu,
            offload,
            overflow,
            expected: Expected::of(offload),
            waiting,
            writer: Writer::new(offload),
            lost: 0,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next frame that is meant for `buffer`; none when nothing is there.
    fn next_frame(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Offload>> {
        let room = self.mtu + LINK_HEADER_LEN;
        if let Some(facts) = self.waiting.take(buffer) {
            return Ok(Some(facts));
        }
        loop {
            match packet::receive(self.socket.as_fd(), buffer, room, &mut self.overflow) {
                Ok(message) if message.outgoing => {}
                Ok(message) if message.truncated => self.lost += 1,
                Ok(message) => {
                    let facts = facts(&message, buffer);
                    return Ok(Some(if self.offload { facts } else { self.waiting.split(facts, buffer) }));
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(None),
                    Some(libc::EINTR) => {}
                    // A kind of super-frame that the header cannot express; the frame is gone, the next one waits.
                    Some(libc::EINVAL) => self.lost += 1,
                    // Said once each time the interface goes down.
                    Some(libc::ENETDOWN) => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

/// The offload facts of a frame that was received, whose tag is put back where it was.
fn facts(message: &packet::Message, buffer: &mut BytesMut) -> Offload {
    let mut facts = virtio::parse(&message.header);
    if message.checksum_good && facts.checksum == Checksum::Full {
        facts.checksum = Checksum::Good;
    }
    if let Some((protocol, control)) = message.tag
        && buffer.len() >= TAG_AT
    {
        let (untagged, tag) = (buffer.len(), TAG_AT..TAG_AT + usize::from(TAG_LEN));
        buffer.put_bytes(0, tag.len());
        buffer.copy_within(TAG_AT..untagged, tag.end);
        buffer[tag].copy_from_slice([protocol.to_be_bytes(), control.to_be_bytes()].as_flattened());
        if let Checksum::Partial { start, .. } = &mut facts.checksum {
            *start = start.saturating_add(TAG_LEN);
        }
    }
    facts
}

impl Device for Packet {
    fn describe(&self) -> String {
        format!("raw Ethernet on {}, MTU {}", self.name, self.mtu)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            mtu: self.mtu,
            partial_checksum: self.offload,
            segmentation: self.offload.then_some(SUPER_FRAME),
            // The kernel counts what a frame takes in its memory: nearly half of that is not the frame.
            receive_queue: rustix::net::sockopt::socket_recv_buffer_size(&self.socket).ok().map(|size| size / 2),
        }
    }

    fn receive(&mut self, _: Instant, batch: &mut Batch) -> io::Result<()> {
        let mut expected = self.expected;
        let read = expected.read(batch, |batch| batch.fill(|buffer| self.next_frame(buffer)));
        self.expected = expected;
        read
    }

    fn transmit(&mut self, _: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        let (socket, plain, writer) = (self.socket.as_fd(), !self.offload, &mut self.writer);
        transmit::each(frames, |frame| virtio::send(socket, frame, plain, writer)).map_err(|error| {
            match error.raw_os_error() {
                Some(libc::ENXIO | libc::ENODEV) => {
                    io::Error::new(io::ErrorKind::NotFound, format!("the interface {} is gone", self.name))
                }
                _ => error,
            }
        })
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }

    fn next_deadline(&self) -> Option<Instant> {
        // What waits here, the descriptor does not tell.
        (!self.waiting.is_empty()).then_some(Instant::ZERO)
    }

    fn lost(&self) -> u64 {
        self.lost + self.writer.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_the_kernel_took_out_is_put_back() {
        let mut buffer: BytesMut = (0..60).collect();
        let message = packet::Message {
            header: virtio::emit(
                Offload { checksum: Checksum::Partial { start: 34, offset: 16 }, segment_size: None },
                &[],
            )
            .expect("a partial checksum has a header"),
            outgoing: false,
            truncated: false,
            checksum_good: false,
            tag: Some((0x8100, 0x2007)),
        };
        assert_eq!(facts(&message, &mut buffer).checksum, Checksum::Partial { start: 38, offset: 16 });
        assert_eq!(buffer[10..20], [10, 11, 0x81, 0, 0x20, 7, 12, 13, 14, 15]);
        assert_eq!(buffer.len(), 64);
    }

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let error = Packet::open("no-such-link", true).expect_err("it is not there");
        assert_eq!(
            error.to_string(),
            r#"no interface is called "no-such-link" here: `ip link` lists those that exist"#
        );
    }
}
