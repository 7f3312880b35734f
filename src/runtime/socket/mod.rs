//! The handles that both faces share: a connection, a listener, a UDP socket, each held by whoever uses it and let go
//! when the last holder drops it. Every call that may wait is a `poll`; the faces differ in who is woken.

mod listener;
mod options;
mod tcp;
mod udp;

pub use listener::{BACKLOG, ListenerSocket};
pub use tcp::TcpSocket;
pub use udp::{Segments, UdpSocket};

use super::host::Host;
use super::waiters::{Direction, Place};
use crate::stack::SocketId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

/// A place in which a face waits for its socket; left when it is dropped.
pub struct Seat {
    host: Host,
    socket: SocketId,
    place: Place,
    direction: Direction,
    taken: AtomicBool,
}

impl Seat {
    pub fn new(host: &Host, socket: SocketId, direction: Direction) -> Seat {
        Seat { host: host.clone(), socket, place: host.place(), direction, taken: AtomicBool::new(false) }
    }

    pub fn wait<'a>(&self, waker: &'a Waker) -> (Place, Direction, &'a Waker) {
        self.taken.store(true, Ordering::Relaxed);
        (self.place, self.direction, waker)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.taken.load(Ordering::Relaxed) {
            self.host.leave(self.socket, self.place);
        }
    }
}

/// Who is told when a call has to wait: a seat and its waker, or nobody (the call only tries).
pub type Wait<'a> = Option<(&'a Seat, &'a Waker)>;

fn place<'a>(wait: Wait<'a>) -> Option<(Place, Direction, &'a Waker)> {
    wait.map(|(seat, waker)| seat.wait(waker))
}
