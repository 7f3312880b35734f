//! Bounds over all connections: what slow readers, silent peers and tiny segments can take.

use super::*;
use crate::stack::TcpId;
use crate::tcp;

const IRS: u32 = 5000;
const LIMIT: usize = 1 << 20;
/// What a connection may hold in each direction when nothing is left, as the front page of `tcp::memory` says.
const FLOORS: usize = 2 * 2048;

/// So many accepted connections, each with the ISN of ours.
fn connected(count: u16) -> (Wire, Vec<(SocketAddr, TcpId, u32)>) {
    let mut wire = Wire::new(Config { tcp_memory_limit: LIMIT, ..Config::default() });
    let listener = wire.stack.tcp_listen((OURS, 80).into(), 512, tcp::Config::default()).expect("a free port");
    let options = Options { window_scale: Some(7), mss: Some(1460), ..Options::default() };
    let connect = |port: u16| {
        let from = peer(1, 4000 + port);
        let isn = wire.segment(from, 80, (Flags::SYN, IRS, 0), &options, b"")[0].seq;
        wire.segment(from, 80, (Flags::ACK, IRS + 1, isn + 1), &Options::default(), b"");
        (from, wire.stack.tcp_accept(listener).expect("a connection"), isn)
    };
    let connections = (0..count).map(connect).collect();
    wire.told();
    (wire, connections)
}

fn data(wire: &mut Wire, (from, isn): (SocketAddr, u32), place: u32, data: &[u8]) -> u32 {
    let answers = wire.segment(from, 80, (Flags::ACK, IRS + 1 + place, isn + 1), &Options::default(), data);
    answers.last().map_or(0, |answer| answer.ack.wrapping_sub(IRS + 1))
}

fn levels(wire: &Wire) -> Vec<String> {
    wire.told().into_iter().filter(|text| text.starts_with("memory")).collect()
}

#[test]
fn slow_readers_share_what_there_is_and_all_go_on_when_they_read() {
    let (mut wire, connections) = connected(100);
    let mut received = vec![0u32; connections.len()];
    for _ in 0..60 {
        for (at, (from, _, isn)) in connections.iter().enumerate() {
            let acked = data(&mut wire, (*from, *isn), received[at], &[7; 1460]);
            received[at] = received[at].max(acked);
            let taken = wire.stack.tcp_usage().memory;
            assert!(taken <= LIMIT + 65_536 + connections.len() * FLOORS, "{taken}");
        }
    }
    assert_eq!(levels(&wire), ["memory is scarce", "memory is exhausted"]);
    assert!(received.iter().all(|received| *received > 0), "everybody got something");
    for (_, id, _) in &connections {
        while wire.stack.tcp_receive(*id, &mut [0; 4096]).is_ok() {}
    }
    assert_eq!(wire.stack.tcp_usage().memory, 0);
    for (at, (from, _, isn)) in connections.iter().enumerate() {
        wire.out();
        let acked = data(&mut wire, (*from, *isn), received[at], &[7; 1460]).max(received[at]);
        wire.wait(Duration::from_millis(100));
        assert!(wire.stack.tcp_usage().memory > 0, "connection {at} goes on from {acked}");
    }
    assert!(levels(&wire).contains(&"memory is plenty".to_owned()));
}

/// A byte at the end of the window must not take a buffer of the window's size from everybody else.
#[test]
fn tiny_segments_far_past_a_hole_pin_no_memory() {
    let (mut wire, connections) = connected(200);
    for place in [60_000, 30_000, 65_000] {
        for (from, _, isn) in &connections {
            data(&mut wire, (*from, *isn), place, b"x");
        }
    }
    let taken = wire.stack.tcp_usage().memory;
    assert!(taken <= LIMIT / 2 + 65_536, "{taken}");
    assert_eq!(levels(&wire), ["memory is scarce"]);
    // Data in order comes through for all of them.
    for (from, id, isn) in &connections {
        data(&mut wire, (*from, *isn), 0, &[7; 1000]);
        assert_eq!(wire.stack.tcp_receive(*id, &mut [0; 4096]), Ok(1000));
    }
}

/// Peers that read nothing hold what we write to them.
#[test]
fn writers_stop_when_memory_is_exhausted_and_go_on_with_the_acknowledgements() {
    let (mut wire, connections) = connected(100);
    let mut written = vec![0; connections.len()];
    for _ in 0..100 {
        for (at, (_, id, _)) in connections.iter().enumerate() {
            written[at] += wire.stack.tcp_send(wire.now, *id, &[7; 8192]).unwrap_or(0);
        }
    }
    wire.out();
    let taken = wire.stack.tcp_usage().memory;
    assert!((LIMIT..LIMIT + 65_536 + connections.len() * FLOORS).contains(&taken), "{taken}");
    assert!(written.iter().all(|written| *written > 0), "{written:?}");
    for (at, (from, _, isn)) in connections.iter().enumerate() {
        let everything = isn + 1 + written[at] as u32;
        for _ in 0..100 {
            wire.segment(*from, 80, (Flags::ACK, IRS + 1, everything), &Options::default(), b"");
            wire.out();
        }
    }
    assert!(wire.stack.tcp_usage().memory < LIMIT / 2);
    for (_, id, _) in &connections {
        assert!(wire.stack.tcp_send(wire.now, *id, &[7; 1000]).is_ok());
    }
}
