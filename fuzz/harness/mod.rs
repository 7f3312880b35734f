//! What the fuzzer does with its bytes. The same functions replay its corpus under plain `cargo test`.

#![allow(dead_code, reason = "each target uses one of these")]

mod segments;

pub use segments::segments;

use std::time::Duration;
use strata::frame::{Offload, Received};
use strata::stack::{Config, Stack};
use strata::time::Instant;
use strata::wire;

type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Target); 5] =
    [("codecs", codecs), ("frames", frames), ("segments", segments), ("captures", captures), ("scripts", scripts)];

/// Every header, on any bytes; what parses is emitted and parsed again.
pub fn codecs(data: &[u8]) {
    if let Ok((header, _)) = wire::ethernet::Header::parse(data) {
        let again = header.emit(|bytes| wire::ethernet::Header::parse(bytes).map(|(again, _)| again));
        assert_eq!(again, Ok(header));
    }
    if let Ok((packet, _)) = wire::arp::Packet::parse(data) {
        let again = packet.emit(|bytes| wire::arp::Packet::parse(bytes).map(|(again, _)| again));
        assert_eq!(again, Ok(packet));
    }
    let _may_fail = wire::ipv4::Header::parse(data);
    let _may_fail = wire::icmpv4::Message::parse(data);
    let _may_fail = wire::udp::Header::parse(data);
    if let Ok((header, _)) = wire::tcp::Header::parse(data) {
        // Options are normalised by emitting them once; from then on nothing changes.
        let once = header.emit(|bytes| wire::tcp::Header::parse(bytes).map(|(again, _)| again));
        let once = once.expect("what we emit parses");
        let twice = once.emit(|bytes| wire::tcp::Header::parse(bytes).map(|(again, _)| again));
        assert_eq!(Ok(once), twice);
    }
}

/// A host with every kind of socket, fed with frames of any bytes; the first two bytes of each say its length.
pub fn frames(mut data: &[u8]) {
    let mut now = Instant::from_secs(100);
    let mut stack = Stack::new(Config::default(), 7);
    stack.start(now);
    let any = |port| std::net::SocketAddr::from(([0, 0, 0, 0], port));
    stack.tcp_listen(any(80), 16, strata::tcp::Config::default()).expect("a free port");
    let udp = stack.udp_bind(any(7)).expect("a free port");
    let peer = "192.0.2.1:80".parse().expect("an address");
    stack.tcp_connect(now, peer, None, strata::tcp::Config::default()).expect("a route");
    while let [high, low, rest @ ..] = data {
        let len = usize::from(u16::from_be_bytes([*high, *low]) & 0x7ff).min(rest.len());
        let (frame, rest) = rest.split_at(len);
        stack.handle_frame(now, Received { bytes: frame, offload: Offload::default() });
        let sent = std::iter::from_fn(|| stack.poll_transmit(now)).take(200).count();
        assert!(sent < 200, "one frame must not set off a flood");
        while stack.poll_wakeup().is_some() {}
        let _may_be_empty = stack.udp_receive(udp, &mut [0; 64]);
        now += Duration::from_millis(u64::from(*low));
        stack.handle_timeout(now);
        data = rest;
    }
}

/// Packet scripts of any text: read, printed, read again, run.
pub fn scripts(data: &[u8]) {
    use strata::sim::script;
    let text = String::from_utf8_lossy(data);
    let Ok(tree) = script::parse(&text) else { return };
    let printed = tree.to_string();
    assert_eq!(script::parse(&printed).as_ref(), Ok(&tree), "{printed}");
    let options = script::Options { most_steps: 5_000, ..script::Options::default() };
    let _any_outcome = script::run(&tree, &options, None);
}

/// Capture files of any bytes.
pub fn captures(data: &[u8]) {
    let _may_fail = strata::probe::pcapng::read(data);
}
