//! The ways in which a connection ends (RFC 9293 §3.6).

use super::*;

// MUST-12, MUST-13
#[test]
fn the_active_closer_passes_fin_wait_and_time_wait() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.shutdown();
        assert_eq!((end.state(), end.out()), (State::FinWait1, vec!["F. 1:1(0) ack 1 win 10000".into()]));
        end.rcv(". 1:1(0) ack 2 win 10000");
        assert_eq!((end.state(), end.out()), (State::FinWait2, vec![]));
        end.rcv("P. 1:6(5) ack 2 win 10000");
        assert_eq!(end.read(9), stream(1, 5), "half-closed: the peer may go on");
        end.rcv("F. 6:6(0) ack 2 win 10000");
        assert_eq!((end.state(), end.out()), (State::TimeWait, vec![". 2:2(0) ack 7 win 9994".into()]));
        assert_eq!(end.conn().receive(&mut [0; 5], &mut Pool::default()), Ok(0));
        end.wait(Duration::from_secs(59));
        assert_eq!(end.state(), State::TimeWait);
        end.wait(Duration::from_secs(2));
        assert_eq!((end.state(), end.closed()), (State::Closed, Some(CloseReason::Finished)));
    });
}

#[test]
fn the_passive_closer_passes_close_wait_and_last_ack() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv("FP. 1:6(5) ack 1 win 10000");
        assert_eq!((end.state(), end.out()), (State::CloseWait, vec![". 1:1(0) ack 7 win 9994".into()]));
        end.write(b"bye");
        end.shutdown();
        assert_eq!((end.state(), end.out()), (State::LastAck, vec!["FP. 1:4(3) ack 7 win 9994".into()]));
        end.rcv(". 7:7(0) ack 4 win 10000");
        assert_eq!(end.state(), State::LastAck, "the data, but not the FIN");
        end.rcv(". 7:7(0) ack 5 win 10000");
        assert_eq!((end.state(), end.closed()), (State::Closed, Some(CloseReason::Finished)));
        assert_eq!(end.read(9), stream(1, 5), "what came is still there to be read");
    });
}

#[test]
fn crossing_fins_pass_closing() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.shutdown();
        end.out();
        end.rcv("F. 1:1(0) ack 1 win 10000");
        assert_eq!((end.state(), end.out()), (State::Closing, vec![". 2:2(0) ack 2 win 9999".into()]));
        end.rcv(". 2:2(0) ack 2 win 10000");
        assert_eq!(end.state(), State::TimeWait);
    });
}

#[test]
fn a_fin_with_the_ack_of_ours_goes_straight_to_time_wait() {
    let mut end = End::established(plain(), 1, 1);
    end.shutdown();
    end.out();
    end.rcv("F. 1:1(0) ack 2 win 10000");
    assert_eq!((end.state(), end.out()), (State::TimeWait, vec![". 2:2(0) ack 2 win 9999".into()]));
}

#[test]
fn a_lost_fin_is_sent_again_in_every_closing_state() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.shutdown();
        end.out();
        assert_eq!(end.wait(millis(250)), ["200 F. 1:1(0) ack 1 win 10000"], "FIN-WAIT-1");
        end.rcv("F. 1:1(0) ack 1 win 10000");
        end.out();
        assert_eq!(end.wait(millis(400)), ["350 F. 1:1(0) ack 2 win 9999"], "CLOSING");
        let mut end = End::established(plain(), isn, irs);
        end.rcv("F. 1:1(0) ack 1 win 10000");
        end.shutdown();
        end.out();
        assert_eq!(end.wait(millis(250)), ["200 F. 1:1(0) ack 2 win 9999"], "LAST-ACK");
    });
}

#[test]
fn a_fin_waits_for_the_data_before_it() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv("F. 11:11(0) ack 1 win 10000");
        assert_eq!((end.state(), end.out()), (State::Established, vec![". 1:1(0) ack 1 win 10000".into()]));
        end.rcv(". 1:11(10) ack 1 win 10000");
        assert_eq!((end.state(), end.out()), (State::CloseWait, vec![". 1:1(0) ack 12 win 9989".into()]));
    });
}

#[test]
fn time_wait_acknowledges_a_repeated_fin_and_starts_again() {
    let mut end = End::established(plain(), 1, 1);
    end.shutdown();
    end.out();
    end.rcv("F. 1:1(0) ack 2 win 10000");
    end.out();
    end.wait(Duration::from_secs(40));
    end.rcv("F. 1:1(0) ack 2 win 10000");
    assert_eq!(end.out(), [". 2:2(0) ack 2 win 9999"]);
    end.wait(Duration::from_secs(40));
    assert_eq!(end.state(), State::TimeWait);
    end.wait(Duration::from_secs(21));
    assert_eq!(end.state(), State::Closed);
}

