//! What is kept of a run: plain figures with their units in their names, as JSON on a line or as rows of CSV.

use super::sweep::Point;
use crate::sim::experiment::{FlowOutcome, LinkOutcome, Outcome, WireOutcome};
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// One run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Of which experiment: two files with the same keys and values have the same mark.
    pub experiment: String,
    /// The settings of the grid, in the order of its axes.
    pub point: Map<String, Value>,
    pub seed: u64,
    /// How long it took, in virtual time.
    pub ended_s: f64,
    pub jain: Option<f64>,
    pub flows: Vec<FlowRow>,
    pub wires: Vec<WireRow>,
}

/// One flow.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FlowRow {
    pub flow: String,
    pub from: String,
    pub to: String,
    pub congestion: String,
    pub start_s: f64,
    pub duration_s: f64,
    pub finished: bool,
    pub error: Option<String>,
    pub bytes: u64,
    pub goodput_bps: f64,
    pub retransmitted_bytes: u64,
    pub rtos: u64,
    pub probes: u64,
    pub recoveries: u64,
    pub min_rtt_ms: Option<f64>,
    pub mean_rtt_ms: Option<f64>,
    pub queue_drops: u64,
}

/// One direction of a link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WireRow {
    pub link: String,
    pub from: String,
    pub to: String,
    pub frames: u64,
    pub bytes: u64,
    pub utilization: Option<f64>,
    pub longest_queue: usize,
    pub queue_drops: u64,
    pub outage_drops: u64,
    pub marked: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub corrupted: u64,
    pub reordered: u64,
}

impl Record {
    pub fn new(experiment: &str, point: &Point, seed: u64, links: &[[String; 2]], outcome: &Outcome) -> Record {
        Record {
            experiment: experiment.to_owned(),
            point: point.settings.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect(),
            seed,
            ended_s: outcome.ended.since(Instant::ZERO).as_secs_f64(),
            jain: outcome.jain,
            flows: outcome.flows.iter().map(FlowRow::new).collect(),
            wires: outcome.links.iter().zip(links).flat_map(|(link, ends)| WireRow::both(link, ends)).collect(),
        }
    }

    /// By what it is found again.
    pub fn key(&self) -> (String, u64) {
        let settings =
            self.point.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
        (Point { settings: settings.collect() }.to_string(), self.seed)
    }

    /// The sum of all flows, in bits a second.
    pub fn goodput(&self) -> f64 {
        self.flows.iter().map(|flow| flow.goodput_bps).sum()
    }

    /// A row for each flow, with the settings before and Jain's index behind; `head` with the names of the columns.
    pub fn write_csv<W: std::io::Write>(&self, writer: &mut csv::Writer<W>, head: bool) -> csv::Result<()> {
        let plain = |value: &Value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
        };
        for (place, flow) in self.flows.iter().enumerate() {
            let mut row = self.point.clone();
            row.insert("seed".into(), self.seed.into());
            let Ok(Value::Object(figures)) = serde_json::to_value(flow) else { unreachable!("a struct is an object") };
            row.extend(figures);
            row.insert("jain".into(), self.jain.map_or(Value::Null, Value::from));
            if head && place == 0 {
                writer.write_record(row.keys())?;
            }
            writer.write_record(row.values().map(plain))?;
        }
        Ok(())
    }
}

fn millis(span: Option<Duration>) -> Option<f64> {
    span.map(|span| span.as_nanos() as f64 / 1e6)
}

impl FlowRow {
    fn new(flow: &FlowOutcome) -> FlowRow {
        FlowRow {
            flow: flow.name.clone(),
            from: flow.from.clone(),
            to: flow.to.clone(),
            congestion: flow.congestion.to_owned(),
            start_s: flow.start.as_secs_f64(),
            duration_s: flow.duration.as_secs_f64(),
            finished: flow.finished,
            error: flow.error.clone(),
            bytes: flow.bytes,
            goodput_bps: flow.goodput().round(),
            retransmitted_bytes: flow.retransmitted_bytes,
            rtos: flow.rtos,
            probes: flow.probes,
            recoveries: flow.recoveries,
            min_rtt_ms: millis(flow.min_rtt),
            mean_rtt_ms: millis(flow.mean_rtt),
            queue_drops: flow.queue_drops,
        }
    }
}

impl WireRow {
    fn both(link: &LinkOutcome, ends: &[String; 2]) -> [WireRow; 2] {
        let [first, second] = ends;
        [WireRow::new(&link.name, [first, second], &link.there), WireRow::new(&link.name, [second, first], &link.back)]
    }

    /// Did it lose anything, for whatever reason?
    pub fn lost_any(&self) -> bool {
        self.queue_drops + self.outage_drops + self.lost > 0
    }

    fn new(link: &str, [from, to]: [&String; 2], wire: &WireOutcome) -> WireRow {
        let counters = wire.counters;
        WireRow {
            link: link.to_owned(),
            from: from.clone(),
            to: to.clone(),
            frames: counters.frames,
            bytes: counters.bytes,
            utilization: wire.utilization,
            longest_queue: counters.longest_queue,
            queue_drops: counters.queue_drops,
            outage_drops: counters.outage_drops,
            marked: counters.marked + counters.faults.marked,
            lost: counters.faults.lost,
            duplicated: counters.faults.duplicated,
            corrupted: counters.faults.corrupted,
            reordered: counters.faults.reordered,
        }
    }
}
