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
        let addresses = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                Sum::default().plus(&source.octets()).plus(&destination.octets())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Sum::default().plus(&source.octets()).plus(&destination.octets())
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                unreachable!("both ends of a packet are of one IP version")
            }
        };
        addresses.plus(&(length as u32).to_be_bytes()).plus(&[0, protocol])
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

/// The sum of big-endian 16-bit words, carried out 8 bytes at a time: the ones' complement sum does not mind in what
/// width it is added up, nor in which byte order, as long as the end is swapped back (RFC 1071 §2).
fn words(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(32);
    let mut lanes = [0u64; 8];
    for chunk in &mut chunks {
        for (lane, word) in lanes.iter_mut().zip(chunk.chunks_exact(4)) {
            *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
        }
    }
    let mut rest = chunks.remainder().chunks_exact(2);
    let mut sum: u64 = lanes.iter().map(|lane| (lane >> 32) + (lane & 0xffff_ffff)).sum();
    for pair in &mut rest {
        sum += u64::from(u16::from_ne_bytes([pair[0], pair[1]]));
    }
    if let [last] = rest.remainder() {
        sum += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    let folded = fold(sum);
    u64::from(u16::from_be_bytes(folded.to_ne_bytes()))
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

    proptest! {
        #[test]
        fn any_split_gives_the_sum_by_the_book(bytes in proptest::collection::vec(any::<u8>(), 0..300), cuts in any::<[u8; 3]>()) {
            let mut cuts = cuts.map(|cut| usize::from(cut).min(bytes.len()));
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
