//! The sender's side of loss recovery, against acknowledgements written out by hand; positions count segments.

use super::*;
use proptest::prelude::*;

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

/// What one side does in a random exchange.
#[derive(Clone, Debug)]
enum Step {
    Send(u64),
    Wait(u64),
    /// How far SND.UNA moves, and blocks as shares of what is outstanding.
    Ack(f64, Vec<(f64, f64)>),
    Repair(usize),
    Timeout,
    Reorder,
    SmallerMtu(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let blocks = proptest::collection::vec((0.0..1.2f64, 0.0..1.2f64), 0..4);
    prop_oneof![
        4 => (1u64..12).prop_map(Step::Send),
        4 => (0u64..120).prop_map(Step::Wait),
        8 => (prop_oneof![Just(0.0), 0.0..1.0f64], blocks).prop_map(|(share, blocks)| Step::Ack(share, blocks)),
        5 => (0usize..8).prop_map(Step::Repair),
        1 => Just(Step::Timeout),
        2 => Just(Step::Reorder),
        1 => (100u64..1100).prop_map(Step::SmallerMtu),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    /// Trap 4: whatever the peer claims, what is in flight adds up (debug builds count after each change), nothing
    /// panics, and once everything is acknowledged nothing is left.
    #[test]
    fn what_is_in_flight_adds_up_under_any_acknowledgements(
        steps in proptest::collection::vec(step(), 1..120), rack: bool, sack: bool, isn: u32,
    ) {
        let mut bench = Bench::new(LossRecovery { rack, ..LossRecovery::default() }, sack);
        (bench.una, bench.nxt) = ((1 << 32) + u64::from(isn), (1 << 32) + u64::from(isn));
        for step in steps {
            bench.act(step);
        }
        let (now, una, path) = (bench.now, bench.nxt, bench.path());
        let blocks = &[];
        let ack = Ack { now, ack: una, una, nxt: una, blocks, duplicate: false, repeated: false, echoed: None, path };
        bench.recovery.on_acknowledged(&ack);
        prop_assert!(bench.recovery.is_empty());
        prop_assert_eq!((bench.recovery.in_flight(MSS), *bench.recovery.sums()), (0, Sums::default()));
    }

    /// A frame of many segments is a matter of cost alone: every conclusion is that of single segments, but for what was
    /// in flight when a segment left, which is counted with all of its frame (draft-ietf-ccwg-bbr §4.1.3.1).
    #[test]
    fn segments_of_one_frame_fare_like_those_of_many(
        steps in proptest::collection::vec(step(), 1..120), rack: bool, sack: bool, isn: u32,
    ) {
        let side = |frames| {
            let mut bench = Bench::new(LossRecovery { rack, ..LossRecovery::default() }, sack);
            (bench.una, bench.nxt) = ((1 << 32) + u64::from(isn), (1 << 32) + u64::from(isn));
            (bench.frames, bench.whole) = (frames, true);
            bench
        };
        let (mut single, mut frames) = (side(false), side(true));
        for step in steps {
            let told = |report: Report| {
                Report { rate: report.rate.map(|rate| Sample { sent_in_flight: 0, ..rate }), ..report }
            };
            prop_assert_eq!(told(single.act(step.clone())), told(frames.act(step)));
            let facts = |bench: &Bench| (bench.recovery.state(), *bench.recovery.sums(), bench.recovery.next_lost(MSS));
            prop_assert_eq!(facts(&single), facts(&frames));
            prop_assert_eq!(single.recovery.last_segment(MSS), frames.recovery.last_segment(MSS));
        }
    }
}

impl Bench {
    fn act(&mut self, step: Step) -> Report {
        let out = self.nxt - self.una;
        match step {
            Step::Send(segments) => self.send(segments),
            Step::Wait(millis) => self.wait(millis),
            Step::Ack(share, blocks) => {
                let unit = if self.whole { MSS } else { 1 };
                let position = |share: f64| self.una + (share * out as f64) as u64 / unit * unit;
                let blocks: Vec<_> = blocks.iter().map(|(from, to)| (position(*from), position(*to))).collect();
                let una = position(share);
                let duplicate = una == self.una && out > 0;
                self.una = una;
                let (now, nxt, path) = (self.now, self.nxt, self.path());
                let ack = Ack {
                    now,
                    ack: una,
                    una,
                    nxt,
                    blocks: &blocks,
                    duplicate,
                    repeated: duplicate,
                    echoed: None,
                    path,
                };
                let report = self.recovery.on_acknowledged(&ack);
                assert!(report.delivered <= out && report.acknowledged <= out);
                return report;
            }
            Step::Repair(most) => {
                for _ in 0..most {
                    let Some((start, end, _)) = self.recovery.next_lost(MSS) else { break };
                    self.recovery.on_retransmitted(start, end, self.now);
                }
            }
            Step::Timeout if out > 0 => {
                self.recovery.on_timeout(self.now, self.una, self.nxt, MSS);
            }
            Step::Reorder => return self.recovery.on_reordering_timeout(self.now, self.nxt, &self.path()),
            Step::SmallerMtu(mss) => self.recovery.on_smaller_mtu(mss, self.nxt),
            Step::Reopen if out > 0 => self.recovery.on_window_reopened(self.nxt),
            Step::Timeout | Step::Reopen => {}
        }
        Report::default()
    }
}

#[test]
fn one_acknowledgement_of_many_segments_is_no_reordering() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(100);
    assert_eq!(bench.ack(10, &[]).reordered, None);
}

impl Bench {
    /// As [`ack`](Bench::ack), with a timestamp that went out so many milliseconds ago.
    fn ack_echoing(&mut self, una: u64, millis: u64) -> Report {
        self.una = self.una.max(at(una));
        let (now, ack, nxt, path) = (self.now, at(una), self.nxt, self.path());
        let echoed = Some(now - Duration::from_millis(millis));
        let una = self.una;
        let (duplicate, repeated) = (false, false);
        self.recovery.on_acknowledged(&Ack { now, ack, una, nxt, blocks: &[], duplicate, repeated, echoed, path })
    }

