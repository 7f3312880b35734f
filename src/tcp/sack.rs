//! What acknowledgements say of data that came past a hole, or twice (RFC 2018 §4, RFC 2883 §4).
//!
//! What a batch of frames brings is acknowledged together, but a header has room for three or four blocks, and what the
//! peer does not hear of it takes for lost. So acknowledgements follow each other until everything new has been told, the
//! oldest first, one of what came twice in each. A peer that does not speak of blocks counts acknowledgements instead
//! (RFC 5681 §3.2): it gets one for each segment.

use crate::wire::tcp_options::MAX_BLOCKS;
use smallvec::SmallVec;
use std::ops::Range;

/// The most news of each kind that is remembered.
const MOST_NEWS: usize = 32;

pub type Blocks = SmallVec<[Range<u64>; MAX_BLOCKS]>;

/// What there is to report, beside the blocks themselves.
#[derive(Clone, Debug, Default)]
pub struct Reports {
    /// Where data past a hole came last, latest first, once for each block.
    recent: Vec<Arrival>,
    /// What had come before, oldest first; each is told once.
    duplicates: Vec<Range<u64>>,
    /// How many acknowledgements a peer without SACK is still to get for what it sent past a hole.
    repeats: u32,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: u64,
    told: bool,
}

impl Reports {
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.duplicates.is_empty()
    }

    /// Data past a hole came at `at`, into one of `blocks`.
    pub fn note_arrival(&mut self, at: u64, mut blocks: impl Iterator<Item = Range<u64>>) {
        let block = blocks.find(|block| block.contains(&at)).unwrap_or(at..at + 1);
        self.recent.retain(|known| !block.contains(&known.at));
        self.recent.insert(0, Arrival { at, told: false });
        self.recent.truncate(self.untold().clamp(MAX_BLOCKS, MOST_NEWS));
    }

    /// What came had come before.
    pub fn note_duplicate(&mut self, range: Range<u64>) {
        if !range.is_empty() && self.duplicates.len() < MOST_NEWS {
            self.duplicates.push(range);
        }
    }

    /// A FIN at `fin` is not new; its number goes with what came before it in its segment.
    pub fn note_duplicate_fin(&mut self, fin: u64) {
        match self.duplicates.last_mut() {
            Some(last) if last.end == fin => last.end += 1,
            Some(_) | None => self.note_duplicate(fin..fin + 1),
        }
    }

    /// A peer without SACK is to get so many acknowledgements more for what it sent past a hole.
    pub fn owe_repeats(&mut self, segments: u32) {
        self.repeats = self.repeats.saturating_add(segments);
    }

    /// What lay before `nxt` needs no block any more, and what is acknowledged now is news enough.
    pub fn advance(&mut self, nxt: u64) {
        self.recent.retain(|known| known.at >= nxt);
        self.repeats = 0;
    }

    /// An acknowledgement has left; must another follow it at once?
    pub fn after_acknowledgement(&mut self) -> bool {
        self.repeats = self.repeats.saturating_sub(1);
        self.repeats > 0 || !self.duplicates.is_empty() || self.untold() > 0
    }

    fn untold(&self) -> usize {
        self.recent.iter().filter(|known| !known.told).count()
    }

    /// At most `limit` of `blocks` for the next acknowledgement: first what came twice (RFC 2883 §4), with the block
    /// around it if there is one; then, as RFC 2018 §4 asks, the block with the latest segment, the ones reported before,
    /// and any other.
    pub fn take(&mut self, limit: usize, blocks: impl Iterator<Item = Range<u64>> + Clone) -> Blocks {
        let around = |at: u64| blocks.clone().find(|block| block.contains(&at));
        let duplicate = if self.duplicates.is_empty() { None } else { Some(self.duplicates.remove(0)) };
        self.recent.retain(|known| around(known.at).is_some());
        let room = limit.saturating_sub(usize::from(duplicate.is_some()));
        let later = self.untold().saturating_sub(room);
        let news = self.recent.iter().filter(|known| !known.told).skip(later);
        let recent = news.chain(self.recent.iter().filter(|known| known.told)).filter_map(|known| around(known.at));
        let mut chosen = Blocks::new();
        for block in duplicate.iter().filter_map(|it| around(it.start)).chain(recent).chain(blocks.clone()) {
            if chosen.len() < room && !chosen.contains(&block) {
                chosen.push(block);
            }
        }
        for known in &mut self.recent {
            // Who hears of no blocks has heard all there is to hear.
            known.told |= limit == 0 || chosen.iter().any(|block| block.contains(&known.at));
        }
        if limit > 0 {
            chosen.insert_many(0, duplicate);
        }
        chosen
    }

    /// How many blocks [`take`](Reports::take) gives.
    pub fn count(&self, limit: usize, blocks: impl Iterator<Item = Range<u64>>) -> usize {
        (blocks.take(limit).count() + usize::from(!self.duplicates.is_empty())).min(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// What one acknowledgement after another tells, until all is told; blocks of ten by their tens.
    fn told(reports: &mut Reports, limit: usize, blocks: &[u64]) -> Vec<Vec<u64>> {
        let mut acknowledgements = Vec::new();
        loop {
            let blocks = blocks.iter().map(|ten| ten * 10..ten * 10 + 10);
            let count = reports.count(limit, blocks.clone());
            let taken = reports.take(limit, blocks);
            assert_eq!(taken.len(), count);
            acknowledgements.push(taken.iter().map(|block| block.start / 10).collect());
            assert!(acknowledgements.len() < 100, "it comes to an end");
            if !reports.after_acknowledgement() {
                return acknowledgements;
            }
        }
    }

    fn arrived(tens: &[u64]) -> Reports {
        let mut reports = Reports::default();
        let blocks = tens.iter().map(|ten| ten * 10..ten * 10 + 10);
        tens.iter().for_each(|ten| reports.note_arrival(ten * 10, blocks.clone()));
        reports
    }

    #[test]
    fn the_latest_block_comes_first_and_three_fit() {
        let mut reports = arrived(&[2, 6, 4]);
        assert_eq!(told(&mut reports, 3, &[2, 4, 6]), [[4, 6, 2]]);
        reports.note_arrival(80, std::iter::once(80..90));
        assert_eq!(told(&mut reports, 3, &[2, 4, 6, 8]), [[8, 4, 6]], "the ones reported before once more");
    }

    #[test]
    fn what_does_not_fit_is_told_by_the_next_one() {
        let blocks = [2, 4, 6, 8, 10, 12, 14];
        assert_eq!(told(&mut arrived(&blocks), 3, &blocks), [[6, 4, 2], [12, 10, 8], [14, 12, 10]]);
        assert_eq!(
            told(&mut arrived(&blocks), 0, &blocks),
            [Vec::<u64>::new()],
            "who speaks of no blocks hears of none"
        );
    }

    proptest! {
        #[test]
        fn everything_is_told_sooner_or_later(
            steps in proptest::collection::vec((0u64..15, any::<bool>(), any::<bool>()), 1..40), limit in 1usize..=4,
        ) {
            let (mut reports, mut there, mut heard) = (Reports::default(), BTreeSet::new(), BTreeSet::new());
            for (n, twice, acknowledged) in steps {
                let ten = 2 * n + 2;
                there.insert(ten);
                if twice {
                    reports.note_duplicate(ten * 10..ten * 10 + 5);
                }
                reports.note_arrival(ten * 10, there.iter().map(|ten| ten * 10..ten * 10 + 10));
                if acknowledged {
                    heard.extend(told(&mut reports, limit, &there.iter().copied().collect::<Vec<_>>()).concat());
                    prop_assert_eq!(&heard, &there);
                }
            }
        }
    }

    #[test]
    fn segments_of_one_block_are_told_as_one() {
        let mut reports = Reports::default();
        (20..26).for_each(|at| reports.note_arrival(at, std::iter::once(20..at + 1)));
        assert_eq!(told(&mut reports, 3, &[2]), [[2]]);
    }

    #[test]
    fn each_of_what_came_twice_is_told_once() {
        let mut reports = arrived(&[4]);
        [10..20, 40..45, 20..20].into_iter().for_each(|range| reports.note_duplicate(range));
        assert_eq!(told(&mut reports, 3, &[4, 6]), [vec![1, 4, 6], vec![4, 4, 6]]);
        assert_eq!(told(&mut reports, 3, &[4, 6]), [[4, 6]]);
    }

    #[test]
    fn what_is_gone_is_never_told() {
        let mut reports = arrived(&[2, 4, 6, 8, 10]);
        reports.advance(41);
        assert_eq!(told(&mut reports, 3, &[6, 10]), [[10, 6]], "8 was given up");
    }

    #[test]
    fn a_peer_without_sack_hears_of_each_segment() {
        let mut reports = Reports::default();
        reports.owe_repeats(3);
        assert_eq!(told(&mut reports, 0, &[2]).len(), 3);
        reports.owe_repeats(3);
        reports.advance(30);
        assert_eq!(told(&mut reports, 0, &[]).len(), 1);
    }

    #[test]
    fn a_peer_cannot_make_it_grow() {
        let mut reports = Reports::default();
        for at in (0..10_000).step_by(2) {
            reports.note_arrival(at, std::iter::once(at..at + 1));
            reports.note_duplicate(at..at + 1);
        }
        assert_eq!((reports.recent.len(), reports.duplicates.len()), (MOST_NEWS, MOST_NEWS));
    }
}
