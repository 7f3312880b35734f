//! What came of an experiment.

use crate::sim::network::Counters;
use crate::time::Instant;
use std::time::Duration;

/// What came of a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    pub flows: Vec<FlowOutcome>,
    pub links: Vec<LinkOutcome>,
    /// How evenly the flows shared while all of them ran (or over all, if that never was): 1 when evenly, 1/n when one
    /// of n had everything. None for a single flow, and when nothing arrived.
    pub jain: Option<f64>,
    pub ended: Instant,
}

/// What came of one flow.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FlowOutcome {
    pub name: String,
    pub from: String,
    pub to: String,
    pub congestion: &'static str,
    pub start: Duration,
    /// How many bytes the receiving application has read.
    pub bytes: u64,
    /// From the start to the last of them, or as long as the flow was to run.
    pub duration: Duration,
    /// All bytes arrived, or the time was used up.
    pub finished: bool,
    /// Why it did not come to its end, when something broke it off.
    pub error: Option<String>,
    /// Data that was sent again.
    pub retransmitted_bytes: u64,
    /// How often the retransmission timer ran out, a tail loss was probed, and fast recovery was entered.
    pub rtos: u64,
    pub probes: u64,
    pub recoveries: u64,
    /// Of the round trips that the sender measured; none without any.
    pub min_rtt: Option<Duration>,
    pub mean_rtt: Option<Duration>,
    /// Frames of the flow, in both directions, that found a queue full.
    pub queue_drops: u64,
    /// How much had been read when, at most once in 10 ms.
    pub progress: Vec<(Instant, u64)>,
}

/// What came of one link.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkOutcome {
    pub name: String,
    pub there: WireOutcome,
    pub back: WireOutcome,
}

/// What came of one direction.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WireOutcome {
    pub counters: Counters,
    /// The share of the time in which something was being sent, 0 to 1; none without a rate.
    pub utilization: Option<f64>,
}

impl FlowOutcome {
    /// Bits a second that reached the application.
    pub fn goodput(&self) -> f64 {
        let seconds = self.duration.as_secs_f64();
        if seconds > 0.0 { self.bytes as f64 * 8.0 / seconds } else { 0.0 }
    }

    fn end(&self) -> Instant {
        Instant::ZERO + self.start + self.duration
    }

    /// How many bytes had been read by then.
    pub fn bytes_at(&self, at: Instant) -> u64 {
        let after = self.progress.partition_point(|(when, _)| *when <= at);
        let (before, read) = after.checked_sub(1).map_or((Instant::ZERO + self.start, 0), |place| self.progress[place]);
        match self.progress.get(after) {
            Some((next, more)) if at > before => {
                let share = at.since(before).as_secs_f64() / next.since(before).as_secs_f64();
                read + ((more - read) as f64 * share) as u64
            }
            Some(_) | None => read,
        }
    }
}

/// The fairness of a division among flows (Jain, Chiu, Hawe, "A quantitative measure of fairness", 1984): the square of
/// the sum by n times the sum of the squares. None for fewer than two, and when nobody has anything.
pub fn jain(shares: &[f64]) -> Option<f64> {
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    let sum: f64 = shares.iter().sum();
    (shares.len() > 1 && squares > 0.0).then(|| sum * sum / (shares.len() as f64 * squares))
}

/// The index over the time in which every flow ran, or over all of it when that never was.
pub(super) fn fairness(flows: &[FlowOutcome]) -> Option<f64> {
    let from = flows.iter().map(|flow| Instant::ZERO + flow.start).max()?;
    let to = flows.iter().map(FlowOutcome::end).min()?;
    if from >= to {
        return jain(&flows.iter().map(FlowOutcome::goodput).collect::<Vec<_>>());
    }
    let share = |flow: &FlowOutcome| (flow.bytes_at(to) - flow.bytes_at(from)) as f64;
    jain(&flows.iter().map(share).collect::<Vec<_>>())
}
