//! The checksum beside copying the same bytes, in the same run: what no other load of the machine changes much.
//!
//! It fails when summing a segment takes more than [`MOST`] times as long as copying it. The trap that it guards against:
//! the same loop ran at 50 or at 12 GB/s, depending on what was inlined where.

use std::hint::black_box;
use std::time::{Duration, Instant};
use strata::wire::checksum::Sum;

/// A segment of an Ethernet frame, a jumbo frame, a super-frame.
const LENS: [usize; 3] = [1448, 8948, 65_160];
const ROUNDS: usize = 50;
/// What each round goes through, in bytes.
const BYTES: usize = 4 << 20;
/// Copying runs at up to 130 GB/s where the sum, in vectors of 128 bits, runs at 45; beside busy neighbours at 98, and the
/// sum at 18. The slow form takes four times as long as the sum.
const MOST: f64 = 8.0;

fn main() {
    let source: Vec<u8> = (0..70_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
    let mut copy = source.clone();
    let mut slow = false;
    for len in LENS {
        let bytes = &source[2..2 + len];
        let sum = fastest(len, || _ = black_box(Sum::default().plus(black_box(bytes))));
        let copied = fastest(len, || copy[..len].copy_from_slice(black_box(bytes)));
        black_box(&copy);
        let ratio = sum.as_secs_f64() / copied.as_secs_f64();
        let rate = len as f64 / sum.as_secs_f64() / 1e9;
        println!("checksum of {len:6} bytes: {sum:9.1?}, {rate:5.1} GB/s, {ratio:.2} times a copy");
        slow |= ratio > MOST;
    }
    if slow {
        eprintln!("the checksum takes more than {MOST} times as long as a copy: is its loop still vectorised?");
        std::process::exit(1);
    }
}

/// The time that one call takes, in the round that was disturbed least.
fn fastest(len: usize, mut call: impl FnMut()) -> Duration {
    let calls = (BYTES / len) as u32;
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed() / calls
    });
    rounds.min().unwrap_or_default()
}
