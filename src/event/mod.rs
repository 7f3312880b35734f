//! What the stack tells: typed events, at the instant that something happens.
//!
//! The core emits them; every view (capture with comments, layer tree, JSON lines, counters) is built from them
//! alone. With no observer attached an event costs one branch, because it is made only when somebody listens.
//!
//! A [`Record`] names the frame that the event is about, when there is one. A view that wants to say something about
//! a frame gathers the records with its [`FrameId`] until [`Event::FrameHandled`] or [`Event::FrameSent`] closes it.

/// Words that stand for something: each variant with what a view says for it. With all of them in order, and what each
/// says as it is and displayed.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$meta])*
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            pub const ALL: [$name; [$(stringify!($variant),)*].len()] = [$($name::$variant,)*];

            /// In words.
            pub const fn text(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.text())
            }
        }
    };
}

mod drop;
mod tcp;
#[cfg(test)]
pub(crate) mod testing;

pub use drop::DropReason;
pub use tcp::{
    CloseReason, CongestionState, CwndCause, EcnTrouble, FastOpen, FourTuple, MtuVerdict, SendReason, SpuriousCause,
    StateCause, TcpEvent, TcpState, TimerKind,
};

use crate::frame::{Frame, FrameId, Offload};
use crate::pool::Pool;
use crate::random::Random;
use crate::time::Instant;
use std::net::IpAddr;
use std::time::Duration;

/// The seam on which every view stands.
pub trait Observer: Send {
    fn observe(&mut self, record: &Record<'_>);
}

impl<O: Observer + ?Sized> Observer for Box<O> {
    fn observe(&mut self, record: &Record<'_>) {
        (**self).observe(record);
    }
}

/// One event, with its time and the frame that it concerns.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    pub at: Instant,
    pub frame: Option<FrameId>,
    pub event: Event<'a>,
}

words! {
    /// The layers of the figure, outermost first.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Layer {
        Ethernet => "Ethernet",
        Arp => "ARP",
        Ipv4 => "IPv4",
        Ipv6 => "IPv6",
        Icmp => "ICMP",
        Udp => "UDP",
        Tcp => "TCP",
    }
}

