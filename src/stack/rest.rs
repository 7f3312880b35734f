//! Connections that do nothing: after a while only a short record of each is kept (see [`tcp::fold`](crate::tcp::fold)).
//!
//! A connection that has come to rest stands in a queue until it has rested long enough. Who is at the front is looked
//! at: if it has rested all the time it is folded, if something has happened meanwhile it goes to the end, and if
//! something is under way it leaves, until it comes to rest again. So a busy connection is looked at once in a while and
//! not after every segment, and none has a timer of its own for this.

use super::TcpId;
use super::socket::{Shape, Socket};
use super::tcp::TcpTable;
use crate::event::{Context, FourTuple};
use crate::tcp::Config;
use crate::tcp::fold::{Folder, Resting};
use crate::time::Instant;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How many are looked at in one go, so that no segment has to wait for long.
const AT_ONCE: usize = 64;
/// How many kinds of connections, told apart by their settings, are remembered.
const KINDS: usize = 8;

/// Those that may have come to rest.
#[derive(Debug)]
pub(super) struct RestQueue {
    after: Duration,
    /// Since the stack last had nothing to send.
    fresh: Vec<TcpId>,
    /// When each is to be looked at, soonest first.
    dated: VecDeque<(Instant, TcpId)>,
    folder: Folder,
    /// How many are folded at the moment.
    resting: usize,
    /// The settings that connections have lately been folded with: what is equal is kept once.
    settings: VecDeque<Arc<Config>>,
}

impl RestQueue {
    /// Connections are folded once they have rested for so long.
    pub fn new(after: Duration) -> RestQueue {
        RestQueue {
            after,
            fresh: Vec::new(),
            dated: VecDeque::new(),
            folder: Folder::default(),
            resting: 0,
            settings: VecDeque::new(),
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.dated.front().map(|(at, _)| *at)
    }

    pub fn push(&mut self, id: TcpId) {
        self.fresh.push(id);
    }

    /// For the moment nothing is left to send: those that rest now do so from now on.
    pub fn date(&mut self, now: Instant) {
        if self.fresh.is_empty() {
            return;
        }
        let at = now + self.after;
        let ever = at != Instant::FAR_FUTURE;
        self.dated.extend(self.fresh.drain(..).filter(|_| ever).map(|id| (at, id)));
    }

    fn take_due(&mut self, now: Instant) -> Option<TcpId> {
        self.dated.front().filter(|(at, _)| *at <= now)?;
        let (_, id) = self.dated.pop_front()?;
        if self.dated.is_empty() {
            // It may have been long.
            self.dated = VecDeque::new();
        }
        Some(id)
    }

    /// The same settings, shared with others that have been folded.
    fn share(&mut self, config: &Arc<Config>) -> Arc<Config> {
        let known = self.settings.iter().find(|known| Arc::ptr_eq(known, config) || known == &config);
        if let Some(known) = known {
            return known.clone();
        }
        self.settings.truncate(KINDS - 1);
        self.settings.push_front(config.clone());
        config.clone()
    }

    pub fn resting(&self) -> usize {
        self.resting
    }
}

impl Socket {
    /// The connection as it was, where only its record is kept. It will rest again before long.
    pub fn unfold(&mut self, id: TcpId, queue: &mut RestQueue) {
        if let Shape::Resting(resting) = &self.shape {
            self.shape = Shape::Connection(Box::new(resting.unfold(FourTuple::from(&self.endpoints))));
            self.queued_to_rest = true;
            queue.push(id);
            queue.resting -= 1;
        }
    }

    /// True when there is nothing to be done for it but to wait until it is folded.
    pub fn may_rest(&self) -> bool {
        match &self.shape {
            Shape::Connection(connection) => !self.queued_to_rest && !self.ready && connection.is_at_rest(),
            Shape::Opening(_) | Shape::Resting(_) | Shape::Failed { .. } => false,
        }
    }
}

impl TcpTable {
    /// Folds those that have rested long enough.
    pub(super) fn fold_the_resting(&mut self, cx: &Context<'_>) {
        for _ in 0..AT_ONCE {
            let Some(id) = self.rest.take_due(cx.now) else { break };
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            let Shape::Connection(connection) = &socket.shape else {
                socket.queued_to_rest = false;
                continue;
            };
            if connection.active_at() + self.rest.after > cx.now {
                self.rest.push(id);
                continue;
            }
            socket.queued_to_rest = false;
            self.fold(cx.now, id);
        }
        self.rest.date(cx.now);
    }

    fn fold(&mut self, now: Instant, id: TcpId) {
        let Some(socket) = self.sockets.get_mut(id).filter(|socket| !socket.ready) else { return };
        let Shape::Connection(connection) = &socket.shape else { return };
        let deadline = connection.next_deadline();
        let Some(record) = connection.fold(now + self.rest.after, &mut self.rest.folder) else { return };
        let config = self.rest.share(connection.config());
        socket.shape = Shape::Resting(Resting::new(config, record));
        self.rest.resting += 1;
        // An entry that was left behind by a timer which has moved on would unfold it for nothing.
        self.deadlines.forget(id, socket.filed.take());
        self.deadlines.file(id, deadline, &mut socket.filed);
    }
}
