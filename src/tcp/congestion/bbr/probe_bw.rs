//! ProbeBW: slower, even, and faster in turn, to see whether the path takes more than before, and to leave room for
//! others (§5.3.3).

use super::super::{Acknowledged, RateSample};
use super::model::scale;
use super::{Bbr, INFINITE, State};
use crate::tcp::fold::folded;
use crate::time::Instant;
use std::time::Duration;

/// BBR.Headroom, in percent.
const HEADROOM: u64 = 15;
/// T_reno_bound, in rounds.
const RENO_ROUNDS: u64 = 63;
/// How often the growth of the bound may double.
const MOST_DOUBLINGS: u32 = 30;

/// Of what probe the samples are that arrive now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AckPhase {
    #[default]
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

folded!(AckPhase: Init, Refilling, ProbeStarting, ProbeFeedback, ProbeStopping);

#[derive(Clone, Copy, Debug, Default)]
pub struct Cycle {
    pub ack_phase: AckPhase,
    /// When the cycle began, and how long it is until the next probe (BBR.cycle_stamp, BBR.bw_probe_wait).
    began: Instant,
    wait: Duration,
    /// How `inflight_longterm` grows: rounds of it, bytes towards the next segment, bytes that one costs.
    up_rounds: u32,
    up_acked: u64,
    acked_per_segment: u64,
    /// The last probe lost too much; and it was ended early for fear of that.
    pub too_high: bool,
    precautionary: bool,
}

folded!(Cycle { ack_phase, began, wait, up_rounds, up_acked, acked_per_segment, too_high, precautionary });

impl Bbr {
    /// StartProbeBW_DOWN.
    pub(super) fn start_down(&mut self) {
        self.bounds.reset_signals();
        self.cycle.acked_per_segment = INFINITE;
        self.pick_wait();
        self.cycle.began = self.now;
        self.cycle.ack_phase = AckPhase::ProbeStopping;
        self.rounds.begin(self.delivered);
        self.state = State::Down;
    }

    pub(super) fn start_cruise(&mut self) {
        self.state = State::Cruise;
    }

    /// StartProbeBW_REFILL.
    pub(super) fn start_refill(&mut self) {
        self.bounds.reset_short_term();
        (self.cycle.up_rounds, self.cycle.up_acked) = (0, 0);
        self.cycle.precautionary = false;
        self.cycle.ack_phase = AckPhase::Refilling;
        self.rounds.begin(self.delivered);
        self.state = State::Refill;
    }

    /// StartProbeBW_UP.
    fn start_up(&mut self, rate: u64) {
        self.cycle.ack_phase = AckPhase::ProbeStarting;
        self.rounds.begin(self.delivered);
        self.full_pipe.reset(rate);
        self.state = State::Up;
        self.raise_slope();
    }

    /// PickProbeWait (§5.3.3.8): at random, so that flows do not probe in step.
    fn pick_wait(&mut self) {
        self.rounds.since_up = self.random.below(2);
        self.cycle.wait = Duration::from_millis(2000 + self.random.below(1001));
    }

    /// UpdateProbeBWCyclePhase.
    pub(super) fn update_cycle(&mut self, ack: &Acknowledged, sample: &RateSample) {
        if !self.full_pipe.reached || self.adapt_long_term(ack, sample) {
            return;
        }
        match self.state {
            State::Down => {
                if self.is_time_to_probe() {
                    self.start_refill();
                } else if self.is_time_to_cruise(ack.in_flight) {
                    self.start_cruise();
                }
            }
            State::Cruise => {
                if self.is_time_to_probe() {
                    self.start_refill();
                }
            }
            State::Refill => {
                if self.rounds.start {
                    self.bounds.probing = true;
                    self.start_up(sample.rate());
                }
            }
            State::Up => {
                if self.is_time_to_go_down(ack, sample) {
                    self.cycle.too_high = false;
                    self.start_down();
                }
            }
            State::Startup | State::Drain | State::ProbeRtt => {}
        }
    }

