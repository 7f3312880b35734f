//! The sender's side of loss recovery, against acknowledgements written out by hand; positions count segments.

mod laws;
mod probes;
mod undone;

use super::segment::Tally;
use super::*;
use std::time::Duration;

const MSS: u64 = 1000;
const FIRST: u64 = (1 << 32) + 1;

struct Bench {
    recovery: Recovery,
    now: Instant,
    una: u64,
    nxt: u64,
    rtt: Duration,
    /// What is sent at once leaves in one frame.
    frames: bool,
    /// Acknowledgements name whole segments only.
    whole: bool,
}

/// The position of a segment's first byte.
fn at(segment: u64) -> u64 {
    FIRST + segment * MSS
}

impl Bench {
    fn new(settings: LossRecovery, sack: bool) -> Bench {
        let rtt = Duration::from_millis(100);
        let (recovery, now) = (Recovery::new(settings, sack), Instant::from_secs(1));
        Bench { recovery, now, una: FIRST, nxt: FIRST, rtt, frames: false, whole: false }
    }

    fn sacking() -> Bench {
        Bench::new(LossRecovery::default(), true)
    }

    fn send(&mut self, segments: u64) {
        let (frames, each) = if self.frames { (1, segments) } else { (segments, 1) };
        for _ in 0..frames {
            self.recovery.on_sent(self.nxt, self.nxt + each * MSS, each as u32, self.now);
            self.nxt += each * MSS;
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    fn path(&self) -> Path {
        Path { mss: MSS, max_wnd: 1 << 20, min_rtt: Some(self.rtt), srtt: Some(self.rtt) }
    }

    /// An acknowledgement of everything before segment `una`, with blocks of whole segments.
    fn ack(&mut self, una: u64, blocks: &[(u64, u64)]) -> Report {
        let blocks: Vec<(u64, u64)> = blocks.iter().map(|(from, to)| (at(*from), at(*to))).collect();
        let duplicate = at(una) == self.una;
        self.una = self.una.max(at(una));
        self.recovery.on_acknowledged(&Ack {
            now: self.now,
            ack: at(una),
            una: self.una,
            nxt: self.nxt,
            blocks: &blocks,
            duplicate,
            repeated: duplicate,
            echoed: None,
            path: self.path(),
        })
    }

    /// Sends again what waits for it; gives the segments.
    fn repair(&mut self) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some((start, end, _)) = self.recovery.next_lost(MSS) {
            self.recovery.on_retransmitted(start, end, self.now);
            sent.push((start - FIRST) / MSS);
        }
        sent
    }

    fn pipe(&self) -> u64 {
        self.recovery.in_flight(MSS) / MSS
    }
}

#[test]
fn third_duplicate_marks_the_first_segment_and_partial_ack_the_next() {
    let mut bench = Bench::new(LossRecovery::default(), false);
    bench.send(10);
    bench.wait(100);
    let entered: Vec<_> = (0..5).map(|_| bench.ack(0, &[]).entered).collect();
    assert_eq!(entered, [None, None, Some(SendReason::FastRetransmit), None, None]);
    assert_eq!(bench.pipe(), 4, "ten, less one lost, less five departed");
    assert_eq!(bench.repair(), [0]);
    bench.wait(100);
    let report = bench.ack(3, &[]);
    assert_eq!((report.recovered, report.grows), (false, false));
    assert_eq!(bench.repair(), [3]);
    assert!(bench.ack(10, &[]).recovered && bench.recovery.is_empty() && bench.pipe() == 0);
}

#[test]
fn what_ends_a_recovery_counts_for_growth_where_the_window_was_set_at_its_beginning() {
    for sack in [true, false] {
        let mut bench = Bench::new(LossRecovery::default(), sack);
        bench.send(10);
        bench.wait(100);
        let blocks: &[(u64, u64)] = if sack { &[(1, 4)] } else { &[] };
        assert!((0..3).any(|_| bench.ack(0, blocks).entered.is_some()));
        bench.repair();
        bench.wait(100);
        let report = bench.ack(10, &[]);
        assert_eq!((report.recovered, report.grows), (true, sack), "RFC 6675 §5, RFC 5681 §3.2 step 6");
    }
}

/// RFC 6582 §3.2, step 1.
#[test]
fn duplicates_of_what_a_recovery_sent_twice_begin_no_other() {
    let mut bench = Bench::new(LossRecovery::default(), false);
    bench.send(4);
    assert!((0..3).any(|_| bench.ack(0, &[]).entered.is_some()));
    bench.repair();
    assert!(bench.ack(4, &[]).recovered);
    bench.send(4);
    assert!((0..5).all(|_| bench.ack(4, &[]).entered.is_none()));
    bench.ack(5, &[]);
    bench.send(4);
    assert!((0..3).any(|_| bench.ack(5, &[]).entered.is_some()), "but of what came later they do");
}

#[test]
fn after_a_timeout_nothing_that_is_sacked_goes_again() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(100);
    bench.ack(0, &[(2, 4)]);
    bench.wait(400);
    assert!(bench.recovery.on_timeout(bench.now, bench.una, bench.nxt, MSS));
    assert_eq!(bench.recovery.state(), CongestionState::Loss);
    assert_eq!(bench.pipe(), 0);
    assert_eq!(bench.repair(), [0, 1, 4, 5, 6, 7, 8, 9]);
    assert_eq!(bench.pipe(), 8);
}

