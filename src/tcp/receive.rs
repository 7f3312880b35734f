//! The receiving half: RCV.NXT, the window that is offered, and when to acknowledge.

use super::fold::folded;
use super::reassembly::{Inserted, ReceiveBuffer};
use super::sack::Reports;
use super::seq::Seq;
use crate::event::SendReason;
use crate::pool::Pool;
use crate::wire::tcp_options::MAX_BLOCKS;
use arrayvec::ArrayVec;
use std::ops::Range;

/// So many acknowledgements of the same tell of a loss (RFC 5681 §3.2).
const DUPLICATE_THRESHOLD: u32 = 3;

/// The receive sequence space (RFC 9293 §3.3.1, figure 4), as positions.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub buffer: ReceiveBuffer,
    /// RCV.NXT: the end of the data in order, plus the FIN once it has been reached.
    pub nxt: u64,
    /// The right edge of the window as advertised: RCV.NXT + RCV.WND. It never moves left (SHLD-14).
    edge: u64,
    /// So far only a SYN has told of the window, in a field that is not scaled: no sign that the window is small.
    unscaled: bool,
    /// What 16 bits cannot say of the window counts all the same.
    beyond_field: bool,
    /// Shift of the windows that we advertise (RFC 7323 §2).
    pub scale: u8,
    capacity: usize,
    /// The largest segment that the peer may send us, in bytes of data.
    mss: usize,
    /// The first byte of the stream.
    first: u64,
    /// Where the peer's FIN lies that has not been reached yet, once a segment has told.
    fin: Option<u64>,
    /// The peer's FIN has been reached: nothing more will come.
    pub finished: bool,
    /// Where the peer's urgent data ends.
    pub urgent: Option<u64>,
    /// The acknowledgement number last sent.
    pub last_ack_sent: u64,
    /// Bytes that came since an acknowledgement was last sent.
    unacknowledged: u64,
    /// An acknowledgement must go with the next transmission, and why.
    pub ack_due: Option<SendReason>,
    /// While there is anything to report.
    pub reports: Option<Box<Reports>>,
}

folded!(Receiver {
    first, buffer, nxt, edge, unscaled, beyond_field, scale, capacity, mss, fin, finished, urgent, last_ack_sent,
    unacknowledged;
    ack_due, reports
});

/// What accepted data asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acknowledge {
    /// It may wait for company.
    Soon,
    Now(SendReason),
}

impl Receiver {
    /// `nxt` is the position of the first byte that is expected, `mss` the data of a full segment.
    pub fn new(nxt: u64, scale: u8, capacity: usize, mss: usize) -> Receiver {
        Receiver {
            buffer: ReceiveBuffer::new(nxt),
            nxt,
            edge: nxt,
            unscaled: false,
            beyond_field: false,
            scale,
            capacity,
            mss,
            first: nxt,
            fin: None,
            finished: false,
            urgent: None,
            last_ack_sent: nxt,
            unacknowledged: 0,
            ack_due: None,
            reports: None,
        }
    }

    /// Everything that came is read and acknowledged, and nothing lies past a hole.
    pub fn is_at_rest(&self) -> bool {
        self.ack_due.is_none() && !self.has_reports() && self.buffer.is_at_rest()
    }

    /// How many bytes have come in order.
    pub fn received(&self) -> u64 {
        self.buffer.next() - self.first
    }

    /// How many bytes may wait for the application.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// More may wait from now on; the next acknowledgement tells.
    pub fn widen(&mut self, capacity: usize) {
        self.capacity = self.capacity.max(capacity);
    }

    /// RCV.WND, in bytes.
    pub fn wnd(&self) -> u64 {
        self.edge - self.nxt
    }

    pub fn edge(&self) -> u64 {
        self.edge
    }

    /// The window of our SYN was advertised without scaling; an ACK during the handshake may have rounded it up.
    pub fn offered_unscaled(&mut self, beyond_field: bool) {
        self.beyond_field = beyond_field;
        let limit = if beyond_field { self.capacity } else { usize::from(u16::MAX) };
        let window = self.capacity.min(limit) as u64;
        self.edge = self.nxt + window.next_multiple_of(1 << self.scale);
        self.unscaled = true;
    }

