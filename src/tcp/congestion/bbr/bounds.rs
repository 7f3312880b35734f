//! What losses say of the path (§5.5.10), and what is taken back when they were none (§5.5.11).

use super::super::{Acknowledged, LostSegment, RateSample};
use super::model::scale;
use super::{Bbr, INFINITE, State};
use crate::tcp::fold::folded;
use std::time::Duration;

/// BBR.LossThresh, and BBR.Beta, in percent.
const LOSS_THRESHOLD: u64 = 2;
const BETA: u64 = 70;

/// In bytes, and bytes a second.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Until the next probe.
    pub bw_shortterm: u64,
    pub inflight_shortterm: u64,
    /// The most in flight that probing has found to be safe.
    pub inflight_longterm: u64,
    /// The most of the round: what was delivered, and how fast.
    pub bw_latest: u64,
    pub inflight_latest: u64,
    /// Something was lost in this round; where the round ends, and whether this acknowledgement ends it.
    loss_in_round: bool,
    round: Round,
    round_delivered: u64,
    pub loss_round_starts: bool,
    /// How many acknowledgements of this round told of losses.
    losses: u32,
    /// BBR.is_bw_probe_sample: what is acknowledged was sent while probing, and no loss of that has been answered yet.
    pub probing: bool,
}

folded!(Bounds {
    bw_shortterm,
    inflight_shortterm,
    inflight_longterm,
    bw_latest,
    inflight_latest,
    loss_in_round,
    round,
    round_delivered,
    loss_round_starts,
    losses,
    probing,
});

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            bw_shortterm: INFINITE,
            inflight_shortterm: INFINITE,
            inflight_longterm: INFINITE,
            bw_latest: 0,
            inflight_latest: 0,
            loss_in_round: false,
            round: Round::default(),
            round_delivered: 0,
            loss_round_starts: false,
            losses: 0,
            probing: false,
        }
    }
}

/// What befell what travelled in a round, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Round {
    delivered: u64,
    lost: u64,
    /// The shortest round trip, if any was measured.
    shortest: Option<Duration>,
    marked: bool,
}

folded!(Round { delivered, lost, shortest, marked });

/// As it was before the losses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Undo {
    /// Of this episode: the first of several losses saves for all.
    saved: bool,
    /// The state that they ended.
    pub state: Option<State>,
    bw_shortterm: u64,
    inflight_shortterm: u64,
    inflight_longterm: u64,
}

folded!(Undo { saved, state, bw_shortterm, inflight_shortterm, inflight_longterm });

impl Bounds {
    /// UpdateLatestDeliverySignals.
    pub fn hear_delivery(&mut self, sample: &RateSample, delivered: u64) {
        self.bw_latest = self.bw_latest.max(sample.rate());
        self.inflight_latest = self.inflight_latest.max(sample.delivered);
        self.loss_round_starts = sample.prior_delivered >= self.round_delivered;
        if self.loss_round_starts {
            self.round_delivered = delivered;
        }
    }

    /// AdvanceLatestDeliverySignals.
    pub fn advance(&mut self, sample: &RateSample) {
        if self.loss_round_starts {
            (self.bw_latest, self.inflight_latest) = (sample.rate(), sample.delivered);
            self.losses = 0;
        }
    }

    /// ResetCongestionSignals.
    pub fn reset_signals(&mut self) {
        (self.loss_in_round, self.bw_latest, self.inflight_latest) = (false, 0, 0);
        self.round = Round::default();
    }

    /// ResetShortTermModel.
    pub fn reset_short_term(&mut self) {
        (self.bw_shortterm, self.inflight_shortterm) = (INFINITE, INFINITE);
    }

    /// The acknowledgement told of so many lost bytes; how many did so in this round.
    pub fn count_losses(&mut self, lost: u64) -> u32 {
        self.losses = self.losses.saturating_add(u32::from(lost > 0));
        self.losses
    }
}

impl Bbr {
    /// IsInflightTooHigh.
    pub(super) fn is_too_high(&self, lost: u64, in_flight: u64) -> bool {
        lost > self.tolerable(in_flight) || lost > 0 && !self.sack
    }

    /// So much of `bytes` may be lost: the threshold lies above what is lost anyway.
    fn tolerable(&self, bytes: u64) -> u64 {
        scale(bytes, LOSS_THRESHOLD) + self.ambient.explains(bytes, self.window.mss)
    }

    /// Whatever an acknowledgement tells belongs to the round.
    pub(super) fn hear_round(&mut self, ack: &Acknowledged) {
        let round = &mut self.bounds.round;
        round.delivered += ack.bytes;
        round.shortest = [round.shortest, ack.rtt].into_iter().flatten().min();
    }

    /// Are the losses of the round congestion? Beside a queue all that are more than ambient, without one only many.
    fn is_congested(&self) -> bool {
        let Round { delivered, lost, shortest, marked } = self.bounds.round;
        let queued = shortest.is_none_or(|rtt| self.is_queued(rtt, self.window.mss));
        let bytes = delivered + lost;
        let tolerable = if queued { self.ambient.explains(bytes, self.window.mss) } else { self.tolerable(bytes) };
        marked || lost > tolerable || lost > 0 && !self.sack
    }

