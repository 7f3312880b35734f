//! A connection for each request: opened, used once, closed by the server.

use super::Work;
use crate::support::client::{BODY, fetch_once};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Thousands of connections a second, from so many clients at once.
pub fn churn(server: Ipv4Addr, clients: usize, span: Duration) -> Work {
    let start = Instant::now();
    let done: u64 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(|| one_client(server, start, span))).collect();
        clients.into_iter().map(|client| client.join().expect("a client that ended well")).sum()
    });
    Work { figure: done as f64 / 1e3 / start.elapsed().as_secs_f64(), amount: done as f64 }
}

fn one_client(server: Ipv4Addr, start: Instant, span: Duration) -> u64 {
    let (mut done, mut response) = (0, Vec::new());
    while start.elapsed() < span {
        response.clear();
        // A rival without a free socket refuses: that connection does not count.
        if fetch_once(server, &mut response).is_ok() {
            assert!(response.len() >= BODY, "a response of {} bytes", response.len());
            done += 1;
        }
    }
    done
}
