//! Tail loss probes (RFC 8985 §7): a lost end of a flight costs two round trips, not a timeout.
//!
//! Nothing follows the last segments that could show them to be lost. So when nothing comes back for about two round
//! trips, one segment goes: new data if there is any, or the last once more. Its acknowledgement tells RACK what is
//! missing. If the probe itself repaired the loss nobody notices, except by this: it was acknowledged, and no duplicate
//! was. Then congestion control hears of a loss all the same.

use super::{Ack, Recovery, Report};
use crate::event::CongestionState;
use crate::tcp::fold::folded;
use std::time::Duration;

/// What a timer is late by, at the least; Linux's two ticks.
const SLACK: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, Debug, Default)]
pub struct TailLossProbe {
    /// TLP.end_seq: SND.NXT when the probe left; none when none is out.
    end: Option<u64>,
    /// It was a retransmission.
    again: bool,
    /// The timer has fired, and the probe has not left yet.
    due: bool,
}

folded!(TailLossProbe { end, again, due });

impl TailLossProbe {
    pub fn end(&mut self) {
        *self = TailLossProbe::default();
    }

    /// RFC 8985 §7.4.2: does this block say that a probe arrived twice?
    pub fn is_answered_by(&self, (_, end): (u64, u64)) -> bool {
        self.again && self.end == Some(end)
    }
}

impl Recovery {
    /// RFC 8985 §7.2: how long to wait for an acknowledgement before probing; none when no probe is called for.
    /// `delay` is how long a peer may hold back the acknowledgement of a single segment.
    pub fn probe_timeout(&self, srtt: Option<Duration>, delay: Duration, initial: Duration) -> Option<Duration> {
        let calm = matches!(self.state, CongestionState::Open | CongestionState::Cwr);
        if !self.settings.tlp || !self.sack || !calm || self.flight.is_empty() {
            return None;
        }
        let Some(srtt) = srtt else { return Some(initial) };
        Some(2 * srtt + if self.sums().outstanding.segments == 1 { delay } else { SLACK })
    }

    /// The timer fired: a probe is due, unless one is out already.
    pub fn on_probe_timeout(&mut self) {
        self.tlp.due = self.tlp.end.is_none() && !self.flight.is_empty();
    }

    /// There is nothing to probe with.
    pub fn skip_probe(&mut self) {
        self.tlp.due = false;
    }

    pub fn probe_is_due(&self) -> bool {
        self.tlp.due
    }

    /// The segment that goes when there is nothing new: the last, at most `mss` bytes of its end.
    pub fn last_segment(&self, mss: u64) -> Option<(u64, u64)> {
        let last = self.flight.last().filter(|last| !last.sacked)?;
        let start = last.start + u64::from(last.count - 1) * mss;
        let start = if start < last.end { start } else { last.start };
        Some((start.max(last.end.saturating_sub(mss)), last.end))
    }

    /// It left, as a retransmission or not.
    pub fn on_probe_sent(&mut self, nxt: u64, again: bool) {
        (self.tlp.end, self.tlp.again, self.tlp.due) = (Some(nxt), again, false);
    }

    /// RFC 8985 §7.4.2: the end of an episode. True when a loss was repaired that nothing else has told of.
    pub(super) fn hear_of_probe(&mut self, ack: &Ack<'_>, report: &Report, answered: bool) -> bool {
        if report.acknowledged > 0 {
            self.tlp.due = false;
        }
        let Some(end) = self.tlp.end.filter(|end| ack.ack >= *end) else { return false };
        let both_arrived = answered || ack.repeated && report.sacked == 0;
        let lost = self.tlp.again && !both_arrived && ack.ack > end;
        if !self.tlp.again || both_arrived || lost {
            self.tlp.end();
        }
        lost
    }
}
