//! TCP Fast Open (RFC 7413): data in the SYN, for a client that shows by a cookie that it has been here before under
//! its own address.
//!
//! A client that has no cookie of a server asks for one with its SYN; with the next connection it shows it, and data
//! with it. A server that knows its own cookie hands that data to the application before the handshake is over: the
//! connection is at work while its opening still is, and the opening hands over the rest when the ACK comes. What a
//! client remembers of servers is in [`CookieJar`], what bounds a server in [`EarlyOpenings`].

use super::connection::Connection;
use super::opening::{Opening, headers};
use super::segment::Segment;
use super::seq::Seq;
use super::state::State;
use crate::event::{CloseReason, Context, FastOpen, TcpEvent};
use crate::frame::Payload;
use crate::time::Instant;
pub use crate::wire::tcp_options::Cookie;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// How many servers a client remembers: those that were not asked for the longest time go first.
const MOST_SERVERS: usize = 1024;
/// How long a server is left alone that did not want it (RFC 7413 §4.1.3).
const REFUSED_FOR: Duration = Duration::from_secs(15 * 60);
/// The same when the SYN may have been lost for what it carried, doubled each time.
const LOST_FOR: Duration = Duration::from_secs(60);
/// RFC 7413 §5.1: how long an opening that was reset still counts as one, or a forger of SYNs could make room by RSTs.
const RESET_COUNTS_FOR: Duration = Duration::from_secs(60);
/// Kept free for options of the SYN, whatever it has of them.
const OPTION_ROOM: usize = 40;
/// RFC 7413 §4.1.3: of a server whose MSS is not known.
const UNKNOWN_MSS: u16 = 536;

/// What an opening has to do with Fast Open.
#[derive(Debug)]
pub(super) enum Fast {
    /// We connect, with data: the SYN shows a cookie with so much of it, or asks for one; none to leave the server alone.
    Connects { cookie: Option<Cookie>, early: Vec<u8>, in_syn: usize },
    /// The peer has asked for a cookie, or has shown one that is none of ours.
    Offers { cookie: Cookie },
    /// The data of the SYN was taken: the connection is at work. A cookie of an old key is replaced.
    Early { connection: Box<Connection>, cookie: Option<Cookie> },
}

/// What an opening has taught about a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lesson {
    /// It has a new cookie for us; its MSS tells how much the next SYN may carry.
    Cookie { cookie: Cookie, mss: u16 },
    /// It took the data of the SYN.
    Taken,
    /// It answered, and did not want it.
    Refused,
    /// The first SYN went unanswered: perhaps for what it carried.
    Lost,
}

impl Opening {
    /// Data for the first SYN, as much of it as fits beside what the jar has of the server; the rest follows the
    /// handshake.
    pub fn connect_with(&mut self, known: Option<(Cookie, u16)>, data: &[u8]) {
        let path = self.path_mtu.saturating_sub(headers(self.tuple().remote.ip()));
        let (cookie, mss) = known.map_or((None, 0), |(cookie, mss)| (Some(cookie), mss));
        let room = path.min(usize::from(mss)).saturating_sub(OPTION_ROOM);
        let shows = cookie.as_ref().is_some_and(|cookie| !cookie.is_empty());
        let in_syn = if shows { data.len().min(room) } else { 0 };
        self.fast = Some(Fast::Connects { cookie, early: data.to_vec(), in_syn });
    }

    /// The SYN,ACK gives the peer a cookie.
    pub fn offer_cookie(&mut self, cx: &mut Context<'_>, cookie: Cookie) {
        self.tell(cx, TcpEvent::FastOpen { what: FastOpen::Offered });
        self.fast = Some(Fast::Offers { cookie });
    }

