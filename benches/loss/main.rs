//! Goodput of one flow over a lossy link: our TCP beside smoltcp's, both in virtual time, and beside the Linux kernel's,
//! in real time between two namespaces, all through the same simulated cable.
//!
//! `scripts/loss` runs it and writes the table of the manual, and another of flows that share. What was measured is kept in `target/loss.jsonl`,
//! one line a run; what is there is not measured again, so that it can be stopped. `--only ours` (or smoltcp, linux)
//! measures one of them, `--forget ours` forgets its lines first.

mod kernel;
mod ours;
mod report;
mod rival;
mod sharing;

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use strata::sim::network::Shape;

const LOSSES: [f64; 5] = [0.0, 0.1, 1.0, 3.0, 10.0];
const ROUND_TRIPS: [u64; 3] = [1, 20, 100];
/// Bits a second.
const RATE: u64 = 100_000_000;
/// The least of packets that the queue holds; else as many as are under way in a round trip.
const LEAST_QUEUE: u64 = 100;
const FRAME: u64 = 1514;
/// How long a flow sends, from the call that opens its connection.
const SPAN: Duration = Duration::from_secs(10);
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;
const KEPT: &str = "target/loss.jsonl";
const TABLE: &str = "src/manual/loss.md";
const SHARING: &str = "src/manual/sharing.md";

/// A kind of TCP with the controllers that it is measured with, the first being the one it is shipped with.
struct Stack {
    name: &'static str,
    controllers: &'static [&'static str],
    measure: fn(&Condition, &str) -> Measured,
}

const STACKS: [Stack; 3] = [
    Stack { name: "ours", controllers: ours::CONTROLLERS, measure: ours::measure },
    Stack { name: "smoltcp", controllers: &["cubic", "reno", "none"], measure: rival::measure },
    Stack { name: "linux", controllers: &["cubic", "reno", "bbr"], measure: kernel::measure },
];

/// What the link is like.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Condition {
    /// Percent of all frames, in both directions.
    pub loss: f64,
    /// In milliseconds, when nothing waits.
    pub rtt: u64,
    pub seed: u64,
}

impl Condition {
    /// Both directions of the cable.
    pub fn shape(&self) -> Shape {
        let product = RATE * self.rtt / 1000 / 8;
        let queue = product.div_ceil(FRAME).max(LEAST_QUEUE) as usize;
        let faults = format!("loss {}% delay {}us", self.loss, self.rtt * 500).parse().expect("netem's words");
        Shape { rate: Some(RATE), queue, faults, ..Shape::default() }
    }
}

/// What came of a run.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Bytes that the receiving application has read within the span.
    pub bytes: u64,
    /// Segments or bytes sent again as the stack counts them, and timeouts; none where it does not tell.
    pub sent_again: Option<u64>,
    pub timeouts: Option<u64>,
    /// The shortest round trip that the sender measured.
    pub min_rtt_ms: Option<f64>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    pub stack: String,
    pub controller: String,
    pub loss: f64,
    pub rtt: u64,
    pub seed: u64,
    #[serde(flatten)]
    pub measured: Measured,
}

impl Run {
    /// Mbit/s.
    pub fn goodput(&self) -> f64 {
        self.measured.bytes as f64 * 8.0 / SPAN.as_secs_f64() / 1e6
    }

    fn is(&self, stack: &str, controller: &str, condition: &Condition) -> bool {
        let Condition { loss, rtt, seed } = *condition;
        self.stack == stack && self.controller == controller && (self.loss, self.rtt, self.seed) == (loss, rtt, seed)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["peer", address] => return kernel::peer(address),
        ["kernel", controller, loss, rtt, seed] => return kernel::round(controller, &condition(loss, rtt, seed)),
        ["--forget", stack] => forget(stack),
        ["--only", stack] => measure_all(|name| name == *stack),
        [] => measure_all(|_| true),
        _ => {
            eprintln!("usage: loss [--only STACK | --forget STACK], with a stack of ours, smoltcp, linux");
            std::process::exit(2);
        }
    }
    for (path, table) in [(TABLE, report::table(&kept())), (SHARING, sharing::table())] {
        fs::write(path, table).expect("the table can be written");
        println!("{path} written");
    }
}

pub fn condition(loss: &str, rtt: &str, seed: &str) -> Condition {
    let number = "a number that this program wrote";
    Condition { loss: loss.parse().expect(number), rtt: rtt.parse().expect(number), seed: seed.parse().expect(number) }
}

/// Every condition, the seeds outermost, so that a table of few seeds is there soon.
fn conditions() -> impl Iterator<Item = Condition> {
    SEEDS.flat_map(|seed| LOSSES.map(|loss| ROUND_TRIPS.map(|rtt| Condition { loss, rtt, seed })).concat())
}

fn kept() -> Vec<Run> {
    let text = fs::read_to_string(KEPT).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a line that this program wrote")).collect()
}

fn forget(stack: &str) {
    let lines = kept().into_iter().filter(|run| run.stack != stack).map(|run| line(&run)).collect::<String>();
    fs::write(KEPT, lines).expect("the file can be written");
}

fn line(run: &Run) -> String {
    serde_json::to_string(run).expect("plain figures") + "\n"
}

fn measure_all(wanted: impl Fn(&str) -> bool) {
    fs::create_dir_all(Path::new(KEPT).parent().expect("a folder")).expect("the folder can be made");
    let mut file: File = OpenOptions::new().append(true).create(true).open(KEPT).expect("the file can be written");
    let known = kept();
    for condition in conditions() {
        for stack in STACKS.iter().filter(|stack| wanted(stack.name)) {
            for controller in stack.controllers {
                if known.iter().any(|run| run.is(stack.name, controller, &condition)) {
                    continue;
                }
                let measured = (stack.measure)(&condition, controller);
                let (stack, controller) = (stack.name.to_owned(), (*controller).to_owned());
                let Condition { loss, rtt, seed } = condition;
                let run = Run { stack, controller, loss, rtt, seed, measured };
                println!(
                    "{:8} {:6} loss {loss:4} % rtt {rtt:3} ms seed {seed}: {:6.2} Mbit/s",
                    run.stack,
                    run.controller,
                    run.goodput()
                );
                file.write_all(line(&run).as_bytes()).expect("the file can be written");
            }
        }
    }
}
