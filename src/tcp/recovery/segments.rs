//! The entries of the scoreboard in the order of their positions, none overlapping another.
//!
//! Nearly always they come at the end and go at the beginning. So they stand in a queue, however many, until one comes or
//! goes in between: where they are many, and holes are made anywhere between them, they stand in a tree from then on, so
//! that nobody's acknowledgements can make each of them cost as much as all of them.

use super::segment::Segment;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};

/// The most that a queue moves for one in between, and as few as must be left in a tree to make a queue of them again.
const FEW: usize = 64;
const FEW_AGAIN: usize = 16;

/// Named by their ends, which stay when an acknowledgement cuts off a beginning.
#[derive(Clone, Debug)]
pub enum Segments {
    Queue(VecDeque<Segment>),
    Tree(BTreeMap<u64, Segment>),
}

use Segments::{Queue, Tree};

impl Default for Segments {
    fn default() -> Segments {
        Queue(VecDeque::new())
    }
}

impl Segments {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn len(&self) -> usize {
        match self {
            Queue(queue) => queue.len(),
            Tree(tree) => tree.len(),
        }
    }

    pub fn first(&self) -> Option<&Segment> {
        match self {
            Queue(queue) => queue.front(),
            Tree(tree) => tree.first_key_value().map(|(_, segment)| segment),
        }
    }

    pub fn last(&self) -> Option<&Segment> {
        match self {
            Queue(queue) => queue.back(),
            Tree(tree) => tree.last_key_value().map(|(_, segment)| segment),
        }
    }

    /// The one that ends at `end`.
    pub fn get(&self, end: u64) -> Option<&Segment> {
        match self {
            Queue(queue) => queue.get(place(queue, end)).filter(|segment| segment.end == end),
            Tree(tree) => tree.get(&end),
        }
    }

    /// The same, to be changed in everything but its end.
    pub fn get_mut(&mut self, end: u64) -> Option<&mut Segment> {
        match self {
            Queue(queue) => {
                let place = place(queue, end);
                queue.get_mut(place).filter(|segment| segment.end == end)
            }
            Tree(tree) => tree.get_mut(&end),
        }
    }

    /// The last one that ends before `end`.
    pub fn before(&self, end: u64) -> Option<&Segment> {
        match self {
            Queue(queue) => queue.get(place(queue, end).checked_sub(1)?),
            Tree(tree) => tree.range(..end).next_back().map(|(_, segment)| segment),
        }
    }

    /// Those that reach beyond `position`.
    pub fn beyond(&self, position: u64) -> impl Iterator<Item = &Segment> {
        let (queue, tree) = match self {
            Queue(queue) => (Some(queue.range(place(queue, position.saturating_add(1))..)), None),
            Tree(tree) => (None, Some(tree.range((Excluded(position), Unbounded)))),
        };
        queue.into_iter().flatten().chain(tree.into_iter().flatten().map(|(_, segment)| segment))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.beyond(0)
    }

    /// # Panics
    /// In debug builds, when there is one that ends there.
    pub fn insert(&mut self, segment: Segment) {
        if let Queue(queue) = self {
            let place = place(queue, segment.end);
            debug_assert!(queue.get(place).is_none_or(|other| other.end != segment.end), "{segment:?} twice");
            if place == queue.len() {
                return queue.push_back(segment);
            }
            if place == 0 || queue.len() <= FEW {
                return queue.insert(place, segment);
            }
        }
        let before = self.tree().insert(segment.end, segment);
        debug_assert!(before.is_none(), "{segment:?} twice");
    }

    pub fn remove(&mut self, end: u64) -> Option<Segment> {
        if let Queue(queue) = self {
            let place = place(queue, end);
            queue.get(place).filter(|segment| segment.end == end)?;
            if place == 0 || queue.len() <= FEW {
                return queue.remove(place);
            }
        }
        let segment = self.tree().remove(&end);
        self.make_few();
        segment
    }

    /// Takes out the first one.
    pub fn pop_first(&mut self) {
        match self {
            Queue(queue) => {
                queue.pop_front();
                if queue.is_empty() && queue.capacity() > FEW {
                    *queue = VecDeque::new();
                }
            }
            Tree(tree) => {
                tree.pop_first();
                self.make_few();
            }
        }
    }

    /// From now on one in between costs no more than one at an end.
    fn tree(&mut self) -> &mut BTreeMap<u64, Segment> {
        if let Queue(queue) = self {
            *self = Tree(queue.drain(..).map(|segment| (segment.end, segment)).collect());
        }
        match self {
            Tree(tree) => tree,
            Queue(_) => unreachable!("it has just become a tree"),
        }
    }

    fn make_few(&mut self) {
        if let Tree(tree) = self
            && tree.len() <= FEW_AGAIN
        {
            *self = Queue(std::mem::take(tree).into_values().collect());
        }
    }
}

/// Where the one that ends at `end` stands, or would. Mostly it is the last, or has gone.
fn place(queue: &VecDeque<Segment>, end: u64) -> usize {
    match (queue.front(), queue.back()) {
        (_, Some(last)) if last.end < end => queue.len(),
        (Some(first), Some(_)) if first.end < end => queue.partition_point(|segment| segment.end < end),
        (_, _) => 0,
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
                        segments.pop_first();
                        expected.pop_first();
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
    fn many_stand_in_a_tree_from_the_first_that_goes_in_between() {
        let mut segments = Segments::default();
        (1..=100).for_each(|end| segments.insert(segment(end)));
        segments.pop_first();
        segments.insert(segment(1));
        segments.remove(1);
        assert!(matches!(segments, Queue(_)));
        segments.remove(50);
        assert!(matches!(segments, Tree(_)));
        while segments.len() > FEW_AGAIN {
            segments.pop_first();
        }
        assert!(matches!(segments, Queue(_)));
        assert_eq!(segments.first(), Some(&segment(85)));
    }
}
