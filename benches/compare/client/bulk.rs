//! As much as goes through.

use super::Work;
use crate::support::client::{connect, port, written};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

const CHUNK: usize = 256 * 1024;

/// Gbit/s that the stack takes in, over so many connections at once.
pub fn bulk_in(server: Ipv4Addr, connections: usize, span: Duration) -> Work {
    at_once(server, port::DISCARD, connections, |mut stream, start| {
        let (chunk, mut bytes) = (written(CHUNK), 0);
        while start.elapsed() < span {
            stream.write_all(&chunk).expect("the stack takes it");
            bytes += chunk.len();
        }
        stream.shutdown(Shutdown::Write).expect("a FIN");
        // Its end comes when it has read everything.
        stream.read_to_end(&mut Vec::new()).expect("the stack has read it all");
        bytes
    })
}

/// Gbit/s that the stack gives out.
pub fn bulk_out(server: Ipv4Addr, connections: usize, span: Duration) -> Work {
    at_once(server, port::SOURCE, connections, |mut stream, start| {
        let (mut chunk, mut bytes) = (vec![0; CHUNK], 0);
        while start.elapsed() < span {
            bytes += stream.read(&mut chunk).expect("the stack gives it");
        }
        bytes
    })
}

fn at_once(
    server: Ipv4Addr,
    port: u16,
    connections: usize,
    transfer: impl Fn(TcpStream, Instant) -> usize + Sync,
) -> Work {
    let streams: Vec<TcpStream> = (0..connections).map(|_| connect(server, port)).collect();
    let (start, transfer) = (Instant::now(), &transfer);
    let bytes: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = streams.into_iter().map(|stream| scope.spawn(move || transfer(stream, start))).collect();
        clients.into_iter().map(|client| client.join().expect("a client that ended well")).sum()
    });
    Work { figure: bytes as f64 * 8e-9 / start.elapsed().as_secs_f64(), amount: bytes as f64 / 1e9 }
}
