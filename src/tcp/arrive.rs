//! SEGMENT ARRIVES in a synchronized state: the numbered steps of RFC 9293 §3.10.7.4, in order.
//!
//! Each step either lets the segment go on to the next or ends its journey ([`ControlFlow::Break`]). What the segment
//! asks to be sent is only noted down; it goes out when the stack polls, after all segments that have arrived together
//! have been processed (MUST-58, MUST-59).

use super::connection::Connection;
use super::memory::{FLOOR, Memory};
use super::reassembly::Inserted;
use super::receive::Acknowledge;
use super::segment::Segment;
use super::seq::Seq;
use super::state::{self, Cause, State};
use crate::event::{CloseReason, Context, DropReason, Event, Layer, SendReason, TcpEvent, TimerKind};
use crate::time::Instant;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

/// RFC 7323 §5.5: a TS.Recent older than this says nothing any more.
const TS_RECENT_LIFETIME: Duration = Duration::from_secs(24 * 24 * 3600);

/// What the stack must do beside what the connection did itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    Handled,
    /// Something of ours was acknowledged for the first time, or new data came, which tells that our acknowledgements
    /// arrive: who takes our packets lives (RFC 4861 §7.3.1).
    Progress,
    /// A SYN that may begin a new incarnation of this connection, which is in TIME-WAIT (RFC 9293 §3.10.7.4, MAY-2):
    /// the record is to be dropped and the segment to go to the listener.
    NewIncarnation,
}

impl Connection {
    pub fn handle_segment(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) -> Arrival {
        if self.state == State::TimeWait {
            return self.handle_in_time_wait(cx, segment);
        }
        self.totals.segments_received += u64::from(segment.packets);
        self.received_at = cx.now;
        self.keepalive_probes = 0;
        let before = (self.snd.una, self.rcv.nxt);
        let _ended_early = self.walk_through_steps(cx, segment);
        if before == (self.snd.una, self.rcv.nxt) { Arrival::Handled } else { Arrival::Progress }
    }

    /// The segment that completed the handshake: RFC 9293 §3.10.7.3 and §3.10.7.4 go on with what else it holds.
    pub fn handle_rest(&mut self, cx: &mut Context<'_>, segment: Segment<'_>) {
        let scale = self.snd.scale;
        if segment.flags().syn() {
            // RFC 7323 §2.2: the window of a segment with SYN is not scaled.
            self.snd.scale = 0;
        }
        self.handle_segment(cx, &segment.past_syn());
        self.snd.scale = scale;
    }

    /// The data and the FIN of a SYN whose cookie allows them (RFC 7413 §4.2.2), the SYN taken off. The SYN,ACK will
    /// acknowledge them.
    pub(super) fn handle_early_data(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) {
        let seq = segment.seq().position(self.rcv.nxt);
        if self.seventh_process_text(cx, segment, seq).is_continue() {
            self.eighth_check_fin(cx, segment, seq);
        }
        self.totals.syn_data = !segment.data.is_empty();
        self.stop_timer(cx, TimerKind::DelayedAck);
        self.rcv.ack_due = None;
    }

    fn walk_through_steps(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) -> ControlFlow<()> {
        let seq = segment.seq().position(self.rcv.nxt);
        self.first_check_sequence_number(cx, segment, seq)?;
        self.second_check_reset(cx, segment, seq)?;
        // Third, check security: nothing to check (RFC 9293 §A.1).
        self.fourth_check_syn(cx, segment)?;
        self.count_mark(cx, segment);
        self.fifth_check_ack(cx, segment, seq)?;
        self.sixth_check_urgent(cx, segment, seq);
        self.seventh_process_text(cx, segment, seq)?;
        self.eighth_check_fin(cx, segment, seq);
        Continue(())
    }

    /// The four cases of RFC 9293 §3.10.7.4, table 6, after PAWS (RFC 7323 §5.3).
    fn first_check_sequence_number(
        &mut self,
        cx: &mut Context<'_>,
        segment: &Segment<'_>,
        seq: u64,
    ) -> ControlFlow<()> {
        let (nxt, edge, end) = (self.rcv.nxt, self.rcv.edge(), seq + segment.sequence_len());
        if self.timestamp_is_old(cx.now, segment) {
            self.drop_segment(cx, DropReason::OldTimestamp);
            self.note_old_data(cx, segment, seq);
            self.answer_unacceptable(cx, segment);
            return Break(());
        }
        let acceptable = match (segment.sequence_len(), edge - nxt) {
            (0, 0) => seq == nxt,
            (0, _) => nxt <= seq && seq < edge,
            // No data is acceptable, but what acknowledges, urges or resets is heard (MUST-66).
            (_, 0) => seq == nxt,
            (_, _) => seq < edge && end > nxt,
        };
        if acceptable {
            return Continue(());
        }
        self.drop_segment(cx, DropReason::UnacceptableSegment);
        self.note_old_data(cx, segment, seq);
        self.answer_unacceptable(cx, segment);
        Break(())
    }

