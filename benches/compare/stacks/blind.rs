//! The limit of the path: a responder that keeps no state worth the name.
//!
//! It answers ARP, and every TCP segment and datagram by what stands in it: no timer, no options but MSS and window
//! scale, nothing checked. Only where it sends by itself it remembers how far it has got, and where the client has lost
//! something it sends everything from there again. What a frame costs here is what the path costs; a real stack can
//! approach it.
//!
//! It sends the same bytes over and over, and looks at none. An application that reads and writes has bytes of its own, and
//! any stack must copy them once, into its send buffer or out of its frames. With that copy, and nothing else, it shows
//! how much of the distance between a stack and the limit no stack could save.
//!
//! Its frames have up to 64 KiB. Where the TAP takes longer ones it shows with those what they alone are worth.

use super::Served;
use crate::memory::Memory;
use crate::support::client::{REQUEST, port, response, written};
use crate::support::server::on_a_thread;
use crate::support::{CLIENT, SERVER};
use crate::workload::{Task, Workload};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io::{IoSlice, IoSliceMut};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use strata::runtime::sandbox::{self, LinkRequest};
use strata::wire::checksum::Sum;

const VIRTIO: usize = 10;
const IP: usize = 14;
const TRANSPORT: usize = IP + 20;
const TCP: u8 = 6;
const UDP: u8 = 17;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const MSS: usize = 1460;
/// As many full segments as one frame holds, and as one that does not say how long it is.
const SUPER_FRAME: usize = 44 * MSS;
const BIG_TCP: usize = 179 * MSS;
/// Our window, scaled by seven.
const WINDOW: u16 = 0x7fff;
/// The most that is sent ahead on a connection; and on all of them: what neither the client's memory nor the queue that
/// its acknowledgements wait in has to drop.
const AHEAD: usize = 4 << 20;
const ALL_AHEAD: usize = 16 << 20;
const PLAIN_ALL_AHEAD: usize = 1 << 20;
/// On a path of plain frames, how many are acknowledged at once.
const PLAIN_ACKS: u32 = 16;
/// So many acknowledgements of the same tell of a loss (RFC 5681 §3.2). Where all is quiet, or so many frames have come and
/// none of them has moved a connection on, what was lost was the last that it had.
const DUPLICATES: u32 = 3;
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
const PATIENCE: u32 = 8192;
/// What an application reads into and writes from, and the ring that it is copied to: a send buffer's first size here.
const APPLICATION: usize = 256 << 10;
const RING: usize = 512 << 10;

/// What it does beside the least.
#[derive(Clone, Copy, Default)]
pub struct Habits {
    /// It copies what an application would.
    pub copying: bool,
    /// Its frames are as long as the TAP takes.
    pub big_tcp: bool,
}

pub fn serve<T>(workload: Workload, habits: Habits, client: impl FnOnce(&Served) -> T) -> T {
    let config = sandbox::Config { offload: !workload.plain, ..sandbox::Config::default() };
    let link = sandbox::open(&LinkRequest::Tap { name: None }, true, &config).expect("a TAP in a namespace of our own");
    let worker = on_a_thread("stack", move || {
        let descriptor = link.device.descriptor().expect("a TAP has one");
        let takes_long = link.device.capabilities().segmentation.is_some_and(|longest| longest > BIG_TCP);
        let largest = match (workload.plain, habits.big_tcp && takes_long) {
            (true, _) => MSS,
            (false, true) => BIG_TCP,
            (false, false) => SUPER_FRAME,
        };
        let mut blind = Blind {
            tap: descriptor,
            flows: vec![Flow::default(); 1 << 16],
            response: response(),
            outgoing: written(if habits.copying { RING } else { largest }),
            copying: habits.copying.then(Copying::new),
            largest,
            acks_at_once: if workload.plain && matches!(workload.task, Task::BulkIn(_)) { PLAIN_ACKS } else { 1 },
            unanswered: None,
            ahead: ahead(workload),
            givers: Vec::new(),
            heard: 0,
        };
        blind.run(workload.busy_poll);
    });
    let before = Memory::here();
    client(&Served::here(worker, before))
}

