//! Connections that are open and silent, to peers that the kernel knows nothing of.
//!
//! Sockets of the kernel's would be limited by its ports and by how many files a process may have open. So the peers are
//! simulated: their segments go through a packet socket on the kernel's interface, by way of which, as of a router, the
//! stack reaches them; the kernel drops what is sent to addresses that nobody has. Once they are open nobody listens.

use crate::support::client::port;
use crate::support::{INTERFACE, SERVER};
use etherparse::{PacketBuilder, SlicedPacket, TcpHeader, TransportSlice};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use strata::device::packet::Packet;
use strata::device::{Batch, Device};
use strata::frame::{Frame, FrameId};

/// The network of the peers: the one for benchmarks (RFC 2544, appendix C.2.2), 198.18.0.0/15.
const NETWORK: u32 = 198 << 24 | 18 << 16;
/// The ports of one peer's address.
const FIRST_PORT: u16 = 10_000;
const PORTS: usize = 50_000;
/// So many handshakes are under way at a time: no queue on the path is shorter.
const UNDER_WAY: usize = 64;
/// When nothing was heard for so long, what is under way is sent again.
const PATIENCE: Duration = Duration::from_millis(100);
const KERNEL: [u8; 6] = [2, 0, 0, 0, 0, 1];
const STACK: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Where every peer's sequence numbers begin.
const ISN: u32 = 1_000_000;
/// MSS 1460, SACK permitted, a window scale of seven.
const OPTIONS: [u8; 12] = [2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7];

/// Where a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Peer {
    Unopened,
    /// Its handshake is over as far as the peer can see; what the stack will send next.
    Opened(u32),
    /// The stack has answered a probe: at its end, too, there is a connection.
    Proven,
}

struct Peers {
    device: Packet,
    peers: Vec<Peer>,
}

/// Opens `count` connections, within `limit`; gives how many there are. With `proven` each of them has then answered a
/// keepalive probe, as only a connection does of which the stack holds the state.
pub fn open(count: usize, limit: Duration, proven: bool) -> usize {
    if count == 0 {
        return 0;
    }
    let device = Packet::open(INTERFACE, false).expect("raw Ethernet in a namespace of our own");
    let mut peers = Peers { device, peers: vec![Peer::Unopened; count] };
    let end = Instant::now() + limit;
    let opened = peers.bring(end, |peer| peer != Peer::Unopened);
    if opened == count && proven { peers.bring(end, |peer| peer == Peer::Proven) } else { opened }
}

impl Peers {
    /// Brings all to where `there` is true of them; gives how many have come there.
    fn bring(&mut self, end: Instant, there: impl Fn(Peer) -> bool) -> usize {
        let (mut under_way, mut next) = (VecDeque::with_capacity(UNDER_WAY), 0);
        let mut heard = Instant::now();
        // The first goes alone: little waits for a neighbour that is unknown.
        let mut room = 1;
        while Instant::now() < end {
            let sent = under_way.len();
            while under_way.len() < room && next < self.peers.len() {
                under_way.push_back(next);
                next += 1;
            }
            if under_way.is_empty() {
                break;
            }
            self.send(under_way.iter().skip(sent).copied());
            if self.hear() {
                heard = Instant::now();
            } else if heard.elapsed() >= PATIENCE {
                self.send(under_way.iter().copied());
                heard = Instant::now();
            }
            under_way.retain(|number| !there(self.peers[*number]));
            if next > 1 || under_way.is_empty() {
                room = UNDER_WAY;
            }
        }
        self.peers.iter().filter(|peer| there(**peer)).count()
    }

    /// For each of these what it is its turn to say.
    fn send(&mut self, numbers: impl Iterator<Item = usize>) {
        let segments = numbers.filter_map(|number| match self.peers[number] {
            Peer::Unopened => Some(segment(number, ISN, None)),
            // RFC 9293 §3.8.4: an octet before the next one, which every connection acknowledges anew.
            Peer::Opened(theirs) => Some(segment(number, ISN, Some(theirs))),
            Peer::Proven => None,
        });
        let frames = segments.map(frame).collect();
        self.transmit(frames);
    }

    fn transmit(&mut self, mut frames: VecDeque<Frame>) {
        self.device.transmit(strata::time::Instant::ZERO, &mut frames).expect("an interface that stays");
    }

    /// Takes in what there is, and waits a little if there is nothing; was there anything for a peer?
    fn hear(&mut self) -> bool {
        let wait = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
        let descriptor = self.device.descriptor().expect("a packet socket has one");
        let mut waited = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
        rustix::event::poll(&mut waited, Some(&wait)).expect("a descriptor");
        let mut batch = Batch::new(4 * UNDER_WAY);
        self.device.receive(strata::time::Instant::ZERO, &mut batch).expect("an interface that stays");
        let mut answers = VecDeque::new();
        let heard = batch.iter().filter(|received| self.take(received.bytes, &mut answers)).count();
        self.transmit(answers);
        heard > 0
    }

    /// Was that for a peer?
    fn take(&mut self, bytes: &[u8], answers: &mut VecDeque<Frame>) -> bool {
        let Some((number, tcp)) = parse(bytes).filter(|(number, _)| *number < self.peers.len()) else { return false };
        let peer = &mut self.peers[number];
        match (*peer, tcp.syn, tcp.ack && !tcp.rst) {
            (Peer::Unopened | Peer::Opened(_), true, true) => {
                let theirs = tcp.sequence_number.wrapping_add(1);
                *peer = Peer::Opened(theirs);
                answers.push_back(frame(segment(number, ISN + 1, Some(theirs))));
            }
            (Peer::Opened(theirs), false, true) if tcp.sequence_number == theirs => *peer = Peer::Proven,
            // Its queue of connections was full, and all that it knew of this one stood in a SYN cookie.
            (Peer::Opened(_), _, _) if tcp.rst => *peer = Peer::Unopened,
            _ => {}
        }
        true
    }
}

/// A SYN, or without data an acknowledgement of everything before `ack`.
fn segment(number: usize, seq: u32, ack: Option<u32>) -> Vec<u8> {
    let source = Ipv4Addr::from(NETWORK + 1 + (number / PORTS) as u32);
    let mut tcp = TcpHeader::new(FIRST_PORT + (number % PORTS) as u16, port::IDLE, seq, 64_240);
    tcp.syn = ack.is_none();
    tcp.ack = ack.is_some();
    tcp.acknowledgment_number = ack.unwrap_or_default();
    if tcp.syn {
        tcp.set_options_raw(&OPTIONS).expect("twelve bytes");
    }
    let packet = PacketBuilder::ethernet2(KERNEL, STACK).ipv4(source.octets(), SERVER.octets(), 64).tcp_header(tcp);
    let mut bytes = Vec::with_capacity(packet.size(0));
    packet.write(&mut bytes, &[]).expect("a vector takes everything");
    bytes
}

fn frame(bytes: Vec<u8>) -> Frame {
    Frame::new(FrameId(0), bytes.into())
}

/// The number of the peer that it is for, and the header.
fn parse(bytes: &[u8]) -> Option<(usize, TcpHeader)> {
    let packet = SlicedPacket::from_ethernet(bytes).ok()?;
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else { return None };
    let etherparse::NetSlice::Ipv4(ip) = packet.net? else { return None };
    let address = u32::from(ip.header().destination_addr()).checked_sub(NETWORK + 1)?;
    let port = tcp.destination_port().checked_sub(FIRST_PORT)?;
    (usize::from(port) < PORTS).then(|| (address as usize * PORTS + usize::from(port), tcp.to_header()))
}
