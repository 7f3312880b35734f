//! What a connection does about loss: recovery's conclusions become timers, events, and facts for congestion control.

use super::congestion::RateSample;
use super::connection::Connection;
use super::control::rate_sample;
use super::recovery::{Path, Report};
use crate::event::{CongestionState, Context, CwndCause, TcpEvent, TimerKind};
use crate::time::Instant;
use std::time::Duration;

/// The least time for what comes after reneging to clear up by itself; Linux's.
const RENEGING_PATIENCE: Duration = Duration::from_millis(10);
/// What timers are late by, at the least, so that what is due at the same moment comes first; Linux's.
const TIMER_SLACK: Duration = Duration::from_millis(2);

impl Connection {
    pub(super) fn path(&self) -> Path {
        Path {
            mss: self.effective_mss() as u64,
            max_wnd: self.snd.max_wnd,
            min_rtt: self.rtt.min_rtt(),
            srtt: self.rtt.srtt(),
        }
    }

    /// draft-ietf-ccwg-bbr §4.1.2.4: does the application leave a gap?
    pub(super) fn note_application_limit(&mut self, mss: u64) {
        let (unsent, window) = (self.snd.unsent(), self.cwnd());
        self.recovery.note_application_limit(unsent, window, mss);
    }

    /// RFC 5681 §3.1, FlightSize: what a loss is measured by, without what limited transmit added (RFC 3042).
    pub(super) fn flight_size(&self) -> u64 {
        self.recovery.outstanding().min(self.congestion.cwnd())
    }

    /// Congestion control hears what recovery has found out; `before` is what was in flight.
    pub(super) fn conclude(&mut self, cx: &mut Context<'_>, report: &Report, before: u64) {
        if let Some(why) = report.undone {
            self.tell(cx, || TcpEvent::Spurious { why });
            self.rtt.reset_backoff();
            self.change_congestion(cx, CwndCause::Undo, |congestion, now| congestion.on_undo(now));
        }
        if report.tail_lost && report.entered.is_none() && self.recovery.state() == CongestionState::Open {
            // RFC 8985 §7.4.2: as fast recovery would have, had it known.
            self.change_congestion(cx, CwndCause::TailLoss, |congestion, now| congestion.on_lost(now, before));
        }
        if report.recovered {
            self.change_congestion(cx, CwndCause::RecoveryOver, |congestion, now| congestion.on_recovered(now));
        }
        if report.entered.is_some() && !report.reduced {
            self.owe_cwr();
            self.change_congestion(cx, CwndCause::FastRetransmit, |congestion, now| congestion.on_lost(now, before));
            self.recovery.reduce(self.congestion.ssthresh(), report.delivered);
        }
        self.bring_window_down(cx, report);
        if report.looked {
            self.set_reordering_timer(cx, report);
        }
        let probed_for = matches!(self.recovery.state(), CongestionState::Recovery | CongestionState::Loss);
        if probed_for || report.look_again_at.is_some() {
            self.stop_timer(cx, TimerKind::TailLossProbe);
        }
    }

    /// All that was lost at a timeout has been acknowledged.
    pub(super) fn hear_repair(&mut self, cx: &mut Context<'_>, report: &Report, from: CongestionState) {
        let loss = CongestionState::Loss;
        if from == loss && self.recovery.state() != loss && report.undone.is_none() && report.entered.is_none() {
            self.change_congestion(cx, CwndCause::RecoveryOver, |congestion, now| congestion.on_repaired(now));
        }
    }

    /// How many bytes may be in flight: what congestion control says, unless its window is just coming down.
    pub(super) fn cwnd(&self) -> u64 {
        let reduced = self.recovery.window().filter(|_| !self.congestion.governs_recovery());
        reduced.unwrap_or_else(|| self.congestion.cwnd())
    }

    /// RFC 9937: with each acknowledgement of a recovery, as far as what it delivered allows.
    pub(super) fn bring_window_down(&mut self, cx: &mut Context<'_>, report: &Report) {
        if self.recovery.window().is_none() {
            return;
        }
        let (from, mss) = (self.cwnd(), self.effective_mss() as u64);
        let safe = report.acknowledged > 0 && report.lost.segments == 0;
        self.recovery.on_delivered_in_reduction(report.delivered, safe, mss);
        let (to, ssthresh) = (self.cwnd(), self.congestion.ssthresh());
        if from != to {
            self.tell(cx, || TcpEvent::Cwnd { from, to, ssthresh, why: CwndCause::FastRecovery });
        }
    }

