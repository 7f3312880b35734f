//! Two hosts, what they want from each other, and the frames between them that nobody has decided about yet.

use crate::way::{Sent, Way};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use strata::event::CloseReason;
use strata::stack::{self, ListenerId, Stack, TcpId};
use strata::tcp;
use strata::time::Instant;

/// RFC 9293 §3.4.1: no segment lives longer in the network. Without that assumption no TCP is right.
const MAXIMUM_SEGMENT_LIFETIME: Duration = Duration::from_secs(30);

/// A frame takes at least so long.
const TRAVEL: Duration = Duration::from_millis(1);

/// Every segment of data is full with so many bytes.
pub const SEGMENT: usize = 100;

/// What the two applications do.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    pub name: &'static str,
    /// Both open actively, towards each other.
    pub both_connect: bool,
    /// How many segments of data each host has for the other, the one that connects first.
    pub segments: [usize; 2],
    /// Does a host wait for the end of the other's data before it sends its own and closes?
    pub waits: [bool; 2],
    /// What the hosts leave to their devices.
    pub way: Way,
}

/// What may still go wrong on a path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Budget {
    pub losses: u8,
    pub duplicates: u8,
    /// How often time passes although frames are under way, so that they arrive after the timers that waited for them.
    pub delays: u8,
}

/// One thing that happens. Hosts are 0 and 1, frames are counted in the order of [`World::choices`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Deliver {
        frame: usize,
    },
    /// It arrives, and a copy of it is still under way.
    Duplicate {
        frame: usize,
    },
    Lose {
        frame: usize,
    },
    /// Nothing arrives until the next timer.
    Wait,
}

/// A frame under way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Frame {
    to: usize,
    content: Sent,
    sent: Instant,
}

struct Host {
    stack: Stack,
    listener: Option<ListenerId>,
    connection: Option<TcpId>,
    unsent: Vec<u8>,
    received: Vec<u8>,
    ended: bool,
    shut: bool,
    /// Each host has its own time, which a frame that arrives moves to a moment after it was sent. So it makes no
    /// difference in which order things happen to different hosts, as long as they do not hear of each other.
    now: Instant,
    /// Everything that has ever reached this host, with its time. The stack is deterministic: equal histories, equal
    /// states.
    history: DefaultHasher,
}

/// The whole state of an exchange.
pub struct World {
    exchange: Exchange,
    hosts: [Host; 2],
    frames: Vec<Frame>,
    budget: Budget,
}

impl World {
    /// Both hosts know each other's hardware address, and have been told to open.
    pub fn new(exchange: Exchange, budget: Budget) -> World {
        let hosts = [0, 1].map(|index| Host::new(index, &exchange));
        let mut world = World { exchange, hosts, frames: Vec::new(), budget };
        for host in &mut world.hosts {
            host.stack.start(host.now);
        }
        world.learn_neighbours();
        let config = config();
        for index in [1, 0] {
            let host = &mut world.hosts[index];
            let now = host.now;
            if exchange.both_connect || index == 0 {
                let local = exchange.both_connect.then(|| address(index));
                let opened = host.stack.tcp_connect(now, address(1 - index), local, config.clone());
                host.connection = Some(opened.expect("a route to the other host"));
            } else {
                host.listener = Some(host.stack.tcp_listen(address(index), 4, config.clone()).expect("a free port"));
            }
        }
        world.settle(0);
        world.settle(1);
        world
    }

    /// A ping each way, so that the exchange itself is TCP's alone.
    fn learn_neighbours(&mut self) {
        let host = &mut self.hosts[0];
        let ping = host.stack.ping_open();
        host.stack.ping_send(host.now, ping, address(1).ip(), 1, b"", 64).expect("a route to the other host");
        self.settle(0);
        self.settle(1);
        while let Some(frame) = self.frames.pop() {
            self.arrive(&frame);
        }
        self.hosts[0].stack.ping_close(ping);
    }

