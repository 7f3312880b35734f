//! The table of the manual.

use crate::{LEAST_QUEUE, LOSSES, RATE, ROUND_TRIPS, Run, SEEDS, SPAN, STACKS};
use std::fmt::Write;

/// Means over the seeds, in Mbit/s.
pub fn table(runs: &[Run]) -> String {
    let columns: Vec<(&str, &str)> =
        STACKS.iter().flat_map(|stack| stack.controllers.iter().map(|controller| (stack.name, *controller))).collect();
    let columns: Vec<_> = columns
        .into_iter()
        .filter(|(stack, controller)| runs.iter().any(|run| run.stack == *stack && run.controller == *controller))
        .collect();
    let mut text = String::new();
    let mbits = RATE / 1_000_000;
    let _ = writeln!(
        text,
        "Goodput in Mbit/s of one flow in its first {} seconds over {mbits} Mbit/s, with a queue of one bandwidth-delay product \
         and at least {LEAST_QUEUE} packets, and loss in both directions; means of {} runs.\n",
        SPAN.as_secs(),
        SEEDS.count(),
    );
    let heads: Vec<String> = columns.iter().map(|(stack, controller)| format!("{stack} {controller}")).collect();
    let _ = writeln!(text, "| loss | RTT | {} |", heads.join(" | "));
    let _ = writeln!(text, "|---:|---:|{}", "---:|".repeat(columns.len()));
    for loss in LOSSES {
        for rtt in ROUND_TRIPS {
            let mut row = format!("| {loss} % | {rtt} ms |");
            for (stack, controller) in &columns {
                let of = |run: &&Run| {
                    run.stack == *stack && run.controller == *controller && run.loss == loss && run.rtt == rtt
                };
                let goodputs: Vec<f64> = runs.iter().filter(of).map(Run::goodput).collect();
                let mean = goodputs.iter().sum::<f64>() / goodputs.len() as f64;
                let _ = match goodputs.is_empty() {
                    true => write!(row, " |"),
                    false if mean < 10.0 => write!(row, " {mean:.2} |"),
                    false => write!(row, " {mean:.1} |"),
                };
            }
            let _ = writeln!(text, "{row}");
        }
    }
    text
}
