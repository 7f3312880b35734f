//! What a path over a TAP carries: our stack beside the limit of the path, beside smoltcp, and beside the kernel.
//!
//! `scripts/bench` runs it. Every sample is a process of its own in a namespace of its own; a round runs every stack
//! under a workload in turn, so that what the machine does meanwhile touches them alike; what is told is the median
//! over the rounds of the ratio within a round. Rounds of which somebody else's machine took much are left out.

mod client;
mod report;
mod sample;
mod stacks;
#[path = "../support/mod.rs"]
mod support;
mod workload;

use clap::Parser;
use sample::Sample;
use stacks::Stack;
use std::path::PathBuf;
use std::time::Duration;
use workload::Workload;

/// Our stack beside the limit of the path, smoltcp and the kernel, in turns.
#[derive(Parser)]
struct Arguments {
    /// How often each workload is run on each stack.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long one sample takes, in milliseconds.
    #[arg(long, default_value_t = 1500)]
    span: u64,
    /// Only workloads whose names begin so; `--list` names them.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these stacks.
    #[arg(long, value_delimiter = ',')]
    stacks: Vec<String>,
    /// Names the workloads, and does nothing.
    #[arg(long)]
    list: bool,
    /// One line of JSON for each sample, in place of the table.
    #[arg(long)]
    json: bool,
    /// A picture of the ratios.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// One sample: the stack and the workload. What the program calls itself with.
    #[arg(long, hide = true, num_args = 2)]
    sample: Option<Vec<String>>,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    if std::env::args().nth(1).is_some_and(|role| role == stacks::SERVE_KERNEL) {
        return stacks::serve_kernel();
    }
    let arguments = Arguments::parse();
    let span = Duration::from_millis(arguments.span);
    let workloads = Workload::all().into_iter().filter(|workload| chosen(&arguments.only, &workload.to_string()));
    if let Some([stack, workload]) = arguments.sample.as_deref() {
        let stack = Stack::ALL.into_iter().find(|known| known.name() == stack).expect("a known stack");
        let workload = Workload::all().into_iter().find(|known| known.to_string() == *workload);
        return println!("{}", Sample::take(stack, workload.expect("a known workload"), span).to_json());
    }
    if arguments.list {
        return workloads.for_each(|workload| println!("{workload}"));
    }
    let mut results = Vec::new();
    for workload in workloads {
        let stacks = Stack::ALL.into_iter().filter(|stack| workload.suits(*stack));
        let stacks: Vec<Stack> = stacks.filter(|stack| chosen(&arguments.stacks, stack.name())).collect();
        let mut rounds = Vec::new();
        for _ in 0..arguments.rounds {
            let round: Vec<Sample> = stacks.iter().map(|stack| Sample::in_child(*stack, workload, span)).collect();
            if arguments.json {
                round.iter().for_each(|sample| println!("{}", sample.to_json()));
            }
            rounds.push(round);
        }
        let result = report::Result::of(workload, &stacks, rounds);
        if !arguments.json {
            print!("{result}");
        }
        results.push(result);
    }
    if let Some(path) = arguments.svg {
        std::fs::write(&path, report::svg(&results)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn chosen(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| name.starts_with(wanted.as_str()))
}
