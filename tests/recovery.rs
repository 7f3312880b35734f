//! Loss recovery as it shows from outside: two of our hosts, a path that loses, delays and reorders by a rule, and how
//! long a transfer takes, what went again, and which timers fired. In virtual time.

#[path = "support/way.rs"]
mod way;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use strata::event::{CongestionState, Event, Observer, Record, SendReason, SpuriousCause, TcpEvent, TimerKind};
use strata::random::Random;
use strata::stack::{self, Stack, TcpId};
use strata::tcp::Config;
use strata::tcp::congestion::Algorithm;
use strata::time::Instant;
use way::{Sent, Way, on_ways};

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 80);
const START: Instant = Instant::from_secs(1_000);

// Rules are about packets, so that no link here passes super-frames.
on_ways! { plain = PLAIN, offloads = SOFTWARE => {
    a_burst_that_overflows_a_queue_of_a_thousand_packets_recovers_without_a_timeout,
    a_lost_tail_costs_a_probe_and_no_timeout,
    reordering_by_ten_segments_costs_no_retransmission_worth_the_name,
    a_path_that_goes_away_for_ten_seconds_resumes_with_the_next_retransmission_and_repeats_nothing,
    ten_holes_in_one_window_are_repaired_in_one_round_trip,
    a_segment_that_was_only_late_gives_its_window_back,
    a_path_that_is_slow_for_a_moment_is_not_taken_for_one_that_loses,
    three_of_a_hundred_packets_lost_are_repaired_by_sack_and_never_by_waiting,
    bbr_tells_what_a_path_loses_however_little_is_sent,
} }

/// What becomes of a packet on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Arrives,
    Lost,
    /// So much later than the others.
    Late(Duration),
    /// Held back until then, as all that comes after it.
    NotBefore(Instant),
}

/// A TCP packet on the way.
struct Packet {
    at: Instant,
    /// From the client, who sends the data.
    data_way: bool,
    /// Bytes of data.
    len: usize,
}

/// One direction of the path.
#[derive(Clone, Copy)]
struct Direction {
    delay: Duration,
    /// Bytes a second, and how many packets wait for their turn at the most.
    rate: Option<u64>,
    queue: usize,
    free_at: Instant,
}

impl Direction {
    /// When a packet of so many bytes arrives; none when the queue is full.
    fn pass(&mut self, now: Instant, len: usize) -> Option<Instant> {
        let Some(rate) = self.rate else { return Some(now + self.delay) };
        let span = |bytes: usize| Duration::from_nanos(bytes as u64 * 1_000_000_000 / rate);
        if self.free_at.since(now) > span(1514) * self.queue as u32 {
            return None;
        }
        self.free_at = self.free_at.max(now) + span(len);
        Some(self.free_at + self.delay)
    }
}

/// What a host told, as far as these tests ask.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Facts>>);

#[derive(Clone, Default, Debug)]
struct Facts {
    timeouts: Vec<Instant>,
    probes: u32,
    again: u32,
    duplicates: u32,
    spurious: Vec<SpuriousCause>,
    recoveries: u32,
    /// The estimates of what the path loses however little is sent, in thousandths.
    ambient: Vec<u32>,
}

impl Observer for Told {
    fn observe(&mut self, record: &Record<'_>) {
        let mut facts = self.0.lock().expect("nobody panicked");
        let Event::Tcp { event, .. } = record.event else { return };
        match event {
            TcpEvent::TimerFired { timer: TimerKind::Retransmission, .. } => facts.timeouts.push(record.at),
            TcpEvent::SegmentSent { why: SendReason::TailLossProbe, .. } => facts.probes += 1,
            TcpEvent::SegmentSent {
                why: SendReason::RetransmitTimeout | SendReason::SentLaterArrived | SendReason::SackedBeyond,
                ..
            } => facts.again += 1,
            TcpEvent::Duplicate { .. } => facts.duplicates += 1,
            TcpEvent::Spurious { why } => facts.spurious.push(why),
            TcpEvent::Recovery { to: CongestionState::Recovery, .. } => facts.recoveries += 1,
            TcpEvent::AmbientLoss { to, .. } => facts.ambient.push(to),
            _ => {}
        }
    }
}

type Rule = Box<dyn FnMut(&Packet) -> Fate>;

/// A client that sends to a server.
struct Story {
    way: Way,
    hosts: [Stack; 2],
    told: [Told; 2],
    directions: [Direction; 2],
    rule: Rule,
    /// How many packets have left, which keeps those in order that arrive together.
    sent: usize,
    wire: BTreeMap<(Instant, u64), (usize, Sent)>,
    now: Instant,
    ids: [TcpId; 2],
    received: u64,
}

