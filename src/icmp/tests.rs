//! Echo, errors in both directions, and the rules that forbid them.

use super::*;
use crate::event::testing::Bench;
use crate::frame::{Checksum, FrameId};
use crate::wire::checksum::Sum;
use crate::wire::ipv4::Header;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::net::Ipv4Addr;

const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn header(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: usize) -> Header {
    Header {
        traffic_class: 0,
        total_length: (20 + payload) as u16,
        identification: 0x1234,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 3,
        protocol,
        source,
        destination,
        options: SmallVec::new(),
    }
}

fn packet(protocol: u8, payload: &[u8]) -> Packet<'static> {
    Packet {
        source: PEER.into(),
        destination: OURS.into(),
        protocol,
        ttl: 57,
        traffic_class: 0b1011_1011,
        broadcast: false,
        payload: Cow::Owned(payload.to_vec()),
        checksum: Checksum::Full,
        segment_size: None,
        header: Cow::Owned(header(PEER, OURS, protocol, payload.len()).emit(<[u8]>::to_vec)),
    }
}

fn message(message: Message, data: &[u8]) -> Packet<'static> {
    packet(protocol::ICMP, &message.emit(data, |header| [header, data].concat()))
}

/// An error about a datagram of ours from port 7 to port 9, with `transport` bytes of it.
fn error_about(kind: Message, total: u16, transport: &[u8]) -> Packet<'static> {
    let quoted = Header { total_length: total, ..header(OURS, Ipv4Addr::new(203, 0, 113, 5), protocol::UDP, 0) };
    message(kind, &quoted.emit(|header| [header, transport].concat()))
}

const PORTS: &[u8; 8] = &[0, 7, 0, 9, 0, 8, 0xab, 0xcd];

#[test]
fn echo_gives_the_same_data_back_from_the_address_that_was_asked() {
    let (mut icmp, mut bench) = (Icmp::new(Config::default()), Bench::new());
    for data in [&b""[..], b"x", &[7; 9000]] {
        let request = message(Message::EchoRequest { id: 3, sequence: 4 }, data);
        let Disposition::Reply(reply) = bench.run(|cx| icmp.handle(cx, &request)) else { panic!("a reply") };
        assert_eq!((reply.source, reply.destination), (OURS.into(), PEER.into()));
        assert_eq!((reply.ttl, reply.traffic_class, reply.protocol), (64, 0b1011_1000, protocol::ICMP));
        let bytes = reply.frame.to_vec();
        assert!(icmpv4::checksum_is_good(&bytes));
        assert_eq!(Message::parse(&bytes), Ok((Message::EchoReply { id: 3, sequence: 4 }, data)));
    }
    assert_eq!(bench.drops(), []);
}

#[test]
fn an_echo_reply_is_handed_up() {
    let (mut icmp, mut bench) = (Icmp::new(Config::default()), Bench::new());
    let reply = message(Message::EchoReply { id: 3, sequence: 4 }, b"data");
    let Disposition::EchoReply(reply) = bench.run(|cx| icmp.handle(cx, &reply)) else { panic!("for a socket") };
    let (source, destination) = (PEER.into(), OURS.into());
    assert_eq!(reply, EchoReply { source, destination, id: 3, sequence: 4, ttl: 57, data: b"data" });
}

#[test]
fn what_asks_for_nothing_sensible_is_dropped() {
    let (mut icmp, mut bench) = (Icmp::new(Config::default()), Bench::new());
    let echo = message(Message::EchoRequest { id: 3, sequence: 4 }, b"data");
    let mut damaged = echo.clone();
    damaged.payload.to_mut()[9] ^= 1;
    let other = |kind, code| message(Message::Other { kind, code, rest: [0; 4] }, &[0; 28]);
    let unreachable = |code| Message::DestinationUnreachable { code, mtu: 0 };
    let mut later_fragment = error_about(unreachable(3), 28, PORTS);
    let shifted = Header { fragment_offset: 8, ..header(OURS, PEER, protocol::UDP, 8) };
    later_fragment.payload = message(unreachable(3), &shifted.emit(|header| [header, PORTS].concat())).payload;
    for (packet, reason) in [
        (damaged, DropReason::BadIcmpChecksum),
        (packet(protocol::ICMP, &Sum::default().checksum().to_be_bytes()), DropReason::MalformedIcmp),
        (Packet { broadcast: true, ..echo.clone() }, DropReason::BroadcastEcho),
        (other(5, 0), DropReason::UnknownIcmp),
        (other(13, 0), DropReason::UnknownIcmp),
        (other(40, 0), DropReason::UnknownIcmp),
        (error_about(unreachable(16), 28, PORTS), DropReason::UnknownIcmp),
        (error_about(Message::TimeExceeded { code: 2 }, 28, PORTS), DropReason::UnknownIcmp),
        (message(unreachable(3), &[0x45; 19]), DropReason::MalformedIcmp),
        (error_about(unreachable(3), 28, &PORTS[..7]), DropReason::MalformedIcmp),
        (error_about(unreachable(3), 27, PORTS), DropReason::MalformedIcmp),
        (later_fragment, DropReason::UnmatchedIcmpError),
    ] {
        assert!(matches!(bench.run(|cx| icmp.handle(cx, &packet)), Disposition::None), "{packet:?}");
        assert_eq!(bench.drops(), [reason], "{packet:?}");
    }
    let mut vouched = echo;
    vouched.payload.to_mut()[9] ^= 1;
    vouched.checksum = Checksum::Good;
    assert!(matches!(bench.run(|cx| icmp.handle(cx, &vouched)), Disposition::Reply(_)), "the device vouches for it");
}

