//! The same exchange over every way in which checksums and segments can be left to the device, over every kind of
//! fault: what arrives is what was sent, and both sides end alike.

#[path = "support/way.rs"]
mod way;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use strata::device::fault::{Fault, Spec};
use strata::device::link::{Config, Link};
use strata::device::{BIG_TCP, Coalesce, Device, SUPER_FRAME};
use strata::event::{Event, Observer, Record};
use strata::runtime::asynchronous::{TcpListener, TcpStream};
use strata::sim::Simulation;
use strata::stack;
use strata::tcp::Info;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use way::{PLAIN, SOFTWARE, WHOLE, Way};

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 7);
/// The longest of a direction.
const LEN: usize = 400_000;

const WAYS: [Way; 5] = [
    Way { coalesce: true, ..PLAIN },
    Way { segmentation: true, ..PLAIN },
    SOFTWARE,
    Way { coalesce: false, ..WHOLE },
    WHOLE,
];

const FAULTS: [&str; 8] = [
    "none",
    "loss 2%",
    "reorder 20% delay 3ms",
    "duplicate 5%",
    "corrupt 1%",
    "loss 1% delay 3ms 2ms duplicate 1% corrupt 0.5%",
    "rate 20mbit limit 60",
    "loss 3% ecn delay 1ms",
];

fn bytes(salt: u8, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8 ^ salt).collect()
}

/// Counts the super-frames that arrive.
#[derive(Clone, Default)]
struct Trains(Arc<AtomicUsize>);

impl Observer for Trains {
    fn observe(&mut self, record: &Record<'_>) {
        if let Event::FrameReceived { offload, .. } = &record.event
            && offload.segment_size.is_some()
        {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is left of an exchange.
struct Outcome {
    /// How many super-frames the server received.
    trains: usize,
    there: Vec<u8>,
    back: Vec<u8>,
    client: Info,
    server: Info,
}

fn host(
    sim: &mut Simulation,
    last: u8,
    way: Way,
    device: impl Device + 'static,
    trains: &Trains,
) -> strata::runtime::Host {
    let addresses = vec![format!("192.0.2.{last}/24").parse().expect("a prefix")];
    let mut config = way.config(stack::Config { mac: [2, 0, 0, 0, 0, last], addresses, ..stack::Config::default() });
    config.tcp.ecn = strata::tcp::Ecn::RequestAccurate;
    let device: Box<dyn Device> = if way.coalesce { Box::new(Coalesce::new(device)) } else { Box::new(device) };
    sim.add_host(config, last.into(), device, Some(Box::new(trains.clone())))
}

/// The client sends `there` and half-closes, and the server answers with `back`.
fn exchange(way: Way, faults: &str, seed: u64, there: &[u8], back: &[u8]) -> Outcome {
    let spec: Spec = faults.parse().expect("netem's words");
    let delay = Duration::from_millis(5);
    let (left, right) = Link::pair(Config { delay, offload: way.link, ..Config::default() });
    let (mut sim, trains) = (Simulation::new(), Trains::default());
    let client = host(&mut sim, 1, way, Fault::new(left, spec, seed), &Trains::default());
    let server = host(&mut sim, 2, way, right, &trains);
    let listener = TcpListener::bind(&server, SERVER).expect("a free port");
    let (tell, told) = futures::channel::oneshot::channel();
    let answer = back.to_vec();
    sim.spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.expect("the client's data");
        stream.write_all(&answer).await.expect("room");
        stream.shutdown().await.expect("an open stream");
        let _ = tell.send((got, stream));
    });
    let there = there.to_vec();
    let (stream, got_back) = sim.run(async move {
        let mut stream = TcpStream::connect(&client, SERVER).await.expect("a server");
        stream.write_all(&there).await.expect("room");
        stream.shutdown().await.expect("an open stream");
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.expect("the answer");
        (stream, back)
    });
    let (got_there, served) = sim.run(async move { told.await.expect("the server has it all") });
    sim.run_for(Duration::from_secs(300));
    let trains = trains.0.load(Ordering::Relaxed);
    Outcome { trains, there: got_there, back: got_back, client: stream.info(), server: served.info() }
}

/// Every fault, every way: and where nothing goes wrong, nothing is sent twice and every segment counts.
#[test]
fn every_way_of_leaving_work_to_the_device_delivers_the_same() {
    let (there, back) = (bytes(1, LEN), bytes(2, LEN / 2));
    for faults in FAULTS {
        let plain = exchange(PLAIN, faults, 5, &there, &back);
        for way in WAYS {
            let outcome = exchange(way, faults, 5, &there, &back);
            let what = format!("{way:?} with {faults}");
            assert!(outcome.there == there && outcome.back == back, "{what}: byte for byte");
            for (ours, theirs) in [(&outcome.client, &plain.client), (&outcome.server, &plain.server)] {
                assert_eq!((ours.state, ours.bytes_received), (theirs.state, theirs.bytes_received), "{what}");
            }
            if faults == "none" {
                assert_eq!(outcome.trains > 0, way.link || way.coalesce, "{what}: super-frames arrive");
                let (client, server) = (&outcome.client, &outcome.server);
                assert_eq!((client.retransmissions, server.retransmissions), (0, 0), "{what}");
                assert_eq!(client.data_segments_sent, server.data_segments_received, "{what}");
                assert_eq!(server.data_segments_sent, client.data_segments_received, "{what}");
                assert_eq!(server.data_segments_received, plain.server.data_segments_received, "{what}");
            }
        }
    }
}

/// Counts the frames that leave and are longer than an IP header can say.
#[derive(Clone, Default)]
struct Long(Arc<AtomicUsize>);

impl Observer for Long {
    fn observe(&mut self, record: &Record<'_>) {
        if let Event::FrameSent { frame } = &record.event
            && frame.len() > SUPER_FRAME + 14
        {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// On a path so fast that a millisecond holds more than 64 KiB.
#[test]
fn trains_longer_than_ip_can_say_deliver_the_same() {
    let there = bytes(3, 20_000_000);
    for faults in ["none", "loss 0.1%", "reorder 1% delay 50us"] {
        let (left, right) = Link::pair(Config { delay: Duration::from_micros(50), ..Config::default() });
        let (mut sim, long) = (Simulation::new(), Long::default());
        let host = |last: u8| stack::Config {
            mac: [2, 0, 0, 0, 0, last],
            addresses: vec![format!("192.0.2.{last}/24").parse().expect("a prefix")],
            partial_checksum: true,
            segmentation: Some(BIG_TCP),
            ..stack::Config::default()
        };
        let device = Fault::new(left, faults.parse::<Spec>().expect("netem's words"), 9);
        let client = sim.add_host(host(1), 1, Box::new(device), Some(Box::new(long.clone())));
        let server = sim.add_host(host(2), 2, Box::new(Coalesce::new(right)), None);
        let listener = TcpListener::bind(&server, SERVER).expect("a free port");
        let data = there.clone();
        sim.spawn(async move {
            let mut stream = TcpStream::connect(&client, SERVER).await.expect("a server");
            stream.write_all(&data).await.expect("room");
            stream.shutdown().await.expect("an open stream");
            assert_eq!(stream.info().retransmissions > 0, faults == "loss 0.1%", "{faults}");
        });
        let got = sim.run(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut got = Vec::new();
            stream.read_to_end(&mut got).await.expect("the client's data");
            got
        });
        assert!(got == there, "{faults}: byte for byte");
        assert!(long.0.load(Ordering::Relaxed) > 20, "{faults}: {} long frames", long.0.load(Ordering::Relaxed));
    }
}
