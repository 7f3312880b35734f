//! What is taken and what is not; routes, sizes, and the way down and up again through fragments.

use super::*;
use crate::event::testing::Bench;
use crate::frame::{Checksum, Frame, Offload, Payload, Received};
use crate::link;
use crate::link::Link;
use crate::wire::checksum::Sum;
use crate::wire::ipv4::Header;
use crate::wire::{MacAddress, ethernet};
use bytes::Bytes;
use proptest::prelude::*;
use smallvec::SmallVec;
use std::net::Ipv4Addr;

const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const OUR_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

fn ip_at(address: &str, mtu: usize) -> Ip {
    let addresses = vec![format!("{address}/24").parse().expect("a prefix")];
    let routes = vec![Route { prefix: "198.51.100.0/24".parse().expect("a prefix"), gateway: Some(PEER.into()) }];
    Ip::new(Config { addresses, routes, mtu, ..Config::default() }, &mut Random::new(3))
}

fn link() -> Link {
    let addresses = vec!["192.0.2.2/24".parse().expect("a prefix")];
    Link::new(link::Config { mac: OUR_MAC, addresses, ..link::Config::default() })
}

fn header(source: Ipv4Addr, destination: Ipv4Addr, payload: usize) -> Header {
    Header {
        traffic_class: 0,
        total_length: (20 + payload) as u16,
        identification: 1,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        protocol: 17,
        source,
        destination,
        options: SmallVec::new(),
    }
}

fn bytes_of(header: &Header, payload: &[u8]) -> Vec<u8> {
    header.emit(|header| [header, payload].concat())
}

fn give<'a>(ip: &mut Ip, bench: &mut Bench, bytes: &'a [u8], broadcast: bool) -> Option<Packet<'a>> {
    bench.run(|cx| ip.handle(cx, Up::Ipv4 { packet: bytes, broadcast, offload: Offload::default() }))
}

#[test]
fn what_no_host_may_send_or_hear_is_dropped() {
    let (mut ip, mut bench) = (ip_at("192.0.2.2", 1500), Bench::new());
    let good = header(PEER, OURS, 4);
    type Damage = fn(&mut Vec<u8>);
    let damages: [(Damage, DropReason); 6] = [
        (|bytes| bytes.truncate(19), DropReason::MalformedIp),
        (|bytes| bytes[0] = 0x65, DropReason::BadIpVersion),
        (|bytes| bytes[0] = 0x44, DropReason::MalformedIp),
        (|bytes| bytes[8] ^= 1, DropReason::BadIpChecksum),
        (|bytes| bytes.truncate(23), DropReason::TruncatedIp),
        (
            |bytes| *bytes = bytes_of(&Header { total_length: 19, ..header(PEER, OURS, 0) }, b""),
            DropReason::MalformedIp,
        ),
    ];
    for (damage, reason) in damages {
        let mut bytes = bytes_of(&good, b"data");
        damage(&mut bytes);
        assert!(give(&mut ip, &mut bench, &bytes, false).is_none());
        assert_eq!(bench.drops(), [reason]);
    }
    for (source, destination, group, reason) in [
        ("192.0.2.2", "192.0.2.2", false, DropReason::BadSource),
        ("192.0.2.255", "192.0.2.2", false, DropReason::BadSource),
        ("192.0.2.0", "192.0.2.2", false, DropReason::BadSource),
        ("255.255.255.255", "192.0.2.2", false, DropReason::BadSource),
        ("224.0.0.5", "192.0.2.2", false, DropReason::BadSource),
        ("240.1.2.3", "192.0.2.2", false, DropReason::BadSource),
        ("127.0.0.1", "192.0.2.2", false, DropReason::BadSource),
        ("0.0.0.0", "192.0.2.2", false, DropReason::BadSource),
        ("192.0.2.1", "192.0.2.3", false, DropReason::NotOurAddress),
        ("192.0.2.1", "127.0.0.1", false, DropReason::NotOurAddress),
        ("192.0.2.1", "0.0.0.0", false, DropReason::NotOurAddress),
        ("192.0.2.1", "239.1.2.3", true, DropReason::NotOurAddress),
        ("192.0.2.1", "198.51.100.255", true, DropReason::NotOurAddress),
        ("192.0.2.1", "192.0.2.2", true, DropReason::BroadcastUnicastMismatch),
    ] {
        let header = header(source.parse().expect("an address"), destination.parse().expect("an address"), 0);
        assert!(give(&mut ip, &mut bench, &bytes_of(&header, b""), group).is_none());
        assert_eq!(bench.drops(), [reason], "{source} -> {destination}");
    }
}

