//! The fifth step of SEGMENT ARRIVES: the ACK field (RFC 9293 §3.10.7.4), and what an acknowledgement sets in motion.

use super::congestion::Acknowledged;
use super::connection::Connection;
use super::segment::Segment;
use super::state::{Cause, State};
use crate::event::{CloseReason, Context, CwndCause, DropReason, TcpEvent, TimerKind};
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

impl Connection {
    pub(super) fn fifth_check_ack(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, seq: u64) -> ControlFlow<()> {
        if !segment.flags().ack() {
            self.drop_segment(cx, DropReason::MissingAck);
            return Break(());
        }
        let ack = segment.ack().position(self.snd.una);
        // RFC 5961 §5.2: acknowledgements of what was never sent, or of what is long past, are challenged.
        if ack > self.snd.nxt || ack + self.snd.max_wnd < self.snd.una {
            self.drop_segment(cx, DropReason::UnacceptableAck);
            self.challenge(cx);
            return Break(());
        }
        if ack > self.snd.una {
            self.take_acknowledgement(cx, segment, ack);
        } else if self.is_duplicate_ack(segment, ack) {
            self.count_duplicate(cx);
        }
        if ack >= self.snd.una {
            self.take_window(cx, segment, seq, ack);
        }
        self.after_ack_of_fin(cx)
    }

    /// RFC 5681 §2: outstanding data, no data in it, no SYN or FIN, the same number, the same window. The answer to a
    /// probe of a closed window looks the same and says nothing about loss.
    fn is_duplicate_ack(&self, segment: &Segment<'_>, ack: u64) -> bool {
        ack == self.snd.una
            && !self.recovery.is_empty()
            && self.snd.wnd > 0
            && segment.sequence_len() == 0
            && u64::from(segment.header.window) << self.snd.scale == self.snd.wnd
    }

    fn count_duplicate(&mut self, cx: &mut Context<'_>) {
        let mss = self.effective_mss() as u64;
        let in_flight = self.recovery.in_flight(mss) + mss * u64::from(self.recovery.duplicates().min(2));
        let lost = self.recovery.on_duplicate(self.snd.nxt, mss);
        self.tell(cx, || TcpEvent::DuplicateAck { count: self.recovery.duplicates() });
        if lost {
            self.change_congestion(cx, CwndCause::FastRetransmit, |congestion, now| {
                congestion.on_lost(now, in_flight);
            });
        }
    }

    /// SND.UNA moves: room in the buffer, a sample of the round trip, and perhaps a larger window.
    fn take_acknowledgement(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, ack: u64) {
        let bytes = ack - self.snd.una;
        let data = ack.min(self.snd.buffer.end()) - self.snd.una.min(self.snd.buffer.end());
        let mss = self.effective_mss() as u64;
        let in_flight = self.recovery.in_flight(mss);
        self.snd.acknowledge(ack);
        self.totals.bytes_acked += data;
        self.progress_at = cx.now;
        self.window_probes = 0;
        self.pending.window_probe = false;
        let progress = self.recovery.on_acknowledged(ack);
        self.tell(cx, || TcpEvent::Acknowledged { bytes, in_flight: self.recovery.outstanding() });
        let rtt = self.take_rtt_sample(cx, segment, progress.sent_at);
        self.restart_retransmission_timer(cx);
        if progress.recovered {
            self.change_congestion(cx, CwndCause::RecoveryOver, |congestion, now| congestion.on_recovered(now));
        } else if progress.grows {
            self.grow_window(
                cx,
                Acknowledged { now: cx.now, bytes, in_flight, rtt, cwnd_limited: self.cwnd_limited() },
            );
        }
        // The writer is woken when there is room worth waking it for.
        let room = self.config.send_buffer.saturating_sub(self.snd.buffer.len());
        self.wake |= room >= self.config.send_buffer / 3;
    }

    fn grow_window(&mut self, cx: &mut Context<'_>, fact: Acknowledged) {
        let slow_start = self.congestion.cwnd() < self.congestion.ssthresh();
        let why = if slow_start { CwndCause::SlowStart } else { CwndCause::CongestionAvoidance };
        self.change_congestion(cx, why, |congestion, _now| congestion.on_acknowledged(&fact));
    }

