//! What the path over a TAP carries: our stack beside smoltcp as it is shipped, in turns, on the same kind of TAP, with
//! the kernel's own TCP (cubic) and UDP at the other end. Plain frames of 1,500 bytes.
//!
//! `scripts/bench` runs it. Every round is a process of its own in a namespace of its own; what is printed is the
//! median over the rounds, and the median of the rounds' ratios, with the smallest and the largest.

mod client;
mod ours;
mod rival;

use std::fmt;
use std::process::Command;
use std::time::Duration;

/// How long one workload runs in one round.
const SPAN: Duration = Duration::from_millis(1500);
const DEFAULT_ROUNDS: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Workload {
    BulkIn,
    BulkOut,
    Requests1,
    Requests32,
    SmallPackets,
}

impl Workload {
    const ALL: [Workload; 5] =
        [Workload::BulkIn, Workload::BulkOut, Workload::Requests1, Workload::Requests32, Workload::SmallPackets];

    fn name(self) -> &'static str {
        match self {
            Workload::BulkIn => "bulk-in",
            Workload::BulkOut => "bulk-out",
            Workload::Requests1 => "requests-1",
            Workload::Requests32 => "requests-32",
            Workload::SmallPackets => "small-packets",
        }
    }

    /// Gives the figure in the unit of the table.
    fn run(self, server: std::net::Ipv4Addr) -> f64 {
        match self {
            Workload::BulkIn => client::bulk_in(server, SPAN) / 1e9,
            Workload::BulkOut => client::bulk_out(server, SPAN) / 1e9,
            Workload::Requests1 => client::requests(server, 1, SPAN) / 1e3,
            Workload::Requests32 => client::requests(server, 32, SPAN) / 1e3,
            Workload::SmallPackets => client::small_packets(server, SPAN) / 1e3,
        }
    }
}

/// What the table says of a workload.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Workload::BulkIn => "bulk in, Gbit/s",
            Workload::BulkOut => "bulk out, Gbit/s",
            Workload::Requests1 => "requests of 1 KiB, 1 connection, 1000/s",
            Workload::Requests32 => "requests of 1 KiB, 32 connections, 1000/s",
            Workload::SmallPackets => "UDP echo of 32 bytes, 1000 pairs/s",
        })
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["round", stack, workload] => round(stack, workload),
        [] => compare(DEFAULT_ROUNDS),
        ["--rounds", rounds] => compare(rounds.parse().expect("--rounds takes a number")),
        _ => {
            eprintln!("usage: tap [--rounds N]");
            std::process::exit(2);
        }
    }
}

/// One stack under one workload, in this process.
fn round(stack: &str, workload: &str) {
    let workload = Workload::ALL.into_iter().find(|known| known.name() == workload).expect("a known workload");
    let figure = match stack {
        "ours" => ours::serve(|server| workload.run(server)),
        "smoltcp" => rival::serve(|server| workload.run(server)),
        other => panic!("{other} is no stack of this benchmark"),
    };
    println!("{figure}");
}

fn compare(rounds: usize) {
    println!("{:<45} {:>9} {:>9}   ratio (min to max of {rounds} rounds)", "", "strata", "smoltcp");
    for workload in Workload::ALL {
        let pairs: Vec<(f64, f64)> =
            (0..rounds).map(|_| (in_child("ours", workload), in_child("smoltcp", workload))).collect();
        let mut ratios: Vec<f64> = pairs.iter().map(|(ours, rival)| ours / rival).collect();
        let ratio = median(&mut ratios);
        println!(
            "{workload:<45} {:>9.2} {:>9.2}   {ratio:.2} ({:.2} to {:.2})",
            median(&mut pairs.iter().map(|pair| pair.0).collect::<Vec<_>>()),
            median(&mut pairs.iter().map(|pair| pair.1).collect::<Vec<_>>()),
            ratios[0],
            ratios[ratios.len() - 1],
        );
    }
}

fn in_child(stack: &str, workload: Workload) -> f64 {
    let program = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(program).args(["round", stack, workload.name()]).output().expect("a child process");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| {
        panic!("{stack} under {} failed:\n{text}\n{}", workload.name(), String::from_utf8_lossy(&output.stderr))
    })
}

/// Sorts the figures; gives the middle one.
fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
