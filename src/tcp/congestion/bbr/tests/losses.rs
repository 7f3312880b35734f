//! What losses, marks and timeouts do, and what is taken back.

use super::*;

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
