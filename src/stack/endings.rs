//! How sockets come to their end: what the application asks for, and openings that come to nothing.

use super::socket::{Shape, is_unfolded};
use super::tcp::TcpTable;
use super::{SocketId, TcpId};
use crate::event::{CloseReason, Context, Event, SendReason, TcpEvent, TcpState};
use crate::tcp::Outcome;
use crate::tcp::fast_open::Lesson;

impl TcpTable {
    /// The application lets go; the id is no longer its own.
    pub fn release(&mut self, cx: &mut Context<'_>, id: TcpId) {
        match &mut self.socket(id).shape {
            Shape::Connection(connection) => connection.release(cx),
            Shape::Opening(opening) if opening.early().is_some() => {
                opening.early_mut().into_iter().for_each(|early| early.release(cx));
            }
            Shape::Opening(opening) if opening.state() == TcpState::SynReceived => opening.close(true),
            Shape::Resting(_) => is_unfolded(),
            Shape::Opening(_) | Shape::Failed { .. } => return self.abort(cx, id),
        }
        self.socket(id).released = true;
        self.settle(id);
        self.shrink_to_time_wait(cx, id);
    }

    pub fn abort(&mut self, cx: &mut Context<'_>, id: TcpId) {
        let socket = self.socket(id);
        socket.released = true;
        socket.listener = None;
        match &mut socket.shape {
            Shape::Connection(connection) => {
                connection.abort(cx);
                self.settle(id);
            }
            Shape::Opening(_) => self.abort_opening(cx, id),
            Shape::Resting(_) => is_unfolded(),
            Shape::Failed { .. } => self.remove_if_released(id),
        }
    }

    fn abort_opening(&mut self, cx: &mut Context<'_>, id: TcpId) {
        let Shape::Opening(opening) = &mut self.socket(id).shape else { return };
        let (tuple, reset) = (*opening.tuple(), opening.abort(cx));
        if let Some(header) = reset {
            self.reply(tuple, header, SendReason::Abort);
        }
        self.fail(cx, id, CloseReason::Aborted);
    }

    /// CLOSE of the sending side. In SYN-SENT it ends the attempt (RFC 9293 §3.10.4).
    pub fn shutdown(&mut self, cx: &mut Context<'_>, id: TcpId) {
        match &mut self.socket(id).shape {
            Shape::Connection(connection) => {
                connection.shutdown(cx);
                self.settle(id);
            }
            Shape::Opening(opening) if opening.early().is_some() => {
                opening.early_mut().into_iter().for_each(|early| early.shutdown(cx));
                self.settle(id);
            }
            Shape::Opening(opening) if opening.state() == TcpState::SynReceived => opening.close(false),
            Shape::Opening(_) => self.abort_opening(cx, id),
            Shape::Resting(_) => is_unfolded(),
            Shape::Failed { .. } => {}
        }
    }

    /// What became of an opening that did not become a connection.
    pub(super) fn conclude(&mut self, cx: &mut Context<'_>, id: TcpId, outcome: Outcome) {
        match outcome {
            Outcome::Stay => {}
            Outcome::Reply(header) => {
                let tuple = self.tuple(id);
                self.reply(tuple, header, SendReason::NoConnection);
            }
            Outcome::Closed(reason) if self.sockets[id].early_at.is_some() => self.fail_early(cx, id, reason),
            Outcome::Closed(reason) => return self.fail(cx, id, reason),
            Outcome::Established(_) => unreachable!("only a segment completes a handshake"),
        }
        self.settle(id);
    }

    pub(super) fn fail(&mut self, cx: &mut Context<'_>, id: TcpId, reason: CloseReason) {
        let socket = &mut self.sockets[id];
        let Shape::Opening(opening) = &socket.shape else { return };
        let (tuple, config) = (*opening.tuple(), opening.config().clone());
        let lesson = opening.lesson().filter(|lesson| *lesson == Lesson::Lost);
        cx.tell(|| Event::Tcp { connection: tuple, event: TcpEvent::Closed { why: reason } });
        socket.shape = Shape::Failed { config, reason };
        if let Some(listener) = socket.listener.take() {
            socket.released = true;
            if let Some(bound) = self.listeners.get_mut(listener) {
                bound.listener.opening_ended();
            }
        }
        let former = socket.former.take();
        self.early_opening_ended(cx.now, id, Some(reason));
        self.learn(cx.now, &tuple, lesson);
        self.sockets.unlist(id);
        if let Some(former) = former {
            // RFC 9293 §3.6.1 (MAY-2): the SYN was an old duplicate.
            self.return_to_time_wait(cx, *former);
        }
        self.wakeups.push_back(SocketId::Tcp(id));
        self.remove_if_released(id);
    }
}
