//! TIME-WAIT without anybody who holds it: small, bounded, hard to end, and easy to follow.

use super::*;
use crate::event::StateCause;
use crate::stack::{ListenerId, TcpId};
use crate::tcp;
use crate::wire::tcp_options::Timestamps;

const PORT: u16 = 80;
const CLIENT_ISN: u32 = 5000;

fn wire(limit: usize) -> (Wire, ListenerId) {
    let mut wire = Wire::new(Config { time_wait_limit: limit, ..Config::default() });
    let listener = wire.stack.tcp_listen((OURS, PORT).into(), 8, tcp::Config::default()).expect("a free port");
    (wire, listener)
}

fn stamp(value: u32) -> Options {
    Options { timestamps: Some(Timestamps { value, echo: 0 }), ..Options::default() }
}

/// A connection that our side closes first, as far as TIME-WAIT; its numbers, and the id if its holder stays.
fn to_time_wait(
    wire: &mut Wire,
    listener: ListenerId,
    from: SocketAddr,
    options: &Options,
    hold: bool,
) -> (u32, Option<TcpId>) {
    let isn = wire.segment(from, PORT, (Flags::SYN, CLIENT_ISN, 0), options, b"")[0].seq;
    wire.segment(from, PORT, (Flags::ACK, CLIENT_ISN + 1, isn + 1), options, b"");
    let id = wire.stack.tcp_accept(listener).expect("a connection");
    if hold {
        wire.stack.tcp_shutdown(wire.now, id)
    } else {
        wire.stack.tcp_close(wire.now, id)
    }
    wire.out();
    let fin = (Flags::FIN | Flags::ACK, CLIENT_ISN + 1, isn + 2);
    assert_eq!(wire.segment(from, PORT, fin, options, b"")[0].ack, CLIENT_ISN + 2);
    wire.told();
    (isn, hold.then_some(id))
}

#[test]
fn it_ends_after_two_msl_and_says_so() {
    let (mut wire, listener) = wire(10);
    to_time_wait(&mut wire, listener, peer(1, 4000), &Options::default(), false);
    assert_eq!((wire.stack.tcp_usage().time_waits, wire.stack.tcp_unfinished()), (1, 0));
    assert!(wire.wait(Duration::from_secs(59)).is_empty());
    assert_eq!(wire.stack.tcp_usage().time_waits, 1);
    wire.told();
    assert!(wire.wait(Duration::from_secs(2)).is_empty());
    assert_eq!(wire.told(), ["TIME-WAIT timer fired", "TIME-WAIT -> CLOSED: 2MSL are over"]);
    assert_eq!(wire.stack.tcp_usage().time_waits, 0);
}

#[test]
fn the_fin_again_is_acknowledged_and_starts_it_again() {
    let (mut wire, listener) = wire(10);
    let from = peer(1, 4000);
    let (isn, _) = to_time_wait(&mut wire, listener, from, &stamp(7), false);
    wire.wait(Duration::from_secs(50));
    let answers = wire.segment(from, PORT, (Flags::FIN | Flags::ACK, CLIENT_ISN + 1, isn + 2), &stamp(9), b"");
    assert_eq!(answers.len(), 1);
    let answer = &answers[0];
    assert_eq!((answer.flags, answer.seq, answer.ack), (Flags::ACK, isn + 2, CLIENT_ISN + 2));
    assert_eq!(
        answer.options.timestamps.map(|timestamps| timestamps.echo),
        Some(7),
        "RFC 7323 §5.3: not in the window"
    );
    wire.wait(Duration::from_secs(50));
    assert_eq!(wire.stack.tcp_usage().time_waits, 1);
    wire.wait(Duration::from_secs(11));
    assert_eq!(wire.stack.tcp_usage().time_waits, 0);
}

