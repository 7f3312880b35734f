//! Two stacks, and frames that pass from one to the other in no time.

use std::net::SocketAddr;
use std::time::Duration;
use strata::frame::{Frame, Received};
use strata::stack::{Config, SocketId, Stack, TcpId};
use strata::time::Instant;

/// How long a frame is under way.
const DELAY: Duration = Duration::from_micros(20);

pub const OURS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 80);

/// What callgrind counts is what happens in here.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    std::hint::black_box(work())
}

pub struct Pair {
    ours: Stack,
    pub peer: Stack,
    pub now: Instant,
    /// From now on what our side does is counted.
    pub counting: bool,
    /// How many frames have come to us and gone from us.
    pub frames: (u64, u64),
}

impl Pair {
    /// With what the device of a TAP with offloads leaves to the stack, or with plain frames.
    pub fn new(offload: bool) -> Pair {
        let device = Config {
            partial_checksum: offload,
            segmentation: offload.then_some(65_535),
            connection_limit: 1 << 20,
            ..Config::default()
        };
        let peer = Config {
            mac: [2, 0, 0, 0, 0, 1],
            addresses: vec!["192.0.2.1/24".parse().expect("a prefix")],
            ..device.clone()
        };
        let (ours, peer) = (Stack::new(device, 1), Stack::new(peer, 2));
        let mut pair = Pair { ours, peer, now: Instant::ZERO, counting: false, frames: (0, 0) };
        // Both have looked for conflicts with their addresses before anything is sent.
        pair.ours.start(pair.now);
        pair.peer.start(pair.now);
        pair.pass(Duration::from_secs(10));
        pair
    }

    /// Does something with our side, and counts it.
    pub fn ours<T>(&mut self, work: impl FnOnce(&mut Stack, Instant) -> T) -> T {
        let (stack, now) = (&mut self.ours, self.now);
        if self.counting { measured(|| work(stack, now)) } else { work(stack, now) }
    }

    /// A connection that the peer has opened: its end, and ours.
    pub fn connect(&mut self, listener: strata::stack::ListenerId) -> (TcpId, TcpId) {
        let theirs = self.peer.tcp_connect(self.now, OURS, None, strata::tcp::Config::default()).expect("a free port");
        loop {
            self.exchange();
            if let Some(ours) = self.ours(|stack, _| stack.tcp_accept(listener)) {
                self.flush();
                return (theirs, ours);
            }
            self.flush();
        }
    }

    /// Frames pass once in each direction, the peer's first; gives which of our sockets were woken.
    pub fn exchange(&mut self) -> Vec<SocketId> {
        self.now += DELAY;
        let (now, mut woken) = (self.now, Vec::new());
        if self.peer.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.peer.handle_timeout(now);
        }
        while let Some(frame) = self.peer.poll_transmit(now) {
            self.deliver(&frame, &mut woken);
        }
        self.ours(|stack, now| {
            if stack.next_deadline().is_some_and(|deadline| deadline <= now) {
                stack.handle_timeout(now);
            }
            while let Some(socket) = stack.poll_wakeup() {
                woken.push(socket);
            }
        });
        woken
    }

    /// What our side has to send, goes to the peer.
    pub fn flush(&mut self) {
        self.now += DELAY;
        while let Some(frame) = self.ours(|stack, now| stack.poll_transmit(now)) {
            self.frames.1 += 1;
            let bytes = frame.to_vec();
            self.peer.handle_frame(self.now, Received { bytes: &bytes, offload: frame.offload });
        }
        while self.peer.poll_wakeup().is_some() {}
    }

    fn deliver(&mut self, frame: &Frame, woken: &mut Vec<SocketId>) {
        self.frames.0 += 1;
        let bytes = frame.to_vec();
        self.ours(|stack, now| {
            stack.handle_frame(now, Received { bytes: &bytes, offload: frame.offload });
            while let Some(socket) = stack.poll_wakeup() {
                woken.push(socket);
            }
        });
    }

    /// Time passes on both sides.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.now = [self.ours.next_deadline(), self.peer.next_deadline()]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(end)
                .max(self.now + DELAY)
                .min(end);
            self.exchange();
            self.flush();
        }
    }
}
