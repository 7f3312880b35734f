//! What is to be shown, and whether this run shows it.

use crate::report::{Results, Spread};
use crate::sample::Sample;
use crate::stacks::Stack;
use crate::workload::Workload;
use std::fmt::Write;

/// What of a sample is compared.
#[derive(Clone, Copy)]
enum Of {
    Figure,
    Cpu,
    Machine,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Told without a verdict.
    Open,
}

/// To what ours is put in relation.
#[derive(Clone, Copy)]
enum Against {
    Stack(Stack),
    /// Itself beside so many idle connections.
    Beside(usize),
}

use Against::{Beside, Stack as To};
use Bound::{AtLeast, AtMost, Open};
use Of::{Cpu, Figure, Machine};
use Stack::{Kernel, Limit, LimitBigTcp, LimitCopying, SmoltcpTuned};

const TARGETS: [(&str, Of, Against, Bound); 31] = [
    ("bulk-in-1", Figure, To(Limit), AtLeast(0.90)),
    ("bulk-in-1", Figure, To(LimitCopying), Open),
    ("bulk-in-1", Figure, To(SmoltcpTuned), AtLeast(0.95)),
    ("bulk-in-1", Figure, To(Kernel), AtLeast(1.3)),
    ("bulk-out-1", Figure, To(Limit), AtLeast(0.85)),
    ("bulk-out-1", Figure, To(LimitCopying), Open),
    ("bulk-out-1", Figure, To(LimitBigTcp), Open),
    ("bulk-out-1-owned", Figure, To(Limit), AtLeast(0.95)),
    ("bulk-out-1-owned", Figure, To(LimitBigTcp), Open),
    ("bulk-out-1", Figure, To(Kernel), AtLeast(1.2)),
    ("bulk-in-1-plain", Figure, To(Limit), AtLeast(0.8)),
    ("bulk-out-1-plain", Figure, To(Limit), AtLeast(0.9)),
    ("ping-pong-one-cpu", Figure, To(Limit), AtMost(1.10)),
    ("ping-pong-one-cpu", Figure, To(Kernel), AtMost(0.85)),
    ("ping-pong-two-cpus-busy", Figure, To(Limit), AtMost(1.10)),
    ("requests-32", Figure, To(Limit), AtLeast(0.90)),
    ("requests-32", Cpu, To(Limit), AtMost(1.25)),
    ("requests-32", Figure, To(Kernel), AtLeast(1.3)),
    ("requests-256", Figure, To(Limit), AtLeast(0.90)),
    ("requests-256", Cpu, To(Limit), AtMost(1.25)),
    ("requests-256", Figure, To(Kernel), AtLeast(1.3)),
    ("requests-32-axum", Figure, To(Kernel), AtLeast(1.0)),
    ("requests-256-axum", Figure, To(Kernel), AtLeast(1.0)),
    ("connections-8", Figure, To(Limit), AtLeast(0.90)),
    ("ping-pong-one-cpu-beside-100000", Figure, Beside(10), AtMost(1.10)),
    ("requests-32-beside-100000", Figure, Beside(10), AtLeast(0.90)),
    ("datagrams", Figure, To(Limit), AtLeast(0.85)),
    ("bulk-in-1", Cpu, To(Limit), AtMost(1.2)),
    ("bulk-out-1", Cpu, To(Limit), AtMost(1.2)),
    ("bulk-in-1", Machine, To(Kernel), AtMost(1.0)),
    ("bulk-out-1", Machine, To(Kernel), AtMost(1.0)),
];

/// A target beside what came of it.
pub struct Verdict {
    pub workload: Workload,
    pub what: &'static str,
    pub ratio: Spread,
    pub wanted: String,
    /// Of a target, whether it was met.
    pub met: Option<bool>,
}

/// Of each target whose workload was run.
pub fn verdicts(results: &Results) -> Vec<Verdict> {
    let verdict = |(name, of, against, bound): (&str, Of, Against, Bound)| {
        let workload = Workload::named(name).expect("a known workload");
        let pick: fn(&Sample) -> f64 = match of {
            Figure => |sample| sample.figure,
            Cpu => |sample| sample.cpu,
            Machine => |sample| sample.machine_cpu,
        };
        let other = match against {
            To(stack) => (stack, workload),
            Beside(idle) => (Stack::Strata, Workload { idle, ..workload }),
        };
        let ratio = results.ratio((Stack::Strata, workload), other, pick)?;
        let met = match bound {
            AtLeast(bound) => Some(ratio.middle >= bound),
            AtMost(bound) => Some(ratio.middle <= bound),
            Open => None,
        };
        Some(Verdict { workload, what: what(of, workload), ratio, wanted: wanted(against, bound), met })
    };
    TARGETS.into_iter().filter_map(verdict).collect()
}

/// A line for each.
pub fn judge(results: &Results) -> String {
    let mut text = String::new();
    for Verdict { workload, what, ratio, wanted, met } in verdicts(results) {
        let met = met.map_or("", |met| if met { "met" } else { "MISSED" });
        let _infallible =
            writeln!(text, "{}", format!("{workload:<34}{what:<20}{ratio:<24}{wanted:<24}{met}").trim_end());
    }
    if text.is_empty() { text } else { format!("\n{:<54}{:<24}wanted\n{text}", "targets", "ours") }
}

fn what(of: Of, workload: Workload) -> &'static str {
    match of {
        Figure => workload.unit().name,
        Cpu => "CPU of the stack",
        Machine => "CPU of the machine",
    }
}

fn wanted(against: Against, bound: Bound) -> String {
    let bound = match bound {
        AtLeast(bound) => format!(">= {bound:.2}"),
        AtMost(bound) => format!("<= {bound:.2}"),
        Open => "of".into(),
    };
    match against {
        To(stack) => format!("{bound} {}", stack.name()),
        Beside(idle) => format!("{bound} beside {idle}"),
    }
}
