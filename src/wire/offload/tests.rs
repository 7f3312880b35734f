//! What comes apart is right, and comes together again.

use super::*;
use crate::wire::protocol::TCP;
use crate::wire::tcp::Flags;
use etherparse::{NetHeaders, PacketBuilder, PacketHeaders, TransportHeader};
use proptest::prelude::*;
use std::net::IpAddr;

fn super_frame(v6: bool, len: usize) -> Vec<u8> {
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let ip = if v6 { ethernet.ipv6([1; 16], [2; 16], 64) } else { ethernet.ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64) };
    let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
    let mut bytes = Vec::new();
    let mut builder = ip.tcp(41234, 80, u32::MAX - 5, 4096).ack(7).psh().fin();
    builder = builder.options_raw(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]).expect("12 bytes of options fit");
    builder.write(&mut bytes, &data).expect("a vector takes everything");
    bytes
}

#[test]
fn a_finished_checksum_verifies() {
    let good = super_frame(false, 31);
    let mut frame = good.clone();
    let (source, destination) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
    let partial = Sum::pseudo_header(source, destination, TCP, frame.len() - 34).folded();
    frame[50..52].copy_from_slice(&partial.to_be_bytes());
    assert!(finish_checksum(&mut frame, 34, 16));
    assert_eq!(frame, good);
    assert!(!finish_checksum(&mut frame, 34, usize::from(u16::MAX)), "a place past the end is refused");
    assert_eq!(frame, good);
}

#[test]
fn a_checksum_of_zero_is_sent_as_all_ones_in_udp_alone() {
    for (offset, expected) in [(udp::CHECKSUM_OFFSET, 0xffff), (16, 0)] {
        let mut bytes = [0; 18];
        bytes[..2].fill(0xff);
        assert!(finish_checksum(&mut bytes, 0, offset));
        assert_eq!(u16::from_be_bytes([bytes[offset], bytes[offset + 1]]), expected);
    }
}

/// A train that is longer than its header can say ends with its frame; a frame of less says how long it is.
#[test]
fn a_train_without_a_length_comes_apart_as_any_other() {
    let mut long = super_frame(false, 60_000);
    let data: Vec<u8> = (0..200_000u32).map(|i| (i / 3) as u8).collect();
    long.truncate(66);
    long[16..18].fill(0);
    long.extend_from_slice(&data);
    let pieces = split(&long, 1448).expect("a whole TCP segment");
    assert_eq!((pieces.len(), pieces[138].len()), (139, 66 + 200_000 % 1448));
    assert_eq!(pieces.iter().flat_map(|piece| piece[66..].to_vec()).collect::<Vec<_>>(), data);
    for (index, piece) in pieces.iter().enumerate() {
        let headers = PacketHeaders::from_ethernet_slice(piece).expect("every piece is a packet");
        let (Some(NetHeaders::Ipv4(ip, _)), Some(TransportHeader::Tcp(tcp))) = (headers.net, headers.transport) else {
            panic!("every piece is TCP over IPv4")
        };
        assert_eq!(tcp.sequence_number, (u32::MAX - 5).wrapping_add(1448 * index as u32));
        assert_eq!(Ok(tcp.checksum), tcp.calc_checksum_ipv4(&ip, headers.payload.slice()));
        assert_eq!((usize::from(ip.total_len), tcp.fin), (piece.len() - 14, index == 138));
    }
    assert_eq!(split(&long[..14 + 65_535], 1448), None, "that much a header can say");
}

#[test]
fn pieces_carry_on_where_the_last_one_ended() {
    for v6 in [false, true] {
        let bytes = super_frame(v6, 2500);
        let pieces = split(&bytes, 1000).expect("a whole TCP segment");
        let mut data = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let headers = PacketHeaders::from_ethernet_slice(piece).expect("every piece is a packet");
            let Some(TransportHeader::Tcp(tcp)) = headers.transport else { panic!("every piece is TCP") };
            assert_eq!(tcp.sequence_number, (u32::MAX - 5).wrapping_add(data.len() as u32));
            assert_eq!((tcp.fin, tcp.psh, tcp.ack), (index == 2, index == 2, true));
            let payload = headers.payload.slice();
            let checksum = match headers.net.expect("an IP header") {
                NetHeaders::Ipv4(ip, _) => {
                    assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                    assert_eq!(usize::from(ip.identification), index);
                    tcp.calc_checksum_ipv4(&ip, payload)
                }
                NetHeaders::Ipv6(ip, _) => tcp.calc_checksum_ipv6(&ip, payload),
                NetHeaders::Arp(_) => panic!("every piece is IP"),
            };
            assert_eq!(Ok(tcp.checksum), checksum);
            data.extend_from_slice(payload);
        }
        assert_eq!((pieces.len(), data.len()), (3, 2500));
        assert_eq!(data, bytes[bytes.len() - 2500..]);
    }
}

