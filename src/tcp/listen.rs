//! A listener: it waits for SYNs, and keeps two queues, of handshakes that are under way and of connections that wait
//! to be accepted (RFC 9293 §3.10.7.2).

use super::config::{Config, SynCookies};
use super::cookie;
use super::fast_open::EarlyOpenings;
use super::segment::Segment;
use crate::event::DropReason;
use crate::time::Instant;
use crate::wire::tcp::Header;
use std::collections::VecDeque;
use std::sync::Arc;

/// `Id` is whatever the stack names its connections by.
#[derive(Clone, Debug)]
pub struct Listener<Id> {
    pub config: Arc<Config>,
    /// Room in each of the two queues.
    backlog: usize,
    /// The SYN queue, as a number: the openings themselves stand in the stack's table.
    opening: usize,
    /// The accept queue.
    accepted: VecDeque<Id>,
    cookies_until: Instant,
    /// Openings whose data the application has before their handshake is over.
    pub early: EarlyOpenings,
}

/// What a segment without a connection asks of the listener on its port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Begin a handshake.
    Open,
    /// Answer with a cookie: there is no room for a handshake.
    Cookie,
    Reset(Header),
    Drop(DropReason),
}

impl<Id> Listener<Id> {
    pub fn new(config: impl Into<Arc<Config>>, backlog: usize) -> Listener<Id> {
        Listener {
            config: config.into(),
            backlog: backlog.max(1),
            opening: 0,
            accepted: VecDeque::new(),
            cookies_until: Instant::ZERO,
            early: EarlyOpenings::default(),
        }
    }

    /// RFC 9293 §3.10.7.2.
    pub fn handle_segment(&self, segment: &Segment<'_>) -> Answer {
        let flags = segment.flags();
        // First, check for a RST; second, check for an ACK; third, check for a SYN.
        if flags.rst() {
            return Answer::Drop(DropReason::NoTcpSocket);
        }
        if flags.ack() {
            return segment.reset_reply().map_or(Answer::Drop(DropReason::NoTcpSocket), Answer::Reset);
        }
        if !flags.syn() || flags.fin() && self.config.drop_syn_fin {
            return Answer::Drop(DropReason::BadTcpFlags);
        }
        if self.is_full() {
            return Answer::Drop(DropReason::AcceptQueueFull);
        }
        match (self.config.syn_cookies, self.opening >= self.backlog) {
            (SynCookies::Never | SynCookies::WhenFull, false) => Answer::Open,
            (SynCookies::Never, true) => Answer::Drop(DropReason::SynQueueFull),
            (SynCookies::WhenFull, true) | (SynCookies::Always, _) => Answer::Cookie,
        }
    }

    pub fn cookie_sent(&mut self, now: Instant) {
        self.cookies_until = now + cookie::LIFETIME;
    }

    /// A cookie left so lately that it may come back. Otherwise no ACK is worth the look.
    pub fn expects_cookies(&self, now: Instant) -> bool {
        now < self.cookies_until
    }

    /// No further connection can be queued: a handshake that would complete has to wait.
    pub fn is_full(&self) -> bool {
        self.accepted.len() >= self.backlog
    }

    pub fn opening_began(&mut self) {
        self.opening += 1;
    }

    /// A handshake ended without a connection.
    pub fn opening_ended(&mut self) {
        self.opening = self.opening.saturating_sub(1);
    }

    /// A handshake ended with one.
    pub fn established(&mut self, id: Id) {
        self.opening_ended();
        self.accepted.push_back(id);
    }

    /// A cookie came back: there was no opening.
    pub fn recalled(&mut self, id: Id) {
        self.accepted.push_back(id);
    }

    pub fn accept(&mut self) -> Option<Id> {
        self.accepted.pop_front()
    }

    pub fn waiting(&self) -> usize {
        self.accepted.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tcp::Flags;

    fn segment(flags: Flags) -> Segment<'static> {
        Segment { header: Header { seq: 7, ack: 9, flags, ..Header::default() }, data: b"", ecn: 0, packets: 1 }
    }

    #[test]
    fn only_a_plain_syn_opens() {
        let listener = Listener::<u32>::new(Config::default(), 1);
        let table = [
            (Flags::SYN, "open"),
            (Flags::SYN | Flags::FIN, "open"),
            (Flags::SYN | Flags::ACK, "reset"),
            (Flags::ACK, "reset"),
            (Flags::FIN, "drop"),
            (Flags::RST, "drop"),
            (Flags::SYN | Flags::RST, "drop"),
            (Flags::NONE, "drop"),
        ];
        for (flags, expected) in table {
            let answer = match listener.handle_segment(&segment(flags)) {
                Answer::Open => "open",
                Answer::Cookie => "cookie",
                Answer::Reset(header) => {
                    assert_eq!((header.seq, header.flags), (9, Flags::RST), "RFC 9293 §3.10.7.2");
                    "reset"
                }
                Answer::Drop(_) => "drop",
            };
            assert_eq!(answer, expected, "{flags}");
        }
    }

    #[test]
    fn both_queues_are_bounded() {
        let mut listener = Listener::new(Config { syn_cookies: SynCookies::Never, ..Config::default() }, 2);
        (0..2).for_each(|_| listener.opening_began());
        assert_eq!(listener.handle_segment(&segment(Flags::SYN)), Answer::Drop(DropReason::SynQueueFull));
        Arc::make_mut(&mut listener.config).syn_cookies = SynCookies::WhenFull;
        assert_eq!(listener.handle_segment(&segment(Flags::SYN)), Answer::Cookie);
        listener.established(1);
        listener.established(2);
        assert_eq!(listener.handle_segment(&segment(Flags::SYN)), Answer::Drop(DropReason::AcceptQueueFull));
        assert_eq!(listener.accept(), Some(1));
        assert_eq!(listener.handle_segment(&segment(Flags::SYN)), Answer::Open);
    }
}
