use super::*;
use crate::probe::{capture, pcapng};
use crate::random::Random;
use crate::sim::script::{self, Options, Outcome};

const DEMO: &[u8] = include_bytes!("../../../../pcaps/demo.pcapng");

fn frames(bytes: &[u8]) -> Vec<Captured> {
    pcapng::read(bytes).expect("a capture that can be read")
}

fn run(text: &str) -> Outcome {
    let script = script::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    script::run(&script, &Options::default(), None)
}

/// The capture of a script that passes.
fn captured(text: &str) -> Vec<Captured> {
    let script = script::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let about = capture::Options { reproducible: true, ..capture::Options::default() };
    let recording = capture::direct(Vec::new(), &about).expect("a capture in memory");
    let outcome = script::run(&script, &Options::default(), Some(Box::new(recording.clone())));
    assert_eq!(outcome, Outcome::Passed, "{text}");
    let (_, bytes) = recording.finish().expect("a capture in memory");
    frames(&bytes.into_inner())
}

#[test]
fn the_demonstration_becomes_a_script_that_passes() {
    let text = record(&frames(DEMO), "demo.pcapng", &Choice::default()).expect("a connection");
    assert_eq!(run(&text), Outcome::Passed, "{text}");
    assert!(!text.contains("--relaxed") && !text.contains("--profile"), "it is known as ours\n{text}");
    for line in [
        "// Recorded from demo.pcapng: the connection 192.0.2.1:51864 > 192.0.2.2:80, 12 of 16 frames.",
        "// The stack is 192.0.2.2:80, the side that answered. Left out: 4 ARP; the content of the data.",
        "+0 listen(3, 1) = 0",
        "+0 accept(3, ..., ...) = 4",
        "+0 read(4, ..., 79) = 79",
        "+0 write(4, ..., 5358) = 5358",
        "+0 > P. 4345:5359(1014) ack 80 win 2048 <nop,nop,TS val 1000 ecr 1000>",
        "+0 close(4) = 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    // What the stack does otherwise than the capture has it is found.
    let changed = text.replace("P. 4345:5359(1014)", "P. 4345:5360(1015)");
    assert!(matches!(run(&changed), Outcome::Failed { .. }), "{changed}");
}

const SERVER: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n\
    +0 < S 7:7(0) win 30000 <mss 1000>\n+0 > S. 0:0(0) ack 8 win 65535 <mss 1460>\n\
    +.1 < . 8:8(0) ack 1 win 30000\n+0 accept(3, ..., ...) = 4\n";

const CLIENT: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n\
    +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n+0 connect(3, ..., ...) = -1 EINPROGRESS\n+0 > S 0:0(0) <...>\n";

/// Events of a server or client, and calls that must be deduced from what is seen of them.
const STORIES: &[(&str, &str, &[&str])] = &[
    (
        SERVER,
        "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n+0 write(4, ..., 300) = 300\n+0 > P. 1:301(300) ack 8\n\
         +.01 write(4, ..., 200) = 200\n+0 > P. 301:501(200) ack 8\n+.1 < . 8:8(0) ack 501 win 30000",
        &["setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0", "write(4, ..., 300) = 300", "write(4, ..., 200) = 200"],
    ),
    (
        SERVER,
        "+0 < F. 8:8(0) ack 1 win 30000\n+0 > . 1:1(0) ack 9\n+.1 write(4, ..., 2500) = 2500\n\
         +0 > P. 1:2501(2500) ack 9\n+.1 < . 9:9(0) ack 2501 win 30000\n+.1 close(4) = 0\n+0 > F. 2501:2501(0) ack 9\n\
         +.1 < . 9:9(0) ack 2502 win 30000",
        &["read(4, ..., 1000) = 0", "write(4, ..., 2500) = 2500", "close(4) = 0"],
    ),
    (
        SERVER,
        "+0 shutdown(4, SHUT_WR) = 0\n+0 > F. 1:1(0) ack 8\n+.1 < P. 8:58(50) ack 2 win 30000\n\
         +.04 > . 2:2(0) ack 58\n+0 read(4, ..., 100) = 50",
        &["shutdown(4, SHUT_WR) = 0", "read(4, ..., 50) = 50"],
    ),
    (
        SERVER,
        "+0 send(4, ..., 400, MSG_MORE) = 400\n+.01 close(4) = 0\n+0 > F. 1:401(400) ack 8\n\
         +.1 < . 8:8(0) ack 402 win 30000",
        &["send(4, ..., 400, MSG_MORE) = 400", "close(4) = 0"],
    ),
    (
        SERVER,
        "+0 setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = 0\n+0 write(4, ..., 400) = 400\n+.01 close(4) = 0\n\
         +0 > FP. 1:401(400) ack 8\n+.1 < . 8:8(0) ack 402 win 30000",
        &["setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = 0", "write(4, ..., 400) = 400", "close(4) = 0"],
    ),
    (
        SERVER,
        "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0\n+.2 close(4) = 0\n+0 > R. 1:1(0) ack 8",
        &["setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0", "close(4) = 0"],
    ),
    (
        SERVER,
        // Out of order, doubled, and in order at last; lost and sent again.
        "+0 < P. 108:208(100) ack 1 win 30000\n+0 > . 1:1(0) ack 8\n+.1 < . 8:108(100) ack 1 win 30000\n\
         +0 > . 1:1(0) ack 208\n+0 read(4, ..., 1000) = 200\n+0 < . 8:108(100) ack 1 win 30000\n+0 > . 1:1(0) ack 208\n\
         +0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 208\n+.2~+2 > P. 1:101(100) ack 208",
        &["read(4, ..., 200) = 200", "write(4, ..., 100) = 100"],
    ),
    (
        CLIENT,
        "+.1 < S. 5:5(0) ack 1 win 30000 <mss 1000>\n+0 > . 1:1(0) ack 6\n+0 write(3, ..., 10) = 10\n\
         +0 > P. 1:11(10) ack 6\n+.1 < R 6:6(0) win 0",
        &["connect(3, ..., ...) = -1 EINPROGRESS", "SO_ERROR, [0], [4]) = 0", "write(3, ..., 10) = 10"],
    ),
    (CLIENT, "+.1 < R. 0:0(0) ack 1 win 0", &["getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0"]),
    ("", "0 < S 99:99(0) win 1000\n+0 > R. 0:0(0) ack 100", &[]),
    (
        "--mtu=576\n`sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_timestamps=0`\n",
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n\
         +0 < S 7:7(0) win 30000 <mss 1000,sackOK,TS val 5 ecr 0,nop,wscale 3>\n\
         +0 > S. 0:0(0) ack 8 <mss 536,nop,wscale 8>",
        &["--mtu=576", "`sysctl -q net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0`"],
    ),
];

#[test]
fn what_the_program_did_is_deduced_and_leads_to_the_same_segments() {
    for (head, story, expected) in STORIES {
        let frames = captured(&format!("{head}{story}"));
        let local = if *head == CLIENT { Some(End { address: [192, 168, 0, 1].into(), port: None }) } else { None };
        let text = record(&frames, "a story", &Choice { local, flow: None }).expect("a connection");
        assert_eq!(run(&text), Outcome::Passed, "{story}\n{text}");
        for call in *expected {
            assert!(text.contains(call), "{call}\n{text}");
        }
        let ours = |text: &str| text.lines().filter(|line| line.contains(" > ") && !line.starts_with("//")).count();
        assert!(ours(&text) > 0 && ours(&text) >= story.lines().filter(|line| line.contains(" > ")).count(), "{text}");
    }
}

#[test]
fn data_is_read_when_the_window_is_seen_to_open_again() {
    let events = "+0 < P. 8:5008(5000) ack 1 win 30000\n+0~+.1 > . 1:1(0) ack 5008 win 0\n\
        +1 read(4, ..., 5000) = 5000\n+0 > . 1:1(0) ack 5008 win 5000";
    let small = SERVER.replace("+0 bind", "+0 setsockopt(3, SOL_SOCKET, SO_RCVBUF, [5000], 4) = 0\n+0 bind");
    let frames = captured(&format!("{}{events}", small.replace("win 65535", "win 5000")));
    let text = record(&frames, "x", &Choice::default()).expect("a connection");
    let place = |what: &str| text.lines().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{text}"));
    let (shut, read, open) = (place("ack 5001 win 0"), place("read(4, ..., 5000)"), place("ack 5001 win 5000"));
    assert!(shut < read && read + 1 == open, "{text}");
    // A window of its own size is a sign of another stack.
    assert!(text.contains("--relaxed"), "{text}");
}

#[test]
fn connections_are_chosen_by_number_and_by_their_ends() {
    let mut frames = frames(DEMO);
    // The same once more from another port.
    let mut second = frames.clone();
    for frame in &mut second {
        let ports = if frame.bytes[23] == 6 && frame.bytes[12] == 8 { 34..36 } else { 0..0 };
        let from_client = frame.bytes.get(29) == Some(&1);
        let at = if from_client { ports.start } else { ports.start + 2 };
        if !ports.is_empty() {
            frame.bytes[at..at + 2].copy_from_slice(&4_000u16.to_be_bytes());
        }
    }
    frames.append(&mut second);
    let with = |flow: &str| Choice { flow: Some(flow.parse().expect("a flow")), local: None };
    for (flow, connection) in [
        ("1", "192.0.2.1:51864 > 192.0.2.2:80"),
        ("192.0.2.2", "192.0.2.1:51864 > 192.0.2.2:80"),
        ("2", "192.0.2.1:4000 > 192.0.2.2:80"),
        ("192.0.2.1:4000", "192.0.2.1:4000 > 192.0.2.2:80"),
    ] {
        let text = record(&frames, "x", &with(flow)).unwrap_or_else(|error| panic!("{flow}: {error}"));
        assert!(text.contains(&format!("the connection {connection}, 12 of 32 frames")), "{text}");
        assert!(text.contains("8 ARP, 12 of other connections"), "{text}");
        assert_eq!(run(&text), Outcome::Passed);
    }
    let not_there = record(&frames, "x", &with("3")).expect_err("there are two");
    assert!(not_there.to_string().contains("192.0.2.1:4000 > 192.0.2.2:80"), "{not_there}");
    let elsewhere = Choice { local: Some("10.0.0.1".parse().expect("an end")), flow: None };
    assert!(matches!(record(&frames, "x", &elsewhere), Err(RecordError::NotAnEnd { .. })));
    let arp: Vec<Captured> = frames.into_iter().take(4).collect();
    let nothing = record(&arp, "x", &Choice::default()).expect_err("no connection").to_string();
    assert!(nothing.ends_with("(left out: 4 ARP)"), "{nothing}");
    for wrong in ["0", "", "x", "192.0.2.1:", "1.2.3"] {
        assert!(wrong.parse::<Flow>().is_err(), "{wrong:?}");
    }
}

#[test]
fn captures_of_other_links_and_cut_frames_are_as_good() {
    let whole = record(&frames(DEMO), "x", &Choice::default()).expect("a connection");
    let behind_comments =
        |text: &str| text.lines().filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join("\n");
    let heads: [(u16, &[u8]); 4] = [
        (101, &[]),
        (0, &[2, 0, 0, 0]),
        (113, &[0; 16]),
        (276, &[8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (link_type, head) in heads {
        let mut frames = frames(DEMO);
        frames.retain(|frame| frame.bytes[12..14] == [8, 0]);
        for frame in &mut frames {
            let mut bytes = head.to_vec();
            if link_type == 113 {
                bytes[14..].copy_from_slice(&[8, 0]);
            }
            bytes.extend_from_slice(&frame.bytes[14..]);
            frame.original_len = bytes.len() as u32;
            bytes.truncate(head.len() + 60);
            (frame.bytes, frame.link_type) = (bytes, link_type);
        }
        let text = record(&frames, "x", &Choice::default()).expect("a connection");
        assert_eq!(behind_comments(&text), behind_comments(&whole), "link type {link_type}");
    }
}

#[test]
fn unknown_options_are_left_open_or_blanked() {
    let mut frames = frames(DEMO);
    // The window scale of both SYNs becomes an option that nobody knows.
    for frame in frames.iter_mut().filter(|frame| frame.bytes.len() == 74) {
        frame.bytes[71] = 99;
    }
    let text = record(&frames, "x", &Choice::default()).expect("a connection");
    assert!(text.contains("< S 0:0(0) win 65535 <mss 1460,sackOK,TS val 1000 ecr 0,nop,nop,nop,nop>"), "{text}");
    assert!(text.contains("> S. 0:0(0) ack 1 win 65535 <...>"), "{text}");
    script::parse(&text).expect("a script");
}

#[test]
fn damaged_captures_give_a_script_or_an_error() {
    let mut random = Random::new(5);
    for _ in 0..2_000 {
        let mut frames = frames(DEMO);
        for _ in 0..1 + random.below(8) {
            let frame = random.below(frames.len() as u64) as usize;
            let bytes = &mut frames[frame].bytes;
            match random.below(if bytes.is_empty() { 2 } else { 4 }) {
                0 => bytes.truncate(random.below(100) as usize),
                1 => {
                    frames.swap_remove(frame);
                }
                _ => {
                    let at = random.below(bytes.len().min(80) as u64) as usize;
                    bytes[at] = random.below(256) as u8;
                }
            }
            if frames.is_empty() {
                break;
            }
        }
        if let Ok(text) = record(&frames, "x", &Choice::default()) {
            let script = script::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let _may_fail = script::run(&script, &Options::default(), None);
        }
    }
}
