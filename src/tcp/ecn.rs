//! Explicit congestion notification (RFC 3168; RFC 9293 §3.8.2, SHLD-8): a router that is about to be congested marks
//! packets, and drops none.
//!
//! ```text
//!    sender ---- ECT(0) -----> router ---- CE -----> receiver
//!      ^                                                |
//!      +------- ECE, on every acknowledgement ----------+
//!      |                                                ^  no more of them
//!      +------- CWR, on the next new data --------------+
//! ```
//!
//! Both sides must agree in the handshake: ECE and CWR on the SYN ask, ECE alone on the SYN,ACK agrees. By default we
//! agree where we are asked and do not ask, as Linux does (`tcp_ecn=2`), since some middleboxes drop SYNs that ask; when
//! ours is not answered, the next one does not ask (§6.1.1.1).
//!
//! That tells of one mark a round trip. DCTCP wants to hear of each (RFC 8257 §3.2): where our controller is such a one,
//! an acknowledgement has ECE if what it acknowledges was marked. When that changes, what had come before is acknowledged
//! first, in the old way.
//!
//! Only new data is sent as capable of being marked: no acknowledgement, whose marks nobody would hear of, no
//! retransmission and no probe (§6.1.4 to §6.1.6). The window is cut once for each window of data, by what congestion
//! control makes of a mark; the state of recovery is then CWR.

use super::accurate_ecn::answer_to;
use super::connection::{Connection, Trouble};
use super::fold::folded;
use super::info::Marks;
use super::opening::Opening;
use super::recovery::Report;
use super::segment::Segment;
use super::seq::Seq;
use crate::event::{Context, CwndCause, SendReason, TcpEvent};
use crate::frame::{Frame, Payload};
use crate::wire::tcp::{Flags, Header};

/// ECN-capable transport, in the lowest two bits of a traffic class (RFC 3168 §5).
pub(super) const ECT_0: u8 = 2;
/// Congestion experienced.
pub(super) const CE: u8 = 3;

/// What a connection does about explicit congestion notification (RFC 3168); the numbers are Linux's `tcp_ecn`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ecn {
    /// 0: nothing.
    Off,
    /// 2: agree to it where the peer asks.
    #[default]
    Respond,
    /// 1: ask as well.
    Request,
    /// 3: ask for accurate feedback (RFC 9768), and agree to either.
    RequestAccurate,
    /// 5: agree to accurate feedback where the peer asks for it, or to the classic one.
    RespondAccurate,
}

/// A connection whose two sides have agreed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct EcnState {
    /// A mark has come, and no CWR since: every acknowledgement says so.
    echoes: bool,
    /// With each mark told by itself: what came before the marks began, or ended, is to be acknowledged up to here.
    before: Option<u64>,
    /// We have cut the window: the next new data says so.
    cwr_due: bool,
}

folded!(EcnState { echoes, before, cwr_due });

impl Opening {
    /// RFC 3168 §6.1.1: what our SYN, or the answer to the peer's, says. Only the first SYN asks.
    pub(super) fn ecn_flags(&mut self, answers: bool) -> Flags {
        if answers {
            return match (self.peer.accurate_ecn, self.peer.ecn) {
                // RFC 9768 §3.2.3.2.2: two answers were lost, perhaps for what they had in them.
                (true, _) if self.transmissions > 1 => {
                    self.accurate_ecn_doubted = true;
                    Flags::NONE
                }
                (true, _) => answer_to(self.peer.ecn_bits),
                (false, true) => Flags::ECE,
                (false, false) => Flags::NONE,
            };
        }
        let accurate = self.config.ecn == Ecn::RequestAccurate;
        if self.transmissions > 0 || !accurate && self.config.ecn != Ecn::Request {
            return Flags::NONE;
        }
        (self.asked_for_ecn, self.asked_for_accurate_ecn) = (true, accurate);
        Flags::ECE | Flags::CWR | if accurate { Flags::AE } else { Flags::NONE }
    }

    /// RFC 3168 §6.1.1: ECE and CWR ask, ECE alone agrees. A SYN that could itself be marked was made so by somebody
    /// who knows no ECN.
    pub(super) fn agrees_on_ecn(&self, segment: &Segment<'_>) -> bool {
        let (ece, cwr) = (segment.flags().contains(Flags::ECE), segment.flags().contains(Flags::CWR));
        if segment.flags().ack() { self.asked_for_ecn && ece && !cwr } else { self.config.ecn.answers(segment) }
    }
}

impl Ecn {
    /// A SYN asks for it, and we agree.
    pub(super) fn answers(self, syn: &Segment<'_>) -> bool {
        self != Ecn::Off && syn.flags().contains(Flags::ECE) && syn.flags().contains(Flags::CWR) && syn.ecn == 0
    }
}

