//! The curve against floating point, and what losses, timeouts and pauses make of it.

use super::*;
use crate::tcp::congestion::testing::{acknowledged, start};
use std::time::Duration;

const MSS: u64 = 1000;

fn cubic(cwnd: u64) -> Cubic {
    let mut cubic = Cubic::new(&start());
    cubic.window.cwnd = cwnd * MSS;
    cubic
}

fn lose(cubic: &mut Cubic, now: Instant) {
    cubic.on_lost(now, cubic.cwnd());
}

/// Full windows, acknowledged segment by segment, each `rtt` milliseconds; the window in segments at each second.
fn run(cubic: &mut Cubic, from: u64, seconds: u64, rtt: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    for second in 0..seconds {
        for round in 0..1000 / rtt {
            let at = (from + second) * 1000 + round * rtt;
            let segments = cubic.cwnd() / MSS;
            for n in 0..segments {
                let now = Instant::from_micros(at * 1000 + n * rtt * 1000 / segments);
                let srtt = Some(Duration::from_millis(rtt));
                cubic.on_acknowledged(&Acknowledged { now, srtt, ..acknowledged(MSS) });
            }
        }
        seen.push(cubic.cwnd() / MSS);
    }
    seen
}

/// The window of RFC 9438 §4.2, in floating point.
fn curve(w_max: f64, cwnd: f64, t: f64) -> f64 {
    let k = ((w_max - cwnd) / 0.4).cbrt();
    0.4 * (t - k).powi(3) + w_max
}

#[test]
fn after_a_loss_the_window_follows_the_curve() {
    let mut cubic = cubic(1000);
    lose(&mut cubic, Instant::ZERO);
    assert_eq!((cubic.cwnd(), cubic.ssthresh()), (700 * MSS, 700 * MSS), "RFC 9438 §4.6");
    // A long round trip: Reno would be far behind.
    let windows = run(&mut cubic, 0, 14, 100);
    for (second, window) in windows.iter().enumerate() {
        let expected = curve(1000.0, 700.0, second as f64 + 1.1);
        assert!((*window as f64 - expected).abs() < 0.02 * expected, "{second}: {window}, not {expected}");
    }
    // K = cbrt(300 / 0.4) = 9.09 s: up to there concave, then convex.
    assert!(windows[6] < 1000 && windows[13] > 1000, "{windows:?}");
    assert_eq!(cubic.region, Region::Convex);
}

#[test]
fn a_short_path_is_left_to_reno() {
    let mut cubic = cubic(20);
    lose(&mut cubic, Instant::ZERO);
    let windows = run(&mut cubic, 0, 1, 10);
    // 14 segments, alpha = 9/17 a round up to 20 (11.3 rounds), then one: 14 + 6 + 88.
    assert!((105..=110).contains(&windows[0]), "{windows:?}");
    assert_eq!(cubic.region, Region::RenoFriendly);
}

#[test]
fn a_flow_that_lost_ground_gives_way() {
    let mut cubic = cubic(100);
    lose(&mut cubic, Instant::ZERO);
    assert_eq!(cubic.w_max, 100 * MSS);
    lose(&mut cubic, Instant::from_secs(1));
    assert_eq!(cubic.w_max, 59_500, "RFC 9438 §4.7: 70 x 1.7 / 2 segments");
}

#[test]
fn a_needless_reduction_is_taken_back_with_the_curve() {
    let mut cubic = cubic(100);
    lose(&mut cubic, Instant::ZERO);
    run(&mut cubic, 0, 2, 100);
    let (cwnd, epoch, w_max) = (cubic.cwnd(), cubic.epoch, cubic.w_max);
    for timeout in [false, true] {
        let now = Instant::from_secs(2);
        if timeout {
            cubic.on_timeout(now, cwnd, false);
            assert_eq!((cubic.cwnd(), cubic.ssthresh()), (MSS, cwnd * 7 / 10));
        } else {
            lose(&mut cubic, now);
        }
        cubic.on_undo(now);
        assert_eq!((cubic.cwnd(), cubic.epoch, cubic.w_max), (cwnd, epoch, w_max), "RFC 9438 §4.9");
    }
}

#[test]
fn after_a_timeout_the_curve_begins_at_its_top() {
    let mut cubic = cubic(100);
    cubic.on_timeout(Instant::ZERO, 100 * MSS, false);
    assert_eq!((cubic.cwnd(), cubic.ssthresh()), (MSS, 70 * MSS));
    run(&mut cubic, 0, 1, 100);
    let epoch = cubic.epoch.expect("congestion avoidance has begun");
    assert_eq!((epoch.k, epoch.origin), (0, 70 * MSS), "RFC 9438 §4.8");
}

#[test]
fn time_that_was_not_used_does_not_count() {
    let mut cubic = cubic(1000);
    lose(&mut cubic, Instant::ZERO);
    let used = run(&mut cubic, 0, 3, 100);
    // Ten seconds of a trickle, and ten of nothing at all.
    for second in 3..13 {
        let now = Instant::from_secs(second);
        cubic.on_acknowledged(&Acknowledged { now, cwnd_limited: false, ..acknowledged(MSS) });
    }
    cubic.on_resumed(Instant::from_secs(23));
    let mut other = cubic.clone();
    other.epoch = other.epoch.map(|epoch| Epoch { start: epoch.start - Duration::from_secs(20), ..epoch });
    let (resumed, without) = (run(&mut cubic, 23, 1, 100), run(&mut other, 23, 1, 100));
    assert!(resumed[0] < used[2] + 60 && without[0] > 1200, "{used:?} {resumed:?} {without:?}");
}

#[test]
fn slow_start_ends_when_round_trips_grow() {
    let mut cubic = cubic(10);
    let mut seen = Vec::new();
    for round in 0..12 {
        let rtt = Some(Duration::from_millis(if cubic.cwnd() > 100 * MSS { 130 } else { 100 }));
        for n in 0..cubic.cwnd() / MSS {
            let now = Instant::from_millis(round * 100);
            cubic.on_acknowledged(&Acknowledged { now, rtt, round_starts: n == 0, ..acknowledged(MSS) });
        }
        seen.push((cubic.cwnd() / MSS, cubic.phase()));
    }
    assert_eq!(seen[3], (160, "slow start"));
    assert_eq!(seen[4].1, "conservative slow start");
    assert!(cubic.ssthresh() < 700 * MSS && !cubic.window.in_slow_start(), "{seen:?}");
    assert_eq!(seen.iter().filter(|(_, phase)| *phase == "conservative slow start").count(), 5, "{seen:?}");
}

#[test]
fn no_figures_overflow() {
    let mut cubic = Cubic::new(&Start { mss: 1, ..start() });
    cubic.window.cwnd = 1 << 40;
    lose(&mut cubic, Instant::ZERO);
    for seconds in [0, 1, 1000, 1_000_000, 10_000_000_000] {
        let (now, srtt) = (Instant::from_secs(seconds), Some(Duration::from_secs(100)));
        cubic.on_acknowledged(&Acknowledged { now, srtt, ..acknowledged(1 << 30) });
    }
    assert!(cubic.cwnd() >= 7 << 36);
}
