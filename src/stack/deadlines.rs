//! When each of many things wants to be woken.
//!
//! Filing is lazy: a deadline that moves *later* (as a retransmission timer does with every acknowledgement) leaves
//! its old entry where it is. That one comes up too early, finds nothing due, and is filed again.

use crate::time::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Debug)]
pub struct Deadlines<Id> {
    heap: BinaryHeap<Reverse<(Instant, Id)>>,
}

impl<Id: Ord + Copy> Default for Deadlines<Id> {
    fn default() -> Deadlines<Id> {
        Deadlines { heap: BinaryHeap::new() }
    }
}

impl<Id: Ord + Copy> Deadlines<Id> {
    /// Makes sure that `id` comes up at `at` or before; `filed` remembers its earliest entry.
    pub fn file(&mut self, id: Id, at: Option<Instant>, filed: &mut Option<Instant>) {
        if let Some(at) = at
            && filed.is_none_or(|filed| at < filed)
        {
            self.heap.push(Reverse((at, id)));
            *filed = Some(at);
        }
    }

    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out an entry whose time has come.
    pub fn take_due(&mut self, now: Instant) -> Option<(Instant, Id)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_deadlines_keep_their_old_entry_and_sooner_ones_get_a_new_one() {
        let (mut deadlines, mut filed) = (Deadlines::default(), None);
        for (at, entries) in [(5, 1), (9, 1), (3, 2), (4, 2)] {
            deadlines.file('a', Some(Instant::from_secs(at)), &mut filed);
            assert_eq!(deadlines.heap.len(), entries, "after {at}");
        }
        assert_eq!(deadlines.take_due(Instant::from_secs(2)), None);
        assert_eq!(deadlines.take_due(Instant::from_secs(5)), Some((Instant::from_secs(3), 'a')));
    }
}
