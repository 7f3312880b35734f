//! Handshakes of which nothing is kept: what a full SYN queue answers with, and what comes back (RFC 4987 §3.6).

use super::keyed::Key;
use super::socket::Shape;
use super::tcp::TcpTable;
use super::{ListenerId, SocketId};
use crate::event::{Context, DropReason, Event, FourTuple, SendReason, TcpEvent};
use crate::tcp::cookie::{self, Hashes};
use crate::tcp::{Opening, Outcome, Segment};
use std::net::IpAddr;

/// The hashes of one connection.
struct Keyed<'a> {
    key: &'a Key,
    tuple: &'a FourTuple,
}

impl Hashes for Keyed<'_> {
    fn of_connection(&self) -> u32 {
        self.key.hash("cookie", self.tuple)
    }

    fn of_period(&self, irs: u32, period: u64) -> u32 {
        self.key.hash("cookie of a period", &(self.tuple, irs, period))
    }
}

impl TcpTable {
    pub(super) fn answer_with_cookie(
        &mut self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        syn: &Segment<'_>,
        id: ListenerId,
    ) {
        let (hashes, offset) = (Keyed { key: &self.key, tuple: &tuple }, self.key.timestamp_offset(&tuple));
        let listener = &mut self.listeners[id].listener;
        let (config, link) = (&listener.config, (self.mtu, tuple.remote.ip()));
        let header = cookie::syn_ack(&hashes, cx.now, config, link, (syn, offset));
        let (ttl, class) = (config.ttl, config.traffic_class);
        listener.cookie_sent(cx.now);
        self.handshakes.cookies_sent += 1;
        let options = &header.options;
        let (window_scale, sack) =
            (syn.header.options.window_scale.filter(|_| options.window_scale.is_some()), options.sack_permitted);
        let event = TcpEvent::SynCookie { sent: true, mss: syn.header.options.mss, window_scale, sack };
        cx.tell(|| Event::Tcp { connection: tuple, event });
        self.reply_as(tuple, header, SendReason::SynCookie, (ttl, class));
    }

    /// Does this ACK bring back a cookie? Then the connection stands, or is refused for want of room.
    pub(super) fn recall(
        &mut self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        ack: &Segment<'_>,
        path_mtu: impl Fn(IpAddr) -> usize,
        id: ListenerId,
    ) -> bool {
        let (listener, flags) = (&self.listeners[id].listener, ack.flags());
        if !flags.ack() || flags.syn() || flags.rst() || !listener.expects_cookies(cx.now) {
            return false;
        }
        let (hashes, offset) = (Keyed { key: &self.key, tuple: &tuple }, self.key.timestamp_offset(&tuple));
        let config = listener.config.clone();
        let recalled = cookie::recall(&hashes, cx.now, &config, (ack, offset));
        let Some(recalled) = recalled else {
            self.handshakes.cookies_failed += 1;
            return false;
        };
        self.handshakes.cookies_received += 1;
        if let Some(reason) = self.lacks_room(id) {
            self.refuse(cx, reason);
            if let Some(header) = ack.reset_reply().filter(|_| config.reset_on_overflow) {
                self.reply(tuple, header, SendReason::AcceptQueueFull);
            }
            return true;
        }
        let mut opening = Opening::recalled(cx, tuple, config, recalled, self.mtu);
        opening.handle_path_mtu(path_mtu(tuple.remote.ip()));
        if let Outcome::Established(mut connection) = opening.handle_segment(cx, ack) {
            connection.set_super_frame(self.segmentation);
            connection.handle_rest(cx, ack.clone());
            let connected = self.insert(Shape::Connection(connection), tuple, Some(id));
            self.listeners[id].listener.recalled(connected);
            self.wakeups.push_back(SocketId::Listener(id));
        }
        true
    }

    /// Why no further connection can wait for this listener.
    fn lacks_room(&self, id: ListenerId) -> Option<DropReason> {
        if self.listeners[id].listener.is_full() {
            return Some(DropReason::AcceptQueueFull);
        }
        self.is_crowded().then_some(DropReason::TooManyConnections)
    }
}
