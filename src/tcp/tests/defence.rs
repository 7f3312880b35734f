//! Segments that do not belong: outside the window, forged, or from a peer gone astray (RFC 5961).

use super::*;

/// What the end answers, and the state it is in afterwards.
fn answer(text: &str) -> (Vec<String>, State) {
    let mut end = End::established(plain(), 0xffff_fff0, 0x7fff_fff0);
    end.rcv(text);
    (end.out(), end.state())
}

// SHLD-2, MAY-12
#[test]
fn what_an_established_connection_answers() {
    let ack = || vec![". 1:1(0) ack 1 win 10000".to_string()];
    let none = Vec::new;
    let table = [
        // RST: exact, inside, at and beyond the right edge, before the left.
        ("R 1:1(0) win 0", none(), State::Closed),
        ("R. 1:1(0) ack 1 win 0", none(), State::Closed),
        ("R 1:11(10) win 0", none(), State::Closed),
        ("R 2:2(0) win 0", ack(), State::Established),
        ("R 10000:10000(0) win 0", ack(), State::Established),
        ("R 10001:10001(0) win 0", none(), State::Established),
        ("R 0:0(0) win 0", none(), State::Established),
        // SYN: anywhere.
        ("S 1:1(0) win 100", ack(), State::Established),
        ("S 500:500(0) win 100", ack(), State::Established),
        ("S. 0:0(0) ack 1 win 100", ack(), State::Established),
        ("S 20000:20000(0) win 100", ack(), State::Established),
        // ACK: of what was never sent, and of long ago.
        (". 1:1(0) ack 2 win 100", ack(), State::Established),
        (". 1:1(0) ack -20000 win 100", ack(), State::Established),
        (". 1:1(0) ack 0 win 100", ack(), State::Established),
        // Outside the window.
        (". 0:0(0) ack 1 win 100", ack(), State::Established),
        (". 10001:10001(0) ack 1 win 100", ack(), State::Established),
        ("P. 10001:10011(10) ack 1 win 100", ack(), State::Established),
        ("P. -9:1(10) ack 1 win 100", ack(), State::Established),
        // No ACK bit, no flags at all.
        ("P 1:11(10) win 100", none(), State::Established),
        ("- 1:1(0) win 100", none(), State::Established),
        ("F 1:1(0) win 100", none(), State::Established),
    ];
    for (text, expected, state) in table {
        assert_eq!(answer(text), (expected, state), "{text}");
    }
}

#[test]
fn challenge_acks_are_limited() {
    let mut end = End::established(plain(), 1, 1);
    let mut answered = 0;
    for _ in 0..100 {
        end.rcv("R 2:2(0) win 0");
        answered += end.out().len();
    }
    assert_eq!(answered, 10);
    end.wait(Duration::from_secs(5));
    end.rcv("R 2:2(0) win 0");
    assert_eq!(end.out().len(), 1);
}

#[test]
fn two_ends_that_find_each_other_unacceptable_fall_silent() {
    let mut end = End::established(plain(), 1, 1);
    let mut answered = 0;
    for _ in 0..100 {
        end.rcv(". 30000:30000(0) ack 1 win 100");
        answered += end.out().len();
    }
    assert_eq!(answered, 10);
}

// MUST-66
#[test]
fn with_a_closed_window_resets_and_acks_are_still_heard() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.write(&[0; 100]);
        end.out();
        end.rcv(". 1:10001(10000) ack 1 win 10000");
        end.out();
        end.rcv(". 10001:10011(10) ack 101 win 10000");
        assert_eq!(end.conn().info().unacked, 0, "the ACK counts, the data does not");
        end.rcv("R 10001:10001(0) win 0");
        assert_eq!(end.closed(), Some(CloseReason::ResetByPeer));
    });
}