// RFC 3168 §6.1.2
#[test]
fn the_window_is_said_to_be_reduced_once() {
    let mut whole = super_frame(false, 2500);
    whole[47] |= Flags::CWR.bits() as u8 | Flags::ECE.bits() as u8;
    let flags = split(&whole, 1000).expect("a whole TCP segment").into_iter().map(|piece| piece[47] & 0xc0);
    assert_eq!(flags.collect::<Vec<_>>(), [0xc0, 0x40, 0x40]);
}

#[test]
fn datagrams_come_apart_whole() {
    let mut bytes = Vec::new();
    let packet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv6([1; 16], [2; 16], 64);
    let data: Vec<u8> = (0..2500).map(|i| i as u8).collect();
    packet.udp(4000, 443).write(&mut bytes, &data).expect("a vector takes everything");
    let pieces = split(&bytes, 1200).expect("a whole datagram");
    assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [62 + 1200, 62 + 1200, 62 + 100]);
    for (piece, data) in pieces.iter().zip(data.chunks(1200)) {
        let headers = PacketHeaders::from_ethernet_slice(piece).expect("every piece is a packet");
        let (Some(NetHeaders::Ipv6(ip, _)), Some(TransportHeader::Udp(udp))) = (headers.net, headers.transport) else {
            panic!("every piece is a datagram over IPv6")
        };
        assert_eq!((usize::from(udp.length), headers.payload.slice()), (8 + data.len(), data));
        assert_eq!(Ok(udp.checksum), udp.calc_checksum_ipv6(&ip, data));
    }
}

#[test]
fn what_is_no_whole_segment_is_left_alone() {
    let tcp = super_frame(false, 100);
    let mut fragment = tcp.clone();
    fragment[20] = 0x20;
    let mut icmp = tcp.clone();
    icmp[23] = 1;
    for bytes in [&tcp[..60], &fragment, &icmp, &[]] {
        assert_eq!(split(bytes, 50), None);
    }
    assert_eq!(split(&tcp, 0), None);
}

/// Joins the frames of a wire, each of which must follow the one before; says how many did.
fn joined(frames: &[Vec<u8>]) -> (Vec<u8>, usize) {
    let mut whole = frames[0].clone();
    let mut train = Train::begin(Segment::find(&whole).expect("a plain segment")).expect("others may follow");
    let follow = frames[1..].iter().take_while(|next| {
        let Some(segment) = Segment::find(next) else { return false };
        let place = train.join(&whole, false, next, &segment, false);
        if let Some(place) = place {
            whole.truncate(place);
            whole.extend_from_slice(&next[segment.data()]);
        }
        place.is_some()
    });
    let count = 1 + follow.count();
    train.finish(&mut whole);
    (whole, count)
}

/// Of a frame whose headers are Ethernet, IPv4 and TCP with timestamps.
const TCP_AT: usize = 34;

/// A change to a frame, after which its checksums are right again.
fn changed(frame: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = frame.to_vec();
    change(&mut frame);
    let len = frame.len() - TCP_AT;
    let place = place::Place::find(&frame, frame.len()).expect("still a segment");
    place.put_length(&mut frame, len);
    frame[50..52].fill(0);
    let sum = place.pseudo_header(&frame, len).plus(&frame[TCP_AT..]);
    frame[50..52].copy_from_slice(&sum.checksum().to_be_bytes());
    frame
}

