//! Two hosts joined by hand, without any runtime: what one sends the other gets, in virtual time.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::net::SocketAddr;
use strata::frame::{Offload, Received};
use strata::stack::{Config, Stack};
use strata::time::Instant;

pub const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 80);

/// A client (192.0.2.1) and a server (192.0.2.2).
pub struct Pair {
    pub client: Stack,
    pub server: Stack,
    pub now: Instant,
    /// Every frame that was sent, with `true` for the client's.
    pub frames: Vec<(bool, Vec<u8>)>,
}

impl Pair {
    pub fn new(seed: u64) -> Pair {
        let host = |last: u8| Config {
            mac: [2, 0, 0, 0, 0, last],
            addresses: vec![format!("192.0.2.{last}/24").parse().expect("a prefix")],
            ..Config::default()
        };
        let now = Instant::from_secs(1_000);
        let mut pair =
            Pair { client: Stack::new(host(1), seed), server: Stack::new(host(2), seed + 1), now, frames: Vec::new() };
        pair.client.start(now);
        pair.server.start(now);
        pair.settle();
        pair
    }

    /// Carries frames to and fro until neither side has any.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            while let Some(frame) = self.client.poll_transmit(self.now) {
                let bytes = frame.to_vec();
                self.server.handle_frame(self.now, received(&bytes));
                self.frames.push((true, bytes));
                moved = true;
            }
            while let Some(frame) = self.server.poll_transmit(self.now) {
                let bytes = frame.to_vec();
                self.client.handle_frame(self.now, received(&bytes));
                self.frames.push((false, bytes));
                moved = true;
            }
            if !moved {
                return;
            }
        }
    }

    /// Lets virtual time pass up to `end`, from deadline to deadline.
    pub fn run_until(&mut self, end: Instant) {
        self.settle();
        while let Some(next) = [self.client.next_deadline(), self.server.next_deadline()].into_iter().flatten().min()
            && next <= end
        {
            self.now = self.now.max(next);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }
}

pub fn received(bytes: &[u8]) -> Received<'_> {
    Received { bytes, offload: Offload::default() }
}
