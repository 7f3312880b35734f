//! Loss recovery: *what is lost and what is in flight*. How much may be in flight is congestion control's business.
//!
//! An acknowledgement comes in as facts ([`Ack`]) and goes out as conclusions ([`Report`]): what was delivered, what is
//! lost, whether a recovery begins or ends. The connection tells congestion control, sets timers and sends.
//!
//! | file | idea | source |
//! |---|---|---|
//! | `facts` | what goes in, and what comes out | |
//! | `flight`, `segment` | the scoreboard, and the pipe that always adds up | RFC 6675 §4 |
//! | `news` | what an acknowledgement tells of segments | RFC 6298 §3, RFC 8985 §6.2 |
//! | `sack` | which blocks to believe; D-SACK | RFC 2018, 2883 |
//! | `rack` | lost is what was sent before something that arrived | RFC 8985 §6 |
//! | `newreno` | duplicate and partial acknowledgements, for peers without SACK | RFC 6582 |
//! | `tlp` | a probe when the end of a flight may be lost | RFC 8985 §7 |
//! | `prr` | how the window comes down | RFC 9937 |
//! | `rate` | how fast data arrives | draft-ietf-ccwg-bbr §4.1 |
//! | `undo` | proofs that it was no loss | RFC 3522, 5682, 3708, 4015 |
//! | `judge` | the five states, and what moves between them | RFC 6675 §5 |
//!
//! The states are Linux's ([`CongestionState`]): Open, Disorder (something is sacked), CWR, Recovery (fast) and Loss
//! (after a timeout). Where the RFCs leave room it does what Linux does.
//!
//! Invariants: the pipe is what the scoreboard counts; nothing that is sacked is sent again, unless the peer has
//! reneged; no acknowledgement costs more than what it tells (see `flight`).

mod facts;
mod flight;
mod judge;
mod newreno;
mod news;
mod prr;
mod rack;
mod rate;
mod sack;
mod segment;
mod segments;
#[cfg(test)]
mod tests;
mod tlp;
mod undo;

pub use facts::{Ack, LossRecovery, Path, Report};
pub use rack::whole_millis;
pub use rate::{LostSegment, Rate, Sample};
pub use segment::Sums;

use crate::event::{CongestionState, SendReason};
use crate::tcp::fold::folded;
use crate::time::Instant;
use flight::Flight;
use newreno::NewReno;
use news::News;
use prr::{Prr, Round};
use rack::Rack;
use sack::{Blocks, Space};
use tlp::TailLossProbe;
use undo::{ForwardRto, Undo};

#[derive(Clone, Debug)]
pub struct Recovery {
    settings: LossRecovery,
    /// The peer sends SACK blocks.
    sack: bool,
    state: CongestionState,
    /// RFC 6582's recover: SND.NXT when the state was last entered.
    high: u64,
    flight: Flight,
    newreno: NewReno,
    rack: Rack,
    tlp: TailLossProbe,
    undo: Undo,
    forward_rto: ForwardRto,
    /// How the window comes down, while it does.
    prr: Option<Box<Prr>>,
    /// How many segments late something came that had been sent once, and how often that was seen.
    reordering: u32,
    reordering_seen: u32,
    /// Everything that ends before is judged by RFC 6675's rule.
    judged: u64,
    /// The first retransmission of an episode goes whatever the window says.
    at_once: bool,
    /// The peer has reneged: until this loss is repaired no sacked mark counts for much.
    reneged: bool,
    counts: Counts,
}

folded!(Recovery {
    settings,
    sack,
    state,
    high,
    flight,
    newreno,
    rack,
    tlp,
    undo,
    forward_rto,
    prr,
    reordering,
    reordering_seen,
    judged,
    at_once,
    reneged,
    counts,
});

/// Totals, for `tcp_info`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Segments delivered, those that came twice included, and D-SACKs.
    pub delivered: u64,
    pub duplicates: u64,
    pub retransmissions: u64,
}

folded!(Counts { delivered, duplicates, retransmissions });

impl Recovery {
    pub fn new(settings: LossRecovery, sack: bool) -> Recovery {
        Recovery {
            settings,
            sack,
            state: CongestionState::Open,
            high: 0,
            flight: Flight::default(),
            newreno: NewReno::default(),
            rack: Rack::default(),
            tlp: TailLossProbe::default(),
            undo: Undo::default(),
            forward_rto: ForwardRto::Off,
            prr: None,
            reordering: settings.reordering.max(1),
            reordering_seen: 0,
            judged: 0,
            at_once: false,
            reneged: false,
            counts: Counts::default(),
        }
    }

    /// Nothing waits for an acknowledgement.
    pub fn is_empty(&self) -> bool {
        self.flight.is_empty()
    }

    /// Nothing is outstanding, and nobody is to be told of anything.
    pub fn is_at_rest(&self) -> bool {
        self.flight.is_at_rest()
    }

    pub fn state(&self) -> CongestionState {
        self.state
    }

