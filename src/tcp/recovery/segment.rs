//! An entry of the scoreboard, and the sums over all of them.

use super::rate::Departure;
use crate::event::SendReason;
use crate::tcp::fold::folded;
use crate::time::Instant;

/// A segment that is not acknowledged, or several that share their fate: positions `start..end`, a FIN taking one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    pub start: u64,
    pub end: u64,
    /// How many segments of the wire it stands for: those of one frame, or sacked neighbours that were merged.
    pub count: u32,
    /// The last transmission, and how many there were.
    pub sent_at: Instant,
    pub transmissions: u32,
    /// The peer says that it has it, but may still throw it away (RFC 2018 §8).
    pub sacked: bool,
    /// What was sent first is lost, for this reason.
    pub lost: Option<SendReason>,
    /// A retransmission of it is under way.
    pub again: bool,
    /// What the last transmission remembers, for the delivery rate.
    pub departure: Departure,
}

impl Segment {
    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// The two parts before and after `position`, which lies inside; each has its share of the segments.
    pub(super) fn split(self, position: u64) -> (Segment, Segment) {
        let share = u128::from(self.count) * u128::from(position - self.start) / u128::from(self.len());
        let first = (share as u32).clamp(1, self.count.saturating_sub(1).max(1));
        let rest = self.count.saturating_sub(first).max(1);
        (Segment { end: position, count: first, ..self }, Segment { start: position, count: rest, ..self })
    }

    /// Lost, and not sent again since.
    pub(super) fn waits(&self) -> bool {
        self.lost.is_some() && !self.again && !self.sacked
    }

    /// Not simply under way for the first time.
    pub(super) fn is_marked(&self) -> bool {
        self.sacked || self.lost.is_some() || self.again
    }

    /// Some transmission of it may still arrive.
    pub(super) fn travels(&self) -> bool {
        !self.sacked && !self.waits()
    }

    /// The part of it that the block `from..to` covers, as far as it counts.
    pub(super) fn covered(&self, from: u64, to: u64, mss: u64) -> Option<(u64, u64)> {
        if from <= self.start && self.end <= to {
            return Some((self.start, self.end));
        }
        if self.len() <= mss {
            return None;
        }
        let pieces = |position: u64| (position - self.start) / mss * mss;
        let start = self.start + if from > self.start { pieces(from + mss - 1) } else { 0 };
        let end = if to < self.end { self.start + pieces(to) } else { self.end };
        (start < end).then_some((start, end))
    }

    /// One of two neighbours.
    pub(super) fn join(self, right: Segment) -> Segment {
        Segment {
            end: right.end,
            count: self.count.saturating_add(right.count),
            sent_at: self.sent_at.max(right.sent_at),
            transmissions: self.transmissions.max(right.transmissions),
            ..self
        }
    }
}

/// Bytes, and the segments that they make.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub bytes: u64,
    pub segments: u64,
}

folded!(Tally { bytes, segments });

impl Tally {
    pub(super) fn add(&mut self, segment: &Segment) {
        self.bytes += segment.len();
        self.segments += u64::from(segment.count);
    }

    pub(super) fn subtract(&mut self, segment: &Segment) {
        self.bytes -= segment.len();
        self.segments -= u64::from(segment.count);
    }
}

/// The four sums that make up the pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    pub outstanding: Tally,
    pub sacked: Tally,
    /// Judged lost, sent again since or not.
    pub lost: Tally,
    /// Sent again and on its way.
    pub again: Tally,
}

impl Sums {
    pub(super) fn each(&mut self, segment: &Segment, act: fn(&mut Tally, &Segment)) {
        act(&mut self.outstanding, segment);
        if segment.sacked {
            act(&mut self.sacked, segment);
        }
        if segment.lost.is_some() {
            act(&mut self.lost, segment);
        }
        if segment.again {
            act(&mut self.again, segment);
        }
    }
}
