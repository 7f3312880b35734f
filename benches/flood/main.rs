//! A flood of SYNs in real time, against a stack that serves a bulk transfer and new clients on the same processors.
//!
//! ```text
//!   kernel: one bulk transfer ──────────┐
//!   kernel: a new client each 10 ms ────┼── TAP ── our stack, one thread, default settings
//!   AF_PACKET: 20,000 SYNs a second, ───┘
//!     each from another address
//! ```
//!
//! `scripts/flood` runs it. Windows without the flood and with it take turns, so that what the machine does meanwhile
//! touches both alike; what is told is the ratio within a pair. Whoever floods sits on the same machine: what making
//! the SYNs and throwing away their answers takes is told too, and counts against us.

mod clients;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod syns;
mod transfer;
mod window;

use clap::{Parser, ValueEnum};
use clients::Clients;
use report::Report;
use std::process::Command;
use std::time::Duration;
use support::{CLIENT, server};
use syns::Flood;
use transfer::Transfer;
use window::Observer;

/// What a flood of SYNs does to a bulk transfer, to new clients and to memory.
#[derive(Parser)]
struct Arguments {
    /// SYNs in all, for each direction of the transfer; a million is the full measure.
    #[arg(long, default_value_t = 200_000)]
    syns: u64,
    /// SYNs a second.
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// How long a window with the flood, or without, takes, in seconds.
    #[arg(long, default_value_t = 2.0)]
    window: f64,
    /// What is transferred meanwhile; by default first the one, then the other.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Bulk::In, Bulk::Out])]
    bulk: Vec<Bulk>,
    /// One line of JSON for each window, in place of the table.
    #[arg(long)]
    json: bool,
    /// What the program calls itself with: one direction in a process of its own.
    #[arg(long, hide = true)]
    here: bool,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Which way the bulk goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Bulk {
    /// To our stack.
    In,
    /// From our stack.
    Out,
    /// None: what the flood alone takes.
    None,
}

impl Bulk {
    fn name(self) -> &'static str {
        match self {
            Bulk::In => "in",
            Bulk::Out => "out",
            Bulk::None => "none",
        }
    }
}

fn main() {
    let arguments = Arguments::parse();
    match arguments.bulk[..] {
        [bulk] if arguments.here => measure(bulk, &arguments),
        _ => arguments.bulk.iter().for_each(|bulk| in_child(*bulk, &arguments)),
    }
}

/// A stack and a namespace of its own for each direction.
fn in_child(bulk: Bulk, arguments: &Arguments) {
    let program = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(program);
    command.args(["--here", "--bulk", bulk.name(), "--syns", &arguments.syns.to_string()]);
    command.args(["--rate", &arguments.rate.to_string(), "--window", &arguments.window.to_string()]);
    command.args(arguments.json.then_some("--json"));
    support::machine::run(&mut command);
}

fn measure(bulk: Bulk, arguments: &Arguments) {
    let config = strata::stack::Config { gateway: Some(CLIENT.into()), ..strata::stack::Config::default() };
    let (worker, host) = server::serve(server::tap(true), config, server::Habits::default());
    let (transfer, clients, flood) = (Transfer::begin(bulk), Clients::begin(), Flood::new(arguments.rate));
    let mut observer = Observer { worker, host, transfer, clients, flood };
    let span = Duration::from_secs_f64(arguments.window);
    let pairs = (arguments.syns as f64 / arguments.rate as f64 / arguments.window).ceil().max(1.0) as usize;
    // The transfer comes up to its rate and the buffers to their size.
    observer.window(span.max(Duration::from_secs(2)), false);
    let mut report = Report::new(bulk, arguments.rate, span);
    for _ in 0..pairs {
        let pair = [false, true].map(|flooded| observer.window(span, flooded));
        if arguments.json {
            pair.iter().for_each(|window| println!("{}", window.to_json(bulk)));
        }
        report.add(pair);
    }
    if !arguments.json {
        print!("{report}");
    }
}
