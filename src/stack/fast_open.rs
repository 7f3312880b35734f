//! TCP Fast Open at a host (RFC 7413): whose cookie is good, who may open with data, and what servers have taught.

use super::keyed::Worth;
use super::socket::Shape;
use super::tcp::TcpTable;
use super::{ListenerId, TcpId};
use crate::event::{CloseReason, Context, Event, FastOpen, FourTuple, TcpEvent};
use crate::tcp::fast_open::Lesson;
use crate::tcp::{Config, Opening, Segment};
use crate::time::Instant;

impl TcpTable {
    /// Active OPEN with data for the SYN, if the server has given us a cookie; else the SYN asks for one.
    pub fn connect_with(
        &mut self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        config: Config,
        path_mtu: usize,
        data: &[u8],
    ) -> TcpId {
        let known = self.jar.recall(cx.now, tuple.remote.ip());
        let mut opening = self.active_opening(cx, tuple, config, path_mtu);
        opening.connect_with(known, data);
        self.insert(Shape::Opening(opening), tuple, None)
    }

    /// Active OPEN that begins with the first write, where that can go with the SYN; else now, asking for a cookie.
    pub fn connect_on_write(
        &mut self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        config: Config,
        path_mtu: usize,
    ) -> TcpId {
        if !self.jar.has_cookie(cx.now, tuple.remote.ip()) {
            return self.connect_with(cx, tuple, config, path_mtu, &[]);
        }
        let secrets = self.key.secrets(cx.now, &tuple);
        let mut opening = Opening::deferred(cx, tuple, config.into(), secrets, self.mtu);
        opening.handle_path_mtu(path_mtu);
        self.insert(Shape::Opening(opening), tuple, None)
    }

    /// The first write of such a connection: how much of it was taken.
    pub fn open_with_first_write(&mut self, cx: &mut Context<'_>, id: TcpId, data: &[u8]) -> usize {
        let remote = self.tuple(id).remote.ip();
        let known = self.jar.recall(cx.now, remote);
        let Shape::Opening(opening) = &mut self.socket(id).shape else { return 0 };
        let taken = early_room(opening.config()).min(data.len());
        opening.connect_with(known, &data[..taken]);
        opening.begin(cx);
        self.settle(id);
        taken
    }

    /// A SYN has reached a listener: true when the application may have its data now.
    pub(super) fn open_early(
        &mut self,
        cx: &mut Context<'_>,
        listener: ListenerId,
        tuple: &FourTuple,
        opening: &mut Opening,
        syn: &Segment<'_>,
    ) -> bool {
        let listener = &mut self.listeners[listener].listener;
        let limit = listener.config.fast_open_queue;
        let Some(shown) = syn.header.options.fast_open.as_ref().filter(|_| limit > 0) else { return false };
        let worth = self.mint.judge(cx.now, tuple, shown);
        if worth == Worth::Nothing {
            opening.offer_cookie(cx, self.mint.cookie(cx.now, tuple));
            return false;
        }
        if listener.is_full() || !listener.early.has_room(cx.now, limit) {
            // RFC 7413 §4.2.2: an ordinary handshake, then.
            let event = TcpEvent::FastOpen { what: FastOpen::Full };
            cx.tell(|| Event::Tcp { connection: *tuple, event });
            return false;
        }
        listener.early.began();
        let renewed = (worth == Worth::Old).then(|| self.mint.cookie(cx.now, tuple));
        opening.take_early_data(cx, syn.clone(), renewed);
        true
    }

    /// The handshake comes to nothing. What the SYN brought stays to be read, before the reason is.
    pub(super) fn fail_early(&mut self, cx: &mut Context<'_>, id: TcpId, reason: CloseReason) {
        self.early_opening_ended(cx.now, id, Some(reason));
        let socket = self.socket(id);
        if let Shape::Opening(opening) = &mut socket.shape
            && let Some(connection) = opening.fail_early(cx, reason)
        {
            socket.shape = Shape::Connection(connection);
        }
    }

    /// An opening whose data the application had before is over, for `why` if without a connection.
    pub(super) fn early_opening_ended(&mut self, now: Instant, id: TcpId, why: Option<CloseReason>) {
        if let Some(listener) = self.sockets[id].early_at.take()
            && let Some(bound) = self.listeners.get_mut(listener)
        {
            bound.listener.early.ended(now, why);
        }
    }

    pub(super) fn learn(&mut self, now: Instant, tuple: &FourTuple, lesson: Option<Lesson>) {
        if let Some(lesson) = lesson {
            self.jar.learn(now, tuple.remote.ip(), lesson);
        }
    }
}

/// The most data that is taken before the handshake is over.
pub(super) fn early_room(config: &Config) -> usize {
    config.initial_send_buffer.min(config.send_buffer)
}
