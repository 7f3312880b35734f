//! The five states of recovery, and what an acknowledgement or a timer does in each.
//!
//! ```text
//!              something is sacked            loss is found
//!      OPEN -----------------------> DISORDER --------------> RECOVERY
//!        ^  <----------------------                               |
//!        |        all is acknowledged       a timeout, from any   | everything sent before the loss
//!        |                                        |               | was found is acknowledged
//!        |                                        v               |
//!        +--------------------------------------- LOSS            |
//!        +--------------------------------------------------------+
//! ```

use super::rack::{Circumstances, Detected};
use super::undo::ForwardRto;
use super::{Ack, News, Path, Recovery, Report};
use crate::event::{CongestionState, SendReason, SpuriousCause};
use crate::time::Instant;

impl Recovery {
    /// After the scoreboard has heard of the acknowledgement: what state are we in now?
    pub(super) fn judge(&mut self, ack: &Ack<'_>, news: &News, report: &mut Report) {
        let advanced = report.acknowledged > 0;
        // RFC 2018 §8: what lies right behind the cumulative acknowledgement was sacked, and is not acknowledged.
        if advanced && self.flight.first().is_some_and(|first| first.sacked) {
            report.reneged = true;
            return;
        }
        let before = self.state;
        self.leave(ack, report);
        self.count_duplicate(ack, report);
        if self.state == CongestionState::Loss {
            self.judge_timeout(ack, news, report);
        } else {
            self.judge_losses(ack, news, report);
        }
        if self.waits_for_proof(ack, report) {
            return;
        }
        self.find_losses(ack, report);
        let may_enter = match self.state {
            CongestionState::Open | CongestionState::Disorder | CongestionState::Cwr => true,
            CongestionState::Recovery => false,
            // Retransmissions are lost as well: that is another congestion event.
            CongestionState::Loss => report.lost.segments > 0 && report.lost_again,
        };
        if may_enter {
            self.enter_or_settle(ack, report);
        }
        let reduces = matches!(self.state, CongestionState::Recovery | CongestionState::Cwr);
        // RFC 5681 §3.2, step 6: what ends a recovery sets the window, and no more. RFC 6675 §5 has set it at the beginning:
        // the repair counts as any other delivery.
        let resets = report.recovered && !(self.sack && before == CongestionState::Recovery);
        report.grows = advanced && !resets && report.undone.is_none() && !reduces;
    }

    fn count_duplicate(&mut self, ack: &Ack<'_>, report: &mut Report) {
        let advanced = report.acknowledged > 0;
        if self.sack {
            self.newreno.count(ack.duplicate);
        } else if ack.duplicate {
            let before = self.newreno.departed();
            self.newreno.on_duplicate(self.flight.pipe().div_ceil(ack.path.mss));
            // What it stands for was delivered, though nobody knows which it was.
            report.delivered += self.newreno.departed().saturating_sub(before) * ack.path.mss;
        } else if advanced && self.state != CongestionState::Recovery {
            self.newreno.reset();
        }
    }

    /// RFC 6675 §5 (A) and RFC 6582 §3.2, step 3: a full acknowledgement ends the episode.
    fn leave(&mut self, ack: &Ack<'_>, report: &mut Report) {
        if ack.una < self.high {
            return;
        }
        match self.state {
            CongestionState::Open | CongestionState::Disorder | CongestionState::Loss => {}
            CongestionState::Cwr => {
                report.recovered = true;
                self.reopen();
            }
            CongestionState::Recovery => self.finish(ack, report),
        }
    }

    /// Everything that the episode was about is acknowledged; perhaps nothing of it had been lost.
    fn finish(&mut self, ack: &Ack<'_>, report: &mut Report) {
        match self.undo.by_duplicate_sacks().or(self.undo.by_timestamp(ack.echoed)) {
            Some(why) => self.take_back(why, report),
            None => {
                report.recovered = self.state == CongestionState::Recovery;
                self.rack.on_recovered();
            }
        }
        self.undo.close();
        self.reopen();
    }

