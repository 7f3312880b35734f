//! What congestion control hears from a connection: what was acknowledged, and how much of the window was used.
//!
//! A window that is not used says nothing about the path, so it may neither grow nor stand for ever (RFC 2861,
//! RFC 7661). The rules are Linux's.

use super::congestion::{Acknowledged, CongestionControl, LostSegment, RateSample, Start};
use super::connection::Connection;
use super::fold::folded;
use super::recovery::{Report, Sample};
use crate::event::{Context, CwndCause, TcpEvent};
use crate::time::Instant;
use std::time::Duration;

/// How much of the congestion window was used lately.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// The window held data back at some time since `until` was set.
    limited: bool,
    /// The most that was outstanding, in bytes, while it was not limited.
    most: u64,
    /// When everything before this position is acknowledged, both begin anew.
    until: u64,
    /// The most that was outstanding since the window last was full, and since when.
    used: u64,
    since: Instant,
    /// The end of the round trip that goes on.
    round_end: u64,
}

folded!(Usage { limited, most, until, used, since, round_end });

/// What recovery has made of an acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard<'a> {
    pub report: &'a Report,
    /// Of the delivered bytes those that the peer says were marked.
    pub marked: u64,
    pub prior_in_flight: u64,
    /// The largest segment, in bytes of data.
    pub mss: u64,
    pub rtt: Option<Duration>,
    /// The window may grow.
    pub grows: bool,
}

impl Usage {
    pub fn new(now: Instant, una: u64) -> Usage {
        Usage { limited: false, most: 0, until: una, used: 0, since: now, round_end: una }
    }
}

impl Connection {
    /// Congestion control hears of an acknowledgement that told of anything.
    pub(super) fn hear_delivered(&mut self, cx: &mut Context<'_>, heard: Heard<'_>) {
        let round_starts = self.snd.una >= self.usage.round_end;
        if round_starts {
            self.usage.round_end = self.snd.nxt;
        }
        let ack = Acknowledged {
            now: cx.now,
            bytes: heard.report.delivered,
            lost: heard.report.lost.bytes,
            delivered: self.recovery.delivered(),
            marked: heard.marked,
            prior_in_flight: heard.prior_in_flight,
            in_flight: self.recovery.in_flight(heard.mss),
            rtt: heard.rtt,
            srtt: self.rtt.srtt(),
            min_rtt: self.rtt.min_rtt(),
            round_starts,
            cwnd_limited: self.cwnd_limited(),
            super_frames: self.super_frame.is_some(),
            rate: heard.report.rate.as_ref().map(rate_sample),
        };
        self.change_congestion(cx, self.why_window_grows(), |congestion, _now| {
            congestion.on_delivered(&ack);
            if heard.grows {
                congestion.on_acknowledged(&ack);
            }
        });
        if self.congestion.holds_rate_down() {
            self.recovery.limit_rate(heard.mss);
        }
    }

    fn why_window_grows(&self) -> CwndCause {
        match (self.congestion.governs_recovery(), self.congestion.cwnd() < self.congestion.ssthresh()) {
            (true, _) => CwndCause::Model,
            (false, true) => CwndCause::SlowStart,
            (false, false) => CwndCause::CongestionAvoidance,
        }
    }

    /// RFC 7661 §4.1: in slow start a window more than half used counts as used, since it doubles each round. A
    /// controller with a rate knows of no slow start, and its window is meant to have room.
    fn cwnd_limited(&self) -> bool {
        if self.usage.limited {
            return true;
        }
        let cwnd = self.congestion.cwnd();
        cwnd < 2 * self.usage.most && cwnd < self.congestion.ssthresh() && self.congestion.pacing_rate().is_none()
    }

    /// Data has left: how full is the window?
    pub(super) fn note_usage(&mut self, cx: &mut Context<'_>, mss: u64) {
        self.sent_at = cx.now;
        let outstanding = self.recovery.outstanding();
        if self.recovery.in_flight(mss) + mss > self.congestion.cwnd() {
            return self.note_full_window(cx.now);
        }
        let usage = &mut self.usage;
        if self.snd.una >= usage.until || !usage.limited && outstanding > usage.most {
            (usage.limited, usage.most, usage.until) = (false, outstanding, self.snd.nxt);
        }
        if self.cwnd_limited() {
            (self.usage.used, self.usage.since) = (0, cx.now);
        } else {
            self.usage.used = self.usage.used.max(outstanding);
            self.validate_window(cx);
        }
    }

