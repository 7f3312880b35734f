//! What a writer may say of what it writes, and what becomes of small segments.

use super::*;

const MORE: Writing = Writing { urgent: false, more: true, end_of_record: false };
const RECORD: Writing = Writing { urgent: false, more: false, end_of_record: true };

// MUST-61
#[test]
fn the_end_of_a_write_is_pushed_and_pushed_again_when_it_is_sent_again() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        for _ in 0..2 {
            end.write(&[0; 1000]);
        }
        assert_eq!(end.out(), [". 1:1001(1000) ack 1 win 10000", "P. 1001:2001(1000) ack 1 win 10000"]);
        end.write(&[0; 500]);
        assert_eq!(end.out(), ["P. 2001:2501(500) ack 1 win 10000"]);
        end.rcv(". 1:1(0) ack 1001 win 10000");
        for _ in 0..3 {
            end.rcv(". 1:1(0) ack 1001 win 10000");
        }
        assert_eq!(end.out()[0], "P. 1001:2001(1000) ack 1 win 10000");
    });
}

#[test]
fn what_is_said_to_go_on_waits_for_its_end() {
    let mut end = End::established(Config { nagle: false, ..plain() }, 1, 1);
    end.write_with(&[0; 100], MORE);
    assert_eq!(end.out(), [""; 0]);
    end.write_with(&[0; 1200], MORE);
    assert_eq!(end.out(), [". 1:1001(1000) ack 1 win 10000"], "a full segment goes, and nobody has pushed");
    end.write(&[0; 5]);
    assert_eq!(end.out(), ["P. 1001:1306(305) ack 1 win 10000"]);
    end.write_with(&[0; 7], MORE);
    end.rcv(". 1:1(0) ack 1306 win 10000");
    assert_eq!(end.out(), [". 1306:1313(7) ack 1 win 10000"], "an acknowledgment ends the waiting");
    end.rcv(". 1:1(0) ack 1313 win 10000");
    end.write_with(&[0; 9], MORE);
    assert_eq!(end.out(), [""; 0]);
    assert_eq!(end.wait(millis(300)).len(), 1, "and so does time");
}

#[test]
fn a_cork_holds_small_segments_until_it_is_drawn() {
    let mut end = End::established(Config { cork: true, ..plain() }, 1, 1);
    end.write(&[0; 40]);
    end.write(&[0; 40]);
    assert_eq!(end.out(), [""; 0]);
    end.with(|shape, cx| match shape {
        Shape::Connection(connection) => connection.configure(cx, |config| config.cork = false),
        Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
    });
    assert_eq!(end.out(), ["P. 1:81(80) ack 1 win 10000"]);
}

#[test]
fn nothing_shares_a_segment_with_the_record_before_it() {
    let mut end = End::established(plain(), 1, 1);
    end.write_with(&[0; 400], RECORD);
    end.write_with(&[0; 400], RECORD);
    end.write(&[0; 1000]);
    let segments =
        ["P. 1:401(400) ack 1 win 10000", "P. 401:801(400) ack 1 win 10000", "P. 801:1801(1000) ack 1 win 10000"];
    let sent = end.out();
    let places: Vec<_> = sent.iter().map(|text| text.split_whitespace().nth(1)).collect();
    assert_eq!(places, segments.map(|text| text.split_whitespace().nth(1)), "{sent:?}");
}

#[test]
fn a_writer_waits_while_too_much_is_unsent() {
    let config = Config { unsent_limit: Some(2000), initial_window: 2, ..plain() };
    let mut end = End::established(config, 1, 1);
    assert_eq!(end.write(&[0; 9000]), 2000);
    assert!(!end.conn().status().writable);
    end.out();
    assert!(end.conn().status().writable, "sent is not unsent");
}

// SHLD-29
#[test]
fn a_closed_window_may_be_probed_without_data() {
    let mut end = End::established(Config { empty_window_probes: true, ..plain() }, 1, 1);
    end.rcv(". 1:1(0) ack 1 win 0");
    end.write(&[0; 100]);
    assert_eq!(end.out(), [""; 0]);
    let probes = end.wait(millis(900));
    assert!(probes[0].ends_with(" . 0:0(0) ack 1 win 10000"), "{probes:?}");
    end.rcv(". 1:1(0) ack 1 win 500");
    assert_eq!(end.out(), ["P. 1:101(100) ack 1 win 10000"]);
}

#[test]
fn an_idle_window_stays_where_it_is_told_to() {
    for (restart, expected) in [(true, 2), (false, 4)] {
        let config = Config { initial_window: 2, restart_after_idle: restart, ..plain() };
        let mut end = End::established(config, 1, 1);
        end.write(&[0; 2000]);
        end.out();
        end.rcv(". 1:1(0) ack 2001 win 10000");
        end.wait(millis(5000));
        end.write(&[0; 9000]);
        assert_eq!(end.out().len(), expected);
    }
}
