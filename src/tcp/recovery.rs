//! Loss recovery: *what is lost and what is in flight*. How much may be in flight is congestion control's business.
//!
//! NewReno (RFC 5681 §3.2, RFC 6582): the third duplicate acknowledgement says that the first segment is lost, a
//! partial acknowledgement that the next one is. Each duplicate acknowledgement also says that some later segment has
//! left the network, which is counted rather than added to the window: what is in flight stays an honest number, and
//! sending new data on the first two duplicates (RFC 3042) follows by itself.

use crate::event::SendReason;
use crate::time::Instant;
use std::collections::VecDeque;

/// RFC 5681 §3.2: three duplicates are a loss, fewer may be reordering.
const DUPLICATE_THRESHOLD: u32 = 3;

/// A segment that was sent and is not acknowledged: positions `start..end`, a FIN taking one.
#[derive(Clone, Copy, Debug)]
struct Sent {
    pub start: u64,
    pub end: u64,
    pub at: Instant,
    pub transmissions: u32,
    /// To be sent again, and for this reason.
    pub lost: Option<SendReason>,
}

impl Sent {
    fn len(&self) -> u64 {
        self.end - self.start
    }
}

/// RFC 6582 §3.2: where we are in dealing with a loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    /// Until everything sent before the loss was noticed is acknowledged.
    FastRecovery {
        recover: u64,
    },
    /// The same after a timeout.
    Loss {
        recover: u64,
    },
}

/// What an acknowledgement of new data told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// When the newest acknowledged segment was sent, if each of them was sent once (Karn's rule, RFC 6298 §3): an
    /// acknowledgement that waited for a retransmission measures the wait.
    pub sent_at: Option<Instant>,
    /// Recovery by duplicate acknowledgements ended with it.
    pub recovered: bool,
    /// Growth of the window is due: we are not in fast recovery.
    pub grows: bool,
}

#[derive(Clone, Debug)]
pub struct Recovery {
    flight: VecDeque<Sent>,
    /// Bytes of `flight`, and of those the ones marked lost.
    outstanding: u64,
    lost: u64,
    phase: Phase,
    duplicates: u32,
    /// Segments that left the network without being acknowledged, as duplicates tell.
    departed: u64,
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery { flight: VecDeque::new(), outstanding: 0, lost: 0, phase: Phase::Open, duplicates: 0, departed: 0 }
    }
}

impl Recovery {
    /// Nothing waits for an acknowledgement.
    pub fn is_empty(&self) -> bool {
        self.flight.is_empty()
    }

    /// Sent and not acknowledged, in bytes, lost or not.
    pub fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// What is believed to be in the network (RFC 6675 §4 calls it pipe), with segments of `mss` bytes.
    pub fn in_flight(&self, mss: u64) -> u64 {
        let travelling = self.outstanding - self.lost;
        travelling.saturating_sub(self.departed * mss)
    }

    pub fn duplicates(&self) -> u32 {
        self.duplicates
    }

    pub fn in_fast_recovery(&self) -> bool {
        matches!(self.phase, Phase::FastRecovery { .. })
    }

    /// New data (or FIN) left.
    pub fn on_sent(&mut self, start: u64, end: u64, at: Instant) {
        self.outstanding += end - start;
        self.flight.push_back(Sent { start, end, at, transmissions: 1, lost: None });
    }

    /// The next segment to send again, at most `limit` bytes of it: its range and why.
    pub fn next_lost(&self, limit: u64) -> Option<(u64, u64, SendReason)> {
        if self.lost == 0 {
            return None;
        }
        self.flight.iter().find_map(|sent| Some((sent.start, sent.end.min(sent.start + limit), sent.lost?)))
    }

