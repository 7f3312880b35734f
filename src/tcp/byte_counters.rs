//! The AccECN option (RFC 9768 §3.2.3): beside the three flags that count packets, 24 bits for the bytes that came under
//! each mark.
//!
//! The flags go round after eight marked packets, so that where acknowledgements are lost or thinned out nobody knows
//! how many there were; and they count packets. With the option a sender knows how much of its data was marked.
//!
//! ```text
//!   SYN        none (§3.2.3.2.1)
//!   SYN,ACK    all three counters, where we agree to accurate feedback; none when it must be sent again
//!   after      on every segment, or where something has changed; never where the peer's SYN,ACK or first ACK had none
//! ```
//!
//! Three things can be wrong with a path, and each is remembered (§3.2.3.2): options that do not come through, options
//! that were set to zero on the way, and segments that are lost because they have one.

use super::config::Config;
use super::connection::Connection;
use super::ecn::CE;
use super::fold::folded;
use crate::event::{Context, EcnTrouble, TcpEvent};
use crate::time::Instant;
use crate::wire::tcp_options::{self, MAX_LEN, Order};
use std::time::Duration;

/// Of ECT(0), CE and ECT(1), at the beginning (§3.2.1): a counter that is zero although it cannot be was set to zero on
/// the way.
const FIRST: [u64; 3] = [1, 0, 1];
const ECT_0: usize = 0;
const MARKED: usize = 1;
const ECT_1: usize = 2;
/// The option takes so many bytes, with its padding, by how many fields it has.
const LEN: [usize; 4] = [4, 8, 8, 12];
/// §3.2.3.3: so many SACK blocks go before it.
const BLOCKS: usize = 2;
/// §3.2.3.3: a counter is told at the latest when it has grown by so much.
const GROWTH: u64 = 1 << 22;
/// As Linux (`tcp_ecn_option_beacon`): at least so often in a round trip, when it is told only on occasion.
const BEACONS: u32 = 3;
/// So many segments in a row that came although we had acknowledged them: our acknowledgements do not arrive.
const REPEATS: u8 = 2;

/// When the AccECN option is sent, where accurate feedback was agreed on; the numbers are Linux's `tcp_ecn_option`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EcnOption {
    /// 0: never; the peer's is heard all the same.
    Never,
    /// 1: when a counter changes that did not change before, when data was marked, and three times a round trip.
    OnChange,
    /// 2: on every segment.
    #[default]
    Always,
    /// 3: also where it seems to be in the way.
    Persistently,
}

/// What is known of the peer's options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Theirs {
    /// Nothing has come that could have had one.
    Unknown,
    /// §3.2.3.2.3: the first segment had none.
    Absent,
    Seen,
    /// §3.2.3.2.4: they are set to zero on the way.
    Zeroed,
}

/// Of one connection with accurate feedback.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteCounters {
    /// r.e0b, r.ceb, r.e1b: what has come; and as it was last told.
    received: [u64; 3],
    told: [u64; 3],
    /// s.e0b, s.ceb, s.e1b: what has arrived of ours, as far as we have been told.
    sent: [u64; 3],
    theirs: Theirs,
    /// §3.2.3.2.2: segments with the option get lost.
    blocked: bool,
    /// In how many segments yet it is wanted, if it is not in all of them, and when it last left.
    wanted: u8,
    told_at: Instant,
    /// Which counter grew last.
    last: Option<usize>,
    /// Our first data has it.
    first_data: bool,
    /// Segments in a row that we had acknowledged before.
    repeats: u8,
    /// Bytes that were taken for marked by the count of packets alone, and that the next option will tell of again.
    guessed: u64,
}

folded!(Theirs: Unknown, Absent, Seen, Zeroed);
folded!(ByteCounters { received, told, sent, theirs, blocked, wanted, told_at, last, first_data, repeats, guessed });

