//! The state machine against a path that is made of numbers: one acknowledgement a round, each with a sample. The cases
//! are those of Appendix A of the draft.

use super::*;
use crate::tcp::congestion::testing::start;

const RTT: Duration = Duration::from_millis(100);
const MSS: u64 = 1000;

/// A connection and what its peer tells it.
struct Path {
    bbr: Bbr,
    now: Instant,
    delivered: u64,
}

/// A round: how fast data arrives, in bytes a second, and what is then in flight.
#[derive(Clone, Copy)]
struct Round {
    rate: u64,
    in_flight: u64,
    rtt: Duration,
    application_limited: bool,
    lost: u64,
    cwnd_limited: bool,
}

fn at(rate: u64) -> Round {
    let in_flight = model::volume(rate, RTT) * 99 / 100;
    Round { rate, in_flight, rtt: RTT, application_limited: false, lost: 0, cwnd_limited: false }
}

impl Path {
    fn new() -> Path {
        let bbr = Bbr::new(&Start { rtt: Some(RTT), ..start() });
        Path { bbr, now: Instant::ZERO, delivered: 0 }
    }

    fn pass(&mut self, round: Round) -> &'static str {
        self.now += RTT;
        let prior_delivered = self.delivered;
        let bytes = model::volume(round.rate, RTT);
        self.delivered += bytes;
        if round.lost > 0 {
            self.lose(round);
        }
        // Ever shorter by next to nothing, so that the shortest is never old.
        let shorter = Duration::from_nanos(self.now.as_millis() / 100);
        let rate = RateSample {
            delivered: bytes,
            interval: RTT,
            prior_delivered,
            lost: round.lost,
            sent_in_flight: round.in_flight,
            application_limited: round.application_limited,
        };
        self.bbr.on_delivered(&Acknowledged {
            bytes,
            lost: round.lost,
            delivered: self.delivered,
            in_flight: round.in_flight,
            rtt: Some(round.rtt - if round.rtt > RTT { Duration::ZERO } else { shorter }),
            cwnd_limited: round.cwnd_limited,
            rate: Some(rate),
            ..Acknowledged::new(self.now)
        });
        self.bbr.phase()
    }

    /// One acknowledgement more in the same round.
    fn more(&mut self, round: Round) -> &'static str {
        let before = RateSample {
            delivered: 1,
            interval: RTT,
            prior_delivered: 0,
            lost: 0,
            sent_in_flight: round.in_flight,
            application_limited: false,
        };
        self.bbr.on_delivered(&Acknowledged {
            delivered: self.delivered,
            in_flight: round.in_flight,
            cwnd_limited: round.cwnd_limited,
            rate: Some(before),
            ..Acknowledged::new(self.now)
        });
        self.bbr.phase()
    }

    fn lose(&mut self, round: Round) {
        let mut lost = 0;
        while lost < round.lost {
            lost += MSS;
            self.bbr.on_segment_lost(&LostSegment {
                now: self.now,
                len: MSS,
                sent_in_flight: round.in_flight,
                lost,
                delivered: self.delivered,
                application_limited: round.application_limited,
            });
        }
        self.bbr.on_lost(self.now, round.in_flight);
    }

    /// Startup and Drain on a path of so many bytes a second.
    fn cruising(rate: u64) -> Path {
        let mut path = Path::new();
        path.run_until("ProbeBW_CRUISE", at(rate));
        path
    }

    fn run_until(&mut self, phase: &str, round: Round) {
        for _ in 0..100 {
            if self.pass(round) == phase {
                return;
            }
        }
        panic!("never {phase}, but {}", self.bbr.phase());
    }
}

// A.1, A.3
#[test]
fn startup_ends_when_three_rounds_bring_no_quarter_more() {
    let mut path = Path::new();
    let rates = [100_000, 250_000, 600_000, 1_000_000, 1_010_000, 1_000_000, 1_005_000];
    let mut queued = at(0);
    let phases: Vec<_> = rates
        .iter()
        .map(|rate| {
            queued = Round { in_flight: 300_000, ..at(*rate) };
            path.pass(queued)
        })
        .collect();
    assert_eq!(phases[..6], ["Startup"; 6]);
    assert_eq!(phases[6], "Drain");
    assert_eq!(path.bbr.max_bw.max(), 1_010_000);
    assert_eq!(path.bbr.pacing_rate, 1_010_000 / 2 * 99 / 100, "half as fast");
    let drained = Round { in_flight: 99_000, ..queued };
    assert_eq!(path.pass(drained), "ProbeBW_CRUISE", "the queue is gone, so there is nothing to go down for");
}

