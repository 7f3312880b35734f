//! A TCP socket in its slot: what it is at the moment, and what is to be done for it after anything has happened.

use super::endpoints::Endpoints;
use super::tcp::{MAX_REPLIES, TcpTable};
use super::time_waits::Former;
use super::{ListenerId, SocketId, TcpId};
use crate::event::{CloseReason, FourTuple, TcpState};
use crate::tcp::fold::Resting;
use crate::tcp::{Config, Connection, Opening};
use crate::time::Instant;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

/// What a socket is at the moment.
#[derive(Debug)]
pub(super) enum Shape {
    Opening(Box<Opening>),
    Connection(Box<Connection>),
    /// A connection of which only a record is kept. [`TcpTable::socket`] makes a connection of it again.
    Resting(Resting),
    /// The handshake failed; the application has not yet let go.
    Failed {
        config: Arc<Config>,
        reason: CloseReason,
    },
}

#[derive(Debug)]
pub(super) struct Socket {
    pub endpoints: Endpoints,
    pub shape: Shape,
    /// The listener in one of whose queues it stands.
    pub listener: Option<ListenerId>,
    /// No application holds it.
    pub released: bool,
    /// It stands in the queue of those that may have something to send, and are to be settled.
    pub ready: bool,
    /// It stands in the queue of those that may have come to rest.
    pub queued_to_rest: bool,
    /// Its entry among the deadlines.
    pub filed: Option<Instant>,
    /// What its buffers hold, as it was last counted.
    pub memory: usize,
    /// The connection in TIME-WAIT whose place an opening took: it comes back if nothing comes of that.
    pub former: Option<Box<Former>>,
    /// The listener that counts it among the openings whose data the application has already.
    pub early_at: Option<ListenerId>,
}

impl Socket {
    pub fn new(shape: Shape, tuple: &FourTuple, listener: Option<ListenerId>) -> Socket {
        Socket {
            endpoints: tuple.into(),
            shape,
            listener,
            released: false,
            ready: false,
            queued_to_rest: false,
            filed: None,
            memory: 0,
            former: None,
            early_at: None,
        }
    }

    /// Its buffers hold so much now: corrects the sum over all sockets.
    fn recount(&mut self, held: usize, taken: &mut usize) {
        *taken = *taken - std::mem::replace(&mut self.memory, held) + held;
    }

    /// It gets a turn to send, if it does not wait for one already.
    fn queue_to_send(&mut self, id: TcpId, ready: &mut VecDeque<TcpId>) {
        if !std::mem::replace(&mut self.ready, true) {
            ready.push_back(id);
        }
    }

    pub fn tuple(&self) -> FourTuple {
        match &self.shape {
            Shape::Opening(opening) => *opening.tuple(),
            Shape::Connection(connection) => *connection.tuple(),
            Shape::Resting(_) | Shape::Failed { .. } => FourTuple::from(&self.endpoints),
        }
    }

    pub fn config(&self) -> &Config {
        match &self.shape {
            Shape::Opening(opening) => opening.config(),
            Shape::Connection(connection) => connection.config(),
            Shape::Resting(resting) => resting.config(),
            Shape::Failed { config, .. } => config,
        }
    }

    pub fn state(&self) -> TcpState {
        match &self.shape {
            Shape::Opening(opening) => opening.state(),
            Shape::Connection(connection) => connection.state(),
            Shape::Resting(resting) => resting.state(),
            Shape::Failed { .. } => TcpState::Closed,
        }
    }
}

impl TcpTable {
    pub(super) fn insert(&mut self, shape: Shape, tuple: FourTuple, listener: Option<ListenerId>) -> TcpId {
        let id = self.sockets.insert(Socket::new(shape, &tuple, listener));
        self.settle(id);
        id
    }

    /// After a segment, a read or a write: wakes who waits, and queues the socket. What else there is to do is done once,
    /// however much happens until its turn to send comes.
    pub fn touch(&mut self, id: TcpId) {
        let socket = &mut self.sockets[id];
        let Shape::Connection(connection) = &mut socket.shape else { return self.settle(id) };
        if connection.is_over() {
            return self.settle(id);
        }
        if connection.take_wake() && !socket.released {
            self.wakeups.push_back(SocketId::Tcp(id));
        }
        let held = connection.memory_held();
        socket.recount(held, &mut self.memory_taken);
        socket.queue_to_send(id, &mut self.ready);
    }

