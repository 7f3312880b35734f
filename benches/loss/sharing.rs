//! How two flows share a bottleneck: ours against ours, in virtual time.

use crate::{FRAME, RATE};
use std::fmt::Write;
use std::time::Duration;
use strata::sim::experiment::{Amount, Experiment, Flow, Host, Link, Outcome, jain};
use strata::sim::network::Shape;

const PAIRS: [[&str; 2]; 6] =
    [["reno", "reno"], ["cubic", "cubic"], ["bbr", "bbr"], ["cubic", "reno"], ["bbr", "reno"], ["bbr", "cubic"]];
const RTT_MS: u64 = 20;
const SPAN: Duration = Duration::from_secs(120);
/// The second flow begins when the first has filled the link.
const LATER: Duration = Duration::from_secs(2);
/// From then on what each has is counted: before, they find their shares.
const SETTLED: Duration = Duration::from_secs(60);

/// Senders and receivers behind two switches, with a queue of one bandwidth-delay product in between.
fn dumbbell(controllers: [&str; 2]) -> Experiment {
    let queue = (RATE * RTT_MS / 1000 / 8).div_ceil(FRAME) as usize;
    let faults = format!("delay {}ms", RTT_MS / 2).parse().expect("netem's words");
    let bottleneck = Shape { rate: Some(RATE), queue, faults, ..Shape::default() };
    let access = || Shape { rate: Some(10 * RATE), ..Shape::default() };
    let flow = |from: &str, to: &str, controller: &str, start| Flow {
        start,
        congestion: Some(controller.parse().expect("a controller of ours")),
        ..Flow::new(from, to, Amount::During(SPAN))
    };
    Experiment {
        hosts: ["a", "b", "c", "d"].map(Host::named).into(),
        switches: vec!["left".into(), "right".into()],
        links: vec![
            Link::between("left", "right", bottleneck),
            Link::between("a", "left", access()),
            Link::between("b", "left", access()),
            Link::between("right", "c", access()),
            Link::between("right", "d", access()),
        ],
        flows: vec![flow("a", "c", controllers[0], Duration::ZERO), flow("b", "d", controllers[1], LATER)],
        ..Experiment::default()
    }
}

/// What each of the two had once they had settled, in Mbit/s.
fn shares(outcome: &Outcome) -> [f64; 2] {
    let at = |span| strata::time::Instant::ZERO + span;
    let counted = SPAN - SETTLED;
    let share = |place: usize| {
        let flow = &outcome.flows[place];
        (flow.bytes_at(at(SPAN)) - flow.bytes_at(at(SETTLED))) as f64 * 8.0 / counted.as_secs_f64() / 1e6
    };
    [share(0), share(1)]
}

/// A row for each pair.
pub fn table() -> String {
    let mut text = format!(
        "Two flows of ours through {} Mbit/s with a round trip of {RTT_MS} ms and a queue of one bandwidth-delay product, the \
         second {} s after the first; goodput in Mbit/s from second {} to second {}.\n\n",
        RATE / 1_000_000,
        LATER.as_secs(),
        SETTLED.as_secs(),
        SPAN.as_secs(),
    );
    text.push_str("| first | second | goodput of the first | of the second | Jain index |\n|---|---|---:|---:|---:|\n");
    for [first, second] in PAIRS {
        let outcome = dumbbell([first, second]).run().expect("an experiment that can be");
        let [one, other] = shares(&outcome);
        let jain = jain(&[one, other]).expect("both had something");
        let _ = writeln!(text, "| {first} | {second} | {one:.1} | {other:.1} | {jain:.3} |");
    }
    text
}