    /// The cookie is ours: the data of the SYN counts, and the application may have it (RFC 7413 §4.2.2).
    pub fn take_early_data(&mut self, cx: &mut Context<'_>, syn: Segment<'_>, renewed: Option<Cookie>) {
        self.size_buffers();
        let mut connection = Connection::established(cx, self);
        let bytes = syn.data.len();
        connection.handle_early_data(cx, &syn.past_syn());
        self.tell(cx, TcpEvent::FastOpen { what: FastOpen::Taken { bytes } });
        self.fast = Some(Fast::Early { connection, cookie: renewed });
    }

    /// What of the application's data it holds, in bytes.
    pub fn memory_held(&self) -> usize {
        match &self.fast {
            Some(Fast::Connects { early, .. }) => early.capacity(),
            Some(Fast::Early { connection, .. }) => connection.memory_held(),
            Some(Fast::Offers { .. }) | None => 0,
        }
    }

    /// The connection that is at work already.
    pub fn early(&self) -> Option<&Connection> {
        match &self.fast {
            Some(Fast::Early { connection, .. }) => Some(connection),
            Some(Fast::Connects { .. } | Fast::Offers { .. }) | None => None,
        }
    }

    pub fn early_mut(&mut self) -> Option<&mut Connection> {
        match &mut self.fast {
            Some(Fast::Early { connection, .. }) => Some(connection),
            Some(Fast::Connects { .. } | Fast::Offers { .. }) | None => None,
        }
    }

    /// The handshake comes to nothing: the connection that was at work, at its end.
    pub fn fail_early(&mut self, cx: &mut Context<'_>, why: CloseReason) -> Option<Box<Connection>> {
        let mut connection = self.take_early()?;
        // For the application there is a connection that the peer has reset.
        connection.give_up(cx, if why == CloseReason::Refused { CloseReason::ResetByPeer } else { why });
        Some(connection)
    }

    pub(super) fn take_early(&mut self) -> Option<Box<Connection>> {
        match self.fast.take() {
            Some(Fast::Early { connection, .. }) => Some(connection),
            other @ (Some(Fast::Connects { .. } | Fast::Offers { .. }) | None) => {
                self.fast = other;
                None
            }
        }
    }

    /// What the next SYN or SYN,ACK carries of Fast Open. A SYN that goes again is a plain one: what lies on the path
    /// may have dropped the first for its cookie or its data (RFC 7413 §4.1.3.1).
    pub(super) fn fast_option(&self) -> Option<Cookie> {
        match &self.fast {
            Some(Fast::Connects { cookie, .. }) if self.state == State::SynSent && self.transmissions == 0 => {
                cookie.clone()
            }
            Some(Fast::Offers { cookie }) if self.state == State::SynReceived => Some(cookie.clone()),
            Some(Fast::Early { cookie, .. }) => cookie.clone(),
            Some(Fast::Connects { .. } | Fast::Offers { .. }) | None => None,
        }
    }

    /// The data of the SYN that leaves now.
    pub(super) fn fast_payload(&self, cx: &mut Context<'_>) -> Payload {
        match &self.fast {
            Some(Fast::Connects { early, in_syn, .. }) => {
                let Some(cookie) = self.fast_option() else { return Payload::default() };
                let what = if cookie.is_empty() { FastOpen::Asked } else { FastOpen::Shown { bytes: *in_syn } };
                self.tell(cx, TcpEvent::FastOpen { what });
                Payload::from(early[..*in_syn].to_vec())
            }
            Some(Fast::Offers { .. } | Fast::Early { .. }) | None => Payload::default(),
        }
    }

    /// How many bytes of the SYN's data an acknowledgment covers; none when it does not even cover the SYN, or more
    /// than was sent.
    pub(super) fn acknowledged_early(&self, ack: Seq) -> Option<u64> {
        let sent = match &self.fast {
            Some(Fast::Connects { in_syn, .. }) => *in_syn as u64,
            Some(Fast::Early { connection, .. }) => connection.sent(),
            Some(Fast::Offers { .. }) | None => 0,
        };
        let past_syn = i64::from(ack.distance(Seq(self.secrets.isn))) - 1;
        u64::try_from(past_syn).ok().filter(|early| *early <= sent)
    }

