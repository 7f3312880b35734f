//! The slots of the TCP sockets, and the directory that finds the one to which a segment belongs.
//!
//! The directory holds ids alone: the name of a connection stands in its slot, once. Its hash has a key that no peer
//! knows, so that nobody can choose ports that meet in one place. It is cut into parts that grow by themselves, so that
//! no single segment has to wait until a million entries have moved.
//!
//! In front of it stand the connections that were found last, each in a place that its name tells without a key: busy ones
//! are found without a hash. Who chooses ports that meet in one place makes each of those need the directory, no more.

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
/// The logarithm of how many connections can stand among those that were found lately.
const RECENT_BITS: u32 = 9;

type Recent = Cell<Option<(Endpoints, TcpId)>>;

#[derive(Debug)]
pub(super) struct Sockets {
    slots: Slab<TcpId, Socket>,
    parts: Vec<HashTable<TcpId>>,
    key: Key,
    /// Of the listed ones the last that was found in each place.
    recent: Box<[Recent; 1 << RECENT_BITS]>,
}

impl Sockets {
    pub fn new(key: Key) -> Sockets {
        let recent = Box::new([const { Cell::new(None) }; 1 << RECENT_BITS]);
        Sockets { slots: Slab::new(), parts: vec![HashTable::new(); PARTS], key, recent }
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
        match self.recent[endpoints.place(RECENT_BITS)].get() {
            Some((name, id)) if name == endpoints => {
                debug_assert!(self.slots.get(id).is_some_and(|socket| socket.endpoints == name), "it is unlisted");
                Some(id)
            }
            Some(_) | None => self.look_up(endpoints),
        }
    }

    /// In the directory; from now on it is a recent one.
    #[inline(never)]
    fn look_up(&self, endpoints: Endpoints) -> Option<TcpId> {
        let is_it = |id: &TcpId| self.slots.get(*id).is_some_and(|socket| socket.endpoints == endpoints);
        let hash = endpoints.hash(&self.key);
        let found = *self.parts[part(hash)].find(hash, is_it)?;
        self.recent[endpoints.place(RECENT_BITS)].set(Some((endpoints, found)));
        Some(found)
    }

    /// No segment finds it any more; it keeps its slot.
    pub fn unlist(&mut self, id: TcpId) {
        let Some(Socket { endpoints, .. }) = self.slots.get(id) else { return };
        self.recent[endpoints.place(RECENT_BITS)].set(None);
        let hash = endpoints.hash(&self.key);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::CloseReason;
    use crate::random::Random;
    use crate::stack::socket::Shape;
    use crate::tcp::Config;

    #[test]
    fn however_many_meet_in_one_place_each_is_found_until_it_is_unlisted() {
        let mut sockets = Sockets::new(Key::new(&mut Random::new(1)));
        let tuple = |port: u16| FourTuple { local: ([192, 0, 2, 2], 80).into(), remote: ([192, 0, 2, 1], port).into() };
        let socket = |port| {
            let shape = Shape::Failed { config: Config::default().into(), reason: CloseReason::Aborted };
            Socket::new(shape, &tuple(port), None)
        };
        let ports = 0..4 << RECENT_BITS;
        let ids: Vec<TcpId> = ports.clone().map(|port| sockets.insert(socket(port))).collect();
        for (port, id) in ports.clone().zip(&ids).chain(ports.clone().zip(&ids).rev()) {
            assert_eq!([sockets.find(&tuple(port)), sockets.find(&tuple(port))], [Some(*id); 2]);
        }
        for (port, id) in ports.zip(ids) {
            assert_eq!(sockets.find(&tuple(port)), Some(id));
            sockets.unlist(id);
            assert_eq!(sockets.find(&tuple(port)), None);
            sockets.remove(id);
            let successor = sockets.insert(socket(port));
            assert_eq!(sockets.find(&tuple(port)), Some(successor));
        }
    }
}