#[test]
fn what_is_for_us_goes_up_without_padding_and_says_whether_it_is_for_all() {
    let (mut ip, mut bench) = (ip_at("192.0.2.2", 1500), Bench::new());
    for (destination, group, broadcast) in [
        ("192.0.2.2", false, false),
        ("192.0.2.255", true, true),
        ("192.0.2.0", true, true),
        ("255.255.255.255", true, true),
        ("255.255.255.255", false, true),
        ("224.0.0.1", true, true),
    ] {
        let header =
            Header { ttl: 0, traffic_class: 0xb9, ..header(PEER, destination.parse().expect("an address"), 4) };
        let bytes = [bytes_of(&header, b"data"), vec![0; 22]].concat();
        let packet = give(&mut ip, &mut bench, &bytes, group).expect(destination);
        assert_eq!((&packet.payload[..], packet.broadcast), (&b"data"[..], broadcast), "{destination}");
        // RFC 1122 §3.2.1.7: a TTL below 2 is no reason to drop what has arrived.
        assert_eq!((packet.ttl, packet.traffic_class, packet.header.len()), (0, 0xb9, 20));
        assert!(matches!(packet.payload, std::borrow::Cow::Borrowed(_)), "no copy");
    }
    assert_eq!(bench.drops(), []);
}

#[test]
fn options_are_skipped_and_impossible_ones_reported() {
    let (mut ip, mut bench) = (ip_at("192.0.2.2", 1500), Bench::new());
    let with = |options: &[u8]| {
        let mut header = header(PEER, OURS, 0);
        header.options = SmallVec::from_slice(options);
        header.total_length = header.len() as u16;
        bytes_of(&header, b"")
    };
    assert!(give(&mut ip, &mut bench, &with(&[0x94, 4, 0, 0, 99, 3, 7, 1]), false).is_some());
    assert!(give(&mut ip, &mut bench, &with(&[1, 99, 9, 0]), false).is_none());
    assert_eq!(bench.drops(), [DropReason::MalformedIp]);
    let (packet, problem) = ip.poll_problem().expect("the sender should hear of it");
    assert_eq!((packet.source, problem), (PEER.into(), Problem::Parameter { pointer: 21 }));
    (0..1000).for_each(|_| drop(give(&mut ip, &mut bench, &with(&[1, 99, 9, 0]), false)));
    assert_eq!(std::iter::from_fn(|| ip.poll_problem()).count(), MAX_PROBLEMS);
}

#[test]
fn a_reassembly_that_times_out_is_a_problem_of_the_first_fragment() {
    let (mut ip, mut bench) = (ip_at("192.0.2.2", 1500), Bench::new());
    let first = Header { more_fragments: true, ..header(PEER, OURS, 8) };
    assert!(give(&mut ip, &mut bench, &bytes_of(&first, b"12345678"), false).is_none());
    bench.now = ip.next_deadline().expect("thirty seconds");
    bench.run(|cx| ip.handle_timeout(cx));
    let (packet, problem) = ip.poll_problem().expect("the first fragment was there");
    assert_eq!((&packet.payload[..], problem), (&b"12345678"[..], Problem::ReassemblyTimeout));
    assert_eq!(packet.header[..], bytes_of(&first, b"")[..]);
    assert_eq!(ip.next_deadline(), None);
}

#[test]
fn next_hops_and_sources_follow_the_routes() {
    let ip = ip_at("192.0.2.2", 1500);
    for (destination, hop) in [
        ("192.0.2.1", Some("192.0.2.1")),
        ("198.51.100.7", Some("192.0.2.1")),
        ("8.8.8.8", None),
        ("192.0.2.2", None),
        ("127.0.0.1", None),
        ("0.0.0.0", None),
        ("255.255.255.255", Some("255.255.255.255")),
        ("192.0.2.255", Some("192.0.2.255")),
        ("224.0.0.9", Some("224.0.0.9")),
        ("2001:db8::1", None),
        ("ff02::1", None),
    ] {
        let destination = destination.parse().expect("an address");
        assert_eq!(ip.next_hop(destination), hop.map(|hop| hop.parse().expect("an address")), "{destination}");
        assert_eq!(ip.source_for(destination), hop.map(|_| OURS.into()), "{destination}");
    }
}

fn outgoing(bench: &mut Bench, destination: Ipv4Addr, transport: &[u8], data: &[u8]) -> Outgoing {
    let mut frame = bench.run(|cx| Frame::new(cx.begin_frame(), Payload::from(Bytes::copy_from_slice(data))));
    frame.prepend(transport);
    let (source, destination) = (OURS.into(), destination.into());
    Outgoing { source, destination, protocol: 17, ttl: 64, traffic_class: 0, dont_fragment: false, frame }
}