    /// The handshake of an active opening is over: what the SYN's data did not bring across goes now.
    pub(super) fn send_what_is_left(&mut self, cx: &mut Context<'_>, connection: &mut Connection) {
        let (data, acked) = match &mut self.fast {
            Some(Fast::Connects { early, .. }) => (std::mem::take(early), self.early_acked as usize),
            Some(Fast::Offers { .. } | Fast::Early { .. }) | None => return,
        };
        if acked > 0 {
            self.tell(cx, TcpEvent::FastOpen { what: FastOpen::Acknowledged { bytes: acked } });
        }
        connection.begin_with(cx, &data[acked.min(data.len())..], acked as u64);
    }

    /// What became of it, for the jar. The opening has been answered.
    pub fn lesson(&self) -> Option<Lesson> {
        let Some(Fast::Connects { cookie: Some(_), in_syn, .. }) = &self.fast else { return None };
        let mss = self.peer.mss.unwrap_or(UNKNOWN_MSS);
        let news = self.peer.cookie.clone().filter(|cookie| !cookie.is_empty());
        Some(match news {
            _ if self.syn_was_lost => Lesson::Lost,
            Some(cookie) => Lesson::Cookie { cookie, mss },
            None if *in_syn > 0 && self.early_acked > 0 => Lesson::Taken,
            None => Lesson::Refused,
        })
    }
}

/// What a client knows of a server.
#[derive(Clone, Debug)]
struct Server {
    cookie: Cookie,
    mss: u16,
    /// How many SYNs in a row may have been lost for their cookie or their data.
    losses: u32,
    /// Nothing but plain SYNs until then.
    not_before: Instant,
    used: u64,
}

/// The cookies that servers have given us (RFC 7413 §4.1.3), and who did not want any.
#[derive(Debug, Default)]
pub struct CookieJar {
    servers: BTreeMap<IpAddr, Server>,
    uses: u64,
}

impl CookieJar {
    /// The cookie to show and the server's MSS; an empty one to ask for one; none to leave it alone.
    pub fn recall(&mut self, now: Instant, server: IpAddr) -> Option<(Cookie, u16)> {
        self.uses += 1;
        let Some(known) = self.servers.get_mut(&server) else { return Some((Cookie::new(), UNKNOWN_MSS)) };
        known.used = self.uses;
        (known.not_before <= now).then(|| (known.cookie.clone(), known.mss))
    }

    pub fn learn(&mut self, now: Instant, server: IpAddr, lesson: Lesson) {
        let known = self.entry(server);
        match lesson {
            Lesson::Cookie { cookie, mss } => {
                (known.cookie, known.mss) = (cookie, mss);
                (known.losses, known.not_before) = (0, now);
            }
            Lesson::Taken => known.losses = 0,
            Lesson::Refused => {
                known.cookie = Cookie::new();
                known.not_before = now + REFUSED_FOR;
            }
            Lesson::Lost => {
                known.not_before = now + LOST_FOR * (1 << known.losses.min(10));
                known.losses += 1;
            }
        }
    }

    /// A SYN to this server would carry data.
    pub fn has_cookie(&self, now: Instant, server: IpAddr) -> bool {
        self.servers.get(&server).is_some_and(|known| known.not_before <= now && !known.cookie.is_empty())
    }

    pub fn clear(&mut self) {
        self.servers.clear();
    }

    fn entry(&mut self, server: IpAddr) -> &mut Server {
        if !self.servers.contains_key(&server) && self.servers.len() >= MOST_SERVERS {
            let oldest = self.servers.iter().min_by_key(|(_, known)| known.used).map(|(server, _)| *server);
            oldest.map(|oldest| self.servers.remove(&oldest));
        }
        let used = self.uses;
        let fresh =
            || Server { cookie: Cookie::new(), mss: UNKNOWN_MSS, losses: 0, not_before: Instant::default(), used };
        self.servers.entry(server).or_insert_with(fresh)
    }
}

