//! Retransmission, zero windows, keepalive and patience, in virtual time.

use super::*;
use crate::tcp::Keepalive;

fn times(sent: &[String]) -> Vec<u64> {
    sent.iter().map(|line| line.split(' ').next().expect("a time").parse().expect("a number")).collect()
}

// MUST-18, MUST-19, SHLD-10, SHLD-11
#[test]
fn unacknowledged_data_is_sent_again_with_backoff_and_then_given_up() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.write(&[0; 100]);
        end.out();
        let sent = end.wait(Duration::from_secs(2000));
        assert_eq!(times(&sent)[..6], [200, 600, 1400, 3000, 6200, 12_600]);
        assert!(times(&sent).last().is_some_and(|last| *last >= 100_000), "R2 is at least 100 s");
        assert_eq!(end.closed(), Some(CloseReason::TimedOut));
    });
}

#[test]
fn after_a_timeout_slow_start_begins_again_with_one_segment() {
    let mut end = End::established(plain(), 1, 1);
    end.write(&[0; 5000]);
    assert_eq!(end.out().len(), 5);
    assert_eq!(end.wait(millis(250)), ["200 . 1:1001(1000) ack 1 win 10000"]);
    end.rcv(". 1:1(0) ack 1001 win 10000");
    assert_eq!(end.out(), [". 1001:2001(1000) ack 1 win 10000", ". 2001:3001(1000) ack 1 win 10000"]);
    end.rcv(". 1:1(0) ack 5001 win 10000");
    assert_eq!(end.out(), [""; 0]);
}

#[test]
fn an_acknowledgement_restarts_the_timer() {
    let mut end = End::established(plain(), 1, 1);
    end.write(&[0; 2000]);
    end.out();
    end.wait(millis(150));
    end.rcv(". 1:1(0) ack 1001 win 10000");
    assert_eq!(times(&end.wait(millis(300))), [218], "counted from the acknowledgement");
}

// MUST-35, MUST-36, MUST-37, SHLD-29, SHLD-30
#[test]
fn a_closed_window_is_probed_ever_more_rarely_and_for_ever() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv(". 1:1(0) ack 1 win 0");
        end.write(&[0; 3000]);
        assert_eq!(end.out(), [""; 0]);
        let sent = end.wait(Duration::from_secs(10));
        assert_eq!(times(&sent), [200, 600, 1400, 3000, 6200]);
        assert!(sent.iter().all(|line| line.ends_with("1:2(1) ack 1 win 10000")), "one octet: {sent:?}");
        for _ in 0..100 {
            end.rcv(". 1:1(0) ack 1 win 0");
            end.wait(Duration::from_secs(600));
        }
        assert_eq!(end.state(), State::Established, "sixteen hours, each probe answered");
        end.rcv(". 1:1(0) ack 1 win 10000");
        let sent = end.out();
        assert_eq!(sent[0], ". 1:2(1) ack 1 win 10000");
        end.rcv(". 1:1(0) ack 2 win 10000");
        let sent = [sent, end.out()].concat();
        assert!(sent.last().is_some_and(|line| line.starts_with("P. 2002:3001(999)")), "{sent:?}");
    });
}

#[test]
fn a_closed_window_that_nobody_answers_for_is_given_up() {
    let mut end = End::established(plain(), 1, 1);
    end.rcv(". 1:1(0) ack 1 win 0");
    end.write(&[0; 3000]);
    assert_eq!(end.out(), [""; 0]);
    end.wait(Duration::from_secs(3000));
    assert_eq!(end.closed(), Some(CloseReason::TimedOut));
}

fn keepalive() -> Config {
    let keepalive =
        Keepalive { enabled: true, idle: Duration::from_secs(60), interval: Duration::from_secs(10), count: 3 };
    Config { keepalive, ..plain() }
}

// MAY-5, MUST-25, MUST-28
#[test]
fn keepalive_is_off_by_default() {
    let mut end = End::established(plain(), 1, 1);
    assert_eq!(end.wait(Duration::from_secs(7 * 24 * 3600)), [""; 0]);
}

// MUST-24, MUST-27, MUST-29
#[test]
fn keepalive_probes_a_silent_peer_and_gives_up_after_count() {
    everywhere(|isn, irs| {
        let mut end = End::established(keepalive(), isn, irs);
        let sent = end.wait(Duration::from_secs(200));
        assert_eq!(times(&sent), [60_000, 70_000, 80_000, 90_000]);
        assert!(sent[3].contains("R."), "the last is a RST: {sent:?}");
        assert_eq!(end.closed(), Some(CloseReason::KeepaliveTimedOut));
    });
}

// SHLD-12
#[test]
fn keepalive_probes_carry_no_data_and_an_answer_starts_it_again() {
    let mut end = End::established(keepalive(), 7, 7);
    assert_eq!(end.wait(Duration::from_secs(65)), ["60000 . 0:0(0) ack 1 win 10000"]);
    end.rcv(". 1:1(0) ack 1 win 10000");
    assert_eq!(times(&end.wait(Duration::from_secs(75))), [60_000, 70_000]);
    assert_eq!(end.state(), State::Established);
}

// MUST-26
#[test]
fn keepalive_is_silent_while_data_is_outstanding() {
    let mut end = End::established(keepalive(), 7, 7);
    end.write(&[0; 10]);
    end.out();
    let sent = end.wait(Duration::from_secs(100));
    assert!(sent.iter().all(|line| line.contains("P. 1:11(10)")), "{sent:?}");
}