/// A link that knows the peer, so that frames leave at once.
fn resolved(bench: &mut Bench) -> Link {
    use crate::wire::arp::{Operation, Packet};
    let mut link = link();
    let (sender_mac, target_mac) = (MacAddress([2, 0, 0, 0, 0, 1]), OUR_MAC);
    let packet = Packet { operation: Operation::Request, sender_mac, sender_ip: PEER, target_mac, target_ip: OURS };
    let ethernet = ethernet::Header {
        destination: OUR_MAC,
        source: sender_mac,
        ether_type: ethernet::ether_type::ARP,
        ..ethernet::Header::default()
    };
    let bytes = [ethernet.emit(<[u8]>::to_vec), packet.emit(<[u8]>::to_vec)].concat();
    bench.run(|cx| link.handle(cx, Received { bytes: &bytes, offload: Offload::default() }));
    assert!(link.poll_transmit().is_some(), "our answer");
    link
}

fn send(ip: &mut Ip, cx: &mut Context<'_>, mut packet: Outgoing, link: &mut Link) -> Result<(), SendError> {
    if ip.send(cx, &mut packet, link)? {
        link.enqueue(cx, packet.frame);
    }
    Ok(())
}

fn sent(link: &mut Link) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| link.poll_transmit()).map(|frame| frame.to_vec()[14..].to_vec()).collect()
}

#[test]
fn a_packet_that_fits_leaves_whole() {
    let (mut ip, mut bench) = (ip_at("192.0.2.2", 1500), Bench::new());
    let mut link = resolved(&mut bench);
    let packet = outgoing(&mut bench, FAR, b"udp head", &[7; 1472]);
    let mut twin = packet.clone();
    twin.dont_fragment = true;
    twin.ttl = 9;
    bench.run(|cx| send(&mut ip, cx, packet, &mut link)).expect("it fits");
    bench.run(|cx| send(&mut ip, cx, twin, &mut link)).expect("it fits");
    let sent = sent(&mut link);
    assert_eq!(sent.len(), 2);
    let read = |bytes: &[u8]| Header::parse(bytes).map(|(header, rest)| (header, rest.to_vec())).expect("ours");
    let ((plain, payload), (fixed, _)) = (read(&sent[0]), read(&sent[1]));
    assert_eq!((plain.total_length, plain.ttl, plain.destination, plain.is_fragment()), (1500, 64, FAR, false));
    assert_eq!(payload, [&b"udp head"[..], &[7; 1472]].concat());
    // RFC 6864 §4.1: what may be fragmented has an identification, what is atomic needs none.
    assert!(plain.identification != 0 && !plain.dont_fragment);
    assert_eq!((fixed.identification, fixed.dont_fragment, fixed.ttl), (0, true, 9));
}

#[test]
fn what_cannot_go_says_why() {
    let (mut ip, mut bench, mut link) = (ip_at("192.0.2.2", 1500), Bench::new(), link());
    let too_long = SendError::TooLong { len: 20 + 8 + 65_508 };
    for (destination, len, dont_fragment, error, reason) in [
        (
            Ipv4Addr::new(8, 8, 8, 8),
            1,
            false,
            SendError::NoRoute { destination: [8, 8, 8, 8].into() },
            DropReason::NoRoute,
        ),
        (OURS, 1, false, SendError::NoRoute { destination: OURS.into() }, DropReason::NoRoute),
        (PEER, 1473, true, SendError::FragmentationNeeded { len: 1501, mtu: 1500 }, DropReason::FragmentationNeeded),
        (PEER, 65_508, false, too_long, DropReason::FragmentationNeeded),
    ] {
        let packet = Outgoing { dont_fragment, ..outgoing(&mut bench, destination, b"udp head", &vec![0; len]) };
        assert_eq!(bench.run(|cx| send(&mut ip, cx, packet, &mut link)), Err(error));
        assert_eq!(bench.drops(), [reason]);
    }
}

#[test]
fn a_super_frame_passes_when_its_segments_fit() {
    let (mut ip, mut bench) = (ip_at("192.0.2.2", 1500), Bench::new());
    let mut link = resolved(&mut bench);
    for (segment, expected) in [(1460, Ok(())), (1461, Err(SendError::FragmentationNeeded { len: 1501, mtu: 1500 }))] {
        let mut packet = outgoing(&mut bench, PEER, &[0; 20], &[0; 60_000]);
        packet.frame.offload.segment_size = std::num::NonZeroU16::new(segment);
        assert_eq!(bench.run(|cx| send(&mut ip, cx, packet, &mut link)), expected);
    }
    assert_eq!(sent(&mut link).iter().map(Vec::len).collect::<Vec<_>>(), [60_040]);
}