/// Everything that the core has to say.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A frame came in from the device; it is about to climb.
    FrameReceived { bytes: &'a [u8], offload: Offload },
    /// The frame that came in has been dealt with by every layer.
    FrameHandled,
    /// A frame goes out to the device, complete.
    FrameSent { frame: &'a Frame },
    /// A layer looked at its header and passed the rest up.
    Stripped { layer: Layer, header: &'a [u8], payload: usize },
    /// A layer put its header in front of what came down.
    Prepended { layer: Layer, header: &'a [u8], payload: usize },
    /// A layer threw the frame away.
    Dropped { layer: Layer, reason: DropReason },

    /// An entry of the neighbour cache moved (RFC 4861 §7.3.2).
    Neighbour { address: IpAddr, from: NeighbourState, to: NeighbourState, why: &'static str },
    /// A packet waits for its neighbour's hardware address; `waiting` counts it.
    AwaitsNeighbour { address: IpAddr, waiting: usize },
    /// Somebody else uses our address (RFC 5227 §2.4).
    AddressConflict { address: IpAddr, claimant: [u8; 6], defended: bool },
    /// An ARP or neighbour message was sent or understood: "request: who has 192.0.2.2".
    NeighbourMessage { message: NeighbourMessage, address: IpAddr },

    /// A datagram was too large for its link and left in pieces (RFC 791 §2.3).
    Fragmented { pieces: usize, mtu: usize },
    /// A fragment waits for its siblings.
    FragmentHeld { offset: usize, len: usize, more: bool },
    /// The last missing fragment arrived.
    Reassembled { pieces: usize, len: usize },
    /// The path to a destination turned out narrower, or an old finding expired (RFC 1191).
    PathMtu { destination: IpAddr, mtu: usize },

    /// An ICMP message was sent or understood; the text names it: "echo request id 7 seq 1".
    Icmp { message: IcmpEvent },

    /// Bytes or a datagram reached an application's socket (`socket` is its protocol).
    Delivered { layer: Layer, len: usize },

    /// Something happened to a TCP connection.
    Tcp { connection: FourTuple, event: TcpEvent },
}

words! {
    /// The states of a neighbour cache entry (RFC 4861 §7.3.2); `Unknown` is no entry, `Failed` one that was given up.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum NeighbourState {
        Unknown => "UNKNOWN",
        Incomplete => "INCOMPLETE",
        Reachable => "REACHABLE",
        Stale => "STALE",
        Delay => "DELAY",
        Probe => "PROBE",
        Failed => "FAILED",
    }
}

/// What an ARP message (later: a neighbour discovery message) is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NeighbourMessage {
    Request,
    Reply,
    /// RFC 5227 §1.1: a request for our own wished-for address, from the sender 0.0.0.0.
    Probe,
    /// RFC 5227 §1.1: "this address is mine"; a gratuitous ARP.
    Announcement,
}

/// What an ICMP message says, as far as a view needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IcmpEvent {
    EchoRequest {
        id: u16,
        sequence: u16,
        len: usize,
    },
    EchoReply {
        id: u16,
        sequence: u16,
        len: usize,
    },
    /// An error of ours (`sent`) or one that reached us, in words: "port unreachable".
    Error {
        sent: bool,
        meaning: &'static str,
    },
}

/// What every call into the core carries: the time, the dice, memory that is free, and who watches.
pub struct Context<'a> {
    pub now: Instant,
    pub random: &'a mut Random,
    pub pool: &'a mut Pool,
    /// May a transport checksum be left to the device ([`Checksum::Partial`](crate::frame::Checksum))?
    pub partial_checksum: bool,
    frame: Option<FrameId>,
    frames: &'a mut u64,
    observer: Option<&'a mut (dyn Observer + 'static)>,
}

impl<'a> Context<'a> {
    /// `frames` counts the frames of this stack; each new one takes the next number.
    pub fn new(
        now: Instant,
        random: &'a mut Random,
        pool: &'a mut Pool,
        frames: &'a mut u64,
        observer: Option<&'a mut (dyn Observer + 'static)>,
    ) -> Context<'a> {
        Context { now, random, pool, partial_checksum: false, frame: None, frames, observer }
    }

    /// Somebody listens: what is found out for them alone is worth the trouble.
    #[inline]
    pub fn is_observed(&self) -> bool {
        !cfg!(strata_silent) && self.observer.is_some()
    }

    /// Emits an event about the present frame; `event` is evaluated only when somebody listens.
    #[inline(always)]
    pub fn tell<'e>(&mut self, event: impl FnOnce() -> Event<'e>) {
        // `scripts/silence` builds a stack that tells nothing, to count what telling nobody costs.
        if cfg!(strata_silent) {
            return;
        }
        if self.observer.is_some() {
            self.tell_observer(event);
        }
    }

    /// Out of the way: where nobody observes, an event costs its callers neither registers nor room in their code.
    #[cold]
    #[inline(never)]
    fn tell_observer<'e>(&mut self, event: impl FnOnce() -> Event<'e>) {
        if let Some(observer) = &mut self.observer {
            observer.observe(&Record { at: self.now, frame: self.frame, event: event() });
        }
    }

    /// Names a new frame and makes it the present one.
    pub fn begin_frame(&mut self) -> FrameId {
        *self.frames += 1;
        let id = FrameId(*self.frames);
        self.frame = Some(id);
        id
    }

    /// Makes `frame` the one that the next events are about; gives back which one it was before.
    pub fn about(&mut self, frame: Option<FrameId>) -> Option<FrameId> {
        std::mem::replace(&mut self.frame, frame)
    }

    /// The deadline that lies `span` ahead.
    pub fn after(&self, span: Duration) -> Instant {
        self.now + span
    }
}