    /// RFC 7661 §4.1: in slow start a window of which more than half is used counts as used, since it doubles each round.
    fn cwnd_limited(&self) -> bool {
        let (cwnd, used) = (self.congestion.cwnd(), self.in_flight_at_send);
        if cwnd < self.congestion.ssthresh() { 2 * used > cwnd } else { used + self.effective_mss() as u64 >= cwnd }
    }

    /// RFC 6298 §3: of what was sent once, by our own clock; of what was sent again, only by its timestamp's echo.
    fn take_rtt_sample(
        &mut self,
        cx: &mut Context<'_>,
        segment: &Segment<'_>,
        sent_at: Option<crate::time::Instant>,
    ) -> Option<Duration> {
        let echo = segment.header.options.timestamps.map(|timestamps| timestamps.echo).filter(|echo| *echo != 0);
        let rtt = match (sent_at, &self.timestamps, echo) {
            (Some(sent_at), _, _) => cx.now.since(sent_at),
            (None, Some(ours), Some(echo)) => {
                let millis = ours.value(cx.now).wrapping_sub(echo);
                // An echo from the future, or from before the longest timeout, is the peer's invention.
                let plausible = u128::from(millis) <= self.config.max_rto.as_millis() * 2;
                plausible.then(|| Duration::from_millis(u64::from(millis)))?
            }
            (None, _, _) => return None,
        };
        self.rtt.sample(rtt);
        // RFC 6298 §5.7 and Karn: only a valid sample takes the backoff away.
        self.rtt.reset_backoff();
        self.tell(cx, || TcpEvent::RttSample {
            rtt,
            srtt: self.rtt.srtt().unwrap_or_default(),
            rttvar: self.rtt.rttvar(),
            rto: self.rtt.rto(),
        });
        Some(rtt)
    }

    /// RFC 6298 §5.2 and §5.3.
    fn restart_retransmission_timer(&mut self, cx: &mut Context<'_>) {
        if self.recovery.is_empty() {
            self.stop_timer(cx, TimerKind::Retransmission);
        } else {
            self.set_timer(cx, TimerKind::Retransmission, cx.after(self.rtt.rto()));
        }
    }

    /// RFC 9293 §3.10.7.4: the window is taken from a segment that is not older than the last that set it.
    fn take_window(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, seq: u64, ack: u64) {
        let newer = self.snd.wl1 < seq || self.snd.wl1 == seq && self.snd.wl2 <= ack;
        if !newer {
            return;
        }
        let (from, to) = (self.snd.wnd, u64::from(segment.header.window) << self.snd.scale);
        (self.snd.wnd, self.snd.wl1, self.snd.wl2) = (to, seq, ack);
        self.snd.max_wnd = self.snd.max_wnd.max(to);
        if from != to {
            self.tell(cx, || TcpEvent::PeerWindow { from, to });
        }
        if to > 0 {
            if from == 0 {
                self.leave_zero_window(cx);
            }
        } else if !self.released {
            // RFC 9293 §3.8.6.1 (MUST-37): it answers our probes, so it lives. Where no application is left whose
            // choice it could be to wait, patience ends all the same (RFC 6429 §3).
            self.progress_at = cx.now;
        }
    }

    fn after_ack_of_fin(&mut self, cx: &mut Context<'_>) -> ControlFlow<()> {
        if !self.snd.fin_acknowledged() {
            return Continue(());
        }
        match self.state {
            State::FinWait1 => {
                self.move_to(cx, Cause::AckOfFin);
                self.limit_fin_wait_2(cx);
            }
            State::Closing => {
                self.move_to(cx, Cause::AckOfFin);
                self.enter_time_wait(cx);
            }
            State::LastAck => {
                self.move_to(cx, Cause::AckOfFin);
                self.finish(cx, CloseReason::Finished);
                return Break(());
            }
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait2
            | State::CloseWait
            | State::TimeWait => {}
        }
        Continue(())
    }
}