/// RFC 1337.
#[test]
fn no_reset_ends_it() {
    let (mut wire, listener) = wire(10);
    let from = peer(1, 4000);
    let (isn, _) = to_time_wait(&mut wire, listener, from, &Options::default(), false);
    for (flags, seq) in [(Flags::RST, 2), (Flags::RST, 1), (Flags::RST | Flags::ACK, 2), (Flags::RST | Flags::SYN, 9)] {
        assert!(wire.segment(from, PORT, (flags, CLIENT_ISN + seq, isn + 2), &Options::default(), b"").is_empty());
    }
    assert_eq!(wire.stack.tcp_usage().time_waits, 1);
    assert_eq!(wire.told(), ["RST in TIME-WAIT, which it may not end (RFC 1337)"; 4]);
}

/// RFC 6191 §2. What is refused is challenged and changes nothing.
#[test]
fn only_a_newer_syn_begins_anew() {
    // Timestamp of the old connection, and of the SYN; the SYN's place behind the old FIN; whether it begins anew.
    let table = [
        (None, None, 100, true),
        (None, None, 0, false),
        (None, None, -100, false),
        (None, Some(1), -100, true),
        (Some(50), Some(51), -100, true),
        (Some(50), Some(50), 100, true),
        (Some(50), Some(50), -100, false),
        (Some(50), Some(49), 100, false),
        (Some(50), None, 100, true),
        (Some(50), None, -100, false),
    ];
    for (old, new, place, begins) in table {
        for hold in [false, true] {
            let (mut wire, listener) = wire(10);
            let options = |value: Option<u32>| value.map_or_else(Options::default, stamp);
            let (isn, _) = to_time_wait(&mut wire, listener, peer(1, 4000), &options(old), hold);
            let seq = (CLIENT_ISN + 2).wrapping_add_signed(place);
            let answers = wire.segment(peer(1, 4000), PORT, (Flags::SYN, seq, 0), &options(new), b"");
            let what = format!("{old:?} {new:?} {place} {hold}");
            assert_eq!(answers.len(), 1, "{what}");
            let told = wire.told();
            let anew = format!("TIME-WAIT -> CLOSED: {}", StateCause::NewIncarnation);
            assert_eq!(told.contains(&anew), begins, "{what}: {told:?}");
            if begins {
                assert_eq!(
                    (answers[0].flags, answers[0].ack),
                    (Flags::SYN | Flags::ACK, seq.wrapping_add(1)),
                    "{what}"
                );
                assert!(tcp::Seq(answers[0].seq).after(tcp::Seq(isn + 2)), "{what}: beyond the old numbers");
            } else {
                assert_eq!((answers[0].flags, answers[0].seq), (Flags::ACK, isn + 2), "{what}");
            }
        }
    }
}

/// RFC 9293 §3.6.1 (MAY-2), (2): it returns to TIME-WAIT if the SYN turns out to be an old duplicate.
#[test]
fn a_syn_that_nobody_stands_behind_leaves_it_where_it_was() {
    for hold in [false, true] {
        let (mut wire, listener) = wire(10);
        let from = peer(1, 4000);
        to_time_wait(&mut wire, listener, from, &Options::default(), hold);
        wire.wait(Duration::from_secs(30));
        let answers = wire.segment(from, PORT, (Flags::SYN, CLIENT_ISN + 100, 0), &Options::default(), b"");
        let reset = (Flags::RST, CLIENT_ISN + 101, 0);
        assert_eq!(answers[0].flags, Flags::SYN | Flags::ACK);
        assert!(wire.segment(from, PORT, reset, &Options::default(), b"").is_empty());
        assert_eq!(wire.stack.tcp_usage().time_waits, 1, "hold {hold}");
        wire.wait(Duration::from_secs(31));
        assert_eq!(wire.stack.tcp_usage().time_waits, 0, "the time that was left");
    }
}

