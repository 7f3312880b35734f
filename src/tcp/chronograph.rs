//! What a sender's time goes to: Linux's `tcpi_busy_time`, `tcpi_rwnd_limited` and `tcpi_sndbuf_limited`.
//!
//! A connection is busy while anything that was written has not been acknowledged. Of that time two parts are told by
//! themselves, in which neither the path nor congestion control sets the pace: while the peer's window holds back what could
//! go, and while everything is on its way and the application waits for room in the send buffer.

use super::connection::Connection;
use super::fold::folded;
use crate::time::Instant;
use std::time::Duration;

/// What holds a sender up at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Phase {
    /// Nothing is to be done.
    #[default]
    Idle,
    /// The path, or congestion control.
    Busy,
    PeerWindow,
    SendBuffer,
}

/// How long a connection has been held up by what, and by what it is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Chronograph {
    phase: Phase,
    since: Instant,
    /// In microseconds, as Linux has it: by anything, by the peer's window, by the send buffer.
    busy: u64,
    peer_window: u64,
    send_buffer: u64,
}

folded!(Chronograph { busy, peer_window, send_buffer; phase, since });

impl Chronograph {
    /// Nothing is to be done.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// All the time in which something was under way or waited to be.
    pub fn busy_time(&self, now: Instant) -> Duration {
        Duration::from_micros(self.at(now).busy)
    }

    /// Of that, the time in which the peer's window held data back.
    pub fn rwnd_limited(&self, now: Instant) -> Duration {
        Duration::from_micros(self.at(now).peer_window)
    }

    /// And the time in which a writer waited for room although nothing was left to send.
    pub fn sndbuf_limited(&self, now: Instant) -> Duration {
        Duration::from_micros(self.at(now).send_buffer)
    }

    fn at(mut self, now: Instant) -> Chronograph {
        self.add_up(now);
        self
    }

    fn add_up(&mut self, now: Instant) {
        let spent = now.nanos_since(self.since) / 1000;
        match self.phase {
            Phase::Idle => {}
            Phase::Busy => self.busy += spent,
            Phase::PeerWindow => (self.busy, self.peer_window) = (self.busy + spent, self.peer_window + spent),
            Phase::SendBuffer => (self.busy, self.send_buffer) = (self.busy + spent, self.send_buffer + spent),
        }
    }

    fn turn(&mut self, now: Instant, phase: Phase) {
        if self.phase != phase {
            let since = if phase == Phase::Idle { Instant::default() } else { now };
            self.add_up(now);
            (self.phase, self.since) = (phase, since);
        }
    }
}

impl Connection {
    /// Something was written or acknowledged, or nothing more can go for now, `window_holds` telling that it is for the
    /// peer's window.
    pub(super) fn note_phase(&mut self, now: Instant, window_holds: bool) {
        let idle = self.snd.buffer.len() == 0;
        let phase = match (idle, window_holds) {
            (true, _) => Phase::Idle,
            (false, true) => Phase::PeerWindow,
            (false, false) if self.writer_waits && self.snd.unsent() == 0 => Phase::SendBuffer,
            (false, false) => Phase::Busy,
        };
        self.chronograph.turn(now, phase);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_counts_as_busy_and_by_itself() {
        let mut chronograph = Chronograph::default();
        let at = |seconds| Instant::from_secs(seconds);
        let phases = [Phase::Busy, Phase::PeerWindow, Phase::PeerWindow, Phase::SendBuffer, Phase::Idle, Phase::Busy];
        for (second, phase) in (10..).zip(phases) {
            chronograph.turn(at(second), phase);
        }
        let told = [Chronograph::busy_time, Chronograph::rwnd_limited, Chronograph::sndbuf_limited];
        assert_eq!(told.map(|tell| tell(&chronograph, at(17)).as_secs()), [6, 2, 1]);
    }
}
