//! Accurate ECN (RFC 9768): how many packets were marked, not only that one was.
//!
//! The three flags AE, CWR and ECE become one number, ACE, in which each side counts the marked packets that it has
//! received, modulo eight. It begins at five, so that a middlebox that clears the flags is noticed. In the handshake they
//! say which mark the SYN, or the SYN,ACK, arrived with:
//!
//! ```text
//!              AE CWR ECE                       ACE
//!   SYN         1  1  1    accurate, please
//!   SYN,ACK     0  1  0    yes; yours had no mark     ACK   2   yours neither     then 5, 6, 7, 0 ..
//! ```
//!
//! A sender that is told of marks reacts as to classic ones, once for each window of data, but says nothing of it; a
//! controller that counts (DCTCP) knows how many there were. Marked data is acknowledged at once when the packet before
//! was not marked, and at least every second time.
//!
//! Bytes are counted as well, by an option (`byte_counters`); where it comes through, a sender goes by that.
//!
//! **What is left out.** A peer whose SYN asks for classic feedback after one that asked for accurate is not reset (§3.1.5), but
//! answered as before. When a SYN queue overflows, cookies agree on classic feedback.

use super::byte_counters::ByteCounters;
use super::connection::Connection;
use super::ecn::{CE, Ecn};
use super::fold::folded;
use super::opening::Opening;
use super::recovery::Report;
use super::segment::Segment;
use crate::event::{Context, EcnTrouble, SendReason, TcpEvent};
use crate::time::Instant;
use crate::wire::tcp::Flags;

/// r.cep and s.cep begin with it (§3.2.1).
const FIRST: u32 = 5;
/// What an IP packet's two bits are in the handshake (tables 2 and 3), by their value there.
const HANDSHAKE: [u8; 4] = [0b010, 0b011, 0b100, 0b110];
/// §3.2.2.5.1: so many marks are not left without an acknowledgement, with data and without.
const MARKS: u32 = 2;
const MARKS_WITHOUT_DATA: u32 = 3;

#[derive(Clone, Copy, Debug)]
pub(super) struct Accurate {
    /// r.cep: marked packets received; s.cep: marked packets of ours, as far as we have been told.
    received: u32,
    sent: u32,
    /// Our first pure acknowledgement says with what mark the SYN,ACK came.
    greeting: Option<u8>,
    /// The peer's first segment says the same of ours: a SYN,ACK, which was heard before, or an acknowledgement.
    greets: Option<Greets>,
    /// Our packets may be marked; what the peer tells of marks is believed.
    capable: bool,
    hears: bool,
    /// The last packet was marked, and how many were since an acknowledgement left.
    last_marked: bool,
    untold: u32,
    pub(super) bytes: ByteCounters,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Greets {
    BySynAck,
    ByAcknowledgement,
}

folded!(Accurate { received, sent, greeting, greets, capable, hears, last_marked, untold, bytes });
folded!(Greets: BySynAck, ByAcknowledgement);

pub(super) fn number(flags: Flags) -> u8 {
    [(Flags::AE, 4), (Flags::CWR, 2), (Flags::ECE, 1)]
        .iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .map(|(_, n)| n)
        .sum()
}

fn flags(number: u8) -> Flags {
    let of = |bit: u8, flag: Flags| if number & bit != 0 { flag } else { Flags::NONE };
    of(4, Flags::AE) | of(2, Flags::CWR) | of(1, Flags::ECE)
}

/// What the SYN,ACK says to a SYN that came with this mark.
pub(super) fn answer_to(syn_ecn: u8) -> Flags {
    flags(HANDSHAKE[usize::from(syn_ecn & 3)])
}

/// §3.1.1, table 2, and §3.1.3: a SYN asks for it by all three flags, or by any that nobody uses yet.
pub(super) fn is_asked_for(syn: &Segment<'_>) -> bool {
    !matches!(number(syn.flags()), 0b000 | 0b011)
}

impl Ecn {
    /// Accurate feedback, where the peer asks for it.
    pub(super) fn is_accurate(self) -> bool {
        match self {
            Ecn::RequestAccurate | Ecn::RespondAccurate => true,
            Ecn::Off | Ecn::Respond | Ecn::Request => false,
        }
    }
}

impl Opening {
    /// Do both sides agree on it, as this SYN or SYN,ACK says?
    pub(super) fn agrees_on_accurate_ecn(&self, segment: &Segment<'_>) -> bool {
        if segment.flags().ack() {
            return self.asked_for_accurate_ecn && HANDSHAKE.contains(&number(segment.flags()));
        }
        self.config.ecn.is_accurate() && is_asked_for(segment)
    }