// MUST-21
#[test]
fn the_user_timeout_ends_what_makes_no_progress() {
    let mut end = End::established(Config { user_timeout: Some(Duration::from_secs(5)), ..plain() }, 1, 1);
    end.write(&[0; 10]);
    end.out();
    end.wait(millis(4900));
    assert_eq!(end.closed(), None);
    end.wait(millis(200));
    assert_eq!(end.closed(), Some(CloseReason::TimedOut));
    let mut end = End::established(Config { user_timeout: Some(Duration::from_secs(5)), ..plain() }, 1, 1);
    end.write(&[0; 10]);
    end.out();
    end.rcv(". 1:1(0) ack 11 win 10000");
    end.wait(Duration::from_secs(100));
    assert_eq!(end.closed(), None, "an idle connection is not held up");
}

// MUST-18
#[test]
fn karn_keeps_the_backoff_until_something_was_sent_once() {
    let mut end = End::established(plain(), 1, 1);
    end.write(&[0; 10]);
    end.out();
    end.wait(millis(700));
    assert_eq!(end.conn().info().backoff, 2);
    end.rcv(". 1:1(0) ack 11 win 10000");
    assert_eq!(end.conn().info().backoff, 2, "it may answer either transmission");
    end.write(&[0; 10]);
    end.out();
    end.wait(millis(10));
    end.rcv(". 1:1(0) ack 21 win 10000");
    assert_eq!(end.conn().info().backoff, 0);
}

/// Trap 1: the answer to the last probe comes when the next is due, and has not left.
#[test]
fn a_probe_is_not_sent_once_everything_is_acknowledged() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv(". 1:1(0) ack 1 win 0");
        end.write(b"x");
        assert_eq!(end.out(), [""; 0]);
        assert_eq!(end.wait(millis(300)), ["200 P. 1:2(1) ack 1 win 10000"]);
        end.now += millis(400);
        end.with(|shape, cx| match shape {
            Shape::Connection(connection) => connection.handle_timeout(cx),
            Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
        });
        end.rcv(". 1:1(0) ack 2 win 0");
        assert_eq!(end.out(), [""; 0]);
        assert_eq!(end.conn().info().unacked, 0);
        end.rcv(". 1:1(0) ack 2 win 10000");
        end.write(b"y");
        assert_eq!(end.out(), ["P. 2:3(1) ack 1 win 10000"], "nothing was made up in between");
    });
}

/// RFC 9293 §3.8.6 (MUST-34, MUST-35), trap 8: what the peer threw away when it shrank its window goes again as soon as
/// it opens, not when a timer that has backed off for minutes runs out.
#[test]
fn a_window_that_shrank_to_nothing_and_opens_again_starts_the_data_at_once() {
    let mut end = End::established(plain(), 1, 1);
    end.write(&[0; 3000]);
    assert_eq!(end.out().len(), 3);
    end.rcv(". 1:1(0) ack 1 win 0");
    end.wait(Duration::from_secs(60));
    end.rcv(". 1:1(0) ack 1 win 10000");
    assert_eq!(end.out(), [". 1:1001(1000) ack 1 win 10000"]);
    assert_eq!(times(&end.wait(Duration::from_secs(600)))[1..3].len(), 2, "and its timer runs");
}

#[test]
fn keepalive_without_any_patience_does_not_spin() {
    let keepalive = Keepalive { enabled: true, idle: Duration::ZERO, interval: Duration::ZERO, count: 3 };
    let mut end = End::established(Config { keepalive, ..plain() }, 1, 1);
    end.write(&[0; 10]);
    end.out();
    assert!(end.wait(Duration::from_secs(10)).len() < 20);
}

#[test]
fn bounds_of_the_timeout_that_cross_are_taken_as_they_can_be() {
    let config = Config { min_rto: Duration::from_secs(5), max_rto: Duration::from_secs(2), ..plain() };
    let mut end = End::established(config, 1, 1);
    end.write(&[0; 10]);
    end.out();
    assert_eq!(times(&end.wait(Duration::from_secs(5)))[..2], [2000, 4000]);
}

/// RFC 6298 §3: the acknowledgement answers the segment that was sent again, however late the others were sent once.
#[test]
fn karn_takes_no_sample_of_what_waited_for_a_retransmission() {
    let mut end = End::established(plain(), 1, 1);
    end.write(&[0; 5000]);
    end.out();
    let before = end.conn().info().rtt;
    end.wait(millis(100));
    for _ in 0..3 {
        end.rcv(". 1:1(0) ack 1 win 10000");
    }
    assert_eq!(end.out(), [". 1:1001(1000) ack 1 win 10000"]);
    end.wait(millis(90));
    end.rcv(". 1:1(0) ack 5001 win 10000");
    assert_eq!(end.conn().info().rtt, before);
}

/// Trap 1: the other end's window is shut too, and it hears only what lies exactly where it waits.
#[test]
fn an_acknowledgement_beside_a_probe_lies_within_the_peers_window() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv(". 1:10001(10000) ack 1 win 0");
        end.write(&[0; 100]);
        assert_eq!(end.out(), [". 1:1(0) ack 10001 win 0"]);
        assert_eq!(end.wait(millis(300)), ["200 . 1:2(1) ack 10001 win 0"]);
        end.read(10_000);
        assert_eq!(end.out(), [". 1:1(0) ack 10001 win 10000"]);
    });
}
