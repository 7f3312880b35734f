//! Who is to be woken when a socket turns ready.
//!
//! Everything that waits for a socket does so through a [`Waker`]: a task of any executor, or a thread that parks. It
//! takes a [`Seat`] for that, so that waiting again replaces what it left the last time and a waiter that loses interest
//! can leave: the list of a socket never grows beyond those who really wait.
//!
//! A connection that idles while a task waits for its data is the common case, a hundred thousand times over. The first
//! that waits for a connection therefore stands in a table at the number of the connection's slot, found without a
//! search; all others are in lists by socket.
//!
//! A waker that is replaced or taken out is handed back to the caller, because dropping it may drop a task and with it
//! a socket, which needs the lock that the caller still holds.

use crate::stack::SocketId;
use slotmap::Key;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

/// Wakers on their way out of the lock.
pub type Wakers = SmallVec<[Waker; 8]>;

/// What is waited for. Opening a connection counts as writing, as it does with `poll(2)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    Read,
    Write,
}

/// Whoever may wait, once for each direction, under a number that it gets when it first does; zero until then.
#[derive(Debug, Default)]
pub struct Seat(AtomicU64);

impl Seat {
    /// Has anything ever been waited for from here?
    pub fn is_taken(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Who is told, and of what, when a call has to wait.
    pub fn wait<'a>(&'a self, direction: Direction, waker: &'a Waker) -> Wait<'a> {
        Some(Waiter { seat: self, direction, waker })
    }
}

/// One who wants to wait.
#[derive(Clone, Copy, Debug)]
pub struct Waiter<'a> {
    seat: &'a Seat,
    direction: Direction,
    waker: &'a Waker,
}

/// What a call does when it has to wait: leaves a waker, or nothing (it only tries).
pub type Wait<'a> = Option<Waiter<'a>>;

#[derive(Debug)]
struct Waiting {
    waker: Waker,
    seat: u64,
    /// Tells connections apart that have had the same slot.
    version: u32,
    direction: Direction,
}

/// The waiters of a host.
#[derive(Debug, Default)]
pub struct Waiters {
    /// The number of the last seat that was taken.
    seats: u64,
    first: Table,
    /// Those of connections, of which there are few, apart from those of other sockets.
    others: [BTreeMap<SocketId, SmallVec<[Waiting; 1]>>; 2],
}

impl Waiters {
    /// Lets `waiter` wait for `socket`; gives back the waker that it left before.
    pub fn register(&mut self, socket: SocketId, waiter: Waiter<'_>) -> Option<Waker> {
        let Waiter { seat, direction, waker } = waiter;
        let (seat, version) = (self.number(seat), slot(socket).1);
        let (mut first, others) = (self.first.place(socket), self.others[kind(socket)].get_mut(&socket));
        let mut all = first.iter_mut().filter_map(|place| place.as_mut()).chain(others.into_iter().flatten());
        let again = |it: &Waiting| (it.seat, it.direction, it.version) == (seat, direction, version);
        if let Some(waiting) = all.find(|waiting| again(waiting)) {
            return (!waiting.waker.will_wake(waker)).then(|| std::mem::replace(&mut waiting.waker, waker.clone()));
        }
        let waiting = Waiting { waker: waker.clone(), seat, version, direction };
        match first {
            Some(place @ None) => *place = Some(waiting),
            Some(Some(_)) | None => self.others[kind(socket)].entry(socket).or_default().push(waiting),
        }
        None
    }

    fn number(&mut self, seat: &Seat) -> u64 {
        if !seat.is_taken() {
            self.seats += 1;
            seat.0.store(self.seats, Ordering::Relaxed);
        }
        seat.0.load(Ordering::Relaxed)
    }

    /// Nobody waits in `seat` any more.
    pub fn leave(&mut self, socket: SocketId, seat: &Seat, into: &mut Wakers) {
        let number = seat.0.load(Ordering::Relaxed);
        self.take_if(socket, |waiting| waiting.seat == number, into);
    }

    /// Takes out everyone who waits on `socket` for something that is `ready`.
    pub fn take(&mut self, socket: SocketId, ready: impl Fn(Direction) -> bool, into: &mut Wakers) {
        self.take_if(socket, |waiting| ready(waiting.direction), into);
    }

    fn take_if(&mut self, socket: SocketId, goes: impl Fn(&Waiting) -> bool, into: &mut Wakers) {
        let (place, version) = (self.first.place(socket), slot(socket).1);
        if let Some(waiting) = place.and_then(|it| it.take_if(|it| it.version == version && goes(it))) {
            into.push(waiting.waker);
        }
        let Some(list) = self.others[kind(socket)].get_mut(&socket) else { return };
        let mut index = 0;
        while index < list.len() {
            if goes(&list[index]) {
                into.push(list.remove(index).waker);
            } else {
                index += 1;
            }
        }
        if list.is_empty() {
            self.others[kind(socket)].remove(&socket);
        }
    }

    /// Takes out everyone: the host has ended.
    pub fn take_all(&mut self, into: &mut Wakers) {
        let first = std::mem::take(&mut self.first).0.into_iter().flatten().flatten();
        let others = std::mem::take(&mut self.others).into_iter().flat_map(BTreeMap::into_values).flatten();
        into.extend(first.chain(others).map(|waiting| waiting.waker));
    }
}

