//! A synchronized connection.
//!
//! What its application may do with it is in `user`, what happens when a segment arrives in `arrive`, what goes out
//! in `next_segment` and `transmit`, what a timer does in `timeout`, and how it ends in `close`.

use super::accurate_ecn::Accurate;
use super::chronograph::Chronograph;
use super::config::Config;
use super::congestion::{CongestionControl, Start};
use super::control::Usage;
use super::ecn::EcnState;
use super::fold::folded;
use super::limiter::ChallengeLimiter;
use super::memory::Memory;
use super::opening::{Opening, headers};
use super::path_mtu::PathMtu;
use super::receive::Receiver;
use super::recovery::Recovery;
use super::right_sizing::RightSizing;
use super::rtt::RttEstimator;
use super::send::{Sender, Writing};
use super::seq::Seq;
use super::state::{self, Cause, State};
use super::time_wait::TimeWait;
use super::timers::{KINDS as TIMER_KINDS, Timers};
use crate::event::{CloseReason, Context, Event, FourTuple, SendReason, TcpEvent, TimerKind};
use crate::time::Instant;
use std::sync::Arc;

/// Timestamps in use (RFC 7323 §3).
#[derive(Clone, Copy, Debug)]
pub(super) struct TimestampState {
    /// Added to our clock of milliseconds.
    pub offset: u32,
    /// TS.Recent, and when it was taken.
    pub recent: u32,
    pub recent_at: Instant,
}

folded!(TimestampState { offset, recent, recent_at });

impl TimestampState {
    pub fn value(&self, now: Instant) -> u32 {
        (now.as_millis() as u32).wrapping_add(self.offset)
    }
}

/// Segments that must go out whatever else does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Pending {
    pub reset: Option<SendReason>,
    /// The reset answers a segment, and takes its number from that one's acknowledgement (RFC 9293 §3.5.2).
    pub reset_at: Option<u64>,
    pub window_probe: bool,
    pub keepalive: bool,
    /// Sender silly-window avoidance has waited long enough (RFC 9293 §3.8.6.2.1).
    pub small_segment: bool,
}

impl Pending {
    pub fn is_any(&self) -> bool {
        self.reset.is_some() || self.window_probe || self.keepalive || self.small_segment
    }
}

/// Totals, for [`Info`].
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub bytes_acked: u64,
    pub segments_sent: u64,
    pub segments_received: u64,
    pub data_segments_sent: u64,
    pub data_segments_received: u64,
    pub bytes_sent: u64,
    /// The most data that a segment brought.
    pub largest_received: usize,
    /// When data last came and last left; at first when the connection was established.
    pub data_received_at: Instant,
    pub data_sent_at: Instant,
    /// Data in a SYN was taken.
    pub syn_data: bool,
    /// Nothing for most connections.
    trouble: Option<Box<Trouble>>,
}

/// What loss, reordering and congestion have come to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trouble {
    pub retransmissions: u64,
    pub bytes_retransmitted: u64,
    /// Segments that came past a hole.
    pub out_of_order: u64,
    pub timeouts: u64,
    /// Packets that came marked, and segments of ours that the peer took for marked.
    pub received_ce: u64,
    pub delivered_ce: u64,
}

folded!(Totals {
    bytes_acked,
    segments_sent,
    segments_received,
    data_segments_sent,
    data_segments_received,
    bytes_sent,
    largest_received,
    data_received_at,
    data_sent_at,
    syn_data,
    trouble,
});
folded!(Trouble { retransmissions, bytes_retransmitted, out_of_order, timeouts, received_ce, delivered_ce });

impl Totals {
    pub fn trouble(&self) -> Trouble {
        self.trouble.as_deref().copied().unwrap_or_default()
    }

    pub fn trouble_mut(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }
}

