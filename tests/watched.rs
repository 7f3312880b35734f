//! A page fetched between two simulated hosts, watched through every view: what Wireshark says of the capture, and
//! that equal runs leave equal files.

mod tshark;

use std::net::SocketAddr;
use std::time::Duration;
use strata::device::fault::{Fault, Spec};
use strata::device::link::{self, Link};
use strata::probe::capture::{self, Options};
use strata::probe::layer_tree::{self, Style};
use strata::probe::{Counters, Fanout, Kind, pcapng};
use strata::runtime::asynchronous::{TcpListener, TcpStream};
use strata::sim::Simulation;
use strata::stack;
use strata::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 192.0.2.2\r\n\r\n";

/// What a run leaves behind.
struct Watched {
    capture: Vec<u8>,
    tree: String,
    counters: Counters,
}

/// A client fetches a page of `len` bytes; the server is watched, and leaves checksums to its device.
fn watched(len: usize, faults: &str) -> Watched {
    let options = Options { reproducible: true, ..Options::default() };
    let capture = capture::direct(Vec::new(), &options).expect("a vector takes everything");
    let tree = layer_tree::direct(Vec::new(), Style::BRIEF);
    let counters = Counters::new();
    let observer = Fanout::new().with(capture.clone()).with(tree.clone()).with(counters.clone()).into_observer();

    let (near, far) = Link::pair(link::Config { delay: Duration::from_millis(1), ..link::Config::default() });
    let spec: Spec = faults.parse().expect("netem's words");
    let mut simulation = Simulation::starting_at(Instant::from_secs(1_767_323_045));
    let config = stack::Config { partial_checksum: true, ..stack::Config::default() };
    let server = simulation.add_host(config, 1, Box::new(Fault::new(near, spec, 7)), observer);
    let addresses = vec!["192.0.2.1/24".parse().expect("a prefix")];
    let config = stack::Config { mac: [2, 0, 0, 0, 0, 1], addresses, ..stack::Config::default() };
    let client = simulation.add_host(config, 2, Box::new(far), None);

    let address: SocketAddr = "192.0.2.2:80".parse().expect("an address");
    let listener = TcpListener::bind(&server, address).expect("the port is free");
    let page = [format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n").as_bytes(), &vec![b'x'; len]].concat();
    let expected = page.clone();
    simulation.spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a client comes");
        let mut request = vec![0; REQUEST.len()];
        connection.read_exact(&mut request).await.expect("a request comes");
        connection.write_all(&page).await.expect("the page goes");
        connection.shutdown().await.expect("the FIN goes");
    });
    let answer = simulation.run(async move {
        let mut connection = TcpStream::connect(&client, address).await?;
        connection.write_all(REQUEST).await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.map(|_| answer)
    });
    assert_eq!(answer.expect("the page comes"), expected);
    simulation.run_for(Duration::from_secs(120));
    drop(simulation);

    let capture = capture.finish().expect("a vector takes everything").1.into_inner();
    let tree = tree.finish().expect("a vector takes everything").1.into_inner();
    Watched { capture, tree: String::from_utf8(tree).expect("the tree is UTF-8"), counters }
}

#[test]
fn wireshark_finds_every_step_and_nothing_wrong() {
    let file = watched(3000, "").capture;
    let fields = ["frame.comment", "_ws.malformed", "_ws.expert.severity", "tcp.checksum.status", "ip.checksum.status"];
    let Some(rows) = tshark::fields(&file, "watched.pcapng", &fields) else { return };
    for row in &rows {
        let [comment, malformed, severities, checksums @ ..] = &row[..] else { panic!("five fields, not {row:?}") };
        assert!(!comment.is_empty() && malformed.is_empty(), "{row:?}");
        assert!(tshark::worst(severities) < tshark::WARNING, "{row:?}");
        assert!(checksums.iter().all(|status| tshark::is_good_or_absent(status)), "{row:?}");
    }
    let comments: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    for step in [
        "ARP request: who has 192.0.2.2?",
        "ARP reply for 192.0.2.2",
        "LISTEN -> SYN-RECEIVED: rcv SYN",
        "SYN-RECEIVED -> ESTABLISHED: rcv ACK of SYN",
        "35 bytes came in order",
        "ESTABLISHED -> FIN-WAIT-1: CLOSE",
        "FIN-WAIT-1 -> FIN-WAIT-2: rcv ACK of FIN",
        "FIN-WAIT-2 -> TIME-WAIT: rcv FIN",
        "ACK of the peer's FIN",
    ] {
        assert!(comments.iter().any(|comment| comment.contains(step)), "no frame says {step:?}:\n{comments:#?}");
    }
}

#[test]
fn loss_is_seen_and_told() {
    let Watched { capture, tree, counters } = watched(200_000, "loss 5%");
    let retransmissions = counters.snapshot().events(Kind::TcpRetransmission);
    assert!(retransmissions > 0);
    let packets = pcapng::read(&capture[..]).expect("our own file reads");
    let told = packets.iter().flat_map(|packet| &packet.comments);
    let told = told.filter(|comment| comment.contains("retransmi")).count() as u64;
    assert!(told >= retransmissions, "{told} of {retransmissions}");
    assert!(tree.contains("fast retransmit: cwnd ") && tree.contains(" judged lost"), "what was found, and the window");
}

#[test]
fn equal_runs_leave_equal_files() {
    let [first, second] = [(); 2].map(|()| watched(50_000, "loss 2% delay 5ms 2ms reorder 3%"));
    assert_eq!(first.capture, second.capture);
    assert_eq!(first.tree, second.tree);
    assert_eq!(first.counters.snapshot(), second.counters.snapshot());
}

#[test]
fn every_view_saw_the_same_frames() {
    let Watched { capture, tree, counters } = watched(3000, "");
    let counted = counters.snapshot();
    let frames = pcapng::read(&capture[..]).expect("our own file reads").len() as u64;
    assert_eq!(frames, counted.frames_in + counted.frames_out);
    let drawn = tree.lines().filter(|line| line.starts_with("-> frame") || line.starts_with("<- frame")).count() as u64;
    assert_eq!(frames, drawn);
}
