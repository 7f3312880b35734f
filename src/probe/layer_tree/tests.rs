use super::*;
use crate::event::*;
use crate::frame::{Frame, FrameId, Offload};
use crate::probe::samples::{connection, tcp_data};
use crate::time::Instant;
use bytes::Bytes;
use etherparse::{PacketBuilder, TcpOptionElement};

fn drawn(style: Style, records: &[(u64, Option<u64>, Event<'_>)]) -> String {
    let tree = direct(Vec::new(), style);
    let mut observer = tree.clone();
    // Times count from the first thing that is drawn.
    observer.observe(&Record { at: Instant::ZERO, frame: None, event: Event::FrameHandled });
    for (micros, frame, event) in records {
        observer.observe(&Record {
            at: Instant::from_micros(*micros),
            frame: frame.map(FrameId),
            event: event.clone(),
        });
    }
    let (_, sink) = tree.finish().expect("a vector takes everything");
    String::from_utf8(sink.into_inner()).expect("what is drawn is UTF-8")
}

fn tcp(event: TcpEvent) -> Event<'static> {
    Event::Tcp { connection: connection(), event }
}

fn syn() -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .tcp(41234, 80, 0x1f3a_0000, 64240)
        .syn()
        .options(&[TcpOptionElement::MaximumSegmentSize(1460)])
        .expect("four bytes of options fit");
    let mut bytes = Vec::new();
    builder.write(&mut bytes, &[]).expect("a vector takes everything");
    bytes
}

fn stripped<'a>(bytes: &'a [u8], tcp_len: usize) -> [Event<'a>; 3] {
    let strip =
        |layer, from: usize, to: usize| Event::Stripped { layer, header: &bytes[from..to], payload: bytes.len() - to };
    [strip(Layer::Ethernet, 0, 14), strip(Layer::Ipv4, 14, 34), strip(Layer::Tcp, 34, 34 + tcp_len)]
}

fn handshake_in(bytes: &[u8]) -> Vec<(u64, Option<u64>, Event<'_>)> {
    let [ethernet, ip, tcp_header] = stripped(bytes, 24);
    let synchronise = TcpEvent::Synchronise {
        sent: false,
        isn: 0x1f3a_0000,
        mss: Some(1460),
        window_scale: None,
        sack: false,
        timestamps: false,
    };
    let state = TcpEvent::State { from: TcpState::Listen, to: TcpState::SynReceived, why: StateCause::SynReceived };
    let events = [
        Event::FrameReceived { bytes, offload: Offload::default() },
        ethernet,
        ip,
        tcp_header,
        tcp(synchronise),
        tcp(state),
        Event::FrameHandled,
    ];
    events.map(|event| (1234, Some(3), event)).into()
}

#[test]
fn a_frame_that_came_in_is_drawn_from_the_outside_in() {
    assert_eq!(
        drawn(Style::BRIEF, &handshake_in(&syn())),
        "\
-> frame 3  58 bytes in  0.001234
  Ethernet   02:00:00:00:00:01 -> 02:00:00:00:00:02, IPv4      stripped 14 bytes
    IPv4     192.0.2.1 -> 192.0.2.2, TTL 64, TCP               stripped 20 bytes
      TCP    41234 -> 80 SYN seq 0 win 64240                   stripped 24 bytes
             SYN: ISN 0x1f3a0000, MSS 1460
             LISTEN -> SYN-RECEIVED: rcv SYN

"
    );
}

fn response(id: u64, payload: &'static [u8]) -> (Frame, Vec<Vec<u8>>) {
    let bytes = tcp_data(payload);
    let mut frame = Frame::new(FrameId(id), Bytes::from_static(payload).into());
    let headers = [&bytes[34..54], &bytes[14..34], &bytes[..14]].map(<[u8]>::to_vec);
    headers.iter().for_each(|header| frame.prepend(header));
    (frame, headers.into())
}

#[test]
fn a_frame_that_goes_out_is_drawn_from_the_inside_out() {
    let (frame, headers) = response(4, b"HTTP/1.1 200 OK\r\n\r\n");
    let prepended = |layer, index: usize| Event::Prepended {
        layer,
        header: &headers[index],
        payload: 19 + headers[..index].iter().map(Vec::len).sum::<usize>(),
    };
    let sent = TcpEvent::SegmentSent { seq: 0x1f3a_0001, len: 19, why: SendReason::Data };
    let records = [
        (5, Some(4), tcp(sent)),
        (5, Some(4), tcp(TcpEvent::TimerSet { timer: TimerKind::Retransmission, at: Instant::from_millis(200) })),
        (5, Some(4), prepended(Layer::Tcp, 0)),
        (5, Some(4), prepended(Layer::Ipv4, 1)),
        (5, Some(4), prepended(Layer::Ethernet, 2)),
        (7, None, Event::FrameSent { frame: &frame }),
        (9, None, tcp(TcpEvent::TimerFired { timer: TimerKind::Retransmission, count: 1 })),
    ];
    assert_eq!(
        drawn(Style::BRIEF, &records),
        "\
<- frame 4  73 bytes out  0.000007
             data, 19 bytes from sequence number 523894785
        HTTP HTTP/1.1 200 OK                                   19 bytes
      TCP    41234 -> 80 PSH,ACK seq 0 ack 1 win 502           prepended 20 bytes
    IPv4     192.0.2.1 -> 192.0.2.2, TTL 64, TCP               prepended 20 bytes
  Ethernet   02:00:00:00:00:01 -> 02:00:00:00:00:02, IPv4      prepended 14 bytes

-- 0.000009 retransmission timer fired  (192.0.2.2:80 <-> 192.0.2.1:41234)

"
    );
}

