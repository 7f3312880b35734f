//! What came twice: duplicate blocks (RFC 2883), a FIN at two places, and what still comes in TIME-WAIT.

use super::*;

/// With SACK and nothing else: a peer with MSS 1000 and window 10000.
fn with_sack(isn: u32, irs: u32) -> End {
    let mut end = End::passive(Config { sack: true, ..plain() }, isn, irs, "S 0:0(0) win 10000 mss 1000 sackOK");
    end.out();
    end.rcv(". 1:1(0) ack 1 win 10000");
    end
}

/// The only answer to the last of some segments.
fn answer_to(segments: &[&str]) -> String {
    let mut end = with_sack(0xffff_ff00, 0x7fff_ff00);
    for segment in segments {
        end.out();
        end.rcv(segment);
    }
    end.out().join(" | ")
}

// RFC 2883 §4
#[test]
fn what_came_twice_is_reported_once_and_first() {
    let table: [(&[&str], &str); 10] = [
        // Old data, wholly and in part.
        (&[". 1:501(500) ack 1", ". 1:501(500) ack 1"], ". 1:1(0) ack 501 win 9500 sack 1:501"),
        (&[". 1:501(500) ack 1", ". 101:201(100) ack 1"], ". 1:1(0) ack 501 win 9500 sack 101:201"),
        // Once: the next acknowledgement says nothing of it.
        (&[". 1:501(500) ack 1", ". 1:501(500) ack 1", ". 20000:20000(0) ack 1"], ". 1:1(0) ack 501 win 9500"),
        // What a reset carries is no data.
        (&[". 1:101(100) ack 1", "R. 51:101(50) ack 1", ". 20000:20000(0) ack 1"], ". 1:1(0) ack 101 win 9900"),
        // Past a hole: the block that holds it comes second (4).
        (&[". 101:301(200) ack 1", ". 201:301(100) ack 1"], ". 1:1(0) ack 1 win 10000 sack 201:301 sack 101:301"),
        // In part: what overlaps.
        (&[". 101:301(200) ack 1", ". 201:401(200) ack 1"], ". 1:1(0) ack 1 win 10000 sack 201:301 sack 101:401"),
        // Old data while there is a hole further on.
        (
            &[". 1:101(100) ack 1", ". 201:301(100) ack 1", ". 1:101(100) ack 1"],
            ". 1:1(0) ack 101 win 9900 sack 1:101 sack 201:301",
        ),
        // What lies before the first byte was never received.
        (&[". 1:101(100) ack 1", ". -99:101(200) ack 1"], ". 1:1(0) ack 101 win 9900 sack 1:101"),
        (&[". -99:1(100) ack 1"], ". 1:1(0) ack 1 win 10000"),
        // A FIN has a number too.
        (&[". 1:11(10) ack 1", "F. 11:21(10) ack 1", "F. 11:21(10) ack 1"], ". 1:1(0) ack 22 win 9979 sack 11:22"),
    ];
    for (segments, expected) in table {
        assert_eq!(answer_to(segments), expected, "{segments:?}");
    }
}

// RFC 2018 §3, RFC 2883 §4: without timestamps there is room for four.
#[test]
fn four_blocks_fit_without_timestamps() {
    let holes = [". 101:201(100) ack 1", ". 301:401(100) ack 1", ". 501:601(100) ack 1", ". 701:801(100) ack 1"];
    let expected = ". 1:1(0) ack 1 win 10000 sack 701:801 sack 501:601 sack 301:401 sack 101:201";
    assert_eq!(answer_to(&holes), expected);
    let again = [&holes[..], &[". 301:401(100) ack 1"]].concat();
    let expected = ". 1:1(0) ack 1 win 10000 sack 301:401 sack 301:401 sack 701:801 sack 501:601";
    assert_eq!(answer_to(&again), expected);
}

