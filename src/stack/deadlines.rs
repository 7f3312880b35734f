//! When each of many things wants to be woken.
//!
//! Each has at most one entry. Filing is lazy: a deadline that moves *later* (as a retransmission timer does with every
//! acknowledgement) leaves the entry where it is. It comes up too early, finds nothing due, and is filed again.
//!
//! Why a tree and no timer wheel? Measured with a million keepalive timers in it, a near deadline is filed and forgotten
//! in 27 ns, as with ten: the paths to both ends of the tree stay in the processor's cache. Only to end one of the
//! million, at any place, takes 0.9 µs, once in the life of a connection. A wheel is no faster where it counts, and it
//! would have to sort its next slot to tell when exactly the next deadline is.

use crate::time::Instant;
use std::collections::BTreeSet;

#[derive(Debug)]
pub struct Deadlines<Id> {
    entries: BTreeSet<(Instant, Id)>,
}

impl<Id: Ord + Copy> Default for Deadlines<Id> {
    fn default() -> Deadlines<Id> {
        Deadlines { entries: BTreeSet::new() }
    }
}

impl<Id: Ord + Copy> Deadlines<Id> {
    /// Makes sure that `id` comes up at `at` or before; `filed` remembers its entry.
    pub fn file(&mut self, id: Id, at: Option<Instant>, filed: &mut Option<Instant>) {
        if let Some(at) = at
            && filed.is_none_or(|filed| at < filed)
        {
            self.forget(id, *filed);
            self.entries.insert((at, id));
            *filed = Some(at);
        }
    }

    /// `id`, whose entry is `filed`, need not come up any more.
    pub fn forget(&mut self, id: Id, filed: Option<Instant>) {
        if let Some(filed) = filed {
            self.entries.remove(&(filed, id));
        }
    }

    pub fn next(&self) -> Option<Instant> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// Takes out an entry whose time has come.
    pub fn take_due(&mut self, now: Instant) -> Option<Id> {
        self.entries.first().filter(|(at, _)| *at <= now)?;
        self.entries.pop_first().map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_deadlines_keep_their_entry_and_sooner_ones_take_its_place() {
        let (mut deadlines, mut filed) = (Deadlines::default(), None);
        for (at, entry) in [(5, 5), (9, 5), (3, 3), (4, 3)] {
            deadlines.file('a', Some(Instant::from_secs(at)), &mut filed);
            assert_eq!(deadlines.next(), Some(Instant::from_secs(entry)), "after {at}");
            assert_eq!(deadlines.entries.len(), 1, "after {at}");
        }
        assert_eq!(deadlines.take_due(Instant::from_secs(2)), None);
        assert_eq!(deadlines.take_due(Instant::from_secs(5)), Some('a'));
        assert_eq!(deadlines.next(), None);
    }

    /// A delayed acknowledgement every 40 ms beside a keepalive two hours ahead once left an entry behind each time.
    #[test]
    fn short_timers_beside_a_long_one_leave_nothing_behind() {
        let (mut deadlines, mut filed) = (Deadlines::default(), None);
        let long = Instant::from_secs(7200);
        for n in 0..1000 {
            deadlines.file((), Some(long), &mut filed);
            deadlines.file((), Some(Instant::from_millis(40 * n)), &mut filed);
            assert_eq!(deadlines.take_due(Instant::from_millis(40 * n)), Some(()));
            filed = None;
        }
        deadlines.file((), Some(long), &mut filed);
        assert_eq!(deadlines.entries.len(), 1);
        deadlines.forget((), filed);
        assert_eq!(deadlines.next(), None);
    }
}
