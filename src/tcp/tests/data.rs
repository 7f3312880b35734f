//! Data in both directions: acknowledgements, windows, Nagle, reassembly, loss.

use super::*;

// SHLD-18, SHLD-19, MUST-40
#[test]
fn every_second_segment_is_acknowledged_and_a_single_one_after_the_delay() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv(". 1:1001(1000) ack 1 win 10000");
        assert_eq!(end.out(), [""; 0]);
        assert_eq!(end.wait(millis(100)), ["40 . 1:1(0) ack 1001 win 9000"]);
        end.rcv(". 1001:2461(1460) ack 1 win 10000");
        end.rcv(". 2461:3921(1460) ack 1 win 10000");
        assert_eq!(end.out(), [". 1:1(0) ack 3921 win 6080"]);
        assert_eq!(end.read(9999), stream(1, 3920));
    });
}

// MUST-58, MUST-59
#[test]
fn segments_that_arrive_together_are_acknowledged_once() {
    let mut end = End::established(plain(), 5, 5);
    for n in 0..5 {
        end.rcv(&format!(". {}:{}(1460) ack 1 win 10000", 1 + n * 1460, 1 + (n + 1) * 1460));
    }
    assert_eq!(end.out(), [". 1:1(0) ack 7301 win 2700"]);
}

// SHLD-31, MAY-13
#[test]
fn holes_are_reported_at_once_and_filled_in_any_order() {
    everywhere(|isn, irs| {
        let syn = "S 0:0(0) win 10000 mss 1000 sackOK";
        let mut end = End::passive(Config { sack: true, ..plain() }, isn, irs, syn);
        end.out();
        end.rcv(". 1:1(0) ack 1 win 10000");
        end.rcv(". 1001:2001(1000) ack 1 win 10000");
        assert_eq!(end.out(), [". 1:1(0) ack 1 win 10000 sack 1001:2001"]);
        end.rcv(". 3001:4001(1000) ack 1 win 10000");
        assert_eq!(end.out(), [". 1:1(0) ack 1 win 10000 sack 3001:4001 sack 1001:2001"]);
        end.rcv(". 1:1001(1000) ack 1 win 10000");
        assert_eq!(end.out(), [". 1:1(0) ack 2001 win 8000 sack 3001:4001"]);
        end.rcv(". 1501:3501(2000) ack 1 win 10000");
        assert_eq!(end.out(), [". 1:1(0) ack 4001 win 6000 sack 1501:2001"]);
        assert_eq!(end.read(9999), stream(1, 4000));
    });
}

#[test]
fn data_beyond_the_window_is_cut_and_data_behind_it_acknowledged() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv(". 1:9801(9800) ack 1 win 10000");
        end.out();
        end.rcv(". 9801:10801(1000) ack 1 win 10000");
        end.wait(millis(50));
        assert_eq!(end.conn().info().receive_queue, 10_000);
        end.rcv(". 1:1001(1000) ack 1 win 10000");
        assert_eq!(end.out(), [". 1:1(0) ack 10001 win 0"]);
        end.rcv(". 10001:10002(1) ack 1 win 10000");
        assert_eq!(end.out(), [". 1:1(0) ack 10001 win 0"], "a window probe is answered");
        assert_eq!(end.read(99_999), stream(1, 10_000));
        assert_eq!(end.out(), [". 1:1(0) ack 10001 win 10000"], "the window is opened by reading");
        end.rcv(". 10001:10002(1) ack 1 win 10000");
        assert_eq!(end.read(10), stream(10_001, 1));
    });
}

#[test]
fn the_first_read_of_a_large_window_sends_no_update_of_its_own() {
    let config = Config { window_scale: Some(7), receive_buffer: 512 * 1024, ..plain() };
    let mut end = End::passive(config, 1, 1, "S 0:0(0) win 10000 mss 1000 wscale 7");
    end.out();
    end.rcv(". 1:1(0) ack 1 win 100");
    end.rcv("P. 1:80(79) ack 1 win 100");
    end.read(100);
    assert_eq!(end.out(), [""; 0], "65,535 bytes were offered and 79 used");
    end.write(b"answer");
    assert_eq!(end.out(), ["P. 1:7(6) ack 80 win 4096"]);
}

