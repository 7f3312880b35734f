//! What goes out next: decided first, as a plain value, and built second.

use super::connection::Connection;
use super::ecn::ECT_0;
use super::opening::headers;
use super::pacing::quantum;
use super::segment::emit;
use super::seq::Seq;
use super::state::State;
use crate::event::{CongestionState, Context, SendReason, TimerKind};
use crate::frame::{Frame, Payload};
use crate::time::Instant;
use crate::wire::tcp::{Flags, Header, MIN_HEADER_LEN};
use crate::wire::tcp_options::{Options, Timestamps};
use std::num::NonZeroU16;
use std::time::Duration;

/// RFC 9293 §3.8.6.2.1: how long a segment may be held back although nothing is in flight, 0.1 to 1 s.
/// The retransmission timeout, as in Linux, within bounds.
const SILLY_WINDOW_OVERRIDE: Duration = Duration::from_millis(200);
const LONGEST_OVERRIDE: Duration = Duration::from_secs(1);

/// The next segment of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Reset(SendReason),
    /// Positions that were sent before; the FIN's among them, perhaps.
    Again {
        start: u64,
        end: u64,
        why: SendReason,
    },
    /// Positions from SND.NXT on; a FIN is the last of them.
    New {
        end: u64,
    },
    /// A tail loss probe: new data up to there, or the end of the flight once more.
    TailLossProbe {
        start: u64,
        end: u64,
    },
    WindowProbe,
    Keepalive,
    /// Of what came under another mark than the last (RFC 8257 §3.2).
    AcknowledgementBefore(u64),
    Acknowledgement(SendReason),
    Nothing,
}

/// Why new data stays where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    NothingToSend,
    /// The peer's window is shut, or full.
    Window,
    Cwnd,
    /// Nagle's rule, or sender silly-window avoidance: too small to be worth a segment now.
    Small,
}

