//! The scoreboard: what was sent and is not acknowledged, and what became of each piece.
//!
//! ```text
//!    sent --> under way ----- judged lost -----> waiting ---- sent again ----> under way again
//!                |                                  |                                |
//!                +---------- SACK ------------------+------------- SACK -------------+--> sacked
//!                         (from anywhere: the cumulative acknowledgement, and it is gone)
//! ```
//!
//! What is in the network (RFC 6675 §4 calls it *pipe*) is a sum that is kept, never counted anew: outstanding, less
//! sacked, less lost, and those sent again once more. Debug builds count all the same and compare.
//!
//! Bounds: no acknowledgement costs more than it achieves. A segment is marked sacked once, and neighbours that are
//! sacked become one entry, so that a block told a thousand times is passed over in one step; a segment that is only
//! partly inside a block stays as it is. What left in one frame is one entry, however many segments it became, until
//! they fare differently; then it is cut between them. Transmissions stand in a queue in the order of time, from whose front those
//! that no longer matter fall off (Linux keeps the same order in a list).

use super::rate::DeliveryRate;
use super::segment::{Segment, Sums, Tally};
use super::segments::Segments;
use crate::event::SendReason;
use crate::tcp::fold::folded;
use crate::time::Instant;
use std::collections::{BTreeSet, VecDeque};

#[derive(Clone, Debug, Default)]
pub struct Flight {
    segments: Segments,
    counted: Counted,
    /// Every transmission in the order of time and, where that is the same, of the segments' ends (RFC 8985 §6.2,
    /// RACK_sent_after); stale once it was sent again, sacked, lost or acknowledged.
    travelling: VecDeque<(Instant, u64)>,
    rate: DeliveryRate,
}

folded!(Flight { rate; segments, counted, travelling });

/// What is known of all segments together.
#[derive(Clone, Debug, Default)]
struct Counted {
    outstanding: Tally,
    /// From the first that is marked until nothing is in flight.
    marked: Option<Box<Marked>>,
}

/// What is known of those that are marked: sacked, lost or sent again.
#[derive(Clone, Debug, Default)]
struct Marked {
    /// The ends of those that wait to be sent again, and of those that are sacked.
    waiting: BTreeSet<u64>,
    sacked: BTreeSet<u64>,
    sums: Sums,
}

impl Counted {
    fn add(&mut self, segment: &Segment) {
        self.outstanding.add(segment);
        if segment.is_marked() {
            self.marked.get_or_insert_default().add(segment);
        }
    }

    /// One that is no entry any more, or will be another, counts no more.
    fn forget(&mut self, segment: &Segment) {
        self.outstanding.subtract(segment);
        if let Some(marked) = &mut self.marked
            && segment.is_marked()
        {
            marked.forget(segment);
        }
    }
}

impl Marked {
    fn add(&mut self, segment: &Segment) {
        self.sums.each(segment, Tally::add);
        if segment.waits() {
            self.waiting.insert(segment.end);
        }
        if segment.sacked {
            self.sacked.insert(segment.end);
        }
    }

    fn forget(&mut self, segment: &Segment) {
        self.sums.each(segment, Tally::subtract);
        if segment.waits() {
            self.waiting.remove(&segment.end);
        }
        if segment.sacked {
            self.sacked.remove(&segment.end);
        }
    }
}

impl Flight {
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub fn is_at_rest(&self) -> bool {
        self.is_empty() && self.travelling.is_empty() && self.rate.is_at_rest()
    }

    pub fn sums(&self) -> Sums {
        let outstanding = self.counted.outstanding;
        self.marked().map_or(Sums { outstanding, ..Sums::default() }, |marked| Sums { outstanding, ..marked.sums })
    }

    fn marked(&self) -> Option<&Marked> {
        self.counted.marked.as_deref()
    }

    pub fn rate(&self) -> &DeliveryRate {
        &self.rate
    }

    pub fn rate_mut(&mut self) -> &mut DeliveryRate {
        &mut self.rate
    }

    /// RFC 6675 §4: the bytes believed to be in the network.
    pub fn pipe(&self) -> u64 {
        let Sums { outstanding, sacked, lost, again } = self.sums();
        outstanding.bytes + again.bytes - sacked.bytes - lost.bytes
    }

    pub fn first(&self) -> Option<&Segment> {
        self.segments.first()
    }

    pub fn last(&self) -> Option<&Segment> {
        self.segments.last()
    }

    /// What ends at `end` or shortly after was sent more than once.
    pub fn was_sent_again(&self, end: u64) -> bool {
        self.containing(end - 1).is_some_and(|segment| segment.transmissions > 1)
    }

    /// The end of the highest byte that was sacked.
    pub fn highest_sacked(&self) -> Option<u64> {
        self.marked()?.sacked.last().copied()
    }

    /// The lowest segment that waits to be sent again: rule (1) of RFC 6675 §4, NextSeg.
    pub fn next_waiting(&self) -> Option<&Segment> {
        self.marked()?.waiting.first().and_then(|end| self.segments.get(*end))
    }

