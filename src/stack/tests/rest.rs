//! Connections that do nothing are folded, and nobody notices.

use super::*;
use crate::stack::TcpId;
use crate::tcp::{self, Keepalive};
use std::mem::discriminant;

const IRS: u32 = 5000;
const FROM: fn() -> SocketAddr = || peer(1, 4000);
const NOTHING: fn() -> Options = Options::default;

/// An accepted connection that has come to rest, and the ISN of ours.
fn resting(config: tcp::Config) -> (Wire, TcpId, u32) {
    let (mut wire, id, isn) = connected(config);
    wire.wait(Duration::from_secs(5));
    assert_eq!(wire.stack.tcp_usage().resting, 1);
    wire.told();
    (wire, id, isn)
}

fn connected(config: tcp::Config) -> (Wire, TcpId, u32) {
    let mut wire = Wire::new(Config::default());
    let listener = wire.stack.tcp_listen((OURS, 80).into(), 8, config).expect("a free port");
    let options = Options { window_scale: Some(7), mss: Some(1460), ..Options::default() };
    let isn = wire.segment(FROM(), 80, (Flags::SYN, IRS, 0), &options, b"")[0].seq;
    wire.segment(FROM(), 80, (Flags::ACK, IRS + 1, isn + 1), &NOTHING(), b"hello");
    let id = wire.stack.tcp_accept(listener).expect("a connection");
    assert_eq!(wire.stack.tcp_receive(id, &mut [0; 100]), Ok(5));
    (wire, id, isn)
}

#[test]
fn a_connection_is_folded_after_a_second_and_looks_as_before() {
    let (mut wire, id, _) = connected(tcp::Config::default());
    wire.wait(Duration::from_millis(900));
    let (status, info) = (wire.stack.tcp_status(id), wire.stack.tcp_info(id));
    assert_eq!(wire.stack.tcp_usage().resting, 0, "not yet");
    wire.wait(Duration::from_millis(2000));
    assert_eq!(wire.stack.tcp_usage().resting, 1);
    assert_eq!((wire.stack.tcp_status(id), wire.stack.tcp_info(id)), (status, info));
    assert_eq!(wire.stack.tcp_remote_addr(id), FROM());
    assert_eq!(discriminant(&wire.stack.tcp_peek(id, &mut [0])), discriminant(&Err(tcp::ReceiveError::WouldBlock)));
    assert_eq!(wire.stack.tcp_usage().resting, 1, "to look at it does not unfold it");
    let next = wire.stack.next_deadline().expect("the path's MTU is forgotten after a while");
    assert!(next > wire.now + Duration::from_secs(60), "and it wants nothing");
}
/// A reader that asks again and again once kept it from resting, a second at a time.
#[test]
fn who_asks_for_data_that_is_not_there_does_not_unfold_it() {
    let (mut wire, id, _) = resting(tcp::Config::default());
    assert_eq!(wire.stack.tcp_receive(id, &mut [0]), Err(tcp::ReceiveError::WouldBlock));
    assert_eq!(wire.stack.tcp_receive_with(id, |bytes| (0, bytes.len())), Err(tcp::ReceiveError::WouldBlock));
    assert_eq!(wire.stack.tcp_peek(id, &mut [0]), Err(tcp::ReceiveError::WouldBlock));
    assert_eq!(wire.stack.tcp_usage().resting, 1);
}

#[test]
fn a_segment_finds_it_as_it_was_and_it_rests_again() {
    let (mut wire, id, isn) = resting(tcp::Config::default());
    let answers = wire.segment(FROM(), 80, (Flags::ACK, IRS + 6, isn + 1), &NOTHING(), b"again");
    assert_eq!(wire.stack.tcp_usage().resting, 0);
    assert_eq!(wire.stack.tcp_receive(id, &mut [0; 100]), Ok(5));
    let acks: Vec<u32> = answers.iter().chain(&wire.wait(Duration::from_secs(5))).map(|header| header.ack).collect();
    assert_eq!(acks, [IRS + 11]);
    assert_eq!(wire.stack.tcp_usage().resting, 1);
}

#[test]
fn a_segment_that_is_not_acceptable_is_answered_as_ever() {
    let (mut wire, _, isn) = resting(tcp::Config::default());
    let answers = wire.segment(FROM(), 80, (Flags::RST | Flags::ACK, IRS + 7, isn + 1), &NOTHING(), b"");
    assert_eq!(answers.len(), 1, "a challenge");
    let answers = wire.segment(FROM(), 80, (Flags::RST | Flags::ACK, IRS + 6, isn + 1), &NOTHING(), b"");
    assert_eq!((answers.len(), wire.told().last().map(String::as_str)), (0, Some("ESTABLISHED -> CLOSED: rcv RST")));
}