// MAY-2, SHLD-4
#[test]
fn time_wait_gives_way_to_a_newer_syn_only() {
    let syn = "S 0:0(0) win 10000 mss 1000 TS 100 0";
    let mut end = End::passive(Config { timestamps: true, ..plain() }, 1, 1, syn);
    end.out();
    end.rcv(". 1:1(0) ack 1 win 10000 TS 110 1000");
    end.shutdown();
    end.out();
    end.rcv("F. 1:1(0) ack 2 win 10000 TS 120 1000");
    assert_eq!(end.state(), State::TimeWait);
    end.out();
    for (syn, reopens) in [
        ("S 500:500(0) win 10000 TS 119 0", false),
        ("S 500:500(0) win 10000 TS 120 0", true),
        ("S -500:-500(0) win 10000 TS 120 0", false),
        ("S -500:-500(0) win 10000 TS 121 0", true),
        ("S 500:500(0) win 10000", true),
        ("S 0:0(0) win 10000", false),
    ] {
        let (header, data) = parse(syn, 1, 1);
        let segment = Segment { header, data: &data, ecn: 0, packets: 1 };
        let arrival = end.with(|shape, cx| match shape {
            Shape::Connection(connection) => connection.handle_segment(cx, &segment),
            Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
        });
        assert_eq!(arrival == Arrival::NewIncarnation, reopens, "{syn}");
    }
}

/// RFC 9293 §3.5.2: a reset that answers takes its number from the segment, so that the peer finds it exact.
#[test]
fn the_reset_for_data_after_the_close_is_exact_for_its_sender() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.write(&[0; 1000]);
        end.out();
        end.release();
        end.out();
        // The peer has none of the 1000 bytes.
        end.rcv("P. 1:11(10) ack 1 win 10000");
        assert_eq!(end.out(), ["R 1:1(0) win 0"]);
        assert_eq!(end.closed(), Some(CloseReason::Aborted));
    });
}

// SHLD-3
#[test]
fn closing_with_data_unread_resets() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv("P. 1:6(5) ack 1 win 10000");
        end.release();
        assert_eq!(end.out(), ["R. 1:1(0) ack 6 win 0"]);
        assert_eq!(end.closed(), Some(CloseReason::Aborted));
    });
}

// SHLD-3
#[test]
fn data_after_the_application_has_gone_resets() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.release();
        end.out();
        end.rcv(". 1:1(0) ack 2 win 10000");
        assert_eq!(end.state(), State::FinWait2);
        end.rcv("P. 1:6(5) ack 2 win 10000");
        assert_eq!(end.out(), ["R 2:2(0) win 0"]);
        assert_eq!(end.state(), State::Closed);
    });
}

#[test]
fn fin_wait_2_of_nobody_ends() {
    let mut end = End::established(plain(), 1, 1);
    end.release();
    end.out();
    end.rcv(". 1:1(0) ack 2 win 10000");
    assert_eq!(end.wait(Duration::from_secs(61)), [""; 0]);
    assert_eq!(end.state(), State::Closed);
    let mut end = End::established(plain(), 1, 1);
    end.shutdown();
    end.out();
    end.rcv(". 1:1(0) ack 2 win 10000");
    end.wait(Duration::from_secs(100_000));
    assert_eq!(end.state(), State::FinWait2, "somebody still reads");
}

#[test]
fn what_was_written_before_the_close_is_delivered() {
    let mut end = End::established(plain(), 1, 1);
    end.rcv(". 1:1(0) ack 1 win 1000");
    end.write(&[0; 1500]);
    end.release();
    assert_eq!(end.out(), [". 1:1001(1000) ack 1 win 10000"]);
    end.rcv(". 1:1(0) ack 1001 win 1000");
    assert_eq!(end.out(), ["FP. 1001:1501(500) ack 1 win 10000"]);
}

/// Trap 2: a FIN takes a sequence number, which at the right edge lies beyond the window.
#[test]
fn a_fin_at_the_edge_of_a_shut_window_may_come_twice_before_it_is_answered() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        for start in (1..10_000).step_by(1000) {
            end.rcv(&format!(". {start}:{}(1000) ack 1 win 10000", start + 1000));
        }
        end.rcv("F. 10001:10001(0) ack 1 win 10000");
        assert_eq!((end.state(), end.conn().info().rcv_wnd), (State::CloseWait, 0));
        end.rcv("F. 10001:10001(0) ack 1 win 10000");
        assert_eq!(end.out(), [". 1:1(0) ack 10002 win 0"]);
    });
}

/// Trap 1: the patience with a FIN that a shut window holds back begins with the FIN.
#[test]
fn a_fin_waits_for_a_window_that_was_shut_long_before() {
    everywhere(|isn, irs| {
        for config in [plain(), Config { user_timeout: Some(Duration::from_secs(30)), ..plain() }] {
            let mut end = End::established(config, isn, irs);
            end.rcv(". 1:1(0) ack 1 win 0");
            assert_eq!(end.wait(Duration::from_secs(5000)), [""; 0]);
            end.shutdown();
            assert_eq!(end.out(), [""; 0]);
            assert_eq!(end.wait(millis(250)), ["200 F. 1:1(0) ack 1 win 10000"], "as a probe");
            end.rcv(". 1:1(0) ack 2 win 0");
            assert_eq!((end.state(), end.wait(Duration::from_secs(100))), (State::FinWait2, vec![]));
        }
    });
}

/// Nobody holds the connection any more: a peer that keeps its window shut must not hold it for ever (RFC 6429 §3).
#[test]
fn a_shut_window_does_not_keep_what_the_application_has_let_go() {
    let mut end = End::established(plain(), 1, 1);
    end.rcv(". 1:1(0) ack 1 win 0");
    end.write(&[0; 100]);
    end.release();
    end.out();
    for _ in 0..100 {
        end.wait(Duration::from_secs(60));
        end.rcv(". 1:1(0) ack 1 win 0");
    }
    assert_eq!(end.closed(), Some(CloseReason::TimedOut));
}
