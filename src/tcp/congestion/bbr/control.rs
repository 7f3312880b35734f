//! What the model makes of rate and window (§5.6).

use super::model::scale;
use super::{Bbr, INFINITE, MIN_PIPE, State};

/// BBR.PacingMarginPercent: a little slower than the path, so that queues drain.
const MARGIN: u64 = 1;
/// The longest train (§5.6.3).
const LARGEST_QUANTUM: u64 = 64 << 10;

impl Bbr {
    /// SetPacingRateWithGain (§5.6.2): not slower while the rate of the path is not known.
    pub(super) fn set_pacing_rate(&mut self, gain: u64) {
        let rate = scale(scale(self.bw, gain), 100 - MARGIN);
        if self.full_pipe.reached || rate > self.pacing_rate {
            self.pacing_rate = rate.max(1);
        }
    }

    /// C.send_quantum: what leaves at once.
    pub(super) fn send_quantum(&self) -> u64 {
        (self.pacing_rate / 1000).min(LARGEST_QUANTUM).max(2 * self.window.mss)
    }

    pub(super) fn min_pipe(&self) -> u64 {
        MIN_PIPE * self.window.mss
    }

    /// SetCwnd (§5.6.4.6): down at once, up by what arrives.
    pub(super) fn set_window(&mut self, acknowledged: u64) {
        let most = self.with_budget(self.bdp_multiple(self.state.gains().1).saturating_add(self.aggregation.extra()));
        let cwnd = self.window.cwnd;
        if self.full_pipe.reached {
            self.window.cwnd = cwnd.saturating_add(acknowledged).min(most);
        } else if cwnd < most || self.delivered < self.window.initial {
            self.window.cwnd = cwnd.saturating_add(acknowledged);
        }
        self.window.cwnd = self.window.cwnd.max(self.min_pipe()).min(self.window_bound());
    }

    /// BoundCwndForProbeRTT and BoundCwndForModel (§5.6.4.7).
    fn window_bound(&self) -> u64 {
        let bound = match self.state {
            State::Startup | State::Drain => INFINITE,
            State::Down | State::Refill | State::Up => self.bounds.inflight_longterm,
            State::Cruise => self.inflight_with_headroom(),
            State::ProbeRtt => self.inflight_with_headroom().min(self.probe_rtt_window()),
        };
        bound.min(self.bounds.inflight_shortterm).max(self.min_pipe())
    }

    /// SaveCwnd (§5.6.4.4).
    pub(super) fn save_window(&mut self) {
        let cwnd = self.window.cwnd;
        let calm = !self.in_recovery && self.state != State::ProbeRtt;
        self.prior_cwnd = if calm { cwnd } else { self.prior_cwnd.max(cwnd) };
    }

    /// RestoreCwnd.
    pub(super) fn restore_window(&mut self) {
        self.window.cwnd = self.window.cwnd.max(self.prior_cwnd);
    }
}