    /// NoteLoss. The state is saved once for a recovery.
    fn note_loss(&mut self) {
        if !self.bounds.loss_in_round {
            self.bounds.round_delivered = self.delivered;
            if !self.undo.saved {
                self.save_state();
            }
        }
        self.bounds.loss_in_round = true;
    }

    /// §3.7: a mark is as much as many losses.
    pub(super) fn note_mark(&mut self) {
        self.note_loss();
        self.bounds.round.marked = true;
    }

    /// The episode is over: the next loss begins another.
    pub(super) fn forget_undo(&mut self) {
        self.undo.saved = false;
    }

    /// SaveStateUponLoss, but for the window.
    fn save_state(&mut self) {
        self.undo = Undo {
            saved: true,
            state: None,
            bw_shortterm: self.bounds.bw_shortterm,
            inflight_shortterm: self.bounds.inflight_shortterm,
            inflight_longterm: self.bounds.inflight_longterm,
        };
    }

    /// HandleLostPacket.
    pub(super) fn handle_lost(&mut self, lost: &LostSegment) {
        self.note_loss();
        self.ambient.lose(lost.len);
        self.bounds.round.lost += lost.len;
        if self.bounds.probing && self.is_too_high(lost.lost, lost.sent_in_flight) {
            self.inflight_too_high(self.inflight_at_loss(lost), lost.application_limited);
        }
    }

    /// InflightAtLoss: the segment may be a train of many; with how much of it did the losses cross the threshold?
    fn inflight_at_loss(&self, lost: &LostSegment) -> u64 {
        let (in_flight, lost_before) =
            (lost.sent_in_flight.saturating_sub(lost.len), lost.lost.saturating_sub(lost.len));
        let budget = self.tolerable(in_flight).saturating_sub(lost_before);
        in_flight + 100 * budget / (100 - LOSS_THRESHOLD)
    }

    /// HandleInflightTooHigh: once for each probe.
    pub(super) fn inflight_too_high(&mut self, in_flight: u64, application_limited: bool) {
        self.cycle.too_high = true;
        self.bounds.probing = false;
        if !application_limited {
            let least = scale(self.target_inflight(), BETA);
            self.bounds.inflight_longterm = in_flight.max(least);
        }
        if self.state == State::Up {
            self.undo.state = Some(State::Up);
            self.start_down();
        }
    }

    /// UpdateCongestionSignals: once in a round with losses, unless they are to be expected.
    pub(super) fn adapt_short_term(&mut self) {
        if !self.bounds.loss_round_starts {
            return;
        }
        if self.bounds.loss_in_round && !self.state.is_probing() && self.is_congested() {
            let (bw, cwnd, bounds) = (self.max_bw.max(), self.window.cwnd, &mut self.bounds);
            let lower = |bound: u64, first: u64, latest: u64| {
                let bound = if bound == INFINITE { first } else { bound };
                latest.max(scale(bound, BETA))
            };
            bounds.bw_shortterm = lower(bounds.bw_shortterm, bw, bounds.bw_latest);
            bounds.inflight_shortterm = lower(bounds.inflight_shortterm, cwnd, bounds.inflight_latest);
        }
        self.bounds.loss_in_round = false;
        self.bounds.round = Round::default();
    }

    /// HandleSpuriousLossDetection.
    pub(super) fn handle_spurious_loss(&mut self) {
        self.restore_window();
        let (bounds, undo) = (&mut self.bounds, std::mem::take(&mut self.undo));
        bounds.loss_in_round = false;
        bounds.round = Round::default();
        bounds.bw_shortterm = bounds.bw_shortterm.max(undo.bw_shortterm);
        bounds.inflight_shortterm = bounds.inflight_shortterm.max(undo.inflight_shortterm);
        bounds.inflight_longterm = bounds.inflight_longterm.max(undo.inflight_longterm);
        self.full_pipe.reset(0);
        match undo.state {
            Some(State::Startup) if self.state != State::Startup => {
                self.full_pipe.reached = false;
                if self.state != State::ProbeRtt {
                    self.enter_startup();
                }
            }
            Some(State::Up) if self.state != State::Up && self.state != State::ProbeRtt => self.start_refill(),
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::congestion::testing::start;
    use crate::time::Instant;

    #[test]
    fn the_prefix_of_a_train_at_which_losses_cross_the_threshold() {
        for (len, sent_in_flight, lost, expected) in [
            // 2% of 98,000 is all that the train may lose: 2,000 of it.
            (10_000, 108_000, 10_000, 100_000),
            (1000, 100_000, 3000, 99_000),
            (10_000, 10_000, 10_000, 0),
        ] {
            let lost =
                LostSegment { now: Instant::ZERO, len, sent_in_flight, lost, delivered: 0, application_limited: false };
            assert_eq!(Bbr::new(&start()).inflight_at_loss(&lost), expected);
        }
    }
}