// MUST-60, MUST-61, MAY-16, SHLD-27, SHLD-28
#[test]
fn a_write_is_cut_into_segments_and_pushed_at_its_end() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.write(&[0; 2500]);
        assert_eq!(
            end.out(),
            [
                ". 1:1001(1000) ack 1 win 10000",
                ". 1001:2001(1000) ack 1 win 10000",
                "P. 2001:2501(500) ack 1 win 10000",
            ]
        );
        end.rcv(". 1:1(0) ack 2501 win 10000");
        assert_eq!(end.conn().info().send_queue, 0);
    });
}

// SHLD-7, MUST-17
#[test]
fn nagle_holds_a_small_segment_back_behind_another_and_nodelay_does_not() {
    let mut end = End::established(plain(), 1, 1);
    end.write(&[0; 10]);
    assert_eq!(end.out(), ["P. 1:11(10) ack 1 win 10000"]);
    end.write(&[0; 10]);
    assert_eq!(end.out(), [""; 0]);
    end.rcv(". 1:1(0) ack 11 win 10000");
    assert_eq!(end.out(), ["P. 11:21(10) ack 1 win 10000"]);
    end.with(|shape, cx| match shape {
        Shape::Connection(connection) => connection.configure(cx, |config| config.nagle = false),
        Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
    });
    end.write(&[0; 10]);
    assert_eq!(end.out(), ["P. 21:31(10) ack 1 win 10000"]);
}

// MUST-34, SHLD-15
#[test]
fn the_peers_window_bounds_what_is_sent_even_when_it_shrinks() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv(". 1:1(0) ack 1 win 2000");
        end.write(&[0; 5000]);
        assert_eq!(end.out().len(), 2);
        end.rcv(". 1:1(0) ack 1001 win 500");
        assert_eq!(end.out(), [""; 0], "the usable window is negative");
        end.rcv(". 1:1(0) ack 2001 win 2000");
        assert_eq!(end.out(), [". 2001:3001(1000) ack 1 win 10000", ". 3001:4001(1000) ack 1 win 10000"]);
    });
}

// MUST-1
#[test]
fn a_window_field_above_half_of_its_range_is_a_large_window() {
    for window in [0x7fff, 0x8000, 40_000, 0xffff] {
        let mut end = End::established(plain(), 1, 1);
        end.rcv(&format!(". 1:1(0) ack 1 win {window}"));
        assert_eq!(end.conn().info().snd_wnd, window);
    }
}

// SHLD-16, SHLD-17: what lies within the shrunken window goes again, and the connection lives on.
#[test]
fn after_a_shrink_old_data_within_the_window_is_retransmitted() {
    let mut end = End::established(plain(), 1, 1);
    end.write(&[0; 3000]);
    assert_eq!(end.out().len(), 3);
    end.rcv(". 1:1(0) ack 1 win 1000");
    assert_eq!(end.wait(millis(250)), ["200 . 1:1001(1000) ack 1 win 10000"]);
    end.rcv(". 1:1(0) ack 1001 win 0");
    for _ in 0..50 {
        end.wait(Duration::from_secs(60));
        end.rcv(". 1:1(0) ack 1001 win 0");
    }
    assert_eq!(end.state(), State::Established, "fifty minutes, each probe answered");
}

// MUST-38
#[test]
fn silly_windows_are_not_filled_at_once() {
    let mut end = End::established(plain(), 1, 1);
    end.rcv(". 1:1(0) ack 1 win 100");
    end.write(&[0; 5000]);
    assert_eq!(end.out(), [""; 0]);
    assert_eq!(end.wait(millis(500)), ["200 . 1:101(100) ack 1 win 10000", "400 . 1:101(100) ack 1 win 10000"]);
}

// MUST-19
#[test]
fn the_initial_window_is_ten_segments_and_slow_start_doubles_it() {
    let mut end = End::established(plain(), 1, 1);
    end.rcv(". 1:1(0) ack 1 win 65000");
    end.write(&[0; 40_000]);
    assert_eq!(end.out().len(), 10);
    for n in 1..=10 {
        end.rcv(&format!(". 1:1(0) ack {} win 65000", 1 + n * 1000));
    }
    assert_eq!(end.out().len(), 20);
}

