//! Startup and Drain: twice as fast each round until the path delivers no faster, and then slow until what that has
//! queued is gone (§5.3.1, §5.3.2).

use super::super::{Acknowledged, RateSample};
use super::{Bbr, State};

/// BBRStartupFullLossCnt: so many losses in a round that lie apart.
const FULL_LOSSES: u32 = 6;
/// Drain ends after so many rounds, although the queue seems not to.
const DRAIN_ROUNDS: u64 = 3;

impl Bbr {
    /// EnterStartup.
    pub(super) fn enter_startup(&mut self) {
        self.state = State::Startup;
    }

    /// CheckStartupDone.
    pub(super) fn check_startup_done(&mut self, ack: &Acknowledged, sample: &RateSample) {
        self.check_startup_losses(ack, sample);
        if self.state == State::Startup && self.full_pipe.reached {
            self.state = State::Drain;
            self.drained_from = self.rounds.count;
        }
    }

    /// CheckStartupHighLoss (§5.3.1.3), at the end of each round of a recovery.
    fn check_startup_losses(&mut self, ack: &Acknowledged, sample: &RateSample) {
        let losses = self.bounds.count_losses(ack.lost);
        let enough = losses >= FULL_LOSSES || !self.sack && losses > 0;
        let full = self.in_recovery && enough && self.bounds.loss_round_starts;
        if self.state == State::Startup && full && self.is_too_high(sample.lost, sample.sent_in_flight) {
            self.leave_startup_for_loss();
        }
    }

    pub(super) fn leave_startup_for_loss(&mut self) {
        self.undo.state = Some(State::Startup);
        self.full_pipe.reached = true;
        self.full_pipe.now = true;
        self.bounds.inflight_longterm = self.bdp_multiple(100).max(self.bounds.inflight_latest).max(self.min_pipe());
        self.state = State::Drain;
        self.drained_from = self.rounds.count;
    }

    /// CheckDrainDone.
    pub(super) fn check_drain_done(&mut self, ack: &Acknowledged) {
        let late = self.rounds.count > self.drained_from + DRAIN_ROUNDS;
        if self.state == State::Drain && (ack.in_flight <= self.inflight(100) || late) {
            self.start_down();
        }
    }
}
