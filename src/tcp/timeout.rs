//! What a connection does when one of its timers fires.

use super::connection::Connection;
use super::state::{Cause, State};
use crate::event::{CloseReason, Context, CwndCause, SendReason, TcpEvent, TimerKind};
use std::time::Duration;

/// Keepalive settings below this count as this: a probe must have the time to be answered.
const SHORTEST_KEEPALIVE: Duration = Duration::from_millis(10);

/// After so many timeouts in a row the layers below hear of it (RFC 9293 §3.8.3, SHLD-10: at least three).
pub(super) const R1: u32 = 3;

impl Connection {
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        while let Some(timer) = self.timers.take_due(cx.now) {
            match timer {
                TimerKind::Reordering => self.on_reordering_timeout(cx),
                TimerKind::TailLossProbe => self.on_probe_timeout(cx),
                TimerKind::Retransmission => self.on_retransmission_timeout(cx),
                TimerKind::Persist => self.on_persist_timeout(cx),
                TimerKind::DelayedAck => {
                    self.tell(cx, || TcpEvent::TimerFired { timer, count: 1 });
                    self.rcv.ack_due = Some(SendReason::DelayedAck);
                }
                TimerKind::Keepalive => self.on_keepalive_timeout(cx),
                TimerKind::UserTimeout => self.on_user_timeout(cx),
                TimerKind::TimeWait => {
                    self.tell(cx, || TcpEvent::TimerFired { timer, count: 1 });
                    self.move_to(cx, Cause::TimeWaitOver);
                    self.finish(cx, CloseReason::Finished);
                }
                TimerKind::SillyWindow => {
                    self.tell(cx, || TcpEvent::TimerFired { timer, count: 1 });
                    self.pending.small_segment = true;
                    self.snd.give_up_on_more();
                }
                TimerKind::FinWait2 => {
                    self.tell(cx, || TcpEvent::TimerFired { timer, count: 1 });
                    self.give_up(cx, CloseReason::Finished);
                }
                TimerKind::Pacing => self.tell(cx, || TcpEvent::TimerFired { timer, count: 1 }),
            }
        }
    }

    /// RFC 6298 §5.4 to §5.6, RFC 5681 §3.1.
    fn on_retransmission_timeout(&mut self, cx: &mut Context<'_>) {
        if self.recovery.is_empty() {
            return;
        }
        let count = self.rtt.backoff() + 1;
        self.totals.trouble_mut().timeouts += 1;
        self.tell(cx, || TcpEvent::TimerFired { timer: TimerKind::Retransmission, count });
        if self.patience_is_over(cx, self.config.give_up) {
            return self.give_up(cx, CloseReason::TimedOut);
        }
        self.doubts_path |= count == R1;
        let (state, in_flight) = (self.recovery.state(), self.flight_size());
        self.rtt.back_off();
        let fresh = self.recovery.on_timeout(cx.now, self.snd.una, self.snd.nxt, self.effective_mss() as u64);
        self.reconsider_path_mtu(cx);
        self.tell_state(cx, state);
        self.hear_losses(cx.now);
        self.owe_cwr();
        self.stop_timer(cx, TimerKind::Reordering);
        self.stop_timer(cx, TimerKind::TailLossProbe);
        self.change_congestion(cx, CwndCause::Timeout, |congestion, now| congestion.on_timeout(now, in_flight, !fresh));
    }

    /// Has nothing been acknowledged for longer than R2 (RFC 9293 §3.8.3)?
    fn patience_is_over(&self, cx: &Context<'_>, limit: Duration) -> bool {
        cx.now.since(self.progress_at) >= self.config.user_timeout.unwrap_or(limit)
    }

    /// RFC 9293 §3.8.6.1 (MUST-35, MUST-36): probe a closed window, ever more rarely (SHLD-30), as long as the peer
    /// answers (MUST-37).
    fn on_persist_timeout(&mut self, cx: &mut Context<'_>) {
        if self.snd.usable() > 0 && self.recovery.is_empty() || !self.something_waits() {
            return;
        }
        self.window_probes += 1;
        let count = self.window_probes;
        self.tell(cx, || TcpEvent::TimerFired { timer: TimerKind::Persist, count });
        if self.patience_is_over(cx, self.config.give_up) {
            return self.give_up(cx, CloseReason::TimedOut);
        }
        self.pending.window_probe = true;
        let at = cx.after(self.window_probe_interval());
        self.set_timer(cx, TimerKind::Persist, at);
    }

    pub(super) fn window_probe_interval(&self) -> Duration {
        let factor = 1u32.checked_shl(self.window_probes).unwrap_or(u32::MAX);
        self.rtt.rto().saturating_mul(factor).min(self.config.max_rto)
    }

    /// The window has opened: what the probes carried, or the peer threw away when it shrank the window, goes again
    /// with the rest, and the usual timer takes over.
    pub(super) fn leave_zero_window(&mut self, cx: &mut Context<'_>) {
        self.stop_timer(cx, TimerKind::Persist);
        self.window_probes = 0;
        self.pending.window_probe = false;
        if !self.recovery.is_empty() {
            self.recovery.on_window_reopened(self.snd.nxt);
            self.set_timer(cx, TimerKind::Retransmission, self.rtt.timeout(cx.now));
        }
    }

    pub(super) fn something_waits(&self) -> bool {
        !self.recovery.is_empty() || self.snd.has_unsent()
    }

    /// The application's own limit (RFC 9293 §3.9.1.1), counted from when data last made progress.
    pub(super) fn arm_user_timeout(&mut self, cx: &mut Context<'_>) {
        if let Some(limit) = self.config.user_timeout
            && !self.timers.is_running(TimerKind::UserTimeout)
        {
            self.set_timer(cx, TimerKind::UserTimeout, self.progress_at + limit);
        }
    }

    fn on_user_timeout(&mut self, cx: &mut Context<'_>) {
        let Some(limit) = self.config.user_timeout.filter(|_| self.something_waits()) else { return };
        if cx.now.since(self.progress_at) < limit {
            return self.arm_user_timeout(cx);
        }
        self.tell(cx, || TcpEvent::TimerFired { timer: TimerKind::UserTimeout, count: 1 });
        self.give_up(cx, CloseReason::TimedOut);
    }

    /// RFC 9293 §3.8.4, if the application wants it (MUST-24): from when something last came in.
    pub(super) fn arm_keepalive(&mut self, cx: &mut Context<'_>) {
        if self.config.keepalive.enabled {
            self.set_timer(
                cx,
                TimerKind::Keepalive,
                self.received_at + self.config.keepalive.idle.max(SHORTEST_KEEPALIVE),
            );
        }
    }

    /// The timer is not moved by every segment: when it fires, it looks how long the peer has really been silent.
    fn on_keepalive_timeout(&mut self, cx: &mut Context<'_>) {
        let keepalive = self.config.keepalive;
        let idle = cx.now.since(self.received_at);
        // MUST-26: only when nothing is outstanding; what is will be retransmitted and so tells as much.
        if !keepalive.enabled || self.something_waits() && self.state != State::TimeWait {
            return self.set_timer(cx, TimerKind::Keepalive, cx.after(keepalive.idle.max(SHORTEST_KEEPALIVE)));
        }
        if idle < keepalive.idle {
            return self.arm_keepalive(cx);
        }
        let count = self.keepalive_probes + 1;
        self.tell(cx, || TcpEvent::TimerFired { timer: TimerKind::Keepalive, count });
        // MUST-29: one unanswered probe must not end it, which count sees to.
        if self.keepalive_probes >= keepalive.count.max(1) {
            return self.reset(cx, CloseReason::KeepaliveTimedOut);
        }
        self.keepalive_probes = count;
        self.pending.keepalive = true;
        self.set_timer(cx, TimerKind::Keepalive, cx.after(keepalive.interval.max(SHORTEST_KEEPALIVE)));
    }
}