    /// The congestion window holds data back.
    pub(super) fn note_full_window(&mut self, now: Instant) {
        let (outstanding, until) = (self.recovery.outstanding(), self.snd.nxt);
        self.usage = Usage { limited: true, most: outstanding, until, used: 0, since: now, ..self.usage };
    }

    /// RFC 2861 §3.2: the application has not filled the window for a retransmission timeout.
    fn validate_window(&mut self, cx: &mut Context<'_>) {
        let long = cx.now >= self.rtt.timeout(self.usage.since);
        if !self.config.restart_after_idle || !long || self.snd.unsent() > 0 {
            return;
        }
        let used = self.usage.used;
        (self.usage.used, self.usage.since) = (0, cx.now);
        self.change_congestion(cx, CwndCause::ApplicationLimited, |congestion, now| {
            congestion.on_application_limited(now, used);
        });
    }

    /// New data is about to leave, and nothing is in flight. RFC 5681 §4.1: after an idle RTO the window is no longer
    /// shown to be right. True when that may have changed what leaves.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>) -> bool {
        self.congestion.on_resumed(cx.now);
        let restarts = self.config.restart_after_idle && cx.now > self.rtt.timeout(self.sent_at);
        if restarts {
            let (idle, rto) = (cx.now.since(self.sent_at), self.rtt.rto());
            (self.usage.used, self.usage.since) = (0, cx.now);
            self.change_congestion(cx, CwndCause::Idle, |congestion, now| congestion.on_idle(now, idle, rto));
        }
        restarts || self.pacing_rate().is_some()
    }

    /// Congestion control hears of each segment that was judged lost since it last did.
    pub(super) fn hear_losses(&mut self, now: Instant) {
        for lost in self.recovery.take_losses() {
            self.congestion.on_segment_lost(&LostSegment {
                now,
                len: lost.len,
                sent_in_flight: lost.sent_in_flight,
                lost: lost.lost,
                delivered: lost.delivered,
                application_limited: lost.application_limited,
            });
        }
    }

    /// Lets congestion control hear a fact, and tells what became of the window.
    pub(super) fn change_congestion(
        &mut self,
        cx: &mut Context<'_>,
        why: CwndCause,
        change: impl FnOnce(&mut dyn CongestionControl, Instant),
    ) {
        if !cx.is_observed() {
            return change(&mut *self.congestion, cx.now);
        }
        let state =
            |congestion: &dyn CongestionControl| (congestion.phase(), congestion.ambient_loss(), congestion.cwnd());
        let before = state(&*self.congestion);
        change(&mut *self.congestion, cx.now);
        let after = state(&*self.congestion);
        if before.0 != after.0 {
            self.tell(cx, || TcpEvent::CongestionPhase { from: before.0, to: after.0 });
        }
        if before.1 != after.1 {
            self.tell(cx, || TcpEvent::AmbientLoss { from: before.1, to: after.1 });
        }
        if before.2 != after.2 {
            let ssthresh = self.congestion.ssthresh();
            self.tell(cx, || TcpEvent::Cwnd { from: before.2, to: after.2, ssthresh, why });
        }
    }

    /// Another controller takes over, with the window of the one before.
    pub(super) fn replace_congestion(&mut self, now: Instant) {
        let window = self.congestion.window();
        // RFC 7661 §4.1: what was never in flight is not shown to be sustainable.
        let cwnd = window.cwnd.min((2 * self.recovery.outstanding()).max(window.initial));
        let ssthresh = window.ssthresh;
        let start = Start {
            now,
            mss: window.mss,
            initial_window: window.initial,
            rtt: self.rtt.srtt(),
            sack: self.sack,
            slow_start_limit: self.config.slow_start_limit,
            seed: now.as_nanos() ^ self.snd.nxt,
        };
        self.congestion = self.config.congestion.begin(&start);
        let window = self.congestion.window_mut();
        // One that keeps no window of its own has none to pass on.
        if window.cwnd == window.initial {
            (window.cwnd, window.ssthresh) = (cwnd, ssthresh);
        }
    }
}

/// A sample of recovery's as a fact for congestion control.
pub(super) fn rate_sample(sample: &Sample) -> RateSample {
    RateSample {
        delivered: sample.delivered,
        interval: sample.interval,
        prior_delivered: sample.prior_delivered,
        lost: sample.lost,
        sent_in_flight: sample.sent_in_flight,
        application_limited: sample.application_limited,
    }
}