/// What is remembered of a connection, by the client's port.
#[derive(Clone, Copy, Default)]
struct Flow {
    sent: u32,
    acknowledged: u32,
    window: u16,
    scale: u8,
    duplicates: u32,
    /// What was acknowledged when it was looked after last.
    looked: u32,
    /// Segments that wait for an acknowledgement, and what it will say.
    unanswered: u32,
    acknowledgement: u32,
    seq: u32,
}

struct Blind<'a> {
    tap: BorrowedFd<'a>,
    flows: Vec<Flow>,
    response: Vec<u8>,
    /// What is sent by itself.
    outgoing: Vec<u8>,
    copying: Option<Copying>,
    largest: usize,
    acks_at_once: u32,
    /// Who was heard from last and waits for an acknowledgement.
    unanswered: Option<(Ipv4Addr, u16)>,
    /// How far a connection that sends by itself runs ahead of what is acknowledged.
    ahead: Option<u32>,
    /// The ports of the clients that it sends to so; and how many frames have come since they were looked after.
    givers: Vec<u16>,
    heard: u32,
}

/// The application's memory, how far it has got in it, and how far in the ring.
struct Copying {
    memory: Vec<u8>,
    at: usize,
    in_ring: usize,
}

impl Copying {
    fn new() -> Copying {
        Copying { memory: written(APPLICATION), at: 0, in_ring: 0 }
    }

    /// The application reads.
    fn read(&mut self, data: &[u8]) {
        let to = next(&mut self.at, data.len(), APPLICATION);
        std::hint::black_box(&mut self.memory[to]).copy_from_slice(data);
    }

    /// The application writes `len` bytes; where in the ring they are.
    fn write(&mut self, len: usize, ring: &mut [u8]) -> Range<usize> {
        let to = next(&mut self.in_ring, len, ring.len());
        ring[to.clone()].copy_from_slice(&self.memory[next(&mut self.at, len, APPLICATION)]);
        to
    }
}

/// The next piece of something that begins again where there is no room for a whole one.
fn next(at: &mut usize, len: usize, size: usize) -> Range<usize> {
    let from = if *at + len > size { 0 } else { *at };
    *at = from + len;
    from..*at
}

/// A segment that has arrived.
struct Segment<'a> {
    source: Ipv4Addr,
    ports: (u16, u16),
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
    options: &'a [u8],
    data: &'a [u8],
}

impl Segment<'_> {
    fn next(&self) -> u32 {
        self.seq.wrapping_add(self.data.len() as u32).wrapping_add(u32::from(self.flags & (SYN | FIN) != 0))
    }
}

