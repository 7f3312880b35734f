//! Numbers written as short as they are: a zero takes one or two bits, another number its binary digits and their count.

use crate::time::Instant;

/// Writes a record.
#[derive(Debug, Default)]
pub struct Folder {
    bytes: Vec<u8>,
    /// Bits that do not make up a byte yet, the first at the bottom.
    rest: u64,
    count: u32,
    bases: Bases,
}

/// Reads what a [`Folder`] has written, in the same order.
#[derive(Debug)]
pub struct Unfolder<'a> {
    bytes: &'a [u8],
    rest: u64,
    count: u32,
    bases: Bases,
}

/// The last large number and the last moment: the next is near, so that the difference is written.
#[derive(Debug, Default)]
struct Bases {
    number: u64,
    moment: u64,
}

/// Numbers up to this many digits are written as they are; larger ones are positions in a stream, most of them.
const SMALL_DIGITS: u32 = 32;
const ZERO: u64 = 0;
const SMALL: u64 = 1;
const SAME: u64 = 2;
const OTHER: u64 = 3;

impl Folder {
    /// `count` bits, 56 at most; those of `bits` above are zero.
    pub fn bits(&mut self, bits: u64, count: u32) {
        debug_assert!(count <= 56 && bits >> count == 0, "{bits:#x} in {count} bits");
        self.rest |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.rest as u8);
            self.rest >>= 8;
            self.count -= 8;
        }
    }

    /// The digits of a number that is not zero, but for the first, which is a one.
    fn digits(&mut self, number: u64, bits_of_count: u32) {
        let more = number.ilog2();
        self.bits(more.into(), bits_of_count);
        let (low, high) = (more.min(32), more.saturating_sub(32));
        self.bits(number & ((1 << low) - 1), low);
        self.bits(number >> 32 & ((1 << high) - 1), high);
    }

    pub fn number(&mut self, number: u64) {
        match number {
            0 => self.bits(ZERO, 2),
            small if small < 1 << SMALL_DIGITS => {
                self.bits(SMALL, 2);
                self.digits(small, 5);
            }
            same if same == self.bases.number => self.bits(SAME, 2),
            other => {
                self.bits(OTHER, 2);
                self.digits(zigzag(self.bases.swap(other).wrapping_sub(self.bases.number)), 6);
                self.bases.follow(other);
            }
        }
    }

    /// One like the last takes a bit; the beginning of time, for what has never been, takes two.
    pub fn moment(&mut self, at: Instant) {
        let far = zigzag(at.as_nanos().wrapping_sub(self.bases.moment));
        match (far, at) {
            (0, _) => self.bits(0, 1),
            (_, Instant::ZERO) => self.bits(0b11, 2),
            (far, _) => {
                self.bits(0b01, 2);
                self.digits(far, 6);
                self.bases.moment = at.as_nanos();
            }
        }
    }

    /// The record, as long as it must be; the folder may begin another.
    pub fn finish(&mut self) -> Box<[u8]> {
        let left = self.count.next_multiple_of(8) - self.count;
        self.bits(0, left);
        let record = self.bytes.as_slice().into();
        self.bytes.clear();
        self.bases = Bases::default();
        record
    }
}

impl<'a> Unfolder<'a> {
    pub fn new(bytes: &'a [u8]) -> Unfolder<'a> {
        Unfolder { bytes, rest: 0, count: 0, bases: Bases::default() }
    }

    /// Zeros after the end.
    pub fn bits(&mut self, count: u32) -> u64 {
        while self.count < count {
            let (first, others) = self.bytes.split_first().unwrap_or((&0, &[]));
            self.rest |= u64::from(*first) << self.count;
            self.bytes = others;
            self.count += 8;
        }
        let bits = self.rest & ((1 << count) - 1);
        self.rest >>= count;
        self.count -= count;
        bits
    }

    fn digits(&mut self, bits_of_count: u32) -> u64 {
        let more = self.bits(bits_of_count) as u32;
        let low = self.bits(more.min(32));
        let high = self.bits(more.saturating_sub(32));
        1 << more | high << 32 | low
    }

    pub fn number(&mut self) -> u64 {
        match self.bits(2) {
            ZERO => 0,
            SMALL => self.digits(5),
            SAME => self.bases.number,
            _ => {
                let other = self.bases.number.wrapping_add(unzigzag(self.digits(6)));
                let other = self.bases.swap(other);
                self.bases.follow(other);
                other
            }
        }
    }

    pub fn moment(&mut self) -> Instant {
        if self.bits(1) == 1 {
            if self.bits(1) == 1 {
                return Instant::ZERO;
            }
            self.bases.moment = self.bases.moment.wrapping_add(unzigzag(self.digits(6)));
        }
        Instant::from_nanos(self.bases.moment)
    }
}

impl Bases {
    /// What stands for infinity is frequent and near to nothing. It changes places with the number before the last one,
    /// which is rare and as near as can be.
    fn swap(&self, number: u64) -> u64 {
        let before = self.number.wrapping_sub(1);
        match number {
            u64::MAX => before,
            rare if rare == before => u64::MAX,
            other => other,
        }
    }

    fn follow(&mut self, number: u64) {
        if number != u64::MAX {
            self.number = number;
        }
    }
}

/// Differences of either sign as numbers that are small when those are: 0, -1, 1, -2, 2 ..
fn zigzag(difference: u64) -> u64 {
    (difference << 1) ^ ((difference as i64 >> 63) as u64)
}

fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_is_written_is_read(items in proptest::collection::vec((any::<u64>(), 0u32..64, any::<bool>()), 0..50)) {
            let items: Vec<_> = items.into_iter().map(|(n, shift, moment)| (n >> shift, moment)).collect();
            let mut folder = Folder::default();
            // The second record begins as if there had been no first.
            for _ in 0..2 {
                for (number, moment) in &items {
                    if *moment { folder.moment(Instant::from_nanos(*number)) } else { folder.number(*number) }
                }
                let record = folder.finish();
                let mut unfolder = Unfolder::new(&record);
                for (number, moment) in &items {
                    let read = if *moment { unfolder.moment().as_nanos() } else { unfolder.number() };
                    prop_assert_eq!(read, *number);
                }
                prop_assert!(unfolder.bytes.is_empty());
            }
        }
    }

    #[test]
    fn the_edges_of_the_ranges_are_read_as_written() {
        let edge = 1 << 32;
        let (far, end) = (1 << 63, u64::MAX);
        let numbers = [
            0,
            1,
            2,
            edge - 1,
            edge,
            end,
            edge - 1,
            edge + 1,
            edge,
            end,
            far,
            end,
            far - 1,
            end,
            end - 1,
            end,
            edge,
            edge,
        ];
        let mut folder = Folder::default();
        numbers.iter().for_each(|number| folder.number(*number));
        let record = folder.finish();
        let mut unfolder = Unfolder::new(&record);
        assert_eq!(numbers.map(|_| unfolder.number()), numbers);
    }

    #[test]
    fn small_numbers_and_near_ones_are_short() {
        let len = |numbers: &[u64]| {
            let mut folder = Folder::default();
            numbers.iter().for_each(|number| folder.number(*number));
            folder.finish().len()
        };
        assert_eq!(len(&[0; 40]), 10);
        assert_eq!(len(&[1460; 8]), 17);
        let position = (1 << 32) + 123_456_789;
        assert_eq!(
            len(&[position, position, position + 1000, u64::MAX, u64::MAX, position + 1000]),
            10,
            "5 for the position, then differences"
        );
    }
}
