//! Handshakes (RFC 9293 §3.5).

use super::*;

// MUST-14, SHLD-5, MUST-65: the MSS goes with the SYN and with nothing else
#[test]
fn passive_open_answers_and_completes() {
    everywhere(|isn, irs| {
        let mut end = End::passive(plain(), isn, irs, PEER_SYN);
        assert_eq!((end.state(), end.out()), (State::SynReceived, vec!["S. 0:0(0) ack 1 win 10000 mss 1460".into()]));
        end.rcv(". 1:1(0) ack 1 win 10000");
        assert_eq!((end.state(), end.out()), (State::Established, vec![]));
    });
}

#[test]
fn active_open_acknowledges_the_syn_ack() {
    everywhere(|isn, irs| {
        let mut end = End::active(plain(), isn, irs);
        assert_eq!((end.state(), end.out()), (State::SynSent, vec!["S 0:0(0) win 10000 mss 1460".into()]));
        end.rcv("S. 0:0(0) ack 1 win 5000 mss 1000");
        assert_eq!((end.state(), end.out()), (State::Established, vec![". 1:1(0) ack 1 win 10000".into()]));
    });
}

/// No window is open, and the handshake completes all the same (MUST-66).
#[test]
fn without_any_receive_buffer_the_handshake_completes() {
    everywhere(|isn, irs| {
        let mut end = End::passive(Config { receive_buffer: 0, ..plain() }, isn, irs, PEER_SYN);
        assert_eq!(end.out(), ["S. 0:0(0) ack 1 win 0 mss 1460"]);
        end.rcv(". 2:2(0) ack 1 win 10000");
        assert_eq!((end.state(), end.out()), (State::SynReceived, vec![". 1:1(0) ack 1 win 0".into()]));
        end.rcv(". 1:1(0) ack 1 win 10000");
        assert_eq!(end.state(), State::Established);
    });
}

// MUST-10
#[test]
fn simultaneous_open_meets_in_the_middle() {
    everywhere(|isn, irs| {
        let mut end = End::active(plain(), isn, irs);
        end.out();
        end.rcv("S 0:0(0) win 5000 mss 1000");
        assert_eq!((end.state(), end.out()), (State::SynReceived, vec!["S. 0:0(0) ack 1 win 10000 mss 1460".into()]));
        end.rcv("S. 0:0(0) ack 1 win 5000 mss 1000");
        assert_eq!(end.state(), State::Established);
    });
}

/// RFC 9293 §3.5.1, figure 9: the other end still holds an old connection. Our RST ends it, and the next SYN need not
/// wait for the timer.
#[test]
fn after_an_answer_of_an_old_connection_the_syn_goes_again_at_once() {
    everywhere(|isn, irs| {
        let mut end = End::active(plain(), isn, irs);
        end.out();
        end.rcv(". 300:300(0) ack 100 win 5000");
        assert_eq!(end.out(), ["R 100:100(0) win 0"]);
        assert_eq!(end.wait(millis(500)), ["10 S 0:0(0) win 10000 mss 1460"]);
        end.rcv(". 300:300(0) ack 100 win 5000");
        assert_eq!(end.out(), ["R 100:100(0) win 0"]);
        assert_eq!(end.wait(millis(500)), [""; 0], "once only");
        end.rcv("S. 0:0(0) ack 1 win 65535 mss 1000");
        assert_eq!(end.conn().info().cwnd, 10_000, "no SYN was lost (RFC 5681 §3.1)");
        assert_eq!(end.conn().info().rto, millis(1000), "nor the time of any known (RFC 6298 §3)");
    });
}

// MUST-4, MUST-14, MUST-67
#[test]
fn options_are_agreed_on_only_when_both_sides_offer() {
    let all = Config { receive_buffer: 1 << 20, ..Config::default() };
    let table = [
        ("S 0:0(0) win 9000 mss 1400", "S. 0:0(0) ack 1 win 65535 mss 1460"),
        ("S 0:0(0) win 9000 mss 1400 wscale 7", "S. 0:0(0) ack 1 win 65535 mss 1460 wscale 8"),
        ("S 0:0(0) win 9000 mss 1400 sackOK", "S. 0:0(0) ack 1 win 65535 mss 1460 sackOK"),
        ("S 0:0(0) win 9000 mss 1400 TS 5 0", "S. 0:0(0) ack 1 win 65535 mss 1460 TS 1000 5"),
    ];
    for (syn, answer) in table {
        assert_eq!(End::passive(all.clone(), 7, 9, syn).out(), [answer]);
    }
}

