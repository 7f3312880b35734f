//! Startup to ProbeRTT on a path that loses nothing.

use super::*;

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

#[test]
fn drain_ends_after_three_rounds_whatever_is_in_flight() {
    let mut path = Path::new();
    let queued = Round { in_flight: 300_000, ..at(1_000_000) };
    path.run_until("Drain", queued);
    let phases: Vec<_> = (0..4).map(|_| path.pass(queued)).collect();
    assert_eq!(phases, ["Drain", "Drain", "Drain", "ProbeBW_DOWN"]);
}

#[test]
fn an_application_that_sends_little_keeps_startup_going() {
    let mut path = Path::new();
    let little = Round { application_limited: true, rtt: RTT - Duration::from_nanos(1), ..at(50_000) };
    assert!((0..40).all(|_| path.pass(little) == "Startup"));
    let initial = path.bbr.pacing_rate;
    path.pass(Round { application_limited: true, ..at(10_000) });
    assert_eq!(path.bbr.pacing_rate, initial, "and the rate does not fall by what says nothing");
}

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

#[test]
fn four_segments_are_in_flight_on_the_smallest_of_paths() {
    let mut path = Path::new();
    path.run_until("Drain", Round { in_flight: 20_000, ..at(2_000) });
    path.run_until("ProbeBW_REFILL", at(2_000));
    assert!(path.bbr.cwnd() >= 4 * MSS && path.bbr.cwnd() <= 8 * MSS, "{}", path.bbr.cwnd());
    assert_eq!(path.bbr.pacing_rate, 1980);
}

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

/// A SYN is shorter than what carries data, and travels faster.
#[test]
fn the_handshake_counts_for_the_shortest_round_trip_until_data_has_told() {
    let mut path = Path::new();
    path.bbr.min_rtt = MinRtt::new(Some(RTT - Duration::from_millis(5)), path.now);
    assert_eq!(path.bbr.min_rtt.min(), Some(RTT - Duration::from_millis(5)));
    path.pass(at(100_000));
    assert!(path.bbr.min_rtt.min() > Some(RTT - Duration::from_millis(1)));
}

#[test]
fn an_acknowledgement_without_a_sample_moves_the_clocks_alone() {
    let mut path = Path::cruising(1_000_000);
    let (bw, phase) = (path.bbr.bw, path.bbr.phase());
    path.bbr.on_delivered(&Acknowledged { delivered: path.delivered, ..Acknowledged::new(path.now) });
    assert_eq!((path.bbr.bw, path.bbr.phase()), (bw, phase));
}