impl Connection {
    /// §6.1.3: data came. The peer's CWR ends the echo, and a mark begins it, at once.
    /// `nxt` is what RCV.NXT was before.
    pub(super) fn note_mark(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, nxt: u64) {
        if self.congestion.wants_each_mark() {
            return self.note_each_mark(cx, segment, nxt);
        }
        let Some(ecn) = &mut self.ecn else { return };
        // The peer's window may be as small as a segment: it should not have to wait.
        let reduced = segment.flags().contains(Flags::CWR);
        ecn.echoes &= !reduced;
        let marked = segment.ecn == CE;
        if reduced || marked && !ecn.echoes {
            self.rcv.ack_due.get_or_insert(SendReason::CongestionEcho);
        }
        ecn.echoes |= marked;
        if marked {
            self.totals.trouble_mut().received_ce += u64::from(segment.packets);
            self.tell(cx, || TcpEvent::Marked);
        }
    }

    /// RFC 8257 §3.2, figure 1.
    fn note_each_mark(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, nxt: u64) {
        let Some(ecn) = &mut self.ecn else { return };
        let marked = segment.ecn == CE;
        if marked != ecn.echoes {
            ecn.before = (nxt > self.rcv.last_ack_sent).then_some(nxt);
            ecn.echoes = marked;
            self.rcv.ack_due.get_or_insert(SendReason::CongestionEcho);
        }
        if marked {
            self.totals.trouble_mut().received_ce += u64::from(segment.packets);
            self.tell(cx, || TcpEvent::Marked);
        }
    }

    /// Up to where data came under the other mark.
    pub(super) fn acknowledges_before(&self) -> Option<u64> {
        self.ecn.as_ref()?.before
    }

    /// That acknowledgement: of less than has come, and with the other mark.
    pub(super) fn send_acknowledgement_before(&mut self, cx: &mut Context<'_>, frame: &mut Frame, nxt: u64) {
        let why = self.rcv.ack_due;
        if let Some(ecn) = &mut self.ecn {
            (ecn.before, ecn.echoes) = (None, !ecn.echoes);
        }
        let header = Header { ack: Seq::at(nxt).0, ..self.header(cx, Flags::ACK, self.snd.acceptable(), true) };
        self.build(cx, frame, header, Payload::default(), SendReason::CongestionEcho);
        if let Some(ecn) = &mut self.ecn {
            ecn.echoes = !ecn.echoes;
        }
        (self.rcv.ack_due, self.rcv.last_ack_sent) = (why, nxt);
    }

    /// For [`Info`](super::Info).
    pub(super) fn marks(&self) -> Marks {
        let bytes = self.accurate_ecn.as_ref().map(|accurate| accurate.bytes.totals()).unwrap_or_default();
        let Trouble { received_ce, delivered_ce, .. } = self.totals.trouble();
        Marks { received_ce, delivered_ce, received_bytes: bytes.0, delivered_bytes: bytes.1 }
    }

    /// What the header of an outgoing segment says, one without data or one with.
    pub(super) fn echo(&mut self, pure: bool) -> Flags {
        if let Some(accurate) = &mut self.accurate_ecn {
            return accurate.echo(pure);
        }
        if self.ecn.as_ref().is_some_and(|ecn| ecn.echoes) { Flags::ECE } else { Flags::NONE }
    }

    /// New data may be marked.
    pub(super) fn is_ecn_capable(&self) -> bool {
        self.ecn.is_some() || self.accurate_ecn.as_ref().is_some_and(|accurate| accurate.is_capable())
    }

    /// §6.1.2: the first new data after the window was cut says so.
    pub(super) fn take_cwr(&mut self) -> Flags {
        let due = self.ecn.as_mut().is_some_and(|ecn| std::mem::take(&mut ecn.cwr_due));
        if due { Flags::CWR } else { Flags::NONE }
    }

    /// Whoever splits a frame leaves CWR to its first piece alone. So the segment that says it once leaves by itself, and
    /// so do all while it is part of a number that each of them says (RFC 9768 §3.2.1).
    pub(super) fn says_cwr(&self) -> bool {
        self.ecn.as_ref().is_some_and(|ecn| ecn.cwr_due)
            || self.accurate_ecn.as_ref().is_some_and(|accurate| accurate.says().contains(Flags::CWR))
    }

    /// The window was cut, for whatever reason.
    pub(super) fn owe_cwr(&mut self) {
        if let Some(ecn) = &mut self.ecn {
            ecn.cwr_due = true;
        }
    }

    /// The peer says that the network has marked packets.
    pub(super) fn echoes_marks(&self, segment: &Segment<'_>) -> bool {
        self.ecn.is_some() && segment.flags().contains(Flags::ECE)
    }

    /// §6.1.2: the peer says that the network has marked packets. True when that cuts the window, which it does once for
    /// each window of data, and not when a loss has done so already.
    pub(super) fn hear_echo(&mut self, cx: &mut Context<'_>, report: &Report, before: u64) -> bool {
        let state = self.recovery.state();
        if !self.recovery.enter_cwr(self.snd.nxt) {
            return false;
        }
        self.tell_state(cx, state);
        self.change_congestion(cx, CwndCause::Marked, |congestion, now| congestion.on_marked(now, before));
        self.recovery.reduce(self.congestion.ssthresh(), report.delivered);
        self.bring_window_down(cx, report);
        self.owe_cwr();
        true
    }
}
