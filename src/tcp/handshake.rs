//! SEGMENT ARRIVES while a connection is being opened (RFC 9293 §3.10.7.3 and §3.10.7.4).

use super::opening::{Opening, Outcome};
use super::segment::Segment;
use super::seq::Seq;
use super::state::{Cause, State};
use crate::event::{CloseReason, Context, DropReason, Event, Layer, SendReason};

impl Opening {
    pub fn handle_segment(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) -> Outcome {
        if self.is_deferred() {
            // RFC 9293 §3.10.7.1: for the peer there is no connection yet.
            drop_segment(cx, DropReason::NoTcpSocket);
            return segment.reset_reply().map_or(Outcome::Stay, Outcome::Reply);
        }
        if self.state == State::SynSent {
            self.handle_in_syn_sent(cx, segment)
        } else {
            self.handle_in_syn_received(cx, segment)
        }
    }

    /// RFC 9293 §3.10.7.3.
    fn handle_in_syn_sent(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) -> Outcome {
        let flags = segment.flags();
        // First, check the ACK bit.
        let early = self.acknowledged_early(segment.ack()).filter(|_| flags.ack());
        let acknowledges_syn = early.is_some();
        if flags.ack() && !acknowledges_syn {
            drop_segment(cx, DropReason::UnacceptableAck);
            if !flags.rst() {
                self.expect_reset_to_clear(cx);
            }
            return segment.reset_reply().map_or(Outcome::Stay, Outcome::Reply);
        }
        // Second, check the RST bit. RFC 5961 §3.2: only one that acknowledges our SYN counts.
        if flags.rst() {
            if !acknowledges_syn {
                drop_segment(cx, DropReason::BlindReset);
                return Outcome::Stay;
            }
            self.move_to(cx, Cause::ResetReceived);
            return Outcome::Closed(CloseReason::Refused);
        }
        // Fourth, check the SYN bit.
        if !flags.syn() {
            drop_segment(cx, DropReason::BadTcpFlags);
            return Outcome::Stay;
        }
        self.take_syn(cx, segment);
        if let Some(early) = early {
            self.early_acked = early;
            self.move_to(cx, Cause::SynAckReceived);
            return Outcome::Established(self.establish(cx, Some(SendReason::HandshakeAck)));
        }
        // Simultaneous open (RFC 9293 §3.5, figure 7; MUST-10).
        self.move_to(cx, Cause::SynReceived);
        self.syn_due = true;
        self.transmissions = 0;
        Outcome::Stay
    }

    /// RFC 9293 §3.10.7.4, as far as it concerns SYN-RECEIVED.
    fn handle_in_syn_received(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) -> Outcome {
        let flags = segment.flags();
        let nxt = self.rcv_nxt();
        let seq = segment.seq().position(nxt);
        let repeats_syn = flags.syn() && seq == self.peer.irs && !flags.rst();
        let early = self.acknowledged_early(segment.ack()).filter(|_| flags.ack());
        // The peer's SYN again: our answer was lost. (Its SYN,ACK completes a simultaneous open.)
        if repeats_syn && !flags.ack() {
            self.note_syn_again(segment);
            self.syn_due = true;
            return Outcome::Stay;
        }
        // First, check the timestamp, as far as there is one, and the sequence number.
        if self.timestamp_is_old(segment) || !repeats_syn && !self.is_in_window(segment, seq) {
            let reason =
                if self.timestamp_is_old(segment) { DropReason::OldTimestamp } else { DropReason::UnacceptableSegment };
            drop_segment(cx, reason);
            if !flags.rst() && self.limiter.allows(cx.now) {
                self.ack_due = Some(SendReason::UnacceptableSegment);
            }
            return Outcome::Stay;
        }
        // Second, check the RST bit.
        if flags.rst() {
            return self.handle_reset(cx, seq, nxt);
        }
        // Fourth, check the SYN bit.
        if flags.syn() && !repeats_syn {
            return self.handle_syn_in_window(cx);
        }
        // Fifth, check the ACK field.
        if !flags.ack() {
            drop_segment(cx, DropReason::MissingAck);
            return Outcome::Stay;
        }
        let Some(early) = early else {
            drop_segment(cx, DropReason::UnacceptableAck);
            return segment.reset_reply().map_or(Outcome::Stay, Outcome::Reply);
        };
        self.early_acked = early;
        self.move_to(cx, Cause::AckOfSyn);
        Outcome::Established(self.establish(cx, repeats_syn.then_some(SendReason::HandshakeAck)))
    }

    /// RFC 7323 §5.3, R1.
    fn timestamp_is_old(&self, segment: &Segment<'_>) -> bool {
        let stamps = (self.peer.timestamp, segment.header.options.timestamps);
        let is_old = matches!(stamps, (Some(recent), Some(theirs)) if Seq(theirs.value).before(Seq(recent)));
        is_old && self.config.timestamps && !segment.flags().rst()
    }

    /// RFC 9293 §3.10.7.4, table 6. At a closed window no data is taken, but what acknowledges is heard (MUST-66).
    fn is_in_window(&self, segment: &Segment<'_>, seq: u64) -> bool {
        let nxt = self.peer.irs + 1;
        match self.window() {
            0 => seq == nxt,
            window => seq < nxt + window && (seq >= nxt || seq + segment.sequence_len() > nxt),
        }
    }

    /// RFC 5961 §3.2: exactly at RCV.NXT it counts, elsewhere in the window it is challenged.
    fn handle_reset(&mut self, cx: &mut Context<'_>, seq: u64, nxt: u64) -> Outcome {
        if seq == nxt || seq > nxt && self.config.any_reset_in_window {
            self.move_to(cx, Cause::ResetReceived);
            return Outcome::Closed(CloseReason::Refused);
        }
        if seq < nxt {
            // What it carries may reach into the window; itself it lies outside.
            drop_segment(cx, DropReason::UnacceptableSegment);
        } else {
            drop_segment(cx, DropReason::BlindReset);
            self.challenge(cx);
        }
        Outcome::Stay
    }

    /// RFC 9293 §3.10.7.4, fourth: a passive opening returns to LISTEN, an active one challenges.
    fn handle_syn_in_window(&mut self, cx: &mut Context<'_>) -> Outcome {
        drop_segment(cx, DropReason::BadTcpFlags);
        if self.passive {
            self.move_to(cx, Cause::ResetReceived);
            return Outcome::Closed(CloseReason::ResetByPeer);
        }
        self.challenge(cx);
        Outcome::Stay
    }

    fn challenge(&mut self, cx: &mut Context<'_>) {
        if self.limiter.allows(cx.now) {
            self.ack_due = Some(SendReason::ChallengeAck);
        }
    }
}

fn drop_segment(cx: &mut Context<'_>, reason: DropReason) {
    cx.tell(|| Event::Dropped { layer: Layer::Tcp, reason });
}
