//! The handles that both faces share: a connection, a listener, a UDP socket, each held by whoever uses it and let go
//! when the last holder drops it. Every call that may wait is a `poll`; the faces differ in who is woken.

mod listener;
mod options;
mod tcp;
mod udp;

pub use listener::{BACKLOG, ListenerSocket};
pub use options::hops;
pub use tcp::TcpSocket;
pub use udp::{Segments, UdpSocket};

use super::host::Host;
use super::waiters::{Direction, Seat, Wait};
use crate::stack::SocketId;
use std::future::poll_fn;
use std::io;
use std::task::{Poll, Waker};

/// A call that may have to wait, in a seat of its own that it leaves when it is over.
pub struct Call<'a> {
    host: &'a Host,
    socket: SocketId,
    direction: Direction,
    seat: Seat,
}

impl<'a> Call<'a> {
    pub fn new(host: &'a Host, socket: SocketId, direction: Direction) -> Call<'a> {
        Call { host, socket, direction, seat: Seat::default() }
    }

    pub fn host(&self) -> &Host {
        self.host
    }

    pub fn direction(&self) -> Direction {
        self.direction
    }

    pub fn wait<'b>(&'b self, waker: &'b Waker) -> Wait<'b> {
        self.seat.wait(self.direction, waker)
    }

    /// Tries until it is ready, as a task.
    pub async fn finish<T>(self, mut attempt: impl FnMut(Wait<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
        poll_fn(|cx| attempt(self.wait(cx.waker()))).await
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.host.leave(self.socket, &self.seat);
    }
}
