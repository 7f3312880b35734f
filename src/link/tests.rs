//! Frames in and out, ARP messages, and whose address is whose.

use super::*;
use crate::event::testing::Bench;
use crate::frame::Payload;
use crate::wire::arp::{self, Operation};
use crate::wire::ethernet::{self, Tag};
use std::time::Duration;

const OUR_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
const PEER_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn config() -> Config {
    let addresses = ["192.0.2.2/24", "198.51.100.2/25"].map(|text| text.parse().expect("a prefix"));
    Config { mac: OUR_MAC, addresses: addresses.to_vec(), ..Config::default() }
}

fn give<'a>(link: &mut Link, bench: &mut Bench, bytes: &'a [u8]) -> Option<Up<'a>> {
    bench.run(|cx| link.handle(cx, Received { bytes, offload: Offload::default() }))
}

fn frame_with(destination: MacAddress, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header { destination, source: PEER_MAC, ether_type, ..Header::default() };
    header.emit(|header| [header, payload].concat())
}

fn request(sender_ip: Ipv4Addr, target_ip: Ipv4Addr) -> arp::Packet {
    let target_mac = MacAddress::UNSPECIFIED;
    arp::Packet { operation: Operation::Request, sender_mac: PEER_MAC, sender_ip, target_mac, target_ip }
}

fn reply(sender_ip: Ipv4Addr) -> arp::Packet {
    arp::Packet { operation: Operation::Reply, target_mac: OUR_MAC, ..request(sender_ip, OURS) }
}

fn give_arp(link: &mut Link, bench: &mut Bench, packet: &arp::Packet) {
    let frame = frame_with(MacAddress::BROADCAST, ether_type::ARP, &packet.emit(<[u8]>::to_vec));
    assert!(give(link, bench, &frame).is_none(), "ARP ends at the link");
}

fn send(link: &mut Link, bench: &mut Bench, next_hop: &str) {
    let next_hop = next_hop.parse().expect("an address");
    bench.run(|cx| {
        let mut frame = Frame::new(cx.begin_frame(), Payload::default());
        frame.prepend(b"an IP packet");
        if link.send(cx, next_hop, &mut frame) {
            link.enqueue(cx, frame);
        }
    });
}

/// The frames that leave: destination, type, payload.
fn sent(link: &mut Link) -> Vec<(MacAddress, u16, Vec<u8>)> {
    let frames = std::iter::from_fn(|| link.poll_transmit());
    frames
        .map(|frame| {
            let bytes = frame.to_vec();
            let (header, payload) = Header::parse(&bytes).expect("our own frame");
            assert_eq!(header.source, OUR_MAC);
            (header.destination, header.ether_type, payload.to_vec())
        })
        .collect()
}

fn sent_arp(link: &mut Link) -> Vec<(MacAddress, arp::Packet)> {
    let all = sent(link).into_iter().filter(|(_, ether_type, _)| *ether_type == ether_type::ARP);
    all.map(|(destination, _, payload)| (destination, arp::Packet::parse(&payload).expect("our own ARP").0)).collect()
}

#[test]
fn frames_for_us_go_up_and_others_are_dropped() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    let group = MacAddress([1, 0, 0x5e, 0, 0, 1]);
    for (destination, broadcast) in [(OUR_MAC, false), (MacAddress::BROADCAST, true), (group, true)] {
        let bytes = frame_with(destination, ether_type::IPV4, b"packet");
        let up = give(&mut link, &mut bench, &bytes).expect("for us");
        assert!(matches!(up, Up::Ipv4 { packet: b"packet", broadcast: told, .. } if told == broadcast), "{up:?}");
    }
    let bytes = frame_with(OUR_MAC, ether_type::IPV6, b"packet");
    assert!(matches!(give(&mut link, &mut bench, &bytes), Some(Up::Ipv6 { packet: b"packet", broadcast: false, .. })));
    let mut from_a_group = frame_with(OUR_MAC, ether_type::IPV4, b"packet");
    from_a_group[6] |= 1;
    for (bytes, reason) in [
        (vec![0; 13], DropReason::FrameTooShort),
        (frame_with(PEER_MAC, ether_type::IPV4, b"packet"), DropReason::OtherHost),
        (frame_with(OUR_MAC, 0x88cc, b"LLDP"), DropReason::UnknownEtherType),
        (frame_with(OUR_MAC, 38, &[0x42; 40]), DropReason::UnknownEtherType),
        (from_a_group, DropReason::BadSource),
    ] {
        assert!(give(&mut link, &mut bench, &bytes).is_none());
        assert_eq!(bench.drops(), [reason]);
    }
}

#[test]
fn tags_and_snap_are_looked_past() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    let tag = |vlan| Tag { tag_type: ether_type::VLAN, control: vlan };
    let tagged = Header {
        destination: OUR_MAC,
        source: PEER_MAC,
        tags: [tag(7), tag(9)].into_iter().collect(),
        ether_type: ether_type::IPV4,
        ..Header::default()
    };
    let tagged = tagged.emit(|header| [header, b"packet"].concat());
    let snap = frame_with(OUR_MAC, 14, &[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], b"packet", &[0; 30]].concat());
    for bytes in [tagged, snap] {
        assert!(matches!(give(&mut link, &mut bench, &bytes), Some(Up::Ipv4 { packet: b"packet", .. })));
    }
}

