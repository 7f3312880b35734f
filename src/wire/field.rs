//! The fields of a header as a table: dumps, the step view and the docs draw from it.

use std::ops::Range;

/// One field: its name, where its bits are (bit 0 is the first on the wire) and where that is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    pub name: &'static str,
    pub bits: Range<usize>,
    pub source: &'static str,
}

impl Field {
    pub const fn new(name: &'static str, bits: Range<usize>, source: &'static str) -> Field {
        Field { name, bits, source }
    }

    /// The field's value, of up to 64 bits; none when the header ends before it.
    pub fn read(&self, header: &[u8]) -> Option<u64> {
        let bytes = header.get(self.bits.start / 8..self.bits.end.div_ceil(8))?;
        let value = bytes.iter().fold(0u128, |value, byte| value << 8 | u128::from(*byte));
        let after = self.bits.end.next_multiple_of(8) - self.bits.end;
        Some((value >> after & ((1u128 << self.bits.len()) - 1)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_cut_out_of_their_bytes() {
        let header = [0x45, 0x00, 0x12, 0x34];
        for (bits, expected) in [(0..4, 4), (4..8, 5), (16..32, 0x1234), (20..28, 0x23), (7..9, 2)] {
            assert_eq!(Field::new("x", bits.clone(), "").read(&header), Some(expected), "{bits:?}");
        }
        assert_eq!(Field::new("x", 24..40, "").read(&header), None);
    }
}