impl Blind<'_> {
    fn run(&mut self, busy: bool) {
        let (mut header, mut frame) = ([0; VIRTIO], vec![0; 70_000]);
        loop {
            let mut pieces = [IoSliceMut::new(&mut header), IoSliceMut::new(&mut frame)];
            match rustix::io::readv(self.tap, &mut pieces) {
                Ok(len) => {
                    self.handle(&frame[..len - VIRTIO]);
                    self.heard += 1;
                    if self.heard >= PATIENCE {
                        self.look_after(false);
                    }
                }
                Err(rustix::io::Errno::AGAIN) if self.unanswered.is_some() => self.acknowledge(),
                Err(rustix::io::Errno::AGAIN) if busy => std::hint::spin_loop(),
                Err(rustix::io::Errno::AGAIN) => {
                    let mut waited = [PollFd::from_borrowed_fd(self.tap, PollFlags::IN)];
                    let limit = self.ahead.map(|_| &QUIET);
                    if rustix::event::poll(&mut waited, limit).expect("a descriptor") == 0 {
                        self.look_after(true);
                    }
                }
                Err(error) => panic!("the TAP: {error}"),
            }
        }
    }

    fn handle(&mut self, frame: &[u8]) {
        match (frame.get(12..14), frame.get(IP + 9)) {
            (Some([8, 6]), _) => self.answer_arp(frame),
            (Some([8, 0]), Some(&UDP)) => self.echo_datagram(frame),
            (Some([8, 0]), Some(&TCP)) => {
                let segment = parse(frame);
                self.answer(&segment);
            }
            _ => {}
        }
    }

    fn answer(&mut self, segment: &Segment<'_>) {
        if segment.flags & RST != 0 {
            self.flows[usize::from(segment.ports.0)] = Flow::default();
            return;
        }
        if segment.flags & SYN != 0 {
            let flow = Flow { sent: 1, acknowledged: 1, scale: window_scale(segment.options), ..Flow::default() };
            self.flows[usize::from(segment.ports.0)] = flow;
            if segment.ports.1 == port::SOURCE {
                self.givers.push(segment.ports.0);
            }
            return self.send(segment, SYN | ACK, 0, &[]);
        }
        match segment.ports.1 {
            port::DISCARD => self.take(segment),
            port::SOURCE => self.give(segment),
            port::ECHO if !segment.data.is_empty() => self.send(segment, ACK | PSH, segment.ack, segment.data),
            port::HTTP if segment.data.len() >= REQUEST.len() => self.respond(segment, ACK | PSH),
            port::HTTP_ONCE if segment.data.len() >= REQUEST.len() => self.respond(segment, ACK | PSH | FIN),
            port::HTTP_ONCE if segment.flags & FIN != 0 => self.send(segment, ACK, segment.ack, &[]),
            _ if segment.flags & FIN != 0 => self.send(segment, ACK | FIN, segment.ack, &[]),
            _ => {}
        }
    }

    fn take(&mut self, segment: &Segment<'_>) {
        if segment.flags & FIN != 0 {
            return self.send(segment, ACK | FIN, segment.ack, &[]);
        }
        if segment.data.is_empty() {
            return;
        }
        if let Some(copying) = &mut self.copying {
            copying.read(segment.data);
        }
        let who = (segment.source, segment.ports.0);
        if self.unanswered.is_some_and(|waiting| waiting != who) {
            self.acknowledge();
        }
        self.unanswered = Some(who);
        let flow = &mut self.flows[usize::from(segment.ports.0)];
        flow.unanswered += 1;
        (flow.acknowledgement, flow.seq) = (segment.next(), segment.ack);
        if flow.unanswered >= self.acks_at_once {
            self.acknowledge();
        }
    }

    fn acknowledge(&mut self) {
        let Some((source, port)) = self.unanswered.take() else { return };
        let flow = &mut self.flows[usize::from(port)];
        flow.unanswered = 0;
        let (seq, ack) = (flow.acknowledgement, flow.seq);
        let ports = (port, port::DISCARD);
        let empty = Segment { source, ports, seq, ack, flags: ACK, window: 0, options: &[], data: &[] };
        self.send(&empty, ACK, ack, &[]);
    }

    fn respond(&self, segment: &Segment<'_>, flags: u8) {
        self.send(segment, flags, segment.ack, &self.response);
    }

    /// Sends on, as far as the client's window goes.
    fn give(&mut self, segment: &Segment<'_>) {
        let at = usize::from(segment.ports.0);
        let mut flow = self.flows[at];
        if (flow.acknowledged, flow.window) != (segment.ack, segment.window) {
            flow.duplicates = 0;
        } else if flow.sent != flow.acknowledged {
            flow.duplicates += 1;
            flow.sent = if flow.duplicates == DUPLICATES { flow.acknowledged } else { flow.sent };
        }
        (flow.acknowledged, flow.window, flow.acknowledgement) = (segment.ack, segment.window, segment.next());
        let window = (u32::from(flow.window) << flow.scale).min(self.ahead.unwrap_or(0));
        loop {
            let under_way = flow.sent.wrapping_sub(flow.acknowledged);
            let room = window.saturating_sub(under_way) as usize;
            // A frame costs the same whatever its size: full ones only. A window begins with 64 KiB.
            let len = if room < self.largest { self.largest.min(SUPER_FRAME) } else { self.largest };
            if room < len {
                break;
            }
            let piece = match &mut self.copying {
                Some(copying) => copying.write(len, &mut self.outgoing),
                None => 0..len,
            };
            self.send(segment, ACK, flow.sent, &self.outgoing[piece]);
            flow.sent = flow.sent.wrapping_add(len as u32);
        }
        self.flows[at] = flow;
    }

    /// Sends again from where a connection was acknowledged last, when `all` is quiet or that one is.
    fn look_after(&mut self, all: bool) {
        self.heard = 0;
        for at in 0..self.givers.len() {
            let port = self.givers[at];
            let flow = &mut self.flows[usize::from(port)];
            let stuck = flow.sent != flow.acknowledged && (all || flow.looked == flow.acknowledged);
            flow.looked = flow.acknowledged;
            if !stuck {
                continue;
            }
            (flow.sent, flow.duplicates) = (flow.acknowledged, 0);
            let (seq, ack, window) = (flow.acknowledgement, flow.acknowledged, flow.window);
            let ports = (port, port::SOURCE);
            self.give(&Segment { source: CLIENT, ports, seq, ack, flags: ACK, window, options: &[], data: &[] });
        }
    }

    /// One frame in answer to `segment`, which it acknowledges.
    fn send(&self, segment: &Segment<'_>, flags: u8, seq: u32, data: &[u8]) {
        // MSS, and a window scale of seven.
        let options: &[u8] = if flags & SYN != 0 { &[2, 4, 5, 180, 1, 3, 3, 7] } else { &[] };
        let mut headers = [0; TRANSPORT + 20 + 8];
        let len = TRANSPORT + 20 + options.len();
        ip_header(&mut headers, segment.source, TCP, 20 + options.len() + data.len());
        let tcp = &mut headers[TRANSPORT..len];
        tcp[0..2].copy_from_slice(&segment.ports.1.to_be_bytes());
        tcp[2..4].copy_from_slice(&segment.ports.0.to_be_bytes());
        tcp[4..8].copy_from_slice(&seq.to_be_bytes());
        tcp[8..12].copy_from_slice(&segment.next().to_be_bytes());
        (tcp[12], tcp[13]) = ((5 + options.len() as u8 / 4) << 4, flags);
        tcp[14..16].copy_from_slice(&WINDOW.to_be_bytes());
        tcp[20..].copy_from_slice(options);
        let pseudo = Sum::pseudo_header(SERVER.into(), segment.source.into(), TCP, tcp.len() + data.len());
        tcp[16..18].copy_from_slice(&pseudo.folded().to_be_bytes());
        self.write(&headers[..len], data, 16);
    }

    fn echo_datagram(&self, frame: &[u8]) {
        let (source, data) = (address(frame, IP + 12), &frame[TRANSPORT + 8..]);
        let mut headers = [0; TRANSPORT + 8];
        ip_header(&mut headers, source, UDP, 8 + data.len());
        headers[TRANSPORT..TRANSPORT + 2].copy_from_slice(&frame[TRANSPORT + 2..TRANSPORT + 4]);
        headers[TRANSPORT + 2..TRANSPORT + 4].copy_from_slice(&frame[TRANSPORT..TRANSPORT + 2]);
        headers[TRANSPORT + 4..TRANSPORT + 6].copy_from_slice(&(8 + data.len() as u16).to_be_bytes());
        let pseudo = Sum::pseudo_header(SERVER.into(), source.into(), UDP, 8 + data.len());
        headers[TRANSPORT + 6..].copy_from_slice(&pseudo.folded().to_be_bytes());
        self.write(&headers, data, 6);
    }

    fn answer_arp(&self, frame: &[u8]) {
        // For its own address only: the others on the link are the client's.
        if frame.get(38..42) != Some(&SERVER.octets()) || frame[21] != 1 {
            return;
        }
        let mut reply = [0; 42];
        reply[..6].copy_from_slice(&frame[6..12]);
        reply[6..12].copy_from_slice(&MAC);
        reply[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
        reply[22..28].copy_from_slice(&MAC);
        reply[28..32].copy_from_slice(&SERVER.octets());
        reply[32..42].copy_from_slice(&frame[22..32]);
        rustix::io::writev(self.tap, &[IoSlice::new(&[0; VIRTIO]), IoSlice::new(&reply)]).expect("room");
    }

    /// `checksum`: where the transport's checksum stands, which the kernel fills in.
    fn write(&self, headers: &[u8], data: &[u8], checksum: u16) {
        let mut virtio = [0; VIRTIO];
        virtio[0] = 1;
        virtio[6..8].copy_from_slice(&(TRANSPORT as u16).to_ne_bytes());
        virtio[8..10].copy_from_slice(&checksum.to_ne_bytes());
        if data.len() > MSS {
            virtio[1] = 1;
            virtio[2..4].copy_from_slice(&(headers.len() as u16).to_ne_bytes());
            virtio[4..6].copy_from_slice(&(MSS as u16).to_ne_bytes());
        }
        let pieces = [IoSlice::new(&virtio), IoSlice::new(headers), IoSlice::new(data)];
        match rustix::io::writev(self.tap, &pieces) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => {}
            Err(error) => panic!("the TAP: {error}"),
        }
    }
}

