//! The state machine, step by step in virtual time; its bounds.

use super::*;
use crate::event::testing::Bench;
use crate::frame::Payload;
use NeighbourState::{Delay, Failed, Incomplete, Probe, Reachable, Stale, Unknown};
use proptest::prelude::*;
use std::net::Ipv4Addr;

const A: MacAddress = MacAddress([2, 0, 0, 0, 0, 0xa]);
const B: MacAddress = MacAddress([2, 0, 0, 0, 0, 0xb]);
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// One thing that happens to an entry.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Answer(MacAddress),
    /// A gratuitous message.
    Hint(MacAddress),
    /// A message to us.
    HintToUs(MacAddress),
    Confirm,
    Doubt,
    /// So many seconds pass, every deadline in them kept.
    Pass(f64),
}

struct Cache {
    bench: Bench,
    neighbours: Neighbours,
    /// Questions asked; true when everybody was.
    asked: Vec<bool>,
    /// Packets that may leave.
    left: usize,
}

impl Cache {
    fn new(config: Config) -> Cache {
        Cache { bench: Bench::new(), neighbours: Neighbours::new(config), asked: Vec::new(), left: 0 }
    }

    fn step(&mut self, step: Step) {
        self.step_at(PEER, step);
    }

    fn step_at(&mut self, address: IpAddr, step: Step) {
        let neighbours = &mut self.neighbours;
        self.left += match step {
            Step::Send => self.bench.run(|cx| {
                let frame = Frame::new(cx.begin_frame(), Payload::default());
                let known = neighbours.resolve(cx, address).is_some();
                if !known {
                    neighbours.keep(cx, address, frame);
                }
                usize::from(known)
            }),
            Step::Answer(mac) => self.bench.run(|cx| neighbours.handle_answer(cx, address, mac).len()),
            Step::Hint(mac) => self.bench.run(|cx| neighbours.handle_hint(cx, address, mac, false).len()),
            Step::HintToUs(mac) => self.bench.run(|cx| neighbours.handle_hint(cx, address, mac, true).len()),
            Step::Confirm => {
                self.bench.run(|cx| neighbours.confirm(cx, address));
                0
            }
            Step::Doubt => {
                self.bench.run(|cx| neighbours.doubt(cx, address));
                0
            }
            Step::Pass(seconds) => {
                self.pass(Duration::from_secs_f64(seconds));
                0
            }
        };
        self.asked.extend(std::iter::from_fn(|| self.neighbours.poll_solicitation()).map(|asked| asked.to.is_none()));
    }

    fn pass(&mut self, span: Duration) {
        let end = self.bench.now + span;
        while let Some(at) = self.neighbours.next_deadline().filter(|at| *at <= end) {
            self.bench.now = at;
            self.bench.run(|cx| self.neighbours.handle_timeout(cx));
            self.asked
                .extend(std::iter::from_fn(|| self.neighbours.poll_solicitation()).map(|asked| asked.to.is_none()));
        }
        self.bench.now = end;
    }

    fn state(&mut self, address: IpAddr) -> NeighbourState {
        self.neighbours.table.entry(address).map_or(Unknown, |entry| entry.state)
    }
}

/// Its name; each step with the state, the questions asked and the packets let go after it.
type Story = (&'static str, &'static [(Step, NeighbourState, usize, usize)]);

