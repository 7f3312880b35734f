use super::*;
use crate::time::Instant;
use std::time::Duration;

fn frame(to: u8, from: u8) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 0][..], &[0; 111]].concat()
}

fn shape(rate: Option<u64>, queue: usize, faults: &str) -> Shape {
    Shape { rate, queue, faults: faults.parse().expect("netem's words"), ..Shape::default() }
}

/// When each of the frames, numbered in their first byte, arrives, in milliseconds.
fn journey(wire: &mut Wire, sent: &[(u64, u8)]) -> Vec<(u64, u8)> {
    for (at, number) in sent {
        wire.put(Instant::from_millis(*at), vec![*number; 125]);
    }
    let mut arrived = Vec::new();
    while let Some(at) = wire.next_deadline() {
        arrived.extend(std::iter::from_fn(|| wire.take(at)).map(|bytes| (at.as_millis(), bytes[0])));
    }
    arrived
}

#[test]
fn frames_wait_leave_and_travel() {
    // 1000 bits at 1 Mbit/s take a millisecond.
    let mut wire = Wire::new(shape(Some(1_000_000), 10, "delay 5ms"), 1);
    assert_eq!(journey(&mut wire, &[(0, 0), (0, 1), (0, 2), (10, 3)]), [(6, 0), (7, 1), (8, 2), (16, 3)]);
    let counters = wire.counters();
    assert_eq!((counters.frames, counters.bytes, counters.longest_queue), (4, 500, 2));
}

#[test]
fn only_those_count_for_the_queue_that_wait() {
    let mut wire = Wire::new(shape(Some(1_000_000), 1, "delay 50ms"), 1);
    // One leaves at 1 ms, one waits until then, the third finds no room; at 1 ms there is some again.
    assert_eq!(journey(&mut wire, &[(0, 0), (0, 1), (0, 2), (1, 3)]), [(51, 0), (52, 1), (53, 3)]);
    assert_eq!((wire.counters().queue_drops, wire.counters().longest_queue), (1, 1));
}

#[test]
fn without_a_rate_nothing_waits() {
    let mut wire = Wire::new(shape(None, 0, "delay 5ms"), 1);
    assert_eq!(journey(&mut wire, &[(0, 0), (0, 1)]), [(5, 0), (5, 1)]);
}

#[test]
fn a_cut_wire_loses_what_leaves_in_that_time() {
    let outages = vec![Outage { from: Duration::from_millis(2), to: Duration::from_millis(4) }];
    let mut wire = Wire::new(Shape { outages, ..shape(None, 0, "delay 3ms") }, 1);
    assert_eq!(journey(&mut wire, &[(1, 1), (2, 2), (3, 3), (4, 4)]), [(4, 1), (7, 4)]);
    assert_eq!(wire.counters().outage_drops, 2);
}

#[test]
fn what_goes_wrong_hangs_on_the_seed_alone() {
    let sent: Vec<(u64, u8)> = (0..200).map(|n| (u64::from(n), n)).collect();
    let run = |seed| {
        let faults = "loss 10% duplicate 5% corrupt 5% delay 10ms 3ms reorder 5%";
        let mut wire = Wire::new(shape(Some(1_000_000), 100, faults), seed);
        (journey(&mut wire, &sent), wire.counters())
    };
    let ((arrived, counters), again) = (run(1), run(1));
    assert_eq!((&arrived, counters), (&again.0, again.1));
    assert_ne!(arrived, run(2).0);
    assert_eq!(arrived.len() as u64, 200 - counters.faults.lost + counters.faults.duplicated);
}

#[test]
fn a_full_queue_says_whose_frames_it_lost() {
    let mut bytes = Vec::new();
    let packet = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64);
    packet.tcp(1000, 5001, 3, 4).write(&mut bytes, &[7; 100]).expect("a vector takes everything");
    let (left, _right) = cable(shape(Some(1_000), 0, "none"), Shape::default(), 1500, 1);
    let meter = left.meter();
    for _ in 0..3 {
        left.put(Instant::ZERO, bytes.clone());
    }
    let address = |text: &str| text.parse().expect("an address");
    assert_eq!(meter.dropped(address("192.0.2.1:1000"), address("192.0.2.2:5001")), 2);
    assert_eq!(meter.dropped(address("192.0.2.2:5001"), address("192.0.2.1:1000")), 0);
}

#[test]
fn a_switch_floods_until_it_has_learned() {
    let plain = || cable(Shape::default(), Shape::default(), 1500, 1);
    let (inner, outer): (Vec<Port>, Vec<Port>) = (0..3).map(|_| plain()).unzip();
    let mut switch = Switch::new(inner);
    let mut send = |from: u8, to: u8| {
        outer[usize::from(from)].put(Instant::ZERO, frame(to, from));
        assert!(switch.turn(Instant::ZERO) && !switch.turn(Instant::ZERO));
        (0..3u8).filter(|host| outer[usize::from(*host)].take(Instant::ZERO).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(send(0, 1), [1, 2], "nobody knows where 1 is");
    assert_eq!(send(1, 0), [0], "0 was seen");
    assert_eq!(send(0, 1), [1], "and 1 as well");
    assert_eq!(send(2, 255), [0, 1], "nobody is 255");
    assert_eq!(send(0, 0), [] as [u8; 0], "it is where it came from");
    outer[0].put(Instant::ZERO, vec![1; 7]);
    assert!(switch.turn(Instant::ZERO), "and what is no frame disappears");
    assert!(outer.iter().all(|port| port.take(Instant::ZERO).is_none()));
}
