//! The listeners of a host, and the segments that belong to no connection.

use super::socket::Shape;
use super::tcp::{BoundListener, TcpTable};
use super::time_waits::Former;
use super::{ClosedPort, ListenerId, SocketId, TcpId};
use crate::event::{CloseReason, Context, DropReason, Event, FourTuple, Layer, SendReason};
use crate::tcp::listen::{Answer, Listener};
use crate::tcp::{Config, Opening, Segment, Seq};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What became of the SYNs that came to our listeners, and of the cookies that they were answered with; beside each the
/// name by which Linux counts the same (`nstat`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Handshakes {
    /// SYNs that were remembered.
    pub opened: u64,
    /// `TcpExtSyncookiesSent`: SYNs of which nothing was kept.
    pub cookies_sent: u64,
    /// `TcpExtSyncookiesRecv`: cookies that came back and count.
    pub cookies_received: u64,
    /// `TcpExtSyncookiesFailed`: segments that would bring one back, and none of ours is in them.
    pub cookies_failed: u64,
    /// `TcpExtTCPReqQFullDrop`: SYNs without an answer, the SYN queue being full and cookies turned off.
    pub syn_queue_overflows: u64,
    /// `TcpExtListenOverflows`: SYNs and ends of handshakes for which the accept queue had no room.
    pub accept_queue_overflows: u64,
    /// SYNs and ends of handshakes beyond [`connection_limit`](super::Config::connection_limit).
    pub too_many_connections: u64,
}

impl Handshakes {
    pub(super) fn dropped(&mut self, reason: DropReason) {
        if reason == DropReason::SynQueueFull {
            self.syn_queue_overflows += 1;
        } else if reason == DropReason::AcceptQueueFull {
            self.accept_queue_overflows += 1;
        } else if reason == DropReason::TooManyConnections {
            self.too_many_connections += 1;
        }
    }
}

impl TcpTable {
    /// RFC 9293 §3.10.7.1 (CLOSED) and §3.10.7.2 (LISTEN).
    pub(super) fn handle_without_connection(
        &mut self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        segment: &Segment<'_>,
        path_mtu: impl Fn(IpAddr) -> usize,
        former: Option<Box<Former>>,
    ) {
        let listener = self.listener_at(tuple.local);
        // What begins a connection begins it here; anything else may belong to one that another stack has.
        if self.has_others && (segment.flags().ack() || !segment.flags().syn()) {
            let recalled = listener.is_some_and(|id| self.recall(cx, tuple, segment, &path_mtu, id));
            self.stray = !recalled;
            return;
        }
        let Some(id) = listener else {
            cx.tell(|| Event::Dropped { layer: Layer::Tcp, reason: DropReason::NoTcpSocket });
            let answers = match self.closed_port {
                ClosedPort::Resets => true,
                ClosedPort::DropsSyn => !segment.flags().syn(),
                ClosedPort::DropsAll => false,
            };
            if let Some(header) = segment.reset_reply().filter(|_| answers) {
                self.reply(tuple, header, SendReason::NoConnection);
            }
            return;
        };
        if self.recall(cx, tuple, segment, &path_mtu, id) {
            return;
        }
        let is_crowded = self.is_crowded();
        let listener = &mut self.listeners[id].listener;
        let answer = match listener.handle_segment(segment) {
            // Whose connection is in TIME-WAIT has been here before: no forged address, and no cookie, whose numbers would
            // not keep beyond those of that connection.
            Answer::Cookie if former.is_some() => Answer::Open,
            answer @ (Answer::Open | Answer::Cookie | Answer::Reset(_) | Answer::Drop(_)) => answer,
        };
        match answer {
            Answer::Open if is_crowded => {
                self.refuse(cx, DropReason::TooManyConnections);
            }
            Answer::Cookie => self.answer_with_cookie(cx, tuple, segment, id),
            Answer::Open => {
                listener.opening_began();
                self.handshakes.opened += 1;
                let config = self.listeners[id].listener.config.clone();
                let mut secrets = self.key.secrets(cx.now, &tuple);
                if let Some(former) = &former {
                    secrets.isn = beyond(former.1.wait.snd_nxt(), secrets.isn);
                }
                let mut opening = Opening::passive(cx, tuple, config, secrets, self.mtu, segment);
                opening.handle_path_mtu(path_mtu(tuple.remote.ip()));
                let early = self.open_early(cx, id, &tuple, &mut opening, segment);
                let opened = self.insert(Shape::Opening(opening), tuple, Some(id));
                self.socket(opened).former = former;
                if early {
                    self.socket(opened).early_at = Some(id);
                    self.queue_for_accept(opened);
                }
            }
            Answer::Reset(header) => self.reply(tuple, header, SendReason::NoConnection),
            Answer::Drop(reason) => self.refuse(cx, reason),
        }
    }

    /// A segment to a listener comes to nothing.
    pub(super) fn refuse(&mut self, cx: &mut Context<'_>, reason: DropReason) {
        self.handshakes.dropped(reason);
        cx.tell(|| Event::Dropped { layer: Layer::Tcp, reason });
    }

