//! What an opening sends: its SYN or SYN,ACK, and acknowledgements while the handshake is under way.

use super::{Opening, headers};
use crate::event::{Context, SendReason, TcpEvent, TimerKind};
use crate::frame::{Frame, Payload};
use crate::tcp::byte_counters;
use crate::tcp::connection::Connection;
use crate::tcp::segment::emit;
use crate::tcp::seq::Seq;
use crate::tcp::state::State;
use crate::time::Instant;
use crate::wire::tcp::{Flags, Header};
use crate::wire::tcp_options::{ByteCounters, MAX_LEN, Options, Timestamps};

impl Opening {
    pub fn has_something_to_send(&self) -> bool {
        self.syn_due || self.ack_due.is_some() || self.early().is_some_and(Connection::may_have_something_to_send)
    }

    /// Builds the next segment that should leave now, in `frame`, as a connection does.
    pub fn poll_transmit(&mut self, cx: &mut Context<'_>, frame: &mut Frame) -> bool {
        if std::mem::take(&mut self.syn_due) {
            self.send_syn(cx, frame);
            return true;
        }
        let Some(why) = self.ack_due.take() else {
            return self.early_mut().is_some_and(|early| early.poll_transmit(cx, frame));
        };
        self.has_acknowledged = true;
        let header = Header { options: self.timestamps_only(cx), ..self.header(1, Flags::ACK) };
        frame.begin(cx.begin_frame(), Payload::default());
        emit(cx, frame, &self.tuple, &header, why);
        true
    }

    fn send_syn(&mut self, cx: &mut Context<'_>, frame: &mut Frame) {
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
        frame.begin(cx.begin_frame(), payload);
        emit(cx, frame, &self.tuple, &header, why);
        self.tell(cx, offered);
        self.tell(cx, TcpEvent::TimerSet { timer: TimerKind::Retransmission, at: self.deadline });
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

    pub(super) fn header(&self, past_isn: u32, flags: Flags) -> Header {
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
}