    fn reopen(&mut self) {
        self.state = CongestionState::Open;
        self.newreno.reset();
        self.forward_rto = ForwardRto::Off;
        self.reneged = false;
    }

    /// RFC 4015: what was done because of the loss is taken back.
    fn take_back(&mut self, why: SpuriousCause, report: &mut Report) {
        report.undone = Some(why);
        self.undo.end();
        match why {
            SpuriousCause::Timestamp => self.rack.look_again(),
            SpuriousCause::DuplicateSack => {
                self.rack.look_again();
                self.rack.on_needless_recovery();
            }
            // The retransmission seemed to be delivered, and all that was sent before it seemed overdue.
            SpuriousCause::ForwardRto => self.rack.forget_newest(),
        }
    }

    /// A partial acknowledgement, or a D-SACK, may show that nothing was lost.
    fn judge_losses(&mut self, ack: &Ack<'_>, news: &News, report: &mut Report) {
        if let Some(why) = self.undo.by_duplicate_sacks() {
            // How late it was nobody knows any more.
            self.reordering_seen = self.reordering_seen.saturating_add(1);
            self.take_back(why, report);
        } else if let Some(why) = self.arrived_late(ack, report) {
            let before = ack.una - report.acknowledged;
            self.saw_reordering(news.highest_sacked.saturating_sub(before), ack.path.mss, report);
            if self.sums().again.segments == 0 {
                self.flight.forgive_losses();
                self.take_back(why, report);
            }
        }
        if report.undone.is_some() && self.state == CongestionState::Recovery {
            self.reopen();
        }
    }

    /// The first transmission of something arrived, and retransmissions are still on their way: until they are
    /// answered it is too early to call more lost.
    fn waits_for_proof(&self, ack: &Ack<'_>, report: &Report) -> bool {
        self.arrived_late(ack, report).is_some()
    }

    /// In a recovery: the first hole was filled by what had been sent first.
    fn arrived_late(&self, ack: &Ack<'_>, report: &Report) -> Option<SpuriousCause> {
        let filled = self.state == CongestionState::Recovery && report.acknowledged > 0;
        self.undo.by_timestamp(ack.echoed).filter(|_| filled)
    }

    /// After a timeout: was it needless (RFC 3522, RFC 5682), or is it over?
    fn judge_timeout(&mut self, ack: &Ack<'_>, news: &News, report: &mut Report) {
        let advanced = report.acknowledged > 0;
        let proof = self.undo.by_duplicate_sacks().or(self.undo.by_timestamp(ack.echoed)).filter(|_| advanced);
        let watched = self.forward_rto != ForwardRto::Off;
        // RFC 5682 §3.1, step 3b: not everything was lost, so that nothing was.
        let original = news.first_arrived_below(self.high) && watched;
        if let Some(why) = proof.or(original.then_some(SpuriousCause::ForwardRto)) {
            self.flight.forgive_losses();
            self.take_back(why, report);
            return self.reopen();
        }
        let recovered = ack.una >= self.high;
        if watched && ack.nxt > self.high {
            // Step 3a: new data arrived, and the hole before it is still there.
            if report.sacked > 0 || ack.duplicate {
                self.forward_rto = ForwardRto::Off;
            }
        } else if watched && advanced && !recovered {
            // Step 2b.
            (self.forward_rto, self.high) = (ForwardRto::Probing, ack.nxt);
            return;
        }
        if self.forward_rto == ForwardRto::Probing {
            self.forward_rto = ForwardRto::Retransmitted;
        }
        if recovered {
            self.finish(ack, report);
        }
    }

    fn find_losses(&mut self, ack: &Ack<'_>, report: &mut Report) {
        if self.flight.is_empty() {
            return;
        }
        if !self.sack {
            self.find_losses_by_duplicates(ack, report);
        } else if self.settings.rack {
            let window = self.rack.window(self.circumstances(&ack.with_sample(report)));
            if let Some(detected) = self.rack.detect_after_delivery(&mut self.flight, ack.now, window) {
                self.take_detected(detected, report);
            }
        } else {
            self.find_losses_by_counting(ack, report);
        }
    }