    /// RFC 2883 §4: of a segment that is thrown away, what had come before is reported all the same.
    fn note_old_data(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, seq: u64) {
        if seq < self.rcv.nxt && !segment.flags().syn() && !segment.flags().rst() {
            self.rcv.note_duplicate(seq, (seq + segment.sequence_len()).min(self.rcv.nxt));
            // One byte may be a keepalive.
            if segment.data.len() > 1 {
                self.doubt_option_on_acknowledgements(cx, true);
            }
        }
    }

    /// An acknowledgement, unless the segment is a RST. Those for segments without data are limited, so that two hosts
    /// that each find the other's acknowledgement unacceptable do not answer each other for ever.
    fn answer_unacceptable(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) {
        if !segment.flags().rst() && (segment.sequence_len() > 0 || self.limiter.allows(cx.now)) {
            self.rcv.ack_due = Some(SendReason::UnacceptableSegment);
        }
    }

    /// RFC 5961 §3.2: only a RST at exactly RCV.NXT resets, with data or without (RFC 9293 §3.5.3, SHLD-2); one
    /// elsewhere in the window is challenged.
    fn second_check_reset(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, seq: u64) -> ControlFlow<()> {
        if !segment.flags().rst() {
            return Continue(());
        }
        if seq == self.rcv.nxt || seq > self.rcv.nxt && self.config.any_reset_in_window {
            self.move_to(cx, Cause::ResetReceived);
            self.finish(cx, CloseReason::ResetByPeer);
        } else if seq < self.rcv.nxt {
            // What it carries may reach into the window; itself it lies outside.
            self.drop_segment(cx, DropReason::UnacceptableSegment);
        } else {
            self.drop_segment(cx, DropReason::BlindReset);
            self.challenge(cx);
        }
        Break(())
    }

    /// RFC 5961 §4.2: a SYN in a synchronized state is challenged, wherever it lies.
    fn fourth_check_syn(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) -> ControlFlow<()> {
        if !segment.flags().syn() {
            return Continue(());
        }
        self.drop_segment(cx, DropReason::BadTcpFlags);
        if self.config.syn_in_window_resets {
            // RFC 793 §3.9: it is an error; the first step has answered those outside the window.
            self.reset(cx, CloseReason::ResetByPeer);
        } else {
            self.challenge(cx);
        }
        Break(())
    }

    pub(super) fn challenge(&mut self, cx: &mut Context<'_>) {
        if self.limiter.allows(cx.now) {
            self.rcv.ack_due = Some(SendReason::ChallengeAck);
        }
    }

    /// RFC 9293 §3.8.5: the urgent pointer names the octet after the urgent data (MUST-62), however long that is
    /// (MUST-30, MUST-31); the application is told (MUST-32).
    fn sixth_check_urgent(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, seq: u64) {
        if !segment.flags().urg() || !state::receives(self.state) {
            return;
        }
        let urgent = seq + u64::from(segment.header.urgent);
        let read = self.rcv.buffer.read_position();
        if urgent > read && self.rcv.urgent.is_none_or(|known| urgent > known) {
            self.rcv.urgent = Some(urgent);
            self.wake = true;
            self.tell(cx, || TcpEvent::Urgent { ahead: urgent - read });
        }
    }

    fn seventh_process_text(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, seq: u64) -> ControlFlow<()> {
        if segment.data.is_empty() || !state::receives(self.state) {
            return Continue(());
        }
        let beyond = seq + segment.data.len() as u64 > self.rcv.nxt;
        if self.released && beyond {
            // RFC 9293 §3.6.1 (SHLD-3): nobody will ever read it, and the peer should know.
            self.drop_segment(cx, DropReason::ClosedForReceiving);
            self.pending.reset_at = Some(segment.ack().position(self.snd.una));
            self.reset(cx, CloseReason::Aborted);
            return Break(());
        }
        let end = (seq + segment.data.len() as u64).min(self.rcv.edge());
        if self.memory == Memory::Exhausted && beyond && self.rcv.buffer.exceeds(end, FLOOR) {
            self.drop_segment(cx, DropReason::OutOfMemory);
            self.rcv.ack_due = Some(SendReason::DuplicateAck);
            return Break(());
        }
        self.widen_window(cx);
        self.totals.data_segments_received += u64::from(segment.packets);
        // A super-frame of several segments tells no more than that they were no larger than announced.
        let len = segment.data.len().min(self.advertised_mss);
        self.totals.largest_received = self.totals.largest_received.max(len);
        self.totals.data_received_at = cx.now;
        let before = self.rcv.nxt;
        if segment.flags().fin() {
            self.rcv.cut_at_fin(seq, seq + segment.data.len() as u64, cx.pool);
        }
        let (inserted, acknowledge) = self.rcv.accept(seq, segment.data, cx.pool);
        if !self.sack && self.rcv.nxt == before {
            self.rcv.owe_repeats(segment.data.len(), segment.packets);
        }
        match inserted {
            Inserted::InOrder { bytes, .. } => {
                self.wake = true;
                self.tell(cx, || TcpEvent::Accepted { bytes: bytes as usize });
                cx.tell(|| Event::Delivered { layer: Layer::Tcp, len: bytes as usize });
            }
            Inserted::OutOfOrder => {
                self.totals.trouble_mut().out_of_order += 1;
                let missing = seq.saturating_sub(before);
                self.tell(cx, || TcpEvent::OutOfOrder { bytes: segment.data.len(), missing });
            }
            Inserted::Nothing => self.tell(cx, || TcpEvent::Duplicate { bytes: segment.data.len() }),
        }
        if inserted != Inserted::Nothing {
            self.doubt_option_on_acknowledgements(cx, false);
        }
        self.acknowledge(cx, acknowledge);
        self.note_mark(cx, segment, before);
        Continue(())
    }

