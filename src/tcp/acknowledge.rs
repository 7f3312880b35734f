//! The fifth step of SEGMENT ARRIVES: the ACK field (RFC 9293 §3.10.7.4), and what an acknowledgement sets in motion.

use super::connection::Connection;
use super::control::Heard;
use super::recovery::{Ack, Report, whole_millis};
use super::segment::Segment;
use super::seq::Seq;
use super::state::{Cause, State};
use crate::event::{CloseReason, Context, DropReason, TcpEvent, TimerKind};
use crate::time::{Instant, nanos};
use crate::wire::tcp_options::MAX_BLOCKS;
use arrayvec::ArrayVec;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

impl Connection {
    pub(super) fn fifth_check_ack(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, seq: u64) -> ControlFlow<()> {
        if !segment.flags().ack() {
            self.drop_segment(cx, DropReason::MissingAck);
            return Break(());
        }
        let ack = segment.ack().position(self.snd.una);
        // RFC 5961 §5.2 (RFC 9293 MAY-12): acknowledgements of what was never sent, or of what is long past, are
        // challenged. Nothing was ever sent before our first byte, however large the peer's window.
        let past = self.snd.max_wnd.min(self.snd.una - self.snd.first);
        if ack > self.snd.nxt || ack + past < self.snd.una {
            self.drop_segment(cx, DropReason::UnacceptableAck);
            self.challenge(cx);
            return Break(());
        }
        self.note_timestamp(cx.now, segment, seq);
        let greets = self.hear_greeting(cx, segment);
        self.hear_acknowledgement(cx, segment, ack, greets);
        if ack >= self.snd.una {
            self.take_window(cx, segment, seq, ack);
        }
        self.after_ack_of_fin(cx)
    }

    /// RFC 5681 §2, but for the outstanding data: no data in it, no SYN or FIN, the same number, the same window. The answer to a
    /// probe of a closed window looks the same and says nothing about loss.
    fn repeats(&self, segment: &Segment<'_>, ack: u64) -> bool {
        ack == self.snd.una
            && self.snd.wnd > 0
            && segment.sequence_len() == 0
            && u64::from(segment.header.window) << self.snd.scale == self.snd.wnd
    }

    fn hear_acknowledgement(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, ack: u64, greets: bool) {
        let repeated = self.repeats(segment, ack);
        let duplicate = repeated && !self.recovery.is_empty();
        let told = &segment.header.options.sack;
        if ack <= self.snd.una && !repeated && told.is_empty() {
            return;
        }
        let una = ack.max(self.snd.una);
        let position = |seq: u32| Seq(seq).position(una);
        let mut blocks = ArrayVec::<_, MAX_BLOCKS>::new();
        for (left, right) in told {
            blocks.push((position(*left), position(*right)));
        }
        let echoed = self.echoed(cx.now, segment);
        let (now, nxt, path) = (cx.now, self.snd.nxt, self.path());
        let (before, prior_in_flight) = (self.flight_size(), self.recovery.in_flight(path.mss));
        self.note_application_limit(path.mss);
        if ack > self.snd.una {
            self.advance_una(cx, ack);
        }
        let fact = Ack { now, ack, una, nxt, blocks: &blocks, duplicate, repeated, echoed, path };
        let state = self.recovery.state();
        let report = self.recovery.on_acknowledged(&fact);
        if duplicate {
            self.tell(cx, || TcpEvent::DuplicateAck { count: self.recovery.duplicates() });
        }
        self.wake_writer(report.delivered);
        self.tell_report(cx, &report, state);
        let rtt = self.take_rtt_sample(cx, &report, echoed);
        if report.lost.segments > 0 {
            self.hear_losses(cx.now);
        }
        self.conclude(cx, &report, before);
        // RFC 9768 §3.2.2.2: not of an acknowledgement that has been overtaken.
        let told = if ack == una && !greets { self.marks_told(cx, segment, &report, path.mss) } else { None };
        let marked = told.is_some() && self.hear_echo(cx, &report, before);
        self.hear_repair(cx, &report, state);
        if report.acknowledged > 0 || report.sacked_older && rtt.is_some() {
            self.restart_retransmission_timer(cx);
        }
        if report.reneged {
            self.expect_reneging(cx);
        }
        self.hear_delivered(
            cx,
            Heard {
                report: &report,
                marked: told.unwrap_or(0),
                prior_in_flight,
                mss: path.mss,
                rtt,
                grows: report.grows && !marked,
            },
        );
    }

