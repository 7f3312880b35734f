//! Datagrams and their sockets.

use super::*;
use crate::event::testing::Bench;
use crate::ip::{self, Ip, NetworkError};
use crate::random::Random;
use proptest::prelude::*;
use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address with a port")
}

fn packet(payload: Vec<u8>) -> Packet<'static> {
    Packet {
        source: PEER.into(),
        destination: OURS.into(),
        protocol: protocol::UDP,
        ttl: 64,
        traffic_class: 0,
        broadcast: false,
        payload: Cow::Owned(payload),
        checksum: Checksum::Full,
        segment_size: None,
        header: Cow::Borrowed(&[]),
    }
}

fn built(bench: &mut Bench, data: &[u8]) -> Outgoing {
    let (source, destination) = (address("192.0.2.1:7"), address("192.0.2.2:9"));
    let mut packet = Outgoing::default();
    bench.run(|cx| build(cx, source, destination, Bytes::copy_from_slice(data), None, &mut packet));
    packet
}

fn written(write: impl FnOnce(&mut Outgoing) -> Result<(), SendError>) -> Result<Outgoing, SendError> {
    let mut packet = Outgoing::default();
    write(&mut packet).map(|()| packet)
}

fn host() -> Ip {
    let addresses = vec!["192.0.2.2/24".parse().expect("a prefix")];
    Ip::new(ip::Config { addresses, ..ip::Config::default() }, &mut Random::new(1))
}

