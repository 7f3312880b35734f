//! Which of a stream's bytes have come.

use std::collections::BTreeMap;

/// Pieces behind this many bytes are none of the stream.
const REACH: u32 = 1 << 30;

/// What has come in order, and the pieces past it.
pub(super) struct Intervals {
    first: u32,
    /// Everything before has come, counted from the first byte.
    next: u64,
    /// Start and end of the pieces behind.
    pieces: BTreeMap<u64, u64>,
}

impl Intervals {
    pub fn new(first: u32) -> Intervals {
        Intervals { first, next: 0, pieces: BTreeMap::new() }
    }

    /// The sequence number of the first byte that has not come.
    pub fn next(&self) -> u32 {
        self.first.wrapping_add(self.next as u32)
    }

    /// Takes a piece in; gives by how many bytes what is in order has grown.
    pub fn add(&mut self, start: u32, end: u32) -> u32 {
        let ahead = i64::from(start.wrapping_sub(self.next()) as i32);
        let len = end.wrapping_sub(start);
        if len == 0 || len > REACH || ahead.unsigned_abs() > u64::from(REACH) {
            return 0;
        }
        let start = self.next.saturating_add_signed(ahead);
        let last = self.pieces.entry(start).or_default();
        *last = (*last).max((self.next as i64 + ahead + i64::from(len)).max(0) as u64);
        let before = self.next;
        while let Some(piece) = self.pieces.first_entry().filter(|piece| *piece.key() <= self.next) {
            self.next = self.next.max(piece.remove());
        }
        (self.next - before) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_become_a_stream() {
        for first in [0, 1, u32::MAX - 150, u32::MAX] {
            let at = |offset: u32| first.wrapping_add(offset);
            let mut bytes = Intervals::new(first);
            let steps = [
                // from, to, how many more are in order, what comes next
                (100, 200, 0, 0),
                (0, 50, 50, 50),
                (0, 50, 0, 50),
                (300, 400, 0, 50),
                (40, 120, 150, 200),
                (150, 310, 200, 400),
                (400, 400, 0, 400),
            ];
            for (from, to, grown, next) in steps {
                assert_eq!(bytes.add(at(from), at(to)), grown, "{from}..{to}");
                assert_eq!(bytes.next(), at(next));
            }
        }
    }
}