#[test]
fn each_step_leads_where_the_rfc_says() {
    use Step::{Answer, Confirm, Doubt, Hint, HintToUs, Pass, Send};
    // Seconds: 45 is more than any reachable time can be, 14 less.
    let table: &[Story] = &[
        ("resolved and used", &[(Send, Incomplete, 1, 0), (Answer(A), Reachable, 1, 1), (Send, Reachable, 1, 2)]),
        (
            "all that waited goes",
            &[
                (Send, Incomplete, 1, 0),
                (Send, Incomplete, 1, 0),
                (Pass(0.5), Incomplete, 1, 0),
                (Answer(A), Reachable, 1, 2),
            ],
        ),
        (
            "asked three times, a second apart, then given up",
            &[
                (Send, Incomplete, 1, 0),
                (Pass(1.0), Incomplete, 2, 0),
                (Pass(1.0), Incomplete, 3, 0),
                (Pass(0.9), Incomplete, 3, 0),
                (Pass(0.1), Failed, 3, 0),
                (Pass(100.0), Failed, 3, 0),
                (Send, Incomplete, 4, 0),
                (Answer(A), Reachable, 4, 1),
            ],
        ),
        (
            "a new try keeps to the rate limit",
            &[
                (Send, Incomplete, 1, 0),
                (Pass(3.0), Failed, 3, 0),
                (Send, Incomplete, 4, 0),
                (Pass(0.99), Incomplete, 4, 0),
                (Pass(0.01), Incomplete, 5, 0),
            ],
        ),
        (
            "stale, delayed, probed alone, answered",
            &[
                (Send, Incomplete, 1, 0),
                (Answer(A), Reachable, 1, 1),
                (Pass(14.0), Reachable, 1, 1),
                (Pass(45.0), Reachable, 1, 1),
                (Send, Delay, 1, 2),
                (Pass(4.9), Delay, 1, 2),
                (Pass(0.1), Probe, 2, 2),
                (Send, Probe, 2, 3),
                (Answer(A), Reachable, 2, 3),
            ],
        ),
        (
            "probed in vain",
            &[
                (HintToUs(A), Stale, 0, 0),
                (Send, Delay, 0, 1),
                (Pass(5.0), Probe, 1, 1),
                (Pass(2.0), Probe, 3, 1),
                (Pass(1.0), Failed, 3, 1),
            ],
        ),
        (
            "an upper layer spares the questions",
            &[
                (HintToUs(A), Stale, 0, 0),
                (Send, Delay, 0, 1),
                (Pass(4.0), Delay, 0, 1),
                (Confirm, Reachable, 0, 1),
                (Pass(14.0), Reachable, 0, 1),
                (Confirm, Reachable, 0, 1),
                (Pass(14.0), Reachable, 0, 1),
                (Send, Reachable, 0, 2),
            ],
        ),
        (
            "an upper layer doubts, and it answers",
            &[
                (Send, Incomplete, 1, 0),
                (Answer(A), Reachable, 1, 1),
                (Pass(2.0), Reachable, 1, 1),
                (Doubt, Probe, 2, 1),
                (Doubt, Probe, 2, 1),
                (Answer(A), Reachable, 2, 1),
            ],
        ),
        (
            "an upper layer doubts, and is right",
            &[
                (HintToUs(A), Stale, 0, 0),
                (Doubt, Probe, 1, 0),
                (Pass(2.0), Probe, 3, 0),
                (Pass(1.0), Failed, 3, 0),
                (Doubt, Failed, 3, 0),
            ],
        ),
        ("who is not known cannot be doubted", &[(Doubt, Unknown, 0, 0)]),
        (
            "a confirmation in time of probing counts",
            &[(HintToUs(A), Stale, 0, 0), (Send, Delay, 0, 1), (Pass(5.5), Probe, 1, 1), (Confirm, Reachable, 1, 1)],
        ),
        (
            "who is not known cannot be confirmed",
            &[(Confirm, Unknown, 0, 0), (Send, Incomplete, 1, 0), (Confirm, Incomplete, 1, 0)],
        ),
        ("a stranger is not remembered", &[(Hint(A), Unknown, 0, 0), (Answer(A), Unknown, 0, 0)]),
        ("a gratuitous message answers a question", &[(Send, Incomplete, 1, 0), (Hint(A), Delay, 1, 1)]),
        (
            "the same address again is no news",
            &[(Send, Incomplete, 1, 0), (Answer(A), Reachable, 1, 1), (Hint(A), Reachable, 1, 1)],
        ),
        (
            "a new address is stale",
            &[(Send, Incomplete, 1, 0), (Answer(A), Reachable, 1, 1), (Hint(B), Stale, 1, 1), (Send, Delay, 1, 2)],
        ),
        (
            "a new address is stale although the old one was just confirmed",
            &[
                (Send, Incomplete, 1, 0),
                (Answer(A), Reachable, 1, 1),
                (Confirm, Reachable, 1, 1),
                (Send, Reachable, 1, 2),
                (Hint(B), Stale, 1, 2),
                (Send, Delay, 1, 3),
                (Confirm, Reachable, 1, 3),
                (Confirm, Reachable, 1, 3),
                (Doubt, Probe, 1, 3),
                (Confirm, Reachable, 1, 3),
            ],
        ),
        (
            "an answer that nobody asked for is a hint",
            &[(Send, Incomplete, 1, 0), (Answer(A), Reachable, 1, 1), (Answer(B), Stale, 1, 1)],
        ),
        (
            "who comes back after failing is stale",
            &[(Send, Incomplete, 1, 0), (Pass(3.0), Failed, 3, 0), (Hint(A), Stale, 3, 0), (Send, Delay, 3, 1)],
        ),
        (
            "what is unused for long is forgotten",
            &[(HintToUs(A), Stale, 0, 0), (Pass(599.0), Stale, 0, 0), (Pass(1.0), Unknown, 0, 0)],
        ),
        (
            "what is used is kept",
            &[
                (Send, Incomplete, 1, 0),
                (Answer(A), Reachable, 1, 1),
                (Pass(500.0), Reachable, 1, 1),
                (Send, Delay, 1, 2),
                (Confirm, Reachable, 1, 2),
                (Pass(500.0), Reachable, 1, 2),
                (Pass(200.0), Unknown, 1, 2),
            ],
        ),
    ];
    for (story, steps) in table {
        let mut cache = Cache::new(Config::default());
        for (number, (step, state, asked, left)) in steps.iter().enumerate() {
            cache.step(*step);
            let found = (cache.state(PEER), cache.asked.len(), cache.left);
            assert_eq!(found, (*state, *asked, *left), "{story}: step {number}, {step:?}");
        }
    }
}

#[test]
fn everybody_is_asked_for_a_stranger_and_one_alone_for_an_acquaintance() {
    let mut cache = Cache::new(Config::default());
    cache.step(Step::Send);
    assert_eq!(cache.asked, [true]);
    let mut cache = Cache::new(Config::default());
    for step in [Step::HintToUs(A), Step::Send, Step::Pass(6.0)] {
        cache.step(step);
    }
    assert_eq!(cache.asked, [false, false]);
}

