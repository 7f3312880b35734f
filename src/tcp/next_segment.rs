//! What goes out next, as a plain value: decided here, and built in `transmit`.

use super::connection::Connection;
use super::opening::headers;
use super::pacing::quantum;
use super::state::State;
use crate::event::{CongestionState, Context, SendReason, TimerKind};
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
    pub(super) fn next(&self) -> Next {
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
    pub(super) fn note_held(&mut self, cx: &mut Context<'_>) {
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
}