    /// An application that reads fast is offered a window that keeps up with it.
    fn widen_window(&mut self, cx: &mut Context<'_>) {
        let buffer = &self.rcv.buffer;
        let state = || (buffer.read_position(), buffer.waiting());
        let wished = self.right_sizing.on_data(cx.now, self.rtt.srtt(), state);
        let (from, most) = (self.rcv.capacity(), self.config.receive_buffer);
        let to = wished.map_or(from, |wished| usize::try_from(wished).unwrap_or(most).min(most));
        if to > from && self.memory == Memory::Plenty {
            self.rcv.widen(to);
            self.tell(cx, || TcpEvent::ReceiveBuffer { from, to });
        }
    }

    /// RFC 9293 §3.8.6.3: at once, or within the delay.
    fn acknowledge(&mut self, cx: &mut Context<'_>, acknowledge: Acknowledge) {
        let quick = u64::from(self.config.quick_acks) * self.advertised_mss as u64;
        let delay = self.config.delayed_ack.filter(|_| self.rcv.received() > quick || quick == 0);
        match (acknowledge, delay) {
            (Acknowledge::Now(why), _) => self.rcv.ack_due = Some(why),
            (Acknowledge::Soon, None) => self.rcv.ack_due = Some(SendReason::DelayedAck),
            (Acknowledge::Soon, Some(delay)) => {
                if !self.timers.is_running(TimerKind::DelayedAck) {
                    self.set_timer(cx, TimerKind::DelayedAck, cx.after(delay));
                }
            }
        }
    }

    /// A FIN counts once everything before it has come; until then its place is remembered.
    fn eighth_check_fin(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, seq: u64) {
        if segment.flags().fin() {
            self.rcv.hold_fin(seq + segment.data.len() as u64);
        }
        if !self.rcv.pass_fin(cx.pool) {
            return;
        }
        self.rcv.ack_due = Some(SendReason::FinAck);
        self.wake = true;
        self.move_to(cx, Cause::FinReceived);
        if self.state == State::TimeWait {
            self.enter_time_wait(cx);
        }
    }

    /// RFC 7323 §5.3, R1: older than TS.Recent, unless that is itself too old to count, or the segment is a RST.
    fn timestamp_is_old(&self, now: Instant, segment: &Segment<'_>) -> bool {
        let (Some(ours), Some(theirs)) = (&self.timestamps, segment.header.options.timestamps) else { return false };
        !segment.flags().rst()
            && Seq(theirs.value).before(Seq(ours.recent))
            && now.since(ours.recent_at) < TS_RECENT_LIFETIME
    }

    /// RFC 7323 §4.3 (2): what is echoed is the timestamp of the segment that spans the last acknowledgement. It counts
    /// only once the acknowledgement is found right: what RFC 5961 §5.2 discards may be forged, and a forged timestamp
    /// would make PAWS discard all that the peer sends.
    pub(super) fn note_timestamp(&mut self, now: Instant, segment: &Segment<'_>, seq: u64) {
        let last_ack_sent = self.rcv.last_ack_sent;
        if let (Some(ours), Some(theirs)) = (&mut self.timestamps, segment.header.options.timestamps)
            && seq <= last_ack_sent
            // RFC 7323 §5.5: what is too old to compare with gives way to anything.
            && (!Seq(theirs.value).before(Seq(ours.recent)) || now.since(ours.recent_at) >= TS_RECENT_LIFETIME)
        {
            (ours.recent, ours.recent_at) = (theirs.value, now);
        }
    }

    pub(super) fn drop_segment(&self, cx: &mut Context<'_>, reason: DropReason) {
        cx.tell(|| Event::Dropped { layer: Layer::Tcp, reason });
    }
}
