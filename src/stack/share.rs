//! Several stacks that share the addresses of one host, each on a queue of its own of one link.
//!
//! Every connection lives in one of them, and so do its frames, because the device hands the frames of a flow to the queue
//! on which its last answer left. What comes to the wrong one all the same, because a device forgets, is a [`Stray`]: it is
//! handed from stack to stack until one knows it, and the last answers as a single stack would. ARP replies are for all.
//! Ports and the like that a stack chooses by itself are those of its own share, so that no two choose the same.
//!
//! The stacks are of one seed, so that each knows the cookies that any of them has given.

use super::Stack;
use super::layers::Layers;
use crate::event::{Context, DropReason, Event, Layer};
use crate::frame::{Offload, Received};
use crate::ip::{NetworkError, Packet};
use crate::time::Instant;
use crate::wire::ethernet::ether_type;
use crate::wire::protocol;
use std::borrow::Cow;

/// How many strays a stack keeps at most; what comes beyond is lost, as on a wire.
const MOST_STRAYS: usize = 64;
/// Frames of each stack are numbered from here on times its index.
const FRAMES: u64 = 1 << 48;

/// Which of several stacks one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    pub index: u16,
    pub count: u16,
}

impl Default for Share {
    /// The only one.
    fn default() -> Share {
        Share { index: 0, count: 1 }
    }
}

impl Share {
    /// Are there others?
    pub(super) fn is_shared(self) -> bool {
        self.count > 1
    }

    /// Is it for this stack to choose such a number?
    pub(super) fn owns(self, number: u16) -> bool {
        number % self.count.max(1) == self.index
    }

    pub(super) fn first_frame(self) -> u64 {
        u64::from(self.index) * FRAMES
    }

    /// Does this stack speak for the host, where one is enough?
    pub(super) fn speaks(self) -> bool {
        self.index == 0
    }
}

/// What came to one of several stacks and is for another.
#[derive(Debug)]
pub struct Stray(Kind);

#[derive(Debug)]
enum Kind {
    /// For all of them.
    ArpReply(Vec<u8>),
    /// For the one that has its socket.
    Packet(Box<Packet<'static>>),
}

impl Stray {
    /// Is it for every other stack, rather than for one of them?
    pub fn is_for_all(&self) -> bool {
        matches!(self.0, Kind::ArpReply(_))
    }

    /// For each of those that get one.
    pub fn copy(&self) -> Stray {
        Stray(match &self.0 {
            Kind::ArpReply(bytes) => Kind::ArpReply(bytes.clone()),
            Kind::Packet(packet) => Kind::Packet(packet.clone()),
        })
    }
}

/// Beside others.
impl Stack {
    /// What has come to this stack and may be for another. To be asked after frames were handled.
    pub fn poll_stray(&mut self) -> Option<Stray> {
        self.layers.strays.queue.pop_front()
    }

    /// What has come to another stack and may be for this one. The `last` that is asked answers as if it were alone.
    pub fn handle_stray(&mut self, now: Instant, stray: Stray, last: bool) {
        let (mut cx, layers) = self.enter(now);
        cx.begin_frame();
        match stray.0 {
            Kind::ArpReply(bytes) => {
                let frame = Received { bytes: &bytes, offload: Offload::default() };
                // Nothing but ARP comes here, and that ends in the link.
                let _nothing = layers.link.handle(&mut cx, frame);
            }
            Kind::Packet(packet) => layers.handle_foreign(&mut cx, &packet, last),
        }
    }
}

/// What a stack has found that may be for another.
#[derive(Debug, Default)]
pub(super) struct Strays {
    pub share: Share,
    queue: std::collections::VecDeque<Stray>,
    /// The packet at hand has been to all the others.
    last: bool,
}

impl Strays {
    pub fn new(share: Share) -> Strays {
        Strays { share, ..Strays::default() }
    }

    /// May the packet at hand be for another stack?
    pub fn has_others(&self) -> bool {
        self.share.is_shared() && !self.last
    }

    fn push(&mut self, stray: Kind) {
        if self.queue.len() < MOST_STRAYS {
            self.queue.push_back(Stray(stray));
        }
    }
}

impl Layers {
    /// Others of our stacks may wait for what an ARP reply says as well.
    pub(super) fn share_arp(&mut self, bytes: &[u8]) {
        const REPLY: [u8; 2] = [0, 2];
        if self.strays.share.is_shared()
            && bytes.get(12..14) == Some(&ether_type::ARP.to_be_bytes())
            && bytes.get(20..22) == Some(&REPLY)
        {
            self.strays.push(Kind::ArpReply(bytes.to_vec()));
        }
    }

    /// Nobody here knows the packet. True when it goes to another of our stacks, which may.
    pub(super) fn is_stray(&mut self, packet: &Packet<'_>) -> bool {
        if !self.strays.has_others() || packet.broadcast {
            return false;
        }
        let payload = Cow::Owned(packet.payload.to_vec());
        let header = Cow::Owned(packet.header.to_vec());
        self.strays.push(Kind::Packet(Box::new(Packet { payload, header, ..packet.clone() })));
        true
    }

    fn handle_foreign(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>, last: bool) {
        self.strays.last = last;
        self.handle_packet(cx, packet);
        self.strays.last = false;
    }

    /// A datagram for which there is no socket.
    pub(super) fn refuse_datagram(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>) {
        if !self.is_stray(packet) {
            cx.tell(|| Event::Dropped { layer: Layer::Udp, reason: DropReason::NoUdpSocket });
            self.send_error(cx, packet, NetworkError::PortUnreachable);
        }
    }

    /// What TCP found to belong to no connection of this stack.
    pub(super) fn pass_on_segment(&mut self, packet: &Packet<'_>) {
        if packet.protocol == protocol::TCP && self.tcp.take_stray() {
            self.is_stray(packet);
        }
    }
}