/// RFC 8985 §6.3: a timeout says nothing about what left a moment ago.
#[test]
fn a_timeout_spares_what_has_had_no_time_to_arrive() {
    let mut bench = Bench::sacking();
    bench.send(4);
    bench.wait(100);
    bench.ack(1, &[]);
    bench.wait(250);
    bench.send(2);
    bench.wait(50);
    bench.recovery.on_timeout(bench.now, bench.una, bench.nxt, MSS);
    assert_eq!((bench.repair(), bench.pipe()), (vec![1, 2, 3], 5));
}

#[test]
fn three_sacked_segments_are_evident_loss_and_each_hole_is_found_at_once() {
    for rack in [true, false] {
        let mut bench = Bench::new(LossRecovery { rack, ..LossRecovery::default() }, true);
        bench.send(20);
        bench.wait(100);
        assert_eq!(bench.ack(0, &[(1, 2)]).entered, None);
        assert_eq!(bench.recovery.state(), CongestionState::Disorder);
        assert_eq!(bench.ack(0, &[(1, 3)]).entered, None);
        let why = if rack { SendReason::SentLaterArrived } else { SendReason::SackedBeyond };
        assert_eq!(bench.ack(0, &[(1, 4)]).entered, Some(why));
        assert_eq!((bench.repair(), bench.pipe()), (vec![0], 17));
        bench.ack(0, &[(10, 20), (6, 8), (1, 4)]);
        assert_eq!(bench.repair(), [4, 5, 8, 9], "ten holes or two: one round trip");
        bench.wait(100);
        assert!(bench.ack(20, &[]).recovered);
    }
}

/// RFC 8985 §6.2, step 5: counting would wait for two more, time does not.
#[test]
fn one_sacked_segment_is_enough_once_the_reordering_window_has_passed() {
    let mut bench = Bench::sacking();
    bench.send(2);
    bench.wait(100);
    let report = bench.ack(0, &[(1, 2)]);
    assert_eq!((report.entered, report.look_again_at), (None, Some(bench.now + Duration::from_millis(25))));
    bench.wait(25);
    let (now, nxt, path) = (bench.now, bench.nxt, bench.path());
    let report = bench.recovery.on_reordering_timeout(now, nxt, &path);
    assert_eq!(report.entered, Some(SendReason::SentLaterArrived));
    assert_eq!(bench.repair(), [0]);
}

#[test]
fn a_retransmission_that_is_lost_is_found_by_what_was_sent_after_it() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(100);
    bench.ack(0, &[(1, 4)]);
    assert_eq!(bench.repair(), [0]);
    bench.wait(1);
    bench.send(2);
    bench.wait(100);
    let report = bench.ack(0, &[(1, 12)]);
    assert!(report.lost_again && bench.repair() == [0]);
}

/// RFC 8985 §6.2, step 2: what was sent twice and comes at once answers the first transmission.
#[test]
fn an_answer_that_is_too_soon_judges_nothing() {
    let mut bench = Bench::sacking();
    bench.send(4);
    bench.wait(100);
    bench.ack(0, &[(1, 4)]);
    assert_eq!(bench.repair(), [0]);
    bench.send(1);
    bench.wait(1);
    let report = bench.ack(4, &[]);
    assert_eq!((report.lost, report.oldest_sent_at), (Tally::default(), None));
}

#[test]
fn reordering_that_was_seen_makes_room_for_more_of_it() {
    let mut bench = Bench::sacking();
    bench.send(20);
    bench.wait(100);
    bench.ack(0, &[(1, 2)]);
    let report = bench.ack(2, &[]);
    assert_eq!((report.reordered, bench.recovery.reordering()), (Some(2), 3));
    bench.wait(1);
    assert_eq!(bench.ack(2, &[(3, 13)]).entered, None, "ten late, and still no loss");
    assert_eq!(bench.ack(13, &[]).reordered, Some(11));
    assert_eq!(bench.recovery.reordering(), 11);
}

