//! What a connection costs that does nothing: counted by the allocator, everything included.

#[path = "support/counting.rs"]
mod counting;
#[path = "support/crowd.rs"]
mod crowd;

use crowd::Crowd;
use futures::future::join_all;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Waker};
use std::time::Duration;
use strata::device::link::{self, Link};
use strata::runtime::Host;
use strata::runtime::asynchronous::{TcpListener, TcpStream};
use strata::sim::Simulation;
use strata::stack;
use strata::tcp::congestion::Algorithm;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

const COUNT: usize = 2000;
/// The first ones fill what a host keeps for all of its connections together: its pool of buffers, its queues.
const BEFORE: usize = 1000;
/// Bytes.
const LIMIT: usize = 512;
/// Connections that are opened or used at a time.
const BATCH: usize = 100;

/// The allocator counts for the whole process: one measurement at a time.
static MEASURING: Mutex<()> = Mutex::new(());

/// Bytes for each end of each connection, after three exchanges and a rest.
fn cost(algorithm: Algorithm) -> usize {
    let mut crowd = Crowd::with(BEFORE + COUNT, |config| config.tcp.congestion = algorithm);
    open_and_rest(&mut crowd, 0..BEFORE);
    let before = counting::held();
    open_and_rest(&mut crowd, BEFORE..BEFORE + COUNT);
    let each = (counting::held() - before) / (2 * COUNT);
    // They are still there.
    crowd.ask(0..BEFORE + COUNT);
    assert_eq!(crowd.server.tcp_usage().resting, 0);
    each
}

fn open_and_rest(crowd: &mut Crowd, which: Range<usize>) {
    crowd.open(which.end);
    for _ in 0..3 {
        crowd.ask(which.clone());
        crowd.rest(Duration::from_millis(700));
    }
    crowd.rest(Duration::from_secs(10));
    for stack in [&crowd.client, &crowd.server] {
        let usage = stack.tcp_usage();
        assert_eq!((usage.connections, usage.resting, usage.memory), (which.end, which.end, 0));
    }
}

#[test]
fn an_idle_connection_takes_at_most_512_bytes_in_all() {
    let _alone = MEASURING.lock();
    for algorithm in Algorithm::ALL {
        let each = cost(*algorithm);
        println!("{algorithm}: {each} bytes");
        assert!(each <= LIMIT, "{algorithm}: {each} bytes");
    }
}

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 80);

/// Two hosts with asynchronous sockets, and the two ends of each connection between them.
struct Runtime {
    sim: Simulation,
    client: Host,
    server: Host,
    ends: Ends,
}

struct Ends {
    listener: TcpListener,
    asking: Vec<TcpStream>,
    answering: Vec<TcpStream>,
}

impl Runtime {
    fn new(algorithm: Algorithm) -> Runtime {
        let mut sim = Simulation::new();
        let delay = Duration::from_millis(5);
        let (left, right) = Link::pair(link::Config { delay, ..link::Config::default() });
        let mut host = |last: u8, link| {
            let addresses = vec![format!("192.0.2.{last}/24").parse().expect("a prefix")];
            let mut config = stack::Config { mac: [2, 0, 0, 0, 0, last], addresses, ..stack::Config::default() };
            config.tcp.congestion = algorithm;
            sim.add_host(config, last.into(), Box::new(link), None)
        };
        let (client, server) = (host(1, left), host(2, right));
        let listener = TcpListener::bind(&server, SERVER).expect("a free port");
        // Room for all handles, so that what is counted is what stands behind them.
        let [asking, answering] = [(); 2].map(|()| Vec::with_capacity(BEFORE + COUNT));
        Runtime { sim, client, server, ends: Ends { listener, asking, answering } }
    }

    /// `count` connections more, a few exchanges on each, and then their readers wait.
    fn open(mut self, count: usize) -> Runtime {
        let (first, client) = (self.ends.asking.len(), self.client.clone());
        for _ in 0..count / BATCH {
            let (client, mut ends) = (client.clone(), self.ends);
            self.ends = self.sim.run(async move {
                for stream in join_all((0..BATCH).map(|_| TcpStream::connect(&client, SERVER))).await {
                    ends.asking.push(stream.expect("a server"));
                    ends.answering.push(ends.listener.accept().await.expect("a connection").0);
                }
                ends
            });
        }
        for _ in 0..3 {
            self = self.exchange(first);
            self.sim.run_for(Duration::from_millis(700));
        }
        self.sim.run_for(Duration::from_secs(10));
        let Ends { asking, answering, .. } = &mut self.ends;
        asking[first..].iter_mut().chain(&mut answering[first..]).for_each(wait_for_data);
        self
    }

    /// A question and its answer on each connection from there on.
    fn exchange(mut self, first: usize) -> Runtime {
        let mut ends = self.ends;
        self.ends = self.sim.run(async move {
            let mut bytes = [0; 1100];
            for at in (first..ends.asking.len()).step_by(BATCH) {
                for stream in &mut ends.asking[at..at + BATCH] {
                    stream.write_all(&bytes[..120]).await.expect("room");
                }
                for stream in &mut ends.answering[at..at + BATCH] {
                    stream.read_exact(&mut bytes[..120]).await.expect("the question");
                    stream.write_all(&bytes).await.expect("room");
                }
                for stream in &mut ends.asking[at..at + BATCH] {
                    stream.read_exact(&mut bytes).await.expect("the answer");
                }
            }
            ends
        });
        self
    }
}

/// Leaves a waker with a connection on which nothing has come, as a task does that reads.
fn wait_for_data(stream: &mut TcpStream) {
    let mut bytes = [0; 1];
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(stream).poll_read(&mut context, &mut ReadBuf::new(&mut bytes)).is_pending());
}

/// What an executor holds for a task is its own; the task in `Waker::noop` holds nothing.
#[test]
fn an_idle_connection_with_a_reader_that_waits_takes_at_most_512_bytes_in_all() {
    let _alone = MEASURING.lock();
    for algorithm in Algorithm::ALL {
        let runtime = Runtime::new(*algorithm).open(BEFORE);
        let before = counting::held();
        let runtime = runtime.open(COUNT);
        // The room for the handles themselves was there before.
        let each = (counting::held() - before) / (2 * COUNT) + size_of::<TcpStream>();
        println!("{algorithm}: {each} bytes with a reader that waits");
        for host in [&runtime.client, &runtime.server] {
            let usage = host.tcp_usage();
            assert_eq!((usage.connections, usage.resting, usage.memory), (BEFORE + COUNT, BEFORE + COUNT, 0));
        }
        assert!(each <= LIMIT, "{algorithm}: {each} bytes with a reader that waits");
        // They are still there, and hear.
        runtime.exchange(0);
    }
}
