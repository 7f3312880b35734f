//! One byte there and back.

use super::Work;
use crate::support::client::{connect, port};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// The median of the round trips, in microseconds.
pub fn ping_pong(server: Ipv4Addr, span: Duration) -> Work {
    let mut stream = connect(server, port::ECHO);
    let (mut times, mut byte, start) = (Vec::new(), [7], Instant::now());
    while start.elapsed() < span {
        let sent = Instant::now();
        stream.write_all(&byte).expect("room for a byte");
        stream.read_exact(&mut byte).expect("it comes back");
        times.push(sent.elapsed());
    }
    times.sort();
    Work { figure: times[times.len() / 2].as_secs_f64() * 1e6, amount: times.len() as f64 }
}