// A.4
#[test]
fn drain_ends_after_three_rounds_whatever_is_in_flight() {
    let mut path = Path::new();
    let queued = Round { in_flight: 300_000, ..at(1_000_000) };
    path.run_until("Drain", queued);
    let phases: Vec<_> = (0..4).map(|_| path.pass(queued)).collect();
    assert_eq!(phases, ["Drain", "Drain", "Drain", "ProbeBW_DOWN"]);
}

// A.7
#[test]
fn an_application_that_sends_little_keeps_startup_going() {
    let mut path = Path::new();
    let little = Round { application_limited: true, rtt: RTT - Duration::from_nanos(1), ..at(50_000) };
    assert!((0..40).all(|_| path.pass(little) == "Startup"));
    let initial = path.bbr.pacing_rate;
    path.pass(Round { application_limited: true, ..at(10_000) });
    assert_eq!(path.bbr.pacing_rate, initial, "and the rate does not fall by what says nothing");
}

// A.2
#[test]
fn many_losses_end_startup() {
    // What acknowledgements tell of losses in one round, and where that leads when the next begins.
    for (losses, expected) in [(5, "Startup"), (6, "Drain")] {
        let mut path = Path::new();
        path.pass(at(1_000_000));
        let queue = Duration::from_millis(20);
        let lossy = Round { in_flight: 500_000, lost: 20_000, rtt: RTT + queue, ..at(2_000_000) };
        path.pass(lossy);
        (2..losses).for_each(|_| assert!(path.bbr.bounds.count_losses(1) < losses));
        assert_eq!(path.pass(lossy), expected);
        assert_eq!(path.bbr.bounds.inflight_longterm < INFINITE, expected == "Drain");
    }
}

// A.5, A.8
#[test]
fn probing_goes_up_until_the_rate_stands_and_then_drains() {
    let mut path = Path::cruising(1_000_000);
    assert_eq!(path.bbr.pacing_rate, 990_000);
    path.run_until("ProbeBW_REFILL", at(1_000_000));
    assert_eq!(path.pass(at(1_000_000)), "ProbeBW_UP");
    assert_eq!(path.bbr.pacing_rate, 1_237_500, "a quarter more, less a hundredth");
    let queued = Round { in_flight: 125_000, ..at(1_000_000) };
    let phases: Vec<_> = (0..3).map(|_| path.pass(queued)).collect();
    assert_eq!(phases, ["ProbeBW_UP", "ProbeBW_UP", "ProbeBW_DOWN"]);
    assert_eq!(path.bbr.pacing_rate, 891_000);
    assert_eq!(path.pass(queued), "ProbeBW_DOWN");
    assert_eq!(path.pass(at(1_000_000)), "ProbeBW_CRUISE");
}

// A.21
#[test]
fn a_probe_that_loses_ends_at_once_and_the_next_one_is_careful() {
    let mut path = Path::cruising(1_000_000);
    path.run_until("ProbeBW_UP", at(1_000_000));
    let lossy = Round { in_flight: 120_000, lost: 12_000, ..at(1_000_000) };
    assert_eq!(path.pass(lossy), "ProbeBW_DOWN");
    let bound = path.bbr.bounds.inflight_longterm;
    assert!((70_000..120_000).contains(&bound), "{bound}");
    path.run_until("ProbeBW_UP", at(800_000));
    assert_eq!(path.pass(Round { in_flight: bound, ..at(1_000_000) }), "ProbeBW_DOWN", "as far as before");
    assert_eq!(path.pass(at(800_000)), "ProbeBW_REFILL", "it did no harm, so once more");
}

