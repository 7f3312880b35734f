//! A listener, as its application holds it.

use super::{Call, TcpSocket};
use crate::runtime::error::Kind;
use crate::runtime::host::Host;
use crate::runtime::waiters::{Direction, Wait};
use crate::stack::{ListenerId, SocketId};
use crate::tcp::Config;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

/// How many connections may wait to be accepted; what the standard library asks of Linux.
pub const BACKLOG: usize = 128;

pub struct ListenerSocket {
    host: Host,
    id: ListenerId,
    local: SocketAddr,
}

impl ListenerSocket {
    /// `change` may adjust what the connections start with, from the stack's own settings.
    pub fn bind(
        host: &Host,
        local: SocketAddr,
        backlog: usize,
        change: impl FnOnce(&mut Config),
    ) -> io::Result<ListenerSocket> {
        if let Some(ended) = host.ended() {
            return Err(ended);
        }
        let opened = host.with(|stack, _| {
            let mut config = stack.config().tcp.clone();
            change(&mut config);
            stack.tcp_listen(local, backlog, config).map(|id| (id, stack.tcp_listener_addr(id)))
        });
        let (id, local) = opened.map_err(Kind::into_io)?;
        Ok(ListenerSocket { host: host.clone(), id, local })
    }

    pub fn call(&self, direction: Direction) -> Call<'_> {
        Call::new(&self.host, self.socket_id(), direction)
    }

    pub fn socket_id(&self) -> SocketId {
        SocketId::Listener(self.id)
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub fn poll_accept(&self, wait: Wait<'_>) -> Poll<io::Result<TcpSocket>> {
        let accepted = self.host.poll(self.socket_id(), wait, |stack, _| match stack.tcp_accept(self.id) {
            Some(id) => Poll::Ready(Ok(id)),
            None => Poll::Pending,
        });
        accepted.map_ok(|id| TcpSocket::adopt(&self.host, id))
    }
}

impl Drop for ListenerSocket {
    fn drop(&mut self) {
        self.host.release(self.socket_id(), |stack, now| stack.tcp_close_listener(now, self.id));
    }
}
