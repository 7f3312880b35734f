//! A server with any number of connections, and the client at the other end of all of them, in one process and in
//! virtual time. Frames take five milliseconds each way.

#![allow(dead_code, reason = "each program uses its own part")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use strata::frame::{Offload, Received};
use strata::stack::{Config, ListenerId, Stack, TcpId};
use strata::tcp;
use strata::time::Instant;

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const PORT: u16 = 80;
const DELAY: Duration = Duration::from_millis(5);
/// So many are opened at a time: each finds a place in the server's queues.
const BATCH: usize = 250;
const FIRST_PORT: usize = 10_000;
const PORTS: usize = 50_000;

pub struct Crowd {
    pub client: Stack,
    pub server: Stack,
    pub now: Instant,
    listener: ListenerId,
    /// The two ends of each connection.
    pub connections: Vec<(TcpId, TcpId)>,
    /// How many have come and gone.
    churned: usize,
}

impl Crowd {
    /// Room for `count` connections.
    pub fn new(count: usize) -> Crowd {
        Crowd::with(count, |_| {})
    }

    pub fn with(count: usize, change: impl Fn(&mut Config)) -> Crowd {
        let host = |last: u8, addresses: Vec<Ipv4Addr>| {
            let addresses = addresses.iter().map(|address| format!("{address}/8").parse().expect("a prefix")).collect();
            let mut config =
                Config { mac: [2, 0, 0, 0, 0, last], addresses, connection_limit: count + BATCH, ..Config::default() };
            change(&mut config);
            Stack::new(config, last.into())
        };
        let clients = (0..=count / PORTS).map(client_address).collect();
        let (mut client, mut server) = (host(2, clients), host(1, vec![Ipv4Addr::new(10, 0, 0, 1)]));
        let now = Instant::from_secs(1_000_000_000);
        client.start(now);
        server.start(now);
        let config = server.config().tcp.clone();
        let listener = server.tcp_listen((SERVER, PORT).into(), BATCH, config).expect("a free port");
        let mut crowd = Crowd { client, server, now, listener, connections: Vec::with_capacity(count), churned: 0 };
        crowd.carry();
        crowd
    }

    /// Opens connections until there are `count`.
    pub fn open(&mut self, count: usize) {
        while self.connections.len() < count {
            let first = self.connections.len();
            let end = count.min(first + batch(first));
            let opened: Vec<TcpId> = (first..end).map(|number| self.connect(number)).collect();
            self.carry();
            for client in opened {
                let server = self.server.tcp_accept(self.listener).expect("its handshake is over");
                self.connections.push((client, server));
            }
            self.rest(Duration::from_millis(1));
        }
    }

    /// Opens, asks and closes connections, the client first, until there have been `count`; none of them stays.
    pub fn churn(&mut self, count: usize) {
        while self.churned < count {
            let first = self.churned;
            self.churned = count.min(first + batch(first));
            let opened: Vec<TcpId> = (first..self.churned).map(|number| self.connect(number)).collect();
            self.carry();
            self.connections.clear();
            for client in opened {
                let server = self.server.tcp_accept(self.listener).expect("its handshake is over");
                self.connections.push((client, server));
            }
            self.ask(0..self.connections.len());
            for at in 0..self.connections.len() {
                self.client.tcp_close(self.now, self.connections[at].0);
            }
            self.carry();
            for at in 0..self.connections.len() {
                self.server.tcp_close(self.now, self.connections[at].1);
            }
            self.carry();
        }
    }

    fn connect(&mut self, number: usize) -> TcpId {
        let local: SocketAddr = (client_address(number / PORTS), (FIRST_PORT + number % PORTS) as u16).into();
        let config: tcp::Config = self.client.config().tcp.clone();
        self.client.tcp_connect(self.now, (SERVER, PORT).into(), Some(local), config).expect("a free port")
    }

    /// A request and its answer on each of these connections.
    pub fn ask(&mut self, which: std::ops::Range<usize>) {
        for at in which.clone() {
            let (client, _) = self.connections[at];
            assert_eq!(self.client.tcp_send(self.now, client, &[b'q'; 120]), Ok(120));
        }
        self.carry();
        let mut into = [0; 2000];
        for at in which.clone() {
            let (_, server) = self.connections[at];
            assert_eq!(self.server.tcp_receive(server, &mut into), Ok(120), "connection {at}");
            assert_eq!(self.server.tcp_send(self.now, server, &[b'a'; 1100]), Ok(1100));
        }
        self.carry();
        for at in which {
            let (client, _) = self.connections[at];
            assert_eq!(self.client.tcp_receive(client, &mut into), Ok(1100), "connection {at}");
        }
    }

    /// Carries frames to and fro until neither side has any.
    pub fn carry(&mut self) {
        loop {
            let requests = frames(&mut self.client, self.now);
            let answers = frames(&mut self.server, self.now);
            if requests.is_empty() && answers.is_empty() {
                break;
            }
            self.pass(DELAY);
            requests.iter().for_each(|bytes| self.server.handle_frame(self.now, received(bytes)));
            answers.iter().for_each(|bytes| self.client.handle_frame(self.now, received(bytes)));
        }
        while self.client.poll_wakeup().is_some() || self.server.poll_wakeup().is_some() {}
    }

    /// Time passes and nobody does anything.
    pub fn rest(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = [self.client.next_deadline(), self.server.next_deadline()].into_iter().flatten().min()
            && next <= end
        {
            self.now = self.now.max(next);
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.carry();
        }
        self.now = end.max(self.now);
    }

    /// Only the clock moves on; timers that are due fire.
    fn pass(&mut self, span: Duration) {
        self.now += span;
        for stack in [&mut self.client, &mut self.server] {
            if stack.next_deadline().is_some_and(|at| at <= self.now) {
                stack.handle_timeout(self.now);
            }
        }
    }
}

/// How many to open after so many. The first of an address goes alone: little waits for a neighbour that is unknown.
fn batch(opened: usize) -> usize {
    if opened.is_multiple_of(PORTS) { 1 } else { BATCH.min(PORTS - opened % PORTS) }
}

fn client_address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, (number >> 8) as u8, number as u8)
}

fn frames(stack: &mut Stack, now: Instant) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| stack.poll_transmit(now)).map(|frame| frame.to_vec()).collect()
}

fn received(bytes: &[u8]) -> Received<'_> {
    Received { bytes, offload: Offload::default() }
}
