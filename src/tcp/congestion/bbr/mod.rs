//! BBR, version 3 (draft-ietf-ccwg-bbr-06): a model of the path instead of a reaction to losses.
//!
//! ```text
//!     STARTUP ---- no faster for three rounds, or many losses ----> DRAIN
//!     277 %                                                         50 %   | the queue is gone
//!        ^                                                                 v
//!        |          +-- DOWN  90 % ----> CRUISE 100 % ----> REFILL 100 % ----> UP 125 % --+
//!        |          ^   what UP queued    2 to 3 s, or as       a round,        faster?   |
//!        |          |   drains            many rounds as Reno   pipe full                 |
//!        |          +-----------------------------------------------------------------  <-+
//!        |                     PROBE_BW: the state of a long transfer
//!        +---- PROBE_RTT: half a window for 200 ms, every 5 s that bring no shorter round trip (from any state)
//! ```
//!
//! Two numbers describe a path: how fast it delivers and how long its shortest round trip is; their product is what
//! must be in flight to fill it. Data is *paced* at the first, and the window is twice the product, so that
//! acknowledgements may come late. Both can only be measured at different times: for the rate more must be sent than
//! the path takes, for the round trip less. Losses bound the model: for long, what probing has found to lose more than
//! 2% (`longterm`), and until the next probe, what was delivered lately (`shortterm`).
//!
//! | file | idea | draft |
//! |---|---|---|
//! | `model` | rounds, the fastest rate, the shortest round trip, bunches of acknowledgements | §5.5.1 to §5.5.9 |
//! | `startup` | until the pipe is full | §5.3.1, §5.3.2 |
//! | `probe_bw`, `probe_rtt` | faster and slower in turn | §5.3.3, §5.3.4 |
//! | `bounds` | what losses say, and what is taken back | §5.5.10, §5.5.11 |
//! | `ambient` | what is lost whether we send much or little | not in the draft |
//! | `control` | rate and window | §5.6 |
//!
//! **What differs from the draft.** *Ambient loss*: what packets lose that find no queue is measured, and believed up to
//! a tenth. The threshold of 2% lies above it and above what chance makes of it. Outside of probing the draft answers
//! every loss; here those beside a queue that are more than ambient, and without a queue only what exceeds the threshold.
//! Without that a link that loses 1% by chance slows a flow down to what got through, round after round. Where packets
//! are lost only beside a queue it is the draft's rule.
//!
//! *The rest*: a mark (ECN) counts as a loss of more than 2%, of which the draft says only that it must count as
//! congestion (§3.7). Discontiguous losses in Startup are counted as Linux counts: acknowledgements that tell of any.
//! After a timeout the window is one segment, whatever may still be in flight. The state that an undo brings back is that
//! before the whole episode, not that of its last round with a loss. The largest bunch of acknowledgements of ten rounds
//! is kept in two halves of five, as in Linux.

mod ambient;
mod bounds;
mod control;
mod model;
mod probe_bw;
mod probe_rtt;
mod startup;
#[cfg(test)]
mod tests;

use super::{Acknowledged, Congested, CongestionControl, LostSegment, RateSample, Start, Window, common_parts};
use crate::random::Random;
use crate::tcp::fold::folded;
use crate::time::Instant;
use ambient::Ambient;
use bounds::{Bounds, Undo};
use model::{Aggregation, FullPipe, MaxBandwidth, Rounds};
use probe_bw::Cycle;
use probe_rtt::MinRtt;
use std::time::Duration;

/// No bound.
const INFINITE: u64 = u64::MAX;
/// BBR.MinPipeCwnd, in segments (§5.6.4.3).
const MIN_PIPE: u64 = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Startup,
    Drain,
    Down,
    Cruise,
    Refill,
    Up,
    ProbeRtt,
}

folded!(State: Startup, Drain, Down, Cruise, Refill, Up, ProbeRtt);

