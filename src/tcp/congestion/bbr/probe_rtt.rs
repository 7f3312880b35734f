//! ProbeRTT: the shortest round trip can only be measured while no queue is there, so a flow that has seen none shorter
//! for five seconds sends little for a moment, together with the others that share its queue (§5.3.4).

use super::super::Acknowledged;
use super::probe_bw::AckPhase;
use super::{Bbr, State};
use crate::tcp::fold::folded;
use crate::time::Instant;
use std::time::Duration;

/// BBR.ProbeRTTInterval, BBR.MinRTTFilterLen, BBR.ProbeRTTDuration.
const INTERVAL: Duration = Duration::from_secs(5);
const FILTER: Duration = Duration::from_secs(10);
const DURATION: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug)]
pub struct MinRtt {
    /// BBR.min_rtt, and when it was measured.
    min: Option<Duration>,
    at: Instant,
    /// The shortest of the last five seconds: BBR.probe_rtt_min_delay and its stamp.
    recent: Option<Duration>,
    recent_at: Instant,
    expired: bool,
    /// When ProbeRTT may end, once so little is in flight; and whether a round is over since.
    until: Option<Instant>,
    round_done: bool,
}

folded!(MinRtt { min, at, recent, recent_at, expired, until, round_done });

impl MinRtt {
    pub fn new(rtt: Option<Duration>, now: Instant) -> MinRtt {
        MinRtt { min: rtt, at: now, recent: None, recent_at: now, expired: false, until: None, round_done: false }
    }

    pub fn min(&self) -> Option<Duration> {
        self.min
    }

    /// UpdateMinRTT.
    fn update(&mut self, now: Instant, rtt: Option<Duration>) {
        self.expired = now > self.recent_at + INTERVAL;
        if let Some(rtt) = rtt
            && (self.expired || self.recent.is_none_or(|recent| rtt < recent))
        {
            if self.recent.is_none() {
                // So far only the handshake has told, whose segments are small.
                self.min = None;
            }
            (self.recent, self.recent_at) = (Some(rtt), now);
        }
        let older = now > self.at + FILTER;
        if self.recent.is_some() && (older || self.min.is_none() || self.recent < self.min) {
            (self.min, self.at) = (self.recent, self.recent_at);
        }
    }
}

impl Bbr {
    pub(super) fn update_min_rtt(&mut self, ack: &Acknowledged) {
        self.min_rtt.update(ack.now, ack.rtt.filter(|rtt| !rtt.is_zero()));
    }

    /// CheckProbeRTT.
    pub(super) fn check_probe_rtt(&mut self, ack: &Acknowledged) {
        if self.state != State::ProbeRtt && self.min_rtt.expired && !self.idle_restart {
            self.save_window();
            self.state = State::ProbeRtt;
            self.min_rtt.until = None;
            self.cycle.ack_phase = AckPhase::ProbeStopping;
            self.rounds.begin(self.delivered);
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(ack.in_flight);
        }
    }

    /// HandleProbeRTT. That samples are low meanwhile is told by `holds_rate_down`.
    fn handle_probe_rtt(&mut self, in_flight: u64) {
        if self.min_rtt.until.is_none() {
            if in_flight <= self.probe_rtt_window() {
                self.min_rtt.until = Some(self.now + DURATION);
                self.min_rtt.round_done = false;
                self.rounds.begin(self.delivered);
            }
            return;
        }
        self.min_rtt.round_done |= self.rounds.start;
        if self.min_rtt.round_done {
            self.check_probe_rtt_done();
        }
    }

    /// CheckProbeRTTDone.
    pub(super) fn check_probe_rtt_done(&mut self) {
        if self.min_rtt.until.is_none_or(|until| self.now <= until) {
            return;
        }
        self.min_rtt.recent_at = self.now;
        // ExitProbeRTT (§5.3.4.4).
        self.bounds.reset_short_term();
        if self.full_pipe.reached {
            self.start_down();
            self.start_cruise();
        } else {
            self.enter_startup();
        }
        self.restore_window();
    }

    /// ProbeRTTCwnd.
    pub(super) fn probe_rtt_window(&self) -> u64 {
        self.bdp_multiple(State::ProbeRtt.gains().1).max(self.min_pipe())
    }
}