#[test]
fn what_says_anything_else_does_not_join() {
    let pieces = split(&super_frame(false, 3000), 1000).expect("a whole TCP segment");
    assert_eq!(joined(&pieces).1, 3);
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 14] = [
        ("hardware address", |frame| frame[0] ^= 4),
        ("traffic class", |frame| frame[15] ^= 3),
        ("identification", |frame| frame[19] ^= 8),
        ("fragmentation", |frame| frame[20] ^= 0x40),
        ("TTL", |frame| frame[22] -= 1),
        ("a port", |frame| frame[35] ^= 1),
        ("sequence number", |frame| frame[41] ^= 1),
        ("acknowledgement", |frame| frame[45] ^= 1),
        ("AE", |frame| frame[46] ^= 1),
        ("URG", |frame| frame[47] ^= 0x20),
        ("ECE", |frame| frame[47] ^= 0x40),
        ("window", |frame| frame[49] ^= 1),
        ("urgent pointer", |frame| frame[53] ^= 1),
        ("timestamp", |frame| frame[61] ^= 1),
    ];
    for (what, change) in changes {
        let other = changed(&pieces[1], change);
        assert_eq!(joined(&[pieces[0].clone(), other]).1, 1, "{what}");
    }
    let longer = changed(&pieces[1], |frame| frame.push(0));
    assert_eq!(joined(&[pieces[0].clone(), longer]).1, 1, "more data than the first");
}

#[test]
fn what_is_damaged_does_not_join() {
    let pieces = split(&super_frame(false, 3000), 1000).expect("a whole TCP segment");
    for place in [24, 40, 50, 70, 1065] {
        for damaged in [0, 1] {
            let mut pieces = pieces.clone();
            pieces[damaged][place] ^= 1;
            let first = Segment::find(&pieces[0]).and_then(Train::begin).expect("the first of a train");
            let mut train = first;
            let segment = Segment::find(&pieces[1]).expect("a plain segment");
            assert_eq!(train.join(&pieces[0], false, &pieces[1], &segment, false), None, "{place} of {damaged}");
        }
    }
}

proptest! {
    /// Split, then joined: the same frame, but for the checksum, of which it is known that it was good.
    #[test]
    fn what_is_split_and_joined_is_what_it_was(len in 2usize..20_000, segment_size in 300usize..9_000) {
        let whole = super_frame(false, len);
        let pieces = split(&whole, segment_size).expect("a whole TCP segment");
        prop_assert_eq!(pieces.len(), len.div_ceil(segment_size));
        for (index, piece) in pieces.iter().enumerate() {
            let headers = PacketHeaders::from_ethernet_slice(piece).expect("every piece is a packet");
            let (Some(NetHeaders::Ipv4(ip, _)), Some(TransportHeader::Tcp(tcp))) = (headers.net, headers.transport) else {
                panic!("every piece is TCP over IPv4")
            };
            let data = headers.payload.slice();
            prop_assert_eq!(Ok(tcp.checksum), tcp.calc_checksum_ipv4(&ip, data));
            prop_assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            prop_assert_eq!((usize::from(ip.total_len), usize::from(ip.identification)), (piece.len() - 14, index));
            let (start, last) = (index * segment_size, index + 1 == pieces.len());
            prop_assert_eq!(tcp.sequence_number, (u32::MAX - 5).wrapping_add(start as u32));
            prop_assert_eq!((tcp.fin, tcp.psh, data.len()), (last, last, segment_size.min(len - start)));
        }
        if pieces.len() > 1 {
            let (mut again, count) = joined(&pieces);
            prop_assert_eq!(count, pieces.len());
            again[50..52].copy_from_slice(&whole[50..52]);
            prop_assert!(again == whole);
        }
    }

    #[test]
    fn any_bytes_are_a_segment_or_none(tail in proptest::collection::vec(any::<u8>(), 0..120), cut in 12usize..60) {
        let bytes = [&super_frame(false, 0)[..cut], &tail].concat();
        if let Some(segment) = Segment::find(&bytes) && let Some(mut train) = Train::begin(segment) {
            let mut whole = bytes.clone();
            let place = train.join(&whole, true, &bytes, &segment, true);
            prop_assert!(place.is_none_or(|place| place <= whole.len()));
            train.finish(&mut whole);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_split_or_are_refused(tail in proptest::collection::vec(any::<u8>(), 0..120), v6: bool, segment_size in 0usize..80) {
        let bytes = [&super_frame(v6, 0)[..24], &tail].concat();
        let _ = split(&bytes, segment_size);
    }
}