#[test]
fn its_keepalive_timer_runs_on() {
    let keepalive = Keepalive { enabled: true, idle: Duration::from_secs(60), ..Keepalive::default() };
    let (mut wire, _, isn) = resting(tcp::Config { keepalive, ..tcp::Config::default() });
    let probes = wire.wait(Duration::from_secs(54));
    assert_eq!(probes.len(), 0);
    assert_eq!(wire.stack.tcp_usage().resting, 1);
    let probes = wire.wait(Duration::from_secs(2));
    assert_eq!(probes.iter().map(|probe| probe.seq).collect::<Vec<_>>(), [isn]);
    wire.segment(FROM(), 80, (Flags::ACK, IRS + 6, isn + 1), &NOTHING(), b"");
    wire.wait(Duration::from_secs(5));
    assert_eq!(wire.stack.tcp_usage().resting, 1);
}

#[test]
fn every_call_unfolds_it() {
    type Call = fn(&mut Wire, TcpId);
    let calls: [(&str, Call, usize); 4] = [
        ("send", |wire, id| assert_eq!(wire.stack.tcp_send(wire.now, id, b"data"), Ok(4)), 1),
        ("shutdown", |wire, id| wire.stack.tcp_shutdown(wire.now, id), 1),
        ("close", |wire, id| wire.stack.tcp_close(wire.now, id), 1),
        ("abort", |wire, id| wire.stack.tcp_abort(wire.now, id), 1),
    ];
    for (name, call, frames) in calls {
        let (mut wire, id, _) = resting(tcp::Config::default());
        call(&mut wire, id);
        assert_eq!(wire.out().len(), frames, "{name}");
        assert_eq!(wire.stack.tcp_usage().resting, 0, "{name}");
    }
}

#[test]
fn one_that_waits_to_be_accepted_rests_as_well() {
    let mut wire = Wire::new(Config::default());
    let listener = wire.stack.tcp_listen((OURS, 80).into(), 8, tcp::Config::default()).expect("a free port");
    let isn = wire.segment(FROM(), 80, (Flags::SYN, IRS, 0), &NOTHING(), b"")[0].seq;
    wire.segment(FROM(), 80, (Flags::ACK, IRS + 1, isn + 1), &NOTHING(), b"");
    wire.wait(Duration::from_secs(5));
    assert_eq!(wire.stack.tcp_usage().resting, 1);
    let id = wire.stack.tcp_accept(listener).expect("a connection");
    wire.segment(FROM(), 80, (Flags::ACK, IRS + 1, isn + 1), &NOTHING(), b"hello");
    assert_eq!(wire.stack.tcp_receive(id, &mut [0; 100]), Ok(5));
}

/// A connection with something unread, or half open with something unsaid, is no connection at rest.
#[test]
fn who_has_something_to_do_is_not_folded() {
    let (mut wire, _, isn) = connected(tcp::Config::default());
    wire.segment(FROM(), 80, (Flags::ACK, IRS + 6, isn + 1), &NOTHING(), b"unread");
    wire.wait(Duration::from_secs(60));
    assert_eq!(wire.stack.tcp_usage().resting, 0);
    let (mut wire, id, _) = connected(tcp::Config::default());
    wire.stack.tcp_send(wire.now, id, b"unacknowledged").expect("room");
    wire.wait(Duration::from_secs(60));
    assert_eq!(wire.stack.tcp_usage().resting, 0);
}

/// Settings that are changed are kept for each that has them, and those that are equal once.
#[test]
fn a_folded_connection_keeps_its_own_settings() {
    let (mut wire, id, _) = connected(tcp::Config::default());
    wire.stack.tcp_configure(wire.now, id, |config| config.ttl = 7);
    wire.wait(Duration::from_secs(5));
    assert_eq!((wire.stack.tcp_usage().resting, wire.stack.tcp_config(id).ttl), (1, 7));
    wire.stack.tcp_configure(wire.now, id, |config| config.ttl = 8);
    wire.wait(Duration::from_secs(5));
    assert_eq!((wire.stack.tcp_usage().resting, wire.stack.tcp_config(id).ttl), (1, 8));
}
