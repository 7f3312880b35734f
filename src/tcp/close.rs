//! How a connection ends (RFC 9293 §3.6): in order, by reset, or by losing patience; and TIME-WAIT.

use super::arrive::Arrival;
use super::connection::Connection;
use super::recovery::Recovery;
use super::segment::Segment;
use super::seq::Seq;
use super::state::{Cause, State};
use super::time_wait::{Answer, TimeWait};
use crate::event::{CloseReason, Context, SendReason, TcpEvent, TimerKind};
use crate::time::Instant;

impl Connection {
    /// CLOSE of the sending side (RFC 9293 §3.10.4): FIN after what is buffered. Once is enough.
    pub fn shutdown(&mut self, cx: &mut Context<'_>) {
        if self.snd.fin.is_none() && matches!(self.state, State::Established | State::CloseWait) {
            if !self.something_waits() {
                self.progress_at = cx.now;
            }
            self.snd.fin = Some(self.snd.buffer.end());
            self.move_to(cx, Cause::Close);
            self.arm_user_timeout(cx);
        }
    }

    /// The application lets go: it will neither read nor write (RFC 9293 §3.6.1, MAY-1). What was written is still
    /// delivered.
    pub fn release(&mut self, cx: &mut Context<'_>) {
        self.released = true;
        let unread = self.rcv.buffer.readable() > 0;
        if unread && self.state != State::Closed && self.state != State::TimeWait {
            // RFC 9293 §3.6.1 (SHLD-3): data was lost, and the peer should know.
            return self.reset(cx, CloseReason::Aborted);
        }
        self.shutdown(cx);
        self.limit_fin_wait_2(cx);
    }

    /// ABORT (RFC 9293 §3.10.5).
    pub fn abort(&mut self, cx: &mut Context<'_>) {
        self.released = true;
        self.reset(cx, CloseReason::Aborted);
    }

    /// Sends RST, where there is a peer to hear it, and is done.
    pub(super) fn reset(&mut self, cx: &mut Context<'_>, why: CloseReason) {
        if !matches!(self.state, State::Closed | State::TimeWait) {
            self.pending.reset = Some(SendReason::Abort);
        }
        self.move_to(cx, Cause::Abort);
        self.finish(cx, why);
    }

    /// Nothing is sent: the peer does not answer.
    pub(super) fn give_up(&mut self, cx: &mut Context<'_>, why: CloseReason) {
        self.move_to(cx, Cause::GaveUp);
        self.finish(cx, why);
    }

    /// The connection is over, for `why`; what was received can still be read.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>, why: CloseReason) {
        if self.closed.is_none() {
            self.closed = Some(why);
            self.tell(cx, || TcpEvent::Closed { why });
        }
        self.wake = true;
        self.stop_all_timers(cx);
        (self.rcv.ack_due, self.rcv.reports) = (None, None);
        self.snd.buffer.acknowledge(self.snd.buffer.end(), cx.pool);
        self.recovery = Recovery::new(self.config.recovery, self.sack);
    }

    /// RFC 9293 §3.6.1 (MUST-13): all other timers off, 2 MSL on.
    pub(super) fn enter_time_wait(&mut self, cx: &mut Context<'_>) {
        self.stop_all_timers(cx);
        self.set_timer(cx, TimerKind::TimeWait, cx.after(self.config.time_wait));
        self.time_wait = Some(Box::new(TimeWait {
            snd_nxt: Seq::at(self.snd.nxt),
            rcv_nxt: Seq::at(self.rcv.nxt),
            window: self.time_wait_window(),
            scale: self.rcv.scale,
            reach: self.snd.max_wnd.min(self.snd.una - self.snd.first).div_ceil(1 << 16).min(u16::MAX.into()) as u16,
            has_timestamps: self.timestamps.is_some(),
            recent: self.timestamps.map_or(0, |timestamps| timestamps.recent),
            limiter: self.limiter,
        }));
        self.wake = true;
    }

    pub(super) fn handle_in_time_wait(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) -> Arrival {
        self.totals.segments_received += u64::from(segment.packets);
        let window = self.time_wait_window();
        let Some(wait) = &mut self.time_wait else { return Arrival::Handled };
        wait.window = window;
        match wait.handle_segment(cx, segment) {
            Answer::NewIncarnation => return Arrival::NewIncarnation,
            answer @ (Answer::Nothing | Answer::Acknowledge { .. }) => self.answer_in_time_wait(cx, answer),
        }
        Arrival::Handled
    }

    fn answer_in_time_wait(&mut self, cx: &mut Context<'_>, answer: Answer) {
        if let (Some(ours), Some(wait)) = (&mut self.timestamps, &self.time_wait) {
            ours.recent = wait.recent;
        }
        if let Answer::Acknowledge { why, restart } = answer {
            self.rcv.ack_due = Some(why);
            if restart {
                self.set_timer(cx, TimerKind::TimeWait, cx.after(self.config.time_wait));
            }
        }
    }

    /// Nobody listens for the SYN that might begin a new incarnation: TIME-WAIT goes on.
    pub fn refuse_incarnation(&mut self, cx: &mut Context<'_>) {
        if let Some(wait) = &mut self.time_wait {
            let answer = wait.refuse_syn(cx);
            self.answer_in_time_wait(cx, answer);
        }
    }

    /// In TIME-WAIT, once everything is said: what is left of the connection, and until when.
    pub fn time_wait(&self) -> Option<(TimeWait, Instant)> {
        let until = self.timers.at(TimerKind::TimeWait)?;
        let nothing_to_say = self.rcv.ack_due.is_none();
        let wait = self.time_wait.as_deref().filter(|_| self.state == State::TimeWait && nothing_to_say)?;
        Some((TimeWait { window: self.time_wait_window(), ..wait.clone() }, until))
    }

    /// The acknowledgement of the FIN may have moved the right edge.
    fn time_wait_window(&self) -> u32 {
        u32::try_from(self.rcv.wnd()).unwrap_or(u32::MAX)
    }

    /// A new incarnation takes the place of this one.
    pub fn give_way(&mut self, cx: &mut Context<'_>) {
        self.move_to(cx, Cause::NewIncarnation);
        self.finish(cx, CloseReason::Finished);
    }

    /// A peer that never finishes must not hold a record that nobody else holds.
    pub(super) fn limit_fin_wait_2(&mut self, cx: &mut Context<'_>) {
        if self.released && self.state == State::FinWait2 {
            self.set_timer(cx, TimerKind::FinWait2, cx.after(self.config.fin_wait_2));
        }
    }

    /// An ICMP error that quotes `seq`, which must lie in flight (RFC 5927 §4). In a synchronized state even a hard
    /// error only counts as soft: it is the application's to know, and the retransmission timer's to decide.
    pub fn handle_icmp(&mut self, cx: &mut Context<'_>, meaning: &'static str, hard: bool) {
        self.tell(cx, || TcpEvent::IcmpError { meaning, hard });
        self.soft_error = Some(meaning);
        self.wake = true;
    }

    /// RFC 5927 §4.1: an error that quotes anything else is old, or forged.
    pub fn has_in_flight(&self, seq: Seq) -> bool {
        let position = seq.position(self.snd.una);
        self.snd.una <= position && position < self.snd.nxt
    }
}