#[test]
fn the_reachable_time_lies_between_half_and_one_and_a_half() {
    let mut cache = Cache::new(Config::default());
    cache.step(Step::Send);
    cache.step(Step::Answer(A));
    let until = cache.neighbours.table.entry(PEER).expect("it answered").reachable_until;
    assert!((Duration::from_secs(15)..=Duration::from_secs(45)).contains(&until.since(Instant::ZERO)), "{until}");
    assert_ne!(until, Instant::from_secs(30), "drawn, not given");
}

#[test]
fn the_oldest_packet_gives_way_and_a_failure_hands_back_the_rest() {
    let mut cache = Cache::new(Config { waiting: 3, ..Config::default() });
    for _ in 0..5 {
        cache.step(Step::Send);
    }
    assert_eq!(cache.bench.drops(), [DropReason::NeighbourQueueFull; 2]);
    cache.step(Step::Pass(3.0));
    assert_eq!(cache.bench.drops(), [DropReason::NeighbourUnreachable; 3]);
    let failure = cache.neighbours.poll_failure().expect("given up");
    let ids: Vec<u64> = failure.frames.iter().map(|frame| frame.id().0).collect();
    assert_eq!((failure.address, ids), (PEER, vec![3, 4, 5]));
    assert!(cache.neighbours.poll_failure().is_none());
    assert_eq!(cache.neighbours.waiting, 0);
}

#[test]
fn moves_are_told_with_both_states() {
    let mut cache = Cache::new(Config::default());
    cache.step(Step::Send);
    cache.step(Step::Answer(A));
    assert_eq!(cache.bench.moves(), [(PEER, Unknown, Incomplete), (PEER, Incomplete, Reachable)]);
}

fn stranger(i: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + i).into()
}

#[test]
fn a_flood_of_strangers_pushes_out_neither_memory_nor_friends() {
    let mut cache = Cache::new(Config { capacity: 16, ..Config::default() });
    cache.step(Step::Send);
    cache.step(Step::Answer(A));
    for i in 0..1000 {
        cache.step_at(stranger(i), Step::HintToUs(B));
    }
    assert_eq!((cache.neighbours.table.len(), cache.state(PEER)), (16, Reachable));
    // We want to reach them all: those that do not answer give way to one another.
    for i in 0..1000 {
        cache.step_at(stranger(i), Step::Send);
    }
    assert_eq!((cache.neighbours.table.len(), cache.state(PEER)), (16, Reachable));
    // Strangers that only talk to us do not push out what is waited for.
    let waiting = cache.neighbours.waiting;
    cache.step_at(stranger(5000), Step::HintToUs(B));
    assert_eq!((cache.state(stranger(5000)), cache.neighbours.waiting), (Unknown, waiting));
    cache.pass(Duration::from_secs(3));
    assert_eq!(cache.neighbours.waiting, 0);
}

#[test]
fn what_waits_in_all_is_bounded() {
    let mut cache = Cache::new(Config { waiting_in_all: 10, ..Config::default() });
    for i in 0..100 {
        cache.step_at(stranger(i), Step::Send);
    }
    assert_eq!((cache.neighbours.waiting, cache.bench.drops().len()), (10, 90));
}

proptest! {
    /// Whatever happens: bounds hold, packets are neither lost in silence nor doubled, and nobody is asked for more
    /// than once a second.
    #[test]
    fn any_story_keeps_the_bounds(steps in proptest::collection::vec((0u32..6, 0usize..6, 0.0..4.0f64), 1..200)) {
        let mut cache = Cache::new(Config { capacity: 4, waiting: 3, waiting_in_all: 8, ..Config::default() });
        let (mut sent, mut last_asked) = (0, std::collections::BTreeMap::new());
        for (who, what, seconds) in steps {
            let step = [Step::Send, Step::Answer(A), Step::Hint(B), Step::HintToUs(A), Step::Confirm, Step::Pass(seconds)][what];
            sent += usize::from(matches!(step, Step::Send));
            cache.step_at(stranger(who), step);
            prop_assert!(cache.neighbours.table.len() <= 4);
            prop_assert!(cache.neighbours.waiting <= 8);
            for i in 0..6 {
                if let Some(entry) = cache.neighbours.table.entry(stranger(i)) {
                    prop_assert!(entry.waiting.len() <= 3);
                    if let (Some(now), Some(before)) = (entry.last_asked, last_asked.insert(i, entry.last_asked).flatten()) {
                        prop_assert!(now == before || now.since(before) >= Duration::from_secs(1));
                    }
                } else {
                    last_asked.remove(&i);
                }
            }
        }
        prop_assert_eq!(sent, cache.left + cache.neighbours.waiting + cache.bench.drops().len());
        cache.pass(Duration::from_secs(2000));
        prop_assert_eq!((cache.neighbours.table.len(), cache.neighbours.next_deadline()), (0, None), "all is forgotten in the end");
    }
}
