//! Two stacks, a link that loses, doubles, reorders and corrupts, and applications that do as they please, in virtual
//! time: what arrives is what was sent, both sides come to rest, and nothing stays behind.

#[path = "support/way.rs"]
mod way;

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use strata::device::offload;
use strata::frame::Frame;
use strata::random::Random;
use strata::stack::{self, ListenerId, Stack, TcpId};
use strata::tcp::{Config, Keepalive, ReceiveError, SendError};
use strata::time::Instant;
use way::{PLAIN, SOFTWARE, Sent, WHOLE, Way};

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 80);
const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 50_000);
/// Long enough for every timer: nothing may take longer.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);
/// The longest stream, in bytes.
const LONGEST: usize = 30_000;
const ETHERTYPE_IPV4: [u8; 2] = [8, 0];

/// How an application ends its side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// FIN after the last byte, and close after the peer's.
    Graceful,
    /// Close as soon as everything is written.
    Close,
    /// Abort half-way.
    Abort,
}

#[derive(Clone, Debug)]
struct Plan {
    config: Config,
    len: usize,
    /// The most bytes a call takes, and the longest pause between two rounds of calls.
    chunk: usize,
    pause: Duration,
    end: End,
}

#[derive(Clone, Copy, Debug)]
struct Faults {
    loss: f64,
    duplicate: f64,
    reorder: f64,
    corrupt: f64,
    /// What hosts leave to their devices; where super-frames may cross whole, half of them do.
    way: Way,
}

/// One host with its application.
struct Side {
    stack: Stack,
    plan: Plan,
    listener: Option<ListenerId>,
    id: Option<TcpId>,
    written: usize,
    received: Vec<u8>,
    finished_writing: bool,
    peer_finished: bool,
    over: bool,
    next_round: Instant,
    salt: u8,
}

fn byte(salt: u8, position: usize) -> u8 {
    (position * 31 + position / 251) as u8 ^ salt
}

fn stream(salt: u8, range: std::ops::Range<usize>) -> Vec<u8> {
    range.map(|position| byte(salt, position)).collect()
}

impl Side {
    fn new(last: u8, seed: u64, plan: Plan, way: Way, now: Instant) -> Side {
        let addresses = vec![format!("192.0.2.{last}/24").parse().expect("a prefix")];
        let config = stack::Config { mac: [2, 0, 0, 0, 0, last], addresses, ..stack::Config::default() };
        let mut stack = Stack::new(way.config(config), seed);
        stack.start(now);
        Side {
            stack,
            plan,
            listener: None,
            id: None,
            written: 0,
            received: Vec::new(),
            finished_writing: false,
            peer_finished: false,
            over: false,
            next_round: now,
            salt: last,
        }
    }

    /// One round of calls of the application.
    fn act(&mut self, now: Instant, random: &mut Random) {
        self.next_round = now + Duration::from_nanos(1 + random.below(self.plan.pause.as_nanos() as u64));
        if self.id.is_none() {
            self.id = self.listener.and_then(|listener| self.stack.tcp_accept(listener));
        }
        let Some(id) = self.id else { return };
        self.write(now, id, random);
        self.read(id, random);
        self.end(now, id);
    }

    fn write(&mut self, now: Instant, id: TcpId, random: &mut Random) {
        let len = (random.below(self.plan.chunk as u64) as usize + 1).min(self.plan.len - self.written);
        if len > 0 {
            let data = stream(self.salt, self.written..self.written + len);
            match self.stack.tcp_send(now, id, &data) {
                Ok(taken) => self.written += taken,
                Err(SendError::WouldBlock) => {}
                Err(SendError::Shutdown | SendError::Closed(_)) => self.over = true,
            }
        }
        if self.written == self.plan.len && !self.finished_writing && self.stack.tcp_status(id).established {
            self.finished_writing = true;
            self.stack.tcp_shutdown(now, id);
        }
    }

    fn read(&mut self, id: TcpId, random: &mut Random) {
        // So many rounds at most, so that a slow reader does not outlast the patience.
        let most = self.plan.chunk.max(LONGEST / 200);
        let mut into = vec![0; random.below(most as u64) as usize + 1];
        match self.stack.tcp_receive(id, &mut into) {
            Ok(0) => self.peer_finished = true,
            Ok(len) => self.received.extend_from_slice(&into[..len]),
            Err(ReceiveError::WouldBlock) => {}
            Err(ReceiveError::Closed(_)) => self.over = true,
        }
    }