impl ByteCounters {
    pub(super) fn new(now: Instant) -> ByteCounters {
        ByteCounters {
            received: FIRST,
            told: FIRST,
            sent: FIRST,
            theirs: Theirs::Unknown,
            blocked: false,
            wanted: 2,
            told_at: now,
            last: None,
            first_data: false,
            repeats: 0,
            guessed: 0,
        }
    }

    /// The option of a SYN,ACK that has `room` bytes for it (§3.2.3.2.1): what there is no room for may be left out.
    pub(super) fn initial(room: usize) -> Option<tcp_options::ByteCounters> {
        let fields = (0..=3).rev().find(|fields| LEN[*fields] <= room)?;
        Some(tcp_options::ByteCounters::new(Order::Ect1First, FIRST, fields))
    }

    /// §3.2.1: data came, which the two bits of its packet count.
    pub(super) fn receive(&mut self, now: Instant, bytes: u64, ecn: u8, rtt: Option<Duration>) {
        // §3.2.3.3: so that it need not be told which of two counters has grown.
        let beacon = rtt.is_some_and(|rtt| now.since(self.told_at) * BEACONS >= rtt);
        self.wanted = self.wanted.max(u8::from(beacon && self.received != self.told));
        let counter = match ecn {
            1 => ECT_1,
            2 => ECT_0,
            CE => MARKED,
            _ => return,
        };
        if bytes == 0 {
            return;
        }
        self.received[counter] += bytes;
        if self.last.replace(counter) != Some(counter) {
            self.wanted = 2;
        }
        let overdue = self.received[counter] - self.told[counter] >= GROWTH;
        self.wanted = self.wanted.max(u8::from(counter == MARKED || overdue));
    }

    /// Does the next segment have it?
    fn is_wanted(&self, when: EcnOption) -> bool {
        let heard = matches!(self.theirs, Theirs::Seen | Theirs::Zeroed) && !self.blocked;
        match when {
            EcnOption::Never => false,
            EcnOption::OnChange => heard && self.wanted > 0,
            EcnOption::Always => heard,
            EcnOption::Persistently => true,
        }
    }

    /// The option, and how many of `blocks` SACK blocks there is room for beside it in `room` bytes. §3.2.3.3: what has
    /// changed is not left out; two blocks go before it, and further ones give way to what has changed.
    fn fit(&self, room: usize, blocks: usize) -> (Option<tcp_options::ByteCounters>, usize) {
        let changed = [ECT_0, MARKED, ECT_1].map(|counter| self.received[counter] != self.told[counter]);
        let least = if changed.contains(&true) { blocks.min(BLOCKS) } else { blocks };
        for kept in (least..=blocks).rev() {
            let left = room.saturating_sub(sack_len(kept));
            let fields = match left {
                left if left >= LEN[3] => Some((Order::Ect1First, 3)),
                left if left >= LEN[2]
                    && !changed[ECT_0]
                    && (changed[ECT_1] || self.received[ECT_1] != FIRST[ECT_1]) =>
                {
                    Some((Order::Ect1First, 2))
                }
                left if left >= LEN[2] && !changed[ECT_1] => Some((Order::Ect0First, 2)),
                _ => None,
            };
            if let Some((order, fields)) = fields {
                return (Some(tcp_options::ByteCounters::new(order, self.received, fields)), kept);
            }
        }
        (None, blocks)
    }

    /// What has come and what of ours has arrived, since the beginning.
    pub(super) fn totals(&self) -> ([u64; 3], [u64; 3]) {
        let since = |counters: [u64; 3]| [ECT_0, MARKED, ECT_1].map(|at| counters[at] - FIRST[at]);
        (since(self.received), since(self.sent))
    }

    /// A segment left with it.
    fn on_told(&mut self, now: Instant) {
        (self.told, self.told_at) = (self.received, now);
        self.wanted = self.wanted.saturating_sub(1);
    }

