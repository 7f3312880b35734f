//! What goes out: decided first, in `next_segment`, and built second.

use super::connection::Connection;
use super::ecn::ECT_0;
use super::next_segment::Next;
use super::opening::headers;
use super::segment::emit;
use super::seq::Seq;
use super::state::State;
use crate::event::{Context, SendReason, TimerKind};
use crate::frame::{Frame, Payload};
use crate::time::Instant;
use crate::wire::tcp::{Flags, Header, MIN_HEADER_LEN};
use crate::wire::tcp_options::{Options, Timestamps};
use std::num::NonZeroU16;

impl Connection {
    /// Builds the next segment that should leave now, in `frame`. False when there is none.
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>, frame: &mut Frame) -> bool {
        let mut next = self.next();
        if self.recovery.is_empty() && matches!(next, Next::New { .. }) && self.resume(cx) {
            next = self.next();
        }
        match next {
            Next::Reset(why) => {
                self.pending.reset = None;
                match self.pending.reset_at.take() {
                    Some(position) => self.send_control(cx, frame, Flags::RST, position, why),
                    None => self.send_control(cx, frame, Flags::RST | Flags::ACK, self.snd.acceptable(), why),
                }
            }
            Next::Again { start, end, why } => self.send_again(cx, frame, start, end, why),
            Next::New { end } => self.send_new(cx, frame, end, SendReason::Data),
            Next::TailLossProbe { start, end } => self.send_probe(cx, frame, start, end),
            Next::WindowProbe => {
                self.pending.window_probe = false;
                self.send_window_probe(cx, frame);
            }
            Next::Keepalive => {
                self.pending.keepalive = false;
                // RFC 9293 §3.8.4 (SHLD-12): no data, one before what is expected, so that it must be answered.
                self.send_control(cx, frame, Flags::ACK, self.snd.nxt - 1, SendReason::Keepalive);
            }
            Next::AcknowledgementBefore(nxt) => self.send_acknowledgement_before(cx, frame, nxt),
            Next::Acknowledgement(why) => self.send_acknowledgement(cx, frame, why),
            Next::Nothing => {
                self.note_held(cx);
                return false;
            }
        }
        true
    }

    /// Might anything go out, or a timer have to be armed for what cannot? Cheap enough to ask after every event;
    /// [`poll_transmit`](Connection::poll_transmit) knows.
    pub fn may_have_something_to_send(&self) -> bool {
        self.rcv.ack_due.is_some()
            || self.snd.has_unsent()
            || self.pending.is_any()
            || self.acknowledges_before().is_some()
            || self.recovery.has_something_to_send()
    }

    /// A segment has left, or none was to. False when there is nothing more, which need not be asked for.
    pub fn may_go_on_sending(&mut self, now: Instant) -> bool {
        let may = self.may_have_something_to_send();
        if !may {
            self.note_phase(now, false);
        }
        may
    }

    fn send_new(&mut self, cx: &mut Context<'_>, frame: &mut Frame, end: u64, why: SendReason) {
        let start = self.snd.nxt;
        let data = end.min(self.snd.buffer.end()) - start.min(self.snd.buffer.end());
        let why = if data == 0 { SendReason::Fin } else { why };
        let mss = self.effective_mss() as u64;
        // The octet of a window probe is no small segment of the application's: what follows need not wait for it.
        if !data.is_multiple_of(mss) && why != SendReason::ZeroWindowProbe {
            self.snd.small = start + data;
        }
        self.pending.small_segment = false;
        self.stop_timer(cx, TimerKind::SillyWindow);
        if self.recovery.is_empty() {
            self.progress_at = cx.now;
        }
        self.snd.advance(end);
        let count = data.div_ceil(mss).max(1) as u32;
        self.recovery.on_sent(start, end, count, cx.now);
        self.send_range(cx, frame, start, end, why);
        self.pace(cx, data);
        self.after_data(cx, mss);
        if matches!(why, SendReason::Data | SendReason::Fin) {
            self.arm_probe(cx);
        }
    }

    fn send_probe(&mut self, cx: &mut Context<'_>, frame: &mut Frame, start: u64, end: u64) {
        let again = start < self.snd.nxt;
        // RFC 8985 §7.3: the retransmission timer starts anew with the probe.
        self.timers.stop(TimerKind::Retransmission);
        if again {
            self.send_again(cx, frame, start, end, SendReason::TailLossProbe);
        } else {
            self.send_new(cx, frame, end, SendReason::TailLossProbe);
        }
        self.recovery.on_probe_sent(self.snd.nxt, again);
    }

    fn send_again(&mut self, cx: &mut Context<'_>, frame: &mut Frame, start: u64, end: u64, why: SendReason) {
        self.doubt_option_on_data(cx, start);
        let trouble = self.totals.trouble_mut();
        trouble.retransmissions += 1;
        trouble.bytes_retransmitted += end.min(self.snd.buffer.end()).saturating_sub(start);
        let first = self.recovery.on_retransmitted(start, end, cx.now);
        self.send_range(cx, frame, start, end, why);
        self.pace(cx, end - start);
        if first {
            // As Linux: the first segment has its full time again.
            self.timers.stop(TimerKind::Retransmission);
        }
        self.after_data(cx, self.effective_mss() as u64);
    }

    /// RFC 9293 §3.8.6.1: at least one octet, new or old, that the peer must answer.
    fn send_window_probe(&mut self, cx: &mut Context<'_>, frame: &mut Frame) {
        let una = self.snd.una;
        if self.config.empty_window_probes {
            return self.send_control(cx, frame, Flags::ACK, una - 1, SendReason::ZeroWindowProbe);
        }
        if self.recovery.is_empty() {
            self.send_new(cx, frame, una + 1, SendReason::ZeroWindowProbe);
            self.stop_timer(cx, TimerKind::Retransmission);
            return;
        }
        self.recovery.on_retransmitted(una, una + 1, cx.now);
        self.send_range(cx, frame, una, una + 1, SendReason::ZeroWindowProbe);
    }

    /// RFC 6298 §5.1: whenever data is sent and the timer does not run, it is started.
    fn after_data(&mut self, cx: &mut Context<'_>, mss: u64) {
        self.note_usage(cx, mss);
        if !self.timers.is_running(TimerKind::Retransmission) && !self.timers.is_running(TimerKind::Persist) {
            self.set_timer(cx, TimerKind::Retransmission, self.rtt.timeout(cx.now));
        }
        self.arm_user_timeout(cx);
    }

    /// The data and perhaps the FIN at positions `start..end`.
    fn send_range(&mut self, cx: &mut Context<'_>, frame: &mut Frame, start: u64, end: u64, why: SendReason) {
        let data_end = end.min(self.snd.buffer.end());
        let payload = self.snd.buffer.slice(start.min(data_end), data_end);
        let mut flags = Flags::ACK;
        if self.snd.fin.is_some_and(|fin| start <= fin && fin < end) {
            flags |= Flags::FIN;
        }
        if !payload.is_empty() && self.snd.pushes(start, data_end) {
            flags |= Flags::PSH;
        }
        // RFC 3168 §6.1.4 to §6.1.6: new data alone.
        let capable = self.is_ecn_capable() && !payload.is_empty() && matches!(why, SendReason::Data | SendReason::Fin);
        if capable {
            flags |= self.take_cwr();
        }
        let (len, header) = (payload.len(), self.header(cx, flags, start, payload.is_empty()));
        self.build(cx, frame, header, payload, why);
        frame.ecn = if capable { ECT_0 } else { 0 };
        if len > 0 {
            let options = frame.headers().len() - MIN_HEADER_LEN;
            let data = frame.offload.segment_size.map_or(len, |size| usize::from(size.get()));
            self.path_mtu.on_sent(headers(self.tuple.remote.ip()) + options + data, start + data as u64);
        }
    }

    fn send_acknowledgement(&mut self, cx: &mut Context<'_>, frame: &mut Frame, why: SendReason) {
        let unheard = matches!(self.state, State::FinWait1 | State::Closing | State::LastAck);
        match self.snd.fin.filter(|fin| unheard && self.snd.nxt > *fin) {
            Some(fin) if self.config.acks_repeat_fin && !answers_nonsense(why) => {
                self.send_control(cx, frame, Flags::FIN | Flags::ACK, fin, why);
            }
            Some(_) | None => self.send_control(cx, frame, Flags::ACK, self.snd.acceptable(), why),
        }
    }

    fn send_control(&mut self, cx: &mut Context<'_>, frame: &mut Frame, flags: Flags, position: u64, why: SendReason) {
        let header = self.header(cx, flags, position, true);
        self.build(cx, frame, header, Payload::default(), why);
    }

    pub(super) fn build(
        &mut self,
        cx: &mut Context<'_>,
        frame: &mut Frame,
        header: Header,
        payload: Payload,
        why: SendReason,
    ) {
        // Of this segment: the next one's options may be others.
        let mss = self.snd.mss().saturating_sub(header.options.len()).max(1);
        let segments = payload.len().div_ceil(mss).max(1);
        self.totals.segments_sent += segments as u64;
        if !payload.is_empty() {
            self.totals.data_segments_sent += segments as u64;
            self.totals.bytes_sent += payload.len() as u64;
            self.totals.data_sent_at = cx.now;
        }
        self.rcv.on_ack_sent();
        self.stop_timer(cx, TimerKind::DelayedAck);
        frame.begin(cx.begin_frame(), payload);
        emit(cx, frame, &self.tuple, &header, why);
        if segments > 1 {
            frame.offload.segment_size = u16::try_from(mss).ok().and_then(NonZeroU16::new);
        }
    }

    pub(super) fn header(&mut self, cx: &Context<'_>, mut flags: Flags, position: u64, pure: bool) -> Header {
        // RFC 9293 §3.8.5 (MUST-62): the pointer names the octet after the urgent data.
        let ahead = self.snd.urgent.map_or(0, |urgent| urgent.saturating_sub(position));
        if ahead > 0 && !flags.rst() {
            flags |= Flags::URG;
        }
        if !flags.rst() {
            flags |= self.echo(pure);
        }
        Header {
            source_port: self.tuple.local.port(),
            destination_port: self.tuple.remote.port(),
            seq: Seq::at(position).0,
            ack: if flags.ack() { Seq::at(self.rcv.nxt).0 } else { 0 },
            flags,
            // What resets has no use for a window.
            window: if flags.rst() { 0 } else { self.rcv.offer() },
            urgent: ahead.min(u64::from(u16::MAX)) as u16,
            options: self.options(cx, flags, pure),
        }
    }

    fn options(&mut self, cx: &Context<'_>, flags: Flags, pure: bool) -> Options {
        let timestamps = self.timestamps.map(|ours| Timestamps { value: ours.value(cx.now), echo: ours.recent });
        let mut options = Options { timestamps, layout: self.config.option_layout, ..Options::default() };
        if !flags.rst() && self.has_more_options() {
            let (byte_counters, blocks) = self.fit_options();
            (options.byte_counters, options.sack) = (byte_counters, self.rcv.sack_blocks(blocks));
            if byte_counters.is_some() {
                self.note_option_told(cx.now, !pure);
            }
        }
        options
    }

    /// Those that not every segment has: marks counted, and SACK blocks.
    fn has_more_options(&self) -> bool {
        self.accurate_ecn.is_some() || self.rcv.has_blocks()
    }

    /// How many bytes the options of a segment take that leaves now.
    #[inline]
    pub(super) fn options_len(&self) -> usize {
        let timestamps = if self.timestamps.is_some() { 12 } else { 0 };
        timestamps + if self.has_more_options() { self.more_options_len() } else { 0 }
    }

    #[inline(never)]
    fn more_options_len(&self) -> usize {
        let (byte_counters, blocks) = self.fit_options();
        let counters = byte_counters.map_or(0, |counters| counters.len().next_multiple_of(4));
        let blocks = self.rcv.sack_block_count(blocks);
        counters + if blocks > 0 { 4 + 8 * blocks } else { 0 }
    }

    /// RFC 2018 §3: 40 bytes of options hold four blocks, or timestamps and three.
    pub(super) fn sack_limit(&self) -> usize {
        match (self.sack, self.timestamps) {
            (true, None) => 4,
            (true, Some(_)) => 3,
            (false, _) => 0,
        }
    }
}

/// Such an acknowledgement says only where we are.
fn answers_nonsense(why: SendReason) -> bool {
    matches!(why, SendReason::ChallengeAck | SendReason::UnacceptableSegment)
}