#[test]
fn the_first_packet_waits_for_the_answer_and_is_not_lost() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    (0..10).for_each(|_| send(&mut link, &mut bench, "192.0.2.1"));
    let asked = arp::Packet { sender_mac: OUR_MAC, ..request(OURS, PEER) };
    assert_eq!(sent_arp(&mut link), [(MacAddress::BROADCAST, asked)], "one question for ten packets");
    assert_eq!(bench.count("AwaitsNeighbour"), 10);
    give_arp(&mut link, &mut bench, &reply(PEER));
    let packet = (PEER_MAC, ether_type::IPV4, b"an IP packet".to_vec());
    assert_eq!(sent(&mut link), vec![packet.clone(); 10]);
    send(&mut link, &mut bench, "192.0.2.1");
    assert_eq!(sent(&mut link), [packet]);
    assert_eq!(bench.drops(), []);
}

#[test]
fn a_dead_neighbour_is_asked_for_once_a_second_at_most() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    let mut asked = 0;
    for _ in 0..600 {
        send(&mut link, &mut bench, "192.0.2.9");
        bench.run(|cx| link.handle_timeout(cx));
        asked += sent_arp(&mut link).len();
        bench.now += Duration::from_millis(100);
    }
    assert!((15..=60).contains(&asked), "{asked} requests in a minute");
    assert!(std::iter::from_fn(|| link.poll_failure()).count() >= 10);
    assert!(bench.drops().contains(&DropReason::NeighbourUnreachable));
}

#[test]
fn questions_are_asked_from_the_address_on_the_same_prefix() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    for (target, expected) in [("192.0.2.9", "192.0.2.2"), ("198.51.100.9", "198.51.100.2"), ("10.0.0.1", "192.0.2.2")]
    {
        send(&mut link, &mut bench, target);
        let asked = sent_arp(&mut link);
        assert_eq!(asked[0].1.sender_ip.to_string(), expected, "for {target}");
    }
}

#[test]
fn requests_for_us_are_answered_and_no_others() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    let second = Ipv4Addr::new(198, 51, 100, 2);
    for (asked, answered) in [(OURS, true), (second, true), (Ipv4Addr::new(192, 0, 2, 3), false)] {
        for sender in [PEER, Ipv4Addr::UNSPECIFIED] {
            give_arp(&mut link, &mut bench, &request(sender, asked));
            let expected = arp::Packet {
                operation: Operation::Reply,
                sender_mac: OUR_MAC,
                sender_ip: asked,
                target_mac: PEER_MAC,
                target_ip: sender,
            };
            let expected = if answered { vec![(PEER_MAC, expected)] } else { vec![] };
            assert_eq!(sent_arp(&mut link), expected, "{asked} asked for by {sender}");
            assert_eq!(bench.drops(), if answered { vec![] } else { vec![DropReason::NotForUs] });
        }
    }
}

#[test]
fn malformed_arp_is_dropped() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    let good = request(PEER, OURS);
    let group = arp::Packet { sender_mac: MacAddress::BROADCAST, ..good }.emit(<[u8]>::to_vec);
    let short = good.emit(|bytes| bytes[..27].to_vec());
    for payload in [group, short] {
        let frame = frame_with(OUR_MAC, ether_type::ARP, &payload);
        assert!(give(&mut link, &mut bench, &frame).is_none());
        assert_eq!(bench.drops(), [DropReason::MalformedArp]);
    }
    give_arp(&mut link, &mut bench, &arp::Packet { sender_mac: OUR_MAC, ..good });
    assert_eq!(bench.drops(), [DropReason::NotForUs], "our own words");
    assert_eq!(sent(&mut link), []);
}

#[test]
fn only_hosts_of_our_link_are_learned() {
    for (sender, learned) in [
        ("192.0.2.1", true),
        ("198.51.100.100", true),
        ("198.51.100.200", false),
        ("10.0.0.1", false),
        ("192.0.2.255", false),
        ("192.0.2.0", false),
        ("255.255.255.255", false),
        ("0.0.0.0", false),
    ] {
        let (mut link, mut bench) = (Link::new(config()), Bench::new());
        give_arp(&mut link, &mut bench, &request(sender.parse().expect("an address"), OURS));
        assert_eq!(bench.moves().len(), usize::from(learned), "{sender}");
    }
    // RFC 826: what is not meant for us makes no entry.
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    give_arp(&mut link, &mut bench, &request(PEER, PEER));
    give_arp(&mut link, &mut bench, &request(PEER, Ipv4Addr::new(192, 0, 2, 3)));
    assert_eq!(bench.moves(), []);
}

