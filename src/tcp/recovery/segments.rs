//! The entries of the scoreboard in the order of their positions, none overlapping another.
//!
//! Nearly always they are few: a super-frame is one, and a request has but one. So they stand in a queue, where one more
//! at the end and one less at the beginning cost next to nothing. Where they are many and holes are found anywhere
//! between them they stand in a tree, so that nobody's acknowledgements can make each of them cost as much as all of them.

use super::segment::Segment;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

/// The most that stand in a queue, and as few as must be left in a tree to make a queue of them again.
const FEW: usize = 64;
const FEW_AGAIN: usize = 16;

/// Named by their ends, which stay when an acknowledgement cuts off a beginning.
#[derive(Clone, Debug)]
pub enum Segments {
    Few(VecDeque<Segment>),
    Many(BTreeMap<u64, Segment>),
}

use Segments::{Few, Many};

impl Default for Segments {
    fn default() -> Segments {
        Few(VecDeque::new())
    }
}

impl Segments {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        match self {
            Few(queue) => queue.len(),
            Many(tree) => tree.len(),
        }
    }

    pub fn first(&self) -> Option<&Segment> {
        match self {
            Few(queue) => queue.front(),
            Many(tree) => tree.first_key_value().map(|(_, segment)| segment),
        }
    }

    pub fn last(&self) -> Option<&Segment> {
        match self {
            Few(queue) => queue.back(),
            Many(tree) => tree.last_key_value().map(|(_, segment)| segment),
        }
    }

    /// The one that ends at `end`.
    pub fn get(&self, end: u64) -> Option<&Segment> {
        match self {
            Few(queue) => queue.get(place(queue, end)).filter(|segment| segment.end == end),
            Many(tree) => tree.get(&end),
        }
    }

    /// The same, to be changed in everything but its end.
    pub fn get_mut(&mut self, end: u64) -> Option<&mut Segment> {
        match self {
            Few(queue) => {
                let place = place(queue, end);
                queue.get_mut(place).filter(|segment| segment.end == end)
            }
            Many(tree) => tree.get_mut(&end),
        }
    }

    /// The last one that ends before `end`.
    pub fn before(&self, end: u64) -> Option<&Segment> {
        match self {
            Few(queue) => queue.get(place(queue, end).checked_sub(1)?),
            Many(tree) => tree.range(..end).next_back().map(|(_, segment)| segment),
        }
    }

    /// Those that reach beyond `position`.
    pub fn beyond(&self, position: u64) -> impl Iterator<Item = &Segment> {
        let (queue, tree) = match self {
            Few(queue) => (Some(queue.range(place(queue, position.saturating_add(1))..)), None),
            Many(tree) => (None, Some(tree.range((Excluded(position), Unbounded)))),
        };
        queue.into_iter().flatten().chain(tree.into_iter().flatten().map(|(_, segment)| segment))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.beyond(0)
    }

    /// # Panics
    /// In debug builds, when there is one that ends there.
    pub fn insert(&mut self, segment: Segment) {
        if let Few(queue) = self
            && queue.len() == FEW
        {
            *self = Many(queue.drain(..).map(|segment| (segment.end, segment)).collect());
        }
        match self {
            Few(queue) => {
                let place = place(queue, segment.end);
                debug_assert!(queue.get(place).is_none_or(|other| other.end != segment.end), "{segment:?} twice");
                insert(queue, place, segment);
            }
            Many(tree) => {
                let before = tree.insert(segment.end, segment);
                debug_assert!(before.is_none(), "{segment:?} twice");
            }
        }
    }

    pub fn remove(&mut self, end: u64) -> Option<Segment> {
        match self {
            Few(queue) => {
                let place = place(queue, end);
                queue.get(place).filter(|segment| segment.end == end)?;
                queue.remove(place)
            }
            Many(tree) => {
                let segment = tree.remove(&end);
                self.make_few();
                segment
            }
        }
    }

    /// Takes out the first one if it begins before `position`.
    pub fn pop_before(&mut self, position: u64) -> Option<Segment> {
        self.first().filter(|first| first.start < position)?;
        match self {
            Few(queue) => queue.pop_front(),
            Many(tree) => {
                let segment = tree.pop_first().map(|(_, segment)| segment);
                self.make_few();
                segment
            }
        }
    }

    fn make_few(&mut self) {
        if let Many(tree) = self
            && tree.len() <= FEW_AGAIN
        {
            *self = Few(std::mem::take(tree).into_values().collect());
        }
    }
}

/// As `VecDeque::insert`, and quicker where nothing has to move.
pub(super) fn insert<T>(queue: &mut VecDeque<T>, place: usize, value: T) {
    if place == queue.len() { queue.push_back(value) } else { queue.insert(place, value) }
}

/// Where the one that ends at `end` stands, or would. Mostly it is the last.
fn place(queue: &VecDeque<Segment>, end: u64) -> usize {
    match queue.back() {
        Some(last) if last.end >= end => queue.partition_point(|segment| segment.end < end),
        Some(_) | None => queue.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rate::DeliveryRate;
    use super::*;
    use crate::time::Instant;
    use proptest::prelude::*;

    /// One octet, the one before `end`.
    fn segment(end: u64) -> Segment {
        Segment {
            start: end - 1,
            end,
            count: 1,
            sent_at: Instant::ZERO,
            transmissions: 1,
            sacked: false,
            lost: None,
            again: false,
            departure: DeliveryRate::default().depart(Instant::ZERO, true, 1),
        }
    }

    proptest! {
        /// However many there are, they are what a map from ends to segments would hold.
        #[test]
        fn a_queue_and_a_tree_hold_the_same(
            steps in proptest::collection::vec((0u8..4, 1u64..300), 1..600),
        ) {
            let (mut segments, mut expected) = (Segments::default(), BTreeMap::new());
            for (what, end) in steps {
                match what {
                    0 | 1 if !expected.contains_key(&end) => {
                        segments.insert(segment(end));
                        expected.insert(end, segment(end));
                    }
                    2 => prop_assert_eq!(segments.remove(end), expected.remove(&end)),
                    3 => {
                        let first = expected.first_entry().filter(|first| first.get().start < end);
                        prop_assert_eq!(segments.pop_before(end), first.map(|first| first.remove()));
                    }
                    _ => {}
                }
                prop_assert_eq!((segments.len(), segments.is_empty()), (expected.len(), expected.is_empty()));
                prop_assert!(segments.iter().eq(expected.values()));
                prop_assert_eq!(segments.first(), expected.values().next());
                prop_assert_eq!(segments.last(), expected.values().next_back());
                prop_assert_eq!(segments.get(end), expected.get(&end));
                prop_assert_eq!(segments.before(end), expected.range(..end).next_back().map(|(_, it)| it));
                prop_assert!(segments.beyond(end).eq(expected.range(end + 1..).map(|(_, it)| it)));
            }
        }
    }

    #[test]
    fn many_become_few_again() {
        let mut segments = Segments::default();
        (1..=100).for_each(|end| segments.insert(segment(end)));
        assert!(matches!(segments, Many(_)));
        while segments.len() > FEW_AGAIN {
            segments.pop_before(u64::MAX);
        }
        assert!(matches!(segments, Few(_)));
        assert_eq!(segments.first(), Some(&segment(85)));
    }
}