    fn take_detected(&mut self, detected: Detected, report: &mut Report) {
        report.lost = detected.lost;
        report.looked = true;
        report.look_again_at = detected.deadline;
        report.lost_again = detected.again;
    }

    fn circumstances(&self, path: &Path) -> Circumstances {
        let sacked = self.sums().sacked.segments;
        let in_recovery = matches!(self.state, CongestionState::Recovery | CongestionState::Loss);
        Circumstances {
            min_rtt: path.min_rtt.unwrap_or_default(),
            srtt: path.srtt.unwrap_or_default(),
            reordering_seen: self.reordering_seen > 0,
            loss_is_evident: in_recovery || self.settings.duplicate_threshold && sacked >= u64::from(self.reordering),
            fixed: self.settings.fixed_reordering_window,
        }
    }

    /// RFC 6582 §3.2: the third duplicate, or a partial acknowledgement in recovery, names the first segment.
    fn find_losses_by_duplicates(&mut self, ack: &Ack<'_>, report: &mut Report) {
        let why = match self.state {
            // Step 1: not twice for one window.
            CongestionState::Open | CongestionState::Disorder | CongestionState::Cwr
                if self.newreno.duplicates() >= self.reordering && ack.una > self.high =>
            {
                SendReason::FastRetransmit
            }
            CongestionState::Recovery if report.acknowledged > 0 => SendReason::PartialAck,
            CongestionState::Open
            | CongestionState::Disorder
            | CongestionState::Cwr
            | CongestionState::Recovery
            | CongestionState::Loss => return,
        };
        if self.flight.first().is_some_and(|first| first.lost.is_none()) {
            let before = self.flight.lose_first(ack.path.mss, why);
            before.iter().for_each(|before| report.lost.add(before));
            self.at_once = true;
        }
    }

    /// RFC 6675 §4, IsLost, where RACK is turned off.
    fn find_losses_by_counting(&mut self, ack: &Ack<'_>, report: &mut Report) {
        self.judged = self.judged.max(ack.una);
        let Some(limit) = self.flight.lost_below(self.reordering, ack.path.mss) else { return };
        while let Some(segment) = self.flight.first_unjudged(self.judged).filter(|segment| segment.end <= limit) {
            self.judged = segment.end;
            self.lose(segment.end, SendReason::SackedBeyond, report);
        }
    }

    fn lose(&mut self, end: u64, why: SendReason, report: &mut Report) {
        if let Some(before) = self.flight.lose(end, why) {
            report.lost.add(&before);
        }
    }

    /// RFC 6675 §5, step 4: recovery begins as soon as something is lost. Until then it is disorder, or nothing.
    fn enter_or_settle(&mut self, ack: &Ack<'_>, report: &mut Report) {
        match self.flight.next_waiting().and_then(|segment| segment.lost) {
            Some(why) => {
                report.entered = Some(why);
                report.reduced = self.state == CongestionState::Cwr;
                self.enter_recovery(ack.nxt);
            }
            None if self.state != CongestionState::Cwr => {
                let disorder = self.sums().sacked.bytes > 0 || self.newreno.departed() > 0;
                self.state = if disorder { CongestionState::Disorder } else { CongestionState::Open };
            }
            None => {}
        }
    }

    /// RFC 3168 §6.1.2: the network has marked something that was sent before. Once for each window of data, and not when
    /// a loss has been answered instead.
    pub fn enter_cwr(&mut self, nxt: u64) -> bool {
        let calm = matches!(self.state, CongestionState::Open | CongestionState::Disorder);
        if calm {
            (self.state, self.high) = (CongestionState::Cwr, nxt);
            self.undo.end();
        }
        calm
    }

    fn enter_recovery(&mut self, nxt: u64) {
        let una = self.flight.first().map_or(nxt, |first| first.start);
        self.undo.begin(una, self.sums().again.segments);
        self.state = CongestionState::Recovery;
        self.forward_rto = ForwardRto::Off;
        self.tlp.end();
        self.high = nxt;
        self.at_once = true;
    }