fn datagram(source: &str, data: &'static [u8]) -> Datagram<'static> {
    Datagram { source: address(source), destination: address("192.0.2.2:9"), data, segment_size: None }
}

#[test]
fn damaged_datagrams_are_dropped() {
    let mut bench = Bench::new();
    let good = built(&mut bench, b"data").frame.to_vec();
    let damaged = |place: usize| {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        bytes
    };
    let cases = [
        (damaged(0), DropReason::BadUdpChecksum),
        (damaged(7), DropReason::BadUdpChecksum),
        (damaged(11), DropReason::BadUdpChecksum),
        (damaged(4), DropReason::MalformedUdp),
        (good[..7].to_vec(), DropReason::MalformedUdp),
    ];
    for (bytes, reason) in cases {
        assert_eq!(bench.run(|cx| handle(cx, &packet(bytes.clone())).map(|datagram| datagram.data.len())), None);
        assert_eq!(bench.drops(), [reason]);
        if reason == DropReason::BadUdpChecksum {
            let vouched = Packet { checksum: Checksum::Good, ..packet(bytes) };
            assert!(bench.run(|cx| handle(cx, &vouched).is_some()), "the device vouches for it");
        }
    }
}

#[test]
fn a_checksum_of_zero_is_none_and_a_sum_of_zero_is_sent_as_all_ones() {
    let mut bench = Bench::new();
    let mut bytes = built(&mut bench, b"data").frame.to_vec();
    bytes[6..8].fill(0);
    bytes[11] ^= 1;
    assert!(bench.run(|cx| handle(cx, &packet(bytes)).is_some()));
    // Two bytes of data can bring the sum to anything, zero among it.
    let checksum = |bytes: &[u8]| u16::from_be_bytes([bytes[6], bytes[7]]);
    let zero = built(&mut bench, &[0, 0]).frame.to_vec();
    let bytes = built(&mut bench, &checksum(&zero).to_be_bytes()).frame.to_vec();
    assert_eq!(checksum(&bytes), 0xffff);
    assert!(bench.run(|cx| handle(cx, &packet(bytes)).is_some()));
}

proptest! {
    #[test]
    fn what_is_built_is_understood(data in proptest::collection::vec(any::<u8>(), 0..100), partial: bool, padding in 0usize..5) {
        let mut bench = Bench::new();
        bench.partial_checksum = partial;
        let mut outgoing = built(&mut bench, &data);
        prop_assert_eq!(outgoing.frame.offload.checksum == Checksum::Full, !partial);
        outgoing.frame.finish_checksum();
        let packet = packet([outgoing.frame.to_vec(), vec![0; padding]].concat());
        let datagram = bench.run(|cx| handle(cx, &packet)).expect("all is well");
        prop_assert_eq!(datagram, Datagram { source: address("192.0.2.1:7"), destination: address("192.0.2.2:9"), data: &data, segment_size: None });
    }
}

#[test]
fn datagrams_keep_their_boundaries_and_truncation_is_reported() {
    let (mut socket, mut bench) = (Socket::new(address("0.0.0.0:9"), Config::default()), Bench::new());
    let mut buffer = [0; 4];
    assert_eq!(socket.receive(&mut buffer), Err(ReceiveError::WouldBlock));
    for data in [&b"one"[..], b"", b"three"] {
        assert!(bench.run(|cx| socket.handle(cx, datagram("192.0.2.1:7", data))));
    }
    let (source, destination) = (address("192.0.2.1:7"), address("192.0.2.2:9"));
    for (len, truncated, bytes) in [(3, false, &b"one"[..]), (0, false, b""), (5, true, b"thre")] {
        assert!(socket.is_readable());
        let received = socket.receive(&mut buffer);
        assert_eq!(received, Ok(ReceivedDatagram { len, truncated, source, destination }));
        assert_eq!(&buffer[..bytes.len()], bytes);
    }
    assert!(!socket.is_readable());
}

#[test]
fn the_queue_is_bounded_in_datagrams_and_in_bytes() {
    for (queue_datagrams, queue_bytes, taken) in [(3, 1000, 3), (1000, 10, 2), (1000, 3, 0)] {
        let config = Config { queue_datagrams, queue_bytes, ..Config::default() };
        let (mut socket, mut bench) = (Socket::new(address("0.0.0.0:9"), config), Bench::new());
        let all = (0..5).filter(|_| bench.run(|cx| socket.handle(cx, datagram("192.0.2.1:7", b"fives")))).count();
        assert_eq!(all, taken);
        assert_eq!(bench.drops(), vec![DropReason::UdpQueueFull; 5 - taken]);
        assert!((0..taken).all(|_| socket.receive(&mut [0; 9]).is_ok()));
        let again = bench.run(|cx| socket.handle(cx, datagram("192.0.2.1:7", b"fives")));
        assert_eq!(again, taken > 0, "what was read makes room");
    }
}

#[test]
fn the_closest_socket_matches_best() {
    let new = |local: &str, remote: Option<&str>| {
        let mut socket = Socket::new(address(local), Config::default());
        remote.into_iter().for_each(|remote| socket.connect(address(remote), OURS.into()));
        socket
    };
    let all = new("0.0.0.0:9", None);
    let ours = new("192.0.2.2:9", None);
    let connected = new("0.0.0.0:9", Some("192.0.2.1:7"));
    let (from, to) = (address("192.0.2.1:7"), address("192.0.2.2:9"));
    let score = |socket: &Socket| socket.matches(from, to);
    assert!(score(&connected) > score(&ours) && score(&ours) > score(&all) && score(&all).is_some());
    assert_eq!(connected.local(), to);
    for (socket, source, destination, matches) in [
        (&connected, "192.0.2.1:8", "192.0.2.2:9", false),
        (&connected, "192.0.2.3:7", "192.0.2.2:9", false),
        (&all, "192.0.2.1:7", "192.0.2.2:8", false),
        (&all, "192.0.2.1:7", "192.0.2.255:9", true),
        (&ours, "192.0.2.1:7", "192.0.2.255:9", false),
        (&all, "[2001:db8::1]:7", "[2001:db8::2]:9", false),
    ] {
        assert_eq!(socket.matches(address(source), address(destination)).is_some(), matches, "{source} {destination}");
    }
}

#[test]
fn connecting_forgets_what_others_sent() {
    let (mut socket, mut bench) = (Socket::new(address("0.0.0.0:9"), Config::default()), Bench::new());
    for source in ["192.0.2.3:7", "192.0.2.1:7", "192.0.2.1:8"] {
        bench.run(|cx| socket.handle(cx, datagram(source, b"data")));
    }
    socket.connect(address("192.0.2.1:7"), OURS.into());
    assert_eq!(socket.receive(&mut [0; 9]).map(|received| received.source), Ok(address("192.0.2.1:7")));
    assert_eq!(socket.receive(&mut [0; 9]), Err(ReceiveError::WouldBlock));
}

#[test]
fn sending_asks_for_a_peer_a_route_and_a_permission() {
    let (ip, mut bench) = (host(), Bench::new());
    let mut socket = Socket::new(address("0.0.0.0:9"), Config::default());
    let mut send = |to: Option<&str>, len: usize, broadcast: bool| {
        socket.config = Config { broadcast, ttl: 3, traffic_class: 4, ..Config::default() };
        written(|packet| bench.run(|cx| socket.send(cx, &ip, to.map(address), &vec![1; len], packet)))
    };
    let broadcast = |text: &str| Some(SendError::BroadcastNotAllowed { destination: address(text).ip() });
    for (to, len, allowed, error) in [
        (None, 1, false, Some(SendError::NotConnected)),
        (Some("192.0.2.1:7"), MAX_DATA + 1, false, Some(SendError::TooLong { len: MAX_DATA + 1, max: MAX_DATA })),
        (Some("8.8.8.8:7"), 1, false, Some(SendError::NoRoute { destination: [8, 8, 8, 8].into() })),
        (Some("[2001:db8::1]:7"), 1, false, Some(SendError::NoRoute { destination: address("[2001:db8::1]:7").ip() })),
        (Some("255.255.255.255:7"), 1, false, broadcast("255.255.255.255:7")),
        (Some("192.0.2.255:7"), 1, false, broadcast("192.0.2.255:7")),
        (Some("192.0.2.255:7"), 1, true, None),
        (Some("224.0.0.5:7"), 1, false, None),
        (Some("192.0.2.1:7"), MAX_DATA, false, None),
    ] {
        let sent = send(to, len, allowed);
        assert_eq!(sent.as_ref().err(), error.as_ref(), "{to:?}");
        if let Ok(outgoing) = sent {
            assert_eq!((outgoing.source, outgoing.ttl, outgoing.traffic_class), (OURS.into(), 3, 4));
            assert_eq!(outgoing.frame.len(), len + 8);
        }
    }
}

#[test]
fn an_error_is_reported_once_to_who_is_connected() {
    let (ip, mut bench) = (host(), Bench::new());
    let peer = address("192.0.2.1:7");
    let refused = NetworkError::PortUnreachable;
    let mut socket = Socket::new(address("0.0.0.0:9"), Config::default());
    assert!(!socket.handle_error(refused, peer), "who serves many is not failed by one");
    socket.connect(peer, OURS.into());
    assert!(!socket.handle_error(refused, address("192.0.2.1:8")));
    assert!(!socket.handle_error(NetworkError::FragmentationNeeded { mtu: 1000 }, peer));
    assert!(!socket.is_readable());
    assert!(socket.handle_error(refused, peer) && socket.is_readable());
    assert_eq!(socket.receive(&mut [0; 9]), Err(ReceiveError::Network(refused)));
    assert_eq!(socket.receive(&mut [0; 9]), Err(ReceiveError::WouldBlock));
    assert!(socket.handle_error(refused, peer));
    assert_eq!(
        written(|packet| bench.run(|cx| socket.send(cx, &ip, None, b"x", packet))).err(),
        Some(SendError::Network(refused))
    );
    assert!(written(|packet| bench.run(|cx| socket.send(cx, &ip, None, b"x", packet))).is_ok());
}

fn train(data: &'static [u8], size: u16) -> Datagram<'static> {
    Datagram { segment_size: NonZeroU16::new(size), ..datagram("192.0.2.1:7", data) }
}

#[test]
fn a_train_is_read_whole_or_one_by_one() {
    let (mut socket, mut bench) = (Socket::new(address("0.0.0.0:9"), Config::default()), Bench::new());
    let mut buffer = [0; 20];
    for _ in 0..2 {
        assert!(bench.run(|cx| socket.handle(cx, train(b"aabbccd", 2))));
    }
    let whole = socket.receive_segments(&mut buffer).expect("a train");
    assert_eq!((whole.segment_size, &buffer[..whole.len]), (2, &b"aabbccd"[..]), "one that is shorter is the last");
    for expected in [&b"aa"[..], b"bb", b"cc", b"d"] {
        let received = socket.receive(&mut buffer).expect("a datagram");
        assert_eq!((received.len, received.truncated), (expected.len(), false));
        assert_eq!(&buffer[..received.len], expected);
    }
    assert_eq!(socket.receive_segments(&mut buffer), Err(ReceiveError::WouldBlock));
}

#[test]
fn datagrams_of_one_size_are_read_together_as_many_as_fit() {
    type Datagrams = &'static [(&'static str, &'static [u8])];
    type Trains = &'static [(usize, &'static [u8])];
    let cases: [(Datagrams, usize, Trains); 6] = [
        (&[("192.0.2.1:7", b"aa"), ("192.0.2.1:7", b"bb"), ("192.0.2.1:7", b"c")], 20, &[(2, b"aabbc")]),
        (&[("192.0.2.1:7", b"aa"), ("192.0.2.1:7", b"bb"), ("192.0.2.1:7", b"cc")], 5, &[(2, b"aabb"), (2, b"cc")]),
        (&[("192.0.2.1:7", b"aa"), ("192.0.2.1:8", b"bb")], 20, &[(2, b"aa"), (2, b"bb")]),
        (&[("192.0.2.1:7", b"aa"), ("192.0.2.1:7", b"bbb")], 20, &[(2, b"aa"), (3, b"bbb")]),
        (&[("192.0.2.1:7", b"a"), ("192.0.2.1:7", b""), ("192.0.2.1:7", b"b")], 20, &[(1, b"a"), (0, b""), (1, b"b")]),
        (&[("192.0.2.1:7", b"aaaa"), ("192.0.2.1:7", b"bb")], 2, &[(4, b"aa"), (2, b"bb")]),
    ];
    for (datagrams, room, expected) in cases {
        let (mut socket, mut bench) = (Socket::new(address("0.0.0.0:9"), Config::default()), Bench::new());
        for (source, data) in datagrams {
            assert!(bench.run(|cx| socket.handle(cx, datagram(source, data))));
        }
        for (size, bytes) in expected {
            let mut buffer = vec![0; room];
            let train = socket.receive_segments(&mut buffer).expect("a train");
            assert_eq!((train.segment_size, &buffer[..train.len.min(room)]), (*size, *bytes), "{datagrams:?}");
        }
        assert!(!socket.is_readable());
    }
}