// MUST-19, MAY-18
#[test]
fn the_third_duplicate_ack_retransmits_and_a_partial_ack_goes_on() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.write(&[0; 10_000]);
        assert_eq!(end.out().len(), 10);
        end.rcv(". 1:1(0) ack 1 win 10000");
        end.rcv(". 1:1(0) ack 1 win 10000");
        assert_eq!(end.out(), [""; 0]);
        end.rcv(". 1:1(0) ack 1 win 10000");
        assert_eq!(end.out(), [". 1:1001(1000) ack 1 win 10000"]);
        assert_eq!((end.conn().info().ssthresh, end.conn().info().cwnd), (5000, 7000), "six in flight, and one");
        end.rcv(". 1:1(0) ack 3001 win 10000");
        assert_eq!(end.out(), [". 3001:4001(1000) ack 1 win 10000"]);
        end.rcv(". 1:1(0) ack 10001 win 10000");
        assert_eq!((end.out(), end.conn().info().cwnd), (vec![], 5000));
    });
}

#[test]
fn window_updates_and_data_are_not_duplicate_acks() {
    let mut end = End::established(plain(), 1, 1);
    end.write(&[0; 5000]);
    end.out();
    for window in [9000, 9500, 9000, 9500] {
        end.rcv(&format!(". 1:1(0) ack 1 win {window}"));
    }
    for n in 0..4 {
        end.rcv(&format!("P. {}:{}(1) ack 1 win 9500", 1 + n, 2 + n));
    }
    assert_eq!(end.conn().info().retransmissions, 0);
    assert!(end.out().iter().all(|text| text.contains("(0)")), "acknowledgements only");
}

// MUST-30, MUST-31, MUST-32, MUST-33, MUST-62
#[test]
fn urgent_data_is_marked_and_told() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv("U. 1:11(10) ack 1 win 10000 urg 5");
        assert_eq!(end.conn().info().urgent_ahead, Some(5));
        end.read(5);
        assert_eq!(end.conn().info().urgent_ahead, None);
        end.wait(millis(100));
        end.write_with(b"stop", Writing { urgent: true, ..Writing::default() });
        assert_eq!(end.out(), ["PU. 1:5(4) ack 11 win 9990 urg 4"]);
    });
}

// MUST-5, MUST-16
#[test]
fn timestamps_are_echoed_and_old_ones_refused() {
    everywhere(|isn, irs| {
        let syn = "S 0:0(0) win 10000 mss 1000 TS 100 0";
        let mut end = End::passive(Config { timestamps: true, ..plain() }, isn, irs, syn);
        assert_eq!(end.out(), ["S. 0:0(0) ack 1 win 10000 mss 1460 TS 1000 100"]);
        end.rcv(". 1:1(0) ack 1 win 10000 TS 110 1000");
        end.rcv("P. 1:11(10) ack 1 win 10000 TS 120 1000");
        assert_eq!(end.wait(millis(100)), ["40 . 1:1(0) ack 11 win 9990 TS 1040 120"]);
        end.rcv("P. 11:21(10) ack 1 win 10000 TS 90 1000");
        assert_eq!(end.out(), [". 1:1(0) ack 11 win 9990 TS 1100 120"], "PAWS");
        end.write(&[0; 2000]);
        assert_eq!(end.out()[0], ". 1:989(988) ack 11 win 9990 TS 1100 120", "12 bytes of options come off the MSS");
    });
}

#[test]
fn a_smaller_path_mtu_cuts_what_was_lost() {
    let mut end = End::established(plain(), 1, 1);
    end.write(&[0; 2000]);
    assert_eq!(end.out().len(), 2);
    end.conn().handle_path_mtu(640);
    assert_eq!(
        end.out(),
        [
            ". 1:601(600) ack 1 win 10000",
            ". 601:1001(400) ack 1 win 10000",
            ". 1001:1601(600) ack 1 win 10000",
            "P. 1601:2001(400) ack 1 win 10000",
        ]
    );
}

/// RFC 9293 §3.8.6.3 (SHLD-19): timestamps take twelve bytes of every segment, so that a full one carries less data.
#[test]
fn every_second_full_segment_is_acknowledged_with_timestamps_too() {
    let config = Config { timestamps: true, receive_buffer: 60_000, ..plain() };
    let mut end = End::passive(config, 7, 9, "S 0:0(0) win 10000 mss 1460 TS 5 0");
    end.out();
    end.rcv(". 1:1(0) ack 1 win 10000 TS 5 1000");
    end.rcv(". 1:1449(1448) ack 1 win 10000 TS 5 1000");
    assert_eq!(end.out(), [""; 0]);
    end.rcv(". 1449:2897(1448) ack 1 win 10000 TS 5 1000");
    assert_eq!(end.out().len(), 1);
}