/// The connection record of RFC 9293 §3.3.1 (TCB).
#[derive(Debug)]
pub struct Connection {
    pub(super) tuple: FourTuple,
    /// Shared by all that have the same.
    pub(super) config: Arc<Config>,
    pub(super) state: State,
    pub(super) snd: Sender,
    pub(super) rcv: Receiver,
    pub(super) timestamps: Option<TimestampState>,
    /// SACK was agreed on: we may send blocks (RFC 2018 §2).
    pub(super) sack: bool,
    /// Where both sides have agreed to it (RFC 3168 §6.1.1).
    pub(super) ecn: Option<Box<EcnState>>,
    pub(super) accurate_ecn: Option<Box<Accurate>>,
    pub(super) window_scaling: bool,
    pub(super) advertised_mss: usize,
    /// The longest IP packet that our device splits into segments by itself.
    pub(super) super_frame: Option<usize>,
    pub(super) rtt: RttEstimator,
    pub(super) recovery: Recovery,
    pub(super) path_mtu: PathMtu,
    pub(super) congestion: Box<dyn CongestionControl>,
    pub(super) pending: Pending,
    pub(super) usage: Usage,
    /// When SND.UNA last moved, or when data first waited for it to move.
    pub(super) progress_at: Instant,
    pub(super) received_at: Instant,
    pub(super) sent_at: Instant,
    pub(super) timers: Timers,
    /// Pacing: when the next data may leave.
    pub(super) send_next_at: Instant,
    /// Probes in a row without an answer: of a closed window, and of an idle peer.
    pub(super) window_probes: u32,
    pub(super) keepalive_probes: u32,
    /// The application has let go: nobody will read or write any more.
    pub(super) released: bool,
    pub(super) closed: Option<CloseReason>,
    pub(super) soft_error: Option<&'static str>,
    /// Set in TIME-WAIT: all that still counts.
    pub(super) time_wait: Option<Box<TimeWait>>,
    pub(super) limiter: ChallengeLimiter,
    pub(super) right_sizing: RightSizing,
    pub(super) totals: Totals,
    pub(super) chronograph: Chronograph,
    /// The last write was cut short for want of room.
    pub(super) writer_waits: bool,
    /// Something changed that the application may be waiting for.
    pub(super) wake: bool,
    /// R1 has passed: whoever leads to the peer should be asked whether it lives.
    pub(super) doubts_path: bool,
    /// How much the stack has left for buffers.
    pub(super) memory: Memory,
}

impl Connection {
    /// The handshake is over.
    pub(super) fn established(cx: &mut Context<'_>, opening: &Opening) -> Box<Connection> {
        let (config, peer) = (opening.config.clone(), &opening.peer);
        let path_mss = opening.path_mtu.saturating_sub(headers(opening.tuple.remote.ip()));
        let cap = config.mss.map_or(usize::MAX, usize::from);
        let window_scaling = config.window_scale.is_some() && peer.window_scale.is_some();
        let (snd_scale, rcv_scale) = match (config.window_scale, peer.window_scale) {
            (Some(ours), Some(theirs)) => (theirs, ours.min(14)),
            (_, _) => (0, 0),
        };
        let advertised_mss = usize::from(opening.advertised_mss());
        let first = Seq(opening.secrets.isn).first_position() + 1 + opening.early_acked;
        let (peer_mss, path_mss) = (usize::from(opening.peer_mss()), path_mss.min(cap).max(1));
        let timestamps = peer.timestamp.filter(|_| config.timestamps).map(|recent| TimestampState {
            offset: opening.secrets.timestamp_offset,
            recent,
            recent_at: cx.now,
        });
        // What the peer's segments carry when they are full: its timestamps take their place in each.
        let full = advertised_mss.saturating_sub(if timestamps.is_some() { 12 } else { 0 }).max(1);
        let mss = peer_mss.min(path_mss);
        let mss = mss - if timestamps.is_some() { 12.min(mss - 1) } else { 0 };
        // RFC 5681 §3.1: a SYN that was lost leaves a window of one segment.
        let segments = if opening.syn_was_lost { 1 } else { config.initial_window };
        let congestion = config.congestion.begin(&Start {
            now: cx.now,
            mss: mss as u64,
            initial_window: u64::from(segments) * mss as u64,
            rtt: opening.rtt.srtt(),
            sack: config.sack && peer.sack,
            slow_start_limit: config.slow_start_limit,
            seed: u64::from(opening.secrets.isn) << 32 | u64::from(opening.secrets.timestamp_offset),
        });
        // It is large, and made where it stays.
        let mut connection = Box::write(
            Box::new_uninit(),
            Connection {
                tuple: opening.tuple,
                state: State::Established,
                snd: Sender::new(first, snd_scale, peer_mss, path_mss),
                rcv: Receiver::new(peer.irs + 1, rcv_scale, config.first_receive_buffer(), full),
                right_sizing: RightSizing::new(cx.now, peer.irs + 1),
                timestamps,
                sack: config.sack && peer.sack,
                ecn: opening.peer.ecn.then(Box::default),
                accurate_ecn: opening.peer.accurate_ecn.then(|| Box::new(Accurate::begin(cx.now, opening))),
                window_scaling,
                advertised_mss,
                super_frame: None,
                rtt: opening.rtt.clone(),
                recovery: Recovery::new(config.recovery, config.sack && peer.sack),
                path_mtu: PathMtu::default(),
                congestion,
                timers: Timers::default(),
                limiter: ChallengeLimiter::default(),
                pending: Pending::default(),
                usage: Usage::new(cx.now, first),
                time_wait: None,
                progress_at: cx.now,
                received_at: cx.now,
                sent_at: cx.now,
                send_next_at: cx.now,
                window_probes: 0,
                keepalive_probes: 0,
                released: false,
                closed: None,
                soft_error: opening.soft_error(),
                totals: Totals { data_received_at: cx.now, data_sent_at: cx.now, ..Totals::default() },
                chronograph: Chronograph::default(),
                writer_waits: false,
                wake: true,
                doubts_path: false,
                memory: Memory::default(),
                config,
            },
        );
        let (snd, wnd) = (&mut connection.snd, u64::from(peer.window));
        (snd.wnd, snd.max_wnd, snd.wl1, snd.wl2) = (wnd, wnd, peer.irs, first);
        connection.rcv.offered_unscaled(connection.config.window_beyond_field);
        if !opening.passive {
            connection.begin_byte_counters(cx, opening.peer.byte_counters);
        }
        connection.arm_keepalive(cx);
        connection
    }

