//! What a network card does for a stack that leaves work to it: fill in a checksum, split a super-frame, put the
//! segments of a train together.
//!
//! Whoever shows or sends a frame without such a card does the same here, so that captures, simulated links and plain
//! devices see what the wire would see, and so that the core pays once for a train that came in small frames.
//!
//! ```text
//!   place   where the headers of a segment or datagram lie in their frame
//!   split   one super-frame -> the frames of a wire        what Linux calls GSO
//!   join    the frames of a wire -> one super-frame        what Linux calls GRO
//! ```
//!
//! Invariants: what is split and joined again is what it was; joined is only what was found good, and what loses nothing
//! of its meaning by it; anything else is left alone.

mod join;
mod place;
mod split;
#[cfg(test)]
mod tests;

pub use join::{Segment, Train};
pub use split::{Piece, Split, split};

use super::checksum::Sum;
use super::udp;

/// Fills in a partial checksum: the sum over everything from `start` goes to `start + offset`, where the sum of the
/// pseudo-header lies already. Says whether that place lies within `bytes`; if not, nothing is changed.
pub fn finish_checksum(bytes: &mut [u8], start: usize, offset: usize) -> bool {
    let place = start + offset;
    if bytes.len() < place + 2 {
        return false;
    }
    let checksum = as_sent(Sum::default().plus(&bytes[start..]), offset);
    bytes[place..place + 2].copy_from_slice(&checksum.to_be_bytes());
    true
}

/// What goes into a checksum field that stands at `offset` in its transport header.
///
/// In UDP zero would mean "no checksum", so all ones is sent, which is the same number (RFC 768). In TCP zero stays zero
/// (RFC 1624 §3), or Wireshark calls it wrong.
pub fn as_sent(sum: Sum, offset: usize) -> u16 {
    match sum.checksum() {
        0 if offset == udp::CHECKSUM_OFFSET => 0xffff,
        checksum => checksum,
    }
}
