//! Laws: whatever is claimed, what is in flight adds up, and frames of many segments are a matter of cost alone.

use super::*;
use proptest::prelude::*;

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
        prop_assert_eq!((bench.recovery.in_flight(MSS), bench.recovery.sums()), (0, Sums::default()));
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
            let facts = |bench: &Bench| (bench.recovery.state(), bench.recovery.sums(), bench.recovery.next_lost(MSS));
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