#[test]
fn the_full_style_shows_bytes_and_fields() {
    assert_eq!(
        drawn(Style::FULL, &handshake_in(&syn())),
        "\
-> frame 3  58 bytes in  0.001234
  Ethernet   02:00:00:00:00:01 -> 02:00:00:00:00:02, IPv4      stripped 14 bytes
             02 00 00 00 00 02 02 00 00 00 00 01 08 00
             destination              02:00:00:00:00:02
             source                   02:00:00:00:00:01
             type                     0x0800
    IPv4     192.0.2.1 -> 192.0.2.2, TTL 64, TCP               stripped 20 bytes
             45 00 00 2c 00 00 40 00 40 06 b6 c8 c0 00 02 01
             c0 00 02 02
             version                  4
             header length            5
             DSCP                     0
             ECN                      0
             total length             44
             identification           0x0000
             flags                    don't fragment
             fragment offset          0
             time to live             64
             protocol                 6
             header checksum          0xb6c8
             source                   192.0.2.1
             destination              192.0.2.2
      TCP    41234 -> 80 SYN seq 0 win 64240                   stripped 24 bytes
             a1 12 00 50 1f 3a 00 00 00 00 00 00 60 02 fa f0
             58 95 00 00 02 04 05 b4
             source port              41234
             destination port         80
             sequence number          523894784 (relative 0)
             acknowledgment number    0 (relative 0)
             data offset              6
             reserved                 0
             flags                    SYN
             window                   64240
             checksum                 0x5895
             urgent pointer           0
             options                  MSS 1460
             SYN: ISN 0x1f3a0000, MSS 1460
             LISTEN -> SYN-RECEIVED: rcv SYN

"
    );
}

#[test]
fn drops_and_unsent_packets_are_drawn_as_what_they_are() {
    let bytes = tcp_data(b"hello");
    let [ethernet, ..] = stripped(&bytes, 20);
    let unreachable = Event::Dropped { layer: Layer::Arp, reason: DropReason::NeighbourUnreachable };
    let records = [
        (1, Some(1), Event::FrameReceived { bytes: &bytes, offload: Offload::default() }),
        (1, Some(1), ethernet),
        (1, Some(1), Event::Dropped { layer: Layer::Ipv4, reason: DropReason::BadIpChecksum }),
        (1, Some(1), Event::FrameHandled),
        (2, Some(2), tcp(TcpEvent::SegmentSent { seq: 1, len: 0, why: SendReason::Syn })),
        (3, Some(2), unreachable),
    ];
    assert_eq!(
        drawn(Style::BRIEF, &records),
        "\
-> frame 1  59 bytes in  0.000001
  Ethernet   02:00:00:00:00:01 -> 02:00:00:00:00:02, IPv4      stripped 14 bytes
             dropped by IPv4: IP header checksum wrong

-x frame 2  never sent  0.000002
             SYN
             dropped by ARP: the neighbour does not answer

"
    );
}

#[test]
fn every_layer_has_its_line() {
    let arp_request = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2];
    let tagged = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x81, 0, 0x20, 7, 8, 6];
    let echo = [8, 0, 0, 0, 0, 7, 0, 1];
    let rows: [(Layer, &[u8], usize, &str); 6] = [
        (Layer::Ethernet, &tagged, 28, "02:00:00:00:00:01 -> broadcast, VLAN 7, ARP"),
        (Layer::Arp, &arp_request, 0, "request: who has 192.0.2.2? tell 192.0.2.1"),
        (Layer::Icmp, &echo, 56, "echo request id 7 seq 1"),
        (Layer::Udp, &[0x13, 0x88, 0, 7, 0, 9, 0, 0], 1, "5000 -> 7 "),
        (Layer::Tcp, &[0; 20], 0, "malformed: 20 bytes cannot hold the TCP header that the data offset announces"),
        (Layer::Ipv4, &[0x45], 0, "malformed: 1 bytes cannot hold the IPv4 header that IHL announces"),
    ];
    for (layer, header, payload, expected) in rows {
        let records = [
            (1, Some(1), Event::FrameReceived { bytes: header, offload: Offload::default() }),
            (1, Some(1), Event::Stripped { layer, header, payload }),
            (1, Some(1), Event::FrameHandled),
        ];
        let text = drawn(Style::BRIEF, &records);
        let line = text.lines().nth(1).expect("a line for the layer");
        assert!(line[13..].starts_with(expected), "{line}");
        drawn(Style::FULL, &records);
    }
}

#[test]
fn colours_are_there_only_when_asked_for() {
    let bytes = syn();
    let records = &handshake_in(&bytes);
    assert!(!drawn(Style::FULL, records).contains('\x1b'));
    let painted = drawn(Style::BRIEF.with_colour(true), records);
    let mut plain = painted.clone();
    for code in ["\x1b[0m", "\x1b[1m", "\x1b[1;36m", "\x1b[2m", "\x1b[33m"] {
        assert!(plain.contains(code), "{code:?}");
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, drawn(Style::BRIEF, records));
}

#[test]
fn a_train_longer_than_ip_can_say_ends_with_its_frame() {
    let mut bytes = syn();
    bytes[16..18].fill(0);
    let [_, ip, _] = stripped(&bytes, 24);
    let frame = Event::FrameReceived { bytes: &bytes, offload: Offload::default() };
    let text = drawn(Style::BRIEF, &[(1, Some(1), frame), (1, Some(1), ip), (2, Some(1), Event::FrameHandled)]);
    assert!(text.contains("192.0.2.1 -> 192.0.2.2, TTL 64, TCP, ends with its frame"), "{text}");
}