    /// The window of a SYN,ACK that acknowledges data already: its field is never scaled.
    pub fn offer_unscaled(&mut self) -> u16 {
        let free = (self.buffer.read_position() + self.capacity as u64).saturating_sub(self.nxt);
        let field = free.min(u64::from(u16::MAX));
        self.edge = self.edge.max(self.nxt + field);
        field as u16
    }

    /// What the window field says, the right edge moved as far as it may.
    ///
    /// RFC 9293 §3.8.6.2.2 (MUST-39): it moves only by a useful amount, min(half the buffer, a full segment).
    pub fn offer(&mut self) -> u16 {
        let wish = self.buffer.read_position() + self.capacity as u64;
        let useful = (self.capacity / 2).min(self.mss) as u64;
        let edge = if wish >= self.edge + useful { wish } else { self.edge };
        let wnd = edge.saturating_sub(self.nxt);
        let unit = 1u64 << self.scale;
        // Rounded up, so that scaling never takes back what was offered.
        let field = ((wnd + unit - 1) >> self.scale).min(u64::from(u16::MAX));
        let told = self.nxt + field * unit;
        let whole = wish + u64::from(self.finished);
        self.edge = self.edge.max(if self.beyond_field { told.max(whole) } else { told });
        self.unscaled = false;
        field as u16
    }

    /// The application has read: is the window so much wider now that the peer should know at once?
    pub fn update_is_worthwhile(&self) -> bool {
        let limit = (u64::from(u16::MAX) << self.scale).min(self.capacity as u64);
        let wish = (self.buffer.read_position() + limit).saturating_sub(self.nxt);
        let useful = (self.capacity / 2).min(self.mss) as u64;
        let hardly_used = self.unscaled && 2 * self.wnd() >= u64::from(u16::MAX);
        !self.finished && !hardly_used && wish >= self.wnd() + useful && wish >= 2 * self.wnd()
    }

    /// Takes in data at `position`, cut to the window.
    pub fn accept(&mut self, position: u64, data: &[u8], pool: &mut Pool) -> (Inserted, Acknowledge) {
        let data = &data[..data.len().min(self.edge.saturating_sub(position) as usize)];
        self.note_duplicate(position, position + data.len() as u64);
        let inserted = self.buffer.insert(position, data, pool);
        if self.buffer.next() > self.nxt {
            self.nxt = self.buffer.next();
            self.forget_reports();
        }
        let acknowledge = match inserted {
            // RFC 5681 §4.2: what fills a hole, wholly or in part, is acknowledged at once.
            Inserted::InOrder { filled: true, .. } => Acknowledge::Now(SendReason::OutOfOrderAck),
            Inserted::InOrder { bytes, filled: false } => {
                self.unacknowledged += bytes;
                // RFC 9293 §3.8.6.3 (SHLD-19): at least every second full segment.
                if self.unacknowledged >= 2 * self.mss as u64 {
                    Acknowledge::Now(SendReason::SecondSegment)
                } else {
                    Acknowledge::Soon
                }
            }
            // RFC 9293 §3.10.7.4 (MAY-13), RFC 5681 §4.2
            Inserted::OutOfOrder => {
                self.remember(position);
                Acknowledge::Now(SendReason::OutOfOrderAck)
            }
            Inserted::Nothing => {
                if position > self.nxt {
                    self.remember(position);
                }
                Acknowledge::Now(SendReason::DuplicateAck)
            }
        };
        // The peer contradicts itself: there is data where it had put its FIN.
        self.fin.take_if(|fin| *fin < self.nxt);
        (inserted, acknowledge)
    }

    /// A peer without SACK has sent `len` bytes past a hole, by the device's word in so many packets. One acknowledgement
    /// for each moves the peer's window on (RFC 5681 §3.2); but a device may say anything, and full segments are what it
    /// counts in. However small they are, as many as tell of a loss are due.
    pub fn owe_repeats(&mut self, len: usize, packets: u32) {
        let full = u32::try_from(len.div_ceil(self.mss)).unwrap_or(u32::MAX);
        self.reports.get_or_insert_default().owe_repeats(packets.min(full.max(DUPLICATE_THRESHOLD)));
    }

    /// A segment from `start` on brings the peer's FIN at `end`. If both are in order, what had come beyond is no data.
    pub fn cut_at_fin(&mut self, start: u64, end: u64, pool: &mut Pool) {
        if start <= self.nxt && self.nxt <= end && end <= self.edge {
            self.buffer.forget_from(end, pool);
        }
    }