    /// The peer's SYN came once more. §3.1.5: one that does not ask any more may come from a client that heard nothing
    /// of our answer, so that nothing of ours may be marked.
    pub(super) fn note_syn_again(&mut self, segment: &Segment<'_>) {
        self.peer.ecn_bits = segment.ecn;
        self.accurate_ecn_doubted |= number(segment.flags()) == 0;
    }
}

impl Accurate {
    /// The handshake is over.
    pub(super) fn begin(now: Instant, opening: &Opening) -> Accurate {
        let (bits, active) = (opening.peer.ecn_bits, !opening.passive);
        // §3.2.2.3: our SYN left without ECT; if it did not arrive so, somebody changes what he should not.
        let intact = if active { opening.peer.ecn_told == HANDSHAKE[0] } else { !opening.accurate_ecn_doubted };
        Accurate {
            received: FIRST + u32::from(active && bits == CE),
            sent: FIRST,
            greeting: active.then(|| HANDSHAKE[usize::from(bits & 3)]),
            greets: Some(if active { Greets::BySynAck } else { Greets::ByAcknowledgement }),
            capable: intact,
            hears: true,
            last_marked: false,
            untold: 0,
            bytes: ByteCounters::new(now),
        }
    }

    pub(super) fn is_capable(&self) -> bool {
        self.capable
    }

    /// §3.2.2: what the flags of a segment say.
    pub(super) fn echo(&mut self, pure: bool) -> Flags {
        let greeting = self.greeting.take().filter(|_| pure);
        self.untold = 0;
        flags(greeting.unwrap_or((self.received & 7) as u8))
    }

    /// What the flags of the next segments of data say.
    pub(super) fn says(&self) -> Flags {
        flags((self.received & 7) as u8)
    }

    /// So many packets arrived, all of them marked or none. True when that should be acknowledged at once.
    fn receive(&mut self, packets: u32, marked: bool, data: bool) -> bool {
        let first = marked && !self.last_marked && data;
        self.last_marked = marked;
        if marked {
            self.received = self.received.wrapping_add(packets);
            self.untold += packets;
        }
        marked && (first || self.untold >= if data { MARKS } else { MARKS_WITHOUT_DATA })
    }

    /// §3.2.2.2: how many packets of ours were marked since we were last told, of `acknowledged` new ones; at least
    /// `least` of them, where the bytes are known that were.
    fn hear(&mut self, ace: u8, acknowledged: u32, least: Option<u32>) -> u32 {
        let told = u32::from(ace).wrapping_sub(self.sent) & 7;
        // §3.2.2.5.2, appendix A.2: it may have gone round when so many were acknowledged at once.
        let most = if acknowledged > 7 { acknowledged - (acknowledged.wrapping_sub(told) & 7) } else { told };
        let marked = match least {
            // §3.2.3.2.5: what both counts agree on.
            Some(least) => (told + least.saturating_sub(told).next_multiple_of(8)).min(most),
            None => most,
        };
        self.sent = self.sent.wrapping_add(marked);
        if self.hears { marked } else { 0 }
    }

    /// Table 4.
    fn take_greeting(&mut self, ace: u8) {
        // Our SYN,ACK left without ECT.
        self.capable &= !matches!(ace, 0b000 | 0b011 | 0b100 | 0b110);
        self.hears = ace != 0;
        self.sent = FIRST + u32::from(ace == HANDSHAKE[3]);
    }
}

impl Connection {
    /// §3.2: each acceptable packet counts, those without data too.
    pub(super) fn count_mark(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) {
        let (now, rtt) = (cx.now, self.rtt.srtt());
        let Some(accurate) = self.accurate_ecn.as_deref_mut() else { return };
        let marked = segment.ecn == CE;
        accurate.bytes.receive(now, segment.data.len() as u64, segment.ecn, rtt);
        if accurate.receive(segment.packets, marked, !segment.data.is_empty()) {
            self.rcv.ack_due.get_or_insert(SendReason::CongestionEcho);
        }
        if marked {
            self.totals.trouble_mut().received_ce += u64::from(segment.packets);
            self.tell(cx, || TcpEvent::Marked);
        }
    }

    /// The peer's first segment after the handshake: whether its option comes through; and table 4, which is true when
    /// its flags are no count.
    pub(super) fn hear_greeting(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) -> bool {
        let Some(accurate) = self.accurate_ecn.as_deref_mut() else { return false };
        match accurate.greets.take() {
            None => return false,
            Some(Greets::BySynAck) => return true,
            Some(Greets::ByAcknowledgement) => {}
        }
        let pure = segment.data.is_empty() && segment.header.options.sack.is_empty();
        if pure {
            accurate.take_greeting(number(segment.flags()));
        }
        self.begin_byte_counters(cx, segment.header.options.byte_counters);
        pure
    }

