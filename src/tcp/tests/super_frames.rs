//! Frames of many segments, for a device that splits them: filled where that pays, and never in the way.

use super::*;

/// A connection whose window is open wide on a device that splits IP packets of up to `len` bytes.
fn established(len: usize, window: usize) -> End {
    let config = Config { window_scale: Some(8), initial_window: 40, send_buffer: 200_000, ..plain() };
    let mut end = End::passive(config, 77, 99, "S 0:0(0) win 10000 mss 1000 wscale 8");
    end.out();
    end.rcv(&format!(". 1:1(0) ack 1 win {}", window >> 8));
    end.conn().set_super_frame(Some(len));
    end
}

fn write(end: &mut End, len: usize) {
    end.with(|shape, cx| match shape {
        Shape::Connection(connection) => assert_eq!(connection.send(cx, &vec![7; len]), Ok(len)),
        Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
    });
}

#[test]
fn a_frame_carries_full_segments_and_only_the_last_one_a_small_one() {
    // 10 segments of 1000 and their headers fit into 10,500 bytes.
    let mut end = established(10_500, 100_096);
    write(&mut end, 25_300);
    assert_eq!(
        end.out(),
        [". 1:10001(10000) ack 1 win 40", ". 10001:20001(10000) ack 1 win 40", "P. 20001:25301(5300) ack 1 win 40"]
    );
    assert_eq!((end.conn().info().segments_sent, end.conn().info().unacked), (26, 25_300));
}

#[test]
fn the_small_end_waits_by_nagles_rule_and_the_full_segments_before_it_do_not() {
    let mut end = established(10_500, 100_096);
    write(&mut end, 300);
    assert_eq!(end.out(), ["P. 1:301(300) ack 1 win 40"]);
    write(&mut end, 4_200);
    assert_eq!(end.out(), [". 301:4301(4000) ack 1 win 40"]);
    end.rcv(". 1:1(0) ack 301 win 391");
    assert_eq!(end.out(), ["P. 4301:4501(200) ack 1 win 40"]);
}

#[test]
fn a_window_that_opens_a_little_waits_until_half_a_frame_may_go() {
    let mut end = established(10_500, 30_208);
    write(&mut end, 100_000);
    assert_eq!(end.out().len(), 3, "30,208 bytes of window");
    let mut sent = Vec::new();
    for acknowledged in (2..=14).step_by(2) {
        end.rcv(&format!(". 1:1(0) ack {} win 118", 1 + acknowledged * 1000));
        sent.push(end.out().len());
    }
    assert_eq!(sent, [0, 0, 1, 0, 0, 1, 0], "every third acknowledgement of two segments brings one frame of six");
}

#[test]
fn what_a_window_holds_of_one_segment_is_not_held_back() {
    let mut end = established(65_000, 2_048);
    write(&mut end, 10_000);
    assert_eq!(end.out(), [". 1:2001(2000) ack 1 win 40"]);
    end.rcv(". 1:1(0) ack 1001 win 8");
    assert_eq!(end.out(), [". 2001:3001(1000) ack 1 win 40"]);
}

#[test]
fn segments_are_lost_one_by_one() {
    let mut end = established(65_000, 100_096);
    write(&mut end, 20_000);
    assert_eq!(end.out(), ["P. 1:20001(20000) ack 1 win 40"]);
    for _ in 0..3 {
        end.rcv(". 1:1(0) ack 1 win 391");
    }
    assert_eq!(end.out(), [". 1:1001(1000) ack 1 win 40"]);
}

#[test]
fn a_fin_goes_with_the_last_segment() {
    let mut end = established(65_000, 100_096);
    write(&mut end, 3_000);
    end.with(|shape, cx| match shape {
        Shape::Connection(connection) => connection.shutdown(cx),
        Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
    });
    assert_eq!(end.out(), ["FP. 1:3001(3000) ack 1 win 40"]);
    end.rcv(". 1:1(0) ack 3002 win 391");
    assert_eq!(end.conn().state(), State::FinWait2);
}

// RFC 5681 §3.2 and §4.2: a peer without SACK counts acknowledgements; what a device says of packets is only its word.
#[test]
fn a_train_past_a_hole_is_answered_as_often_as_its_length_has_full_segments() {
    let table = [
        // Past a hole: bytes, packets by the device's word, acknowledgements. A full segment has 1460 bytes.
        (8_760, 6, 6),
        (8_760, 8_760, 6),
        (8_761, u32::MAX, 7),
        // Three tell of a loss, however small the segments are.
        (300, 3, 3),
        (300, 2, 2),
        (300, 300, 3),
        (300, 1, 1),
    ];
    for (len, packets, expected) in table {
        let mut end = End::established(plain(), 77, 0xffff_f000);
        let (header, data) = parse(&format!(". 1001:{}({len}) ack 1 win 10000", 1001 + len), 77, 0xffff_f000);
        end.rcv_train(header, &data, packets);
        let mut sent = 0;
        while sent < 1000 && end.poll().is_some() {
            sent += 1;
        }
        assert_eq!(sent, expected, "{len} bytes in {packets} packets");
    }
}