    /// After anything happened to a socket: queues it, files its deadline, wakes who waits, removes what is over.
    pub fn settle(&mut self, id: TcpId) {
        let socket = &mut self.sockets[id];
        let may_send = match &socket.shape {
            Shape::Connection(connection) => connection.may_have_something_to_send(),
            Shape::Opening(opening) => opening.has_something_to_send(),
            Shape::Resting(_) | Shape::Failed { .. } => false,
        };
        if may_send {
            socket.queue_to_send(id, &mut self.ready);
        }
        self.settle_asked(id);
    }

    /// The same after it was asked for a segment: what it could not send, waits for something to happen.
    pub(super) fn settle_asked(&mut self, id: TcpId) {
        let socket = &mut self.sockets[id];
        let (deadline, over, held) = match &mut socket.shape {
            Shape::Connection(connection) => {
                if connection.take_wake() && !socket.released {
                    self.wakeups.push_back(SocketId::Tcp(id));
                }
                if let Some(mtu) = connection.take_path_mtu() {
                    self.narrower.push_back((connection.tuple().remote.ip(), mtu));
                }
                note_doubt(&mut self.doubted, connection.take_doubt(), connection.tuple());
                (connection.next_deadline(), connection.is_over(), connection.memory_held())
            }
            Shape::Opening(opening) => {
                note_doubt(&mut self.doubted, opening.take_doubt(), opening.tuple());
                (opening.next_deadline(), false, opening.memory_held())
            }
            // Nothing has happened to it.
            Shape::Resting(_) => return,
            Shape::Failed { .. } => (None, false, 0),
        };
        socket.recount(held, &mut self.memory_taken);
        if socket.may_rest() {
            socket.queued_to_rest = true;
            self.rest.push(id);
        }
        self.deadlines.file(id, deadline, &mut socket.filed);
        if over {
            self.sockets.unlist(id);
            self.remove_if_released(id);
        }
    }

    pub(super) fn remove_if_released(&mut self, id: TcpId) {
        if let Some(socket) = self.sockets.get(id).filter(|socket| socket.released) {
            self.deadlines.forget(id, socket.filed);
            self.memory_taken -= socket.memory;
            self.sockets.remove(id);
        }
    }

    /// What happens to it is to be followed by [`settle`](TcpTable::settle).
    ///
    /// # Panics
    /// When the id is that of a socket which was closed: only a caller's bug brings that about.
    pub fn socket(&mut self, id: TcpId) -> &mut Socket {
        let socket = self.sockets.get_mut(id).expect("a TcpId is used only until its socket is closed");
        if matches!(socket.shape, Shape::Resting(_)) {
            socket.unfold(id, &mut self.rest);
        }
        socket
    }

    /// To look at, as it is: perhaps folded.
    ///
    /// # Panics
    /// When the id is that of a socket which was closed.
    pub fn view(&self, id: TcpId) -> &Socket {
        self.sockets.get(id).expect("a TcpId is used only until its socket is closed")
    }

    pub fn unfinished(&self) -> usize {
        let over = |state| matches!(state, TcpState::Closed | TcpState::TimeWait);
        self.sockets.iter().filter(|(_, socket)| !over(socket.state())).count()
    }

    pub fn states(&self) -> impl Iterator<Item = TcpState> {
        let listeners = self.listeners.values().map(|_| TcpState::Listen);
        let over = std::iter::repeat_n(TcpState::TimeWait, self.time_waits.len());
        self.sockets.iter().map(|(_, socket)| socket.state()).chain(listeners).chain(over)
    }

    pub fn tuple(&self, id: TcpId) -> FourTuple {
        self.view(id).tuple()
    }

    pub fn config(&self, id: TcpId) -> &Config {
        self.view(id).config()
    }
}

/// Whoever leads to the peer should be asked whether it lives.
fn note_doubt(doubted: &mut VecDeque<IpAddr>, doubts: bool, tuple: &FourTuple) {
    if doubts && doubted.len() < MAX_REPLIES {
        doubted.push_back(tuple.remote.ip());
    }
}

/// What is said of the shape of a socket that [`TcpTable::socket`] gave.
pub(super) fn is_unfolded() -> ! {
    unreachable!("a socket is unfolded for whoever means to do something with it")
}