    /// A segment holds the peer's FIN at `fin`. Of several the one that is reached first counts.
    pub fn hold_fin(&mut self, fin: u64) {
        if self.finished || fin > self.edge {
            return;
        }
        if fin > self.nxt {
            self.ack_due = Some(SendReason::OutOfOrderAck);
            if self.fin == Some(fin) {
                self.reports.get_or_insert_default().note_duplicate_fin(fin);
            }
            self.remember(fin);
        }
        self.fin = Some(self.fin.map_or(fin, |known| known.min(fin)));
    }

    /// Goes past the FIN if everything before it is there. It takes a number of its own, which may lie just past the
    /// window. What came beyond it is no data.
    pub fn pass_fin(&mut self, pool: &mut Pool) -> bool {
        if self.fin != Some(self.nxt) {
            return false;
        }
        self.nxt += 1;
        self.edge = self.edge.max(self.nxt);
        (self.fin, self.finished) = (None, true);
        self.buffer.forget_from(self.nxt, pool);
        self.forget_reports();
        true
    }

    /// RCV.NXT has moved.
    fn forget_reports(&mut self) {
        let nxt = self.nxt;
        self.reports.take_if(|reports| {
            reports.advance(nxt);
            reports.is_empty()
        });
    }

    /// RFC 2883 §4: `start..end` has come; the first part of it that had come before is reported.
    pub fn note_duplicate(&mut self, start: u64, end: u64) {
        let start = start.max(self.first);
        if start >= self.nxt && !self.has_blocks() || start >= end {
            return;
        }
        let held = blocks(&self.buffer, self.nxt, self.fin).find(|block| block.start < end && start < block.end);
        let duplicate = match held {
            _ if start < self.nxt => start..end.min(self.nxt),
            Some(block) => start.max(block.start)..end.min(block.end),
            None => return,
        };
        self.reports.get_or_insert_default().note_duplicate(duplicate);
    }

    fn remember(&mut self, position: u64) {
        let reports = self.reports.get_or_insert_default();
        reports.note_arrival(position, blocks(&self.buffer, self.nxt, self.fin));
    }

    /// An acknowledgement leaves with RCV.NXT.
    pub fn on_ack_sent(&mut self) {
        self.last_ack_sent = self.nxt;
        self.unacknowledged = 0;
        let more = self.reports.as_mut().is_some_and(|reports| reports.after_acknowledgement());
        self.ack_due = more.then_some(SendReason::OutOfOrderAck);
        self.reports.take_if(|reports| !more && reports.is_empty());
    }

    fn has_reports(&self) -> bool {
        self.reports.as_ref().is_some_and(|reports| !reports.is_empty())
    }

    /// There is something to report.
    pub fn has_blocks(&self) -> bool {
        self.has_reports() || self.fin.is_some() || !self.buffer.ranges().is_empty()
    }

    /// The blocks of the next acknowledgement, `limit` at most.
    pub fn sack_blocks(&mut self, limit: usize) -> ArrayVec<(u32, u32), MAX_BLOCKS> {
        if !self.has_blocks() {
            return ArrayVec::new();
        }
        let taken = self.reports.get_or_insert_default().take(limit, blocks(&self.buffer, self.nxt, self.fin));
        taken.iter().map(|block| (Seq::at(block.start).0, Seq::at(block.end).0)).collect()
    }

    /// How many [`sack_blocks`](Receiver::sack_blocks) gives.
    pub fn sack_block_count(&self, limit: usize) -> usize {
        if !self.has_blocks() {
            return 0;
        }
        let nothing = Reports::default();
        let reports = self.reports.as_deref().unwrap_or(&nothing);
        reports.count(limit, blocks(&self.buffer, self.nxt, self.fin))
    }
}

