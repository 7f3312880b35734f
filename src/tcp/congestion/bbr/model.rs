//! What is known of the path: rounds, the fastest rate, and how acknowledgements come in bunches.

use super::super::{Acknowledged, RateSample};
use super::{Bbr, State};
use crate::tcp::fold::folded;
use crate::time::Instant;
use std::time::Duration;

const NANOS: u128 = 1_000_000_000;
/// Half of BBR.ExtraAckedFilterLen (§5.5.9).
const HALF_OF_EXTRA_ROUNDS: u64 = 5;
/// How many rounds without a quarter more of rate mean that the pipe is full (§5.3.1.2).
const FULL_ROUNDS: u32 = 3;

/// Bytes a second.
pub fn rate(bytes: u64, span: Duration) -> u64 {
    u64::try_from(u128::from(bytes) * NANOS / span.as_nanos().max(1)).unwrap_or(u64::MAX)
}

/// Bytes in `span` at `rate` bytes a second.
pub fn volume(rate: u64, span: Duration) -> u64 {
    u64::try_from(u128::from(rate) * span.as_nanos() / NANOS).unwrap_or(u64::MAX)
}

/// §5.5.1: a round trip is over when something arrives that was sent after the last one was over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rounds {
    next: u64,
    /// This acknowledgement begins one.
    pub start: bool,
    pub count: u64,
    pub since_up: u64,
}

folded!(Rounds { next, start, count, since_up });

impl Rounds {
    fn update(&mut self, prior_delivered: u64, delivered: u64) {
        self.start = prior_delivered >= self.next;
        if self.start {
            self.begin(delivered);
            self.count += 1;
            self.since_up += 1;
        }
    }

    /// StartRound.
    pub fn begin(&mut self, delivered: u64) {
        self.next = delivered;
    }
}

/// §5.5.3: the highest rate of this cycle of ProbeBW and of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct MaxBandwidth {
    before: u64,
    present: u64,
}

folded!(MaxBandwidth { before, present });

impl MaxBandwidth {
    pub fn max(&self) -> u64 {
        self.before.max(self.present)
    }

    pub fn update(&mut self, rate: u64) {
        self.present = self.present.max(rate);
    }

    /// AdvanceMaxBwFilter (§5.5.6). As Linux: not while the present cycle has no sample.
    pub fn advance(&mut self) {
        if self.present > 0 {
            (self.before, self.present) = (self.present, 0);
        }
    }
}

/// §5.3.1.2: is the rate still growing although more is sent?
#[derive(Clone, Copy, Debug, Default)]
pub struct FullPipe {
    baseline: u64,
    rounds: u32,
    /// This probe has filled the pipe; and some probe has, ever.
    pub now: bool,
    pub reached: bool,
}

folded!(FullPipe { baseline, rounds, now, reached });

impl FullPipe {
    /// ResetFullBW, from `rate` on.
    pub fn reset(&mut self, rate: u64) {
        *self = FullPipe { baseline: rate, reached: self.reached, ..FullPipe::default() };
    }

    /// CheckFullBWReached.
    pub fn check(&mut self, round_starts: bool, rate: u64, application_limited: bool) {
        if self.now || !round_starts || application_limited {
            return;
        }
        if u128::from(rate) * 4 >= u128::from(self.baseline) * 5 {
            return self.reset(rate);
        }
        self.rounds += 1;
        self.now = self.rounds >= FULL_ROUNDS;
        self.reached |= self.now;
    }
}

/// §5.5.9: how much more is acknowledged at once than the rate accounts for.
#[derive(Clone, Copy, Debug)]
pub struct Aggregation {
    since: Instant,
    delivered: u64,
    /// The most in this half of the filter and in the one before, and the round in which it began.
    present: u64,
    before: u64,
    half_began: u64,
}

folded!(Aggregation { since, delivered, present, before, half_began });

impl Aggregation {
    pub fn new(now: Instant) -> Aggregation {
        Aggregation { since: now, delivered: 0, present: 0, before: 0, half_began: 0 }
    }

    pub fn restart(&mut self, now: Instant) {
        self.since = now;
    }

    /// BBR.extra_acked, in bytes.
    pub fn extra(&self) -> u64 {
        self.present.max(self.before)
    }

    fn update(&mut self, ack: &Acknowledged, bw: u64, cwnd: u64) {
        let mut expected = volume(bw, ack.now.since(self.since));
        if self.delivered <= expected {
            (self.delivered, self.since, expected) = (0, ack.now, 0);
        }
        self.delivered += ack.bytes;
        self.present = self.present.max((self.delivered - expected.min(self.delivered)).min(cwnd));
    }

    fn begin_round(&mut self, round: u64, half: u64) {
        if round >= self.half_began + half {
            (self.before, self.present, self.half_began) = (self.present, 0, round);
        }
    }
}

impl Bbr {
    /// UpdateMaxBw (§5.5.5).
    pub(super) fn update_bandwidth(&mut self, sample: &RateSample) {
        self.rounds.update(sample.prior_delivered, self.delivered);
        let rate = sample.rate();
        if rate >= self.max_bw.max() || !sample.application_limited {
            self.max_bw.update(rate);
        }
    }

    /// UpdateACKAggregation.
    pub(super) fn update_aggregation(&mut self, ack: &Acknowledged) {
        if self.rounds.start {
            let half = if self.full_pipe.reached { HALF_OF_EXTRA_ROUNDS } else { 1 };
            self.aggregation.begin_round(self.rounds.count, half);
        }
        self.aggregation.update(ack, self.bw, self.window.cwnd);
    }

    /// BoundBWForModel (§5.5.10.3).
    pub(super) fn bound_bandwidth(&mut self) {
        self.bw = self.max_bw.max().min(self.bounds.bw_shortterm);
    }

    /// BDPMultiple, in percent (§5.6.4.2).
    pub(super) fn bdp_multiple(&self, percent: u64) -> u64 {
        match self.min_rtt.min() {
            Some(min_rtt) => scale(volume(self.bw, min_rtt), percent),
            None => self.window.initial,
        }
    }

    /// Inflight: with what offloads and few segments need.
    pub(super) fn inflight(&self, percent: u64) -> u64 {
        self.with_budget(self.bdp_multiple(percent))
    }

    /// QuantizationBudget.
    pub(super) fn with_budget(&self, inflight: u64) -> u64 {
        let extra = if self.state == State::Up { 2 * self.window.mss } else { 0 };
        inflight.max(3 * self.send_quantum()).max(self.min_pipe()) + extra
    }

    /// TargetInflight: the product, unless the window is smaller.
    pub(super) fn target_inflight(&self) -> u64 {
        self.bdp_multiple(100).min(self.window.cwnd)
    }
}

/// So many percent.
pub fn scale(bytes: u64, percent: u64) -> u64 {
    u64::try_from(u128::from(bytes) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}
