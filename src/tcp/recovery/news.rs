//! What an acknowledgement tells of segments, gathered while they are taken off the scoreboard.

use super::facts::Report;
use super::flight::Flight;
use super::segment::Segment;
use crate::time::Instant;

/// What is gathered of an acknowledgement while segments are taken off the scoreboard.
#[derive(Clone, Copy, Debug, Default)]
pub struct News {
    /// The end of what was sacked highest before this acknowledgement; zero where nothing was.
    pub highest_sacked: u64,
    /// The first position of what was sent once and is only heard of now.
    lowest_late: Option<u64>,
    acknowledged_oldest: Option<Instant>,
    acknowledged_newest: Option<Instant>,
    acknowledged_again: bool,
    /// The lowest end of what was sent once and is only heard of now.
    first_arrived: Option<u64>,
    pub sacked_oldest: Option<Instant>,
    sacked_newest: Option<Instant>,
    /// What was sent last of what the peer has now and had not before.
    pub newest: Option<Segment>,
}

impl News {
    pub fn of(flight: &Flight) -> News {
        News { highest_sacked: flight.highest_sacked().unwrap_or(0), ..News::default() }
    }

    pub fn acknowledged(&mut self, segment: &Segment) {
        if !segment.sacked {
            self.delivered(segment);
        }
        if segment.transmissions > 1 {
            self.acknowledged_again = true;
        } else if !segment.sacked {
            self.acknowledged_oldest.get_or_insert(segment.sent_at);
            self.acknowledged_newest = Some(segment.sent_at);
            self.first_arrived.get_or_insert(segment.end);
            self.late(segment);
        }
    }

    pub fn sacked(&mut self, segment: &Segment) {
        self.delivered(segment);
        if segment.transmissions == 1 {
            self.sacked_oldest = Some(self.sacked_oldest.map_or(segment.sent_at, |at| at.min(segment.sent_at)));
            self.sacked_newest = self.sacked_newest.max(Some(segment.sent_at));
            self.first_arrived = Some(self.first_arrived.map_or(segment.end, |end| end.min(segment.end)));
            self.late(segment);
        }
    }

    /// draft-ietf-ccwg-bbr §4.1.2.3, UpdateRateSample
    fn delivered(&mut self, segment: &Segment) {
        if self.newest.is_none_or(|newest| (newest.sent_at, newest.end) < (segment.sent_at, segment.end)) {
            self.newest = Some(*segment);
        }
    }

    fn late(&mut self, segment: &Segment) {
        if segment.end < self.highest_sacked {
            self.lowest_late = Some(self.lowest_late.map_or(segment.start, |lowest| lowest.min(segment.start)));
        }
    }

    /// Something up to `high` arrived that was never sent again.
    pub fn first_arrived_below(&self, high: u64) -> bool {
        self.first_arrived.is_some_and(|end| end <= high)
    }

    pub fn lateness(&self) -> Option<u64> {
        self.lowest_late.map(|start| self.highest_sacked - start)
    }

    /// Linux's order: the acknowledged ones by our own clock, then the sacked ones.
    pub fn conclude(&self, report: &mut Report) {
        let acknowledged = (self.acknowledged_oldest, self.acknowledged_newest);
        let sacked = (self.sacked_oldest, self.sacked_newest);
        let usable = acknowledged.0.is_some() && !self.acknowledged_again;
        (report.oldest_sent_at, report.newest_sent_at) = if usable { acknowledged } else { sacked };
    }
}