// MUST-47, MUST-54, MUST-56, SHLD-25
#[test]
fn icmp_errors_count_only_when_they_quote_what_is_in_flight() {
    let mut end = End::established(plain(), 100, 1);
    end.write(&[0; 10]);
    end.out();
    let table = [(100, false), (101, true), (110, true), (111, false), (5000, false)];
    for (seq, expected) in table {
        assert_eq!(end.conn().has_in_flight(crate::tcp::Seq(seq)), expected, "{seq}");
    }
    end.with(|shape, cx| match shape {
        Shape::Connection(connection) => connection.handle_icmp(cx, "port unreachable", true),
        Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
    });
    assert_eq!(end.state(), State::Established, "RFC 5927: not even a hard one");
    assert_eq!(end.conn().info().soft_error, Some("port unreachable"));
}

/// An end in each state that a segment may find it in.
fn in_every_state(isn: u32, irs: u32) -> Vec<End> {
    let established = || End::established(plain(), isn, irs);
    let after = |steps: &[&str]| {
        let mut end = established();
        for step in steps {
            match *step {
                "shutdown" => end.shutdown(),
                segment => end.rcv(segment),
            }
            end.out();
        }
        end
    };
    let mut syn_sent = End::active(plain(), isn, irs);
    syn_sent.out();
    let mut syn_received = End::passive(plain(), isn, irs, PEER_SYN);
    syn_received.out();
    vec![
        syn_sent,
        syn_received,
        established(),
        after(&["shutdown"]),
        after(&["shutdown", ". 1:1(0) ack 2 win 10000"]),
        after(&["F. 1:1(0) ack 1 win 10000"]),
        after(&["shutdown", "F. 1:1(0) ack 1 win 10000"]),
        after(&["F. 1:1(0) ack 1 win 10000", "shutdown"]),
        after(&["shutdown", "F. 1:1(0) ack 2 win 10000"]),
    ]
}

/// Traps 3 and 10: all flags in all states, at the left edge of the window, inside and outside it, with an
/// acknowledgement that is right and one that is not. At most one answer, none to a RST that is not a challenge, and
/// nothing but a RST, a SYN before the connection stands, or the last acknowledgement ends anything.
#[test]
fn any_flags_in_any_state() {
    let states = in_every_state(1, 1).iter().map(End::state).collect::<Vec<_>>();
    assert_eq!(states[..], State::ALL[2..], "every state but CLOSED and LISTEN, in order");
    for (isn, irs) in [(1, 1), (0xffff_ffff, 0x7fff_ffff)] {
        for flags in 0..=255u8 {
            for (place, ack) in [(0, 0), (0, 1), (1, 2), (300, 1), (300, 9999), (60_000, 1)] {
                for mut end in in_every_state(isn, irs) {
                    let before = end.state();
                    let header = Header {
                        source_port: tuple().remote.port(),
                        destination_port: tuple().local.port(),
                        seq: irs.wrapping_add(1 + place),
                        ack: isn.wrapping_add(ack),
                        flags: Flags::from_bits(flags.into()),
                        window: 10_000,
                        ..Header::default()
                    };
                    if begins_anew(&end, &header) {
                        continue;
                    }
                    end.rcv_segment(header.clone(), b"");
                    let (after, sent) = (end.state(), end.out());
                    let what = format!("{} at {place} ack {ack} in {before}: {after}, {sent:?}", header.flags);
                    assert!(sent.len() <= 1, "{what}");
                    assert!(sent.is_empty() || !header.flags.rst() || sent[0].starts_with(". "), "{what}");
                    let may_end = header.flags.rst()
                        || header.flags.syn() && before == State::SynReceived
                        || header.flags.ack() && before == State::LastAck;
                    assert!(after != State::Closed || may_end, "{what}");
                }
            }
        }
    }
}

/// A SYN in TIME-WAIT is the stack's business.
fn begins_anew(end: &End, header: &Header) -> bool {
    end.state() == State::TimeWait && header.flags.syn() && !header.flags.ack() && !header.flags.rst()
}