    /// The first segment that acknowledges ours has come, with this option or without.
    fn begin(&mut self, option: Option<tcp_options::ByteCounters>) -> Option<EcnTrouble> {
        let Some(option) = option else {
            self.theirs = Theirs::Absent;
            return Some(EcnTrouble::OptionAbsent);
        };
        let [ect0, _, ect1] = option.counters();
        let zeroed = ect0 == Some(0) || ect1 == Some(0);
        self.theirs = if zeroed { Theirs::Zeroed } else { Theirs::Seen };
        zeroed.then_some(EcnTrouble::OptionZeroed)
    }

    /// §3.2.3.1: what an acknowledgement says that was not overtaken; how many bytes more were marked, if it says so.
    fn hear(&mut self, option: Option<tcp_options::ByteCounters>) -> Option<u64> {
        let option = option?;
        match self.theirs {
            Theirs::Zeroed => return None,
            // §3.2.3.2.3: it comes through after all.
            Theirs::Unknown | Theirs::Absent => self.theirs = Theirs::Seen,
            Theirs::Seen => {}
        }
        let before = self.sent[MARKED];
        for (counter, field) in self.sent.iter_mut().zip(option.counters()) {
            *counter += field.map_or(0, |field| tcp_options::ByteCounters::increment(*counter, field));
        }
        option.counters()[MARKED].map(|_| self.sent[MARKED] - before)
    }

    /// How many bytes are new to us that an acknowledgement tells of: `exactly` by its option, or else about `guess`.
    pub(super) fn reconcile(&mut self, exactly: Option<u64>, guess: u64) -> u64 {
        match exactly {
            Some(bytes) => bytes.saturating_sub(std::mem::take(&mut self.guessed)),
            None => {
                self.guessed += guess;
                guess
            }
        }
    }
}

/// What SACK blocks take with their padding.
fn sack_len(blocks: usize) -> usize {
    if blocks > 0 { 4 + 8 * blocks } else { 0 }
}

impl Connection {
    fn byte_counters(&self) -> Option<&ByteCounters> {
        self.accurate_ecn.as_deref().map(|accurate| &accurate.bytes)
    }

    /// The AccECN option of the next segment, and the SACK blocks that there is room for.
    pub(super) fn fit_options(&self) -> (Option<tcp_options::ByteCounters>, usize) {
        let limit = self.sack_limit();
        let wanted = self.byte_counters().filter(|counters| counters.is_wanted(self.config.ecn_option));
        let Some(counters) = wanted else { return (None, limit) };
        let room = MAX_LEN - if self.timestamps.is_some() { 12 } else { 0 };
        counters.fit(room, self.rcv.sack_block_count(limit))
    }

    /// A segment leaves with the option.
    pub(super) fn note_option_told(&mut self, now: Instant, data: bool) {
        if let Some(accurate) = &mut self.accurate_ecn {
            accurate.bytes.on_told(now);
            accurate.bytes.first_data |= data && self.snd.una == self.snd.first;
        }
    }

    /// The first segment of the peer's that acknowledges ours: §3.2.3.2.3 and §3.2.3.2.4.
    pub(super) fn begin_byte_counters(&mut self, cx: &mut Context<'_>, option: Option<tcp_options::ByteCounters>) {
        let Some(accurate) = &mut self.accurate_ecn else { return };
        let trouble = accurate.bytes.begin(option);
        self.tell_ecn_trouble(cx, trouble);
    }

    /// How many bytes more of ours were marked, as the option says; none where it does not.
    pub(super) fn hear_byte_counters(&mut self, option: Option<tcp_options::ByteCounters>) -> Option<u64> {
        self.accurate_ecn.as_mut()?.bytes.hear(option)
    }

    /// Our first data was lost, with its option: it goes again without (§3.2.3.2.2).
    pub(super) fn doubt_option_on_data(&mut self, cx: &mut Context<'_>, start: u64) {
        if start == self.snd.first && self.byte_counters().is_some_and(|counters| counters.first_data) {
            self.block_option(cx);
        }
    }