#[test]
fn a_syn_is_refused_where_nobody_listens() {
    for hold in [false, true] {
        let (mut wire, listener) = wire(10);
        let (isn, _) = to_time_wait(&mut wire, listener, peer(1, 4000), &Options::default(), hold);
        wire.stack.tcp_close_listener(wire.now, listener);
        let syn = (Flags::SYN, CLIENT_ISN + 100, 0);
        let answers = wire.segment(peer(1, 4000), PORT, syn, &Options::default(), b"");
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].flags, answers[0].seq, answers[0].ack), (Flags::ACK, isn + 2, CLIENT_ISN + 2));
        let fin = (Flags::FIN | Flags::ACK, CLIENT_ISN + 1, isn + 2);
        assert_eq!(wire.segment(peer(1, 4000), PORT, fin, &Options::default(), b"").len(), 1, "it is still there");
    }
}

#[test]
fn the_oldest_gives_way_and_is_told() {
    let (mut wire, listener) = wire(3);
    for port in 4000..4005 {
        let (_, _) = to_time_wait(&mut wire, listener, peer(1, port), &Options::default(), false);
        wire.wait(Duration::from_secs(1));
    }
    assert_eq!(wire.stack.tcp_usage().time_waits, 3);
    // The oldest is forgotten: its FIN belongs to no connection.
    let fin = (Flags::FIN | Flags::ACK, CLIENT_ISN + 1, 1);
    assert_eq!(wire.segment(peer(1, 4000), PORT, fin, &Options::default(), b"")[0].flags, Flags::RST);
    assert_eq!(wire.segment(peer(1, 4004), PORT, fin, &Options::default(), b"")[0].flags, Flags::ACK);
}

#[test]
fn an_eviction_is_told() {
    let (mut wire, listener) = wire(1);
    to_time_wait(&mut wire, listener, peer(1, 4000), &Options::default(), false);
    let isn = wire.segment(peer(1, 4001), PORT, (Flags::SYN, CLIENT_ISN, 0), &Options::default(), b"")[0].seq;
    wire.segment(peer(1, 4001), PORT, (Flags::ACK, CLIENT_ISN + 1, isn + 1), &Options::default(), b"");
    let id = wire.stack.tcp_accept(listener).expect("a connection");
    wire.stack.tcp_close(wire.now, id);
    wire.out();
    wire.told();
    wire.segment(peer(1, 4001), PORT, (Flags::FIN | Flags::ACK, CLIENT_ISN + 1, isn + 2), &Options::default(), b"");
    let told = wire.told();
    assert!(told.contains(&format!("TIME-WAIT -> CLOSED: {}", StateCause::Evicted)), "{told:?}");
}

/// A local port whose connection is in TIME-WAIT is not free for another to the same place.
#[test]
fn its_tuple_is_taken() {
    let (mut wire, listener) = wire(10);
    to_time_wait(&mut wire, listener, peer(1, 4000), &Options::default(), false);
    let local = Some((OURS, PORT).into());
    let error = wire.stack.tcp_connect(wire.now, peer(1, 4000), local, tcp::Config::default()).expect_err("taken");
    assert!(matches!(error, tcp::ConnectError::AddressInUse { .. }));
}

/// When both sides close at once, the last segment is an acknowledgement that asks for no answer.
#[test]
fn a_simultaneous_close_leaves_a_record_as_well() {
    let (mut wire, listener) = wire(10);
    let (from, options) = (peer(1, 4000), Options::default());
    let isn = wire.segment(from, PORT, (Flags::SYN, CLIENT_ISN, 0), &options, b"")[0].seq;
    wire.segment(from, PORT, (Flags::ACK, CLIENT_ISN + 1, isn + 1), &options, b"");
    let id = wire.stack.tcp_accept(listener).expect("a connection");
    wire.stack.tcp_close(wire.now, id);
    wire.out();
    wire.segment(from, PORT, (Flags::FIN | Flags::ACK, CLIENT_ISN + 1, isn + 1), &options, b"");
    wire.segment(from, PORT, (Flags::ACK, CLIENT_ISN + 2, isn + 2), &options, b"");
    let usage = wire.stack.tcp_usage();
    assert_eq!((usage.connections, usage.time_waits), (0, 1));
}
