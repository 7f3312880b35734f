//! A connection that is being opened: SYN-SENT and SYN-RECEIVED (RFC 9293 §3.5).
//!
//! Only here lives what the handshake needs. It ends in a [`Connection`], or in nothing.

use super::accurate_ecn;
use super::byte_counters;
use super::config::Config;
use super::connection::Connection;
use super::fast_open::{Cookie, Fast};
use super::limiter::ChallengeLimiter;
use super::rtt::RttEstimator;
use super::segment::{Segment, emit};
use super::seq::Seq;
use super::state::{self, Cause, State};
use super::timeout::R1;
use crate::event::{CloseReason, Context, Event, FourTuple, SendReason, TcpEvent, TimerKind};
use crate::frame::{Frame, Payload};
use crate::time::Instant;
use crate::wire::tcp::{Flags, Header};
use crate::wire::tcp_options::{ByteCounters, MAX_LEN, Options, Timestamps};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// RFC 9293 §3.7.1 (MUST-15): what a peer takes that did not say.
const DEFAULT_MSS_V4: u16 = 536;
const DEFAULT_MSS_V6: u16 = 1220;
/// Smaller than any network allows (RFC 791: 68 bytes of packet), so that no peer can make us send a byte a segment.
const SMALLEST_MSS: u16 = 28;

/// RFC 7323 §2.3: a larger shift counts as this one.
const MAX_WINDOW_SCALE: u8 = 14;
/// How long the RST for an old connection has to get there before the SYN that follows it.
const AFTER_RESET: Duration = Duration::from_millis(10);

/// What a connection needs to know that only the stack can tell.
#[derive(Clone, Copy, Debug)]
pub struct Secrets {
    /// The initial sequence number (RFC 6528).
    pub isn: u32,
    /// Added to the timestamp clock (RFC 7323 §5.4).
    pub timestamp_offset: u32,
}