impl Story {
    /// Connected, with the rule in force from now on and packets counted from now on.
    fn new(way: Way, config: &Config, delay: Duration, rule: impl FnMut(&Packet) -> Fate + 'static) -> Story {
        let host = |last: u8| {
            let addresses = vec![format!("192.0.2.{last}/24").parse().expect("a prefix")];
            let config = stack::Config { mac: [2, 0, 0, 0, 0, last], addresses, ..stack::Config::default() };
            let mut stack = Stack::new(way.config(config), u64::from(last));
            stack.start(START);
            stack
        };
        let mut hosts = [host(1), host(2)];
        let listener = hosts[1].tcp_listen(SERVER, 1, config.clone()).expect("a free port");
        let client = hosts[0].tcp_connect(START, SERVER, None, config.clone()).expect("a route");
        let direction = Direction { delay, rate: None, queue: 0, free_at: START };
        let mut story = Story {
            way,
            hosts,
            told: [Told::default(), Told::default()],
            directions: [direction, direction],
            rule: Box::new(|_| Fate::Arrives),
            sent: 0,
            wire: BTreeMap::new(),
            now: START,
            ids: [client, client],
            received: 0,
        };
        story.run_until(START + 10 * delay + Duration::from_millis(50));
        story.ids[1] = story.hosts[1].tcp_accept(listener).expect("a connection");
        for (host, told) in story.hosts.iter_mut().zip(&story.told) {
            host.set_observer(Some(Box::new(told.clone())));
        }
        story.rule = Box::new(rule);
        story
    }

