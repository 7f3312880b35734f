//! In the steady state of a transfer the stack asks nobody for memory: what one segment needed the next one takes over,
//! and short datagrams share what they need.
//!
//! Two things remain: a ring of more than 256 KiB is not kept for others, and on the side that sends the scoreboard's
//! tree asks for a node for every five to eleven entries. Where frames carry many segments an entry is a whole frame.

#[path = "support/counting.rs"]
mod counting;
mod support;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;
use strata::stack::{Stack, TcpId};
use strata::tcp::Config;
use support::{Pair, SERVER, received};

const DELAY: Duration = Duration::from_millis(2);

/// Requests for memory of one side, and the segments that it sent and received meanwhile.
#[derive(Clone, Copy, Default, Debug)]
struct Count {
    requests: usize,
    segments: usize,
}

struct Transfer {
    pair: Pair,
    client: TcpId,
    server: TcpId,
    /// Frames on their way, from the client and from the server.
    ways: [VecDeque<Vec<u8>>; 2],
    counts: [Count; 2],
    buffer: Vec<u8>,
}

/// Does something to a stack and counts what that asks for.
fn counted<T>(count: &mut Count, act: impl FnOnce() -> T) -> T {
    let before = counting::requests();
    let result = act();
    count.requests += counting::requests() - before;
    result
}

impl Transfer {
    fn new() -> Transfer {
        let mut pair = Pair::new(3);
        let listener = pair.server.tcp_listen(SERVER, 8, Config::default()).expect("a free port");
        let client = pair.client.tcp_connect(pair.now, SERVER, None, Config::default()).expect("a route");
        pair.settle();
        let server = pair.server.tcp_accept(listener).expect("a connection");
        let (ways, counts) = (Default::default(), Default::default());
        Transfer { pair, client, server, ways, counts, buffer: vec![7; 1 << 20] }
    }

    /// The client writes as much as it may and the server reads all there is; a delay later the frames have arrived.
    fn turn(&mut self) {
        let (pair, buffer) = (&mut self.pair, &mut self.buffer);
        counted(&mut self.counts[0], || while pair.client.tcp_send(pair.now, self.client, buffer).is_ok() {});
        counted(&mut self.counts[1], || while pair.server.tcp_receive(self.server, buffer).is_ok() {});
        for (stack, (way, count)) in
            [&mut pair.client, &mut pair.server].into_iter().zip(self.ways.iter_mut().zip(&mut self.counts))
        {
            send_all(stack, pair.now, way, count);
        }
        pair.now += DELAY;
        let [from_client, from_server] = &mut self.ways;
        for (stack, (way, count)) in [&mut pair.server, &mut pair.client]
            .into_iter()
            .zip([from_client, from_server].into_iter().zip(self.counts.iter_mut().rev()))
        {
            for bytes in way.drain(..) {
                count.segments += 1;
                counted(count, || stack.handle_frame(pair.now, received(&bytes)));
            }
            counted(count, || while stack.poll_wakeup().is_some() {});
            if stack.next_deadline().is_some_and(|at| at <= pair.now) {
                counted(count, || stack.handle_timeout(pair.now));
            }
        }
    }
}

fn send_all(stack: &mut Stack, now: strata::time::Instant, way: &mut VecDeque<Vec<u8>>, count: &mut Count) {
    while let Some(frame) = counted(count, || stack.poll_transmit(now)) {
        count.segments += 1;
        way.push_back(frame.to_vec());
        counted(count, || drop(frame));
    }
}

/// In a thousand segments, of the side that sends and of the one that receives.
const REQUESTS: [usize; 2] = [200, 5];

/// What one test asks for must not count for another.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_bulk_transfer_asks_for_no_memory_for_its_segments() {
    let _alone = ALONE.lock();
    let mut transfer = Transfer::new();
    (0..300).for_each(|_| transfer.turn());
    transfer.counts = Default::default();
    (0..300).for_each(|_| transfer.turn());
    for (limit, Count { requests, segments }) in REQUESTS.into_iter().zip(transfer.counts) {
        println!("{requests} requests for memory, {segments} segments");
        assert!(segments > 10_000, "{segments} segments");
        assert!(requests * 1000 <= limit * segments, "{requests} requests for memory in {segments} segments");
    }
}

/// How many datagrams come at once, and how often memory may be asked for in a thousand of them: the copies of 32 of them
/// and of their echoes fill a chunk, which takes two requests unless nobody holds the last one any more.
const DATAGRAMS: [(usize, usize); 3] = [(1, 0), (16, 63), (64, 63)];

#[test]
fn short_datagrams_and_their_echoes_share_memory() {
    let _alone = ALONE.lock();
    for (batch, limit) in DATAGRAMS {
        let mut pair = Pair::new(3);
        let server = pair.server.udp_bind(SERVER).expect("a free port");
        let client = pair.client.udp_bind(SocketAddr::from(([0, 0, 0, 0], 0))).expect("a free port");
        pair.client.udp_connect(client, SERVER).expect("a route");
        pair.client.udp_send(pair.now, client, None, b"first").expect("room");
        pair.settle();
        let (mut count, mut way, mut echoes) = (Count::default(), VecDeque::new(), 0);
        for turn in 0..400 {
            if turn == 200 {
                (count, echoes) = (Count::default(), 0);
            }
            for _ in 0..batch {
                pair.client.udp_send(pair.now, client, None, &[7; 32]).expect("room");
            }
            send_all(&mut pair.client, pair.now, &mut way, &mut Count::default());
            for bytes in way.drain(..) {
                counted(&mut count, || pair.server.handle_frame(pair.now, received(&bytes)));
            }
            counted(&mut count, || {
                while pair.server.poll_wakeup().is_some() {}
                let mut data = [0; 32];
                while let Ok((len, from)) = pair.server.udp_receive(server, &mut data) {
                    pair.server.udp_send(pair.now, server, Some(from), &data[..len]).expect("room");
                    echoes += 1;
                }
            });
            send_all(&mut pair.server, pair.now, &mut way, &mut count);
            way.clear();
        }
        let Count { requests, segments } = count;
        println!("{requests} requests for memory, {echoes} echoes, {batch} at once");
        assert_eq!((echoes, segments), (200 * batch, 200 * batch));
        assert!(requests * 1000 <= limit * echoes, "{requests} requests for memory in {echoes} echoes");
    }
}
