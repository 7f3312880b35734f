//! A connection that is being opened: SYN-SENT and SYN-RECEIVED (RFC 9293 §3.5).
//!
//! Only here lives what the handshake needs. It ends in a [`Connection`], or in nothing: `peer_syn` takes in what the
//! other side offers, `transmit` sends, and `ending` gives up.

mod ending;
mod peer_syn;
mod transmit;

pub use peer_syn::PeerSyn;

use super::config::Config;
use super::connection::Connection;
use super::fast_open::Fast;
use super::limiter::ChallengeLimiter;
use super::rtt::RttEstimator;
use super::segment::Segment;
use super::seq::Seq;
use super::state::{self, Cause, State};
use crate::event::{CloseReason, Context, Event, FourTuple, SendReason, TcpEvent};
use crate::time::Instant;
use crate::wire::tcp::Header;
use std::net::IpAddr;
use std::sync::Arc;

/// What a connection needs to know that only the stack can tell.
#[derive(Clone, Copy, Debug)]
pub struct Secrets {
    /// The initial sequence number (RFC 6528).
    pub isn: u32,
    /// Added to the timestamp clock (RFC 7323 §5.4).
    pub timestamp_offset: u32,
}

/// A half-open connection.
#[derive(Debug)]
pub struct Opening {
    pub(super) tuple: FourTuple,
    pub(super) config: Arc<Config>,
    pub(super) state: State,
    /// It came from a passive OPEN (MUST-11): a RST then ends it without anybody being told.
    pub(super) passive: bool,
    pub(super) secrets: Secrets,
    /// The largest IP packet of our link, which is what we can receive, and of the path, which is what we can send.
    mtu: usize,
    pub(super) path_mtu: usize,
    pub(super) peer: PeerSyn,
    pub(super) rtt: RttEstimator,
    deadline: Instant,
    first_sent: Option<Instant>,
    /// When the last SYN left, and how many did.
    pub(super) sent_at: Instant,
    pub(super) transmissions: u32,
    /// The length of its IP packet.
    pub(super) syn_len: usize,
    /// The timer ran out on a SYN.
    pub(super) syn_was_lost: bool,
    /// The next SYN follows a RST of ours, not a timeout.
    follows_reset: bool,
    pub(super) syn_due: bool,
    pub(super) ack_due: Option<SendReason>,
    /// Our SYN has asked for ECN.
    pub(super) asked_for_ecn: bool,
    pub(super) asked_for_accurate_ecn: bool,
    /// The peer may not know that we agreed.
    pub(super) accurate_ecn_doubted: bool,
    /// An ACK has told of the window, scaled.
    has_acknowledged: bool,
    pub(super) limiter: ChallengeLimiter,
    /// CLOSE was called in SYN-RECEIVED, and waits for ESTABLISHED (RFC 9293 §3.10.4).
    closing: Option<Closing>,
    pub(super) fast: Option<Fast>,
    /// So much of the SYN's data has the peer acknowledged.
    pub(super) early_acked: u64,
    /// A hard ICMP error or a RST ended the attempt.
    closed: Option<CloseReason>,
    doubts_path: bool,
    soft_error: Option<&'static str>,
}

/// What the application wants of a connection as soon as it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Closing {
    Shutdown,
    Release,
}

/// What a segment or a timeout made of the opening.
#[derive(Debug)]
pub enum Outcome {
    /// Still opening.
    Stay,
    /// The handshake is complete; the segment that completed it goes on in the connection.
    Established(Box<Connection>),
    /// It is over.
    Closed(CloseReason),
    /// The sender of the segment is to be told that it is mistaken; the opening stays.
    Reply(Header),
}

impl Opening {
    /// Active OPEN (RFC 9293 §3.10.1): to SYN-SENT.
    pub fn active(
        cx: &mut Context<'_>,
        tuple: FourTuple,
        config: Arc<Config>,
        secrets: Secrets,
        mtu: usize,
    ) -> Box<Opening> {
        let mut opening = Opening::deferred(cx, tuple, config, secrets, mtu);
        opening.begin(cx);
        opening
    }

    /// An active OPEN that nothing is sent of before [`begin`](Opening::begin).
    pub fn deferred(
        cx: &mut Context<'_>,
        tuple: FourTuple,
        config: Arc<Config>,
        secrets: Secrets,
        mtu: usize,
    ) -> Box<Opening> {
        let mut opening = Opening::new(cx, tuple, config, secrets, mtu, State::Closed);
        opening.syn_due = false;
        opening
    }

    /// The SYN leaves.
    pub fn begin(&mut self, cx: &mut Context<'_>) {
        self.syn_due = true;
        self.move_to(cx, Cause::ActiveOpen);
    }

    /// Nothing has been sent: a write is what it waits for.
    pub fn is_deferred(&self) -> bool {
        self.state == State::Closed && !self.syn_due && self.transmissions == 0
    }

    /// A SYN reached a listener (RFC 9293 §3.10.7.2): to SYN-RECEIVED.
    pub fn passive(
        cx: &mut Context<'_>,
        tuple: FourTuple,
        config: Arc<Config>,
        secrets: Secrets,
        mtu: usize,
        syn: &Segment<'_>,
    ) -> Box<Opening> {
        let mut opening = Opening::new(cx, tuple, config, secrets, mtu, State::Listen);
        opening.passive = true;
        opening.take_syn(cx, syn);
        opening.move_to(cx, Cause::SynReceived);
        opening
    }