    /// RACK's reordering timer fired: nothing came that would have shown the order to have changed.
    pub fn on_reordering_timeout(&mut self, now: Instant, nxt: u64, path: &Path) -> Report {
        let mut report = Report::default();
        let window = self.rack.window(self.circumstances(path));
        let detected = self.rack.detect(&mut self.flight, now, window);
        self.take_detected(detected, &mut report);
        if report.lost.segments > 0 && self.state != CongestionState::Recovery {
            report.entered = Some(SendReason::SentLaterArrived);
            self.enter_recovery(nxt);
        }
        report
    }

    /// RFC 6298 §5.4, RFC 8985 §6.3: the first segment is lost, and all that is old enough to be. True when this is a
    /// loss of its own, and not part of one that congestion control has heard of.
    pub fn on_timeout(&mut self, now: Instant, una: u64, nxt: u64, mss: u64) -> bool {
        let usual = self.settings.reordering.max(1);
        let known = match self.state {
            CongestionState::Open | CongestionState::Disorder => false,
            CongestionState::Cwr | CongestionState::Recovery | CongestionState::Loss => una < self.high,
        };
        // What was taken for reordering was loss.
        let sacked = self.sums().sacked.segments;
        if matches!(self.state, CongestionState::Open | CongestionState::Disorder) && sacked >= u64::from(usual) {
            self.reordering = self.reordering.min(usual);
        }
        if self.flight.first().is_some_and(|first| first.sacked) {
            self.flight.distrust_sacks();
            self.reneged = true;
            self.lose_everything(SendReason::RetransmitTimeout);
        } else {
            self.lose_what_is_overdue(now, mss);
        }
        let fast = self.state != CongestionState::Recovery;
        if !known {
            self.undo.begin(una, self.sums().again.segments);
        }
        self.newreno.reset();
        self.settle_in_loss(nxt);
        // RFC 5682 §3.1, step 1: not in the middle of another recovery.
        if self.settings.frto && fast {
            self.forward_rto = ForwardRto::Retransmitted;
        }
        !known
    }

    fn settle_in_loss(&mut self, nxt: u64) {
        self.state = CongestionState::Loss;
        self.prr = None;
        self.forward_rto = ForwardRto::Off;
        self.tlp.end();
        self.high = nxt;
        self.at_once = true;
    }

    fn lose_what_is_overdue(&mut self, now: Instant, mss: u64) {
        let why = SendReason::RetransmitTimeout;
        self.flight.lose_first(mss, why);
        let by_time = self.sack && self.settings.rack;
        while let Some(oldest) = self.flight.oldest_travelling() {
            if by_time && !self.rack.is_overdue(now, &oldest) {
                break;
            }
            self.flight.lose(oldest.end, why);
        }
    }

    fn lose_everything(&mut self, why: SendReason) {
        let mut position = 0;
        while let Some(segment) = self.flight.first_unjudged(position) {
            position = segment.end;
            self.flight.lose(segment.end, why);
        }
        while let Some(oldest) = self.flight.oldest_travelling() {
            self.flight.lose(oldest.end, why);
        }
    }

    /// The peer's window was shut and is open: what it may have thrown away goes again. No sign of congestion.
    pub fn on_window_reopened(&mut self, nxt: u64) {
        while let Some(oldest) = self.flight.oldest_travelling() {
            self.flight.lose(oldest.end, SendReason::RetransmitTimeout);
        }
        self.flight.rate_mut().forget_losses();
        self.newreno.reset();
        self.undo.end();
        self.settle_in_loss(nxt);
    }

    /// The path takes less than `mss` bytes a segment: what is larger is lost (RFC 1191 §6.4). No sign of congestion.
    pub fn on_smaller_mtu(&mut self, mss: u64, nxt: u64) {
        let large = self.flight.larger_than(mss);
        if large.is_empty() {
            return;
        }
        for end in large {
            self.flight.lose(end, SendReason::SmallerMtu);
        }
        self.flight.rate_mut().forget_losses();
        self.undo.end();
        self.settle_in_loss(nxt);
        self.at_once = false;
    }
}