/// What the peer's SYN offered.
#[derive(Clone, Debug, Default)]
pub struct PeerSyn {
    /// The position of the SYN: IRS.
    pub irs: u64,
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub sack: bool,
    pub timestamp: Option<u32>,
    /// It asks for ECN, or agrees to it, and so do we (RFC 3168 §6.1.1).
    pub ecn: bool,
    /// The same of accurate feedback (RFC 9768).
    pub accurate_ecn: bool,
    /// The lowest two bits of its packet's traffic class, and what its AE, CWR and ECE say of our SYN's.
    pub ecn_bits: u8,
    pub ecn_told: u8,
    /// RFC 9768 §3.2.3; of a SYN,ACK.
    pub byte_counters: Option<ByteCounters>,
    /// RFC 7413.
    pub cookie: Option<Cookie>,
    pub window: u16,
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
    ) -> Opening {
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
    ) -> Opening {
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
    ) -> Opening {
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
    ) -> Opening {
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
    ) -> Opening {
        let rtt = RttEstimator::new(&config);
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
        }
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

    /// The SYN has waited too long for its answer.
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) -> Outcome {
        if let Some(reason) = self.closed {
            return Outcome::Closed(reason);
        }
        if self.deadline > cx.now {
            return Outcome::Stay;
        }
        self.deadline = Instant::FAR_FUTURE;
        self.syn_due = true;
        if self.follows_reset {
            return Outcome::Stay;
        }
        self.syn_was_lost = true;
        let count = self.transmissions;
        self.tell(cx, TcpEvent::TimerFired { timer: TimerKind::Retransmission, count });
        let waited = self.first_sent.map(|first| cx.now.since(first)).unwrap_or_default();
        if waited >= self.patience() {
            self.move_to(cx, Cause::GaveUp);
            return Outcome::Closed(CloseReason::TimedOut);
        }
        self.doubts_path |= count == R1;
        self.rtt.back_off();
        Outcome::Stay
    }

    /// RFC 9293 §3.8.3 (MUST-20), as [`Connection::take_doubt`].
    pub fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.doubts_path)
    }

    /// R2 of the SYN (MUST-23), unless the application has its own.
    fn patience(&self) -> Duration {
        self.config.user_timeout.unwrap_or(self.config.give_up_syn)
    }

    /// RFC 9293 §3.5.1, figure 9: the peer still holds an old connection, which our RST will end. The first time the
    /// next SYN follows at once.
    pub(super) fn expect_reset_to_clear(&mut self, cx: &Context<'_>) {
        if self.transmissions == 1 && self.config.prompt_syn {
            self.follows_reset = true;
            self.deadline = cx.after(AFTER_RESET);
        }
    }

    /// An ICMP error that quotes our SYN. RFC 5461: a hard one ends the attempt, for `hard`.
    pub fn handle_icmp(&mut self, cx: &mut Context<'_>, meaning: &'static str, hard: Option<CloseReason>) -> Outcome {
        self.tell(cx, TcpEvent::IcmpError { meaning, hard: hard.is_some() });
        let Some(why) = hard.filter(|_| self.config.icmp_ends_opening) else {
            self.soft_error = Some(meaning);
            return Outcome::Stay;
        };
        self.move_to(cx, Cause::GaveUp);
        Outcome::Closed(why)
    }

    pub(super) fn take_syn(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) {
        self.follows_reset = false;
        let options = &segment.header.options;
        self.peer = PeerSyn {
            irs: segment.seq().first_position(),
            mss: options.mss,
            window_scale: options.window_scale.map(|shift| shift.min(MAX_WINDOW_SCALE)),
            sack: options.sack_permitted,
            timestamp: options.timestamps.map(|timestamps| timestamps.value),
            ecn: !self.agrees_on_accurate_ecn(segment) && self.agrees_on_ecn(segment),
            accurate_ecn: self.agrees_on_accurate_ecn(segment),
            ecn_bits: segment.ecn,
            ecn_told: accurate_ecn::number(segment.flags()),
            // RFC 9768 §3.2.3.2.1: on a SYN it means nothing.
            byte_counters: options.byte_counters.filter(|_| segment.flags().ack()),
            cookie: options.fast_open.clone(),
            window: segment.header.window,
        };
        let event = TcpEvent::Synchronise {
            sent: false,
            isn: segment.header.seq,
            mss: options.mss,
            window_scale: options.window_scale,
            sack: options.sack_permitted,
            timestamps: options.timestamps.is_some(),
        };
        self.tell(cx, event);
        if !self.passive {
            self.size_buffers();
        }
    }

    /// The largest segment that we may send, in bytes of data with its options: RFC 9293 §3.7.1 (MUST-15).
    pub(super) fn peer_mss(&self) -> u16 {
        let default = if self.tuple.remote.is_ipv4() { DEFAULT_MSS_V4 } else { DEFAULT_MSS_V6 };
        self.peer.mss.unwrap_or(default).max(SMALLEST_MSS)
    }

    pub(super) fn size_buffers(&mut self) {
        if self.config.buffers_in_segments {
            let mss = usize::from(self.peer_mss().min(self.advertised_mss()));
            let config = Arc::make_mut(&mut self.config);
            let (receive, send) = (&mut config.receive_buffer, &mut config.send_buffer);
            for buffer in [receive, send, &mut config.initial_receive_buffer, &mut config.initial_send_buffer] {
                *buffer = buffer.next_multiple_of(mss);
            }
        }
    }

    /// What lies in the window while the handshake is under way.
    pub(super) fn window(&self) -> u64 {
        // The record of a passive opening is too small to know of a larger buffer, at FreeBSD.
        let beyond = self.config.window_beyond_field && !self.passive;
        if beyond {
            return self.config.first_receive_buffer() as u64;
        }
        // What an ACK tells is rounded up.
        let unit = if self.has_acknowledged { 1 << self.scale() } else { 1 };
        u64::from(self.offered_window()).next_multiple_of(unit)
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
        let mut connection = Box::new(Connection::established(cx, self));
        connection.rcv.ack_due = ack;
        self.send_what_is_left(cx, &mut connection);
        connection
    }

    fn tell_rtt(&self, cx: &mut Context<'_>) {
        let rtt = cx.now.since(self.sent_at);
        let (srtt, rttvar, rto) = (self.rtt.srtt().unwrap_or_default(), self.rtt.rttvar(), self.rtt.rto());
        self.tell(cx, TcpEvent::RttSample { rtt, srtt, rttvar, rto });
    }

    fn offered_window(&self) -> u16 {
        self.config.first_receive_buffer().min(usize::from(u16::MAX)) as u16
    }

    fn scaled_window(&self) -> u16 {
        self.offered_window().div_ceil(1 << self.scale())
    }

    /// The shift of our windows: none before both have offered one.
    fn scale(&self) -> u8 {
        let agreed = self.config.window_scale.filter(|_| self.peer.window_scale.is_some());
        agreed.unwrap_or(0).min(MAX_WINDOW_SCALE)
    }

    pub fn has_something_to_send(&self) -> bool {
        self.syn_due || self.ack_due.is_some() || self.early().is_some_and(Connection::has_something_to_send)
    }

    pub fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Option<Frame> {
        if std::mem::take(&mut self.syn_due) {
            return Some(self.send_syn(cx));
        }
        let Some(why) = self.ack_due.take() else { return self.early_mut()?.poll_transmit(cx) };
        self.has_acknowledged = true;
        let header = Header { options: self.timestamps_only(cx), ..self.header(1, Flags::ACK) };
        Some(emit(cx, &self.tuple, &header, Payload::default(), why))
    }

    fn send_syn(&mut self, cx: &mut Context<'_>) -> Frame {
        let answers = self.state == State::SynReceived;
        let flags = if answers { Flags::SYN | Flags::ACK } else { Flags::SYN } | self.ecn_flags(answers);
        let mut options = Options { fast_open: self.fast_option(), ..self.syn_options(cx, answers) };
        options.byte_counters = self.first_byte_counters(answers, MAX_LEN - options.len());
        let payload = self.fast_payload(cx);
        self.transmissions += 1;
        self.first_sent.get_or_insert(cx.now);
        self.sent_at = cx.now;
        // R2 may come before the next retransmission would (RFC 9293 §3.8.3).
        let over = self.first_sent.map_or(Instant::FAR_FUTURE, |first| first + self.patience());
        self.deadline = cx.after(self.rtt.rto()).min(over);
        let why = match (self.transmissions, answers) {
            (_, false) if std::mem::take(&mut self.follows_reset) => SendReason::SynAfterReset,
            (1, false) => SendReason::Syn,
            (1, true) => SendReason::SynAck,
            (_, _) => SendReason::RetransmitTimeout,
        };
        let offered = TcpEvent::Synchronise {
            sent: true,
            isn: self.secrets.isn,
            mss: options.mss,
            window_scale: options.window_scale,
            sack: options.sack_permitted,
            timestamps: options.timestamps.is_some(),
        };
        let mut header = Header { options, ..self.header(0, flags) };
        if let Some(early) = self.early_mut() {
            header.window = early.rcv.offer_unscaled();
            early.rcv.on_ack_sent();
        }
        self.syn_len = headers(self.tuple.remote.ip()) + header.options.len() + payload.len();
        let frame = emit(cx, &self.tuple, &header, payload, why);
        self.tell(cx, offered);
        self.tell(cx, TcpEvent::TimerSet { timer: TimerKind::Retransmission, at: self.deadline });
        frame
    }

    /// What we offer, or in an answer: what both sides want (RFC 7323 §2.2 and §3.2, RFC 2018 §2). The MSS stands
    /// nowhere else (RFC 9293 §3.7.1, MUST-65).
    fn syn_options(&self, cx: &Context<'_>, answers: bool) -> Options {
        Options {
            mss: Some(self.advertised_mss()),
            window_scale: self.config.window_scale.filter(|_| !answers || self.peer.window_scale.is_some()),
            sack_permitted: self.config.sack && (!answers || self.peer.sack),
            timestamps: (self.config.timestamps && (!answers || self.peer.timestamp.is_some())).then(|| Timestamps {
                value: self.timestamp(cx.now),
                echo: if answers { self.peer.timestamp.unwrap_or(0) } else { 0 },
            }),
            layout: self.config.option_layout,
            ..Options::default()
        }
    }

    /// RFC 9768 §3.2.3.2.1 and §3.2.3.2.2: a SYN,ACK that was lost may have been lost for this.
    fn first_byte_counters(&self, answers: bool, room: usize) -> Option<ByteCounters> {
        let offers = answers && self.passive && self.peer.accurate_ecn && self.config.offers_ecn_option();
        if offers && self.transmissions == 0 { byte_counters::ByteCounters::initial(room) } else { None }
    }

    fn timestamps_only(&self, cx: &Context<'_>) -> Options {
        let Options { timestamps, layout, .. } = self.syn_options(cx, true);
        Options { timestamps, layout, ..Options::default() }
    }

    fn timestamp(&self, now: Instant) -> u32 {
        (now.as_millis() as u32).wrapping_add(self.secrets.timestamp_offset)
    }

    fn header(&self, past_isn: u32, flags: Flags) -> Header {
        Header {
            source_port: self.tuple.local.port(),
            destination_port: self.tuple.remote.port(),
            seq: self.secrets.isn.wrapping_add(past_isn),
            ack: if flags.ack() { Seq::at(self.rcv_nxt()).0 } else { 0 },
            flags,
            // RFC 7323 §2.2 and §2.3: the window of a SYN is never scaled, any other is.
            window: match (flags.rst(), flags.syn()) {
                (true, _) => 0,
                (false, true) => self.offered_window(),
                (false, false) => self.scaled_window(),
            },
            ..Header::default()
        }
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

    /// CLOSE in SYN-RECEIVED (RFC 9293 §3.10.4): the FIN follows once the connection stands. `release`: the application
    /// lets go altogether.
    pub fn close(&mut self, release: bool) {
        self.closing = Some(if release { Closing::Release } else { Closing::Shutdown });
    }

    /// What was called before the connection stood.
    pub fn finish_closing(&self, cx: &mut Context<'_>, connection: &mut Connection) {
        match self.closing {
            None => {}
            Some(Closing::Shutdown) => connection.shutdown(cx),
            Some(Closing::Release) => connection.release(cx),
        }
    }

    /// The application aborts: RFC 9293 §3.10.5. A RST goes out where the peer may know of us.
    pub fn abort(&mut self, cx: &mut Context<'_>) -> Option<Header> {
        let answers = self.state == State::SynReceived;
        self.move_to(cx, Cause::Abort);
        let sent = self.early().map_or(0, Connection::sent) as u32;
        answers.then(|| self.header(1 + sent, Flags::RST | Flags::ACK))
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
