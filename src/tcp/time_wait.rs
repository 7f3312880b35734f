//! TIME-WAIT (RFC 9293 §3.6.1): what is still known of a connection that is over, and what it answers.
//!
//! Of the whole record a handful of numbers remain, so that thousands of them weigh little. A reset does not end it
//! (RFC 1337), and a SYN only when it cannot belong to the old connection (RFC 6191).

use super::limiter::ChallengeLimiter;
use super::segment::Segment;
use super::seq::Seq;
use crate::event::{Context, DropReason, Event, Layer, SendReason};

#[derive(Clone, Debug)]
pub struct TimeWait {
    pub(super) snd_nxt: Seq,
    pub(super) rcv_nxt: Seq,
    /// RCV.WND, in bytes, and its shift.
    pub(super) window: u32,
    pub(super) scale: u8,
    /// MAX.SND.WND (RFC 5961 §5.2), in units of 64 KiB, rounded up: how far back an acknowledgement may reach.
    pub(super) reach: u16,
    /// TS.Recent, where timestamps are in use.
    pub(super) has_timestamps: bool,
    pub(super) recent: u32,
    pub(super) limiter: ChallengeLimiter,
}

/// What a segment asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Nothing,
    Acknowledge {
        why: SendReason,
        /// It was the peer's FIN: 2 MSL begin anew.
        restart: bool,
    },
    /// A SYN that may begin a new connection, if somebody listens.
    NewIncarnation,
}

const CHALLENGE: Answer = Answer::Acknowledge { why: SendReason::ChallengeAck, restart: false };

impl TimeWait {
    #[cfg(test)]
    pub(crate) fn for_test(snd_nxt: u32, rcv_nxt: u32) -> TimeWait {
        let limiter = ChallengeLimiter::default();
        TimeWait {
            snd_nxt: Seq(snd_nxt),
            rcv_nxt: Seq(rcv_nxt),
            window: 1000,
            scale: 0,
            reach: 1,
            has_timestamps: false,
            recent: 0,
            limiter,
        }
    }

    /// The first number that our side has not used.
    pub fn snd_nxt(&self) -> Seq {
        self.snd_nxt
    }

    pub fn rcv_nxt(&self) -> Seq {
        self.rcv_nxt
    }

    /// The window field of what we send.
    pub fn window_field(&self) -> u16 {
        (self.window >> self.scale).min(u16::MAX.into()) as u16
    }

    /// TS.Recent, where timestamps are in use.
    pub fn recent(&self) -> Option<u32> {
        self.has_timestamps.then_some(self.recent)
    }

    pub fn handle_segment(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) -> Answer {
        let flags = segment.flags();
        if flags.rst() {
            // RFC 1337 §3, F1: an old duplicate must not end TIME-WAIT before its time.
            return drop_segment(cx, DropReason::TimeWaitReset, Answer::Nothing);
        }
        if flags.syn() {
            if !flags.ack() && self.may_begin_anew(segment) {
                return Answer::NewIncarnation;
            }
            return self.refuse_syn(cx);
        }
        let stamp = segment.header.options.timestamps.map(|timestamps| timestamps.value);
        let is_old = matches!((stamp, self.recent()), (Some(stamp), Some(recent)) if Seq(stamp).before(Seq(recent)));
        if is_old {
            let answer = self.acknowledge(cx, segment, SendReason::UnacceptableSegment);
            return drop_segment(cx, DropReason::OldTimestamp, answer);
        }
        let (start, end) = self.place(segment);
        if !self.is_acceptable(start, end) {
            let why = if flags.fin() { SendReason::TimeWaitAck } else { SendReason::UnacceptableSegment };
            let answer = self.acknowledge(cx, segment, why);
            return drop_segment(cx, DropReason::UnacceptableSegment, answer);
        }
        if !flags.ack() {
            return drop_segment(cx, DropReason::MissingAck, Answer::Nothing);
        }
        // RFC 9293 §3.10.7.4, fifth, and RFC 5961 §5.2: all of ours is acknowledged.
        let behind = i64::from(self.snd_nxt.distance(segment.ack()));
        if !(0..=i64::from(self.reach) << 16).contains(&behind) {
            let answer = if self.limiter.allows(cx.now) { CHALLENGE } else { Answer::Nothing };
            return drop_segment(cx, DropReason::UnacceptableAck, answer);
        }
        if let Some(stamp) = stamp.filter(|_| start <= 0) {
            self.recent = stamp;
        }
        if start == 0 && end == 0 {
            return Answer::Nothing;
        }
        // RFC 9293 §3.10.7.4, fifth, TIME-WAIT: all that can arrive is the peer's FIN again. Other text is ignored
        // (seventh), and acknowledged, as in Linux: its sender has gone astray.
        self.acknowledge(cx, segment, SendReason::TimeWaitAck)
    }

    /// RFC 9293 §3.10.7.4, fourth (RFC 5961 §4.2): a SYN that begins nothing is challenged.
    pub fn refuse_syn(&mut self, cx: &mut Context<'_>) -> Answer {
        let answer = if self.limiter.allows(cx.now) { CHALLENGE } else { Answer::Nothing };
        drop_segment(cx, DropReason::BadTcpFlags, answer)
    }

    /// What takes numbers is always acknowledged, what is empty within a limit: two ends that each find the other
    /// unacceptable fall silent.
    fn acknowledge(&mut self, cx: &Context<'_>, segment: &Segment<'_>, why: SendReason) -> Answer {
        if segment.sequence_len() == 0 && !self.limiter.allows(cx.now) {
            return Answer::Nothing;
        }
        Answer::Acknowledge { why, restart: segment.flags().fin() }
    }

    /// Where a segment begins and ends, counted from RCV.NXT.
    fn place(&self, segment: &Segment<'_>) -> (i64, i64) {
        let start = i64::from(segment.seq().distance(self.rcv_nxt));
        (start, start + segment.sequence_len() as i64)
    }

    /// RFC 9293 §3.10.7.4, table 6.
    fn is_acceptable(&self, start: i64, end: i64) -> bool {
        let window = i64::from(self.window);
        match (start == end, window) {
            (_, 0) => start == 0,
            (true, _) => 0 <= start && start < window,
            (false, _) => start < window && end > 0,
        }
    }

    /// RFC 6191 §2 (RFC 9293 §3.6.1, SHLD-4): is this SYN newer than all of the old connection?
    fn may_begin_anew(&self, segment: &Segment<'_>) -> bool {
        let beyond = segment.seq().after(self.rcv_nxt);
        match (segment.header.options.timestamps, self.recent()) {
            (Some(theirs), Some(recent)) if theirs.value != recent => Seq(theirs.value).after(Seq(recent)),
            // The old connection had no timestamps, the new one has: PAWS tells them apart.
            (Some(_), None) => true,
            (_, _) => beyond,
        }
    }
}

fn drop_segment(cx: &mut Context<'_>, reason: DropReason, answer: Answer) -> Answer {
    cx.tell(|| Event::Dropped { layer: Layer::Tcp, reason });
    answer
}
