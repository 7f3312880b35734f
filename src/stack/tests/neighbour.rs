//! What TCP tells the neighbour cache: that the peer hears us, or that nothing comes back.

use super::*;
use crate::tcp;

const IRS: u32 = 5000;

/// An accepted connection, its peer's neighbour entry a minute old.
fn connected() -> (Wire, crate::stack::TcpId, u32) {
    let mut wire = Wire::new(Config::default());
    let listener = wire.stack.tcp_listen((OURS, 80).into(), 8, tcp::Config::default()).expect("a free port");
    let isn = wire.segment(peer(1, 4000), 80, (Flags::SYN, IRS, 0), &Options::default(), b"")[0].seq;
    wire.segment(peer(1, 4000), 80, (Flags::ACK, IRS + 1, isn + 1), &Options::default(), b"");
    let id = wire.stack.tcp_accept(listener).expect("a connection");
    wire.wait(Duration::from_secs(60));
    wire.told();
    (wire, id, isn)
}

fn of_neighbours(wire: &Wire) -> Vec<String> {
    wire.told().into_iter().filter(|text| text.starts_with("neighbour")).collect()
}

/// RFC 4861 §7.3.1: not every segment of a known connection says that the neighbour takes our packets.
#[test]
fn only_progress_confirms_the_neighbour() {
    let (mut wire, id, isn) = connected();
    wire.stack.tcp_send(wire.now, id, b"hello").expect("room");
    wire.out();
    assert_eq!(
        of_neighbours(&wire),
        [
            "neighbour REACHABLE -> STALE: the reachable time is over",
            "neighbour STALE -> DELAY: a packet goes to a stale address"
        ]
    );
    for (flags, seq, ack) in [(Flags::ACK, IRS + 1, isn + 1), (Flags::ACK, IRS, isn + 6), (Flags::RST, IRS + 9, 0)] {
        wire.segment(peer(1, 4000), 80, (flags, seq, ack), &Options::default(), b"");
        assert!(of_neighbours(&wire).is_empty(), "an old ACK, one outside of the window, a blind reset");
    }
    wire.segment(peer(1, 4000), 80, (Flags::ACK, IRS + 1, isn + 6), &Options::default(), b"");
    assert_eq!(of_neighbours(&wire), ["neighbour DELAY -> REACHABLE: an upper layer confirms it"]);
}

// MUST-20
#[test]
fn after_three_timeouts_the_neighbour_is_asked() {
    let (mut wire, id, isn) = connected();
    wire.stack.tcp_send(wire.now, id, b"hello").expect("room");
    wire.out();
    wire.segment(peer(1, 4000), 80, (Flags::ACK, IRS + 1, isn + 6), &Options::default(), b"");
    wire.stack.tcp_send(wire.now, id, b"again").expect("room");
    wire.told();
    wire.wait(Duration::from_secs(20));
    let told = wire.told();
    let timeouts: Vec<usize> = (0..told.len()).filter(|at| told[*at] == "retransmission timer fired").collect();
    let doubt = told.iter().position(|text| text == "neighbour REACHABLE -> PROBE: an upper layer hears nothing");
    let doubt = doubt.unwrap_or_else(|| panic!("{told:?}"));
    assert!(timeouts[2] < doubt && timeouts[3] > doubt, "{told:?}");
}

/// The question once stood in a queue until some other timer fired.
#[test]
fn a_doubted_neighbour_is_asked_at_once() {
    let (mut wire, id, isn) = connected();
    wire.stack.tcp_send(wire.now, id, b"hello").expect("room");
    wire.out();
    wire.segment(peer(1, 4000), 80, (Flags::ACK, IRS + 1, isn + 6), &Options::default(), b"");
    wire.stack.tcp_send(wire.now, id, b"again").expect("room");
    wire.out();
    wire.told();
    while !wire.told().iter().any(|text| text.ends_with("PROBE: an upper layer hears nothing")) {
        wire.now = wire.now.max(wire.stack.next_deadline().expect("a timer runs"));
        wire.stack.handle_timeout(wire.now);
        let asks =
            std::iter::from_fn(|| wire.stack.poll_transmit(wire.now)).any(|frame| frame.to_vec()[12..14] == [8, 6]);
        let doubted = wire.told.0.lock().expect("nobody panics with it").iter().any(|text| text.contains("-> PROBE"));
        assert_eq!(asks, doubted);
    }
}
