//! Super-frames that are longer than an IPv4 header can say.

use crate::cases::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use strata::device::tap::Tap;
use strata::device::{BIG_TCP, Device, SUPER_FRAME};
use strata::event::{Event, Observer, Record};
use strata::runtime::{Driver, blocking::TcpListener};

const LEN: usize = 50_000_000;

/// The longest super-frame where the kernel passes nothing on: since Linux 6.3 a long one.
pub fn longest() -> usize {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a kernel has a release");
    let mut numbers = release.split(['.', '-']).map_while(|number| number.trim().parse::<u32>().ok());
    if (numbers.next(), numbers.next()) >= (Some(6), Some(3)) { BIG_TCP } else { SUPER_FRAME }
}

/// The longest frame that left.
#[derive(Clone, Default)]
struct Longest(Arc<AtomicUsize>);

impl Observer for Longest {
    fn observe(&mut self, record: &Record<'_>) {
        if let Event::FrameSent { frame } = &record.event {
            self.0.fetch_max(frame.len(), Ordering::Relaxed);
        }
    }
}

fn byte(at: usize) -> u8 {
    (at * 31 + at / 251) as u8
}

pub fn long_trains_reach_the_kernel() {
    let device = tap();
    assert_eq!(device.capabilities().segmentation, Some(longest()));
    let seen = Longest::default();
    let observer: Box<dyn Observer> = Box::new(seen.clone());
    let driver = Driver::start(strata::stack::Config::default(), 7, device, Some(observer)).expect("a stack");
    let listener = TcpListener::bind(driver.host(), "192.0.2.2:7".parse().expect("an address")).expect("a free port");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let data: Vec<u8> = (0..LEN).map(byte).collect();
        stream.write_all(&data).expect("the client takes it");
        stream.info()
    });
    let mut got = Vec::new();
    TcpStream::connect("192.0.2.2:7").expect("served").read_to_end(&mut got).expect("all of it");
    assert!(got.len() == LEN && got.iter().enumerate().all(|(at, found)| *found == byte(at)), "byte for byte");
    let info = server.join().expect("no panic");
    // A probe of the tail at the most, when the machine was busy elsewhere: a frame that got lost would be many.
    assert!(info.retransmissions < 10, "{} segments were sent again", info.retransmissions);
    let frame = seen.0.load(Ordering::Relaxed);
    assert!(frame > longest() / 2 && frame <= longest() + 14, "the longest frame had {frame} bytes");
    driver.stop().expect("a device that works");
}

/// A router or a bridge would cut them into single segments.
pub fn who_passes_frames_on_gets_short_trains() {
    let _link = tap();
    let open = |name: &str| Tap::open(name, true).expect("a TAP");
    let trains = |tap: &Tap| tap.capabilities().segmentation;
    let mut port = open("port0");
    assert_eq!(trains(&port), Some(longest()));
    ip("link add br0 type bridge");
    ip("link set port0 master br0");
    port.refresh().expect("it is there");
    assert_eq!(trains(&port), Some(SUPER_FRAME), "the port of a bridge");
    ip("link set port0 nomaster");
    port.refresh().expect("it is there");
    assert_eq!(trains(&port), Some(longest()));
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("a namespace of our own");
    port.refresh().expect("it is there");
    assert_eq!(trains(&port), Some(SUPER_FRAME), "an interface that is routed");
    assert_eq!(trains(&open("late0")), Some(SUPER_FRAME));
    assert_eq!(Tap::open("plain0", false).expect("a TAP").capabilities().segmentation, None);
}