// A.15
#[test]
fn the_bound_grows_by_twice_as_much_each_round() {
    let mut path = Path::cruising(1_000_000);
    path.bbr.bounds.inflight_longterm = 100_000;
    path.run_until("ProbeBW_UP", Round { in_flight: 50_000, ..at(1_000_000) });
    let full = Round { in_flight: 90_000, cwnd_limited: true, ..at(1_000_000) };
    let mut bounds = vec![path.bbr.bounds.inflight_longterm];
    for _ in 0..5 {
        path.bbr.window.cwnd = path.bbr.bounds.inflight_longterm;
        assert_eq!(path.pass(full), "ProbeBW_UP");
        bounds.push(path.bbr.bounds.inflight_longterm);
        path.bbr.window.cwnd = path.bbr.bounds.inflight_longterm;
        assert_eq!(path.more(full), "ProbeBW_UP", "the bound holds the rate down, not the path");
    }
    let steps: Vec<_> = bounds.windows(2).map(|pair| (pair[1] - pair[0]) / MSS).collect();
    assert!(steps.is_sorted() && steps[0] == 1 && steps[4] == 16, "{steps:?}");
}

// A.10, A.20
#[test]
fn five_seconds_without_a_shorter_round_trip_lead_to_probe_rtt_and_back() {
    let mut path = Path::cruising(1_000_000);
    let longer = Round { rtt: RTT + Duration::from_millis(1), ..at(1_000_000) };
    path.run_until("ProbeRTT", longer);
    assert!(path.now > Instant::from_secs(5) && path.now < Instant::from_secs(6), "{}", path.now);
    assert!(
        path.bbr.holds_rate_down() && (49_900..=50_000).contains(&path.bbr.cwnd()),
        "half of the product: {}",
        path.bbr.cwnd()
    );
    let little = Round { in_flight: 49_000, application_limited: true, ..at(500_000) };
    let rounds = (1..10).find(|_| path.pass(little) == "ProbeBW_CRUISE").expect("it ends");
    assert_eq!(rounds, 4, "200 ms from when so little was in flight");
    assert!(path.bbr.cwnd() > 150_000, "the window is back: {}", path.bbr.cwnd());
    let mut young = Path::new();
    young.run_until("ProbeRTT", Round { application_limited: true, ..longer });
    young.run_until("Startup", Round { in_flight: 4000, application_limited: true, ..at(40_000) });
}

// A.11
#[test]
fn a_pause_makes_probe_rtt_needless_and_is_ended_at_the_rate_of_the_path() {
    let mut path = Path::cruising(1_000_000);
    let cwnd = path.bbr.cwnd();
    path.now += Duration::from_secs(20);
    path.bbr.on_idle(path.now, Duration::from_secs(20), Duration::from_secs(1));
    path.bbr.on_resumed(path.now);
    assert_eq!((path.bbr.cwnd(), path.bbr.pacing_rate), (cwnd, 990_000));
    assert_ne!(path.pass(Round { application_limited: true, ..at(100_000) }), "ProbeRTT");
    assert!(path.bbr.min_rtt.min() <= Some(RTT));
}

// A.14
#[test]
fn four_segments_are_in_flight_on_the_smallest_of_paths() {
    let mut path = Path::new();
    path.run_until("Drain", Round { in_flight: 20_000, ..at(2_000) });
    path.run_until("ProbeBW_REFILL", at(2_000));
    assert!(path.bbr.cwnd() >= 4 * MSS && path.bbr.cwnd() <= 8 * MSS, "{}", path.bbr.cwnd());
    assert_eq!(path.bbr.pacing_rate, 1980);
}

// A.12, A.13
#[test]
fn acknowledgements_in_bunches_make_room_for_more() {
    let mut path = Path::cruising(1_000_000);
    let before = path.bbr.cwnd();
    // Three rounds' worth at once, at a rate that is known to be what it was.
    path.now += 3 * RTT;
    path.delivered += 300_000;
    path.bbr.on_delivered(&Acknowledged {
        bytes: 300_000,
        delivered: path.delivered,
        in_flight: 100_000,
        rate: Some(RateSample {
            delivered: 300_000,
            interval: 3 * RTT,
            prior_delivered: path.delivered - 300_000,
            lost: 0,
            sent_in_flight: 100_000,
            application_limited: false,
        }),
        ..Acknowledged::new(path.now)
    });
    assert!(path.bbr.aggregation.extra() >= 100_000);
    assert!(path.bbr.cwnd() >= before + 50_000, "{before} {}", path.bbr.cwnd());
}

