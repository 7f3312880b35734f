//! The tables of the manual.

use crate::report::{Results, Spread};
use crate::sample::Sample;
use crate::stacks::Stack;
use crate::targets::{self, Verdict};
use crate::workload::Workload;
use std::fmt::Write;

/// The copying limit was asked about a few workloads only, and stands beside the limit.
const COLUMNS: [Stack; 5] = [Stack::Limit, Stack::Strata, Stack::SmoltcpTuned, Stack::Smoltcp, Stack::Kernel];

/// What was found, and what was to be shown.
pub fn page(results: &Results) -> String {
    let mut text = "| workload | unit |".to_owned();
    COLUMNS.iter().for_each(|stack| text.push_str(&format!(" {} |", stack.name())));
    text.push_str(" ours to the limit | ours to the kernel | CPU, ours to the limit |\n|---|---|");
    text.push_str(&"---:|".repeat(COLUMNS.len() + 3));
    text.push('\n');
    let workloads = results.workloads();
    workloads.iter().for_each(|workload| row(&mut text, results, *workload));
    text.push_str("\nOf memory for each idle connection, in bytes: asked for, and resident.\n\n");
    text.push_str("| idle | stack | asked for | resident | opened in |\n|---:|---|---:|---:|---:|\n");
    let mut crowds: Vec<Workload> =
        workloads.into_iter().filter(|workload| workload.idle > results.uncrowded(*workload).idle).collect();
    crowds.sort_by_key(|workload| workload.idle);
    crowds.dedup_by_key(|workload| workload.idle);
    crowds.iter().for_each(|workload| memory(&mut text, results, *workload));
    text.push_str("\n| workload | what | ours | wanted | |\n|---|---|---:|---|---|\n");
    for Verdict { workload, what, ratio, wanted, met } in targets::verdicts(results) {
        let met = met.map_or("", |met| if met { "met" } else { "**missed**" });
        let _infallible = writeln!(text, "| {workload} | {what} | {ratio} | {wanted} | {met} |");
    }
    text
}

fn row(text: &mut String, results: &Results, workload: Workload) {
    let _infallible = write!(text, "| {workload} | {} |", workload.unit().name);
    let figure = |stack| results.of(stack, workload, |sample| sample.figure).map(|figure| figure.middle);
    for stack in COLUMNS {
        let _infallible = write!(text, " {}", figure(stack).map_or_else(dash, |figure| format!("{figure:.2}")));
        for (other, name) in [(Stack::LimitCopying, "copying"), (Stack::LimitBigTcp, "BIG TCP")] {
            if let Some(figure) = figure(other).filter(|_| stack == Stack::Limit) {
                let _infallible = write!(text, " ({name}: {figure:.2})");
            }
        }
        text.push_str(" |");
    }
    let ours = |other, pick: fn(&Sample) -> f64| {
        let ratio = results.ratio((Stack::Strata, workload), (other, workload), pick);
        ratio.as_ref().map_or_else(dash, Spread::to_string)
    };
    let [limit, kernel] = [Stack::Limit, Stack::Kernel].map(|other| ours(other, |sample| sample.figure));
    let _infallible = writeln!(text, " {limit} | {kernel} | {} |", ours(Stack::Limit, |sample| sample.cpu));
}

fn memory(text: &mut String, results: &Results, workload: Workload) {
    for stack in results.stacks(workload).into_iter().filter(|stack| stack.keeps_state()) {
        let of = |pick: fn(&Sample) -> f64| results.memory(stack, workload, pick);
        let opening = results.of(stack, workload, |sample| sample.opening);
        let _infallible = match (of(|sample| sample.held), of(|sample| sample.resident), opening) {
            (Some(held), Some(resident), Some(Spread { middle: opening, .. })) => {
                writeln!(text, "| {} | {} | {held:.0} | {resident:.0} | {opening:.1} s |", workload.idle, stack.name())
            }
            _ => writeln!(text, "| {} | {} | {} | | |", workload.idle, stack.name(), results.reason(stack, workload)),
        };
    }
}

fn dash() -> String {
    "-".into()
}