    fn end(&mut self, now: Instant, id: TcpId) {
        let closes = match self.plan.end {
            End::Graceful => self.finished_writing && self.peer_finished || self.over,
            End::Close => self.finished_writing || self.over,
            End::Abort => self.written >= self.plan.len / 2 && self.stack.tcp_status(id).established || self.over,
        };
        if !closes {
            return;
        }
        self.over = true;
        (self.id, self.next_round) = (None, Instant::FAR_FUTURE);
        if self.plan.end == End::Abort {
            self.stack.tcp_abort(now, id);
        } else {
            self.stack.tcp_close(now, id);
        }
        if let Some(listener) = self.listener.take() {
            self.stack.tcp_close_listener(now, listener);
        }
    }
}

/// Everything that happens, from one seed.
struct World {
    now: Instant,
    sides: [Side; 2],
    faults: Faults,
    random: Random,
    wire: BTreeMap<(Instant, u64), (usize, Sent)>,
    sent: Vec<(Instant, Vec<u8>)>,
}

impl World {
    fn new(seed: u64, start: Instant, faults: Faults, client: Plan, server: Plan) -> World {
        let mut client = Side::new(1, seed, client, faults.way, start);
        let mut server = Side::new(2, seed + 1, server, faults.way, start);
        server.listener = server.stack.tcp_listen(SERVER, 1, server.plan.config.clone()).ok();
        client.id = client.stack.tcp_connect(start, SERVER, Some(CLIENT), client.plan.config.clone()).ok();
        let random = Random::new(seed);
        World { now: start, sides: [client, server], faults, random, wire: BTreeMap::new(), sent: Vec::new() }
    }

    /// Runs until nothing is left to do; none when that takes longer than [`PATIENCE`].
    fn run(&mut self) -> Option<()> {
        let end = self.now + PATIENCE;
        loop {
            for from in 0..2 {
                while let Some(frame) = self.sides[from].stack.poll_transmit(self.now) {
                    self.send(from, &frame);
                }
                while self.sides[from].stack.poll_wakeup().is_some() {}
            }
            // An attempt that its client aborted may end without anybody having accepted it.
            let nobody_came = self.sides[0].over && self.sides[1].id.is_none();
            let at_rest = |side: &Side| (side.over || nobody_came) && side.stack.tcp_unfinished() == 0;
            if self.wire.is_empty() && self.sides.iter().all(at_rest) {
                return Some(());
            }
            let next = self.next_event().filter(|at| *at <= end)?;
            self.now = self.now.max(next);
            self.happen();
        }
    }

    fn next_event(&self) -> Option<Instant> {
        let sides = self.sides.iter().flat_map(|side| [Some(side.next_round), side.stack.next_deadline()]);
        sides.flatten().chain(self.wire.first_key_value().map(|((at, _), _)| *at)).min()
    }

    fn happen(&mut self) {
        let mut arrived: [Vec<Sent>; 2] = Default::default();
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (to, sent) = entry.remove();
            arrived[to].push(sent);
        }
        for (side, frames) in self.sides.iter_mut().zip(&arrived) {
            self.faults.way.take_off_wire(self.now, frames, &mut side.stack);
        }
        for side in &mut self.sides {
            side.stack.handle_timeout(self.now);
            if side.next_round <= self.now {
                side.act(self.now, &mut self.random);
            }
        }
    }

    /// The device: some frames go as they are, others as a wire would carry them.
    fn send(&mut self, from: usize, frame: &Frame) {
        let whole = self.faults.way.link && self.random.chance(0.5);
        let way = Way { link: whole, ..self.faults.way };
        way.put_on_wire(frame).into_iter().for_each(|sent| self.carry(from, sent));
    }

    /// A frame on the wire. ARP goes through, so that what is tested is TCP.
    fn carry(&mut self, from: usize, (mut bytes, mut offload): Sent) {
        self.sent.push((self.now, bytes.clone()));
        let (faults, is_ip) = (self.faults, bytes[12..14] == ETHERTYPE_IPV4);
        let copies = match is_ip {
            true if self.random.chance(faults.loss) => 0,
            true if self.random.chance(faults.duplicate) => 2,
            true | false => 1,
        };
        if is_ip && self.random.chance(faults.corrupt) {
            // Damage on a wire: nobody vouches for what comes from there.
            offload::finish_checksum(&mut bytes, &mut offload);
            let bit = 14 * 8 + self.random.below((bytes.len() as u64 - 14) * 8) as usize;
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for _ in 0..copies {
            let late = if self.random.chance(faults.reorder) { self.random.below(30_000) } else { 0 };
            let at = self.now + Duration::from_micros(2_000 + late);
            let number = self.random.next_u64() >> 32 | (self.sent.len() as u64) << 32;
            self.wire.insert((at, number), (1 - from, (bytes.clone(), offload)));
        }
    }

    /// The initial sequence number of a side, read off its first SYN.
    fn isn(&self, side: u8) -> Option<u32> {
        let syn = self.sent.iter().find(|(_, frame)| {
            frame[12..14] == ETHERTYPE_IPV4 && frame[23] == 6 && frame[29] == side && frame[47] & 2 != 0
        });
        syn.map(|(_, frame)| u32::from_be_bytes([frame[38], frame[39], frame[40], frame[41]]))
    }
}

