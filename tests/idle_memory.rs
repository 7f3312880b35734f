//! What a connection costs that does nothing: counted by the allocator, everything included.

#[path = "support/counting.rs"]
mod counting;
#[path = "support/crowd.rs"]
mod crowd;

use crowd::Crowd;
use std::ops::Range;
use std::time::Duration;
use strata::tcp::congestion::Algorithm;

const COUNT: usize = 2000;
/// The first ones fill what a host keeps for all of its connections together: its pool of buffers, its queues.
const BEFORE: usize = 1000;
/// Bytes.
const LIMIT: usize = 512;

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
    for algorithm in Algorithm::ALL {
        let each = cost(*algorithm);
        println!("{algorithm}: {each} bytes");
        assert!(each <= LIMIT, "{algorithm}: {each} bytes");
    }
}
