//! Data that leaves at a rate.

use super::*;
use crate::tcp::congestion::Algorithm;

/// A connection over a round trip of 100 ms.
fn established(config: Config) -> End {
    let mut end = End::passive(Config { send_buffer: 200_000, ..config }, 77, 99, PEER_SYN);
    end.out();
    end.now += millis(100);
    end.rcv(". 1:1(0) ack 1 win 50000");
    end
}

/// Ten segments each second at the most.
fn limited() -> End {
    established(Config { max_pacing_rate: Some(10_000), ..plain() })
}

#[test]
fn each_segment_waits_until_the_one_before_has_had_its_time() {
    let mut end = limited();
    end.write(&[7; 3500]);
    assert_eq!(end.out(), [". 1:1001(1000) ack 1 win 10000"]);
    let sent = end.wait(millis(150));
    assert_eq!(sent, ["100 . 1001:2001(1000) ack 1 win 10000"]);
    // What comes in meanwhile is answered at once, and lets nothing out before its time.
    end.rcv(". 1:1(0) ack 2001 win 50000");
    assert_eq!(end.out(), [""; 0]);
    end.rcv("P. 1:1461(1460) ack 2001 win 50000");
    end.rcv("P. 1461:2921(1460) ack 2001 win 50000");
    assert_eq!(end.out(), [". 2001:2001(0) ack 2921 win 7080"]);
    assert_eq!(end.wait(millis(50)), ["50 . 2001:3001(1000) ack 2921 win 7080"]);
    assert_eq!(end.wait(millis(100)), ["100 P. 3001:3501(500) ack 2921 win 7080"]);
}

#[test]
fn who_was_late_catches_up_by_half_a_segment_and_no_more() {
    for (pause, expected) in [(100, "100"), (120, "80"), (5000, "50")] {
        let mut end = limited();
        end.write(&[7; 1000]);
        assert_eq!(end.out().len(), 1);
        end.rcv(". 1:1(0) ack 1001 win 50000");
        end.wait(millis(pause));
        end.write(&[7; 3000]);
        assert_eq!(end.out().len(), 1, "{pause}");
        let sent = end.wait(millis(190));
        let times: Vec<&str> = sent.iter().map(|text| text.split(' ').next().expect("a time")).collect();
        assert_eq!(times.first(), Some(&expected), "{sent:?}");
        assert!(sent.len() <= 2);
    }
}

#[test]
fn the_first_retransmission_of_a_recovery_goes_at_once_and_the_next_waits() {
    let mut end = established(Config { max_pacing_rate: Some(100_000), ..plain() });
    end.write(&[7; 10_000]);
    end.out();
    assert_eq!(end.wait(millis(99)).len(), 9);
    end.write(&[7; 5000]);
    for _ in 0..3 {
        end.rcv(". 1:1(0) ack 1 win 50000");
    }
    assert_eq!(end.out(), [". 1:1001(1000) ack 1 win 10000"], "what it repairs is waited for");
    end.rcv(". 1:1(0) ack 2001 win 50000");
    assert_eq!(end.out(), [". 2001:3001(1000) ack 1 win 10000"], "so is this: a partial acknowledgement names it");
    assert_eq!(end.out(), [""; 0]);
}

#[test]
fn a_window_each_round_trip_where_the_controller_has_no_rate() {
    // Ten segments of window in 100 ms, twice as fast while it may double.
    let mut end = established(Config { pacing: true, ..plain() });
    assert_eq!(end.conn().info().pacing_rate, Some(200_000));
    end.write(&[7; 30_000]);
    assert_eq!(end.out().len(), 1);
    let sent = end.wait(millis(50));
    let times: Vec<&str> = sent.iter().map(|text| text.split(' ').next().expect("a time")).collect();
    assert_eq!(times, ["5", "10", "15", "20", "25", "30", "35", "40", "45"], "and then the window is full");
    end.rcv(". 1:1(0) ack 10001 win 50000");
    end.conn().congestion.window_mut().ssthresh = 18_000;
    let info = end.conn().info();
    assert_eq!(
        (info.cwnd, info.pacing_rate.map(|rate| rate * 12 / 10 / 10 * 10)),
        (18_000, {
            let srtt = info.rtt.expect("measured").as_nanos() as u64;
            Some(18_000 * 1_000_000_000 / srtt * 12 / 10 * 12 / 10 / 10 * 10)
        })
    );
}

#[test]
fn frames_are_as_long_as_a_millisecond_of_the_rate() {
    for (rate, expected) in [(1_000_000, 2000), (5_000_000, 5000), (1_000_000_000, 10_000)] {
        let config =
            Config { max_pacing_rate: Some(rate), window_scale: Some(8), congestion: Algorithm::NONE, ..plain() };
        let mut end =
            End::passive(Config { send_buffer: 200_000, ..config }, 77, 99, "S 0:0(0) win 10000 mss 1000 wscale 8");
        end.out();
        end.rcv(". 1:1(0) ack 1 win 391");
        end.conn().set_super_frame(Some(10_500));
        end.write(&[7; 30_000]);
        let len = |text: &String| text.split(['(', ')']).nth(1).expect("a length").parse::<u64>().unwrap();
        assert_eq!(end.out().first().map(len), Some(expected), "{rate}");
    }
}