    /// How many bytes of ours were marked, as the peer says with this acknowledgement; none when it does not say.
    pub(super) fn marks_told(
        &mut self,
        cx: &mut Context<'_>,
        segment: &Segment<'_>,
        report: &Report,
        mss: u64,
    ) -> Option<u64> {
        let told = self.hear_byte_counters(segment.header.options.byte_counters);
        let Some(accurate) = self.accurate_ecn.as_deref_mut() else {
            let told = self.echoes_marks(segment).then_some(report.delivered);
            if let Some(bytes) = told {
                self.totals.trouble_mut().delivered_ce += bytes.div_ceil(mss);
            }
            return told;
        };
        let acknowledged = u32::try_from(report.delivered.div_ceil(mss)).unwrap_or(u32::MAX);
        let least = told.map(|bytes| u32::try_from(bytes.div_ceil(mss)).unwrap_or(u32::MAX));
        let packets = accurate.hear(number(segment.flags()), acknowledged, least);
        let about = (u64::from(packets) * mss).min(report.delivered);
        let bytes = accurate.bytes.reconcile(told, about).min(report.delivered);
        // §3.2.3.2.5: too few were acknowledged for the count to have gone round.
        let contradicts = told.is_some_and(|bytes| bytes > 0) && packets == 0 && acknowledged < 8 && accurate.hears;
        if contradicts && std::mem::take(&mut accurate.capable) {
            self.tell_ecn_trouble(cx, Some(EcnTrouble::Contradiction));
        }
        if packets == 0 && bytes == 0 {
            return None;
        }
        self.totals.trouble_mut().delivered_ce += u64::from(packets);
        self.tell(cx, || TcpEvent::MarksTold { packets, bytes, exact: told.is_some() });
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accurate() -> Accurate {
        Accurate {
            received: FIRST,
            sent: FIRST,
            greeting: None,
            greets: None,
            capable: true,
            hears: true,
            last_marked: false,
            untold: 0,
            bytes: ByteCounters::new(Instant::ZERO),
        }
    }

    #[test]
    fn numbers_and_flags_are_each_other() {
        assert!((0..8).all(|n| number(flags(n)) == n));
        assert_eq!(flags(6), Flags::AE | Flags::CWR);
    }

    #[test]
    fn a_count_that_went_round_is_taken_for_as_many_as_may_be() {
        for (ace, acknowledged, expected) in
            [(5, 3, 0), (6, 1, 1), (4, 10, 7), (5, 8, 8), (5, 17, 16), (7, 10, 10), (7, 9, 2)]
        {
            let mut sender = accurate();
            assert_eq!(sender.hear(ace, acknowledged, None), expected, "{ace} {acknowledged}");
            assert_eq!(sender.sent & 7, u32::from(ace));
        }
    }

    // RFC 9768 §3.2.3.2.5
    #[test]
    fn bytes_tell_how_often_the_count_went_round() {
        for (ace, acknowledged, least, expected) in [
            (5, 8, 0, 0),
            (5, 8, 1, 8),
            (6, 40, 0, 1),
            (6, 40, 1, 1),
            (6, 40, 2, 9),
            (6, 40, 9, 9),
            (6, 40, 10, 17),
            (6, 40, 40, 33),
            (6, 1, 3, 1),
        ] {
            let mut sender = accurate();
            assert_eq!(sender.hear(ace, acknowledged, Some(least)), expected, "{ace} {acknowledged} {least}");
            assert_eq!(sender.sent & 7, u32::from(ace));
        }
    }

    #[test]
    fn the_greeting_is_table_4() {
        for (ace, marks, capable, hears) in [
            (0, 0, false, false),
            (1, 0, true, true),
            (2, 0, true, true),
            (3, 0, false, true),
            (4, 0, false, true),
            (5, 0, true, true),
            (6, 1, false, true),
            (7, 0, true, true),
        ] {
            let mut server = accurate();
            server.take_greeting(ace);
            assert_eq!(server.sent - FIRST, marks, "{ace}");
            assert_eq!((server.capable, server.hears), (capable, hears), "{ace}");
        }
    }

    #[test]
    fn marks_are_acknowledged_at_once_when_they_begin_and_every_second_one() {
        let mut receiver = accurate();
        let told: Vec<_> = [(false, true), (true, true), (true, true), (true, true), (false, true), (true, true)]
            .into_iter()
            .map(|(marked, data)| {
                let now = receiver.receive(1, marked, data);
                if now {
                    receiver.echo(true);
                }
                now
            })
            .collect();
        assert_eq!(told, [false, true, false, true, false, true]);
        assert_eq!(receiver.received, FIRST + 4);
        let pure: Vec<_> = (0..4).map(|_| receiver.receive(1, true, false)).collect();
        assert_eq!(pure, [false, false, true, true], "without data every third");
    }

    #[test]
    fn each_packet_of_a_train_counts() {
        let mut receiver = accurate();
        assert!(receiver.receive(9, true, true));
        assert_eq!((receiver.received, receiver.says()), (FIRST + 9, Flags::AE | Flags::CWR));
    }
}