    /// Would this begin a handshake at `local`?
    pub(super) fn would_open(&self, local: SocketAddr, segment: &Segment<'_>) -> bool {
        let listener = self.listener_at(local).and_then(|id| self.listeners.get(id));
        let answer = listener.map(|bound| bound.listener.handle_segment(segment));
        matches!(answer, Some(Answer::Open | Answer::Cookie))
    }

    /// Is `local` in use? Two listeners may share a port only on different addresses; connections do not count (RFC
    /// 9293 §3.9.1.1, MUST-42).
    pub fn listens(&self, local: SocketAddr) -> bool {
        let overlaps =
            |other: SocketAddr| other.ip() == local.ip() || other.ip().is_unspecified() || local.ip().is_unspecified();
        self.by_port.get(&local.port()).is_some_and(|ids| ids.iter().any(|id| overlaps(self.listeners[*id].local)))
    }

    pub fn listen(&mut self, local: SocketAddr, backlog: usize, config: Config) -> ListenerId {
        let id = self.listeners.insert(BoundListener { local, listener: Listener::new(config, backlog) });
        self.by_port.entry(local.port()).or_default().push(id);
        id
    }

    pub fn configure_listener(&mut self, id: ListenerId, change: impl FnOnce(&mut Config)) {
        if let Some(bound) = self.listeners.get_mut(id) {
            change(Arc::make_mut(&mut bound.listener.config));
        }
    }

    pub fn listener_config(&self, id: ListenerId) -> &Config {
        &self.listeners[id].listener.config
    }

    pub fn listener_addr(&self, id: ListenerId) -> SocketAddr {
        self.listeners[id].local
    }

    pub fn has_waiting(&self, id: ListenerId) -> bool {
        self.listeners.get(id).is_some_and(|bound| bound.listener.waiting() > 0)
    }

    /// The listener bound to the address itself comes before the one bound to all.
    fn listener_at(&self, local: SocketAddr) -> Option<ListenerId> {
        let ids = self.by_port.get(&local.port())?;
        let exact = ids.iter().find(|id| self.listeners[**id].local.ip() == local.ip());
        exact.or_else(|| ids.iter().find(|id| self.listeners[**id].local.ip().is_unspecified())).copied()
    }

    pub(super) fn accept_queue_is_full(&self, id: TcpId) -> bool {
        let listener = self.sockets[id].listener.and_then(|listener| self.listeners.get(listener));
        listener.is_some_and(|bound| bound.listener.is_full())
    }

    pub(super) fn queue_for_accept(&mut self, id: TcpId) {
        if let Some(listener) = self.sockets[id].listener
            && let Some(bound) = self.listeners.get_mut(listener)
        {
            bound.listener.established(id);
            self.wakeups.push_back(SocketId::Listener(listener));
        }
    }

    pub fn accept(&mut self, listener: ListenerId) -> Option<TcpId> {
        let id = self.listeners.get_mut(listener)?.listener.accept()?;
        self.sockets[id].listener = None;
        Some(id)
    }

    /// Closes a listener. What stands in its accept queue is aborted, Fast Open's children among it. Of what is half-open
    /// nothing is said, as on Linux: whether there is a peer at all nobody knows, and in a flood its address is somebody
    /// else's; if there is one, its next segment finds the port closed and is answered with a RST (RFC 9293 §3.10.7.1).
    pub fn close_listener(&mut self, cx: &mut Context<'_>, listener: ListenerId) {
        let Some(bound) = self.listeners.remove(listener) else { return };
        if let Some(ids) = self.by_port.get_mut(&bound.local.port()) {
            ids.retain(|id| *id != listener);
            if ids.is_empty() {
                self.by_port.remove(&bound.local.port());
            }
        }
        let queued = self.sockets.iter().filter(|(_, socket)| socket.listener == Some(listener));
        for id in queued.map(|(id, _)| id).collect::<Vec<_>>() {
            match &self.view(id).shape {
                Shape::Opening(opening) if opening.early().is_none() => self.forget_half_open(cx, id),
                Shape::Opening(_) | Shape::Connection(_) | Shape::Resting(_) | Shape::Failed { .. } => {
                    self.abort(cx, id)
                }
            }
        }
    }

    fn forget_half_open(&mut self, cx: &mut Context<'_>, id: TcpId) {
        let socket = self.socket(id);
        (socket.released, socket.listener) = (true, None);
        if let Shape::Opening(opening) = &mut socket.shape {
            let _unsent = opening.abort(cx);
        }
        self.fail(cx, id, CloseReason::Aborted);
    }
}

/// RFC 9293 §3.6.1 (MAY-2): the numbers of a new incarnation begin beyond those of the one in TIME-WAIT.
fn beyond(last: Seq, isn: u32) -> u32 {
    const GAP: u32 = 1 << 16;
    if Seq(isn).distance(last) > GAP as i32 { isn } else { last.0.wrapping_add(GAP) }
}
