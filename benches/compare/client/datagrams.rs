//! Small datagrams there and back.

use super::Work;
use crate::support::client::port;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

/// How many are under way at a time.
const UNDER_WAY: usize = 32;

/// Thousands of pairs a second.
pub fn datagrams(server: Ipv4Addr, span: Duration) -> Work {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a port");
    socket.connect((server, port::ECHO)).expect("a route");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let (datagram, mut answer) = ([7u8; 32], [0u8; 64]);
    // An interface that has just got its carrier drops what it is given for up to a second.
    let patience = Instant::now() + Duration::from_secs(10);
    while socket.send(&datagram).is_err() || socket.recv(&mut answer).is_err() {
        assert!(Instant::now() < patience, "the stack under test does not answer on port {}", port::ECHO);
    }
    let (start, mut pairs, mut under_way) = (Instant::now(), 0u64, 0);
    while start.elapsed() < span {
        while under_way < UNDER_WAY {
            socket.send(&datagram).expect("a datagram");
            under_way += 1;
        }
        match socket.recv(&mut answer) {
            Ok(_) => (pairs, under_way) = (pairs + 1, under_way - 1),
            // What was lost is not waited for.
            Err(_) => under_way = 0,
        }
    }
    Work { figure: pairs as f64 / 1e3 / start.elapsed().as_secs_f64(), amount: pairs as f64 }
}