    /// Everything that can happen now. Equal frames are told apart by nobody, and count once.
    pub fn choices(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (frame, it) in self.frames.iter().enumerate() {
            if frame > 0 && self.frames[frame - 1] == *it {
                continue;
            }
            steps.push(Step::Deliver { frame });
            if self.budget.duplicates > 0 {
                steps.push(Step::Duplicate { frame });
            }
            if self.budget.losses > 0 {
                steps.push(Step::Lose { frame });
            }
        }
        let next = self.next_deadline();
        let all_live = |next| self.frames.iter().all(|frame| next < frame.sent + MAXIMUM_SEGMENT_LIFETIME);
        if next.is_some_and(|next| self.frames.is_empty() || self.budget.delays > 0 && all_live(next)) {
            steps.push(Step::Wait);
        }
        steps
    }

    pub fn take(&mut self, step: Step) {
        match step {
            Step::Deliver { frame } => {
                let frame = self.frames.remove(frame);
                self.arrive(&frame);
            }
            Step::Duplicate { frame } => {
                self.budget.duplicates -= 1;
                let frame = self.frames[frame].clone();
                self.arrive(&frame);
            }
            Step::Lose { frame } => {
                self.budget.losses -= 1;
                self.frames.remove(frame);
            }
            Step::Wait => {
                self.budget.delays -= u8::from(!self.frames.is_empty());
                self.wait();
            }
        }
    }

    /// A name for this state: two paths that every host has seen alike, with the same frames under way, are one.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let histories = self.hosts.each_ref().map(|host| host.history.finish());
        (histories, &self.frames, self.hosts.each_ref().map(|host| host.now), self.budget).hash(&mut hasher);
        hasher.finish()
    }

    /// Nothing is under way and both ends of the connection are gone.
    pub fn is_over(&self) -> bool {
        self.frames.is_empty() && self.hosts.iter().all(|host| host.closed().is_some())
    }

    /// What must be true at every moment: what was read is what was written, as far as it goes.
    pub fn check(&self) -> Result<(), String> {
        for (index, host) in self.hosts.iter().enumerate() {
            let written = data(1 - index, self.exchange.segments[1 - index]);
            if !written.starts_with(&host.received) {
                return Err(format!(
                    "host {index} read {:?}, which is no beginning of what was written",
                    host.received
                ));
            }
            if host.ended && host.received.len() < written.len() {
                return Err(format!("host {index} was told of the end after {} bytes", host.received.len()));
            }
        }
        Ok(())
    }

    /// What must be true when all is over: everything arrived, both ends know it, and nothing moves any more.
    pub fn check_rest(&mut self) -> Result<(), String> {
        for (index, host) in self.hosts.iter().enumerate() {
            let missing = self.exchange.segments[1 - index] * SEGMENT - host.received.len();
            if missing > 0 || !host.ended {
                return Err(format!("host {index} misses {missing} bytes, end of stream: {}", host.ended));
            }
            if host.closed() != Some(CloseReason::Finished) {
                return Err(format!("host {index} ended as {:?}", host.closed()));
            }
        }
        // Half-open connections that old duplicates brought about go as well.
        let end = self.hosts[0].now.max(self.hosts[1].now) + Duration::from_secs(600);
        while self.next_deadline().is_some_and(|next| next <= end) {
            self.wait();
            while let Some(frame) = self.frames.pop() {
                self.arrive(&frame);
            }
        }
        match self.hosts.each_ref().map(|host| host.stack.tcp_unfinished()) {
            [0, 0] => Ok(()),
            left => Err(format!("ten minutes later {left:?} connections are not over")),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.hosts.iter().filter_map(|host| host.stack.next_deadline()).min()
    }

    fn wait(&mut self) {
        let next = self.next_deadline().expect("a choice only while there is one");
        for index in [0, 1] {
            self.advance(index, next);
        }
    }

    /// A host's time passes, and what is due happens.
    fn advance(&mut self, index: usize, to: Instant) {
        let host = &mut self.hosts[index];
        host.now = host.now.max(to);
        if host.stack.next_deadline().is_some_and(|deadline| deadline <= host.now) {
            host.now.hash(&mut host.history);
            host.stack.handle_timeout(host.now);
            self.settle(index);
        }
    }

    fn arrive(&mut self, frame: &Frame) {
        self.advance(frame.to, frame.sent + TRAVEL);
        let host = &mut self.hosts[frame.to];
        (host.now, &frame.content).hash(&mut host.history);
        self.exchange.way.take_off_wire(host.now, [&frame.content], &mut host.stack);
        self.settle(frame.to);
    }

    /// The application of a host does what it can, and what the stack sends is under way.
    fn settle(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        host.act(self.exchange.waits[index]);
        while let Some(frame) = host.stack.poll_transmit(host.now) {
            let contents = self.exchange.way.put_on_wire(&frame).into_iter();
            self.frames.extend(contents.map(|content| Frame { to: 1 - index, content, sent: host.now }));
        }
        // ARP is not what is looked at here: it arrives at once.
        while let Some(at) = self.frames.iter().position(|frame| frame.content.0[12..14] == [0x08, 0x06]) {
            let frame = self.frames.remove(at);
            self.arrive(&frame);
        }
        self.frames.sort();
    }

    /// For the report of a failure.
    pub fn describe(&self) -> String {
        let mut states = BTreeMap::new();
        for (index, host) in self.hosts.iter().enumerate() {
            let status = host.connection.map(|id| host.stack.tcp_status(id));
            states.insert(index, (host.now, status, host.received.len(), host.stack.next_deadline()));
        }
        format!("{} frames under way, {states:?}", self.frames.len())
    }
}

