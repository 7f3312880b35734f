//! The slots of the TCP sockets, and the directory that finds the one to which a segment belongs.
//!
//! The directory holds ids alone: the name of a connection stands in its slot, once. Its hash has a key that no peer
//! knows, so that nobody can choose ports that meet in one place. It is cut into parts that grow by themselves, so that
//! no single segment has to wait until a million entries have moved.

use super::TcpId;
use super::endpoints::Endpoints;
use super::keyed::Key;
use super::slab::Slab;
use super::socket::Socket;
use crate::event::FourTuple;
use hashbrown::HashTable;
use std::cell::Cell;
use std::ops::{Index, IndexMut};

const PARTS: usize = 64;

#[derive(Debug)]
pub(super) struct Sockets {
    slots: Slab<TcpId, Socket>,
    parts: Vec<HashTable<TcpId>>,
    key: Key,
    /// The one that was found last: segments come in trains, and those that follow it need no look into the directory.
    last: Cell<Option<TcpId>>,
}

impl Sockets {
    pub fn new(key: Key) -> Sockets {
        Sockets { slots: Slab::new(), parts: vec![HashTable::new(); PARTS], key, last: Cell::default() }
    }

    /// Segments for its endpoints find it from now on.
    pub fn insert(&mut self, socket: Socket) -> TcpId {
        let hash = socket.endpoints.hash(&self.key);
        let id = self.slots.insert(socket);
        let (slots, key) = (&self.slots, &self.key);
        self.parts[part(hash)].insert_unique(hash, id, |id| hash_of(slots, key, *id));
        id
    }

    /// The socket to which segments between these endpoints belong.
    pub fn find(&self, tuple: &FourTuple) -> Option<TcpId> {
        let endpoints = Endpoints::from(tuple);
        let is_it = |id: &TcpId| self.slots.get(*id).is_some_and(|socket| socket.endpoints == endpoints);
        if let last @ Some(_) = self.last.get().filter(is_it) {
            return last;
        }
        let hash = endpoints.hash(&self.key);
        let found = self.parts[part(hash)].find(hash, is_it).copied();
        self.last.set(found);
        found
    }

    /// No segment finds it any more; it keeps its slot.
    pub fn unlist(&mut self, id: TcpId) {
        self.last.set(None);
        let hash = hash_of(&self.slots, &self.key, id);
        if let Ok(entry) = self.parts[part(hash)].find_entry(hash, |listed| *listed == id) {
            entry.remove();
        }
    }

    /// Gives up the slot of a socket that is listed no more.
    pub fn remove(&mut self, id: TcpId) {
        self.slots.remove(id);
    }

    pub fn get(&self, id: TcpId) -> Option<&Socket> {
        self.slots.get(id)
    }

    pub fn get_mut(&mut self, id: TcpId) -> Option<&mut Socket> {
        self.slots.get_mut(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (TcpId, &Socket)> {
        self.slots.iter()
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }
}

impl Index<TcpId> for Sockets {
    type Output = Socket;

    fn index(&self, id: TcpId) -> &Socket {
        &self.slots[id]
    }
}

impl IndexMut<TcpId> for Sockets {
    fn index_mut(&mut self, id: TcpId) -> &mut Socket {
        &mut self.slots[id]
    }
}

fn hash_of(slots: &Slab<TcpId, Socket>, key: &Key, id: TcpId) -> u64 {
    slots.get(id).map_or(0, |socket| socket.endpoints.hash(key))
}

/// By bits that the parts themselves make no use of.
fn part(hash: u64) -> usize {
    (hash >> 40) as usize % PARTS
}
