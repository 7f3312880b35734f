//! Stories of two hosts on one link.

use super::*;
use crate::device::fault::{Fault, Spec};
use crate::device::link::{Config as LinkConfig, Link};
use crate::event::{Event, Record};
use crate::runtime::asynchronous::{TcpListener, TcpStream, UdpSocket};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Frames = Vec<(Instant, Vec<u8>)>;

/// Every frame that a host sent or received, with its time.
#[derive(Clone, Default)]
struct Wiretap(Arc<Mutex<Frames>>);

impl Observer for Wiretap {
    fn observe(&mut self, record: &Record<'_>) {
        let bytes = match &record.event {
            Event::FrameReceived { bytes, .. } => bytes.to_vec(),
            Event::FrameSent { frame } => frame.to_vec(),
            _ => return,
        };
        self.0.lock().expect("nobody panics").push((record.at, bytes));
    }
}

fn config(last: u8) -> stack::Config {
    let addresses = vec![format!("192.0.2.{last}/24").parse().expect("a prefix")];
    stack::Config { mac: [2, 0, 0, 0, 0, last], addresses, ..stack::Config::default() }
}

/// Two hosts, 192.0.2.1 and 192.0.2.2, whose link does what `faults` says.
struct Pair {
    sim: Simulation,
    left: Host,
    right: Host,
    tap: Wiretap,
}

fn pair(seed: u64, faults: &str) -> Pair {
    let (left, right) = Link::pair(LinkConfig { delay: Duration::from_millis(1), ..LinkConfig::default() });
    let left = Fault::new(left, faults.parse::<Spec>().expect("netem's words"), seed);
    let (mut sim, tap) = (Simulation::new(), Wiretap::default());
    let left = sim.add_host(config(1), seed, Box::new(left), None);
    let right = sim.add_host(config(2), seed + 1, Box::new(right), Some(Box::new(tap.clone())));
    Pair { sim, left, right, tap }
}

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 7);

/// An echo server on the right, and `len` bytes there and back from the left.
fn echo(pair: &mut Pair, len: usize) -> Vec<u8> {
    let listener = TcpListener::bind(&pair.right, SERVER).expect("a free port");
    pair.sim.spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut echo = stream.handle();
        tokio::io::copy(&mut stream, &mut echo).await.expect("echo");
        echo.shutdown().await.expect("FIN");
    });
    let (host, data) = (pair.left.clone(), pattern(len));
    pair.sim.run(async move {
        let mut stream = TcpStream::connect(&host, SERVER).await.expect("a connection");
        let mut writer = stream.handle();
        let write = async move {
            writer.write_all(&data).await?;
            writer.shutdown().await
        };
        let mut back = Vec::new();
        let (written, read) = futures::future::join(write, stream.read_to_end(&mut back)).await;
        written.and(read.map(drop)).expect("the bytes go there and back");
        back
    })
}

fn pattern(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    crate::random::Random::new(99).fill(&mut bytes);
    bytes
}

#[test]
fn sleepers_wake_in_the_order_of_their_times() {
    let mut sim = Simulation::new();
    let (time, woken) = (sim.time(), Rc::new(RefCell::new(Vec::new())));
    for millis in [30, 10, 20, 10] {
        let (time, woken) = (time.clone(), woken.clone());
        sim.spawn(async move {
            time.sleep(Duration::from_millis(millis)).await;
            woken.borrow_mut().push((millis, time.now()));
        });
    }
    sim.run_for(Duration::from_millis(25));
    assert_eq!(*woken.borrow(), [10, 10, 20].map(|millis| (millis, Instant::from_millis(millis))));
    assert_eq!(sim.now(), Instant::from_millis(25));
    assert_eq!(sim.run_until(Duration::from_secs(1), || woken.borrow().len() == 4), Ok(()));
    let at = Instant::from_millis(30);
    assert_eq!(sim.run_until(Duration::from_secs(1), || false), Err(Stopped::NothingLeft { at }));
}

#[test]
fn bytes_come_back_over_a_clean_link() {
    let mut pair = pair(1, "");
    assert!(echo(&mut pair, 300_000) == pattern(300_000));
    assert!(pair.sim.now() < Instant::from_secs(2), "took until {}", pair.sim.now());
}

#[test]
fn bytes_come_back_over_a_bad_link() {
    let mut pair = pair(2, "loss 5% reorder 5% duplicate 2% corrupt 1% delay 5ms 2ms");
    assert!(echo(&mut pair, 300_000) == pattern(300_000));
}