    /// What is outstanding, and what became of it.
    pub fn sums(&self) -> Sums {
        self.flight.sums()
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    pub fn reordering(&self) -> u32 {
        self.reordering
    }

    /// How often something arrived after what was sent later.
    pub fn reordering_seen(&self) -> u32 {
        self.reordering_seen
    }

    /// Segments that left the network past a hole, told by SACK or, without it, by duplicate acknowledgements.
    pub fn sacked_segments(&self) -> u64 {
        if self.sack { self.sums().sacked.segments } else { self.newreno.departed() }
    }

    pub fn duplicates(&self) -> u32 {
        self.newreno.duplicates()
    }

    /// The last delivery rate that says something of the path.
    pub fn delivery_rate(&self) -> Option<Rate> {
        self.flight.rate().last()
    }

    /// Bytes delivered over the life of the connection.
    pub fn delivered(&self) -> u64 {
        self.flight.rate().delivered()
    }

    /// The segments judged lost since this was last asked, as they were when they left.
    pub fn take_losses(&mut self) -> Vec<LostSegment> {
        self.flight.rate_mut().take_losses()
    }

    /// draft-ietf-ccwg-bbr §4.1.2.4: there are only `unsent` bytes, while the window would take more, and nothing that
    /// is lost waits: samples of the delivery rate will be too low for a round trip.
    pub fn note_application_limit(&mut self, unsent: u64, window: u64, mss: u64) {
        let waiting = self.sums().lost.segments > self.sums().again.segments;
        if unsent < mss && self.in_flight(mss) < window && !waiting {
            self.limit_rate(mss);
        }
    }

    /// The same, since congestion control itself holds back.
    pub fn limit_rate(&mut self, mss: u64) {
        let in_flight = self.in_flight(mss);
        self.flight.rate_mut().limit_by_application(in_flight);
    }

    /// Sent and not acknowledged, in bytes, lost or not.
    pub fn outstanding(&self) -> u64 {
        self.sums().outstanding.bytes
    }

    /// What is believed to be in the network (RFC 6675 §4 calls it pipe), with segments of `mss` bytes.
    pub fn in_flight(&self, mss: u64) -> u64 {
        self.flight.pipe().saturating_sub(self.newreno.departed() * mss)
    }

    /// How many bytes may be in flight, while the window comes down.
    pub fn window(&self) -> Option<u64> {
        self.prr.as_ref().map(|prr| prr.window())
    }

    /// Congestion control has heard of a loss, and wants the window to come down to `ssthresh`: as what is delivered
    /// allows. `delivered` is what the acknowledgement told that began it.
    pub fn reduce(&mut self, ssthresh: u64, delivered: u64) {
        // RFC 9937 §6: RecoverFS, without what had been sacked before.
        let sums = self.sums();
        let prr = Prr::new(sums.outstanding.bytes - sums.sacked.bytes + delivered, ssthresh);
        self.prr = Some(Box::new(prr));
    }

    /// So much was delivered, whatever it is that tells so.
    pub fn on_delivered_in_reduction(&mut self, delivered: u64, safe: bool, mss: u64) {
        let in_flight = self.in_flight(mss);
        if let Some(prr) = &mut self.prr {
            prr.on_delivered(Round { delivered, safe, in_flight, mss });
        }
    }

    /// RFC 5682 §3.1, step 2b: new data goes first; and once it has, nothing goes again before it is answered.
    pub fn prefers_new_data(&self) -> bool {
        self.forward_rto == ForwardRto::Probing
    }

    pub fn holds_retransmissions(&self, nxt: u64) -> bool {
        self.prefers_new_data() && nxt > self.high
    }

    /// A retransmission or a probe waits to leave.
    pub fn has_something_to_send(&self) -> bool {
        self.probe_is_due() || self.has_waiting()
    }

    /// A segment that was lost waits to be sent again.
    pub fn has_waiting(&self) -> bool {
        self.flight.has_waiting()
    }

    /// The next retransmission goes whatever the window says.
    pub fn goes_at_once(&self) -> bool {
        self.at_once
    }

    /// New data (or FIN) left, in a frame of `count` segments.
    pub fn on_sent(&mut self, start: u64, end: u64, count: u32, at: Instant) {
        self.flight.send(start, end, count, at);
        if let Some(prr) = &mut self.prr {
            prr.on_sent(end - start);
        }
    }

    /// The next segment to send again, at most `limit` bytes of it: its range and why.
    pub fn next_lost(&self, limit: u64) -> Option<(u64, u64, SendReason)> {
        let segment = self.flight.next_waiting()?;
        Some((segment.start, segment.end.min(segment.start + limit), segment.lost?))
    }

    /// `start..end` was sent again; a segment that was cut leaves its rest as it was. True when it is the first one.
    pub fn on_retransmitted(&mut self, start: u64, end: u64, at: Instant) -> bool {
        self.flight.send_again(start, end, at);
        self.undo.on_retransmitted(at);
        if let Some(prr) = &mut self.prr {
            prr.on_sent(end - start);
        }
        if self.forward_rto == ForwardRto::Probing {
            // RFC 5682 §3.1, step 2b: there was nothing new to send.
            self.forward_rto = ForwardRto::Off;
        }
        self.at_once = false;
        self.counts.retransmissions += 1;
        self.flight.first().is_some_and(|first| first.start == start)
    }

    /// An acknowledgement came, with news or without.
    pub fn on_acknowledged(&mut self, ack: &Ack<'_>) -> Report {
        let mut report = Report::default();
        let space = Space { ack: ack.ack, una: ack.una, nxt: ack.nxt, max_wnd: ack.path.max_wnd };
        let blocks =
            if self.sack && !ack.blocks.is_empty() { Blocks::read(ack.blocks, space) } else { Blocks::default() };
        let mut news = News::of(&self.flight);
        let answered = blocks.duplicate.is_some_and(|block| self.tlp.is_answered_by(block));
        if let Some(duplicate) = blocks.duplicate {
            self.take_duplicate_sack(ack, duplicate, answered, &mut report);
        }
        self.take_cumulative(ack, &mut news, &mut report);
        self.take_blocks(ack, &blocks, &mut news, &mut report);
        news.conclude(&mut report);
        self.note_reordering(ack, &news, &mut report);
        report.tail_lost = self.hear_of_probe(ack, &report, answered);
        self.judge(ack, &news, &mut report);
        report.rate = self.flight.rate_mut().sample(ack.now, report.delivered, news.newest.as_ref(), ack.path.min_rtt);
        if !matches!(self.state, CongestionState::Recovery | CongestionState::Cwr) {
            self.prr = None;
        }
        report
    }

    fn take_cumulative(&mut self, ack: &Ack<'_>, news: &mut News, report: &mut Report) {
        let before = self.outstanding();
        let (rack, mut segments) = (&mut self.rack, 0);
        report.delivered += self.flight.acknowledge(ack.una, ack.path.mss, |segment| {
            // The echo is that of the segment at the left edge, whatever else is acknowledged (RFC 7323 §4.3).
            let echoed = ack.echoed.filter(|_| report.first_sent_at.is_none());
            report.first_sent_at.get_or_insert(segment.sent_at);
            segments += u64::from(segment.count);
            news.acknowledged(segment);
            if !segment.sacked {
                self.counts.delivered += u64::from(segment.count);
                rack.on_delivered(ack.now, segment, ack.path.min_rtt, echoed);
            }
        });
        report.acknowledged = before - self.outstanding();
        if !self.sack && report.acknowledged > 0 {
            // One acknowledged segment filled the hole, the others had been counted as duplicates told of them.
            let known = self.newreno.departed() * ack.path.mss;
            report.delivered = report.delivered.saturating_sub(known).max(report.delivered.min(ack.path.mss));
        }
        if report.acknowledged > 0 {
            self.newreno.on_progress(segments);
        }
    }

    fn take_blocks(&mut self, ack: &Ack<'_>, blocks: &Blocks, news: &mut News, report: &mut Report) {
        for (start, end) in &blocks.sacked {
            self.flight.sack(*start, *end, ack.path.mss, |segment| {
                news.sacked(segment);
                report.sacked += segment.len();
                self.counts.delivered += u64::from(segment.count);
                self.rack.on_delivered(ack.now, segment, ack.path.min_rtt, None);
            });
        }
        report.delivered += report.sacked;
        let head = self.flight.first().map(|first| first.sent_at);
        report.sacked_older = news.sacked_oldest.is_some_and(|sent| head.is_some_and(|head| sent < head));
    }

    /// RFC 2883: a retransmission, or the network's copy of something, was needless.
    fn take_duplicate_sack(&mut self, ack: &Ack<'_>, (start, end): (u64, u64), answered: bool, report: &mut Report) {
        let segments = (end - start).div_ceil(ack.path.mss);
        self.counts.duplicates += segments;
        // More duplicates than there were retransmissions: the network, or the peer, makes them up.
        if self.counts.duplicates > self.counts.retransmissions {
            return;
        }
        report.duplicates = segments;
        self.counts.delivered += segments;
        if end <= ack.una || self.flight.was_sent_again(end) {
            self.undo.on_duplicate_sack(end, segments);
        }
        // A probe is sent by the timer, and says nothing about the reordering window.
        if self.reordering_seen > 0 && !answered {
            self.rack.on_duplicate_sack(ack.una, ack.nxt);
        }
    }

    /// RFC 8985 §6.2, step 3: something sent once arrived after something that was sent later.
    fn note_reordering(&mut self, ack: &Ack<'_>, news: &News, report: &mut Report) {
        if let Some(distance) = news.lateness().filter(|_| self.sack) {
            self.saw_reordering(distance, ack.path.mss, report);
        }
    }

    /// So many bytes of what was sent later had arrived before.
    fn saw_reordering(&mut self, distance: u64, mss: u64, report: &mut Report) {
        let segments = u32::try_from(distance.div_ceil(mss)).unwrap_or(u32::MAX);
        self.reordering_seen = self.reordering_seen.saturating_add(1);
        self.reordering = self.reordering.max(segments.min(self.settings.max_reordering));
        report.reordered = Some(segments);
    }
}