#[test]
fn of_a_train_as_much_is_queued_as_fits() {
    for (queue_datagrams, queue_bytes, expected) in [(3, 100, 6), (100, 5, 4), (100, 7, 7), (0, 100, 0)] {
        let config = Config { queue_datagrams, queue_bytes, ..Config::default() };
        let (mut socket, mut bench) = (Socket::new(address("0.0.0.0:9"), config), Bench::new());
        assert_eq!(bench.run(|cx| socket.handle(cx, train(b"aabbccd", 2))), expected > 0);
        assert_eq!(bench.drops().len(), usize::from(expected < 7));
        let read = socket.receive_segments(&mut [0; 20]).map_or(0, |train| train.len);
        assert_eq!(read, expected);
        // What was read makes room, to the last byte.
        let again = bench.run(|cx| socket.handle(cx, train(b"aabbccd", 2)));
        assert_eq!(again, expected > 0);
    }
}

#[test]
fn a_train_goes_in_one_frame_whose_pieces_are_datagrams() {
    let (ip, mut bench) = (host(), Bench::new());
    let mut socket = Socket::new(address("0.0.0.0:9"), Config::default());
    let size = |size| NonZeroU16::new(size).expect("not zero");
    let to = Some(address("192.0.2.1:7"));
    for (len, segment, error) in [
        (1500, 1473, Some(SendError::SegmentSize { size: 1473, max: 1472 })),
        (1000, 1473, None),
        (2 * MAX_SEGMENTS, 2, None),
        (2 * MAX_SEGMENTS + 1, 2, Some(SendError::TooManySegments { count: MAX_SEGMENTS + 1, max: MAX_SEGMENTS })),
        (MAX_DATA + 1, 1400, Some(SendError::TooLong { len: MAX_DATA + 1, max: MAX_DATA })),
    ] {
        let sent =
            written(|packet| bench.run(|cx| socket.send_segments(cx, &ip, to, &vec![1; len], size(segment), packet)));
        assert_eq!(sent.err(), error, "{len} in {segment}");
    }
    let sent = written(|packet| bench.run(|cx| socket.send_segments(cx, &ip, to, b"aabbc", size(2), packet)))
        .expect("a train");
    assert_eq!((sent.frame.offload.segment_size, sent.dont_fragment), (NonZeroU16::new(2), true));
    assert!(matches!(sent.frame.offload.checksum, Checksum::Partial { start: 0, offset: 6 }));
}