impl Host {
    fn new(index: usize, exchange: &Exchange) -> Host {
        let address = address(index).ip();
        let config = stack::Config {
            mac: [2, 0, 0, 0, 0, index as u8 + 1],
            addresses: vec![ipnet::IpNet::new(address, 24).expect("a prefix")],
            ..stack::Config::default()
        };
        Host {
            stack: Stack::new(exchange.way.config(config), 7 + index as u64),
            listener: None,
            connection: None,
            unsent: data(index, exchange.segments[index]),
            received: Vec::new(),
            ended: false,
            shut: false,
            now: Instant::from_secs(1),
            history: DefaultHasher::new(),
        }
    }

    fn closed(&self) -> Option<CloseReason> {
        self.connection.and_then(|id| self.stack.tcp_status(id).closed)
    }

    fn act(&mut self, waits: bool) {
        let now = self.now;
        if self.connection.is_none() {
            self.connection = self.listener.and_then(|listener| self.stack.tcp_accept(listener));
        }
        let Some(id) = self.connection else { return };
        let mut buffer = [0; 1000];
        while let Ok(len) = self.stack.tcp_receive(id, &mut buffer) {
            self.received.extend_from_slice(&buffer[..len]);
            if len == 0 {
                self.ended = true;
                break;
            }
        }
        if waits && !self.ended {
            return;
        }
        while !self.unsent.is_empty()
            && let Ok(len) = self.stack.tcp_send(now, id, &self.unsent)
        {
            self.unsent.drain(..len);
        }
        if self.unsent.is_empty() && !self.shut && self.stack.tcp_status(id).established {
            self.stack.tcp_shutdown(now, id);
            self.shut = true;
        }
    }
}

fn config() -> tcp::Config {
    // Without timestamps a segment carries exactly what is said above; the options of SYNs are all there.
    tcp::Config { mss: Some(SEGMENT as u16), timestamps: false, ..tcp::Config::default() }
}

fn address(index: usize) -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, index as u8 + 1), 80).into()
}

/// No byte equals the ones around it, nor those of the other host.
fn data(index: usize, segments: usize) -> Vec<u8> {
    (0..segments * SEGMENT).map(|at| (at * 2 + index) as u8 ^ (at / 128) as u8).collect()
}
