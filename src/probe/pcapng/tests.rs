use super::*;
use crate::probe::Direction;
use crate::time::Instant;
use proptest::prelude::*;

fn written(packets: &[Packet<'_>]) -> Vec<u8> {
    let section = Section { application: Some("strata".into()), ..Section::default() };
    let interface = Interface { name: "strata0".into(), description: "a test".into() };
    let mut writer = Writer::new(Vec::new(), &section, &interface).expect("a vector takes everything");
    packets.iter().for_each(|packet| writer.packet(packet).expect("a vector takes everything"));
    writer.statistics(&Statistics::default()).expect("a vector takes everything");
    writer.into_inner()
}

#[test]
fn the_bytes_are_those_of_the_draft() {
    let comments = ["hello".to_string()];
    let at = Instant::from_nanos(0x1_0000_0002);
    let packet = Packet { at, direction: Direction::Outbound, bytes: &[1, 2, 3, 4, 5], missed: 0, comments: &comments };
    let file = written(&[packet]);
    let section = [
        0x0a, 0x0d, 0x0d, 0x0a, 44, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255,
        255, 4, 0, 6, 0, b's', b't', b'r', b'a', b't', b'a', 0, 0, 0, 0, 0, 0, 44, 0, 0, 0,
    ];
    assert_eq!(file[..44], section);
    let packet = [
        6, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0, 1,
        0, 5, 0, b'h', b'e', b'l', b'l', b'o', 0, 0, 0, 2, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0,
    ];
    let interface_len = usize::from(file[48]);
    assert_eq!(file[44 + interface_len..][..64], packet);
}

#[test]
fn a_comment_too_long_for_its_option_is_cut_between_characters() {
    let comments = ["é".repeat(40_000)];
    let packet =
        Packet { at: Instant::ZERO, direction: Direction::Inbound, bytes: &[], missed: 3, comments: &comments };
    let read = read(&written(&[packet])[..]).expect("our own file reads");
    assert_eq!(read[0].comments, ["é".repeat(0xfffc / 2)]);
}

/// A big-endian pcapng file with microseconds (the default), and one with 2^-10 s and an offset.
fn big_endian() -> Vec<u8> {
    let block = |block_type: u32, body: &[u8]| {
        let len = (body.len() as u32 + 12).to_be_bytes();
        [&block_type.to_be_bytes()[..], &len, body, &len].concat()
    };
    let section = [&BYTE_ORDER_MAGIC.to_be_bytes()[..], &[0, 1, 0, 0], &[0xff; 8]].concat();
    let offset = [&[0, 14, 0, 8][..], &2i64.to_be_bytes()].concat();
    let fine = [&[0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0x8a, 0, 0, 0][..], &offset, &[0; 4]].concat();
    let packet = |interface: u8, flags: u8| {
        let fixed = [0, 0, 0, interface, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 2, 0, 0, 0, 9, 0xaa, 0xbb, 0, 0];
        [&fixed[..], &[0, 2, 0, 4, 0, 0, 0, flags]].concat()
    };
    [
        block(SECTION_HEADER, &section),
        block(INTERFACE_DESCRIPTION, &[0, 1, 0, 0, 0, 0, 0, 0]),
        block(INTERFACE_DESCRIPTION, &fine),
        block(0x0bad, b"unknown!"),
        block(ENHANCED_PACKET, &packet(0, 1)),
        block(ENHANCED_PACKET, &packet(1, 2)),
        block(SIMPLE_PACKET, &[0, 0, 0, 1, 0xcc, 0, 0, 0]),
    ]
    .concat()
}

#[test]
fn byte_order_resolution_and_offset_are_the_files_own() {
    let packets = read(&big_endian()[..]).expect("a right file reads");
    let said: Vec<_> =
        packets.iter().map(|packet| (packet.at.as_nanos(), packet.direction, &packet.bytes[..])).collect();
    let expected = [
        (2_048_000, Some(Direction::Inbound), &[0xaa, 0xbb][..]),
        (4_000_000_000, Some(Direction::Outbound), &[0xaa, 0xbb]),
        (0, None, &[0xcc]),
    ];
    assert_eq!(said, expected);
    assert_eq!(packets[0].original_len, 9);
}

#[test]
fn classic_pcap_reads_in_both_orders_and_units() {
    for (magic, nanos) in [(0xa1b2_c3d4u32, 1_000_007_000), (0xa1b2_3c4d, 1_000_000_007)] {
        let words = |numbers: &[u32], big: bool| -> Vec<u8> {
            numbers.iter().flat_map(|number| if big { number.to_be_bytes() } else { number.to_le_bytes() }).collect()
        };
        for big in [false, true] {
            let head = words(&[magic, 0, 0, 0, 65535, 1, 1, 7, 3, 60], big);
            let packets = read(&[&head[..], b"abc"].concat()[..]).expect("a right file reads");
            assert_eq!(packets.len(), 1);
            assert_eq!((packets[0].at.as_nanos(), &packets[0].bytes[..]), (nanos, &b"abc"[..]));
            assert_eq!((packets[0].link_type, packets[0].original_len), (ETHERNET, 60));
        }
    }
}

#[test]
fn damaged_files_are_errors_in_words() {
    let whole = big_endian();
    let rows: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1", "neither a pcapng nor a pcap file: it begins with 0x47455420"),
        (b"", "the capture file ends in the middle of a block"),
        (&whole[..whole.len() - 1], "the capture file ends in the middle of a block"),
        (&[&whole[..28], &[0, 0, 0, 6, 0, 0, 0, 4]].concat(), "a block of 4 bytes"),
        (&[&whole[..28], &[0, 0, 0, 6, 0x7f, 0, 0, 0]].concat(), "a block of 2130706424 bytes"),
    ];
    for (bytes, expected) in rows {
        let error = read(bytes).expect_err("a damaged file").to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let no_interface = [&whole[..28], &whole[whole.len() - 20..]].concat();
    assert!(matches!(read(&no_interface[..]), Err(ReadError::UnknownInterface { interface: 0 })));
}

proptest! {
    #[test]
    fn read_undoes_write(frames in proptest::collection::vec((any::<u64>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..50), proptest::collection::vec(".{0,20}", 0..3)), 0..6)) {
        let direction = |inbound| if inbound { Direction::Inbound } else { Direction::Outbound };
        let packets: Vec<_> = frames.iter().map(|(at, inbound, bytes, comments)| Packet {
            at: Instant::from_nanos(*at), direction: direction(*inbound), bytes, missed: 0, comments,
        }).collect();
        let expected: Vec<_> = frames.iter().map(|(at, inbound, bytes, comments)| Captured {
            at: Instant::from_nanos(*at), direction: Some(direction(*inbound)), link_type: ETHERNET,
            bytes: bytes.clone(), original_len: bytes.len() as u32, comments: comments.clone(),
        }).collect();
        prop_assert_eq!(read(&written(&packets)[..]).expect("our own file reads"), expected);
    }

    #[test]
    fn any_damage_is_an_error_or_a_packet(at in 0usize..400, byte: u8, cut in 0usize..400) {
        let mut bytes = big_endian();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(cut.max(4));
        let _ = read(&bytes[..]);
    }
}
