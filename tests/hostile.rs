//! Bytes from the network: whatever arrives, the stack neither panics nor loops nor answers without measure, and goes
//! on serving afterwards. Also where a device sums, cuts and joins, and says of frames what is not true.

mod support;

use proptest::prelude::*;
use std::num::NonZeroU16;
use std::time::Duration;
use strata::frame::{Checksum, Offload, Received};
use strata::random::Random;
use strata::stack::{Stack, TcpId};
use strata::tcp::Config;
use strata::wire::checksum::Sum;
use support::way::{self, Sent, Way};
use support::{Pair, SERVER};

const ETHERNET: usize = 14;

/// A pair in the middle of things: connections open, data under way, one closing, UDP and ping in use.
fn busy_pair(way: Way, seed: u64) -> (Pair, TcpId) {
    let mut pair = Pair::on(way, seed);
    let listener = pair.server.tcp_listen(SERVER, 64, Config::default()).expect("a free port");
    pair.server.udp_bind((SERVER.ip(), 7).into()).expect("a free port");
    let id = pair.client.tcp_connect(pair.now, SERVER, None, Config::default()).expect("a route");
    let closing = pair.client.tcp_connect(pair.now, SERVER, None, Config::default()).expect("a route");
    pair.settle();
    let accepted = pair.server.tcp_accept(listener).expect("a connection");
    pair.client.tcp_send(pair.now, id, &[7; 20_000]).expect("room");
    pair.server.tcp_send(pair.now, accepted, &[9; 5_000]).expect("room");
    pair.client.tcp_shutdown(pair.now, closing);
    let udp = pair.client.udp_bind("0.0.0.0:0".parse().expect("an address")).expect("a port");
    pair.client.udp_send(pair.now, udp, Some((SERVER.ip(), 7).into()), &[1; 4000]).expect("room");
    pair.client.udp_send(pair.now, udp, Some((SERVER.ip(), 8).into()), b"nobody there").expect("room");
    let ping = pair.client.ping_open();
    pair.client.ping_send(pair.now, ping, SERVER.ip(), 1, &[3; 3000], 64).expect("room");
    pair.settle();
    (pair, id)
}

/// Feeds a frame; what comes out may be a burst that was waiting for an acknowledgement, never more.
fn feed(stack: &mut Stack, pair_now: &mut strata::time::Instant, (bytes, offload): &Sent, pause: Duration) {
    stack.handle_frame(*pair_now, Received { bytes, offload: *offload });
    let answers = std::iter::from_fn(|| stack.poll_transmit(*pair_now)).take(2000).count();
    assert!(answers < 2000, "one frame must not set off a flood");
    while stack.poll_wakeup().is_some() {}
    *pair_now += pause;
    if stack.next_deadline().is_some_and(|deadline| deadline <= *pair_now) {
        stack.handle_timeout(*pair_now);
    }
}

/// Changes a frame in one of the ways in which frames go wrong, and mends the checksums half of the time, so that the
/// change reaches the layer it is meant for.
fn mutate(random: &mut Random, (mut frame, offload): Sent) -> Sent {
    for _ in 0..=random.below(3) {
        let at = random.below(frame.len() as u64) as usize;
        match random.below(6) {
            0 => frame[at] = random.next_u32() as u8,
            1 => frame[at] ^= 1 << random.below(8),
            2 => frame.truncate(at.max(1)),
            3 => frame.extend(std::iter::repeat_n(0x55, at)),
            // Interesting numbers in interesting places: the IP and transport headers.
            4 => {
                let place = (ETHERNET + random.below(60) as usize).min(frame.len() - 1);
                frame[place] = [0, 1, 0x7f, 0x80, 0xff][random.below(5) as usize];
            }
            _ => {
                let from = random.below(frame.len() as u64) as usize;
                frame[at] = frame[from];
            }
        }
    }
    if random.chance(0.5) {
        mend_checksums(&mut frame);
    }
    let offload = if random.chance(0.1) { any_offload(random) } else { offload };
    (frame, offload)
}

fn any_offload(random: &mut Random) -> Offload {
    let mut place = || (random.next_u32() >> if random.chance(0.5) { 16 } else { 25 }) as u16;
    let (start, offset, size) = (place(), place(), place());
    let checksum = match random.below(3) {
        0 => Checksum::Full,
        1 => Checksum::Good,
        _ => Checksum::Partial { start, offset },
    };
    Offload { checksum, segment_size: NonZeroU16::new(size) }
}

