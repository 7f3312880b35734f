//! What goes in and what comes out: switches, acknowledgements, conclusions.

use super::rate::Sample;
use super::segment::Tally;
use crate::event::{SendReason, SpuriousCause};
use crate::tcp::fold::folded;
use crate::time::Instant;
use std::time::Duration;

/// The switches of loss recovery, named after Linux's system settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LossRecovery {
    /// Find losses by time (RFC 8985); else by counting what is sacked (RFC 6675). `tcp_recovery`, bit 1.
    pub rack: bool,
    /// RACK's reordering window stays at a quarter of the smallest round trip. `tcp_recovery`, bit 2.
    pub fixed_reordering_window: bool,
    /// RACK takes three sacked segments for evident loss, as long as no reordering was seen. Off: `tcp_recovery`, bit 4.
    pub duplicate_threshold: bool,
    /// How many segments overtake another before it counts as lost, to begin with. `tcp_reordering`.
    pub reordering: u32,
    /// The most that experience makes of it. `tcp_max_reordering`.
    pub max_reordering: u32,
    /// Probe the end of a flight before the timer runs out. `tcp_early_retrans`, 3.
    pub tlp: bool,
    /// After a timeout see first whether it was needless (RFC 5682). `tcp_frto`.
    pub frto: bool,
}

folded!(LossRecovery { rack, fixed_reordering_window, duplicate_threshold, reordering, max_reordering, tlp, frto });

impl Default for LossRecovery {
    fn default() -> LossRecovery {
        LossRecovery {
            rack: true,
            fixed_reordering_window: false,
            duplicate_threshold: true,
            reordering: 3,
            max_reordering: 300,
            tlp: true,
            frto: true,
        }
    }
}

/// An acknowledgement, as far as recovery is concerned. Sequence numbers are positions.
#[derive(Clone, Copy, Debug)]
pub struct Ack<'a> {
    pub now: Instant,
    /// Its acknowledgement number, and SND.UNA after it was heard: the larger of the two that there were.
    pub ack: u64,
    pub una: u64,
    pub nxt: u64,
    /// The blocks of its SACK option.
    pub blocks: &'a [(u64, u64)],
    /// It fulfils the five conditions of RFC 5681 §2.
    pub duplicate: bool,
    /// The same, whether or not anything is outstanding.
    pub repeated: bool,
    /// When the segment that its timestamp echoes was sent, in whole milliseconds.
    pub echoed: Option<Instant>,
    pub path: Path,
}

impl Ack<'_> {
    /// The path as this acknowledgement leaves it: its own round trip may be the shortest.
    pub(super) fn with_sample(&self, report: &Report) -> Path {
        let rtt = report.newest_sent_at.map(|at| self.now.since(at));
        let min_rtt = [self.path.min_rtt, rtt].into_iter().flatten().min();
        Path { min_rtt, srtt: self.path.srtt.or(rtt), ..self.path }
    }
}

/// What is known of the path and the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    pub mss: u64,
    pub max_wnd: u64,
    pub min_rtt: Option<Duration>,
    pub srtt: Option<Duration>,
}

/// What an acknowledgement told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// SND.UNA moved so far, in bytes.
    pub acknowledged: u64,
    /// Bytes that are newly known to have arrived, acknowledged or sacked, and of those the sacked ones.
    pub delivered: u64,
    pub sacked: u64,
    /// How fast the data arrives that it tells of.
    pub rate: Option<Sample>,
    /// Newly judged lost.
    pub lost: Tally,
    /// Retransmissions were among them.
    pub lost_again: bool,
    /// When the oldest and the newest of the delivered segments were sent, as far as each was sent once (Karn's rule,
    /// RFC 6298 §3). Acknowledged ones go first: none of them counts when one of them was sent twice.
    pub oldest_sent_at: Option<Instant>,
    pub newest_sent_at: Option<Instant>,
    /// When the first acknowledged segment was sent last: an older timestamp answers an earlier transmission.
    pub first_sent_at: Option<Instant>,
    /// A D-SACK: so many segments had arrived before.
    pub duplicates: u64,
    /// How many segments late, where the order was seen to have changed.
    pub reordered: Option<u32>,
    /// The peer threw away what it had sacked (RFC 2018 §8).
    pub reneged: bool,
    /// Fast recovery begins, and for what reason; or it is over.
    pub entered: Option<SendReason>,
    /// It begins while the window comes down already, because of a mark.
    pub reduced: bool,
    pub recovered: bool,
    /// What was taken for a loss was none, as this proves.
    pub undone: Option<SpuriousCause>,
    /// A tail loss probe has repaired a loss that nothing else told of.
    pub tail_lost: bool,
    /// The window may grow: SND.UNA moved, and no recovery holds it down.
    pub grows: bool,
    /// Losses were looked for by time; when to look again, if nothing comes before (RFC 8985 §6.2, step 5).
    pub looked: bool,
    pub look_again_at: Option<Instant>,
    /// What was sacked had been sent before the first segment was sent last: that one's timer may start again.
    pub sacked_older: bool,
}
