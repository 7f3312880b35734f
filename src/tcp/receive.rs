//! The receiving half: RCV.NXT, the window that is offered, and when to acknowledge.

use super::reassembly::{Inserted, ReceiveBuffer};
use super::seq::Seq;
use crate::event::SendReason;
use smallvec::SmallVec;

/// Blocks that fit beside timestamps (RFC 2018 §3).
const SACK_BLOCKS: usize = 3;

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
    /// Shift of the windows that we advertise (RFC 7323 §2).
    pub scale: u8,
    capacity: usize,
    /// The largest segment that the peer may send us, in bytes of data.
    mss: usize,
    /// Where the peer's FIN lies, once a segment has told.
    pub fin: Option<u64>,
    /// Where the peer's urgent data ends.
    pub urgent: Option<u64>,
    /// The acknowledgement number last sent.
    pub last_ack_sent: u64,
    /// Bytes that came since an acknowledgement was last sent.
    unacknowledged: u64,
    /// An acknowledgement must go with the next transmission, and why.
    pub ack_due: Option<SendReason>,
    /// Where data past a hole came last, latest first (RFC 2018 §4 asks for that order).
    recent: SmallVec<[u64; SACK_BLOCKS]>,
}

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
            scale,
            capacity,
            mss,
            fin: None,
            urgent: None,
            last_ack_sent: nxt,
            unacknowledged: 0,
            ack_due: None,
            recent: SmallVec::new(),
        }
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
    pub fn offered_unscaled(&mut self) {
        let window = self.capacity.min(usize::from(u16::MAX)) as u64;
        self.edge = self.nxt + window.next_multiple_of(1 << self.scale);
        self.unscaled = true;
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
        let field = wnd.div_ceil(unit).min(u64::from(u16::MAX));
        self.edge = self.edge.max(self.nxt + field * unit);
        self.unscaled = false;
        field as u16
    }

    /// The application has read: is the window so much wider now that the peer should know at once?
    pub fn update_is_worthwhile(&self) -> bool {
        let limit = (u64::from(u16::MAX) << self.scale).min(self.capacity as u64);
        let wish = (self.buffer.read_position() + limit).saturating_sub(self.nxt);
        let useful = (self.capacity / 2).min(self.mss) as u64;
        let hardly_used = self.unscaled && 2 * self.wnd() >= u64::from(u16::MAX);
        self.fin.is_none() && !hardly_used && wish >= self.wnd() + useful && wish >= 2 * self.wnd()
    }

    /// Takes in data at `position`, cut to the window.
    pub fn accept(&mut self, position: u64, data: &[u8]) -> (Inserted, Acknowledge) {
        let data = &data[..data.len().min(self.edge.saturating_sub(position) as usize)];
        let inserted = self.buffer.insert(position, data);
        self.nxt = self.nxt.max(self.buffer.next());
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
            Inserted::OutOfOrder => {
                self.remember(position);
                Acknowledge::Now(SendReason::OutOfOrderAck)
            }
            Inserted::Nothing => Acknowledge::Now(SendReason::DuplicateAck),
        };
        (inserted, acknowledge)
    }

    /// Everything before the FIN is there. It takes a number of its own, which may lie just past the window.
    pub fn pass_fin(&mut self) {
        self.nxt += 1;
        self.edge = self.edge.max(self.nxt);
    }

    fn remember(&mut self, position: u64) {
        self.recent.retain(|known| *known != position);
        self.recent.truncate(SACK_BLOCKS - 1);
        self.recent.insert(0, position);
    }

    /// An acknowledgement leaves with RCV.NXT.
    pub fn on_ack_sent(&mut self) {
        self.last_ack_sent = self.nxt;
        self.unacknowledged = 0;
        self.ack_due = None;
    }

    /// RFC 2018 §4: the block with the latest segment first, then the ones reported before, then any other.
    pub fn sack_blocks(&self) -> SmallVec<[(u32, u32); 4]> {
        let ranges = self.buffer.ranges();
        if ranges.is_empty() {
            return SmallVec::new();
        }
        let latest = self.recent.iter().filter_map(|at| ranges.iter().find(|range| range.contains(at)));
        let mut blocks = SmallVec::new();
        for range in latest.chain(ranges) {
            let block = (Seq::at(range.start).0, Seq::at(range.end).0);
            if blocks.len() < SACK_BLOCKS && !blocks.contains(&block) {
                blocks.push(block);
            }
        }
        blocks
    }
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
                receiver.accept(receiver.nxt, &[1; 777]);
                if n % 7 == 0 {
                    receiver.buffer.consume(receiver.buffer.readable() / 2);
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
        receiver.accept(START, &[0; 10_000]);
        assert_eq!(receiver.offer(), 0);
        receiver.buffer.consume(999);
        assert!(!receiver.update_is_worthwhile());
        assert_eq!(receiver.offer(), 0, "less than a segment is silly");
        receiver.buffer.consume(1);
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
            let (_, acknowledge) = receiver.accept(START + offset, &vec![0; len]);
            assert_eq!(acknowledge, expected, "at {offset}");
            if acknowledge != Acknowledge::Soon {
                receiver.on_ack_sent();
            }
        }
    }

    #[test]
    fn the_latest_block_comes_first_and_three_fit() {
        let mut receiver = receiver(0, 60_000);
        for offset in [2000u64, 6000, 4000, 8000] {
            receiver.accept(START + offset, &[0; 1000]);
        }
        assert_eq!(receiver.sack_blocks()[..], [(8000, 9000), (4000, 5000), (6000, 7000)]);
        receiver.accept(START + 3000, &[0; 1000]);
        assert_eq!(receiver.sack_blocks()[..], [(2000, 5000), (8000, 9000), (6000, 7000)]);
    }
}