    /// What was written before the handshake was over, but for what the peer has acknowledged with its SYN.
    pub(super) fn begin_with(&mut self, cx: &mut Context<'_>, data: &[u8], acked: u64) {
        self.totals.bytes_acked += acked;
        self.totals.syn_data = acked > 0;
        if !data.is_empty() {
            self.snd.write(data, Writing::default(), cx.pool);
            self.arm_user_timeout(cx);
        }
    }

    /// How many bytes of the stream have been sent.
    pub(super) fn sent(&self) -> u64 {
        self.snd.nxt - self.snd.first
    }

    pub fn tuple(&self) -> &FourTuple {
        &self.tuple
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Our device splits IP packets of up to this many bytes into segments; none when it does not.
    pub fn set_super_frame(&mut self, len: Option<usize>) {
        self.super_frame = len;
    }

    /// The peer's FIN has been reached: nothing more will come.
    pub(super) fn peer_finished(&self) -> bool {
        self.rcv.finished
    }

    /// The largest segment that goes out now, in bytes of data: the options that it will carry are taken off (MUST-16).
    pub(super) fn effective_mss(&self) -> usize {
        self.snd.mss().saturating_sub(self.options_len()).max(1)
    }

    /// RFC 9293 §3.8.3 (MUST-20): advice to the layers below.
    pub fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.doubts_path)
    }

    /// Has something changed since this was last asked?
    pub fn take_wake(&mut self) -> bool {
        std::mem::take(&mut self.wake)
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// Nothing is left to do: the record may go as soon as the application has let go of it.
    pub fn is_over(&self) -> bool {
        self.state == State::Closed && self.pending.reset.is_none()
    }

    pub fn is_released(&self) -> bool {
        self.released
    }

    pub(super) fn move_to(&mut self, cx: &mut Context<'_>, why: Cause) {
        let from = self.state;
        if let Some(to) = state::next(from, why) {
            self.state = to;
            self.wake = true;
            self.tell(cx, || TcpEvent::State { from, to, why });
        }
    }

    pub(super) fn set_timer(&mut self, cx: &mut Context<'_>, timer: TimerKind, at: Instant) {
        self.timers.set(timer, at);
        self.tell(cx, || TcpEvent::TimerSet { timer, at });
    }

    pub(super) fn stop_all_timers(&mut self, cx: &mut Context<'_>) {
        for timer in TIMER_KINDS {
            self.stop_timer(cx, timer);
        }
    }

    pub(super) fn stop_timer(&mut self, cx: &mut Context<'_>, timer: TimerKind) {
        if self.timers.is_running(timer) {
            self.timers.stop(timer);
            self.tell(cx, || TcpEvent::TimerStopped { timer });
        }
    }

    #[inline]
    pub(super) fn tell(&self, cx: &mut Context<'_>, event: impl FnOnce() -> TcpEvent) {
        cx.tell(|| Event::Tcp { connection: self.tuple, event: event() });
    }
}
