//! Segments that make almost sense, against a connection in either role, mixed with calls of its application.
//!
//! The peer is played by hand, so that its segments can lie anywhere around the window. Whatever it does, our right
//! edge never moves left, our acknowledgements cover nothing that was never sent, our checksums are right, and the
//! application reads the peer's stream and nothing else.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use strata::frame::{Offload, Received};
use strata::stack::{Config, ListenerId, Stack, TcpId};
use strata::tcp::{Config as TcpConfig, Keepalive};
use strata::time::Instant;
use strata::wire::checksum::Sum;
use strata::wire::tcp::{CHECKSUM, Flags, Header};
use strata::wire::tcp_options::{Options, Timestamps};

const OURS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 80);
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40000);
const ETHERNET: [u8; 14] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
const ARP_REPLY: [u8; 42] = [
    2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 2, 0, 0, 0, 0, 2,
    192, 0, 2, 2,
];

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
}

struct Story {
    stack: Stack,
    now: Instant,
    listener: Option<ListenerId>,
    socket: Option<TcpId>,
    /// The peer's ISN, and what it has seen of us.
    irs: u32,
    seen_seq: u32,
    seen_ack: u32,
    window: u32,
    /// Counted from the peer's ISN: our right edge, and the furthest that the peer has sent.
    edge: Option<u64>,
    sent: u64,
    scale: u8,
    timestamps: bool,
    read: u64,
    /// The connection was reset, or another one began in its place: its bytes can no longer be told apart.
    over: bool,
}

/// The target.
pub fn segments(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (Some(setup), Some(place)) = (bytes.next(), bytes.next()) else { return };
    let mut story = Story::new(setup, place);
    while let Some(step) = bytes.next().filter(|_| !story.over) {
        let (a, b) = (bytes.next().unwrap_or(0), bytes.next().unwrap_or(0));
        story.step(step, a, b);
        story.collect();
    }
}

impl Story {
    fn new(setup: u8, place: u8) -> Story {
        let now = Instant::from_secs(1000 + u64::from(place));
        let mut stack = Stack::new(Config::default(), u64::from(place));
        stack.start(now);
        let keepalive = Keepalive { enabled: setup & 1 != 0, ..Keepalive::default() };
        let config = TcpConfig {
            nagle: setup & 2 != 0,
            timestamps: setup & 4 != 0,
            sack: setup & 8 != 0,
            window_scale: (setup & 16 != 0).then_some(7),
            receive_buffer: if setup & 32 != 0 { 3000 } else { 200_000 },
            keepalive,
            ..TcpConfig::default()
        };
        let (listener, socket) = if setup & 64 != 0 {
            (None, Some(stack.tcp_connect(now, PEER, Some(OURS), config).expect("a route")))
        } else {
            (Some(stack.tcp_listen(OURS, 4, config).expect("a free port")), None)
        };
        // Just before a wrap, as often as not.
        let irs = [0, 0x7fff_ff00, 0xffff_ff00, 77][usize::from(place & 3)];
        let mut story = Story {
            stack,
            now,
            listener,
            socket,
            irs,
            seen_seq: 0,
            seen_ack: irs,
            window: 0,
            edge: None,
            sent: 0,
            scale: 0,
            timestamps: false,
            read: 0,
            over: false,
        };
        story.deliver(&ARP_REPLY);
        story.collect();
        story
    }

    fn step(&mut self, step: u8, a: u8, b: u8) {
        match step % 8 {
            0..=3 => self.segment(step, a, b),
            4 => self.wait(Duration::from_millis(u64::from(a) * u64::from(b))),
            5 => self.call(a, b),
            6 => self.orderly(a, b),
            _ => self.icmp(a, b),
        }
    }

    /// Anything at all, around the window.
    fn segment(&mut self, step: u8, a: u8, b: u8) {
        let near = [self.irs, self.seen_ack, self.seen_ack.wrapping_add(self.window), self.seen_ack.wrapping_sub(1)];
        let seq = near[usize::from(a & 3)].wrapping_add_signed(i32::from(a as i8 >> 2));
        let ack = self.seen_seq.wrapping_add_signed([0, 1, -1, i32::from(b as i8)][usize::from(step >> 3 & 3)]);
        let flags = Flags::from_bits(u16::from(b) & 0x3f | if step & 4 == 0 { 0x10 } else { 0 });
        let len = [0, 1, 100, 1460][usize::from(step >> 5 & 3)];
        self.send(seq, ack, flags, len, u16::from(b) << 6);
    }

    /// What a well-behaved peer would send next.
    fn orderly(&mut self, a: u8, b: u8) {
        if self.edge.is_none() {
            let flags = if self.seen_seq == 0 { Flags::SYN } else { Flags::SYN | Flags::ACK };
            return self.send(self.irs, self.seen_seq, flags, 0, 60_000);
        }
        let flags = if a & 0x80 != 0 { Flags::ACK | Flags::FIN } else { Flags::ACK };
        self.send(self.seen_ack, self.seen_seq, flags, usize::from(a & 0x7f) * 10, u16::from(b) << 8);
    }