fn check(world: &mut World) -> Result<(), TestCaseError> {
    prop_assert!(
        world.run().is_some(),
        "no rest at {:?}: {:?}",
        world.now,
        world
            .sides
            .each_ref()
            .map(|side| { (side.written, side.received.len(), side.over, side.stack.tcp_unfinished()) })
    );
    let graceful = world.sides.iter().all(|side| side.plan.end == End::Graceful);
    for (to, from) in [(0, 1), (1, 0)] {
        let (to, from) = (&world.sides[to], &world.sides[from]);
        let got = &to.received;
        prop_assert!(got.len() <= from.written);
        prop_assert!(*got == stream(from.salt, 0..got.len()), "what arrives is the beginning of what was sent");
        if graceful {
            prop_assert_eq!((got.len(), to.peer_finished), (from.plan.len, true), "all of it, and its end");
        }
    }
    Ok(())
}

fn plan() -> impl Strategy<Value = Plan> {
    let buffers = prop_oneof![Just(1_500usize), Just(10_000), Just(65_535), Just(512 * 1024)];
    let end = prop_oneof![4 => Just(End::Graceful), 1 => Just(End::Close), 1 => Just(End::Abort)];
    let options = (any::<[bool; 5]>(), prop_oneof![Just(None), Just(Some(100u16)), Just(Some(1000))]);
    (buffers.clone(), buffers, options, 0usize..LONGEST, 1usize..20_000, 1u64..3_000, end).prop_map(
        |(receive_buffer, send_buffer, (flags, mss), len, chunk, pause, end)| {
            let [nagle, timestamps, sack, scaling, delayed] = flags;
            let default = Config::default();
            let config = Config {
                mss,
                nagle,
                timestamps,
                sack,
                window_scale: default.window_scale.filter(|_| scaling),
                delayed_ack: default.delayed_ack.filter(|_| delayed),
                receive_buffer,
                send_buffer,
                give_up_syn: Duration::from_secs(3600),
                // A RST that is lost leaves a peer that only listens with nothing else to find out by.
                keepalive: Keepalive {
                    enabled: true,
                    idle: Duration::from_secs(60),
                    interval: Duration::from_secs(10),
                    count: 30,
                },
                ..default
            };
            // So many rounds at most, so that a slow application does not outlast the patience.
            let chunk = chunk.max(len / 200 + 1);
            Plan { config, len, chunk, pause: Duration::from_millis(pause), end }
        },
    )
}

fn faults() -> impl Strategy<Value = Faults> {
    let share = |most: f64| prop_oneof![Just(0.0), 0.0..most];
    // Not so much that patience with a lost segment ends by chance.
    (share(0.19), share(0.1), share(0.3), share(0.02), prop_oneof![Just(PLAIN), Just(SOFTWARE), Just(WHOLE)])
        .prop_map(|(loss, duplicate, reorder, corrupt, way)| Faults { loss, duplicate, reorder, corrupt, way })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_arrive_and_both_sides_come_to_rest(
        seed in any::<u32>(), faults in faults(), client in plan(), server in plan(),
    ) {
        let start = Instant::from_secs(1_000);
        let world = || World::new(u64::from(seed), start, faults, client.clone(), server.clone());
        let (mut first, mut second) = (world(), world());
        check(&mut first)?;
        second.run();
        prop_assert!(first.sent == second.sent, "the same seed gives the same frames at the same times");
    }

    /// Trap 8: the keyed ISN steps with time, so that another start puts either side's stream across the wrap.
    #[test]
    fn streams_that_cross_the_wrap_arrive_as_well(
        seed in any::<u32>(), faults in faults(), client in plan(), server in plan(), before in 1u32..30_000,
        side in 1u8..3, top in prop_oneof![Just(0u32), Just(1 << 31)],
    ) {
        let world = |start| World::new(u64::from(seed), start, faults, client.clone(), server.clone());
        let start = Instant::from_secs(1_000);
        let mut first = world(start);
        first.run();
        let Some(isn) = first.isn(side) else { return Ok(()) };
        let steps = top.wrapping_sub(before).wrapping_sub(isn);
        let mut shifted = world(start + Duration::from_micros(4 * u64::from(steps)));
        check(&mut shifted)?;
        prop_assert_eq!(shifted.isn(side), Some(top.wrapping_sub(before)));
    }
}