    /// The data's way takes so many bytes a second, and holds so many packets.
    fn with_queue(mut self, rate: u64, queue: usize) -> Story {
        (self.directions[0].rate, self.directions[0].queue) = (Some(rate), queue);
        self
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            self.transmit();
            let deadlines = self.hosts.iter().filter_map(Stack::next_deadline);
            let next = deadlines.chain(self.wire.first_key_value().map(|((at, _), _)| *at)).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.arrive();
            for host in &mut self.hosts {
                host.handle_timeout(self.now);
            }
        }
        self.now = end;
    }

    /// One at a time, as from a link: each has its answer before the next is heard. Where trains are joined, what comes
    /// at one moment comes together.
    fn arrive(&mut self) {
        let mut arrived: [Vec<Sent>; 2] = Default::default();
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (to, sent) = entry.remove();
            arrived[to].push(sent);
            if !self.way.coalesce {
                break;
            }
        }
        for (host, frames) in self.hosts.iter_mut().zip(&arrived) {
            self.way.take_off_wire(self.now, frames, host);
        }
    }

    fn transmit(&mut self) {
        for from in 0..2 {
            let (way, host, now) = (self.way, &mut self.hosts[from], self.now);
            let frames = std::iter::from_fn(|| host.poll_transmit(now));
            for sent in frames.flat_map(|frame| way.put_on_wire(&frame)).collect::<Vec<Sent>>() {
                let (bytes, _) = &sent;
                let is_tcp = bytes[12..14] == [8, 0] && bytes[23] == 6;
                let fate = if is_tcp { self.fate(from, bytes) } else { Fate::Arrives };
                if fate == Fate::Lost {
                    continue;
                }
                if let Some(at) = self.directions[from].pass(self.now, bytes.len()) {
                    let at = match fate {
                        Fate::Arrives | Fate::Lost => at,
                        Fate::Late(late) => at + late,
                        Fate::NotBefore(earliest) => at.max(earliest),
                    };
                    self.sent += 1;
                    self.wire.insert((at, self.sent as u64), (1 - from, sent));
                }
            }
        }
    }

    fn fate(&mut self, from: usize, bytes: &[u8]) -> Fate {
        let header = 14 + 20 + usize::from(bytes[46] >> 4) * 4;
        let packet = Packet { at: self.now, data_way: from == 0, len: bytes.len() - header };
        (self.rule)(&packet)
    }

    /// Sends so many bytes and waits until all of them have arrived and are acknowledged; how long that took.
    fn transfer(&mut self, bytes: u64) -> Duration {
        let (start, goal) = (self.now, self.received + bytes);
        let (mut left, chunk) = (bytes, vec![7; 256 * 1024]);
        let mut buffer = vec![0; 256 * 1024];
        while self.received < goal || self.info().unacked > 0 {
            while left > 0 {
                let most = (left as usize).min(chunk.len());
                let Ok(taken) = self.hosts[0].tcp_send(self.now, self.ids[0], &chunk[..most]) else { break };
                left -= taken as u64;
            }
            while let Ok(len @ 1..) = self.hosts[1].tcp_receive(self.ids[1], &mut buffer) {
                self.received += len as u64;
            }
            assert!(self.now.since(start) < Duration::from_secs(600), "{} of {goal} arrived", self.received);
            self.run_until(self.now + Duration::from_millis(1));
        }
        self.now.since(start)
    }

    fn info(&self) -> strata::tcp::Info {
        self.hosts[0].tcp_info(self.ids[0]).expect("established")
    }

    /// What the client, or the server, told.
    fn facts(&self, host: usize) -> Facts {
        self.told[host].0.lock().expect("nobody panicked").clone()
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Buffers that are never what limits.
fn large() -> Config {
    buffers(8 << 20)
}

fn buffers(bytes: usize) -> Config {
    let mut config = Config::default();
    config.fix_receive_buffer(bytes);
    config.fix_send_buffer(bytes);
    config
}

/// Loses the packets with data that have these numbers.
fn loses(numbers: impl Fn(usize) -> bool + 'static) -> impl FnMut(&Packet) -> Fate {
    let mut count = 0;
    move |packet| {
        if !packet.data_way || packet.len == 0 {
            return Fate::Arrives;
        }
        count += 1;
        if numbers(count - 1) { Fate::Lost } else { Fate::Arrives }
    }
}

fn a_burst_that_overflows_a_queue_of_a_thousand_packets_recovers_without_a_timeout(way: Way) {
    // 100 Mbit/s and 40 ms: 345 segments are on their way before the queue begins to fill.
    let mut story = Story::new(way, &large(), millis(20), |_| Fate::Arrives).with_queue(12_500_000, 1000);
    let took = story.transfer(24 << 20);
    let facts = story.facts(0);
    assert!(facts.again > 100, "slow start overshoots: {facts:?}");
    assert_eq!(facts.timeouts, [], "{facts:?}");
    assert_eq!(story.facts(1).duplicates, 0, "nothing that arrived was sent again: {:?}", story.facts(1));
    assert!(took < millis(3_500), "two seconds at full rate: {took:?}");
}

fn a_lost_tail_costs_a_probe_and_no_timeout(way: Way) {
    for (len, lost) in [(30, 29..30), (30, 26..30), (30, 20..30), (2, 1..2)] {
        let mut story = Story::new(way, &large(), millis(50), loses(move |number| lost.contains(&number)));
        let took = story.transfer(len * 1448);
        let facts = story.facts(0);
        assert_eq!((facts.timeouts.len(), facts.probes), (0, 1), "{len}: {facts:?}");
        assert!(took < millis(1_000), "{len}: {took:?}");
        story.transfer(1448);
        assert!(story.info().ssthresh < 30 * 1448, "and congestion control has heard of it");
    }
}

fn reordering_by_ten_segments_costs_no_retransmission_worth_the_name(way: Way) {
    // 10 Mbit/s: a segment takes 1.2 ms, and one of fifty comes 12 ms late.
    let mut count = 0;
    let rule = move |packet: &Packet| {
        count += usize::from(packet.data_way && packet.len > 0);
        if packet.data_way && count % 50 == 17 { Fate::Late(millis(12)) } else { Fate::Arrives }
    };
    let mut story = Story::new(way, &buffers(256 << 10), millis(40), rule).with_queue(1_250_000, 200);
    story.transfer(4 << 20);
    let facts = story.facts(0);
    assert!(facts.again <= 3, "58 came late, of 2,900: {facts:?}");
    assert_eq!(facts.timeouts, [], "{facts:?}");
    assert!(story.info().reordering >= 10);
}

fn a_path_that_goes_away_for_ten_seconds_resumes_with_the_next_retransmission_and_repeats_nothing(way: Way) {
    let away = (START + millis(2_000), START + millis(12_000));
    let rule =
        move |packet: &Packet| if away.0 <= packet.at && packet.at < away.1 { Fate::Lost } else { Fate::Arrives };
    let mut story = Story::new(way, &large(), millis(20), rule).with_queue(1_250_000, 100);
    let took = story.transfer(4 << 20);
    let facts = story.facts(0);
    let resumed = facts.timeouts.iter().copied().find(|at| *at >= away.1).expect("a timeout after the path is back");
    let last = facts.timeouts.iter().copied().rfind(|at| *at < away.1).expect("one before");
    let outage = away.1.since(away.0);
    assert!(resumed.since(last) < outage + millis(1_000), "doubled from a third of a second: {:?}", facts.timeouts);
    // The acknowledgement of the first segment may have been lost; of no other is it unknown that it arrived.
    assert!(story.facts(1).duplicates <= 2, "{:?}", story.facts(1));
    let working = took - resumed.since(away.0);
    assert!(working < millis(5_000), "3.4 s at full rate: {working:?}");
}

fn ten_holes_in_one_window_are_repaired_in_one_round_trip(way: Way) {
    let config = Config { initial_window: 40, ..large() };
    let mut story = Story::new(way, &config, millis(50), loses(|number| number < 30 && number % 3 == 1));
    let took = story.transfer(40 * 1448);
    let facts = story.facts(0);
    assert_eq!((facts.again, facts.timeouts.len(), facts.recoveries), (10, 0, 1), "{facts:?}");
    assert!(took < millis(320), "one round trip to hear of them, one to repair them, and a bit: {took:?}");
    assert_eq!(story.facts(1).duplicates, 0);
}

fn a_segment_that_was_only_late_gives_its_window_back(way: Way) {
    let mut count = 0;
    let rule = move |packet: &Packet| {
        count += usize::from(packet.data_way && packet.len > 0);
        if packet.data_way && count == 5 { Fate::Late(millis(30)) } else { Fate::Arrives }
    };
    // Without timestamps only D-SACK can tell; it comes a round trip later.
    for timestamps in [false, true] {
        let mut story = Story::new(way, &Config { timestamps, ..large() }, millis(50), rule);
        story.transfer(10 * 1460);
        story.run_until(story.now + millis(300));
        let (facts, info) = (story.facts(0), story.info());
        let why = if timestamps { SpuriousCause::Timestamp } else { SpuriousCause::DuplicateSack };
        assert_eq!((facts.recoveries, facts.spurious), (1, vec![why]));
        assert!(info.cwnd >= 10 * info.snd_mss as u64, "{}", info.cwnd);
        assert_eq!(info.dsack_dups, 1, "the needless retransmission was reported");
    }
}

fn a_path_that_is_slow_for_a_moment_is_not_taken_for_one_that_loses(way: Way) {
    for timestamps in [false, true] {
        let slow = (START + millis(1_500), START + millis(3_500));
        let rule = move |packet: &Packet| {
            let held = packet.data_way && slow.0 <= packet.at && packet.at < slow.1;
            if held { Fate::NotBefore(slow.1) } else { Fate::Arrives }
        };
        let config = Config { timestamps, ..buffers(256 << 10) };
        let mut story = Story::new(way, &config, millis(50), rule).with_queue(1_250_000, 200);
        story.transfer(4 << 20);
        let facts = story.facts(0);
        assert!(!facts.timeouts.is_empty() && !facts.spurious.is_empty(), "{facts:?}");
        assert!(facts.again <= 4 && story.info().ssthresh > 100_000, "{facts:?}, {}", story.info().ssthresh);
    }
}

fn three_of_a_hundred_packets_lost_are_repaired_by_sack_and_never_by_waiting(way: Way) {
    let mut random = Random::new(11);
    let rule = move |_: &Packet| if random.chance(0.03) { Fate::Lost } else { Fate::Arrives };
    let mut story = Story::new(way, &large(), millis(5), rule);
    let took = story.transfer(16 << 20);
    let facts = story.facts(0);
    // The window is that of Reno, 1.22 segments over the square root of the loss each round trip: 17 s.
    assert!(took < Duration::from_secs(35), "{took:?}");
    assert!(facts.timeouts.len() < 10, "{} timeouts", facts.timeouts.len());
    println!("16 MiB under 3% loss: {took:?}, {} timeouts, {} probes", facts.timeouts.len(), facts.probes);
}

fn bbr_tells_what_a_path_loses_however_little_is_sent(way: Way) {
    for share in [0.0, 0.02] {
        let mut random = Random::new(12);
        let rule = move |packet: &Packet| {
            if packet.data_way && random.chance(share) { Fate::Lost } else { Fate::Arrives }
        };
        let config = Config { congestion: Algorithm::BBR, ..large() };
        let mut story = Story::new(way, &config, millis(20), rule).with_queue(1_250_000, 200);
        story.transfer(8 << 20);
        let ambient = story.facts(0).ambient;
        match ambient.last() {
            None => assert!(share == 0.0, "of {share} it should have been told"),
            Some(last) => assert!(share > 0.0 && (10..=25).contains(last), "{share}: {ambient:?}"),
        }
    }
}
