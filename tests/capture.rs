//! Wireshark's own reader judges what the capture writes: comments, directions, timestamps, checksums.

mod tshark;

use bytes::Bytes;
use etherparse::PacketBuilder;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;
use strata::event::{
    DropReason, Event, FourTuple, Layer, NeighbourMessage, Observer, Record, SendReason, StateCause, TcpEvent, TcpState,
};
use strata::frame::{Checksum, Frame, FrameId, Offload};
use strata::probe::capture::{self, Options};
use strata::probe::pcapng;
use strata::time::Instant;
use strata::wire::checksum::Sum;

const PEER: ([u8; 6], [u8; 4]) = ([2, 0, 0, 0, 0, 1], [192, 0, 2, 1]);
const OURS: ([u8; 6], [u8; 4]) = ([2, 0, 0, 0, 0, 2], [192, 0, 2, 2]);
/// 2026-01-02 03:04:05.123456789 UTC.
const START: Instant = Instant::from_nanos(1_767_323_045_123_456_789);

/// Plays both directions of a conversation as the stack would tell it.
struct Script<O> {
    observer: O,
    now: Instant,
    frames: u64,
}

impl<O: Observer> Script<O> {
    fn tell(&mut self, frame: Option<u64>, event: Event<'_>) {
        self.observer.observe(&Record { at: self.now, frame: frame.map(FrameId), event });
    }

    fn step(&mut self) -> u64 {
        self.now += Duration::from_nanos(1_001);
        self.frames += 1;
        self.frames
    }

    fn received(&mut self, bytes: &[u8], decisions: &[Event<'static>]) {
        let id = self.step();
        self.tell(Some(id), Event::FrameReceived { bytes, offload: Offload::default() });
        self.tell(
            Some(id),
            Event::Stripped { layer: Layer::Ethernet, header: &bytes[..14], payload: bytes.len() - 14 },
        );
        decisions.iter().for_each(|event| self.tell(Some(id), event.clone()));
        self.tell(Some(id), Event::FrameHandled);
    }

    /// Sends `bytes`, whose first `headers` are headers, as a frame with its checksum left to the device.
    fn sent(&mut self, bytes: &[u8], headers: usize, segment_size: u16, decisions: &[Event<'static>]) {
        let id = self.step();
        let mut frame = Frame::new(FrameId(id), Bytes::copy_from_slice(&bytes[headers..]).into());
        let mut head = bytes[..headers].to_vec();
        if headers > 34 {
            let pseudo_header = Sum::pseudo_header(OURS.1.into(), PEER.1.into(), 6, bytes.len() - 34);
            head[50..52].copy_from_slice(&pseudo_header.folded().to_be_bytes());
            frame.prepend(&head[34..]);
            frame.offload.checksum = Checksum::Partial { start: 0, offset: 16 };
            frame.offload.segment_size = NonZeroU16::new(segment_size);
            head.truncate(34);
        }
        frame.prepend(&head);
        decisions.iter().for_each(|event| self.tell(Some(id), event.clone()));
        self.tell(None, Event::FrameSent { frame: &frame });
    }
}

fn arp(request: bool) -> Vec<u8> {
    let (from, to) = if request { (PEER, OURS) } else { (OURS, PEER) };
    let mut bytes = Vec::new();
    bytes.extend_from_slice(if request { &[0xff; 6] } else { &to.0 });
    bytes.extend_from_slice(&from.0);
    bytes.extend_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, if request { 1 } else { 2 }]);
    bytes.extend_from_slice(&from.0);
    bytes.extend_from_slice(&from.1);
    bytes.extend_from_slice(if request { &[0; 6] } else { &to.0 });
    bytes.extend_from_slice(&to.1);
    bytes
}

/// A TCP segment; `flags` holds some of `SAPF`.
fn tcp(inbound: bool, seq: u32, ack: u32, flags: &str, data: &[u8]) -> Vec<u8> {
    let ((from, to), ports) = if inbound { ((PEER, OURS), (41234, 80)) } else { ((OURS, PEER), (80, 41234)) };
    let mut builder = PacketBuilder::ethernet2(from.0, to.0).ipv4(from.1, to.1, 64).tcp(ports.0, ports.1, seq, 64240);
    for flag in flags.chars() {
        builder = match flag {
            'S' => builder.syn(),
            'A' => builder.ack(ack),
            'P' => builder.psh(),
            'F' => builder.fin(),
            other => panic!("no flag {other}"),
        };
    }
    let mut bytes = Vec::new();
    builder.write(&mut bytes, data).expect("a vector takes everything");
    bytes
}

fn told(event: TcpEvent) -> Event<'static> {
    Event::Tcp { connection: FourTuple { local: (OURS.1, 80).into(), remote: (PEER.1, 41234).into() }, event }
}

fn state(from: TcpState, to: TcpState, why: StateCause) -> Event<'static> {
    told(TcpEvent::State { from, to, why })
}

fn segment(seq: u32, len: usize, why: SendReason) -> Event<'static> {
    told(TcpEvent::SegmentSent { seq, len, why })
}

