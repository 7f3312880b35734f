//! Two hosts joined by hand, without any runtime: what one sends the other gets, in virtual time.

#![allow(dead_code, reason = "each test program uses its own part")]

pub mod way;

use std::net::SocketAddr;
use strata::frame::{Offload, Received};
use strata::stack::{Config, Stack};
use strata::time::Instant;
use way::{Sent, Way};

pub const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 80);

/// A client (192.0.2.1) and a server (192.0.2.2).
pub struct Pair {
    pub client: Stack,
    pub server: Stack,
    pub now: Instant,
    /// Every frame that was sent, with `true` for the client's.
    pub frames: Vec<(bool, Sent)>,
    way: Way,
}

impl Pair {
    pub fn new(seed: u64) -> Pair {
        Pair::on(way::PLAIN, seed)
    }

    pub fn on(way: Way, seed: u64) -> Pair {
        let host = |last: u8| {
            let addresses = vec![format!("192.0.2.{last}/24").parse().expect("a prefix")];
            let config = way.config(Config { mac: [2, 0, 0, 0, 0, last], addresses, ..Config::default() });
            Stack::new(config, seed + u64::from(last) - 1)
        };
        let now = Instant::from_secs(1_000);
        let mut pair = Pair { client: host(1), server: host(2), now, frames: Vec::new(), way };
        pair.client.start(now);
        pair.server.start(now);
        pair.settle();
        pair
    }

    /// Carries frames to and fro until neither side has any.
    pub fn settle(&mut self) {
        loop {
            let requests = pass(self.way, self.now, &mut self.client, &mut self.server);
            let answers = pass(self.way, self.now, &mut self.server, &mut self.client);
            if requests.is_empty() && answers.is_empty() {
                return;
            }
            self.frames.extend(requests.into_iter().map(|sent| (true, sent)));
            self.frames.extend(answers.into_iter().map(|sent| (false, sent)));
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

/// Hands one host what the other has to send.
fn pass(way: Way, now: Instant, from: &mut Stack, to: &mut Stack) -> Vec<Sent> {
    let frames = std::iter::from_fn(|| from.poll_transmit(now));
    let sent: Vec<Sent> = frames.flat_map(|frame| way.put_on_wire(&frame)).collect();
    way.take_off_wire(now, &sent, to);
    sent
}

pub fn received(bytes: &[u8]) -> Received<'_> {
    Received { bytes, offload: Offload::default() }
}