/// The FIN's number belongs to the block that it ends, and the same FIN again is answered again (RFC 5681 §4.2).
#[test]
fn a_fin_past_a_hole_is_reported_and_answered_each_time() {
    let table: [(&[&str], &str); 5] = [
        // Data where the FIN was: its number lies in the block.
        (&["F. 101:101(0) ack 1", ". 101:111(10) ack 1"], ". 1:1(0) ack 1 win 10000 sack 101:102 sack 101:111"),
        (&["F. 101:201(100) ack 1"], ". 1:1(0) ack 1 win 10000 sack 101:202"),
        (&["F. 101:101(0) ack 1"], ". 1:1(0) ack 1 win 10000 sack 101:102"),
        (&["F. 101:101(0) ack 1", "F. 101:101(0) ack 1"], ". 1:1(0) ack 1 win 10000 sack 101:102 sack 101:102"),
        (&["F. 101:201(100) ack 1", "F. 201:201(0) ack 1"], ". 1:1(0) ack 1 win 10000 sack 201:202 sack 101:202"),
    ];
    for (segments, expected) in table {
        assert_eq!(answer_to(segments), expected, "{segments:?}");
    }
}

/// A peer that contradicts itself: the FIN that is reached first counts.
#[test]
fn of_two_fins_the_one_that_is_reached_first_counts() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv("F. 101:101(0) ack 1");
        assert_eq!(end.out(), [". 1:1(0) ack 1 win 10000"]);
        end.rcv("F. 1:1(0) ack 1");
        assert_eq!((end.out(), end.state()), (vec![". 1:1(0) ack 2 win 9999".into()], State::CloseWait));
        end.rcv(". 101:111(10) ack 1");
        assert_eq!(end.state(), State::CloseWait, "what lies past the FIN is nothing");
    });
}

#[test]
fn data_over_the_place_of_a_fin_takes_it_away() {
    everywhere(|isn, irs| {
        let mut end = End::established(plain(), isn, irs);
        end.rcv("F. 101:101(0) ack 1");
        end.rcv(". 1:301(300) ack 1");
        assert_eq!((end.state(), end.read(1000).len()), (State::Established, 300));
        assert!(end.conn().receive(&mut [0], &mut Pool::default()).is_err(), "no end of the stream");
        end.rcv("F. 301:301(0) ack 1");
        assert_eq!(end.state(), State::CloseWait);
        assert_eq!(end.conn().receive(&mut [0], &mut Pool::default()), Ok(0));
    });
}

/// The FIN that is in order counts before what had come past a hole, even where it lies among that.
#[test]
fn a_fin_in_order_counts_before_what_came_past_it() {
    let mut end = End::established(plain(), 1, 1);
    end.rcv(". 6:101(95) ack 1");
    end.out();
    end.rcv("F. 1:11(10) ack 1");
    assert_eq!((end.out(), end.state()), (vec![". 1:1(0) ack 12 win 9989".into()], State::CloseWait));
    assert_eq!(end.read(1000).len(), 10);
    assert_eq!(end.conn().rcv.buffer.allocated(), 0);
}

/// Data past the FIN is no data: it is not reported, and takes no memory.
#[test]
fn what_came_past_the_fin_goes_when_it_is_reached() {
    let mut end = with_sack(1, 1);
    end.rcv(". 201:301(100) ack 1");
    end.out();
    end.rcv("F. 1:101(100) ack 1");
    assert_eq!(end.out(), [". 1:1(0) ack 102 win 9899"]);
    end.read(1000);
    assert_eq!(end.conn().rcv.buffer.allocated(), 0);
}

/// RFC 9293 §3.10.7.4, fifth, TIME-WAIT: all that can come is the peer's FIN again, and it is acknowledged.
#[test]
fn whatever_takes_numbers_is_acknowledged_in_time_wait() {
    let table = [
        ("F. 1:1(0) ack 2 win 100", 1),
        (". 2:12(10) ack 2 win 100", 1),
        ("F. 2:12(10) ack 2 win 100", 1),
        (". 12:12(0) ack 2 win 100", 1),
        (". 2:2(0) ack 2 win 100", 0),
        ("R 2:2(0) win 0", 0),
        ("R 1:1(0) win 0", 0),
        ("R 12:12(0) win 0", 0),
    ];
    for (text, expected) in table {
        let mut end = End::established(plain(), 1, 1);
        end.shutdown();
        end.out();
        end.rcv("F. 1:1(0) ack 2 win 10000");
        end.out();
        assert_eq!(end.state(), State::TimeWait);
        end.rcv(text);
        assert_eq!(end.out(), vec![". 2:2(0) ack 2 win 9999"; expected], "{text}");
        assert_eq!(end.state(), State::TimeWait, "{text}: RFC 1337 §3");
    }
}