// REC-1: windows are kept in more than 16 bits
#[test]
fn a_shift_above_fourteen_counts_as_fourteen() {
    let config = Config { receive_buffer: 1 << 20, ..Config::default() };
    let mut end = End::passive(config, 7, 9, "S 0:0(0) win 9000 wscale 200");
    end.out();
    end.rcv(". 1:1(0) ack 1 win 2");
    assert_eq!(end.conn().info().snd_wnd, 2 << 14);
}

#[test]
fn an_ack_sent_while_opening_has_a_scaled_window() {
    let config = Config { window_scale: Some(7), receive_buffer: 1 << 20, ..plain() };
    let mut end = End::passive(config, 7, 9, "S 0:0(0) win 9000 mss 1400 wscale 2");
    assert_eq!(end.out(), ["S. 0:0(0) ack 1 win 65535 mss 1460 wscale 7"], "RFC 7323 §2.2: not in a SYN");
    end.rcv(". 70000:70000(0) ack 1 win 10000");
    assert_eq!(end.out(), [". 1:1(0) ack 1 win 512"], "RFC 7323 §2.3: in everything else");
}

// MUST-15
#[test]
fn without_an_mss_option_segments_have_536_bytes() {
    let mut end = End::passive(plain(), 1, 1, "S 0:0(0) win 10000");
    end.out();
    end.rcv(". 1:1(0) ack 1 win 10000");
    end.write(&[0; 1200]);
    assert_eq!(end.out()[..2], [". 1:537(536) ack 1 win 10000", ". 537:1073(536) ack 1 win 10000"]);
}

// MUST-22, MUST-23
#[test]
fn lost_syns_are_sent_again_with_backoff_for_at_least_three_minutes() {
    let mut end = End::active(plain(), 5, 9);
    end.out();
    let sent = end.wait(Duration::from_secs(600));
    let times: Vec<&str> = sent.iter().map(|line| line.split(' ').next().expect("a time")).collect();
    assert_eq!(times, ["1000", "3000", "7000", "15000", "31000", "63000", "127000"]);
    assert_eq!(end.closed(), Some(CloseReason::TimedOut));
}

#[test]
fn a_segment_that_reaches_into_the_window_completes_the_handshake() {
    everywhere(|isn, irs| {
        let mut end = End::passive(plain(), isn, irs, PEER_SYN);
        end.out();
        end.rcv("P. -4:6(10) ack 1 win 10000");
        assert_eq!((end.state(), end.read(20)), (State::Established, stream(1, 5)));
    });
}

#[test]
fn a_repeated_syn_gets_the_same_syn_ack() {
    everywhere(|isn, irs| {
        let mut end = End::passive(plain(), isn, irs, PEER_SYN);
        let first = end.out();
        end.rcv(PEER_SYN);
        assert_eq!(end.out(), first);
    });
}

#[test]
fn data_with_the_third_ack_is_kept() {
    everywhere(|isn, irs| {
        let mut end = End::passive(plain(), isn, irs, PEER_SYN);
        end.out();
        end.rcv("P. 1:101(100) ack 1 win 10000");
        assert_eq!(end.read(200), stream(1, 100));
    });
}

#[test]
fn the_third_ack_may_be_lost() {
    everywhere(|isn, irs| {
        let mut end = End::passive(plain(), isn, irs, PEER_SYN);
        end.out();
        assert_eq!(end.wait(millis(1500)), ["1000 S. 0:0(0) ack 1 win 10000 mss 1460"]);
        end.rcv("P. 1:11(10) ack 1 win 10000");
        assert_eq!((end.state(), end.read(20)), (State::Established, stream(1, 10)));
    });
}