// A.16
#[test]
fn losses_between_probes_take_rate_and_window_down_to_what_is_delivered() {
    let mut path = Path::cruising(1_000_000);
    let queued = RTT + Duration::from_millis(20);
    let lossy = Round { lost: 20_000, in_flight: 100_000, rtt: queued, ..at(100_000) };
    let rates: Vec<_> = (0..6).map(|_| (path.pass(lossy), path.bbr.bw).1).collect();
    assert_eq!(rates, [1_000_000, 1_000_000, 1_000_000, 700_000, 700_000, 490_000], "by Beta at the most");
    for _ in 0..5 {
        path.pass(Round { lost: 2000, in_flight: 10_000, rtt: queued, ..at(100_000) });
    }
    assert!(path.bbr.bw < 300_000 && path.bbr.bw >= 100_000, "{}", path.bbr.bw);
    path.run_until("ProbeBW_REFILL", at(100_000));
    assert_eq!(path.bbr.bounds.bw_shortterm, INFINITE, "and a probe forgets it");
    // Two cycles later the old rate is forgotten as well.
    for _ in 0..2 {
        path.run_until("ProbeBW_UP", at(100_000));
        path.run_until("ProbeBW_CRUISE", at(100_000));
    }
    assert_eq!(path.bbr.max_bw.max(), 100_000);
}

/// As a radio link loses: 3 segments of 100 in each round, and no queue.
#[test]
fn losses_that_are_always_there_hold_back_nothing_and_others_do() {
    let noisy = Round { lost: 3000, in_flight: 95_000, ..at(970_000) };
    let mut path = Path::cruising(1_000_000);
    for _ in 0..15 {
        path.pass(noisy);
    }
    path.run_until("ProbeBW_CRUISE", noisy);
    for _ in 0..15 {
        path.pass(noisy);
        assert_eq!((path.bbr.bounds.bw_shortterm, path.bbr.bounds.inflight_longterm), (INFINITE, INFINITE));
    }
    path.run_until("ProbeBW_UP", noisy);
    assert_eq!(path.pass(noisy), "ProbeBW_UP", "nor do they end a probe");
    // Twelve of a hundred are more than that.
    path.run_until("ProbeBW_CRUISE", noisy);
    let burst = Round { lost: 12_000, in_flight: 95_000, ..at(880_000) };
    for _ in 0..4 {
        path.pass(burst);
    }
    assert!(path.bbr.bounds.bw_shortterm < 980_000);
    path.run_until("ProbeBW_UP", noisy);
    assert_eq!(path.pass(burst), "ProbeBW_DOWN");
}

#[test]
fn beside_a_queue_any_loss_is_congestion() {
    for (queue, expected) in [(Duration::ZERO, INFINITE), (Duration::from_millis(8), 990_000)] {
        let mut path = Path::cruising(1_000_000);
        // One segment of a hundred.
        let lossy = Round { lost: MSS, in_flight: 100_000, rtt: RTT + queue, ..at(990_000) };
        for _ in 0..5 {
            path.pass(lossy);
        }
        assert_eq!(path.bbr.bounds.bw_shortterm, expected, "{queue:?}");
    }
}

/// A policer lets so much through and no more, and keeps nothing waiting: there is no queue to see.
#[test]
fn a_policer_is_obeyed_although_it_shows_no_queue() {
    for allowed in [500_000, 900_000] {
        let mut path = Path::cruising(1_000_000);
        let most = model::volume(allowed, RTT);
        let mut lost: Vec<f64> = Vec::new();
        for _ in 0..300 {
            let sent = model::volume(path.bbr.pacing_rate, RTT).min(path.bbr.cwnd());
            let delivered = sent.min(most);
            path.pass(Round { lost: sent - delivered, in_flight: sent, ..at(10 * delivered) });
            lost.push((sent - delivered) as f64 / sent as f64);
        }
        let mean = |from: usize, to: usize| lost[from..to].iter().sum::<f64>() / (to - from) as f64;
        assert!(mean(10, 60) < 0.13, "a tenth may be believed while the old rate is remembered: {}", mean(10, 60));
        assert!(mean(100, 300) < 0.03, "and then what probing costs: {}", mean(100, 300));
        assert!(path.bbr.max_bw.max() <= allowed + allowed / 50, "{}", path.bbr.max_bw.max());
    }
}