fn any_way(seed: u64) -> Way {
    [way::PLAIN, way::SOFTWARE, way::WHOLE][(seed % 3) as usize]
}

fn mend_checksums(frame: &mut [u8]) {
    let Some(ip) = frame.get_mut(ETHERNET..) else { return };
    let header = ip.first().map_or(0, |first| usize::from(first & 15) * 4);
    if header < 20 || ip.len() < header + 20 {
        return;
    }
    ip[10..12].fill(0);
    let sum = Sum::default().plus(&ip[..header]).checksum();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let total = usize::from(u16::from_be_bytes([ip[2], ip[3]])).clamp(header, ip.len());
    let address = |at: usize| std::net::IpAddr::from([ip[at], ip[at + 1], ip[at + 2], ip[at + 3]]);
    let (protocol, source, destination) = (ip[9], address(12), address(16));
    let place = match protocol {
        1 => 2,
        6 => 16,
        17 => 6,
        _ => return,
    };
    let transport = &mut ip[header..total];
    if transport.len() < place + 2 {
        return;
    }
    transport[place..place + 2].fill(0);
    let pseudo =
        if protocol == 1 { Sum::default() } else { Sum::pseudo_header(source, destination, protocol, transport.len()) };
    let sum = pseudo.plus(transport).checksum();
    transport[place..place + 2].copy_from_slice(&sum.to_be_bytes());
}

/// After whatever happened a new client is served.
fn still_serves(mut pair: Pair) {
    // Neighbours may have been poisoned and connections reset: give caches the time to find out.
    pair.run_until(pair.now + Duration::from_secs(120));
    let id = pair.client.tcp_connect(pair.now, SERVER, None, Config::default()).expect("a route");
    pair.run_until(pair.now + Duration::from_secs(30));
    let status = pair.client.tcp_status(id);
    assert!(status.established, "a new connection after the storm: {status:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn mutated_frames_harm_nothing(seed: u64) {
        let (mut pair, _) = busy_pair(any_way(seed), seed % 1000);
        let mut random = Random::new(seed);
        let seen = pair.frames.clone();
        let mut now = pair.now;
        for _ in 0..200 {
            let (from_client, frame) = &seen[random.below(seen.len() as u64) as usize];
            let frame = mutate(&mut random, frame.clone());
            let pause = Duration::from_micros(random.below(20_000));
            feed(if *from_client { &mut pair.server } else { &mut pair.client }, &mut now, &frame, pause);
        }
        pair.now = now;
        still_serves(pair);
    }

    #[test]
    fn random_frames_harm_nothing(seed: u64, frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..50)) {
        let (mut pair, _) = busy_pair(any_way(seed), seed % 1000);
        let mut now = pair.now;
        for (n, mut frame) in frames.into_iter().enumerate() {
            // Most of them addressed to us, and of a type that we speak.
            if frame.len() > ETHERNET && n % 4 != 0 {
                frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
                frame[12..14].copy_from_slice(if n % 4 == 1 { &[8, 6] } else { &[8, 0] });
                frame[ETHERNET] = 0x45;
                mend_checksums(&mut frame);
            }
            feed(&mut pair.server, &mut now, &(frame, Offload::default()), Duration::from_micros(100));
        }
        pair.now = now;
        still_serves(pair);
    }
}

/// Every one of the 512 sets of flags, at every edge of the window, in the states that a peer can bring about.
#[test]
fn any_flags_at_any_place_harm_nothing() {
    for flags in 0..512u16 {
        let (mut pair, _) = busy_pair(any_way(flags.into()), 7);
        let segments: Vec<Sent> = pair
            .frames
            .iter()
            .filter(|(from_client, (frame, _))| *from_client && frame.get(23) == Some(&6))
            .map(|(_, sent)| sent.clone())
            .collect();
        let mut now = pair.now;
        for segment in &segments {
            for shift in [-1i32, 0, 1, 1000, 65_535, 524_288, i32::MAX, i32::MIN] {
                let (mut frame, offload) = segment.clone();
                let seq = u32::from_be_bytes([frame[38], frame[39], frame[40], frame[41]]).wrapping_add_signed(shift);
                frame[38..42].copy_from_slice(&seq.to_be_bytes());
                frame[46] = frame[46] & 0xfe | (flags >> 8) as u8;
                frame[47] = flags as u8;
                mend_checksums(&mut frame);
                feed(&mut pair.server, &mut now, &(frame, offload), Duration::ZERO);
            }
        }
    }
}