/// How many openings of a listener have their data taken and their handshake not done: PendingFastOpenRequests of RFC
/// 7413 §4.2.2.
#[derive(Clone, Debug, Default)]
pub struct EarlyOpenings {
    pending: usize,
    /// Those that were reset, until they count no more.
    reset: VecDeque<Instant>,
}

impl EarlyOpenings {
    pub fn has_room(&mut self, now: Instant, limit: usize) -> bool {
        while self.reset.front().is_some_and(|until| *until <= now) {
            self.reset.pop_front();
        }
        self.pending + self.reset.len() < limit
    }

    pub fn began(&mut self) {
        self.pending += 1;
    }

    /// `why` it failed, if it did.
    pub fn ended(&mut self, now: Instant, why: Option<CloseReason>) {
        self.pending = self.pending.saturating_sub(1);
        if matches!(why, Some(CloseReason::ResetByPeer | CloseReason::Refused)) {
            self.reset.push_back(now + RESET_COUNTS_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn cookie(byte: u8) -> Cookie {
        [byte; 8].into_iter().collect()
    }

    // RFC 7413 §4.1.3
    #[test]
    fn the_jar_remembers_cookies_and_leaves_alone_who_did_not_want_any() {
        let (mut jar, mut now) = (CookieJar::default(), Instant::from_secs(1));
        assert_eq!(jar.recall(now, SERVER), Some((Cookie::new(), UNKNOWN_MSS)), "an unknown server is asked");
        jar.learn(now, SERVER, Lesson::Cookie { cookie: cookie(1), mss: 1460 });
        assert_eq!(jar.recall(now, SERVER), Some((cookie(1), 1460)));
        jar.learn(now, SERVER, Lesson::Taken);
        jar.learn(now, SERVER, Lesson::Lost);
        assert_eq!(jar.recall(now + LOST_FOR - Duration::from_nanos(1), SERVER), None);
        now += LOST_FOR;
        assert_eq!(jar.recall(now, SERVER), Some((cookie(1), 1460)), "the cookie is as good as before");
        jar.learn(now, SERVER, Lesson::Lost);
        assert_eq!(jar.recall(now + LOST_FOR, SERVER), None, "twice as long");
        assert!(jar.recall(now + 2 * LOST_FOR, SERVER).is_some());
        jar.learn(now, SERVER, Lesson::Refused);
        assert_eq!(jar.recall(now + REFUSED_FOR - Duration::from_nanos(1), SERVER), None);
        assert_eq!(jar.recall(now + REFUSED_FOR, SERVER), Some((Cookie::new(), 1460)), "and is asked again");
    }

    #[test]
    fn the_jar_is_bounded_and_keeps_what_is_used() {
        let (mut jar, now) = (CookieJar::default(), Instant::from_secs(1));
        let server = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..3 * MOST_SERVERS as u32 {
            jar.recall(now, server(0));
            jar.learn(now, server(n), Lesson::Cookie { cookie: cookie(n as u8), mss: 536 });
        }
        assert_eq!(jar.servers.len(), MOST_SERVERS);
        assert_eq!(jar.recall(now, server(0)), Some((cookie(0), 536)));
    }

    // RFC 7413 §5.1
    #[test]
    fn an_opening_that_is_reset_makes_no_room_at_once() {
        let (mut early, now) = (EarlyOpenings::default(), Instant::from_secs(1));
        assert!(!early.has_room(now, 0), "off");
        early.began();
        assert!(!early.has_room(now, 1) && early.has_room(now, 2));
        early.ended(now, Some(CloseReason::ResetByPeer));
        assert!(!early.has_room(now + RESET_COUNTS_FOR - Duration::from_nanos(1), 1));
        assert!(early.has_room(now + RESET_COUNTS_FOR, 1));
        early.began();
        early.ended(now, None);
        assert!(early.has_room(now + RESET_COUNTS_FOR, 1), "a handshake that was completed");
    }
}
