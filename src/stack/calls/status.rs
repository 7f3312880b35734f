//! STATUS (RFC 9293 §3.10.6): of one connection, of all of them, and the settings.

use crate::event::FourTuple;
use crate::stack::socket::{Shape, is_unfolded};
use crate::stack::{Handshakes, Stack, TcpId, TcpUsage};
use crate::tcp::{Config, Info, Status};
use crate::time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;

impl Stack {
    pub fn tcp_status(&self, id: TcpId) -> Status {
        let socket = self.layers.tcp.view(id);
        match &socket.shape {
            Shape::Connection(connection) => connection.status(),
            Shape::Resting(resting) => resting.unfold(socket.tuple()).status(),
            shape @ (Shape::Opening(_) | Shape::Failed { .. }) => {
                if let Shape::Opening(opening) = shape
                    && let Some(early) = opening.early()
                {
                    return Status { state: opening.state(), ..early.status() };
                }
                let closed = if let Shape::Failed { reason, .. } = shape { Some(*reason) } else { None };
                let over = closed.is_some();
                let deferred = matches!(&socket.shape, Shape::Opening(opening) if opening.is_deferred());
                Status { state: socket.state(), established: false, readable: over, writable: over || deferred, closed }
            }
        }
    }

    /// Would a read give bytes, the end of the stream or an error at once? As [`tcp_status`](Stack::tcp_status) has it.
    pub fn tcp_is_readable(&self, id: TcpId) -> bool {
        match &self.layers.tcp.view(id).shape {
            Shape::Connection(connection) => connection.is_readable(),
            Shape::Resting(_) | Shape::Opening(_) | Shape::Failed { .. } => self.tcp_status(id).readable,
        }
    }

    /// Would a write take bytes or fail at once?
    pub fn tcp_is_writable(&self, id: TcpId) -> bool {
        match &self.layers.tcp.view(id).shape {
            Shape::Connection(connection) => connection.is_writable(),
            Shape::Resting(_) | Shape::Opening(_) | Shape::Failed { .. } => self.tcp_status(id).writable,
        }
    }

    /// STATUS (RFC 9293 §3.10.6): none before the connection is established, or has data by Fast Open.
    pub fn tcp_info(&self, id: TcpId) -> Option<Info> {
        let socket = self.layers.tcp.view(id);
        match &socket.shape {
            Shape::Connection(connection) => Some(connection.info()),
            Shape::Resting(resting) => Some(resting.unfold(socket.tuple()).info()),
            Shape::Opening(opening) => opening.early().map(|early| Info { state: opening.state(), ..early.info() }),
            Shape::Failed { .. } => None,
        }
    }

    /// How many connections have not come to their end; those in TIME-WAIT only wait.
    pub fn tcp_unfinished(&self) -> usize {
        self.layers.tcp.unfinished()
    }

    /// The state of every socket, listeners and those that nobody holds any more included, in no particular order.
    pub fn tcp_states(&self) -> impl Iterator<Item = crate::event::TcpState> {
        self.layers.tcp.states()
    }

    /// How many connections there are, and what they hold.
    pub fn tcp_usage(&self) -> TcpUsage {
        self.layers.tcp.usage()
    }

    /// What became of the SYNs to our listeners since the stack began.
    pub fn tcp_handshakes(&self) -> Handshakes {
        self.layers.tcp.handshakes
    }

    /// The connection to which segments between these endpoints belong.
    #[doc(hidden)]
    pub fn tcp_find(&self, tuple: &FourTuple) -> Option<TcpId> {
        self.layers.tcp.sockets.find(tuple)
    }

    pub fn tcp_local_addr(&self, id: TcpId) -> SocketAddr {
        self.layers.tcp.tuple(id).local
    }

    pub fn tcp_remote_addr(&self, id: TcpId) -> SocketAddr {
        self.layers.tcp.tuple(id).remote
    }

    pub fn tcp_config(&self, id: TcpId) -> &Config {
        self.layers.tcp.config(id)
    }

    /// Changes the settings of an open connection: `nagle`, `keepalive`, `ttl` and so on.
    pub fn tcp_configure(&mut self, now: Instant, id: TcpId, change: impl FnOnce(&mut Config)) {
        let (mut cx, layers) = self.enter(now);
        match &mut layers.tcp.socket(id).shape {
            Shape::Connection(connection) => connection.configure(&mut cx, change),
            Shape::Opening(opening) => match opening.early_mut() {
                Some(early) => early.configure(&mut cx, change),
                None => change(opening.config_mut()),
            },
            Shape::Resting(_) => is_unfolded(),
            Shape::Failed { config, .. } => change(Arc::make_mut(config)),
        }
        layers.tcp.settle(id);
    }
}