    fn send(&mut self, seq: u32, ack: u32, flags: Flags, len: usize, window: u16) {
        let mut options = Options::default();
        if flags.syn() {
            options = Options { mss: Some(1460), window_scale: Some(2), sack_permitted: true, ..options };
        }
        if flags.syn() || self.timestamps {
            let value = self.now.as_millis() as u32;
            options.timestamps = Some(Timestamps { value, echo: value });
        }
        if flags.syn() && !flags.rst() && self.edge.is_none() {
            // If this one is taken, the stream begins here.
            (self.irs, self.sent) = (seq, 0);
        }
        // Each byte is a function of its sequence number, so that retransmissions agree.
        let data: Vec<u8> = (0..len as u32).map(|i| pattern(seq.wrapping_add(i + u32::from(flags.syn())))).collect();
        let flagged = i64::from(flags.syn()) + i64::from(flags.fin());
        let end = i64::from(seq.wrapping_sub(self.irs) as i32) + len as i64 + flagged;
        self.sent = self.sent.max(u64::try_from(end).unwrap_or(0));
        let header = Header {
            source_port: PEER.port(),
            destination_port: OURS.port(),
            seq,
            ack,
            flags,
            window,
            urgent: if flags.urg() { window } else { 0 },
            options,
        };
        let sum = Sum::pseudo_header(PEER.ip(), OURS.ip(), 6, header.len() + len);
        let segment = header.emit(|bytes| {
            let checksum = sum.plus(bytes).plus(&data).checksum();
            bytes[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
            [&*bytes, &data].concat()
        });
        self.packet(6, &segment);
    }

    fn icmp(&mut self, a: u8, b: u8) {
        let mut message =
            vec![3, b % 16, 0, 0, 0, 0, a, b, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1];
        message.extend_from_slice(&OURS.port().to_be_bytes());
        message.extend_from_slice(&PEER.port().to_be_bytes());
        message.extend_from_slice(&self.seen_seq.wrapping_sub(u32::from(a)).to_be_bytes());
        let sum = Sum::default().plus(&message[8..28]).checksum();
        message[18..20].copy_from_slice(&sum.to_be_bytes());
        let sum = Sum::default().plus(&message).checksum();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        self.packet(1, &message);
    }

    fn packet(&mut self, protocol: u8, payload: &[u8]) {
        let mut header = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        header[2..4].copy_from_slice(&((20 + payload.len()) as u16).to_be_bytes());
        let sum = Sum::default().plus(&header).checksum();
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        self.deliver(&[&ETHERNET[..], &header, payload].concat());
    }

    fn deliver(&mut self, frame: &[u8]) {
        self.stack.handle_frame(self.now, Received { bytes: frame, offload: Offload::default() });
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.stack.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.stack.handle_timeout(self.now);
            self.collect();
        }
        self.now = end;
    }

    /// The application does something.
    fn call(&mut self, a: u8, b: u8) {
        if let Some(listener) = self.listener
            && self.socket.is_none()
        {
            self.socket = self.stack.tcp_accept(listener);
        }
        let Some(id) = self.socket else { return };
        match a % 6 {
            0 | 1 => drop(self.stack.tcp_send(self.now, id, &vec![b; usize::from(b) * 40])),
            2 | 3 => self.read(id, usize::from(b) * 40),
            4 => self.stack.tcp_shutdown(self.now, id),
            _ if b & 1 == 0 => {
                self.stack.tcp_close(self.now, id);
                self.socket = None;
                self.listener = None;
            }
            _ => drop(self.stack.tcp_send_urgent(self.now, id, &[b])),
        }
    }

    fn read(&mut self, id: TcpId, len: usize) {
        let mut into = vec![0; len];
        if let Ok(len) = self.stack.tcp_receive(id, &mut into) {
            for byte in &into[..len] {
                self.read += 1;
                let seq = self.irs.wrapping_add(self.read as u32);
                assert_eq!(*byte, pattern(seq), "byte {} of the stream", self.read);
            }
        }
    }

    /// What the stack sends: looked at, and remembered by the peer.
    fn collect(&mut self) {
        let mut count = 0;
        while let Some(frame) = self.stack.poll_transmit(self.now) {
            count += 1;
            assert!(count < 2000, "one event must not set off a flood");
            let bytes = frame.to_vec();
            if bytes[12..14] == [8, 6] {
                self.deliver(&ARP_REPLY);
            } else if bytes[23] == 6 {
                self.look_at(&bytes[34..]);
            }
        }
        while self.stack.poll_wakeup().is_some() {}
    }

    fn look_at(&mut self, segment: &[u8]) {
        let sum = Sum::pseudo_header(OURS.ip(), PEER.ip(), 6, segment.len()).plus(segment);
        assert!(sum.is_good(), "every checksum that we send is right");
        let (header, data) = Header::parse(segment).expect("what we send parses");
        if header.flags.rst() {
            self.over = self.edge.is_some();
            return;
        }
        let len = data.len() as u32 + u32::from(header.flags.syn()) + u32::from(header.flags.fin());
        self.seen_seq = header.seq.wrapping_add(len);
        if header.flags.syn() {
            (self.scale, self.timestamps) =
                (header.options.window_scale.unwrap_or(0), header.options.timestamps.is_some());
            if header.flags.ack() && header.ack.wrapping_sub(1) != self.irs {
                self.over = self.socket.is_some() || self.edge.is_some();
                (self.irs, self.sent) = (header.ack.wrapping_sub(1), 1);
            }
            self.edge = None;
        }
        if !header.flags.ack() || self.over {
            return;
        }
        let acknowledged = u64::from(header.ack.wrapping_sub(self.irs));
        assert!(acknowledged <= self.sent.max(1), "{acknowledged} acknowledged of {} sent", self.sent);
        let scale = if header.flags.syn() { 0 } else { self.scale };
        self.window = u32::from(header.window) << scale;
        let edge = acknowledged + u64::from(self.window);
        assert!(self.edge.is_none_or(|before| edge >= before), "the right edge moved left: {:?} -> {edge}", self.edge);
        (self.edge, self.seen_ack) = (Some(edge), header.ack);
    }
}

/// The peer's byte with a sequence number.
fn pattern(seq: u32) -> u8 {
    (seq.wrapping_mul(0x9e37_79b9) >> 24) as u8
}
