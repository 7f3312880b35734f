//! RACK (RFC 8985 §6): a segment is lost when one that was sent later has arrived, and the time that reordering may
//! take has passed as well.
//!
//! Time, not counting: one delivery judges everything older, at whatever place of the stream, retransmissions included.
//! How much later is late enough is the *reordering window*: nothing until reordering was seen, then a quarter of the
//! smallest round trip, and a quarter more for each round in which D-SACK told that a retransmission was needless.

use super::flight::Flight;
use super::segment::{Segment, Tally};
use crate::event::SendReason;
use crate::tcp::fold::folded;
use crate::time::Instant;
use std::time::Duration;

/// RFC 8985 §6.2, step 4: a widened window stays for so many recoveries.
const PERSISTENCE: u32 = 16;

#[derive(Clone, Debug)]
pub struct Rack {
    /// RACK.xmit_ts and RACK.end_seq: of everything that was delivered, what was sent last.
    newest: Option<(Instant, u64)>,
    /// RACK.rtt: how long that took.
    rtt: Duration,
    /// Something was delivered since losses were last looked for.
    advanced: bool,
    /// RACK.reo_wnd_mult and RACK.reo_wnd_persist.
    steps: u32,
    persist: u32,
    /// RACK.dsack_round: D-SACKs count once, until this is acknowledged.
    round: Option<u64>,
}

folded!(Rack { newest, rtt, advanced, steps, persist, round });

impl Default for Rack {
    fn default() -> Rack {
        Rack { newest: None, rtt: Duration::ZERO, advanced: false, steps: 1, persist: 0, round: None }
    }
}

/// What the width of the reordering window depends on.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    pub min_rtt: Duration,
    pub srtt: Duration,
    pub reordering_seen: bool,
    /// In recovery, or so much is sacked that duplicate acknowledgements would say loss.
    pub loss_is_evident: bool,
    /// The window always has one step (Linux: `tcp_recovery` with 2).
    pub fixed: bool,
}

/// What [`Rack::detect`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Detected {
    pub lost: Tally,
    /// One of them was a retransmission.
    pub again: bool,
    /// When to look again, if nothing comes before.
    pub deadline: Option<Instant>,
}

impl Rack {
    /// RFC 8985 §6.2, steps 2 and 3: a segment was acknowledged or sacked. `echoed` is when what the acknowledgement
    /// answers was sent, in whole milliseconds.
    pub fn on_delivered(
        &mut self,
        now: Instant,
        segment: &Segment,
        min_rtt: Option<Duration>,
        echoed: Option<Instant>,
    ) {
        let rtt = now.since(segment.sent_at);
        if segment.transmissions > 1 {
            // It may be the first transmission that arrived: too soon for the last, or older by its timestamp.
            let too_soon = min_rtt.is_some_and(|min| rtt < min);
            if too_soon || echoed.is_some_and(|echoed| echoed < whole_millis(segment.sent_at)) {
                return;
            }
        }
        self.advanced = true;
        let this = (segment.sent_at, segment.end);
        if self.newest.is_none_or(|newest| newest < this) {
            (self.newest, self.rtt) = (Some(this), rtt);
        }
    }

    /// RFC 8985 §6.2, step 4: a needless retransmission widens the window, once a round.
    pub fn on_duplicate_sack(&mut self, una: u64, nxt: u64) {
        if self.round.is_none_or(|round| una >= round) {
            self.round = Some(nxt);
            self.steps = (self.steps + 1).min(255);
            self.persist = PERSISTENCE;
        }
    }

    /// All of a recovery was needless: the window stays wide for one more.
    pub fn on_needless_recovery(&mut self) {
        self.persist = (self.persist + 1).min(PERSISTENCE);
    }

    /// A recovery is over; after sixteen without a D-SACK the window is narrow again.
    pub fn on_recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.steps = 1;
        }
    }

    /// Look again at the next opportunity, although nothing new was delivered.
    pub fn look_again(&mut self) {
        self.advanced = self.newest.is_some();
    }

    /// What was taken for the newest delivery was of an earlier transmission: nothing can be judged by it.
    pub fn forget_newest(&mut self) {
        (self.newest, self.advanced) = (None, false);
    }

    /// RACK.reo_wnd (RFC 8985 §6.2, step 4).
    pub fn window(&self, at: Circumstances) -> Duration {
        if !at.reordering_seen && at.loss_is_evident {
            return Duration::ZERO;
        }
        let steps = if at.fixed { 1 } else { self.steps };
        (at.min_rtt / 4 * steps).min(at.srtt)
    }

    /// RFC 8985 §6.2, step 5: marks what is lost, from the oldest transmission on.
    pub fn detect(&mut self, flight: &mut Flight, now: Instant, window: Duration) -> Detected {
        let mut detected = Detected::default();
        self.advanced = false;
        let Some(newest) = self.newest else { return detected };
        while let Some(oldest) = flight.oldest_travelling().filter(|oldest| (oldest.sent_at, oldest.end) < newest) {
            let deadline = oldest.sent_at + self.rtt + window;
            if deadline > now {
                detected.deadline = Some(deadline);
                break;
            }
            detected.again |= oldest.again;
            detected.lost.add(&oldest);
            flight.lose(oldest.end, SendReason::SentLaterArrived);
        }
        detected
    }

    /// The same after an acknowledgement: only if it delivered something.
    pub fn detect_after_delivery(&mut self, flight: &mut Flight, now: Instant, window: Duration) -> Option<Detected> {
        self.advanced.then(|| self.detect(flight, now, window))
    }

    /// RFC 8985 §6.3: is this transmission old enough that a timeout may take it for lost?
    pub fn is_overdue(&self, now: Instant, segment: &Segment) -> bool {
        segment.sent_at + self.rtt <= now
    }
}

/// As timestamps count: our clock of them ticks each millisecond.
pub fn whole_millis(at: Instant) -> Instant {
    Instant::from_millis(at.as_millis())
}