    pub fn has_waiting(&self) -> bool {
        self.marked().is_some_and(|marked| !marked.waiting.is_empty())
    }

    /// `count` segments were sent for the first time, in one frame.
    pub fn send(&mut self, start: u64, end: u64, count: u32, at: Instant) {
        let departure = self.rate.depart(at, self.is_empty(), self.pipe() + (end - start));
        let (transmissions, sacked, lost, again) = (1, false, None, false);
        self.insert(Segment { start, end, count, sent_at: at, transmissions, sacked, lost, again, departure });
        self.depart(at, end);
        self.check();
    }

    /// `start..end`, all of a segment or a part of it, was sent again.
    pub fn send_again(&mut self, start: u64, end: u64, at: Instant) {
        self.cut(start);
        self.cut(end);
        let departure = self.rate.depart(at, false, self.pipe() + (end - start));
        let sent = self.change(end, |segment| {
            (segment.sent_at, segment.transmissions, segment.again) = (at, segment.transmissions + 1, true);
            segment.departure = departure;
        });
        debug_assert!(
            sent.is_some_and(|sent| sent.start == start),
            "retransmissions follow the segments as they were sent"
        );
        self.depart(at, end);
        self.check();
    }

    /// Everything before `una` is acknowledged; `each` hears of every segment that leaves, as it was, segments being
    /// `mss` bytes long. Gives the bytes that were not sacked before.
    pub fn acknowledge(&mut self, una: u64, mss: u64, mut each: impl FnMut(&Segment)) -> u64 {
        let mut news = 0;
        while let Some(segment) = self.segments.first().filter(|first| first.start < una) {
            let Segment { start, end, sacked, .. } = *segment;
            if end <= una {
                news += if sacked { 0 } else { end - start };
                self.counted.forget(segment);
                each(segment);
                self.segments.pop_first();
            } else if una - start >= mss {
                self.cut(start + (una - start) / mss * mss);
            } else {
                news += if sacked { 0 } else { una - start };
                self.change(end, |segment| segment.start = una);
            }
        }
        if self.is_empty() {
            self.travelling.clear();
            self.counted.marked = None;
        }
        self.check();
        news
    }

    /// The peer has `from..to`; `each` hears of every segment that this is news of, as it was. A segment counts once
    /// all of it is covered; what is longer than `mss` is cut, but only into pieces of that size.
    pub fn sack(&mut self, from: u64, to: u64, mss: u64, mut each: impl FnMut(&Segment)) {
        let mut at = from;
        while let Some(segment) = self.containing(at).copied().filter(|segment| segment.start < to) {
            at = segment.end;
            if segment.sacked {
                continue;
            }
            let Some((start, end)) = segment.covered(from, to, mss) else { continue };
            self.cut(start);
            self.cut(end);
            let Some(before) = self.segments.get(end).copied() else { continue };
            self.change(end, |segment| (segment.sacked, segment.lost, segment.again) = (true, None, false));
            each(&before);
            self.merge(end);
        }
        self.check();
    }

    /// Judges the segment that ends at `end` lost: it is to be sent again. Gives it as it was.
    pub fn lose(&mut self, end: u64, why: SendReason) -> Option<Segment> {
        let before = *self.segments.get(end)?;
        if before.travels() {
            self.rate.lose(&before);
        }
        self.change(end, |segment| (segment.lost, segment.again) = (Some(why), false));
        Some(before)
    }

    /// The same with the first segment of the flight, `mss` bytes at the most.
    pub fn lose_first(&mut self, mss: u64, why: SendReason) -> Option<Segment> {
        self.cut(self.first()?.start + mss);
        self.lose(self.first()?.end, why)
    }

    /// The oldest transmission that may still arrive.
    pub fn oldest_travelling(&mut self) -> Option<Segment> {
        while let Some((at, end)) = self.travelling.front() {
            let segment = self.segments.get(*end).filter(|segment| segment.sent_at == *at && segment.travels());
            if segment.is_some() {
                return segment.copied();
            }
            self.travelling.pop_front();
        }
        None
    }

    /// The first segment that reaches beyond `position` and is neither sacked nor lost: where to look on for losses.
    pub fn first_unjudged(&self, position: u64) -> Option<Segment> {
        self.segments.beyond(position).find(|segment| !segment.sacked && segment.lost.is_none()).copied()
    }

    /// Where so much is sacked above that everything below which is not can be taken for lost (RFC 6675 §4, IsLost):
    /// `threshold` separate runs, or more than `threshold - 1` full segments.
    pub fn lost_below(&self, threshold: u32, mss: u64) -> Option<u64> {
        let (mut runs, mut bytes) = (0, 0);
        for segment in self.marked()?.sacked.iter().rev().filter_map(|end| self.segments.get(*end)) {
            (runs, bytes) = (runs + 1, bytes + segment.len());
            if runs >= threshold || bytes > u64::from(threshold.saturating_sub(1)) * mss {
                return Some(segment.start);
            }
        }
        None
    }

