//! Who is to be woken when a socket turns ready.
//!
//! Everything that waits for a socket does so through a [`Waker`]: a task of any executor, or a thread that parks. It
//! takes a [`Place`] first, so that waiting again replaces what it left the last time and a waiter that loses interest
//! can leave: the list of a socket never grows beyond those who really wait.
//!
//! A waker that is replaced or taken out is handed back to the caller, because dropping it may drop a task and with it
//! a socket, which needs the lock that the caller still holds.

use crate::stack::SocketId;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::task::Waker;

/// Wakers on their way out of the lock.
pub type Wakers = SmallVec<[Waker; 8]>;

/// One who may wait, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(pub u64);

/// What is waited for. Opening a connection counts as writing, as it does with `poll(2)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    Read,
    Write,
}

#[derive(Debug)]
struct Waiting {
    place: Place,
    direction: Direction,
    waker: Waker,
}

/// The waiters of a host, by socket.
#[derive(Debug, Default)]
pub struct Waiters(HashMap<SocketId, SmallVec<[Waiting; 1]>>);

impl Waiters {
    /// Puts `waker` into `place`; gives back the one that was there.
    pub fn register(&mut self, socket: SocketId, place: Place, direction: Direction, waker: &Waker) -> Option<Waker> {
        let list = self.0.entry(socket).or_default();
        match list.iter_mut().find(|waiting| waiting.place == place) {
            Some(waiting) => {
                waiting.direction = direction;
                (!waiting.waker.will_wake(waker)).then(|| std::mem::replace(&mut waiting.waker, waker.clone()))
            }
            None => {
                list.push(Waiting { place, direction, waker: waker.clone() });
                None
            }
        }
    }

    /// Empties `place`.
    pub fn leave(&mut self, socket: SocketId, place: Place) -> Option<Waker> {
        let list = self.0.get_mut(&socket)?;
        let index = list.iter().position(|waiting| waiting.place == place)?;
        let waiting = list.remove(index);
        if list.is_empty() {
            self.0.remove(&socket);
        }
        Some(waiting.waker)
    }

    pub fn any(&self, socket: SocketId) -> bool {
        self.0.contains_key(&socket)
    }

    /// Takes out everyone who waits on `socket` for something that is `ready`.
    pub fn take(&mut self, socket: SocketId, ready: impl Fn(Direction) -> bool, into: &mut Wakers) {
        let Some(list) = self.0.get_mut(&socket) else { return };
        let mut index = 0;
        while index < list.len() {
            if ready(list[index].direction) {
                into.push(list.remove(index).waker);
            } else {
                index += 1;
            }
        }
        if list.is_empty() {
            self.0.remove(&socket);
        }
    }

    /// Takes out everyone: the host has ended.
    pub fn take_all(&mut self, into: &mut Wakers) {
        into.extend(self.0.drain().flat_map(|(_, list)| list).map(|waiting| waiting.waker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::{ListenerId, TcpId};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    const SOCKET: fn() -> SocketId = || SocketId::Tcp(TcpId::default());

    #[test]
    fn only_the_ready_direction_is_taken() {
        let (mut waiters, waker) = (Waiters::default(), Waker::from(Arc::new(Count::default())));
        waiters.register(SOCKET(), Place(1), Direction::Read, &waker);
        waiters.register(SOCKET(), Place(2), Direction::Write, &waker);
        let mut taken = Wakers::new();
        waiters.take(SocketId::Listener(ListenerId::default()), |_| true, &mut taken);
        assert_eq!(taken.len(), 0, "another socket");
        waiters.take(SOCKET(), |direction| direction == Direction::Write, &mut taken);
        assert_eq!(taken.len(), 1);
        assert!(waiters.any(SOCKET()));
        waiters.take(SOCKET(), |_| true, &mut taken);
        assert_eq!(taken.len(), 2);
        assert!(!waiters.any(SOCKET()));
    }

    #[test]
    fn waiting_again_in_one_place_does_not_grow_the_list() {
        let mut waiters = Waiters::default();
        for turn in 0..1000 {
            let waker = Waker::from(Arc::new(Count::default()));
            let replaced = waiters.register(SOCKET(), Place(1), Direction::Read, &waker);
            assert_eq!(replaced.is_some(), turn > 0);
        }
        assert!(waiters.leave(SOCKET(), Place(1)).is_some());
        assert!(waiters.leave(SOCKET(), Place(1)).is_none());
        assert!(!waiters.any(SOCKET()));
    }
}
