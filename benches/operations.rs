//! What single operations cost, each by itself: `cargo bench --bench operations`, or with a part of a name behind `--`.
//!
//! Times, not counts: what the processor's caches make of a table or a ring shows here. Whether a change made an
//! operation slower, criterion says by itself; on a machine that others use too, `scripts/instructions` says it better.

#[path = "../tests/support/crowd.rs"]
mod crowd;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use crowd::Crowd;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use strata::event::{Context, FourTuple, SendReason};
use strata::frame::{Frame, Payload};
use strata::pool::Pool;
use strata::random::Random;
use strata::stack::parts::Deadlines;
use strata::tcp::parts::{Ack, Path, ReceiveBuffer, Recovery, SendBuffer};
use strata::tcp::{LossRecovery, emit};
use strata::time::Instant;
use strata::wire::checksum::Sum;
use strata::wire::tcp::{Flags, Header};
use strata::wire::tcp_options::{Options, Timestamps};

/// The data of a full segment with timestamps, and of a super-frame of them.
const SEGMENT: usize = 1448;
const SUPER_FRAME: usize = 44 * SEGMENT;
/// A path with so many holes is one on which much gets lost.
const HOLES: u64 = 100;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn main() {
    let (warm_up, measurement) = (Duration::from_millis(300), Duration::from_secs(1));
    let mut criterion =
        Criterion::default().warm_up_time(warm_up).measurement_time(measurement).sample_size(50).configure_from_args();
    checksums(&mut criterion.benchmark_group("checksum"));
    segments(&mut criterion.benchmark_group("segment"));
    look_ups(&mut criterion.benchmark_group("connection look-up"));
    timers(&mut criterion.benchmark_group("timer"));
    rings(&mut criterion.benchmark_group("ring"));
    reassembly(&mut criterion.benchmark_group("reassembly"));
    scoreboard(&mut criterion.benchmark_group("scoreboard"));
    criterion.final_summary();
}

fn checksums(group: &mut Group<'_>) {
    for len in [64, 1460, 64 * 1024] {
        // Behind an Ethernet header, as it comes.
        let bytes = vec![7; len + 2];
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |b| {
            b.iter(|| Sum::default().plus(black_box(&bytes[2..])).checksum());
        });
    }
}

fn segments(group: &mut Group<'_>) {
    let header = Header {
        source_port: 80,
        destination_port: 40_000,
        seq: 1,
        ack: 1,
        flags: Flags::ACK,
        window: 512,
        options: Options { timestamps: Some(Timestamps { value: 1, echo: 2 }), ..Options::default() },
        ..Header::default()
    };
    let mut bytes = header.emit(|bytes| bytes.to_vec());
    bytes.resize(bytes.len() + SEGMENT, 7);
    group.bench_function("parse", |b| b.iter(|| black_box(Header::parse(black_box(&bytes)))));
    let address = |last| (IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), 80).into();
    let tuple = FourTuple { local: address(2), remote: address(1) };
    let (mut random, mut pool, mut frames) = (Random::new(1), Pool::default(), 0);
    let mut cx = Context::new(Instant::ZERO, &mut random, &mut pool, &mut frames, None);
    let data = Bytes::from(vec![7; SEGMENT]);
    for (name, partial) in [("emit, checksum left to the device", true), ("emit, with checksum", false)] {
        cx.partial_checksum = partial;
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut payload = Payload::default();
                payload.push(data.clone());
                let mut frame = Frame::new(cx.begin_frame(), payload);
                emit(&mut cx, &mut frame, black_box(&tuple), black_box(&header), SendReason::Data);
                frame
            });
        });
    }
}

/// In an order that no cache foresees.
fn scattered(at: &mut usize, count: usize) -> usize {
    *at = (*at + 61_803) % count;
    *at
}

fn look_ups(group: &mut Group<'_>) {
    for count in [10, 100_000] {
        let mut crowd = Crowd::new(count);
        crowd.open(count);
        let server = &crowd.server;
        let tuple = |id| FourTuple { local: server.tcp_local_addr(id), remote: server.tcp_remote_addr(id) };
        let tuples: Vec<FourTuple> = crowd.connections.iter().map(|(_, id)| tuple(*id)).collect();
        let mut at = 0;
        group.bench_function(BenchmarkId::new("among", count), |b| {
            b.iter(|| server.tcp_find(black_box(&tuples[scattered(&mut at, count)])).expect("it is there"));
        });
    }
}