// MUST-11, MUST-12
#[test]
fn resets_while_opening() {
    everywhere(|isn, irs| {
        // Active: only a RST that acknowledges our SYN counts (RFC 9293 §3.10.7.3).
        let mut end = End::active(plain(), isn, irs);
        end.out();
        end.rcv("R 0:0(0) win 0");
        end.rcv("R. 0:0(0) ack 500 win 0");
        assert_eq!((end.state(), end.out()), (State::SynSent, vec![]));
        end.rcv("R. 0:0(0) ack 1 win 0");
        assert_eq!(end.closed(), Some(CloseReason::Refused));
        // Passive: exactly at RCV.NXT it ends the opening, elsewhere in the window it is challenged (RFC 5961 §3.2).
        let mut end = End::passive(plain(), isn, irs, PEER_SYN);
        end.out();
        end.rcv("R 2:2(0) win 0");
        assert_eq!((end.state(), end.out()), (State::SynReceived, vec![". 1:1(0) ack 1 win 10000".into()]));
        end.rcv("R 1:1(0) win 0");
        assert_eq!(end.state(), State::Closed);
    });
}

#[test]
fn an_ack_of_something_else_is_reset() {
    everywhere(|isn, irs| {
        let mut end = End::active(plain(), isn, irs);
        end.out();
        end.rcv(". 300:300(0) ack 100 win 1000");
        assert_eq!((end.out(), end.state()), (vec!["R 100:100(0) win 0".into()], State::SynSent));
        let mut end = End::passive(plain(), isn, irs, PEER_SYN);
        end.out();
        end.rcv(". 1:1(0) ack 77 win 1000");
        assert_eq!((end.out(), end.state()), (vec!["R 77:77(0) win 0".into()], State::SynReceived));
    });
}

// MUST-56, SHLD-26
#[test]
fn hard_icmp_errors_end_an_opening_and_soft_ones_do_not() {
    let mut end = End::active(plain(), 3, 4);
    end.out();
    let outcome = end.with(|shape, cx| match shape {
        Shape::Opening(opening) => opening.handle_icmp(cx, "host unreachable", None),
        Shape::Connection(_) | Shape::Over(_) => panic!("not opening"),
    });
    end.conclude(outcome, None);
    assert_eq!(end.state(), State::SynSent);
    let outcome = end.with(|shape, cx| match shape {
        Shape::Opening(opening) => opening.handle_icmp(cx, "prohibited", Some(CloseReason::Unreachable)),
        Shape::Connection(_) | Shape::Over(_) => panic!("not opening"),
    });
    end.conclude(outcome, None);
    assert_eq!(end.closed(), Some(CloseReason::Unreachable));
}

/// RFC 7323 §2.2, and trap 5: the window of a segment with SYN counts as it stands, though the SYN,ACK is then processed
/// further in the new connection.
#[test]
fn the_window_of_a_syn_ack_is_not_scaled() {
    let config = Config { window_scale: Some(7), ..plain() };
    let mut end = End::active(config, 7, 9);
    end.out();
    end.rcv("S. 0:0(0) ack 1 win 2000 mss 1000 wscale 7");
    end.out();
    assert_eq!(end.conn().info().snd_wnd, 2000);
    end.write(&[0; 5000]);
    assert_eq!(end.out().len(), 2);
    end.rcv(". 1:1(0) ack 2001 win 16");
    assert_eq!(end.conn().info().snd_wnd, 16 << 7, "every other window is");
}

/// RFC 7323 §2.2: only a segment with SYN has an unscaled window; the peer shifts that of any other.
#[test]
fn a_challenge_while_opening_offers_no_more_than_the_buffer() {
    let config = Config { window_scale: Some(7), receive_buffer: 64_000, ..plain() };
    let mut end = End::passive(config, 7, 9, "S 0:0(0) win 9000 mss 1400 wscale 7");
    end.out();
    end.rcv("R 2:2(0) win 0");
    assert_eq!(end.out(), [". 1:1(0) ack 1 win 500"]);
}
