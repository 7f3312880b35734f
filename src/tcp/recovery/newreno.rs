//! NewReno (RFC 6582), for peers that do not SACK: duplicate acknowledgements are counted, and a partial one names the
//! next hole.
//!
//! Each duplicate also says that some later segment has left the network. That is counted, rather than added to the
//! window: what is in flight stays an honest number, and limited transmit (RFC 3042) follows by itself.

use crate::tcp::fold::folded;

#[derive(Clone, Copy, Debug, Default)]
pub struct NewReno {
    /// Duplicates since SND.UNA last moved.
    duplicates: u32,
    /// Segments that left the network without being acknowledged, as duplicates tell.
    departed: u64,
}

folded!(NewReno { duplicates, departed });

impl NewReno {
    pub fn duplicates(&self) -> u32 {
        self.duplicates
    }

    pub fn departed(&self) -> u64 {
        self.departed
    }

    /// Where the peer sends SACK, duplicates are only counted for who watches.
    pub fn count(&mut self, duplicate: bool) {
        self.duplicates = self.duplicates.saturating_add(u32::from(duplicate));
    }

    /// A duplicate came; `out` segments are in flight, of which one is what is missing.
    pub fn on_duplicate(&mut self, out: u64) {
        self.duplicates = self.duplicates.saturating_add(1);
        self.departed = (self.departed + 1).min(out.saturating_sub(1));
    }

    /// SND.UNA moved past so many segments: one of them was the hole, the others are among those that had departed.
    pub fn on_progress(&mut self, segments: u64) {
        self.duplicates = 0;
        self.departed = self.departed.saturating_sub(segments.saturating_sub(1));
    }

    /// Nothing is known of what had departed: a recovery is over, or a timeout begins anew.
    pub fn reset(&mut self) {
        *self = NewReno::default();
    }
}
