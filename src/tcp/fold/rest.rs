//! When a connection is at rest, and what is kept of it.

use super::{Fold, Folder, Unfolder};
use crate::event::FourTuple;
use crate::tcp::config::Config;
use crate::tcp::congestion::Start;
use crate::tcp::connection::{Connection, Pending};
use crate::tcp::info::ReceiveError;
use crate::tcp::state::State;
use crate::time::Instant;
use std::sync::Arc;

/// A connection at rest.
#[derive(Clone, Debug)]
pub struct Resting {
    config: Arc<Config>,
    record: Box<[u8]>,
}

impl Connection {
    /// Nothing is under way in either direction, and nothing waits: not to be sent, to be read, or to be said.
    pub fn is_at_rest(&self) -> bool {
        let lasts = matches!(self.state, State::Established | State::CloseWait | State::FinWait2);
        lasts
            && self.recovery.is_at_rest()
            && self.snd.is_at_rest()
            && self.rcv.is_at_rest()
            && self.pending == Pending::default()
            && self.closed.is_none()
            && self.soft_error.is_none()
            && self.chronograph.is_idle()
            && !self.wake
            && !self.doubts_path
            && !self.may_have_something_to_send()
    }

    /// When a segment last came or left.
    pub fn active_at(&self) -> Instant {
        self.received_at.max(self.sent_at).max(self.totals.data_sent_at)
    }

    /// Its record, beside which only the settings are needed: none when it does not rest, a timer fires before `until`,
    /// or its congestion controller cannot be written down.
    pub fn fold(&self, until: Instant, to: &mut Folder) -> Option<Box<[u8]>> {
        let busy = self.next_deadline().is_some_and(|at| at < until);
        if busy || !self.is_at_rest() {
            return None;
        }
        let complete = self.write(to);
        let record = to.finish();
        complete.then_some(record)
    }

    fn write(&self, to: &mut Folder) -> bool {
        let Connection {
            tuple: _,
            config: _,
            state,
            snd,
            rcv,
            right_sizing,
            timestamps,
            sack,
            ecn,
            accurate_ecn,
            window_scaling,
            advertised_mss,
            super_frame,
            rtt,
            path_mtu,
            recovery,
            congestion,
            timers,
            limiter,
            pending: _,
            usage,
            time_wait: _,
            progress_at,
            received_at,
            sent_at,
            send_next_at,
            window_probes,
            keepalive_probes,
            released,
            closed: _,
            soft_error: _,
            totals,
            wake: _,
            doubts_path: _,
            memory,
            chronograph,
            writer_waits,
        } = self;
        (*state, *timestamps, *sack).fold(to);
        ecn.fold(to);
        window_scaling.fold(to);
        accurate_ecn.fold(to);
        (*advertised_mss, *super_frame, *released).fold(to);
        (*window_probes, *keepalive_probes, *memory).fold(to);
        snd.fold(to);
        rcv.fold(to);
        recovery.fold(to);
        right_sizing.fold(to);
        path_mtu.fold(to);
        usage.fold(to);
        [*progress_at, *received_at, *sent_at, *send_next_at].fold(to);
        timers.fold(to);
        rtt.fold(to);
        limiter.fold(to);
        totals.fold(to);
        (*chronograph, *writer_waits).fold(to);
        congestion.fold(to)
    }
}

impl Resting {
    /// Of a connection with settings like these.
    pub fn new(config: Arc<Config>, record: Box<[u8]>) -> Resting {
        Resting { config, record }
    }

    /// Shared with others that have the same.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub fn state(&self) -> State {
        State::unfold(&mut Unfolder::new(&self.record))
    }

    /// RECEIVE (RFC 9293 §3.10.3) of a connection that has nothing to read: 0 bytes once the peer has finished.
    pub fn receive(&self) -> Result<usize, ReceiveError> {
        if self.state() == State::CloseWait { Ok(0) } else { Err(ReceiveError::WouldBlock) }
    }

    /// The connection as it was; `tuple` is its name.
    pub fn unfold(&self, tuple: FourTuple) -> Connection {
        let from = &mut Unfolder::new(&self.record);
        let (state, timestamps, sack) = Fold::unfold(from);
        let (ecn, window_scaling, accurate_ecn) = Fold::unfold(from);
        let (advertised_mss, super_frame, released) = Fold::unfold(from);
        let (window_probes, keepalive_probes, memory) = Fold::unfold(from);
        let (snd, rcv, recovery) = Fold::unfold(from);
        let (right_sizing, path_mtu, usage) = Fold::unfold(from);
        let [progress_at, received_at, sent_at, send_next_at] = Fold::unfold(from);
        let (timers, rtt, limiter) = Fold::unfold(from);
        let totals = Fold::unfold(from);
        let (chronograph, writer_waits) = Fold::unfold(from);
        let mut congestion = self.config.congestion.begin(&Start::default());
        congestion.unfold(from);
        Connection {
            tuple,
            config: self.config.clone(),
            state,
            snd,
            rcv,
            right_sizing,
            timestamps,
            sack,
            ecn,
            accurate_ecn,
            window_scaling,
            advertised_mss,
            super_frame,
            rtt,
            path_mtu,
            recovery,
            congestion,
            timers,
            limiter,
            pending: Pending::default(),
            usage,
            time_wait: None,
            progress_at,
            received_at,
            sent_at,
            send_next_at,
            window_probes,
            keepalive_probes,
            released,
            closed: None,
            soft_error: None,
            totals,
            wake: false,
            doubts_path: false,
            memory,
            chronograph,
            writer_waits,
        }
    }
}
