//! A SYN flood from ever new addresses against a stack that serves a bulk transfer and new clients.
//!
//! ```text
//!   client stack ──────── frames ────────┐
//!     bulk download, new connections     ├── server stack: one listener with a short queue
//!   flood: 20,000 SYNs a second, each ───┘
//!     from another address, answers go nowhere
//! ```
//!
//! In virtual time: 8,000 SYNs, four tenths of a second. `scripts/flood` does it in real time, on a TAP.

use etherparse::{PacketBuilder, TcpHeader};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;
use strata::event::TcpState;
use strata::frame::{Offload, Received};
use strata::stack::{self, ListenerId, Stack, TcpId};
use strata::tcp::Config;
use strata::time::Instant;

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const BACKLOG: usize = 128;
const SYNS: u64 = 8000;
/// SYNs a second.
const RATE: u64 = 20_000;
/// A turn in virtual time, and how many frames the link takes in it each way: about 460 Mbit/s.
const TURN: Duration = Duration::from_micros(50);
const FRAMES: usize = 2;
/// A new client comes that often, and has so long to get in.
const CLIENTS: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(1);

struct World {
    now: Instant,
    server: Stack,
    client: Stack,
    listener: ListenerId,
    /// Both ends of the download.
    sender: TcpId,
    receiver: TcpId,
    received: u64,
    /// Connections on trial, and since when.
    trials: VecDeque<(TcpId, Instant)>,
    let_in: u32,
    refused: u32,
    answers: u64,
}

/// What a stretch of time brought.
#[derive(Debug)]
struct Stretch {
    /// Bytes a second.
    rate: f64,
    let_in: u32,
    refused: u32,
    syns: u64,
    answers: u64,
    most_connections: usize,
    most_memory: usize,
    /// How much the process has grown, in KiB.
    growth: i64,
}

fn host(address: &str, mac: [u8; 6]) -> stack::Config {
    let gateway = (mac == SERVER_MAC).then_some(CLIENT.into());
    stack::Config {
        mac,
        addresses: vec![format!("{address}/24").parse().expect("a prefix")],
        gateway,
        ..stack::Config::default()
    }
}

impl World {
    fn new() -> World {
        let now = Instant::from_secs(1000);
        let mut server = Stack::new(host("192.0.2.2", SERVER_MAC), 1);
        let mut client = Stack::new(host("192.0.2.1", CLIENT_MAC), 2);
        server.start(now);
        client.start(now);
        let listener = server.tcp_listen((SERVER, 80).into(), BACKLOG, Config::default()).expect("a free port");
        let receiver = client.tcp_connect(now, (SERVER, 80).into(), None, Config::default()).expect("a free port");
        let mut world = World {
            now,
            server,
            client,
            listener,
            sender: TcpId::default(),
            receiver,
            received: 0,
            trials: VecDeque::new(),
            let_in: 0,
            refused: 0,
            answers: 0,
        };
        world.sender = loop {
            world.pump();
            if let Some(sender) = world.server.tcp_accept(listener) {
                break sender;
            }
        };
        world
    }

    /// Time goes on a little; frames and data move.
    fn pump(&mut self) {
        self.now += TURN;
        let now = self.now;
        for stack in [&mut self.server, &mut self.client] {
            if stack.next_deadline().is_some_and(|at| at <= now) {
                stack.handle_timeout(now);
            }
        }
        for _ in 0..FRAMES {
            let Some(frame) = self.client.poll_transmit(now) else { break };
            self.server.handle_frame(now, Received { bytes: &frame.to_vec(), offload: Offload::default() });
        }
        let mut room = FRAMES;
        while room > 0 {
            let Some(frame) = self.server.poll_transmit(now) else { break };
            let bytes = frame.to_vec();
            // Answers to the flood go to nobody, and take no room on the link.
            if bytes[12..14] == [8, 0] && bytes[30..34] != CLIENT.octets() {
                self.answers += 1;
            } else {
                self.client.handle_frame(now, Received { bytes: &bytes, offload: Offload::default() });
                room -= 1;
            }
        }
        self.applications();
    }

    fn applications(&mut self) {
        static DATA: [u8; 65_536] = [7; 65_536];
        let mut into = [0; 65_536];
        if self.sender != TcpId::default() {
            let _would_block = self.server.tcp_send(self.now, self.sender, &DATA);
            while let Ok(len @ 1..) = self.client.tcp_receive(self.receiver, &mut into) {
                self.received += len as u64;
            }
            while let Some(id) = self.server.tcp_accept(self.listener) {
                self.server.tcp_close(self.now, id);
            }
        }
    }

    fn try_to_connect(&mut self) {
        let config = Config { time_wait: Duration::from_secs(1), ..Config::default() };
        if let Ok(id) = self.client.tcp_connect(self.now, (SERVER, 80).into(), None, config) {
            self.trials.push_back((id, self.now));
        }
    }