impl State {
    /// One of ProbeBW's.
    fn is_cycle(self) -> bool {
        match self {
            State::Down | State::Cruise | State::Refill | State::Up => true,
            State::Startup | State::Drain | State::ProbeRtt => false,
        }
    }

    /// IsProbingBW (§5.3.3.9): losses are expected.
    fn is_probing(self) -> bool {
        match self {
            State::Startup | State::Refill | State::Up => true,
            State::Drain | State::Down | State::Cruise | State::ProbeRtt => false,
        }
    }

    /// BBR.pacing_gain and BBR.cwnd_gain, in percent (§5.6.1).
    fn gains(self) -> (u64, u64) {
        match self {
            State::Startup => (277, 200),
            State::Drain => (50, 200),
            State::Down => (90, 200),
            State::Cruise | State::Refill => (100, 200),
            State::Up => (125, 225),
            State::ProbeRtt => (100, 50),
        }
    }

    fn name(self) -> &'static str {
        match self {
            State::Startup => "Startup",
            State::Drain => "Drain",
            State::Down => "ProbeBW_DOWN",
            State::Cruise => "ProbeBW_CRUISE",
            State::Refill => "ProbeBW_REFILL",
            State::Up => "ProbeBW_UP",
            State::ProbeRtt => "ProbeRTT",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Bbr {
    window: Window,
    state: State,
    /// SACK: more than one loss of a round can be seen.
    sack: bool,
    random: Random,
    /// In bytes a second: BBR.bw, and C.pacing_rate.
    bw: u64,
    pacing_rate: u64,
    rounds: Rounds,
    max_bw: MaxBandwidth,
    min_rtt: MinRtt,
    aggregation: Aggregation,
    full_pipe: FullPipe,
    /// BBR.drain_start_round.
    drained_from: u64,
    cycle: Cycle,
    bounds: Bounds,
    ambient: Ambient,
    undo: Undo,
    /// BBR.prior_cwnd: the window before a recovery or ProbeRTT took it down.
    prior_cwnd: u64,
    in_recovery: bool,
    /// Data flows again after a pause, and nothing of it has arrived yet.
    idle_restart: bool,
    /// As of the last fact: now, and C.delivered.
    now: Instant,
    delivered: u64,
}

folded!(Bbr {
    window,
    state,
    sack,
    random,
    bw,
    pacing_rate,
    rounds,
    max_bw,
    min_rtt,
    aggregation,
    full_pipe,
    drained_from,
    cycle,
    bounds,
    ambient,
    undo,
    prior_cwnd,
    in_recovery,
    idle_restart,
    now,
    delivered,
});

impl Bbr {
    /// OnInit (§5.2.1).
    pub fn new(start: &Start) -> Bbr {
        let window = Window::new(start);
        let rtt = start.rtt.filter(|rtt| !rtt.is_zero());
        // InitPacingRate (§5.6.2).
        let nominal = model::rate(window.initial, rtt.unwrap_or(Duration::from_millis(1)));
        Bbr {
            window,
            state: State::Startup,
            sack: start.sack,
            random: Random::new(start.seed),
            bw: 0,
            pacing_rate: (nominal.saturating_mul(State::Startup.gains().0) / 100).max(1),
            rounds: Rounds::default(),
            max_bw: MaxBandwidth::default(),
            min_rtt: MinRtt::new(rtt, start.now),
            aggregation: Aggregation::new(start.now),
            full_pipe: FullPipe::default(),
            drained_from: 0,
            cycle: Cycle::default(),
            bounds: Bounds::default(),
            ambient: Ambient::default(),
            undo: Undo::default(),
            prior_cwnd: 0,
            in_recovery: false,
            idle_restart: false,
            now: start.now,
            delivered: 0,
        }
    }

    /// UpdateModelAndState (§5.2.3), for an acknowledgement with a sample of the rate.
    fn update_model(&mut self, ack: &Acknowledged, sample: &RateSample) {
        let rate = sample.rate();
        self.bounds.hear_delivery(sample, self.delivered);
        self.update_bandwidth(sample);
        self.adapt_short_term();
        self.update_aggregation(ack);
        self.full_pipe.check(self.rounds.start, rate, sample.application_limited);
        self.check_startup_done(ack, sample);
        self.check_drain_done(ack);
        self.update_cycle(ack, sample);
        self.update_min_rtt(ack);
        self.check_probe_rtt(ack);
        self.bounds.advance(sample);
        self.bound_bandwidth();
    }

    fn heard(&mut self, now: Instant, delivered: u64) {
        (self.now, self.delivered) = (now, delivered);
    }
}

impl CongestionControl for Bbr {
    common_parts!(window);

    fn pacing_rate(&self) -> Option<u64> {
        Some(self.pacing_rate)
    }

    fn governs_recovery(&self) -> bool {
        true
    }

    fn phase(&self) -> &'static str {
        self.state.name()
    }

    fn ambient_loss(&self) -> u32 {
        self.ambient.thousandths(self.window.mss)
    }

    /// §5.3.4.3: samples during ProbeRTT are low because we send little.
    fn holds_rate_down(&self) -> bool {
        self.state == State::ProbeRtt
    }

    fn on_delivered(&mut self, ack: &Acknowledged) {
        self.heard(ack.now, ack.delivered);
        self.learn_ambient(ack);
        self.hear_round(ack);
        match &ack.rate {
            Some(sample) => self.update_model(ack, sample),
            None => {
                // Nothing that could be measured: the clocks go on.
                self.rounds.start = false;
                self.update_min_rtt(ack);
                self.check_probe_rtt(ack);
            }
        }
        if ack.bytes > 0 {
            self.idle_restart = false;
        }
        self.set_pacing_rate(self.state.gains().0);
        self.set_window(ack.bytes);
    }

    /// All is done in `on_delivered`, in recovery or not.
    fn on_acknowledged(&mut self, _ack: &Acknowledged) {}

    fn on_segment_lost(&mut self, lost: &LostSegment) {
        self.heard(lost.now, lost.delivered);
        self.handle_lost(lost);
    }

    /// HandleRestartFromIdle (§5.4.1).
    fn on_resumed(&mut self, now: Instant) {
        self.now = now;
        self.idle_restart = true;
        self.aggregation.restart(now);
        if self.state.is_cycle() {
            self.set_pacing_rate(100);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done();
        }
    }

    /// The short-term bounds do what a smaller ssthresh does elsewhere.
    fn reduced(&mut self, _event: &Congested) -> u64 {
        self.window.ssthresh
    }

    /// OnEnterFastRecovery (§5.6.4.4).
    fn on_lost(&mut self, now: Instant, _in_flight: u64) {
        self.now = now;
        self.save_window();
        self.in_recovery = true;
    }

    /// §3.7: as a loss of more than the threshold.
    fn on_marked(&mut self, now: Instant, in_flight: u64) {
        self.now = now;
        self.note_mark();
        if self.state == State::Startup {
            self.leave_startup_for_loss();
        } else if self.bounds.probing {
            self.inflight_too_high(in_flight, false);
        }
    }

    fn on_recovered(&mut self, now: Instant) {
        self.now = now;
        self.in_recovery = false;
        self.forget_undo();
        self.restore_window();
    }

    /// OnEnterRTO (§5.6.4.4).
    fn on_timeout(&mut self, now: Instant, _in_flight: u64, _again: bool) {
        self.now = now;
        self.save_window();
        self.in_recovery = true;
        self.window.cwnd = self.window.mss;
    }

    fn on_repaired(&mut self, now: Instant) {
        self.on_recovered(now);
    }

    fn on_undo(&mut self, now: Instant) {
        self.now = now;
        self.in_recovery = false;
        self.handle_spurious_loss();
    }

    /// §5.4.2: what follows a pause is paced at the rate of the path, instead of starting small.
    fn on_idle(&mut self, _now: Instant, _idle: Duration, _rto: Duration) {}

    fn on_application_limited(&mut self, _now: Instant, _used: u64) {}
}