fn ahead(workload: Workload) -> Option<u32> {
    let Task::BulkOut(connections) = workload.task else { return None };
    let all = if workload.plain { PLAIN_ALL_AHEAD } else { ALL_AHEAD };
    Some((all / connections).min(AHEAD) as u32)
}

fn ip_header(frame: &mut [u8], destination: Ipv4Addr, protocol: u8, len: usize) {
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    frame[6..12].copy_from_slice(&MAC);
    frame[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
    frame[16..18].copy_from_slice(&u16::try_from(20 + len).unwrap_or(0).to_be_bytes());
    frame[20..24].copy_from_slice(&[0x40, 0, 64, protocol]);
    frame[26..30].copy_from_slice(&SERVER.octets());
    frame[30..34].copy_from_slice(&destination.octets());
    let sum = Sum::default().plus(&frame[IP..TRANSPORT]).checksum();
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

fn parse(frame: &[u8]) -> Segment<'_> {
    let (packet, tcp) = (&frame[IP..], &frame[TRANSPORT..]);
    let number = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
    let long = |at: usize| u32::from(number(at)) << 16 | u32::from(number(at + 2));
    let (data, end) = (usize::from(tcp[12] >> 4) * 4, usize::from(u16::from_be_bytes([packet[2], packet[3]])) - 20);
    Segment {
        source: address(frame, IP + 12),
        ports: (number(0), number(2)),
        seq: long(4),
        ack: long(8),
        flags: tcp[13],
        window: number(14),
        options: &tcp[20..data],
        data: &tcp[data..end],
    }
}

fn address(frame: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3])
}

fn window_scale(mut options: &[u8]) -> u8 {
    while let [kind, rest @ ..] = options {
        match (kind, rest) {
            (3, [3, shift, ..]) => return *shift,
            (0, _) => return 0,
            (1, rest) => options = rest,
            (_, [len, ..]) => options = options.get(usize::from(*len).max(2)..).unwrap_or_default(),
            (_, []) => return 0,
        }
    }
    0
}