    /// SND.UNA moves: room in the buffer, and patience begins anew.
    fn advance_una(&mut self, cx: &mut Context<'_>, ack: u64) {
        let data = ack.min(self.snd.buffer.end()) - self.snd.una.min(self.snd.buffer.end());
        self.note_arrival(cx, ack);
        self.snd.acknowledge(ack, cx.pool);
        self.totals.bytes_acked += data;
        if self.snd.buffer.len() == 0 {
            self.note_phase(cx.now, false);
        }
        self.progress_at = cx.now;
        self.window_probes = 0;
        self.pending.window_probe = false;
    }

    /// Something was delivered: the writer is woken when there is room worth waking it for.
    fn wake_writer(&mut self, delivered: u64) {
        let capacity = self.send_capacity();
        self.wake |= delivered > 0 && capacity.saturating_sub(self.snd.buffer.len()) >= capacity / 3;
    }

    /// When the segment was sent whose timestamp comes back, in whole milliseconds.
    fn echoed(&self, now: Instant, segment: &Segment<'_>) -> Option<Instant> {
        let ours = self.timestamps?;
        let echo = segment.header.options.timestamps.map(|timestamps| timestamps.echo).filter(|echo| *echo != 0)?;
        let ago = u64::from(ours.value(now).wrapping_sub(echo));
        // An echo from the future, or from before the longest timeout, is the peer's invention.
        let plausible = ago * 1_000_000 <= nanos(self.config.max_rto) * 2;
        now.as_millis().checked_sub(ago).filter(|_| plausible).map(Instant::from_millis)
    }

    /// RFC 6298 §3: of what was sent once, by our own clock; of what was sent again, only by its timestamp's echo, and
    /// only if that is of the last transmission. An older one comes back late because an acknowledgement was lost, and
    /// measures our own timeout.
    fn take_rtt_sample(&mut self, cx: &mut Context<'_>, report: &Report, echoed: Option<Instant>) -> Option<Duration> {
        let now = cx.now;
        let by_echo = || {
            let (first, echoed) = (report.first_sent_at?, echoed?);
            (echoed >= whole_millis(first)).then(|| whole_millis(now).since(echoed))
        };
        let rtt = report.oldest_sent_at.map(|at| now.since(at)).or_else(by_echo)?;
        let newest = report.newest_sent_at.map_or(rtt, |at| now.since(at));
        self.rtt.sample(rtt);
        self.rtt.note_minimum(now, newest);
        // RFC 6298 §5.7 and Karn: only a valid sample takes the backoff away.
        self.rtt.reset_backoff();
        self.tell(cx, || TcpEvent::RttSample {
            rtt,
            srtt: self.rtt.srtt().unwrap_or_default(),
            rttvar: self.rtt.rttvar(),
            rto: self.rtt.rto(),
        });
        Some(newest)
    }

    /// RFC 6298 §5.2 and §5.3.
    fn restart_retransmission_timer(&mut self, cx: &mut Context<'_>) {
        if self.recovery.is_empty() {
            self.stop_timer(cx, TimerKind::Retransmission);
            self.stop_timer(cx, TimerKind::TailLossProbe);
        } else if !self.timers.is_running(TimerKind::Persist) {
            self.set_timer(cx, TimerKind::Retransmission, self.rtt.timeout(cx.now));
            self.arm_probe(cx);
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
