//! Things under generational keys, in pages.
//!
//! A `SlotMap` in everything but this: it grows by a page and never moves what it holds, so that the hundred-thousandth
//! connection costs as much time as the first, and no more than a page is free at the end.

use slotmap::{Key, KeyData};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

const PAGE: usize = 128;
/// The end of the list of free entries.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub struct Slab<K, V> {
    pages: Vec<Box<[Entry<V>; PAGE]>>,
    /// The first of the free entries: the one that was given up last.
    free: u32,
    len: usize,
    keys: PhantomData<K>,
}

#[derive(Debug)]
struct Entry<V> {
    /// Of its present key, or of its next one.
    version: u32,
    next_free: u32,
    value: Option<V>,
}

impl<K: Key, V> Slab<K, V> {
    pub fn new() -> Slab<K, V> {
        Slab { pages: Vec::new(), free: NONE, len: 0, keys: PhantomData }
    }

    pub fn insert(&mut self, value: V) -> K {
        if self.free == NONE {
            self.add_page();
        }
        let index = self.free;
        let entry = &mut self.pages[index as usize / PAGE][index as usize % PAGE];
        self.free = entry.next_free;
        self.len += 1;
        entry.value = Some(value);
        key(index, entry.version)
    }

    pub fn remove(&mut self, key: K) -> Option<V> {
        let (index, _) = parts(key);
        let free = self.free;
        let entry = self.entry_mut(key)?;
        let value = entry.value.take()?;
        // Odd ones alone are versions of keys. After two billion keys the first may come again.
        (entry.version, entry.next_free) = (entry.version.wrapping_add(2), free);
        self.free = index;
        self.len -= 1;
        Some(value)
    }

    fn add_page(&mut self) {
        let first = (self.pages.len() * PAGE) as u32;
        let end = first + PAGE as u32;
        let entry =
            |index| Entry { version: 1, next_free: if index + 1 < end { index + 1 } else { NONE }, value: None };
        let page: Box<[Entry<V>]> = (first..end).map(entry).collect();
        self.pages.push(page.try_into().ok().expect("as many entries as a page has"));
        self.free = first;
    }

    fn entry(&self, key: K) -> Option<&Entry<V>> {
        let (index, version) = parts(key);
        let page = self.pages.get(index as usize / PAGE)?;
        Some(&page[index as usize % PAGE]).filter(|entry| entry.version == version)
    }

    fn entry_mut(&mut self, key: K) -> Option<&mut Entry<V>> {
        let (index, version) = parts(key);
        let page = self.pages.get_mut(index as usize / PAGE)?;
        Some(&mut page[index as usize % PAGE]).filter(|entry| entry.version == version)
    }

    pub fn get(&self, key: K) -> Option<&V> {
        self.entry(key)?.value.as_ref()
    }

    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.entry_mut(key)?.value.as_mut()
    }

    /// In the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        let entries = self.pages.iter().flat_map(|page| page.iter()).enumerate();
        entries.filter_map(|(index, entry)| Some((key(index as u32, entry.version), entry.value.as_ref()?)))
    }

    pub fn len(&self) -> usize {
        self.len
    }
}

fn key<K: Key>(index: u32, version: u32) -> K {
    KeyData::from_ffi(u64::from(version) << 32 | u64::from(index)).into()
}

fn parts<K: Key>(key: K) -> (u32, u32) {
    let bits = key.data().as_ffi();
    (bits as u32, (bits >> 32) as u32)
}

impl<K: Key, V> Index<K> for Slab<K, V> {
    type Output = V;

    fn index(&self, key: K) -> &V {
        self.get(key).expect("a key is used only as long as its entry is there")
    }
}

impl<K: Key, V> IndexMut<K> for Slab<K, V> {
    fn index_mut(&mut self, key: K) -> &mut V {
        self.get_mut(key).expect("a key is used only as long as its entry is there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use slotmap::{DefaultKey, SlotMap};

    proptest! {
        #[test]
        fn it_does_what_a_slot_map_does(steps in proptest::collection::vec((any::<bool>(), any::<u16>()), 0..600)) {
            let (mut slab, mut model) = (Slab::<DefaultKey, u16>::new(), SlotMap::new());
            let mut keys: Vec<(DefaultKey, DefaultKey)> = Vec::new();
            for (insert, number) in steps {
                if insert || keys.is_empty() {
                    keys.push((slab.insert(number), model.insert(number)));
                } else {
                    // Old keys as well, whose entries are gone or somebody else's.
                    let (ours, theirs) = keys[usize::from(number) % keys.len()];
                    prop_assert_eq!(slab.get(ours), model.get(theirs));
                    prop_assert_eq!(slab.remove(ours), model.remove(theirs));
                }
                prop_assert_eq!(slab.len(), model.len());
            }
            for (ours, theirs) in keys {
                prop_assert_eq!(slab.get(ours), model.get(theirs));
                prop_assert_eq!(slab.get_mut(ours), model.get_mut(theirs));
            }
            let (mut all, mut expected): (Vec<u16>, Vec<u16>) = (slab.iter().map(|(_, v)| *v).collect(), model.values().copied().collect());
            all.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(all, expected);
            prop_assert!(slab.iter().all(|(key, value)| slab.get(key) == Some(value)));
        }
    }

    #[test]
    fn the_key_of_no_entry_finds_nothing() {
        let mut slab = Slab::<DefaultKey, ()>::new();
        assert_eq!(slab.get(DefaultKey::null()), None);
        slab.insert(());
        assert_eq!(slab.get(DefaultKey::null()), None);
        assert_eq!(slab.remove(DefaultKey::null()), None);
    }
}
