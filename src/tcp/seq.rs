//! Sequence numbers (RFC 9293 §3.4), and how they leave the wire.
//!
//! On the wire a sequence number has 32 bits and wraps. Inside, everything is a *position*: a `u64` whose low 32 bits
//! are the sequence number, unwrapped once, at the edge, next to a position that is already known. Positions are
//! ordered and subtracted like any number; they begin at `2^32 + ISN`, so that nothing near the start goes below zero.

use std::fmt;

/// A sequence number as on the wire. It has no order: only a distance from another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seq(pub u32);

impl Seq {
    /// How far this number lies beyond `other`; negative when it lies before. Right as long as both are within 2^31.
    pub const fn distance(self, other: Seq) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    pub const fn before(self, other: Seq) -> bool {
        self.distance(other) < 0
    }

    pub const fn after(self, other: Seq) -> bool {
        self.distance(other) > 0
    }

    /// The position with this sequence number that is nearest to `near`.
    pub const fn position(self, near: u64) -> u64 {
        near.wrapping_add_signed(self.distance(Seq::at(near)) as i64)
    }

    /// The sequence number of a position.
    pub const fn at(position: u64) -> Seq {
        Seq(position as u32)
    }

    /// The position of an initial sequence number.
    pub const fn first_position(self) -> u64 {
        (1 << 32) + self.0 as u64
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_holds_across_the_wrap() {
        for start in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff] {
            let (here, next) = (Seq(start), Seq(start.wrapping_add(5)));
            assert!(here.before(next) && next.after(here) && !here.after(here), "{start:#x}");
            assert_eq!((next.distance(here), here.distance(next)), (5, -5));
        }
    }

    #[test]
    fn a_number_unwraps_next_to_what_is_known() {
        for isn in [0u32, 1, 0x7fff_ffff, 0xffff_fff0, 0xffff_ffff] {
            let first = Seq(isn).first_position();
            for ahead in [0u64, 1, 100, 0x7fff_ffff, 5_000_000_000] {
                let position = first + ahead;
                assert_eq!(Seq::at(position).position(position), position);
                assert_eq!(Seq::at(position).position(position - 70_000), position);
                assert_eq!(Seq::at(position).position(position + 70_000), position);
            }
        }
    }
}