/// So many slots beside each other.
const PAGE: usize = 64;

/// At the number of a connection's slot, the first that waits for it. A page is there once anybody has asked about one
/// of its connections.
#[derive(Debug, Default)]
struct Table(Vec<Box<[Option<Waiting>]>>);

impl Table {
    /// The place at its number; none for other sockets.
    fn place(&mut self, socket: SocketId) -> Option<&mut Option<Waiting>> {
        let number = slot(socket).0?;
        if self.0.get(number / PAGE).is_none_or(|page| page.is_empty()) {
            self.add_page(number / PAGE);
        }
        Some(&mut self.0[number / PAGE][number % PAGE])
    }

    #[cold]
    fn add_page(&mut self, page: usize) {
        self.0.resize_with(self.0.len().max(page + 1), Box::default);
        self.0[page] = std::iter::repeat_with(|| None).take(PAGE).collect();
    }
}

/// In which of the two [`others`](Waiters::others) stand.
fn kind(socket: SocketId) -> usize {
    usize::from(!matches!(socket, SocketId::Tcp(_)))
}

/// The number of a connection's slot, and which of those that have had it this one is.
fn slot(socket: SocketId) -> (Option<usize>, u32) {
    match socket {
        SocketId::Tcp(id) => {
            let bits = id.data().as_ffi();
            (Some(bits as u32 as usize), (bits >> 32) as u32)
        }
        SocketId::Listener(_) | SocketId::Udp(_) | SocketId::Ping(_) => (None, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::{ListenerId, TcpId};
    use slotmap::SlotMap;
    use std::sync::Arc;
    use std::task::Wake;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    fn waker() -> Waker {
        Waker::from(Arc::new(Nobody))
    }

    /// A connection, the next one in its slot, the one beside it, and a listener.
    fn sockets() -> [SocketId; 4] {
        let (mut connections, mut listeners) =
            (SlotMap::<TcpId, ()>::with_key(), SlotMap::<ListenerId, ()>::with_key());
        let gone = connections.insert(());
        connections.remove(gone);
        let (next, beside) = (connections.insert(()), connections.insert(()));
        [SocketId::Tcp(gone), SocketId::Tcp(next), SocketId::Tcp(beside), SocketId::Listener(listeners.insert(()))]
    }

    impl Waiters {
        fn any(&mut self, socket: SocketId) -> bool {
            let any = std::cell::Cell::new(false);
            let look = |_| {
                any.set(true);
                false
            };
            self.take(socket, look, &mut Wakers::new());
            any.get()
        }
    }

    fn register(waiters: &mut Waiters, socket: SocketId, seat: &Seat, direction: Direction) -> Option<Waker> {
        waiters.register(socket, seat.wait(direction, &waker()).expect("one who waits"))
    }

    fn taken(waiters: &mut Waiters, socket: SocketId, ready: impl Fn(Direction) -> bool) -> usize {
        let mut taken = Wakers::new();
        waiters.take(socket, ready, &mut taken);
        taken.len()
    }

    #[test]
    fn only_the_ready_direction_is_taken() {
        for socket in sockets() {
            let (mut waiters, seat) = (Waiters::default(), Seat::default());
            register(&mut waiters, socket, &seat, Direction::Read);
            register(&mut waiters, socket, &seat, Direction::Write);
            assert_eq!(taken(&mut waiters, socket, |direction| direction == Direction::Read), 1);
            assert!(waiters.any(socket));
            assert_eq!(taken(&mut waiters, socket, |direction| direction == Direction::Read), 0, "{socket:?}");
            assert_eq!(taken(&mut waiters, socket, |_| true), 1);
            assert!(!waiters.any(socket));
        }
    }

    #[test]
    fn waiting_again_in_one_seat_does_not_grow_the_list() {
        for socket in sockets() {
            let (mut waiters, seats) = (Waiters::default(), [Seat::default(), Seat::default()]);
            for turn in 0..1000 {
                for seat in &seats {
                    assert_eq!(register(&mut waiters, socket, seat, Direction::Read).is_some(), turn > 0);
                }
            }
            let mut left = Wakers::new();
            waiters.leave(socket, &seats[0], &mut left);
            assert_eq!((left.len(), waiters.any(socket)), (1, true));
            waiters.leave(socket, &seats[0], &mut left);
            assert_eq!(left.len(), 1, "it has left already");
            waiters.leave(socket, &seats[1], &mut left);
            assert_eq!((left.len(), waiters.any(socket)), (2, false));
        }
    }

    #[test]
    fn sockets_are_told_apart() {
        for socket in sockets() {
            let (mut waiters, seat) = (Waiters::default(), Seat::default());
            register(&mut waiters, socket, &seat, Direction::Read);
            for other in sockets().into_iter().filter(|other| *other != socket) {
                assert!(!waiters.any(other), "{other:?}");
                assert_eq!(taken(&mut waiters, other, |_| true), 0, "{other:?}");
                register(&mut waiters, other, &Seat::default(), Direction::Read);
                assert_eq!(taken(&mut waiters, other, |_| true), 1, "{other:?}");
            }
            let mut left = Wakers::new();
            waiters.take_all(&mut left);
            assert_eq!((left.len(), waiters.any(socket)), (1, false));
        }
    }

    #[test]
    fn a_waiter_is_small() {
        assert_eq!(size_of::<Option<Waiting>>(), 32);
    }
}
