//! The entries, by address and by deadline; and which of them is worth least.

use super::entry::Entry;
use crate::event::NeighbourState;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What an entry is worth when the table is full.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rank {
    /// Nothing was ever sent there, or in vain.
    Idle,
    /// Not known to be there.
    Unresolved,
    /// Known, and used.
    Valuable,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<IpAddr, Entry>,
    deadlines: BTreeSet<(Instant, IpAddr)>,
}

impl Table {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn entry(&mut self, address: IpAddr) -> Option<&mut Entry> {
        self.entries.get_mut(&address)
    }

    pub fn insert(&mut self, address: IpAddr, entry: Entry) {
        debug_assert!(entry.deadline.is_none(), "deadlines are set in place");
        self.entries.insert(address, entry);
    }

    pub fn remove(&mut self, address: IpAddr) {
        self.set_deadline(address, None);
        self.entries.remove(&address);
    }

    pub fn set_deadline(&mut self, address: IpAddr, deadline: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(&address) else { return };
        if let Some(old) = std::mem::replace(&mut entry.deadline, deadline) {
            self.deadlines.remove(&(old, address));
        }
        if let Some(new) = deadline {
            self.deadlines.insert((new, address));
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// An entry whose deadline has come; it has none any more.
    pub fn pop_due(&mut self, now: Instant) -> Option<IpAddr> {
        let (_, address) = self.deadlines.first().copied().filter(|(at, _)| *at <= now)?;
        self.set_deadline(address, None);
        Some(address)
    }

    /// The entry that is worth least, if that is no more than `limit`: among equals the one not used for longest.
    pub fn least_valuable(&self, limit: Rank) -> Option<IpAddr> {
        let (address, entry) = self.entries.iter().min_by_key(|(_, entry)| (rank(entry), entry.used))?;
        (rank(entry) <= limit).then_some(*address)
    }
}

fn rank(entry: &Entry) -> Rank {
    match entry.state {
        NeighbourState::Failed | NeighbourState::Unknown => Rank::Idle,
        NeighbourState::Incomplete => Rank::Unresolved,
        NeighbourState::Stale if entry.used.is_none() => Rank::Idle,
        NeighbourState::Stale | NeighbourState::Reachable | NeighbourState::Delay | NeighbourState::Probe => {
            Rank::Valuable
        }
    }
}