    /// RFC 2018 §8: the peer may have thrown away what it sacked.
    pub fn distrust_sacks(&mut self) {
        while let Some(end) = self.marked().and_then(|marked| marked.sacked.first().copied()) {
            self.change(end, |segment| segment.sacked = false);
        }
        self.check();
    }

    /// The losses were none. Once an episode at most, so that it may walk.
    pub fn forgive_losses(&mut self) {
        let lost: Vec<Segment> = self.segments.iter().filter(|segment| segment.lost.is_some()).copied().collect();
        for before in &lost {
            self.change(before.end, |segment| segment.lost = None);
        }
        // What waited travels again, with the others of its time.
        let waited = lost.iter().filter(|segment| segment.waits());
        self.travelling.extend(waited.map(|segment| (segment.sent_at, segment.end)));
        self.travelling.make_contiguous().sort_unstable();
        self.check();
    }

    /// The ends of those whose segments are larger than `mss`.
    pub fn larger_than(&self, mss: u64) -> Vec<u64> {
        let is_large = |segment: &&Segment| !segment.sacked && segment.len() > mss * u64::from(segment.count);
        let large = self.segments.iter().filter(is_large);
        large.map(|segment| segment.end).collect()
    }

    fn containing(&self, position: u64) -> Option<&Segment> {
        self.segments.beyond(position).next()
    }

    /// Makes a boundary at `position`, if it lies inside of a segment.
    fn cut(&mut self, position: u64) {
        let Some(whole) = self.containing(position).copied().filter(|segment| segment.start < position) else { return };
        self.remove(whole.end);
        let (before, after) = whole.split(position);
        // In this order: of a queue's first segment both go to its front.
        self.insert(after);
        self.insert(before);
        if whole.travels() {
            self.join_queue(whole.sent_at, position);
        }
    }

    /// Makes one entry of the sacked one that ends at `end` and its sacked neighbours.
    fn merge(&mut self, end: u64) {
        let before = self.segments.before(end).copied();
        let after = self.containing(end).copied();
        let joined = [before, self.segments.get(end).copied(), after].into_iter().flatten();
        let Some(whole) = joined.filter(|segment| segment.sacked).reduce(Segment::join) else { return };
        for part in [before, after].into_iter().flatten().filter(|segment| segment.sacked) {
            self.remove(part.end);
        }
        self.remove(end);
        self.insert(whole);
    }

    fn insert(&mut self, segment: Segment) {
        self.counted.add(&segment);
        self.segments.insert(segment);
    }

    fn remove(&mut self, end: u64) {
        if let Some(segment) = self.segments.remove(end) {
            self.counted.forget(&segment);
        }
    }

    /// Gives it as it was.
    fn change(&mut self, end: u64, change: impl FnOnce(&mut Segment)) -> Option<Segment> {
        let segment = self.segments.get_mut(end)?;
        let before = *segment;
        self.counted.forget(&before);
        change(segment);
        self.counted.add(segment);
        Some(before)
    }

    fn depart(&mut self, at: Instant, end: u64) {
        self.join_queue(at, end);
        // Those that are stale are at most as many as those that are not: each sweep is paid for by what it removes.
        if self.travelling.len() > 2 * self.segments.len() + 16 {
            let segments = &self.segments;
            self.travelling.retain(|(at, end)| {
                segments.get(*end).is_some_and(|segment| segment.sent_at == *at && segment.travels())
            });
        }
    }

    fn join_queue(&mut self, at: Instant, end: u64) {
        if self.travelling.back().is_none_or(|last| *last < (at, end)) {
            return self.travelling.push_back((at, end));
        }
        let place = self.travelling.partition_point(|earlier| *earlier < (at, end));
        self.travelling.insert(place, (at, end));
    }

    /// How many entries there are.
    #[cfg(test)]
    pub fn entries(&self) -> usize {
        self.segments.len()
    }

    /// What is in flight always adds up. Debug builds count; a long queue only now and then, or they would never end.
    fn check(&self) {
        if cfg!(debug_assertions) && (self.segments.len() < 40 || self.counted.outstanding.bytes.is_multiple_of(61)) {
            self.verify();
        }
    }

    fn verify(&self) {
        let mut sums = Sums::default();
        let mut end = self.first().map_or(0, |segment| segment.start);
        for segment in self.segments.iter() {
            assert!(segment.start == end && segment.start < segment.end, "no gap: {segment:?}");
            assert!(!(segment.sacked && (segment.again || segment.lost.is_some())), "sacked, and no more: {segment:?}");
            let is_among = |ends: fn(&Marked) -> &BTreeSet<u64>| {
                self.marked().is_some_and(|marked| ends(marked).contains(&segment.end))
            };
            assert_eq!(segment.waits(), is_among(|marked| &marked.waiting), "{segment:?}");
            assert_eq!(segment.sacked, is_among(|marked| &marked.sacked), "{segment:?}");
            sums.each(segment, Tally::add);
            end = segment.end;
        }
        assert_eq!(self.sums(), sums, "what is in flight adds up");
    }
}