/// ARP, handshake, a request, a response in one super-frame, a damaged segment.
fn play(observer: impl Observer) {
    let mut script = Script { observer, now: START, frames: 0 };
    let request = Event::NeighbourMessage { message: NeighbourMessage::Request, address: OURS.1.into() };
    let get = b"GET / HTTP/1.1\r\nHost: 192.0.2.2\r\n\r\n";
    let response = [&b"HTTP/1.1 200 OK\r\nContent-Length: 2462\r\n\r\n"[..], &[b'x'; 2462]].concat();
    script.received(&arp(true), &[request]);
    script.sent(&arp(false), 14, 0, &[]);
    script.received(
        &tcp(true, 99, 0, "S", b""),
        &[state(TcpState::Listen, TcpState::SynReceived, StateCause::SynReceived)],
    );
    script.sent(&tcp(false, 499, 100, "SA", b""), 54, 0, &[segment(499, 0, SendReason::SynAck)]);
    let established = state(TcpState::SynReceived, TcpState::Established, StateCause::AckOfSyn);
    script.received(&tcp(true, 100, 500, "A", b""), &[established]);
    script.received(&tcp(true, 100, 500, "AP", get), &[told(TcpEvent::Accepted { bytes: get.len() })]);
    let response = tcp(false, 500, 100 + get.len() as u32, "AP", &response);
    script.sent(&response, 54, 1000, &[segment(500, response.len() - 54, SendReason::Data)]);
    let after = 500 + (response.len() - 54) as u32;
    script.received(&tcp(true, 100 + get.len() as u32, after, "A", b""), &[]);
    script.received(
        &tcp(true, 100 + get.len() as u32, after, "FA", b""),
        &[
            Event::Dropped { layer: Layer::Tcp, reason: DropReason::BadTcpChecksum },
            told(TcpEvent::Accepted { bytes: 3 }),
        ],
    );
}

fn captured(options: &Options) -> Vec<u8> {
    let capture = capture::direct(Vec::new(), options).expect("a vector takes everything");
    play(capture.clone());
    capture.finish().expect("a vector takes everything").1.into_inner()
}

fn reproducible() -> Options {
    Options { reproducible: true, ..Options::default() }
}

#[test]
fn equal_runs_write_equal_bytes_and_nothing_of_the_host() {
    let file = captured(&reproducible());
    assert_eq!(file, captured(&reproducible()));
    let text = String::from_utf8_lossy(&file);
    assert!(!text.contains(std::env::consts::ARCH) && !text.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_background_capture_writes_the_same_file() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("background.pcapng");
    let (observer, capture) = capture::Capture::create(&path, &reproducible()).expect("the folder is ours");
    play(observer);
    let summary = capture.finish().expect("the disk takes it");
    assert_eq!((summary.taken, summary.missed), (9, 0));
    assert_eq!(std::fs::read(&path).expect("it was written"), captured(&reproducible()));
    let error = capture::Capture::create("no/such/folder.pcapng".as_ref(), &Options::default()).map(|_| ());
    assert!(error.expect_err("no such folder").to_string().starts_with("cannot create no/such/folder.pcapng: "));
}

#[test]
fn super_frames_are_split_unless_the_truth_is_asked_for() {
    let lengths = |options: &Options| -> Vec<usize> {
        let packets = pcapng::read(&captured(options)[..]).expect("our own file reads");
        packets.iter().map(|packet| packet.bytes.len()).collect()
    };
    assert_eq!(lengths(&reproducible()), [42, 42, 54, 54, 54, 89, 1054, 1054, 557, 54, 54]);
    let truth = Options { offload: true, ..reproducible() };
    assert_eq!(lengths(&truth), [42, 42, 54, 54, 54, 89, 2557, 54, 54]);
}

#[test]
fn wireshark_reads_times_directions_and_comments() {
    let fields = ["frame.time_epoch", "frame.packet_flags_direction", "frame.comment"];
    let Some(rows) = tshark::fields(&captured(&Options::default()), "comments.pcapng", &fields) else { return };
    let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    let [inbound, outbound] = ["0x00000001", "0x00000002"];
    let expected = [
        ["1767323045.123457790", inbound, "ARP request: who has 192.0.2.2?"],
        ["1767323045.123458791", outbound, "sent as it is"],
        ["1767323045.123459792", inbound, "LISTEN -> SYN-RECEIVED: rcv SYN"],
        ["1767323045.123460793", outbound, "SYN-ACK"],
        ["1767323045.123461794", inbound, "SYN-RECEIVED -> ESTABLISHED: rcv ACK of SYN"],
        ["1767323045.123462795", inbound, "35 bytes came in order"],
        ["1767323045.123463796", outbound, "data, 2503 bytes from sequence number 500"],
        ["1767323045.123463796", outbound, "piece 2 of 3 of the super-frame"],
        ["1767323045.123463796", outbound, "piece 3 of 3 of the super-frame"],
        ["1767323045.123464797", inbound, "stripped: Ethernet 14 bytes"],
        ["1767323045.123465798", inbound, "dropped by TCP: checksum wrong,3 bytes came in order"],
    ];
    assert_eq!(rows, expected);
}

#[test]
fn wireshark_finds_nothing_wrong() {
    let fields =
        ["_ws.malformed", "_ws.expert.severity", "_ws.expert.message", "tcp.checksum.status", "ip.checksum.status"];
    let Some(rows) = tshark::fields(&captured(&Options::default()), "clean.pcapng", &fields) else { return };
    assert_eq!(rows.len(), 11);
    for row in &rows {
        let [malformed, severities, message, checksums @ ..] = &row[..] else { panic!("five fields, not {row:?}") };
        assert_eq!(malformed, "", "{row:?}");
        assert!(tshark::worst(severities) < tshark::WARNING, "{message}");
        assert!(checksums.iter().all(|status| tshark::is_good_or_absent(status)), "{row:?}");
    }
}
