//! What a path over a TAP carries: our stack beside the limit of the path, beside smoltcp, and beside the kernel.
//!
//! `scripts/bench` runs it. Every sample is a process of its own in a namespace of its own; a round runs every stack
//! under a workload in turn, so that what the machine does meanwhile touches them alike; what is told is the median
//! over the rounds of the ratio within a round. Rounds of which somebody else's machine took much are left out.

mod client;
mod markdown;
mod memory;
mod picture;
mod report;
mod sample;
mod stacks;
#[path = "../support/mod.rs"]
mod support;
mod targets;
mod workload;

use clap::Parser;
use report::Results;
use sample::Spans;
use stacks::Stack;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use workload::Workload;

/// Our stack beside the limit of the path, smoltcp and the kernel, in turns.
#[derive(Parser)]
struct Arguments {
    /// How often each workload is run on each stack.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// More of them, or fewer, for one workload: `bulk-in-1=20`. For one whose ratio moves much between rounds.
    #[arg(long, value_name = "WORKLOAD=ROUNDS", value_delimiter = ',', value_parser = rounds_of)]
    rounds_of: Vec<(Workload, usize)>,
    /// How long one sample takes, in milliseconds.
    #[arg(long, default_value_t = 1500)]
    span: u64,
    /// Only workloads whose names begin so; `--list` names them.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these stacks.
    #[arg(long, value_delimiter = ',')]
    stacks: Vec<String>,
    /// Everything again beside each of so many idle connections: 10000,100000. By default a round trip and requests are.
    #[arg(long, value_delimiter = ',')]
    beside: Vec<usize>,
    /// How long opening the idle connections may take, in seconds; a stack that needs longer is left out, and named.
    #[arg(long, default_value_t = 20)]
    patience: u64,
    /// Names the workloads, and does nothing.
    #[arg(long)]
    list: bool,
    /// One line of JSON for each sample, in place of the table.
    #[arg(long)]
    json: bool,
    /// The same lines into a file, beside the table.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The table and the picture of what was saved, and nothing is run.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The table and the targets as Markdown, for the manual.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
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

impl Arguments {
    fn spans(&self) -> Spans {
        Spans { work: Duration::from_millis(self.span), opening: Duration::from_secs(self.patience) }
    }

    fn rounds(&self, workload: Workload) -> usize {
        let own = self.rounds_of.iter().find(|(of, _)| *of == workload);
        own.map_or(self.rounds, |(_, rounds)| *rounds)
    }

    /// The rounds of a group, in each every workload of it that has so many.
    fn turns(&self, group: &[Workload]) -> impl Iterator<Item = (usize, Workload)> {
        let most = group.iter().map(|workload| self.rounds(*workload)).max().unwrap_or(0);
        let of = move |round| group.iter().filter(move |workload| round < self.rounds(**workload));
        (0..most).flat_map(move |round| of(round).map(move |workload| (round, *workload)))
    }

    /// The workloads that are wanted, and the stacks.
    fn plan(&self) -> (Vec<Vec<Workload>>, Vec<Stack>) {
        let chosen = |workload: &Workload| begins(&self.only, &workload.to_string());
        let groups = Workload::groups(&self.beside).into_iter();
        let groups = groups.map(|group| group.into_iter().filter(chosen).collect::<Vec<_>>());
        let stacks = Stack::ALL
            .into_iter()
            .filter(|stack| self.stacks.is_empty() || self.stacks.iter().any(|name| name == stack.name()));
        (groups.filter(|group| !group.is_empty()).collect(), stacks.collect())
    }
}

fn rounds_of(text: &str) -> Result<(Workload, usize), String> {
    let (name, rounds) = text.split_once('=').ok_or("not WORKLOAD=ROUNDS")?;
    let workload = Workload::named(name).ok_or_else(|| format!("no workload is called {name}; --list names them"))?;
    Ok((workload, rounds.parse().map_err(|error| format!("{rounds}: {error}"))?))
}

fn begins(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| name.starts_with(wanted.as_str()))
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some(stacks::ROLE) => return stacks::serve_here(&words[2]),
        Some(stacks::HOLDER) => return stacks::hold_here(),
        _ => {}
    }
    let arguments = Arguments::parse();
    if let Some([stack, workload]) = arguments.sample.as_deref() {
        let stack = Stack::named(stack).expect("a known stack");
        let workload = Workload::named(workload).expect("a known workload");
        let outcome = sample::take(stack, workload, arguments.spans());
        return println!("{}", sample::to_json(stack, workload, 0, &outcome));
    }
    let (groups, stacks) = arguments.plan();
    if arguments.list {
        return groups.iter().flatten().for_each(|workload| println!("{workload}"));
    }
    let results = match &arguments.from {
        Some(path) => {
            let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let results = Results::read(&text);
            print!("{results}");
            results
        }
        None => measure(&arguments, &groups, &stacks),
    };
    if !arguments.json {
        print!("{}", targets::judge(&results));
    }
    if let Some(path) = &arguments.svg {
        write(path, &picture::svg(&results));
    }
    if let Some(path) = &arguments.markdown {
        write(path, &markdown::page(&results));
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Runs everything, in turns, and tells of each group when it is through.
fn measure(arguments: &Arguments, groups: &[Vec<Workload>], stacks: &[Stack]) -> Results {
    let mut file = arguments
        .save
        .as_ref()
        .map(|path| std::fs::File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    eprintln!("{}", estimate(arguments, groups, stacks));
    let mut results = Results::default();
    for group in groups {
        for (round, workload) in arguments.turns(group) {
            for stack in turn(round, workload, stacks) {
                let known = results.lasting(stack, workload);
                let outcome = known.unwrap_or_else(|| sample::take_in_child(stack, workload, arguments.spans()));
                let line = sample::to_json(stack, workload, round, &outcome);
                if arguments.json {
                    println!("{line}");
                }
                if let Some(file) = &mut file {
                    writeln!(file, "{line}").expect("a file that can be written");
                }
                results.add(stack, workload, round, outcome);
            }
        }
        if !arguments.json {
            group.iter().for_each(|workload| print!("{}", results.table(*workload)));
        }
    }
    results
}

/// The stacks that are asked in a round. Nobody is always the first.
fn turn(round: usize, workload: Workload, stacks: &[Stack]) -> Vec<Stack> {
    let mut stacks: Vec<Stack> = stacks.iter().copied().filter(|stack| workload.concerns(*stack)).collect();
    let first = round % stacks.len().max(1);
    stacks.rotate_left(first);
    stacks
}

/// How much there is to do.
fn estimate(arguments: &Arguments, groups: &[Vec<Workload>], stacks: &[Stack]) -> String {
    /// Beside the work: a process, a namespace and a stack; and for each idle connection.
    const START: f64 = 0.4;
    const EACH: f64 = 40e-6;
    let seconds = |workload: &Workload| {
        let asked = turn(0, *workload, stacks).into_iter();
        let suited = asked.filter(|stack| workload.unsuited(*stack).is_none()).count() as f64;
        let idle = if workload.idle > 0 { 3.0 + workload.idle as f64 * EACH } else { 0.0 };
        arguments.rounds(*workload) as f64 * suited * (START + arguments.span as f64 / 1e3 + idle)
    };
    let all: f64 = groups.iter().flatten().map(seconds).sum();
    let count = groups.iter().flatten().count();
    format!("{count} workloads, {} rounds: about {:.0} minutes", arguments.rounds, (all / 60.0).ceil())
}