/// What has come past the first hole, the number of a FIN included.
fn blocks(buffer: &ReceiveBuffer, nxt: u64, fin: Option<u64>) -> impl Iterator<Item = Range<u64>> + Clone {
    let (ranges, fin) = (buffer.ranges(), fin.filter(|fin| *fin > nxt));
    let alone =
        fin.filter(|fin| ranges.iter().all(|range| *fin < range.start || range.end < *fin)).map(|fin| fin..fin + 1);
    ranges.iter().map(move |range| range.start..range.end + u64::from(fin == Some(range.end))).chain(alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1 << 32;

    fn receiver(scale: u8, capacity: usize) -> Receiver {
        let mut receiver = Receiver::new(START, scale, capacity, 1000);
        receiver.offer();
        receiver
    }

    // SHLD-14
    #[test]
    fn the_right_edge_never_moves_left() {
        for scale in [0, 3, 7, 14] {
            let mut receiver = receiver(scale, 60_000);
            let mut edge = receiver.edge();
            for n in 0..50 {
                receiver.accept(receiver.nxt, &[1; 777], &mut Pool::default());
                if n % 7 == 0 {
                    receiver.buffer.consume(receiver.buffer.readable() / 2, &mut Pool::default());
                }
                let field = receiver.offer();
                let advertised = receiver.nxt + (u64::from(field) << scale);
                assert!(advertised >= edge, "scale {scale}: {advertised} < {edge}");
                edge = advertised;
            }
        }
    }

    // MUST-39
    #[test]
    fn the_window_opens_only_by_a_useful_amount() {
        let mut receiver = receiver(0, 10_000);
        receiver.accept(START, &[0; 10_000], &mut Pool::default());
        assert_eq!(receiver.offer(), 0);
        receiver.buffer.consume(999, &mut Pool::default());
        assert!(!receiver.update_is_worthwhile());
        assert_eq!(receiver.offer(), 0, "less than a segment is silly");
        receiver.buffer.consume(1, &mut Pool::default());
        assert!(receiver.update_is_worthwhile());
        assert_eq!(receiver.offer(), 1000);
    }

    #[test]
    fn every_second_full_segment_and_every_hole_is_acknowledged_at_once() {
        let mut receiver = receiver(0, 60_000);
        let steps = [
            (0, 1000, Acknowledge::Soon),
            (1000, 1000, Acknowledge::Now(SendReason::SecondSegment)),
            (4000, 1000, Acknowledge::Now(SendReason::OutOfOrderAck)),
            (4000, 1000, Acknowledge::Now(SendReason::DuplicateAck)),
            (2000, 1000, Acknowledge::Now(SendReason::OutOfOrderAck)),
            (3000, 1000, Acknowledge::Now(SendReason::OutOfOrderAck)),
        ];
        for (offset, len, expected) in steps {
            let (_, acknowledge) = receiver.accept(START + offset, &vec![0; len], &mut Pool::default());
            assert_eq!(acknowledge, expected, "at {offset}");
            if acknowledge != Acknowledge::Soon {
                receiver.on_ack_sent();
            }
        }
    }

    #[test]
    fn the_latest_block_comes_first_and_three_fit() {
        let mut receiver = receiver(0, 60_000);
        let accept = |receiver: &mut Receiver, offset: u64| {
            receiver.accept(START + offset, &[0; 1000], &mut Pool::default());
            let blocks = receiver.sack_blocks(3);
            receiver.on_ack_sent();
            blocks
        };
        [2000, 6000, 4000].into_iter().for_each(|offset| drop(accept(&mut receiver, offset)));
        assert_eq!(accept(&mut receiver, 8000)[..], [(8000, 9000), (4000, 5000), (6000, 7000)]);
        assert_eq!(accept(&mut receiver, 3000)[..], [(2000, 5000), (8000, 9000), (6000, 7000)]);
        assert_eq!((receiver.sack_block_count(3), receiver.sack_block_count(4)), (3, 3));
    }

    #[test]
    fn a_batch_with_more_holes_than_blocks_is_acknowledged_more_than_once() {
        let mut receiver = receiver(0, 60_000);
        for offset in (1..=7).map(|n| 2000 * n) {
            receiver.accept(START + offset, &[0; 1000], &mut Pool::default());
        }
        receiver.accept(START + 2000, &[0; 1000], &mut Pool::default());
        receiver.ack_due = Some(SendReason::OutOfOrderAck);
        let mut told = Vec::new();
        while receiver.ack_due.is_some() {
            told.push(receiver.sack_blocks(3).into_iter().map(|(left, _)| left / 1000).collect::<Vec<_>>());
            receiver.on_ack_sent();
        }
        assert_eq!(told, [[2, 2, 6], [10, 8, 4], [14, 12, 2]], "2000 came twice");
    }
}