#[test]
fn same_seed_gives_the_same_frames_at_the_same_times() {
    let run = |seed| {
        let mut pair = pair(seed, "loss 3% delay 2ms 1ms");
        echo(&mut pair, 100_000);
        std::mem::take(&mut *pair.tap.0.lock().expect("nobody panics"))
    };
    let (first, second, other) = (run(7), run(7), run(8));
    assert!(first.len() > 100, "{} frames", first.len());
    assert!(first == second, "the same seed, and yet other frames");
    assert!(first != other, "another seed, and yet the same frames");
}

#[test]
fn connecting_to_a_closed_port_is_refused() {
    let mut pair = pair(3, "");
    let host = pair.left.clone();
    let error =
        pair.sim.run(async move { TcpStream::connect(&host, SERVER).await.map(drop) }).expect_err("no listener");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{error}");
    assert!(error.to_string().contains("192.0.2.2:7"), "{error}");
}

#[test]
fn datagrams_go_there_and_back() {
    let mut pair = pair(4, "");
    let server = UdpSocket::bind(&pair.right, SERVER).expect("a free port");
    pair.sim.spawn(async move {
        let mut buffer = [0; 100];
        let (len, from) = server.recv_from(&mut buffer).await.expect("a datagram");
        server.send_to(&buffer[..len], from).await.expect("sent");
    });
    let client = UdpSocket::bind(&pair.left, "0.0.0.0:0".parse().expect("an address")).expect("a free port");
    let back = pair.sim.run(async move {
        client.connect(SERVER).expect("a peer");
        client.send(b"there and back").await.expect("sent");
        let mut buffer = [0; 100];
        let len = client.recv(&mut buffer).await.expect("a datagram");
        buffer[..len].to_vec()
    });
    assert_eq!(back, b"there and back");
}

// RFC 7413 §1
#[test]
fn the_answer_to_a_request_in_a_syn_takes_one_round_trip_instead_of_two() {
    let mut pair = pair(5, "");
    let listener = TcpListener::bind_with(&pair.right, SERVER, 8, |config| config.fast_open_queue = 8);
    let listener = listener.expect("a free port");
    pair.sim.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.read_exact(&mut [0; 7]).await.expect("a request");
            stream.write_all(b"an answer").await.expect("room");
        }
    });
    let (host, time) = (pair.left.clone(), pair.sim.time());
    let waited = pair.sim.run(async move {
        let mut waited = Vec::new();
        for _ in 0..3 {
            let before = time.now();
            let (mut stream, taken) =
                TcpStream::connect_with_data(&host, SERVER, b"request").await.expect("a connection");
            stream.read_exact(&mut [0; 9]).await.expect("the answer");
            assert_eq!(taken, 7);
            waited.push(time.now().since(before));
        }
        waited
    });
    let round_trip = Duration::from_millis(2);
    assert!(waited[0] >= 2 * round_trip, "{waited:?}");
    assert_eq!(waited[1..], [round_trip; 2], "{waited:?}");
}

#[test]
fn trains_of_datagrams_arrive_as_they_were_sent_with_offloads_and_without() {
    for offload in [false, true] {
        let (left, right) = Link::pair(LinkConfig { offload, ..LinkConfig::default() });
        let mut sim = Simulation::new();
        let left = sim.add_host(config(1), 1, Box::new(left), None);
        let right = sim.add_host(config(2), 2, Box::new(right), None);
        let server = UdpSocket::bind(&right, SERVER).expect("a free port");
        let client = UdpSocket::bind(&left, "192.0.2.1:5000".parse().expect("an address")).expect("a free port");
        let data: Vec<u8> = (0..20_500u32).map(|i| (i * 7 + i / 251) as u8).collect();
        let sent = data.clone();
        let (first, rest) = sim.run(async move {
            client.send_segments_to(&sent, 1000, SERVER).await.expect("room");
            let mut buffer = vec![0; 65_535];
            let (len, _) = server.recv_from(&mut buffer).await.expect("a datagram");
            let first = buffer[..len].to_vec();
            let mut rest = Vec::new();
            while rest.len() < sent.len() - len {
                let train = server.recv_segments_from(&mut buffer).await.expect("a train");
                assert_eq!((train.segment_size, train.from.port()), (1000, 5000));
                rest.extend_from_slice(&buffer[..train.len]);
            }
            (first, rest)
        });
        assert_eq!((first.as_slice(), rest.as_slice()), data.split_at(1000), "with offloads: {offload}");
    }
}