    fn time_out(&mut self) {
        self.recovery.on_timeout(self.now, self.una, self.nxt, MSS);
    }

    /// Sends again one segment of what waits for it.
    fn repair_one(&mut self) {
        let (start, end, _) = self.recovery.next_lost(MSS).expect("something is lost");
        self.recovery.on_retransmitted(start, end, self.now);
    }
}

/// RFC 3522 §3.2, with the lost marks of what was only late.
#[test]
fn a_timestamp_from_before_the_retransmission_takes_a_timeout_back() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(300);
    bench.time_out();
    bench.repair_one();
    bench.wait(10);
    let report = bench.ack_echoing(1, 310);
    assert_eq!(report.undone, Some(SpuriousCause::Timestamp));
    assert_eq!((bench.recovery.state(), bench.repair(), bench.pipe()), (CongestionState::Open, vec![], 9));
}

#[test]
fn a_timestamp_of_the_retransmission_proves_nothing() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(300);
    bench.time_out();
    bench.repair_one();
    bench.wait(100);
    assert_eq!(bench.ack_echoing(1, 100).undone, None);
    assert_eq!(bench.recovery.state(), CongestionState::Loss);
}

/// RFC 3708: not before the last of them.
#[test]
fn duplicates_of_every_retransmission_take_a_recovery_back() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(100);
    bench.ack(0, &[(2, 6)]);
    assert_eq!(bench.repair(), [0, 1]);
    bench.wait(10);
    assert_eq!(bench.ack(6, &[]).undone, None);
    bench.wait(90);
    assert_eq!(bench.ack(6, &[(0, 1)]).undone, None);
    assert_eq!(bench.ack(6, &[(1, 2)]).undone, Some(SpuriousCause::DuplicateSack));
    assert_eq!(bench.ack(6, &[(1, 2)]).undone, None, "once");
}

