//! The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words.

use std::net::IpAddr;

/// A sum in the making, over pieces of any length.
///
/// ```
/// use strata::wire::checksum::Sum;
/// // RFC 1071 §3 works this example out by hand.
/// let sum = Sum::default().plus(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
/// assert_eq!(sum.folded(), 0xddf2);
/// assert_eq!(sum.checksum(), !0xddf2);
/// ```
#[derive(Clone, Copy, Default, Debug)]
pub struct Sum {
    sum: u64,
    /// An odd number of bytes so far: the next byte is the low half of a word.
    odd: bool,
}

impl Sum {
    /// The pseudo-header of TCP and UDP (RFC 9293 §3.1, RFC 8200 §8.1): addresses, protocol and length.
    pub fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Sum {
        // Two words, or as many as there are, in one number: it is folded in the end.
        let addresses: u64 = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                u64::from(source.to_bits()) + u64::from(destination.to_bits())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                source.segments().iter().chain(&destination.segments()).map(|word| u64::from(*word)).sum()
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                unreachable!("both ends of a packet are of one IP version")
            }
        };
        Sum { sum: addresses + u64::from(length as u32) + u64::from(protocol), odd: false }
    }

    /// Takes in the next bytes.
    #[must_use]
    pub fn plus(self, bytes: &[u8]) -> Sum {
        let (first, rest) = match (self.odd, bytes) {
            (true, [first, rest @ ..]) => (u64::from(*first), rest),
            _ => (0, bytes),
        };
        let odd = if self.odd && bytes.is_empty() { true } else { rest.len() % 2 == 1 };
        let (sum, carry) = self.sum.overflowing_add(words(rest));
        let (sum, carry_again) = (sum + u64::from(carry)).overflowing_add(first);
        Sum { sum: sum + u64::from(carry_again), odd }
    }

    /// The sum, folded to 16 bits and not complemented: what a partial checksum leaves in the field.
    pub fn folded(self) -> u16 {
        let sum = (self.sum >> 32) + (self.sum & 0xffff_ffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        ((sum >> 16) + (sum & 0xffff)) as u16
    }

    /// What goes into the checksum field.
    pub fn checksum(self) -> u16 {
        !self.folded()
    }

    /// Bytes that include a right checksum sum up to all ones.
    pub fn is_good(self) -> bool {
        self.folded() == 0xffff
    }
}

/// How many bytes are summed at a time, and into how many lanes.
const BLOCK: usize = 64;
const LANES: usize = BLOCK / 4;
/// Each block adds less than 2^17 to a lane.
const BLOCKS_WITHOUT_OVERFLOW: usize = 1 << 14;

/// The sum of big-endian 16-bit words: the ones' complement sum does not mind in what width it is added up, nor in
/// which byte order, as long as the end is swapped back (RFC 1071 §2).
fn words(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let mut sum: u64 = blocks.chunks(BLOCKS_WITHOUT_OVERFLOW).map(sum_blocks).sum();
    let (words, rest) = rest.as_chunks::<4>();
    for word in words {
        sum += u64::from(u32::from_ne_bytes(*word));
    }
    let (pairs, rest) = rest.as_chunks::<2>();
    for pair in pairs {
        sum += u64::from(u16::from_ne_bytes(*pair));
    }
    if let [last] = rest {
        sum += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    u64::from(u16::from_be_bytes(fold(sum).to_ne_bytes()))
}

/// Both halves of each word go to a lane of their own width: additions, shifts and masks that are the same in every
/// lane, which the compiler turns into whatever vectors the target has. By counting, and in a function of its own, so
/// that it does so wherever the sum is asked for: iterators that were not inlined cost a factor of four.
///
/// `benches/checksum.rs` sees to it that it stays so.
#[inline(never)]
fn sum_blocks(blocks: &[[u8; BLOCK]]) -> u64 {
    let (mut lanes, mut block) = ([0u32; LANES], 0);
    while block < blocks.len() {
        let (bytes, mut lane) = (&blocks[block], 0);
        while lane < LANES {
            let at = 4 * lane;
            let word = u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            lanes[lane] += (word & 0xffff) + (word >> 16);
            lane += 1;
        }
        block += 1;
    }
    let (mut sum, mut lane) = (0, 0);
    while lane < LANES {
        sum += u64::from(lanes[lane]);
        lane += 1;
    }
    sum
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071 §4.1, byte pair by byte pair.
    fn by_the_book(bytes: &[u8]) -> u16 {
        let sum = bytes
            .chunks(2)
            .fold(0u64, |sum, pair| sum + u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
        fold(sum)
    }

    /// The largest sum there can be: no lane overflows.
    #[test]
    fn many_large_words_are_no_more_than_few() {
        for len in [64, 65_535, (BLOCKS_WITHOUT_OVERFLOW + 3) * BLOCK + 7] {
            let bytes = vec![0xff; len];
            assert_eq!(words(&bytes), u64::from(by_the_book(&bytes)), "{len}");
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_sum_by_the_book(bytes in proptest::collection::vec(any::<u8>(), 0..700), cuts in any::<[u16; 3]>()) {
            let mut cuts = cuts.map(|cut| usize::from(cut) % (bytes.len() + 1));
            cuts.sort();
            let sum = Sum::default()
                .plus(&bytes[..cuts[0]])
                .plus(&bytes[cuts[0]..cuts[1]])
                .plus(&bytes[cuts[1]..cuts[2]])
                .plus(&bytes[cuts[2]..]);
            let (ours, book) = (sum.folded(), by_the_book(&bytes));
            // 0 and 0xffff are the same number in ones' complement.
            prop_assert!(ours == book || (ours % 0xffff == 0 && book % 0xffff == 0), "{ours:#x} {book:#x}");
        }
    }
}