    /// IsTimeToProbeBW: two to three seconds, or as many round trips as Reno would need for one more BDP.
    fn is_time_to_probe(&self) -> bool {
        let rounds = (self.target_inflight() / self.window.mss.max(1)).min(RENO_ROUNDS);
        self.now > self.cycle.began + self.cycle.wait || self.rounds.since_up >= rounds
    }

    fn is_time_to_cruise(&self, in_flight: u64) -> bool {
        in_flight <= self.inflight_with_headroom() && in_flight <= self.inflight_at_full_rate()
    }

    /// Inflight(BBR.max_bw, 1.0).
    fn inflight_at_full_rate(&self) -> u64 {
        let bdp = self.min_rtt.min().map(|min_rtt| super::model::volume(self.max_bw.max(), min_rtt));
        self.with_budget(bdp.unwrap_or(self.window.initial))
    }

    /// IsTimeToGoDown (§5.3.3.7).
    fn is_time_to_go_down(&mut self, ack: &Acknowledged, sample: &RateSample) -> bool {
        if self.cycle.too_high && ack.in_flight >= self.bounds.inflight_longterm {
            self.cycle.precautionary = true;
            return true;
        }
        if ack.cwnd_limited && self.window.cwnd >= self.bounds.inflight_longterm {
            // The bound is what holds the rate down.
            self.full_pipe.reset(sample.rate());
            return false;
        }
        self.full_pipe.now
    }

    /// InflightWithHeadroom: some of what the path holds is left to others.
    pub(super) fn inflight_with_headroom(&self) -> u64 {
        let longterm = self.bounds.inflight_longterm;
        if longterm == INFINITE {
            return INFINITE;
        }
        let headroom = scale(longterm, HEADROOM).max(self.window.mss);
        longterm.saturating_sub(headroom).max(self.min_pipe())
    }

    /// RaiseInflightLongtermSlope: by 1, 2, 4, 8 .. segments a round.
    fn raise_slope(&mut self) {
        let growth = 1u64 << self.cycle.up_rounds;
        self.cycle.up_rounds = (self.cycle.up_rounds + 1).min(MOST_DOUBLINGS);
        self.cycle.acked_per_segment = (self.window.cwnd / growth).max(self.window.mss);
    }

    /// ProbeInflightLongtermUpward.
    fn probe_upward(&mut self, ack: &Acknowledged) {
        if !ack.cwnd_limited || self.window.cwnd < self.bounds.inflight_longterm {
            return;
        }
        self.cycle.up_acked += ack.bytes;
        let segments = self.cycle.up_acked / self.cycle.acked_per_segment;
        self.cycle.up_acked -= segments * self.cycle.acked_per_segment;
        self.bounds.inflight_longterm = self.bounds.inflight_longterm.saturating_add(segments * self.window.mss);
        if self.rounds.start {
            self.raise_slope();
        }
    }

    /// AdaptLongTermModel. True when it has decided on a state.
    fn adapt_long_term(&mut self, ack: &Acknowledged, sample: &RateSample) -> bool {
        if self.rounds.start && self.cycle.ack_phase == AckPhase::ProbeStarting {
            self.cycle.ack_phase = AckPhase::ProbeFeedback;
        }
        if self.rounds.start && self.cycle.ack_phase == AckPhase::ProbeStopping {
            self.bounds.probing = false;
            self.cycle.ack_phase = AckPhase::Init;
            if self.state.is_cycle() && !sample.application_limited {
                self.max_bw.advance();
            }
            // It did no harm: once more, and further.
            if self.state.is_cycle() && self.cycle.precautionary && !self.cycle.too_high {
                self.start_refill();
                return true;
            }
        }
        if !self.is_too_high(sample.lost, sample.sent_in_flight) && self.bounds.inflight_longterm != INFINITE {
            self.bounds.inflight_longterm = self.bounds.inflight_longterm.max(sample.sent_in_flight);
            if self.state == State::Up {
                self.probe_upward(ack);
            }
        }
        false
    }
}