#[test]
fn errors_are_understood() {
    let (mut icmp, mut bench) = (Icmp::new(Config::default()), Bench::new());
    let unreachable = |code, mtu| Message::DestinationUnreachable { code, mtu };
    for (kind, total, expected, hard) in [
        (unreachable(0, 0), 28, NetworkError::NetUnreachable, false),
        (unreachable(1, 0), 28, NetworkError::HostUnreachable, false),
        (unreachable(2, 0), 28, NetworkError::ProtocolUnreachable, true),
        (unreachable(3, 0), 28, NetworkError::PortUnreachable, true),
        (unreachable(4, 1400), 1500, NetworkError::FragmentationNeeded { mtu: 1400 }, false),
        (unreachable(4, 0), 1500, NetworkError::FragmentationNeeded { mtu: 1492 }, false),
        (unreachable(4, 0), 1492, NetworkError::FragmentationNeeded { mtu: 1006 }, false),
        (unreachable(4, 0), 60, NetworkError::FragmentationNeeded { mtu: 68 }, false),
        // A super-frame that was longer than its header could say.
        (unreachable(3, 0), 0, NetworkError::PortUnreachable, true),
        (unreachable(4, 0), 0, NetworkError::FragmentationNeeded { mtu: 32_000 }, false),
        (unreachable(5, 0), 28, NetworkError::SourceRouteFailed, false),
        (unreachable(7, 0), 28, NetworkError::HostUnreachable, false),
        (unreachable(13, 0), 28, NetworkError::AdministrativelyProhibited, true),
        (Message::TimeExceeded { code: 0 }, 28, NetworkError::TtlExceeded, false),
        (Message::TimeExceeded { code: 1 }, 28, NetworkError::ReassemblyTimeExceeded, false),
        (Message::ParameterProblem { code: 0, pointer: 20 }, 28, NetworkError::ParameterProblem { pointer: 20 }, false),
    ] {
        let packet = error_about(kind, total, PORTS);
        let Disposition::Error(quoted) = bench.run(|cx| icmp.handle(cx, &packet)) else { panic!("{kind:?}") };
        assert_eq!((quoted.error, quoted.error.is_hard()), (expected, hard));
        assert_eq!((quoted.from, quoted.source), (PEER.into(), OURS.into()));
        assert_eq!((quoted.destination, quoted.protocol), (Ipv4Addr::new(203, 0, 113, 5).into(), protocol::UDP));
        assert_eq!((quoted.transport, quoted.ports()), (&PORTS[..], (7, 9)));
    }
}

#[test]
fn an_error_quotes_what_was_received_byte_for_byte_up_to_576() {
    let (mut icmp, mut bench) = (Icmp::new(Config::default()), Bench::new());
    for (len, quoted) in [(8, 28), (100, 120), (528, 548), (529, 548), (1400, 548)] {
        let concerned = packet(protocol::UDP, &vec![0xab; len]);
        let error =
            bench.run(|cx| icmp.error(cx, &concerned, NetworkError::PortUnreachable)).expect("no rule forbids it");
        let bytes = error.frame.to_vec();
        assert!(icmpv4::checksum_is_good(&bytes));
        let (message, quote) = Message::parse(&bytes).expect("our own");
        assert_eq!(message, Message::DestinationUnreachable { code: 3, mtu: 0 });
        assert_eq!(quote, &[&concerned.header[..], &concerned.payload].concat()[..quoted]);
        assert_eq!((error.source, error.destination, error.traffic_class), (OURS.into(), PEER.into(), 0));
    }
}