impl Connection {
    /// Builds the next segment that should leave now.
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Option<Frame> {
        let mut next = self.next();
        if self.recovery.is_empty() && matches!(next, Next::New { .. }) && self.resume(cx) {
            next = self.next();
        }
        match next {
            Next::Reset(why) => {
                self.pending.reset = None;
                Some(match self.pending.reset_at.take() {
                    Some(position) => self.send_control(cx, Flags::RST, position, why),
                    None => self.send_control(cx, Flags::RST | Flags::ACK, self.snd.acceptable(), why),
                })
            }
            Next::Again { start, end, why } => Some(self.send_again(cx, start, end, why)),
            Next::New { end } => Some(self.send_new(cx, end, SendReason::Data)),
            Next::TailLossProbe { start, end } => Some(self.send_probe(cx, start, end)),
            Next::WindowProbe => {
                self.pending.window_probe = false;
                Some(self.send_window_probe(cx))
            }
            Next::Keepalive => {
                self.pending.keepalive = false;
                // RFC 9293 §3.8.4 (SHLD-12): no data, one before what is expected, so that it must be answered.
                Some(self.send_control(cx, Flags::ACK, self.snd.nxt - 1, SendReason::Keepalive))
            }
            Next::AcknowledgementBefore(nxt) => Some(self.send_acknowledgement_before(cx, nxt)),
            Next::Acknowledgement(why) => Some(self.send_acknowledgement(cx, why)),
            Next::Nothing => {
                self.note_held(cx);
                None
            }
        }
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

    fn next(&self) -> Next {
        if let Some(why) = self.pending.reset {
            return Next::Reset(why);
        }
        if self.state == State::Closed {
            return Next::Nothing;
        }
        if self.pending.window_probe {
            return Next::WindowProbe;
        }
        if let Some(nxt) = self.acknowledges_before() {
            return Next::AcknowledgementBefore(nxt);
        }
        if let Some(next) = self.next_probe().or_else(|| self.next_data()) {
            return next;
        }
        if self.pending.keepalive {
            return Next::Keepalive;
        }
        self.rcv.ack_due.map_or(Next::Nothing, Next::Acknowledgement)
    }

    /// What is lost goes before what is new, but for F-RTO's second step.
    fn next_data(&self) -> Option<Next> {
        if self.is_paced() {
            return if self.recovery.goes_at_once() { self.next_again() } else { None };
        }
        let new = || self.next_new().ok().map(|end| Next::New { end });
        if self.recovery.prefers_new_data() {
            let again = || if self.recovery.holds_retransmissions(self.snd.nxt) { None } else { self.next_again() };
            return new().or_else(again);
        }
        self.next_again().or_else(new)
    }

    /// RFC 8985 §7.3: new data if the peer's window allows, whatever the congestion window says; else the last segment.
    pub(super) fn next_probe(&self) -> Option<Next> {
        if !self.recovery.probe_is_due() {
            return None;
        }
        let (snd, mss) = (&self.snd, self.effective_mss() as u64);
        let (unsent, start) = (snd.unsent(), snd.nxt);
        let data = unsent.min(mss).min(snd.record());
        let fin = snd.fin_unsent() && data == unsent;
        let end = start + data + u64::from(fin);
        if end > start && end - start <= snd.usable() {
            return Some(Next::TailLossProbe { start, end });
        }
        self.recovery.last_segment(mss).map(|(start, end)| Next::TailLossProbe { start, end })
    }

    fn next_again(&self) -> Option<Next> {
        if !self.recovery.has_waiting() {
            return None;
        }
        let mss = self.effective_mss() as u64;
        let (start, end, why) = self.recovery.next_lost(mss)?;
        // RFC 9293 §3.8.6 (SHLD-16): within the window, which the first segment may overstep as a probe.
        let in_window = start == self.snd.una || end <= self.snd.una + self.snd.wnd;
        let in_flight = self.recovery.in_flight(mss);
        // RFC 5681 §3.2: what duplicate or partial acknowledgements call for goes at once.
        let in_cwnd = self.recovery.goes_at_once() || in_flight == 0 || in_flight + (end - start) <= self.cwnd();
        (in_window && in_cwnd).then_some(Next::Again { start, end, why })
    }

    /// The end of the segment of new data, FIN included, that may go out now: as much as fits goes together, however it
    /// was written (RFC 9293 §3.9.1.2, MAY-16, SHLD-27, SHLD-28).
    fn next_new(&self) -> Result<u64, Held> {
        let snd = &self.snd;
        if !snd.has_unsent() {
            return Err(Held::NothingToSend);
        }
        let (unsent, usable, mss) = (snd.unsent(), snd.usable(), self.effective_mss() as u64);
        let fillable = unsent.min(snd.record());
        let capacity = if fillable > mss { self.frame_capacity(mss) } else { mss };
        let wanted = fillable.min(usable).min(capacity);
        if wanted == 0 && !(snd.fin_unsent() && usable > 0 && unsent == 0) {
            return Err(Held::Window);
        }
        let data = self.within_cwnd(wanted, mss, capacity).ok_or(Held::Cwnd)?;
        let fin = snd.fin_unsent() && data == unsent && usable > data;
        let whole = data - data % mss;
        // What ends a record is followed by what may not join it.
        let closed = data == snd.record() && data < unsent;
        if data == whole || fin || closed || self.small_may_go(data - whole, data == unsent) {
            return Ok(snd.nxt + data + u64::from(fin));
        }
        // Full segments do not wait for the small one behind them.
        if whole > 0 { Ok(snd.nxt + whole) } else { Err(Held::Small) }
    }

    /// The most data of one frame: as many full segments as the device splits a frame into and the rate allows, or one.
    /// Also a rate that nobody paces: a frame leaves in one burst, and on a slow path that would overflow a short queue.
    fn frame_capacity(&self, mss: u64) -> u64 {
        let Some(len) = self.super_frame else { return mss };
        let options = self.snd.mss().saturating_sub(mss as usize);
        let room = len.saturating_sub(headers(self.tuple.remote.ip()) + options) as u64;
        let rate = self.pacing_rate().or_else(|| self.window_rate());
        let room = rate.map_or(room, |rate| room.min(quantum(rate, mss)));
        if self.says_cwr() { mss } else { (room - room % mss).max(mss) }
    }

    /// How much of `wanted` the congestion window lets go; none when it is wiser to wait for acknowledgements. With
    /// nothing in flight one segment goes whatever the window says.
    fn within_cwnd(&self, wanted: u64, mss: u64, capacity: u64) -> Option<u64> {
        let (in_flight, cwnd) = (self.recovery.in_flight(mss), self.cwnd());
        let room = if in_flight == 0 { cwnd.max(mss) } else { cwnd.saturating_sub(in_flight) };
        let data = if wanted <= room { wanted } else { room - room % mss };
        // A frame costs the same whatever its size. While others are under way, one that is less than half full waits
        // to be filled, unless it is a good part of what may be in flight at all. Where something may be lost each segment
        // goes as its acknowledgement calls for it (RFC 3042, RFC 6937), or the next ones would never come.
        let worthwhile = (capacity / 2).min(cwnd.min(self.snd.wnd) / 3);
        let fillable = self.snd.unsent().min(self.snd.record());
        let calm = self.recovery.state() == CongestionState::Open;
        let waits = calm && data > 0 && in_flight > 0 && data < fillable && data < worthwhile;
        (!waits && (data > 0 || wanted == 0)).then_some(data)
    }

    /// Nothing goes out now: what holds back the data that waits?
    fn note_held(&mut self, cx: &mut Context<'_>) {
        let Err(held) = self.next_new() else { return self.note_phase(cx.now, false) };
        // The peer's window alone, all of it or the end of a segment.
        let by_peer = match held {
            Held::Window => true,
            Held::Small => self.snd.usable() < self.snd.unsent().min(self.effective_mss() as u64),
            Held::NothingToSend | Held::Cwnd => false,
        };
        if held == Held::Cwnd {
            self.note_full_window(cx.now);
        }
        self.note_phase(cx.now, by_peer);
        self.arm_for_what_is_held(cx, held);
    }

    /// RFC 9293 §3.7.4 and §3.8.6.2.1 (MUST-38): may a segment go that is not full? `all`: it takes everything that
    /// waits.
    fn small_may_go(&self, data: u64, all: bool) -> bool {
        // Nagle's rule as Minshall changed it, and as Linux has it: what must be acknowledged first is not all data
        // but the last small segment, so that the end of a long write does not wait for its beginning.
        let corked = self.config.cork || self.snd.more;
        let nagle_lets_go = !corked && (!self.config.nagle || self.snd.small <= self.snd.una);
        all && nagle_lets_go || data >= (self.snd.max_wnd / 2).max(1) || self.pending.small_segment
    }

    /// Nothing goes out now and perhaps nothing will come in: a timer must see to what waits (RFC 9293 §3.9.1.2,
    /// MUST-60).
    fn arm_for_what_is_held(&mut self, cx: &mut Context<'_>, held: Held) {
        if !self.recovery.is_empty() || self.state == State::Closed {
            return;
        }
        let (timer, span) = match held {
            // RFC 9293 §3.8.6.1 (SHLD-29): the first probe after one RTO.
            Held::Window => (TimerKind::Persist, self.window_probe_interval()),
            Held::Small => (TimerKind::SillyWindow, self.rtt.rto().clamp(SILLY_WINDOW_OVERRIDE, LONGEST_OVERRIDE)),
            Held::NothingToSend | Held::Cwnd => return,
        };
        if !self.timers.is_running(timer) {
            self.set_timer(cx, timer, cx.after(span));
        }
    }

    fn send_new(&mut self, cx: &mut Context<'_>, end: u64, why: SendReason) -> Frame {
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
        let frame = self.send_range(cx, start, end, why);
        self.pace(cx, data);
        self.after_data(cx, mss);
        if matches!(why, SendReason::Data | SendReason::Fin) {
            self.arm_probe(cx);
        }
        frame
    }

    fn send_probe(&mut self, cx: &mut Context<'_>, start: u64, end: u64) -> Frame {
        let again = start < self.snd.nxt;
        // RFC 8985 §7.3: the retransmission timer starts anew with the probe.
        self.timers.stop(TimerKind::Retransmission);
        let frame = if again {
            self.send_again(cx, start, end, SendReason::TailLossProbe)
        } else {
            self.send_new(cx, end, SendReason::TailLossProbe)
        };
        self.recovery.on_probe_sent(self.snd.nxt, again);
        frame
    }

    fn send_again(&mut self, cx: &mut Context<'_>, start: u64, end: u64, why: SendReason) -> Frame {
        self.totals.retransmissions += 1;
        self.doubt_option_on_data(cx, start);
        self.totals.bytes_retransmitted += end.min(self.snd.buffer.end()).saturating_sub(start);
        let first = self.recovery.on_retransmitted(start, end, cx.now);
        let frame = self.send_range(cx, start, end, why);
        self.pace(cx, end - start);
        if first {
            // As Linux: the first segment has its full time again.
            self.timers.stop(TimerKind::Retransmission);
        }
        self.after_data(cx, self.effective_mss() as u64);
        frame
    }

    /// RFC 9293 §3.8.6.1: at least one octet, new or old, that the peer must answer.
    fn send_window_probe(&mut self, cx: &mut Context<'_>) -> Frame {
        let una = self.snd.una;
        if self.config.empty_window_probes {
            return self.send_control(cx, Flags::ACK, una - 1, SendReason::ZeroWindowProbe);
        }
        if self.recovery.is_empty() {
            let frame = self.send_new(cx, una + 1, SendReason::ZeroWindowProbe);
            self.stop_timer(cx, TimerKind::Retransmission);
            return frame;
        }
        self.recovery.on_retransmitted(una, una + 1, cx.now);
        self.send_range(cx, una, una + 1, SendReason::ZeroWindowProbe)
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
    fn send_range(&mut self, cx: &mut Context<'_>, start: u64, end: u64, why: SendReason) -> Frame {
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
        let mut frame = self.build(cx, header, payload, why);
        frame.ecn = if capable { ECT_0 } else { 0 };
        if len > 0 {
            let options = frame.headers().len() - MIN_HEADER_LEN;
            let data = frame.offload.segment_size.map_or(len, |size| usize::from(size.get()));
            self.path_mtu.on_sent(headers(self.tuple.remote.ip()) + options + data, start + data as u64);
        }
        frame
    }

    fn send_acknowledgement(&mut self, cx: &mut Context<'_>, why: SendReason) -> Frame {
        let unheard = matches!(self.state, State::FinWait1 | State::Closing | State::LastAck);
        match self.snd.fin.filter(|fin| unheard && self.snd.nxt > *fin) {
            Some(fin) if self.config.acks_repeat_fin && !answers_nonsense(why) => {
                self.send_control(cx, Flags::FIN | Flags::ACK, fin, why)
            }
            Some(_) | None => self.send_control(cx, Flags::ACK, self.snd.acceptable(), why),
        }
    }

    fn send_control(&mut self, cx: &mut Context<'_>, flags: Flags, position: u64, why: SendReason) -> Frame {
        let header = self.header(cx, flags, position, true);
        self.build(cx, header, Payload::default(), why)
    }

    pub(super) fn build(&mut self, cx: &mut Context<'_>, header: Header, payload: Payload, why: SendReason) -> Frame {
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
        let mut frame = emit(cx, &self.tuple, &header, payload, why);
        if segments > 1 {
            frame.offload.segment_size = u16::try_from(mss).ok().and_then(NonZeroU16::new);
        }
        frame
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