/// A SYN is shorter than what carries data, and travels faster.
#[test]
fn the_handshake_counts_for_the_shortest_round_trip_until_data_has_told() {
    let mut path = Path::new();
    path.bbr.min_rtt = MinRtt::new(Some(RTT - Duration::from_millis(5)), path.now);
    assert_eq!(path.bbr.min_rtt.min(), Some(RTT - Duration::from_millis(5)));
    path.pass(at(100_000));
    assert!(path.bbr.min_rtt.min() > Some(RTT - Duration::from_millis(1)));
}

// A.18, A.19
#[test]
fn losses_that_were_none_bring_the_probe_back() {
    let mut path = Path::cruising(1_000_000);
    path.run_until("ProbeBW_UP", at(1_000_000));
    let (cwnd, longterm) = (path.bbr.cwnd(), path.bbr.bounds.inflight_longterm);
    path.pass(Round { in_flight: 120_000, lost: 12_000, ..at(1_000_000) });
    assert!(path.bbr.bounds.inflight_longterm < longterm);
    path.bbr.on_undo(path.now);
    assert_eq!(path.bbr.phase(), "ProbeBW_REFILL");
    assert_eq!(path.bbr.bounds.inflight_longterm, longterm);
    path.bbr.on_timeout(path.now, 100_000, false);
    assert_eq!(path.bbr.cwnd(), MSS);
    path.bbr.on_undo(path.now);
    assert!(path.bbr.cwnd() >= cwnd.min(200_000), "{}", path.bbr.cwnd());
}

#[test]
fn a_timeout_leaves_one_segment_until_its_loss_is_repaired() {
    let mut path = Path::cruising(1_000_000);
    let cwnd = path.bbr.cwnd();
    path.bbr.on_timeout(path.now, 100_000, false);
    path.bbr.on_timeout(path.now, 1000, true);
    assert_eq!(path.bbr.cwnd(), MSS);
    path.bbr.on_repaired(path.now);
    assert_eq!(path.bbr.cwnd(), cwnd);
}

#[test]
fn a_mark_counts_as_a_loss_of_more_than_the_threshold() {
    let mut young = Path::new();
    young.pass(at(1_000_000));
    young.bbr.on_marked(young.now, 100_000);
    assert_eq!(young.bbr.phase(), "Drain");
    let mut path = Path::cruising(1_000_000);
    path.run_until("ProbeBW_UP", at(1_000_000));
    path.bbr.on_marked(path.now, 110_000);
    assert_eq!((path.bbr.phase(), path.bbr.bounds.inflight_longterm), ("ProbeBW_DOWN", 110_000));
    let mut cruising = Path::cruising(1_000_000);
    let cwnd = cruising.bbr.cwnd();
    cruising.bbr.on_marked(cruising.now, 100_000);
    cruising.pass(at(900_000));
    assert_eq!(cruising.bbr.cwnd(), cwnd * 7 / 10);
}

#[test]
fn without_sack_any_loss_is_too_much() {
    let mut path = Path::new();
    path.bbr.sack = false;
    assert!(path.bbr.is_too_high(1, 1_000_000) && !path.bbr.is_too_high(0, 1_000_000));
    path.bbr.sack = true;
    assert!(path.bbr.is_too_high(20_001, 1_000_000) && !path.bbr.is_too_high(20_000, 1_000_000));
}

#[test]
fn an_acknowledgement_without_a_sample_moves_the_clocks_alone() {
    let mut path = Path::cruising(1_000_000);
    let (bw, phase) = (path.bbr.bw, path.bbr.phase());
    path.bbr.on_delivered(&Acknowledged { delivered: path.delivered, ..Acknowledged::new(path.now) });
    assert_eq!((path.bbr.bw, path.bbr.phase()), (bw, phase));
}