    /// `start..end` was sent again; a segment that was cut leaves its rest lost.
    pub fn on_retransmitted(&mut self, start: u64, end: u64, at: Instant) {
        let place = self.flight.partition_point(|sent| sent.start < start);
        let Some(sent) = self.flight.get_mut(place) else { return };
        debug_assert_eq!(sent.start, start, "retransmissions follow the segments as they were sent");
        let rest = Sent { start: end, ..*sent };
        if sent.lost.take().is_some() {
            self.lost -= end - start;
        }
        (sent.end, sent.at, sent.transmissions) = (end, at, sent.transmissions + 1);
        if rest.start < rest.end {
            self.flight.insert(place + 1, rest);
        }
    }

    /// Everything before `una` is acknowledged; `nxt` is the end of what was sent.
    pub fn on_acknowledged(&mut self, una: u64) -> Progress {
        let mut newest: Option<Sent> = None;
        let mut segments = 0;
        let mut sent_again = false;
        while let Some(sent) = self.flight.front_mut() {
            let covered = una.min(sent.end).saturating_sub(sent.start);
            self.outstanding -= covered;
            if sent.lost.is_some() {
                self.lost -= covered;
            }
            if covered < sent.len() {
                sent.start += covered;
                break;
            }
            newest = Some(*sent);
            sent_again |= sent.transmissions > 1;
            segments += 1;
            self.flight.pop_front();
        }
        self.duplicates = 0;
        // One of the newly acknowledged segments was the hole; the others are among those that had departed.
        self.departed = self.departed.saturating_sub(segments - u64::from(segments > 0));
        let sent_at = newest.filter(|_| !sent_again).map(|sent| sent.at);
        let (recovered, grows) = self.advance(una);
        Progress { sent_at, recovered, grows }
    }

    /// RFC 6582 §3.2, steps 3 and 4: a full or a partial acknowledgement.
    fn advance(&mut self, una: u64) -> (bool, bool) {
        match self.phase {
            Phase::Open => {
                self.departed = 0;
                (false, true)
            }
            Phase::FastRecovery { recover } | Phase::Loss { recover } if una >= recover => {
                let recovered = self.in_fast_recovery();
                self.phase = Phase::Open;
                self.departed = 0;
                (recovered, !recovered)
            }
            Phase::FastRecovery { .. } => {
                self.mark_first_lost(SendReason::PartialAck);
                (false, false)
            }
            Phase::Loss { .. } => (false, true),
        }
    }

    /// A duplicate acknowledgement came (the five conditions of RFC 5681 §2 are the caller's). True when it is the one
    /// that says loss: the caller tells congestion control.
    pub fn on_duplicate(&mut self, nxt: u64, mss: u64) -> bool {
        self.duplicates = self.duplicates.saturating_add(1);
        // No more segments can have departed than are out, less the one that is missing.
        let out = (self.outstanding - self.lost).div_ceil(mss).saturating_sub(1);
        self.departed = (self.departed + 1).min(out);
        if self.phase != Phase::Open || self.duplicates != DUPLICATE_THRESHOLD {
            return false;
        }
        self.phase = Phase::FastRecovery { recover: nxt };
        self.mark_first_lost(SendReason::FastRetransmit);
        true
    }

    /// RFC 6298 §5.4 and RFC 6582 §4: after a timeout everything counts as lost.
    pub fn on_timeout(&mut self, nxt: u64) {
        for sent in &mut self.flight {
            sent.lost = Some(SendReason::RetransmitTimeout);
        }
        self.lost = self.outstanding;
        self.duplicates = 0;
        self.departed = 0;
        self.phase = Phase::Loss { recover: nxt };
    }

    /// The path takes less than `mss` bytes a segment: what is larger is lost (RFC 1191 §6.4).
    pub fn on_smaller_mtu(&mut self, mss: u64) {
        for sent in self.flight.iter_mut().filter(|sent| sent.len() > mss && sent.lost.is_none()) {
            sent.lost = Some(SendReason::SmallerMtu);
            self.lost += sent.end - sent.start;
        }
    }

