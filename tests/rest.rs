//! A connection that is folded whenever it rests does on the wire exactly what one does that is never folded, and tells
//! the same of itself: random exchanges over a path that loses, both ways, side by side.

#[path = "support/way.rs"]
mod way;

use proptest::prelude::*;
use std::net::SocketAddr;
use std::time::Duration;
use strata::random::Random;
use strata::stack::{Config, Stack, TcpId};
use strata::tcp::congestion::Algorithm;
use strata::tcp::{Info, Keepalive};
use strata::time::Instant;
use way::{PLAIN, SOFTWARE, Sent, WHOLE, Way};

const DELAY: Duration = Duration::from_millis(7);

#[derive(Clone, Copy, Debug)]
enum Step {
    Send { server: bool, len: usize },
    Read { server: bool, most: usize },
    Wait { millis: u64 },
    Shutdown { server: bool },
}

/// Two hosts, and what came of what they did.
struct World {
    way: Way,
    hosts: [Stack; 2],
    ids: Vec<TcpId>,
    now: Instant,
    path: Random,
    /// In 256.
    loss: u64,
    frames: Vec<(Instant, bool, Sent)>,
    infos: Vec<Info>,
    folded: usize,
}

impl World {
    fn new(way: Way, rest_after: Duration, algorithm: Algorithm, keepalive: bool, loss: u64, seed: u64) -> World {
        let host = |last: u8| {
            let address = format!("192.0.2.{last}/24").parse().expect("a prefix");
            let mut config =
                Config { mac: [2, 0, 0, 0, 0, last], addresses: vec![address], rest_after, ..Config::default() };
            config.tcp.congestion = algorithm;
            config.tcp.keepalive =
                Keepalive { enabled: keepalive, idle: Duration::from_secs(3), ..Keepalive::default() };
            Stack::new(way.config(config), seed + u64::from(last))
        };
        let (now, path) = (Instant::from_secs(77), Random::new(seed));
        let (frames, infos) = (Vec::new(), Vec::new());
        let mut world =
            World { way, hosts: [host(1), host(2)], ids: Vec::new(), now, path, loss: 0, frames, infos, folded: 0 };
        let server: SocketAddr = ([192, 0, 2, 2], 80).into();
        world.hosts.iter_mut().for_each(|host| host.start(now));
        let config = world.hosts[0].config().tcp.clone();
        let listener = world.hosts[1].tcp_listen(server, 8, config.clone()).expect("a free port");
        let client = world.hosts[0].tcp_connect(now, server, None, config).expect("a route");
        world.wait(Duration::from_millis(500));
        let accepted = world.hosts[1].tcp_accept(listener).expect("a connection");
        world.ids = vec![client, accepted];
        world.loss = loss;
        world
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send { server, len } => {
                let data: Vec<u8> = (0..len).map(|at| at as u8).collect();
                // A full buffer takes less, a closed one nothing: the same in both worlds.
                let _ = self.hosts[usize::from(server)].tcp_send(self.now, self.ids[usize::from(server)], &data);
            }
            Step::Read { server, most } => {
                let _ = self.hosts[usize::from(server)].tcp_receive(self.ids[usize::from(server)], &mut vec![0; most]);
            }
            Step::Wait { millis } => self.wait(Duration::from_millis(millis)),
            Step::Shutdown { server } => {
                self.hosts[usize::from(server)].tcp_shutdown(self.now, self.ids[usize::from(server)]);
            }
        }
        self.carry();
        for (host, id) in self.hosts.iter().zip(&self.ids) {
            self.folded += host.tcp_usage().resting;
            self.infos.extend(host.tcp_info(*id));
        }
    }

    fn carry(&mut self) {
        loop {
            let sent: Vec<_> = (0..2).flat_map(|side| self.poll(side)).collect();
            if sent.is_empty() {
                break;
            }
            self.timeouts(self.now + DELAY);
            let mut arrived: [Vec<Sent>; 2] = Default::default();
            for (from_server, sent) in sent {
                self.frames.push((self.now, from_server, sent.clone()));
                let is_arp = sent.0[12..14] == [8, 6];
                if is_arp || self.path.below(256) >= self.loss {
                    arrived[usize::from(!from_server)].push(sent);
                }
            }
            for (host, frames) in self.hosts.iter_mut().zip(&arrived) {
                self.way.take_off_wire(self.now, frames, host);
            }
        }
    }

    fn poll(&mut self, side: usize) -> Vec<(bool, Sent)> {
        let frames = std::iter::from_fn(|| self.hosts[side].poll_transmit(self.now));
        frames.flat_map(|frame| self.way.put_on_wire(&frame)).map(|sent| (side == 1, sent)).collect()
    }

    /// Time moves on while frames are on their way; what is due fires, and what that sends leaves with the next.
    fn timeouts(&mut self, at: Instant) {
        self.now = at;
        for host in &mut self.hosts {
            while host.next_deadline().is_some_and(|due| due <= at) {
                host.handle_timeout(at);
            }
        }
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        self.carry();
        // What is folded meanwhile must not make one world go on for longer than the other.
        while let Some(next) = self.hosts.iter().filter_map(Stack::next_deadline).min()
            && self.now.max(next) <= end
        {
            self.timeouts(self.now.max(next));
            self.carry();
        }
        self.now = self.now.max(end);
    }
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![1usize..200, 1usize..3000, 1usize..100_000];
    prop_oneof![
        4 => (any::<bool>(), len).prop_map(|(server, len)| Step::Send { server, len }),
        4 => (any::<bool>(), prop_oneof![Just(1 << 20), 1usize..5000]).prop_map(|(server, most)| Step::Read { server, most }),
        4 => prop_oneof![0u64..50, 0u64..3000, 3000u64..400_000].prop_map(|millis| Step::Wait { millis }),
        1 => (0u8..12, any::<bool>()).prop_map(|(dice, server)| match dice {
            0 => Step::Shutdown { server },
            _ => Step::Wait { millis: 1000 },
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn folding_changes_nothing_that_can_be_seen(
        steps in proptest::collection::vec(step(), 1..40),
        algorithm in 0..Algorithm::ALL.len(),
        keepalive in any::<bool>(),
        loss in prop_oneof![Just(0u64), 0u64..80],
        seed in any::<u32>(),
        way in prop_oneof![Just(PLAIN), Just(SOFTWARE), Just(WHOLE)],
    ) {
        let algorithm = Algorithm::ALL[algorithm];
        let world = |rest_after| World::new(way, rest_after, algorithm, keepalive, loss, seed.into());
        let (mut folding, mut plain) = (world(Duration::ZERO), world(Duration::MAX));
        for step in steps {
            folding.step(step);
            plain.step(step);
            prop_assert_eq!(&folding.infos, &plain.infos, "{:?}", step);
            prop_assert_eq!(folding.frames.len(), plain.frames.len(), "{:?}", step);
        }
        prop_assert_eq!(&folding.frames, &plain.frames);
        prop_assert_eq!(plain.folded, 0);
    }
}

/// The comparison means something: connections do get folded on the way.
#[test]
fn connections_are_folded_between_the_steps() {
    let mut world = World::new(PLAIN, Duration::ZERO, Algorithm::CUBIC, false, 0, 1);
    for len in [100, 5000] {
        world.step(Step::Send { server: false, len });
        world.step(Step::Read { server: true, most: 10_000 });
        world.step(Step::Wait { millis: 300 });
    }
    assert!(world.folded >= 4, "{}", world.folded);
}
