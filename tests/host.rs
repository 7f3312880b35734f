//! One host against frames built by hand: what TCP asks of its host, and what it owes to it (RFC 9293 §3.1 and §3.9).

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use strata::frame::Frame;
use strata::stack::{Config, Stack};
use strata::tcp::{Config as TcpConfig, ConnectError, ListenError};
use strata::time::Instant;
use strata::wire::checksum::Sum;
use strata::wire::tcp::{Flags, Header};
use support::way::{self, Way};
use support::{Pair, SERVER, received};

const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const NOW: Instant = Instant::from_secs(100);

/// A host that listens on port 80 and knows its neighbour.
fn host() -> Stack {
    let mut stack = Stack::new(Config::default(), 7);
    stack.start(NOW);
    stack.tcp_listen(SERVER, 8, TcpConfig::default()).expect("a free port");
    let asks = [
        [0xff; 6].as_slice(),
        &[2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1],
        &[0, 0, 0, 0, 0, 0, 192, 0, 2, 2],
    ]
    .concat();
    stack.handle_frame(NOW, received(&asks));
    while stack.poll_transmit(NOW).is_some() {}
    stack
}

fn checksummed(mut bytes: Vec<u8>, place: usize, start: Sum) -> Vec<u8> {
    let sum = start.plus(&bytes).checksum();
    bytes[place..place + 2].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// An Ethernet frame with an IPv4 packet, `options` in its header.
fn packet(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = 5 + options.len() / 4;
    let mut header = vec![0x40 | words as u8, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    header.extend_from_slice(&source.octets());
    header.extend_from_slice(&destination.octets());
    header.extend_from_slice(options);
    let total = (header.len() + payload.len()) as u16;
    header[2..4].copy_from_slice(&total.to_be_bytes());
    let group = destination.is_broadcast() || destination.is_multicast() || destination.octets()[3] == 255;
    let to = if group { [0xff; 6] } else { [2, 0, 0, 0, 0, 2] };
    [&to[..], &[2, 0, 0, 0, 0, 1, 8, 0], &checksummed(header, 10, Sum::default()), payload].concat()
}

fn syn(source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
    let header = Header {
        source_port: 40000,
        destination_port: 80,
        seq: 1000,
        flags: Flags::SYN,
        window: 0xffff,
        ..Header::default()
    };
    let pseudo = Sum::pseudo_header(source.into(), destination.into(), 6, header.len());
    header.emit(|bytes| checksummed(bytes.to_vec(), 16, pseudo))
}

fn answers(stack: &mut Stack, frame: &[u8]) -> Vec<Frame> {
    stack.handle_frame(NOW, received(frame));
    std::iter::from_fn(|| stack.poll_transmit(NOW)).collect()
}

/// The TCP header behind Ethernet and a plain IPv4 header.
fn tcp(frame: &[u8]) -> Header {
    Header::parse(&frame[34..]).expect("our own headers parse").0
}

#[test]
fn a_syn_with_ip_options_is_answered_like_any_other() {
    // MUST-50
    for options in [&[][..], &[1, 1, 1, 0], &[7, 7, 4, 0, 0, 0, 0, 0], &[68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let sent = answers(&mut host(), &packet(PEER, OURS, 6, options, &syn(PEER, OURS)));
        assert_eq!(sent.len(), 1, "{options:?}");
        assert_eq!(tcp(&sent[0].to_vec()).flags, Flags::SYN | Flags::ACK);
    }
}

#[test]
fn a_damaged_segment_changes_nothing() {
    // MUST-3
    let good = packet(PEER, OURS, 6, &[], &syn(PEER, OURS));
    for bit in 0..20 * 8 {
        let mut frame = good.clone();
        frame[34 + bit / 8] ^= 1 << (bit % 8);
        assert_eq!(answers(&mut host(), &frame).len(), 0, "bit {bit} of the TCP header");
    }
}

#[test]
fn a_syn_to_or_from_no_single_host_is_not_answered() {
    // MUST-57, MUST-63
    let everybody = Ipv4Addr::BROADCAST;
    let (subnet, group) = (Ipv4Addr::new(192, 0, 2, 255), Ipv4Addr::new(224, 0, 0, 1));
    let senders =
        [everybody, subnet, group, Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(0, 1, 2, 3), OURS];
    let from = senders.map(|sender| (sender, OURS));
    let to = [everybody, subnet, group].map(|destination| (PEER, destination));
    for (source, destination) in from.into_iter().chain(to) {
        let frame = packet(source, destination, 6, &[], &syn(source, destination));
        assert_eq!(answers(&mut host(), &frame).len(), 0, "{source} -> {destination}");
    }
}

#[test]
fn source_quench_is_ignored() {
    // MUST-55
    let mut stack = host();
    let remote = SocketAddr::from((PEER, 9000));
    let id = stack.tcp_connect(NOW, remote, None, TcpConfig::default()).expect("a route");
    let sent = stack.poll_transmit(NOW).expect("a SYN").to_vec();
    let quench = checksummed([&[4, 0, 0, 0, 0, 0, 0, 0], &sent[14..42]].concat(), 2, Sum::default());
    assert_eq!(answers(&mut stack, &packet(PEER, OURS, 1, &[], &quench)).len(), 0);
    let status = stack.tcp_status(id);
    assert_eq!((status.state, status.closed), (strata::event::TcpState::SynSent, None));
}

#[test]
fn a_listener_takes_a_port_on_one_address_or_on_all() {
    // MUST-41, MUST-43
    let mut stack = host();
    let listen =
        |stack: &mut Stack, text: &str| stack.tcp_listen(text.parse().expect("an address"), 1, TcpConfig::default());
    assert_eq!(listen(&mut stack, "192.0.2.2:80").err(), Some(ListenError::AddressInUse { port: 80 }));
    assert_eq!(listen(&mut stack, "0.0.0.0:80").err(), Some(ListenError::AddressInUse { port: 80 }));
    let elsewhere = listen(&mut stack, "192.0.2.77:81").err();
    assert_eq!(elsewhere, Some(ListenError::NotOurAddress { address: Ipv4Addr::new(192, 0, 2, 77).into() }));
    assert!(listen(&mut stack, "0.0.0.0:81").is_ok());
    let sent = answers(&mut stack, &packet(PEER, OURS, 6, &[], &syn(PEER, OURS)));
    assert_eq!(tcp(&sent[0].to_vec()).flags, Flags::SYN | Flags::ACK, "the first listener is as it was");
}

#[test]
fn a_port_that_a_connection_leaves_from_can_be_listened_on() {
    // MUST-42
    let mut stack = host();
    let local = SocketAddr::from((OURS, 7000));
    stack.tcp_connect(NOW, (PEER, 9000).into(), Some(local), TcpConfig::default()).expect("a route");
    assert!(stack.tcp_listen(local, 1, TcpConfig::default()).is_ok(), "while it is in SYN-SENT");
}

#[test]
fn nobody_connects_to_what_is_no_single_host() {
    // MUST-46
    let mut stack = host();
    for remote in ["255.255.255.255:80", "192.0.2.255:80", "224.0.0.1:80", "0.0.0.0:80", "192.0.2.1:0"] {
        let remote = remote.parse().expect("an address");
        let refused = stack.tcp_connect(NOW, remote, None, TcpConfig::default()).err();
        assert_eq!(refused, Some(ConnectError::NotUnicast { remote }));
    }
    assert!(stack.poll_transmit(NOW).is_none(), "no packet leaves");
}

#[test]
fn a_connection_keeps_the_address_that_it_began_with() {
    // MUST-44, MUST-45
    let addresses = ["198.51.100.2/24", "192.0.2.2/24"].map(|text| text.parse().expect("a prefix")).to_vec();
    let mut stack = Stack::new(Config { addresses, ..Config::default() }, 7);
    let id = stack.tcp_connect(NOW, (PEER, 80).into(), None, TcpConfig::default()).expect("a route");
    assert_eq!(stack.tcp_local_addr(id).ip(), IpAddr::V4(OURS), "the address on the peer's link");
    let chosen = SocketAddr::from(([198, 51, 100, 2], 5000));
    let id = stack.tcp_connect(NOW, (PEER, 80).into(), Some(chosen), TcpConfig::default()).expect("a route");
    assert_eq!(stack.tcp_local_addr(id), chosen);
}

#[test]
fn every_checksum_that_is_sent_is_right() {
    every_checksum_is_right(way::PLAIN);
}

#[test]
fn every_checksum_that_is_left_to_the_device_is_right() {
    every_checksum_is_right(way::SOFTWARE);
}

fn every_checksum_is_right(way: Way) {
    // MUST-2
    let mut pair = exchange(way, TcpConfig::default());
    pair.run_until(pair.now + Duration::from_secs(1));
    let segments: Vec<&[u8]> = pair
        .frames
        .iter()
        .filter(|(_, (frame, _))| frame.get(23) == Some(&6))
        .map(|(_, (frame, _))| &frame[14..])
        .collect();
    assert!(segments.len() > 10);
    for packet in segments {
        assert!(Sum::default().plus(&packet[..20]).is_good());
        let address = |at: usize| IpAddr::from([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
        let pseudo = Sum::pseudo_header(address(12), address(16), 6, packet.len() - 20);
        assert!(pseudo.plus(&packet[20..]).is_good());
    }
}

#[test]
fn ttl_and_diffserv_reach_the_wire_and_follow_their_settings() {
    // MUST-48, MUST-49, SHLD-21, SHLD-22
    let mut pair = exchange(way::PLAIN, TcpConfig { ttl: 7, traffic_class: 0xb8, ..TcpConfig::default() });
    let of_client = |pair: &Pair| -> Vec<(u8, u8)> {
        let segments = pair.frames.iter().filter(|(from_client, (frame, _))| *from_client && frame.get(23) == Some(&6));
        segments.map(|(_, (frame, _))| (frame[22], frame[15])).collect()
    };
    assert!(of_client(&pair).iter().all(|sent| *sent == (7, 0xb8)), "{:?}", of_client(&pair));
    pair.frames.clear();
    let id = pair.client.tcp_connect(pair.now, SERVER, None, TcpConfig::default()).expect("a route");
    pair.settle();
    pair.client.tcp_configure(pair.now, id, |config| (config.ttl, config.traffic_class) = (9, 0x20));
    pair.frames.clear();
    pair.client.tcp_send(pair.now, id, b"data").expect("room");
    pair.settle();
    assert!(of_client(&pair).iter().all(|sent| *sent == (9, 0x20)), "{:?}", of_client(&pair));
}

/// A connection with data both ways, still open.
fn exchange(way: Way, config: TcpConfig) -> Pair {
    let mut pair = Pair::on(way, 3);
    let listener = pair.server.tcp_listen(SERVER, 8, TcpConfig::default()).expect("a free port");
    let client = pair.client.tcp_connect(pair.now, SERVER, None, config).expect("a route");
    pair.settle();
    let server = pair.server.tcp_accept(listener).expect("a connection");
    pair.client.tcp_send(pair.now, client, &[1; 9_999]).expect("room");
    pair.server.tcp_send(pair.now, server, &[2; 3_333]).expect("room");
    pair.settle();
    pair
}