    fn judge_trials(&mut self) {
        while let Some((id, since)) = self.trials.front().copied() {
            let state = self.client.tcp_status(id).state;
            let is_in = !matches!(state, TcpState::SynSent | TcpState::Closed);
            if !is_in && self.now.since(since) < PATIENCE && state != TcpState::Closed {
                return;
            }
            *(if is_in { &mut self.let_in } else { &mut self.refused }) += 1;
            self.client.tcp_close(self.now, id);
            self.trials.pop_front();
        }
    }

    /// `syns` of them at `rate` a second; without, the same time in peace.
    fn stretch(&mut self, syns: u64, flooded: bool) -> Stretch {
        let (began, received, answers) = (self.now, self.received, self.answers);
        let (let_in, refused, resident) = (self.let_in, self.refused, resident());
        let (mut sent, mut next_client) = (0, self.now);
        let (mut most_connections, mut most_memory) = (0, 0);
        let span = Duration::from_micros(syns * 1_000_000 / RATE);
        while self.now.since(began) < span {
            let due = (self.now.since(began).as_micros() as u64 * RATE / 1_000_000).min(syns);
            while flooded && sent < due {
                let bytes = syn(sent);
                self.server.handle_frame(self.now, Received { bytes: &bytes, offload: Offload::default() });
                sent += 1;
            }
            if self.now >= next_client {
                next_client = self.now + CLIENTS;
                self.try_to_connect();
            }
            self.pump();
            self.judge_trials();
            let usage = self.server.tcp_usage();
            (most_connections, most_memory) = (most_connections.max(usage.connections), most_memory.max(usage.memory));
        }
        Stretch {
            rate: (self.received - received) as f64 / self.now.since(began).as_secs_f64(),
            let_in: self.let_in - let_in,
            refused: self.refused - refused,
            syns: sent,
            answers: self.answers - answers,
            most_connections,
            most_memory,
            growth: self::resident() - resident,
        }
    }
}

/// The SYN number `number`: no two come from the same address.
fn syn(number: u64) -> Vec<u8> {
    let number = number as u32;
    let source = Ipv4Addr::from(0x0a00_0000 | number.wrapping_mul(0x9e_3779) & 0xff_ffff);
    let mut tcp = TcpHeader::new(1024 + (number % 60_000) as u16, 80, number.wrapping_mul(0x0101_0101), 65_535);
    tcp.syn = true;
    let stamp = number.to_be_bytes();
    let options = [&[2, 4, 5, 0xb4, 4, 2, 8, 10][..], &stamp, &[0, 0, 0, 0, 1, 3, 3, 7]].concat();
    tcp.set_options_raw(&options).expect("twenty bytes");
    let packet = PacketBuilder::ethernet2(CLIENT_MAC, SERVER_MAC).ipv4(source.octets(), SERVER.octets(), 64);
    let mut bytes = Vec::new();
    packet.tcp_header(tcp).write(&mut bytes, &[]).expect("a vector takes everything");
    bytes
}

/// What the process holds of memory, in KiB.
fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok()).unwrap_or(0) * 4
}

#[test]
fn a_syn_flood_takes_no_memory_and_shuts_nobody_out() {
    let mut world = World::new();
    // The transfer comes up to its rate, buffers to their size.
    world.stretch(SYNS, false);
    let peace = world.stretch(SYNS, false);
    let flood = world.stretch(SYNS, true);
    println!("in peace:        {peace:?}");
    println!("under the flood: {flood:?}");
    println!("the transfer keeps {:.0} % of its rate", 100.0 * flood.rate / peace.rate);
    assert!(flood.syns >= SYNS * 99 / 100 && flood.answers > flood.syns / 2, "cookies answer");
    let counts = world.server.tcp_handshakes();
    assert!(counts.opened >= BACKLOG as u64 && counts.cookies_sent >= flood.syns - BACKLOG as u64, "{counts:?}");
    // The last ACK may be under way.
    assert!(counts.cookies_received + 1 >= u64::from(flood.let_in), "{counts:?}");
    assert_eq!(counts.cookies_failed + counts.accept_queue_overflows + counts.too_many_connections, 0, "{counts:?}");
    assert!(flood.rate >= 0.8 * peace.rate, "the transfer goes on");
    assert!(flood.let_in >= peace.let_in.min(5) && flood.refused == 0, "new clients get in");
    assert!(flood.most_connections <= BACKLOG + 50, "half-open connections are bounded");
    assert!(flood.most_memory <= peace.most_memory + (1 << 20), "so are buffers");
    assert!(flood.growth < 8 * 1024, "and all the rest");
}