/// RFC 5682 §3.1.
#[test]
fn after_a_timeout_new_data_goes_first_and_what_was_sent_once_settles_it() {
    for spurious in [true, false] {
        let mut bench = Bench::sacking();
        bench.send(4);
        bench.wait(300);
        bench.time_out();
        bench.repair_one();
        bench.wait(10);
        bench.ack(1, &[]);
        assert!(bench.recovery.prefers_new_data() && !bench.recovery.holds_retransmissions(bench.nxt));
        bench.send(2);
        assert!(bench.recovery.holds_retransmissions(bench.nxt));
        bench.wait(10);
        let report = if spurious { bench.ack(2, &[]) } else { bench.ack(1, &[(4, 5)]) };
        assert_eq!(report.undone, spurious.then_some(SpuriousCause::ForwardRto));
        assert!(!bench.recovery.holds_retransmissions(bench.nxt));
        assert_eq!(bench.repair(), if spurious { vec![] } else { vec![1, 2, 3] });
    }
}

/// RFC 8985 §7.4.2, case by case: what a probe that was a retransmission may bring back.
#[test]
fn a_probe_that_repaired_a_loss_is_told_and_one_that_was_needless_is_not() {
    type Answers = &'static [(u64, &'static [(u64, u64)])];
    let rows: [(Answers, bool); 4] = [
        // Both arrived, and D-SACK says so; or a second acknowledgement without one.
        (&[(10, &[]), (10, &[(9, 10)]), (11, &[])], false),
        (&[(10, &[]), (10, &[]), (11, &[])], false),
        // One of them arrived.
        (&[(10, &[]), (11, &[])], true),
        // It shows a loss before it: recovery sees to that.
        (&[(8, &[(9, 10)]), (10, &[]), (11, &[])], false),
    ];
    for (answers, lost) in rows {
        let mut bench = Bench::sacking();
        bench.send(10);
        bench.wait(202);
        bench.recovery.on_probe_timeout();
        assert!(bench.recovery.probe_is_due());
        let (start, end) = bench.recovery.last_segment(MSS).expect("there is one");
        assert_eq!((start, end), (at(9), at(10)));
        bench.recovery.on_retransmitted(start, end, bench.now);
        bench.recovery.on_probe_sent(bench.nxt, true);
        bench.recovery.on_probe_timeout();
        assert!(!bench.recovery.probe_is_due(), "one at a time");
        bench.wait(100);
        let mut told = false;
        for (una, blocks) in answers {
            if *una == 11 {
                bench.send(1);
                bench.wait(100);
            }
            told |= bench.ack(*una, blocks).tail_lost;
            bench.repair();
        }
        assert_eq!(told, lost, "{answers:?}");
    }
}

#[test]
fn probes_wait_for_two_round_trips_and_are_for_calm_times() {
    let (srtt, delay, initial) = (Some(Duration::from_millis(100)), Duration::from_millis(200), Duration::from_secs(1));
    let mut bench = Bench::sacking();
    let timeout = |bench: &Bench, srtt| bench.recovery.probe_timeout(srtt, delay, initial).map(|span| span.as_millis());
    assert_eq!(timeout(&bench, srtt), None, "nothing is outstanding");
    bench.send(1);
    assert_eq!((timeout(&bench, srtt), timeout(&bench, None)), (Some(400), Some(1000)));
    bench.send(9);
    assert_eq!(timeout(&bench, srtt), Some(202));
    bench.wait(100);
    bench.ack(0, &[(1, 5)]);
    assert_eq!(timeout(&bench, srtt), None, "recovery looks after itself");
    let mut off = Bench::new(LossRecovery { tlp: false, ..LossRecovery::default() }, true);
    off.send(2);
    assert_eq!(timeout(&off, srtt), None);
}
