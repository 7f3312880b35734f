//! Who floods: SYNs as Linux makes them, each from another address, put on the kernel's side of the TAP.

use crate::support::client::port;
use crate::support::machine::Worker;
use crate::support::{INTERFACE, SERVER};
use etherparse::{PacketBuilder, TcpHeader};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use strata::device::Device;
use strata::device::packet::Packet;
use strata::frame::{Frame, FrameId};

/// How often SYNs leave: as many at once as are due.
const TICK: Duration = Duration::from_micros(200);
/// How often it looks whether it is to flood.
const IDLE: Duration = Duration::from_millis(5);
/// What the stack's interface has.
const STACK: [u8; 6] = [2, 0, 0, 0, 0, 2];
const KERNEL: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A thread that floods while it is told to.
pub struct Flood {
    pub worker: Worker,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    on: AtomicBool,
    sent: AtomicU64,
    /// Of these, those for which the TAP's queue had no room.
    lost: AtomicU64,
}

impl Flood {
    pub fn new(rate: u64) -> Flood {
        let shared = Arc::<Shared>::default();
        let device = Packet::open_to_send(INTERFACE).expect("raw Ethernet in a namespace of our own");
        let theirs = shared.clone();
        let worker = crate::support::server::on_a_thread("flood", move || run(device, rate, &theirs));
        Flood { worker, shared }
    }

    pub fn set(&self, on: bool) {
        self.shared.on.store(on, Ordering::Release);
    }

    /// How many SYNs have left, and how many of them got lost at once.
    pub fn sent(&self) -> (u64, u64) {
        (self.shared.sent.load(Ordering::Relaxed), self.shared.lost.load(Ordering::Relaxed))
    }
}

fn run(mut device: Packet, rate: u64, shared: &Shared) {
    let (mut number, mut frames) = (0, VecDeque::new());
    loop {
        std::thread::sleep(IDLE);
        if !shared.on.load(Ordering::Acquire) {
            continue;
        }
        let (began, from) = (Instant::now(), number);
        while shared.on.load(Ordering::Acquire) {
            let due = from + began.elapsed().as_micros() as u64 * rate / 1_000_000;
            frames.extend((number..due).map(|number| Frame::new(FrameId(number), syn(number).into())));
            number = due;
            device.transmit(strata::time::Instant::ZERO, &mut frames).expect("an interface that stays");
            // What the socket did not take for now is late, and not made up for.
            let late = frames.drain(..).count() as u64;
            shared.sent.store(number, Ordering::Relaxed);
            shared.lost.store(device.lost() + late, Ordering::Relaxed);
            std::thread::sleep(TICK);
        }
    }
}

/// The SYN number `number`, with the options of Linux. No two of them come from the same address.
fn syn(number: u64) -> Vec<u8> {
    let scattered = scatter(number as u32);
    let source = Ipv4Addr::from(FIRST | scattered);
    let mut tcp = TcpHeader::new(1024 + (scattered % 60_000) as u16, port::HTTP_ONCE, scattered.rotate_left(9), 64_240);
    tcp.syn = true;
    let stamp = (number as u32).to_be_bytes();
    let options = [&[2, 4, 5, 0xb4, 4, 2, 8, 10][..], &stamp, &[0, 0, 0, 0, 1, 3, 3, 7]].concat();
    tcp.set_options_raw(&options).expect("twenty bytes");
    let packet = PacketBuilder::ethernet2(KERNEL, STACK).ipv4(source.octets(), SERVER.octets(), 64);
    let mut bytes = Vec::with_capacity(packet.size(0) + 20);
    packet.tcp_header(tcp).write(&mut bytes, &[]).expect("a vector takes everything");
    bytes
}

/// Addresses are scattered over so many bits of the public space: 64.0.0.0 to 95.255.255.255.
const BITS: u32 = 29;
const FIRST: u32 = 64 << 24;

/// A permutation of the numbers below 2^29: odd multipliers, and shifts that can be undone.
fn scatter(number: u32) -> u32 {
    let mask = (1 << BITS) - 1;
    let number = number.wrapping_mul(0x9e37_79b1) & mask;
    let number = (number ^ number >> 15).wrapping_mul(0x85eb_ca6b) & mask;
    number ^ number >> 13
}