    /// An ACK brought back the cookie of our SYN-ACK: what that SYN-ACK had answered is known again.
    pub fn recalled(
        cx: &mut Context<'_>,
        tuple: FourTuple,
        config: Arc<Config>,
        (peer, secrets): (PeerSyn, Secrets),
        mtu: usize,
    ) -> Box<Opening> {
        let PeerSyn { mss, window_scale, sack, .. } = peer;
        let mut opening = Opening::new(cx, tuple, config, secrets, mtu, State::Listen);
        (opening.passive, opening.syn_due, opening.peer) = (true, false, peer);
        opening.tell(cx, TcpEvent::SynCookie { sent: false, mss, window_scale, sack });
        opening.move_to(cx, Cause::SynReceived);
        opening
    }

    fn new(
        cx: &mut Context<'_>,
        tuple: FourTuple,
        config: Arc<Config>,
        secrets: Secrets,
        mtu: usize,
        state: State,
    ) -> Box<Opening> {
        let rtt = RttEstimator::new(&config);
        // Made where it stays.
        Box::write(
            Box::new_uninit(),
            Opening {
                tuple,
                config,
                state,
                passive: false,
                secrets,
                mtu,
                path_mtu: mtu,
                peer: PeerSyn::default(),
                rtt,
                deadline: Instant::FAR_FUTURE,
                first_sent: None,
                sent_at: cx.now,
                transmissions: 0,
                syn_len: 0,
                syn_was_lost: false,
                follows_reset: false,
                syn_due: true,
                ack_due: None,
                asked_for_ecn: false,
                asked_for_accurate_ecn: false,
                accurate_ecn_doubted: false,
                has_acknowledged: false,
                limiter: ChallengeLimiter::default(),
                closing: None,
                fast: None,
                early_acked: 0,
                closed: None,
                doubts_path: false,
                soft_error: None,
            },
        )
    }

    pub fn tuple(&self) -> &FourTuple {
        &self.tuple
    }

    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub fn config_mut(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.config)
    }

    pub fn state(&self) -> State {
        self.state
    }

    pub fn is_passive(&self) -> bool {
        self.passive
    }

    pub fn soft_error(&self) -> Option<&'static str> {
        self.soft_error
    }

    /// The MSS that we announce: RFC 9293 §3.7.1 (MUST-67, SHLD-5), the MTU less the fixed headers.
    pub fn advertised_mss(&self) -> u16 {
        advertised_mss(&self.config, self.mtu, self.tuple.remote.ip())
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        (self.deadline != Instant::FAR_FUTURE).then_some(self.deadline)
    }

    pub(super) fn establish(&mut self, cx: &mut Context<'_>, ack: Option<SendReason>) -> Box<Connection> {
        if self.transmissions == 1 {
            self.rtt.sample(cx.now.since(self.sent_at));
            self.rtt.note_minimum(cx.now, cx.now.since(self.sent_at));
            self.tell_rtt(cx);
        } else if self.rtt.backoff() > 0 {
            self.rtt.restart_after_syn_timeout();
        }
        if let Some(mut connection) = self.take_early() {
            connection.rtt = self.rtt.clone();
            return connection;
        }
        self.size_buffers();
        let mut connection = Connection::established(cx, self);
        connection.rcv.ack_due = ack;
        self.send_what_is_left(cx, &mut connection);
        connection
    }

    fn tell_rtt(&self, cx: &mut Context<'_>) {
        let rtt = cx.now.since(self.sent_at);
        let (srtt, rttvar, rto) = (self.rtt.srtt().unwrap_or_default(), self.rtt.rttvar(), self.rtt.rto());
        self.tell(cx, TcpEvent::RttSample { rtt, srtt, rttvar, rto });
    }

    /// RCV.NXT: past the SYN, and what of its data was taken.
    pub(super) fn rcv_nxt(&self) -> u64 {
        self.early().map_or(self.peer.irs + 1, |early| early.rcv.nxt)
    }

    /// Is `seq` our SYN's? (RFC 5927 §4.1)
    pub fn has_in_flight(&self, seq: Seq) -> bool {
        self.transmissions > 0 && seq == Seq(self.secrets.isn)
    }

    /// The path takes less than the link: what we send is cut to it once the connection stands.
    pub fn handle_path_mtu(&mut self, mtu: usize) {
        self.path_mtu = self.path_mtu.min(mtu);
        self.early_mut().into_iter().for_each(|early| early.handle_path_mtu(mtu));
    }

    pub(super) fn move_to(&mut self, cx: &mut Context<'_>, why: Cause) {
        let from = self.state;
        if let Some(to) = state::next(from, why) {
            self.state = to;
            self.tell(cx, TcpEvent::State { from, to, why });
        }
    }

    pub(super) fn tell(&self, cx: &mut Context<'_>, event: TcpEvent) {
        cx.tell(|| Event::Tcp { connection: self.tuple, event });
    }
}

/// What we announce on a link of `mtu`.
pub(super) fn advertised_mss(config: &Config, mtu: usize, remote: IpAddr) -> u16 {
    let limit = mtu.saturating_sub(headers(remote)).clamp(1, usize::from(u16::MAX)) as u16;
    config.mss.map_or(limit, |mss| mss.clamp(1, limit))
}

/// The fixed headers of IP and TCP, in bytes.
pub fn headers(remote: IpAddr) -> usize {
    match remote {
        IpAddr::V4(_) => 20 + 20,
        IpAddr::V6(_) => 40 + 20,
    }
}