fn timers(group: &mut Group<'_>) {
    for count in [10, 100_000] {
        let (mut deadlines, mut filed) = (Deadlines::default(), vec![None; count]);
        // The others are due in two hours, in any order.
        let later = |at: usize| Instant::from_secs(7200) + Duration::from_micros(at as u64 * 7919 % 1_000_000);
        (0..count).for_each(|at| deadlines.file(at, Some(later(at)), &mut filed[at]));
        let mut now = Instant::from_secs(1);
        group.bench_function(BenchmarkId::new("set and stop among", count), |b| {
            b.iter(|| {
                now += Duration::from_micros(1);
                let mut filed = None;
                deadlines.file(count, Some(now + Duration::from_millis(200)), &mut filed);
                deadlines.forget(count, filed);
            });
        });
        group.bench_function(BenchmarkId::new("set and expire among", count), |b| {
            b.iter(|| {
                now += Duration::from_micros(1);
                deadlines.file(count, Some(now), &mut None);
                deadlines.take_due(now).expect("its time has come")
            });
        });
        let mut at = 0;
        group.bench_function(BenchmarkId::new("move any of", count), |b| {
            b.iter(|| {
                now += Duration::from_micros(1);
                let at = scattered(&mut at, count);
                deadlines.forget(at, filed[at].take());
                deadlines.file(at, Some(later(at) + now.since(Instant::ZERO)), &mut filed[at]);
            });
        });
    }
}

fn rings(group: &mut Group<'_>) {
    for len in [SEGMENT, SUPER_FRAME] {
        let (data, mut into) = (vec![7; len], vec![0; len]);
        group.throughput(Throughput::Bytes(len as u64));
        let (mut pool, mut position, mut buffer) = (Pool::default(), 0, ReceiveBuffer::new(0));
        group.bench_function(BenchmarkId::new("receive: insert and read", len), |b| {
            b.iter(|| {
                buffer.insert(position, black_box(&data), &mut pool);
                position += len as u64;
                buffer.read(&mut into, &mut pool)
            });
        });
        let (mut pool, mut position, mut buffer) = (Pool::default(), 0, SendBuffer::new(0));
        group.bench_function(BenchmarkId::new("send: write, cut and acknowledge", len), |b| {
            b.iter(|| {
                buffer.write(black_box(&data), &mut pool);
                let payload = buffer.slice(position, position + len as u64);
                position += len as u64;
                drop(black_box(payload));
                buffer.acknowledge(position, &mut pool);
            });
        });
    }
}

fn reassembly(group: &mut Group<'_>) {
    let (data, each) = (vec![7; SEGMENT], SEGMENT as u64);
    // Every other segment is missing.
    let mut holes = ReceiveBuffer::new(0);
    let mut pool = Pool::default();
    for hole in 0..HOLES {
        holes.insert((2 * hole + 1) * each, &data, &mut pool);
    }
    assert_eq!(holes.ranges().len() as u64, HOLES);
    for (name, at) in [("behind", 2 * HOLES + 1), ("in the middle of", HOLES), ("at the front of", 0)] {
        group.bench_function(format!("a segment {name} {HOLES} holes"), |b| {
            b.iter_batched_ref(
                || holes.clone(),
                |buffer| buffer.insert(at * each, black_box(&data), &mut pool),
                BatchSize::LargeInput,
            );
        });
    }
}

/// A sender of whose segments every other one was sacked; then an acknowledgement tells of one more.
fn scoreboard(group: &mut Group<'_>) {
    let (each, sent, now) = (SEGMENT as u64, 4 * HOLES, Instant::from_secs(1));
    let mut recovery = Recovery::new(LossRecovery::default(), true);
    (0..sent).for_each(|number| recovery.on_sent(number * each, (number + 1) * each, 1, now));
    let rtt = Some(Duration::from_millis(10));
    let ack = |blocks: &[(u64, u64)], recovery: &mut Recovery| {
        let path = Path { mss: each, max_wnd: 1 << 20, min_rtt: rtt, srtt: rtt };
        let now = now + Duration::from_millis(10);
        let nxt = sent * each;
        recovery.on_acknowledged(&Ack {
            now,
            ack: 0,
            una: 0,
            nxt,
            blocks,
            duplicate: true,
            repeated: true,
            echoed: None,
            path,
        })
    };
    // The newest block first, and two of those that were told of before (RFC 2018 §4).
    let block = |hole: u64| ((2 * hole + 1) * each, (2 * hole + 2) * each);
    let blocks = |hole: u64| [block(hole), block(hole.saturating_sub(1)), block(hole.saturating_sub(2))];
    (0..HOLES).for_each(|hole| _ = ack(&blocks(hole), &mut recovery));
    group.bench_function(format!("one more sacked, beside {HOLES} holes"), |b| {
        b.iter_batched_ref(|| recovery.clone(), |recovery| ack(&blocks(HOLES), recovery), BatchSize::LargeInput);
    });
    group.bench_function(format!("the same news again, beside {HOLES} holes"), |b| {
        b.iter(|| ack(black_box(&blocks(HOLES - 1)), &mut recovery));
    });
}