#[test]
fn an_answer_that_contradicts_its_frame_teaches_nothing() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    send(&mut link, &mut bench, "192.0.2.1");
    assert_eq!(sent_arp(&mut link).len(), 1);
    let damaged = arp::Packet { sender_mac: MacAddress([2, 0, 0, 0, 0, 0x81]), ..reply(PEER) };
    give_arp(&mut link, &mut bench, &damaged);
    assert_eq!(sent(&mut link), [], "the packet waits on");
    bench.now += Duration::from_secs(1);
    bench.run(|cx| link.handle_timeout(cx));
    assert_eq!(sent_arp(&mut link).len(), 1, "asked again");
    give_arp(&mut link, &mut bench, &reply(PEER));
    assert_eq!(sent(&mut link).len(), 1);
}

#[test]
fn groups_need_no_question() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    for (next_hop, expected) in [
        ("255.255.255.255", "ff:ff:ff:ff:ff:ff"),
        ("192.0.2.255", "ff:ff:ff:ff:ff:ff"),
        ("198.51.100.127", "ff:ff:ff:ff:ff:ff"),
        ("224.0.0.1", "01:00:5e:00:00:01"),
        ("239.255.129.3", "01:00:5e:7f:81:03"),
        ("ff02::1:ff00:2", "33:33:ff:00:00:02"),
    ] {
        send(&mut link, &mut bench, next_hop);
        let destinations: Vec<String> = sent(&mut link).iter().map(|(mac, _, _)| mac.to_string()).collect();
        assert_eq!(destinations, [expected], "{next_hop}");
    }
}

#[test]
fn on_start_our_addresses_are_announced() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    bench.run(|cx| link.start(cx));
    let ours = |own: Ipv4Addr| (MacAddress::BROADCAST, arp::Packet { sender_mac: OUR_MAC, ..request(own, own) });
    let both = [ours(OURS), ours(Ipv4Addr::new(198, 51, 100, 2))];
    assert_eq!(sent_arp(&mut link), both);
    bench.now = link.next_deadline().expect("the second announcement");
    bench.run(|cx| link.handle_timeout(cx));
    assert_eq!(sent_arp(&mut link), both);
    assert_eq!(link.next_deadline(), None);
}

#[test]
fn while_probing_nothing_is_sent_from_the_address_nor_answered_for_it() {
    let (mut link, mut bench) = (Link::new(Config { probe: true, ..config() }), Bench::new());
    bench.run(|cx| link.start(cx));
    let packet = |cx: &mut Context<'_>| {
        let mut frame = Frame::new(cx.begin_frame(), Payload::default());
        let mut bytes = [0; 20];
        bytes[0] = 0x45;
        bytes[12..16].copy_from_slice(&OURS.octets());
        frame.prepend(&bytes);
        frame
    };
    bench.run(|cx| {
        let mut frame = packet(cx);
        assert!(!link.send(cx, PEER.into(), &mut frame));
    });
    assert_eq!(bench.drops(), [DropReason::AddressUnsettled]);
    give_arp(&mut link, &mut bench, &request(PEER, OURS));
    assert!(sent(&mut link).is_empty());
    while let Some(at) = link.next_deadline() {
        bench.now = at;
        bench.run(|cx| link.handle_timeout(cx));
    }
    let said = sent_arp(&mut link);
    assert_eq!(
        said.iter().filter(|(_, packet)| packet.sender_ip.is_unspecified()).count(),
        6,
        "three for each address"
    );
    bench.drops();
    bench.run(|cx| {
        let mut frame = packet(cx);
        assert!(!link.send(cx, PEER.into(), &mut frame));
    });
    assert_eq!((sent_arp(&mut link).len(), bench.drops()), (1, vec![]), "now the neighbour is asked for");
}

#[test]
fn a_conflict_is_told_and_our_address_defended() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    bench.now = Instant::from_secs(100);
    (0..5).for_each(|_| give_arp(&mut link, &mut bench, &request(OURS, PEER)));
    let defence = arp::Packet { sender_mac: OUR_MAC, ..request(OURS, OURS) };
    assert_eq!(sent_arp(&mut link), [(MacAddress::BROADCAST, defence)]);
    assert_eq!(bench.count("AddressConflict"), 5);
    assert_eq!(bench.moves(), [], "the thief is no neighbour");
}

#[test]
fn frames_for_the_device_are_bounded() {
    let (mut link, mut bench) = (Link::new(Config { transmit_queue: 3, ..config() }), Bench::new());
    (0..5).for_each(|_| give_arp(&mut link, &mut bench, &request(PEER, OURS)));
    assert_eq!(bench.drops(), [DropReason::TransmitQueueFull; 2]);
    assert_eq!(sent(&mut link).len(), 3);
}

#[test]
fn a_prepended_header_is_told_under_the_name_of_its_frame() {
    let (mut link, mut bench) = (Link::new(config()), Bench::new());
    send(&mut link, &mut bench, "192.0.2.1");
    assert_eq!(bench.count("Prepended { layer: Arp"), 1);
    assert_eq!(bench.count("Prepended { layer: Ethernet"), 1);
    assert_eq!(ethernet::MIN_HEADER_LEN + arp::LEN, link.poll_transmit().map_or(0, |frame| frame.len()));
}