    fn mark_first_lost(&mut self, why: SendReason) {
        if let Some(first) = self.flight.front_mut()
            && first.lost.is_none()
        {
            first.lost = Some(why);
            self.lost += first.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u64 = 1000;

    fn sent(segments: u64) -> Recovery {
        let mut recovery = Recovery::default();
        for n in 0..segments {
            recovery.on_sent(n * MSS, (n + 1) * MSS, Instant::from_millis(n));
        }
        recovery
    }

    /// What is in flight always adds up.
    fn check(recovery: &Recovery) {
        let lost = recovery.flight.iter().filter(|sent| sent.lost.is_some()).map(Sent::len).sum::<u64>();
        assert_eq!(recovery.outstanding, recovery.flight.iter().map(Sent::len).sum::<u64>());
        assert_eq!(recovery.lost, lost);
        assert!(recovery.flight.iter().zip(recovery.flight.iter().skip(1)).all(|(a, b)| a.end == b.start));
    }

    #[test]
    fn third_duplicate_marks_the_first_segment_and_partial_ack_the_next() {
        let mut recovery = sent(10);
        let signals: Vec<bool> = (0..5).map(|_| recovery.on_duplicate(10 * MSS, MSS)).collect();
        assert_eq!(signals, [false, false, true, false, false]);
        assert_eq!(recovery.next_lost(MSS), Some((0, 1000, SendReason::FastRetransmit)));
        assert_eq!(recovery.in_flight(MSS), 4 * MSS, "ten, less one lost, less five departed");
        recovery.on_retransmitted(0, 1000, Instant::from_millis(50));
        check(&recovery);
        // Segments 0 to 2 arrived, 3 is missing too.
        let progress = recovery.on_acknowledged(3000);
        assert_eq!((progress.recovered, progress.grows), (false, false));
        assert_eq!(recovery.next_lost(MSS), Some((3000, 4000, SendReason::PartialAck)));
        recovery.on_retransmitted(3000, 4000, Instant::from_millis(60));
        check(&recovery);
        assert!(recovery.on_acknowledged(10_000).recovered);
        assert!(recovery.is_empty() && recovery.in_flight(MSS) == 0);
        check(&recovery);
    }

    #[test]
    fn timeout_loses_everything_and_no_duplicate_matters_until_recover() {
        let mut recovery = sent(4);
        recovery.on_timeout(4 * MSS);
        assert_eq!((recovery.in_flight(MSS), recovery.outstanding()), (0, 4000));
        recovery.on_retransmitted(0, 1000, Instant::from_millis(300));
        assert!((0..5).all(|_| !recovery.on_duplicate(4 * MSS, MSS)));
        assert!(recovery.on_acknowledged(1000).grows, "slow start goes on");
        check(&recovery);
    }

    #[test]
    fn karn_gives_no_sample_of_what_was_sent_twice() {
        let mut recovery = sent(2);
        recovery.on_timeout(2 * MSS);
        recovery.on_retransmitted(0, 1000, Instant::from_millis(300));
        assert_eq!(recovery.on_acknowledged(1000).sent_at, None);
        assert_eq!(recovery.on_acknowledged(2000).sent_at, Some(Instant::from_millis(1)));
    }

    #[test]
    fn a_smaller_mtu_cuts_what_is_sent_again() {
        let mut recovery = sent(2);
        recovery.on_smaller_mtu(600);
        assert_eq!(recovery.next_lost(600), Some((0, 600, SendReason::SmallerMtu)));
        recovery.on_retransmitted(0, 600, Instant::from_millis(9));
        check(&recovery);
        assert_eq!(recovery.next_lost(600), Some((600, 1000, SendReason::SmallerMtu)));
    }

    #[test]
    fn an_ack_inside_a_segment_leaves_its_rest() {
        let mut recovery = sent(2);
        recovery.on_acknowledged(500);
        check(&recovery);
        assert_eq!((recovery.outstanding(), recovery.flight.front().map(|sent| sent.start)), (1500, Some(500)));
    }
}
