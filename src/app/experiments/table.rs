//! Results for people: columns under their names, numbers to the right.

use super::record::{FlowRow, Record, WireRow};
use std::fmt::Write;

/// A direction that was used less than this, and lost nothing, is not worth a row.
const BUSY: f64 = 0.05;

/// Columns with names; those whose name begins with a blank are numbers and stand to the right.
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(head: &[&str]) -> Table {
        Table { head: head.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    fn draw(&self) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| lines().map(|line| line[column].trim_start().chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut drawn = String::new();
        for line in lines() {
            let mut text = String::new();
            for ((cell, width), name) in line.iter().zip(&widths).zip(&self.head) {
                let cell = cell.trim_start();
                let padded = if name.starts_with(' ') { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                text.push_str(&padded);
                text.push_str("  ");
            }
            drawn.push_str(text.trim_end());
            drawn.push('\n');
        }
        drawn
    }
}

/// A single run: its flows, the links that had something to do, and how they shared.
pub fn run(record: &Record) -> String {
    let mut flows = Table::new(&[
        "flow",
        "congestion",
        " start",
        " duration",
        " bytes",
        " goodput",
        " sent again",
        " RTOs",
        " RTT min",
        " RTT mean",
        " queue drops",
    ]);
    for flow in &record.flows {
        flows.rows.push(vec![
            flow.flow.clone(),
            flow.congestion.clone(),
            format!("{:.1} s", flow.start_s),
            format!("{:.2} s", flow.duration_s),
            size(flow.bytes),
            rate(flow.goodput_bps),
            share(flow.retransmitted_bytes, flow.bytes),
            flow.rtos.to_string(),
            milliseconds(flow.min_rtt_ms),
            milliseconds(flow.mean_rtt_ms),
            flow.queue_drops.to_string(),
        ]);
    }
    let mut text = flows.draw();
    for flow in record.flows.iter().filter(|flow| !flow.finished) {
        let why = flow.error.as_deref().unwrap_or("its time was over");
        let _ = writeln!(text, "{} did not finish: {why}", flow.flow);
    }
    text.push('\n');
    text.push_str(&wires(&record.wires).draw());
    if let Some(jain) = record.jain {
        let _ = writeln!(text, "\nJain index {jain:.3}");
    }
    text
}

fn wires(rows: &[WireRow]) -> Table {
    let mut table =
        Table::new(&["link", "direction", " frames", " used", " longest queue", " queue drops", " lost", " cut"]);
    let idle = |wire: &&WireRow| wire.utilization.is_some_and(|share| share < BUSY) && !wire.lost_any();
    for wire in rows.iter().filter(|wire| !idle(wire)) {
        table.rows.push(vec![
            wire.link.clone(),
            format!("{} > {}", wire.from, wire.to),
            wire.frames.to_string(),
            wire.utilization.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0)),
            wire.longest_queue.to_string(),
            wire.queue_drops.to_string(),
            wire.lost.to_string(),
            wire.outage_drops.to_string(),
        ]);
    }
    table
}

/// A grid: a row for each point, runs that differ in nothing but their seed taken together. `axes` in their order.
pub fn sweep(axes: &[&str], records: &[&Record]) -> String {
    let axes: Vec<&str> = axes.iter().copied().filter(|axis| *axis != "seed").collect();
    let mut groups: Vec<(Vec<String>, Vec<&Record>)> = Vec::new();
    for record in records {
        let place: Vec<String> = axes
            .iter()
            .map(|axis| record.point.get(*axis).and_then(|value| value.as_str()).unwrap_or("-").to_owned())
            .collect();
        match groups.iter_mut().find(|(other, _)| *other == place) {
            Some((_, members)) => members.push(record),
            None => groups.push((place, vec![record])),
        }
    }
    let shared = records.iter().any(|record| record.jain.is_some());
    let several = groups.iter().any(|(_, members)| members.len() > 1);
    let mut head = axes;
    head.extend(several.then_some(" runs"));
    head.push(" goodput");
    head.extend(several.then_some(" +-"));
    head.extend(shared.then_some(" Jain index"));
    head.extend([" sent again", " RTOs", " RTT min", " RTT mean", " queue drops", " unfinished"]);
    let mut table = Table::new(&head);
    for (mut row, members) in groups {
        let goodputs: Vec<f64> = members.iter().map(|record| record.goodput()).collect();
        let (mean, deviation) = spread(&goodputs);
        row.extend(several.then(|| members.len().to_string()));
        row.push(rate(mean));
        row.extend(several.then(|| rate(deviation)));
        let indices: Vec<f64> = members.iter().filter_map(|record| record.jain).collect();
        row.extend(shared.then(|| format!("{:.3}", spread(&indices).0)));
        row.extend(figures(&members));
        table.rows.push(row);
    }
    table.draw()
}

/// The columns that follow: sums and means over all flows of all runs.
fn figures(members: &[&Record]) -> [String; 6] {
    let flows: Vec<&FlowRow> = members.iter().flat_map(|record| &record.flows).collect();
    let mean =
        |figure: fn(&FlowRow) -> u64| flows.iter().map(|flow| figure(flow)).sum::<u64>() as f64 / members.len() as f64;
    let bytes: u64 = flows.iter().map(|flow| flow.bytes).sum();
    let least = flows.iter().filter_map(|flow| flow.min_rtt_ms).min_by(f64::total_cmp);
    let means: Vec<f64> = flows.iter().filter_map(|flow| flow.mean_rtt_ms).collect();
    [
        share(flows.iter().map(|flow| flow.retransmitted_bytes).sum(), bytes),
        short(mean(|flow| flow.rtos)),
        milliseconds(least),
        milliseconds((!means.is_empty()).then(|| spread(&means).0)),
        short(mean(|flow| flow.queue_drops)),
        flows.iter().filter(|flow| !flow.finished).count().to_string(),
    ]
}

/// Mean and standard deviation.
fn spread(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt())
}

fn short(mean: f64) -> String {
    if mean.fract() == 0.0 { format!("{mean}") } else { format!("{mean:.1}") }
}

fn rate(bits_a_second: f64) -> String {
    match bits_a_second {
        bits if bits >= 1e9 => format!("{:.2} Gbit/s", bits / 1e9),
        bits if bits >= 1e6 => format!("{:.2} Mbit/s", bits / 1e6),
        bits => format!("{:.1} kbit/s", bits / 1e3),
    }
}

fn size(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes >= 1e9 => format!("{:.2} GB", bytes / 1e9),
        bytes if bytes >= 1e6 => format!("{:.2} MB", bytes / 1e6),
        bytes if bytes >= 1e3 => format!("{:.1} kB", bytes / 1e3),
        bytes => format!("{bytes} B"),
    }
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.2} %", part as f64 * 100.0 / whole as f64) }
}

fn milliseconds(span: Option<f64>) -> String {
    span.map_or_else(|| "-".to_owned(), |span| format!("{span:.1} ms"))
}