    /// RFC 8985 §7.2: the probe goes before the retransmission timer runs out, or in its place.
    pub(super) fn arm_probe(&mut self, cx: &mut Context<'_>) {
        let (delay, initial) = (self.config.min_rto, self.config.initial_rto);
        let Some(timeout) = self.recovery.probe_timeout(self.rtt.srtt(), delay, initial) else { return };
        let limit = self.timers.at(TimerKind::Retransmission).unwrap_or(Instant::FAR_FUTURE);
        self.set_timer(cx, TimerKind::TailLossProbe, cx.after(timeout).min(limit));
    }

    pub(super) fn on_probe_timeout(&mut self, cx: &mut Context<'_>) {
        self.tell(cx, || TcpEvent::TimerFired { timer: TimerKind::TailLossProbe, count: 1 });
        self.recovery.on_probe_timeout();
        if self.next_probe().is_some() {
            // In its place, if both are due.
            self.set_timer(cx, TimerKind::Retransmission, self.rtt.timeout(cx.now));
        } else {
            self.recovery.skip_probe();
        }
    }

    fn set_reordering_timer(&mut self, cx: &mut Context<'_>, report: &Report) {
        match report.look_again_at {
            Some(at) => self.set_timer(cx, TimerKind::Reordering, at + TIMER_SLACK),
            None => self.stop_timer(cx, TimerKind::Reordering),
        }
    }

    pub(super) fn tell_report(&self, cx: &mut Context<'_>, report: &Report, from: CongestionState) {
        if !cx.is_observed() {
            return;
        }
        let bytes = report.acknowledged;
        if bytes > 0 {
            self.tell(cx, || TcpEvent::Acknowledged { bytes, in_flight: self.recovery.outstanding() });
        }
        if report.sacked > 0 {
            self.tell(cx, || TcpEvent::Sacked { bytes: report.sacked });
        }
        if report.duplicates > 0 {
            self.tell(cx, || TcpEvent::DuplicateSack { segments: report.duplicates });
        }
        if let Some(segments) = report.reordered {
            self.tell(cx, || TcpEvent::Reordering { segments });
        }
        if let Some(rate) = report.rate.as_ref().map(rate_sample) {
            let RateSample { delivered, interval, application_limited, .. } = rate;
            let rate = rate.rate();
            self.tell(cx, || TcpEvent::DeliveryRate { rate, delivered, interval, application_limited });
        }
        if report.lost.bytes > 0 {
            self.tell(cx, || TcpEvent::Lost { bytes: report.lost.bytes, again: report.lost_again });
        }
        if report.reneged {
            self.tell(cx, || TcpEvent::Reneged);
        }
        self.tell_state(cx, from);
    }

    pub(super) fn tell_state(&self, cx: &mut Context<'_>, from: CongestionState) {
        let to = self.recovery.state();
        if from != to {
            self.tell(cx, || TcpEvent::Recovery { from, to });
        }
    }

    /// RFC 2018 §8: the peer acknowledges up to what it had sacked, and not further. If the rest does not come at once
    /// the timeout sends it all again.
    pub(super) fn expect_reneging(&mut self, cx: &mut Context<'_>) {
        let patience = (self.rtt.srtt().unwrap_or_default() / 2).max(RENEGING_PATIENCE);
        self.set_timer(cx, TimerKind::Retransmission, cx.after(patience));
    }

    pub(super) fn on_reordering_timeout(&mut self, cx: &mut Context<'_>) {
        self.tell(cx, || TcpEvent::TimerFired { timer: TimerKind::Reordering, count: 1 });
        let (state, before) = (self.recovery.state(), self.flight_size());
        let mut report = self.recovery.on_reordering_timeout(cx.now, self.snd.nxt, &self.path());
        // As Linux: the time that has passed lets one segment out.
        report.delivered = if report.lost.segments > 0 { self.effective_mss() as u64 } else { 0 };
        self.tell_report(cx, &report, state);
        self.hear_losses(cx.now);
        self.conclude(cx, &report, before);
    }
}