#[test]
fn a_train_longer_than_ip_can_say_has_no_length() {
    let (mut ip, mut bench) = (ip_at("192.0.2.2", 1500), Bench::new());
    let mut link = resolved(&mut bench);
    for (len, total_length) in [(65_495, 65_535), (65_496, 0), (250_000, 0)] {
        let mut packet = outgoing(&mut bench, PEER, &[0; 20], &vec![0; len]);
        packet.frame.offload.segment_size = std::num::NonZeroU16::new(1460);
        assert_eq!(bench.run(|cx| send(&mut ip, cx, packet, &mut link)), Ok(()));
        let (header, _) = Header::parse(&sent(&mut link)[0]).map(|(header, rest)| (header, rest.len())).expect("ours");
        assert_eq!(header.total_length, total_length);
    }
}

#[test]
fn a_narrow_path_is_obeyed_and_a_very_narrow_one_left_to_the_routers() {
    let (mut ip, mut bench) = (ip_at("192.0.2.2", 1500), Bench::new());
    let mut link = resolved(&mut bench);
    for (claim, len, expected_mtu, expected_dont_fragment) in [(1000, 900, 1000, true), (200, 500, 552, false)] {
        assert!(bench.run(|cx| ip.handle_path_mtu(cx, FAR.into(), claim)));
        assert_eq!(ip.mtu_for(bench.now, FAR.into()), expected_mtu);
        assert_eq!(ip.mtu_for(bench.now, PEER.into()), 1500);
        let packet = Outgoing { dont_fragment: true, ..outgoing(&mut bench, FAR, b"", &vec![0; len]) };
        bench.run(|cx| send(&mut ip, cx, packet, &mut link)).expect("it fits");
        let (header, _) = Header::parse(&sent(&mut link)[0]).map(|(header, rest)| (header, rest.len())).expect("ours");
        assert_eq!(header.dont_fragment, expected_dont_fragment);
        let packet = Outgoing { dont_fragment: true, ..outgoing(&mut bench, FAR, b"", &[0; 1200]) };
        let error = SendError::FragmentationNeeded { len: 1220, mtu: expected_mtu };
        assert_eq!(bench.run(|cx| send(&mut ip, cx, packet, &mut link)), Err(error));
    }
    bench.now = ip.next_deadline().expect("ten minutes");
    bench.run(|cx| ip.handle_timeout(cx));
    assert_eq!(ip.mtu_for(bench.now, FAR.into()), 1500);
}

proptest! {
    /// Down in pieces, up again in any order, some of them twice.
    #[test]
    fn fragments_come_together_again(
        len in 0usize..6000,
        mtu in 68usize..1500,
        partial: bool,
        cut in 0usize..6000,
        order in any::<u64>(),
    ) {
        let mut bench = Bench::new();
        let mut link = resolved(&mut bench);
        let mut ip = ip_at("192.0.2.2", mtu);
        let data: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
        let mut packet = outgoing(&mut bench, PEER, b"", b"");
        let halves = data.split_at(cut.min(len));
        packet.frame = Frame::new(packet.frame.id(), [halves.0, halves.1].map(Bytes::copy_from_slice).into_iter().collect());
        packet.frame.prepend(&[1, 2, 3, 4, 5, 6, 0, 0]);
        if partial {
            packet.frame.offload.checksum = Checksum::Partial { start: 0, offset: 6 };
        }
        bench.run(|cx| send(&mut ip, cx, packet, &mut link)).expect("it may be fragmented");
        let frames: Vec<Frame> = std::iter::from_fn(|| link.poll_transmit()).collect();
        prop_assert!(frames.iter().all(|frame| frame.len() <= mtu + 14));
        let ids: std::collections::BTreeSet<_> = frames.iter().map(Frame::id).collect();
        prop_assert_eq!(ids.len(), frames.len(), "each piece is a frame of its own");
        prop_assert_eq!(bench.count("Fragmented"), usize::from(len + 28 > mtu));
        let mut pieces: Vec<Vec<u8>> = frames.iter().map(|frame| frame.to_vec()[14..].to_vec()).collect();
        let mut dice = Random::new(order);
        (1..pieces.len()).for_each(|i| pieces.swap(i, dice.below(i as u64 + 1) as usize));

        let mut peer = ip_at("192.0.2.1", 1500);
        let mut whole = None;
        for (index, piece) in pieces.iter().enumerate() {
            prop_assert!(whole.is_none(), "only the last one completes it");
            if index + 1 < pieces.len() && dice.chance(0.2) {
                prop_assert!(give(&mut peer, &mut bench, piece, false).is_none());
            }
            whole = give(&mut peer, &mut bench, piece, false).map(|packet| packet.payload.into_owned());
        }
        let whole = whole.expect("all pieces came");
        prop_assert_eq!(&whole[8..], &data[..]);
        if partial && pieces.len() > 1 {
            prop_assert!(frames.iter().all(|frame| frame.offload.checksum == Checksum::Full));
            prop_assert!(Sum::default().plus(&whole).is_good());
        }
        prop_assert_eq!(bench.drops(), []);
    }
}