#[test]
fn no_error_answers_what_must_not_be_answered() {
    let (mut icmp, mut bench) = (Icmp::new(Config::default()), Bench::new());
    let datagram = packet(protocol::UDP, PORTS);
    let fragment = Header { fragment_offset: 8, ..header(PEER, OURS, protocol::UDP, 8) };
    let forbidden = [
        ("a broadcast", Packet { broadcast: true, ..datagram.clone() }),
        ("a later fragment", Packet { header: Cow::Owned(fragment.emit(<[u8]>::to_vec)), ..datagram.clone() }),
        ("nothing", packet(protocol::ICMP, b"")),
        ("an unreachable", packet(protocol::ICMP, &[3, 3, 0, 0, 0, 0, 0, 0])),
        ("a source quench", packet(protocol::ICMP, &[4, 0, 0, 0, 0, 0, 0, 0])),
        ("a redirect", packet(protocol::ICMP, &[5, 0, 0, 0, 0, 0, 0, 0])),
        ("a time exceeded", packet(protocol::ICMP, &[11, 0, 0, 0, 0, 0, 0, 0])),
        ("a parameter problem", packet(protocol::ICMP, &[12, 0, 0, 0, 0, 0, 0, 0])),
    ];
    for (what, packet) in &forbidden {
        assert!(bench.run(|cx| icmp.error(cx, packet, NetworkError::PortUnreachable)).is_none(), "{what}");
    }
    let echo = packet(protocol::ICMP, &[8, 0, 0, 0, 0, 0, 0, 0]);
    for packet in [datagram, echo] {
        assert!(bench.run(|cx| icmp.error(cx, &packet, NetworkError::ReassemblyTimeExceeded)).is_some());
    }
}

#[test]
fn errors_keep_to_their_rate() {
    let config = Config { errors_per_second: 10, burst: 4, ..Config::default() };
    let (mut icmp, mut bench) = (Icmp::new(config), Bench::new());
    bench.now = crate::time::Instant::from_secs(1);
    let datagram = packet(protocol::UDP, PORTS);
    let mut attempt =
        |bench: &mut Bench| bench.run(|cx| icmp.error(cx, &datagram, NetworkError::PortUnreachable)).is_some();
    assert_eq!((0..20).filter(|_| attempt(&mut bench)).count(), 4);
    assert_eq!(bench.drops(), [DropReason::IcmpRateLimited; 16]);
    let mut sent = 0;
    for _ in 0..1000 {
        bench.now += std::time::Duration::from_millis(2);
        sent += usize::from(attempt(&mut bench));
    }
    assert_eq!(sent, 20, "in two seconds");
}

#[test]
fn every_error_that_we_send_is_read_back_as_what_it_means() {
    let (mut icmp, mut bench) = (Icmp::new(Config::default()), Bench::new());
    for error in [
        NetworkError::NetUnreachable,
        NetworkError::HostUnreachable,
        NetworkError::ProtocolUnreachable,
        NetworkError::PortUnreachable,
        NetworkError::FragmentationNeeded { mtu: 1280 },
        NetworkError::SourceRouteFailed,
        NetworkError::AdministrativelyProhibited,
        NetworkError::TtlExceeded,
        NetworkError::ReassemblyTimeExceeded,
        NetworkError::ParameterProblem { pointer: 22 },
    ] {
        let sent = bench.run(|cx| icmp.error(cx, &packet(protocol::UDP, PORTS), error)).expect("no rule forbids it");
        let packet = packet(protocol::ICMP, &sent.frame.to_vec());
        let Disposition::Error(quoted) = bench.run(|cx| icmp.handle(cx, &packet)) else { panic!("{error}") };
        assert_eq!(quoted.error, error);
    }
}

#[test]
fn a_frame_that_never_left_names_its_socket() {
    let udp = |payload: Payload| {
        let mut frame = Frame::new(FrameId(1), payload);
        frame.prepend(PORTS);
        frame
    };
    let with_ip = |mut frame: Frame, offset| {
        let header = Header { fragment_offset: offset, ..header(OURS, PEER, protocol::UDP, frame.len()) };
        header.emit(|header| frame.prepend(header));
        frame
    };
    let whole = with_ip(udp(Payload::from(b"data".to_vec())), 0);
    let first_fragment = with_ip(Frame::new(FrameId(1), Payload::from(PORTS.to_vec())), 0);
    for frame in [whole, first_fragment] {
        let quoted = quoted_from_frame(&frame, NetworkError::HostUnreachable).expect("our own packet");
        assert_eq!((quoted.source, quoted.destination, quoted.ports()), (OURS.into(), PEER.into(), (7, 9)));
    }
    let later_fragment = with_ip(Frame::new(FrameId(1), Payload::from(PORTS.to_vec())), 8);
    assert_eq!(quoted_from_frame(&later_fragment, NetworkError::HostUnreachable), None);
    assert_eq!(quoted_from_frame(&udp(Payload::default()), NetworkError::HostUnreachable), None);
}

#[test]
fn an_echo_request_is_complete() {
    let mut bench = Bench::new();
    let request = bench.run(|cx| echo_request(cx, (OURS.into(), PEER.into()), (1, 2), b"ping", 9));
    assert_eq!((request.ttl, request.protocol, request.source), (9, protocol::ICMP, OURS.into()));
    let bytes = request.frame.to_vec();
    assert!(icmpv4::checksum_is_good(&bytes));
    assert_eq!(Message::parse(&bytes), Ok((Message::EchoRequest { id: 1, sequence: 2 }, &b"ping"[..])));
}