    /// Data came that had been acknowledged, or that had not. §3.2.3.2.2: what always comes again is a sign that
    /// acknowledgements with the option are lost.
    pub(super) fn doubt_option_on_acknowledgements(&mut self, cx: &mut Context<'_>, repeated: bool) {
        let wanted = self.byte_counters().is_some_and(|counters| counters.is_wanted(self.config.ecn_option));
        let Some(accurate) = self.accurate_ecn.as_mut().filter(|_| wanted) else { return };
        let repeats = &mut accurate.bytes.repeats;
        *repeats = if repeated { repeats.saturating_add(1) } else { 0 };
        if *repeats >= REPEATS {
            self.block_option(cx);
        }
    }

    fn block_option(&mut self, cx: &mut Context<'_>) {
        let Some(accurate) = self.accurate_ecn.as_mut().filter(|accurate| !accurate.bytes.blocked) else { return };
        accurate.bytes.blocked = true;
        self.tell_ecn_trouble(cx, Some(EcnTrouble::OptionBlocked));
    }

    pub(super) fn tell_ecn_trouble(&self, cx: &mut Context<'_>, trouble: Option<EcnTrouble>) {
        if let Some(what) = trouble {
            self.tell(cx, || TcpEvent::EcnTrouble { what });
        }
    }
}

impl Config {
    /// Is there to be an option on a SYN,ACK that agrees to accurate feedback?
    pub(super) fn offers_ecn_option(&self) -> bool {
        self.ecn_option != EcnOption::Never
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counters of ECT(0), CE and ECT(1) as they are and as they were told; room and blocks; what becomes of it.
    #[test]
    fn two_blocks_go_before_counters_and_changed_counters_before_a_third_block() {
        type Row = ([u64; 3], [u64; 3], usize, usize, Option<(Order, usize)>, usize);
        let table: [Row; 10] = [
            ([1, 0, 1], [1, 0, 1], 40, 0, Some((Order::Ect1First, 3)), 0),
            ([9, 0, 1], [1, 0, 1], 40, 3, Some((Order::Ect1First, 3)), 3),
            ([9, 0, 1], [1, 0, 1], 40, 4, Some((Order::Ect1First, 3)), 3),
            ([9, 0, 1], [9, 0, 1], 40, 4, None, 4),
            ([9, 0, 1], [1, 0, 1], 28, 2, Some((Order::Ect0First, 2)), 2),
            ([1, 0, 9], [1, 0, 1], 28, 3, Some((Order::Ect1First, 2)), 2),
            ([9, 0, 9], [1, 0, 1], 28, 2, None, 2),
            ([9, 5, 9], [9, 0, 9], 28, 2, Some((Order::Ect1First, 2)), 2),
            ([9, 5, 9], [9, 0, 9], 28, 1, Some((Order::Ect1First, 3)), 1),
            ([9, 5, 1], [9, 0, 1], 16, 1, None, 1),
        ];
        for (received, told, room, blocks, option, kept) in table {
            let counters = ByteCounters { received, told, ..ByteCounters::new(Instant::ZERO) };
            let expected = option.map(|(order, len)| tcp_options::ByteCounters::new(order, received, len));
            assert_eq!(counters.fit(room, blocks), (expected, kept), "{received:?} {told:?} {room} {blocks}");
        }
    }

    #[test]
    fn a_syn_ack_has_as_many_counters_as_there_is_room_for() {
        for (room, fields) in [(0, None), (3, None), (4, Some(0)), (8, Some(2)), (11, Some(2)), (12, Some(3))] {
            let len = ByteCounters::initial(room).map(|option| option.counters().iter().flatten().count());
            assert_eq!(len, fields, "{room}");
        }
    }

    #[test]
    fn what_was_guessed_is_not_told_twice() {
        let mut counters = ByteCounters::new(Instant::ZERO);
        assert_eq!(counters.reconcile(None, 1000), 1000);
        assert_eq!(counters.reconcile(Some(2500), 9000), 1500);
        assert_eq!(counters.reconcile(Some(10), 0), 10);
    }
}
