//! Reading the SACK option: which blocks can be believed, and which one reports a duplicate.
//!
//! The first block of an acknowledgement names a duplicate (D-SACK, RFC 2883 §4) when it lies below the cumulative
//! acknowledgement, or inside of the second block. Every other block must lie in what is outstanding (RFC 2018 §5).

use crate::wire::tcp_options::MAX_BLOCKS;
use arrayvec::ArrayVec;

/// The blocks of one acknowledgement, as positions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Blocks {
    /// What arrived twice.
    pub duplicate: Option<(u64, u64)>,
    /// What arrived past a hole, in the order of the option.
    pub sacked: ArrayVec<(u64, u64), MAX_BLOCKS>,
}

/// The sequence space that blocks are held against.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// The acknowledgement number beside the blocks, and SND.UNA once it has been heard.
    pub ack: u64,
    pub una: u64,
    pub nxt: u64,
    /// The largest window that the peer has offered: no duplicate can be longer.
    pub max_wnd: u64,
}

impl Blocks {
    pub fn read(told: &[(u64, u64)], space: Space) -> Blocks {
        let duplicate = duplicate(told, space);
        let rest = if duplicate.is_some() { &told[1..] } else { told };
        let sacked = rest.iter().copied().filter(|block| is_outstanding(*block, space));
        Blocks { duplicate, sacked: sacked.take(MAX_BLOCKS).collect() }
    }
}

/// RFC 2018 §5: between SND.UNA, which no block can begin at, and SND.NXT.
fn is_outstanding((start, end): (u64, u64), space: Space) -> bool {
    space.una < start && start < end && end <= space.nxt
}

fn duplicate(told: &[(u64, u64)], space: Space) -> Option<(u64, u64)> {
    let (start, end) = *told.first()?;
    let sane = start < end && end <= space.nxt && end - start <= space.max_wnd;
    // RFC 2883 §4.1: below the cumulative acknowledgement; §4.2: inside of the second block.
    let below = start < space.ack && end <= space.ack;
    let inside = told.get(1).is_some_and(|(left, right)| *left <= start && end <= *right);
    (sane && (below || inside)).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_outside_of_what_is_outstanding_are_not_believed() {
        let space = Space { ack: 1000, una: 1000, nxt: 9000, max_wnd: 8000 };
        let believed = [(2000, 3000), (8000, 9000), (1001, 1002)];
        let refused = [(1000, 2000), (8000, 9001), (3000, 2000), (3000, 3000), (9000, 9500), (900, 2000)];
        for block in believed {
            assert_eq!(Blocks::read(&[block], space).sacked.as_slice(), [block]);
        }
        for block in refused {
            assert_eq!(Blocks::read(&[block], space), Blocks::default(), "{block:?}");
        }
    }

    #[test]
    fn the_first_block_reports_a_duplicate_below_the_ack_or_inside_of_the_second() {
        let space = Space { ack: 5000, una: 5000, nxt: 20_000, max_wnd: 8000 };
        /// What is told, and what is read: the duplicate and the number of other blocks.
        type Row = (&'static [(u64, u64)], Option<(u64, u64)>, usize);
        let rows: [Row; 7] = [
            (&[(3000, 4000)], Some((3000, 4000)), 0),
            (&[(3000, 4000), (6000, 8000)], Some((3000, 4000)), 1),
            (&[(6000, 7000), (6000, 9000)], Some((6000, 7000)), 1),
            (&[(6000, 9000), (6000, 7000)], None, 2),
            (&[(6000, 7000), (3000, 4000)], None, 1),
            // Half below: neither.
            (&[(4000, 6000)], None, 0),
            // Longer than the peer's window ever was.
            (&[(100, 8101)], None, 0),
        ];
        for (told, duplicate, sacked) in rows {
            let blocks = Blocks::read(told, space);
            assert_eq!((blocks.duplicate, blocks.sacked.len()), (duplicate, sacked), "{told:?}");
        }
    }
}