#[test]
fn a_duplicate_sack_widens_the_reordering_window_once_a_round() {
    let mut bench = Bench::sacking();
    bench.send(20);
    bench.wait(100);
    bench.ack(0, &[(1, 4)]);
    assert_eq!(bench.repair(), [0]);
    bench.ack(4, &[(5, 6)]);
    bench.ack(6, &[]);
    bench.ack(6, &[(0, 1)]);
    let report = bench.ack(6, &[(0, 1), (7, 8)]);
    assert_eq!(report.duplicates, 0, "more duplicates than retransmissions are not believed");
    assert_eq!(bench.recovery.counts().duplicates, 2);
}

/// RFC 2018 §8.
#[test]
fn a_peer_that_reneges_gets_everything_again() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(100);
    bench.ack(0, &[(2, 6)]);
    bench.repair();
    assert!(bench.ack(2, &[]).reneged, "what follows was sacked, and is not acknowledged");
    bench.wait(400);
    bench.recovery.on_timeout(bench.now, bench.una, bench.nxt, MSS);
    assert_eq!(bench.repair(), [2, 3, 4, 5, 6, 7, 8, 9]);
    bench.wait(100);
    bench.ack(10, &[]);
    assert_eq!((bench.recovery.state(), bench.pipe()), (CongestionState::Open, 0));
}

#[test]
fn karn_gives_no_sample_of_what_was_sent_twice_and_a_sacked_one_counts() {
    let mut bench = Bench::sacking();
    bench.send(1);
    bench.wait(5);
    bench.send(1);
    bench.wait(300);
    bench.recovery.on_timeout(bench.now, bench.una, bench.nxt, MSS);
    assert_eq!(bench.repair(), [0, 1]);
    assert_eq!(bench.ack(1, &[]).oldest_sent_at, None);
    bench.send(2);
    let sent = bench.now;
    bench.wait(100);
    assert_eq!(bench.ack(1, &[(3, 4)]).oldest_sent_at, Some(sent));
    let report = bench.ack(4, &[]);
    assert_eq!((report.oldest_sent_at, report.first_sent_at), (None, Some(sent)), "one of them was sent twice");
}

#[test]
fn a_smaller_mtu_cuts_what_is_sent_again_and_is_no_congestion() {
    let mut bench = Bench::sacking();
    bench.send(2);
    bench.recovery.on_smaller_mtu(600, bench.nxt);
    for (from, to) in [(0, 600), (600, 1000), (1000, 1600), (1600, 2000)] {
        assert_eq!(bench.recovery.next_lost(600), Some((FIRST + from, FIRST + to, SendReason::SmallerMtu)));
        bench.recovery.on_retransmitted(FIRST + from, FIRST + to, bench.now);
    }
    bench.wait(100);
    let report = bench.ack(2, &[]);
    assert_eq!((report.entered, report.recovered, bench.recovery.state()), (None, false, CongestionState::Open));
}

#[test]
fn an_ack_inside_a_segment_leaves_its_rest() {
    let mut bench = Bench::sacking();
    bench.send(2);
    bench.una += 500;
    let report = bench.ack(0, &[]);
    assert_eq!((report.acknowledged, report.delivered, bench.recovery.outstanding()), (500, 500, 1500));
}

/// However the peer cuts its blocks, they cost no more than what is outstanding.
#[test]
fn blocks_of_a_byte_mark_nothing_and_neighbours_become_one_entry() {
    let mut bench = Bench::sacking();
    bench.send(100);
    bench.wait(100);
    for byte in (1..99_999).step_by(7) {
        let report = bench.recovery.on_acknowledged(&Ack {
            blocks: &[(FIRST + byte, FIRST + byte + 1)],
            now: bench.now,
            ack: FIRST,
            una: FIRST,
            nxt: bench.nxt,
            duplicate: false,
            repeated: false,
            echoed: None,
            path: bench.path(),
        });
        assert_eq!(report.sacked, 0);
    }
    for segment in (1..100).rev() {
        bench.ack(0, &[(segment, segment + 1)]);
    }
    assert_eq!(bench.recovery.flight.entries(), 2);
}

#[test]
fn one_acknowledgement_of_many_segments_is_no_reordering() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(100);
    assert_eq!(bench.ack(10, &[]).reordered, None);
}
