//! The kernel's end: ordinary sockets of the standard library.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

pub const DISCARD: u16 = 9;
pub const SOURCE: u16 = 19;
pub const HTTP: u16 = 80;
pub const ECHO: u16 = 7;

/// What a request is answered with.
pub const BODY: usize = 1024;
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

/// The response that both stacks send.
pub fn response() -> Vec<u8> {
    let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").into_bytes();
    response.resize(response.len() + BODY, b'x');
    response
}

fn connect(server: Ipv4Addr, port: u16) -> TcpStream {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((server, port)), Duration::from_secs(5))
        .expect("the stack under test answers");
    // The machine's default may be BBR, whose pacing would be measured in place of the stack.
    if let Err(error) = rustix::net::sockopt::set_tcp_congestion(&stream, "cubic") {
        eprintln!("the kernel's end keeps its default congestion control: {error}");
    }
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.set_write_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream
}

/// Bits a second that the stack takes in; all of them have arrived when it says so.
pub fn bulk_in(server: Ipv4Addr, span: Duration) -> f64 {
    let mut stream = connect(server, DISCARD);
    let (chunk, start, mut bytes) = (vec![7; 256 * 1024], Instant::now(), 0usize);
    while start.elapsed() < span {
        stream.write_all(&chunk).expect("the stack takes it");
        bytes += chunk.len();
    }
    stream.shutdown(Shutdown::Write).expect("a FIN");
    let mut end = Vec::new();
    stream.read_to_end(&mut end).expect("the stack has read it all");
    bytes as f64 * 8.0 / start.elapsed().as_secs_f64()
}

/// Bits a second that the stack gives out.
pub fn bulk_out(server: Ipv4Addr, span: Duration) -> f64 {
    let mut stream = connect(server, SOURCE);
    let (mut chunk, start, mut bytes) = (vec![0; 256 * 1024], Instant::now(), 0usize);
    while start.elapsed() < span {
        bytes += stream.read(&mut chunk).expect("the stack gives it");
    }
    bytes as f64 * 8.0 / start.elapsed().as_secs_f64()
}

/// Requests a second over `connections` connections that stay open, one request at a time on each.
pub fn requests(server: Ipv4Addr, connections: usize, span: Duration) -> f64 {
    let streams: Vec<TcpStream> = (0..connections).map(|_| connect(server, HTTP)).collect();
    let start = Instant::now();
    let clients: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            std::thread::spawn(move || {
                stream.set_nodelay(true).expect("an option");
                let (mut answer, mut done) = (vec![0; response().len()], 0u64);
                while start.elapsed() < span {
                    stream.write_all(REQUEST).expect("a request");
                    stream.read_exact(&mut answer).expect("a response");
                    done += 1;
                }
                done
            })
        })
        .collect();
    let done: u64 = clients.into_iter().map(|client| client.join().expect("a client that ended well")).sum();
    done as f64 / start.elapsed().as_secs_f64()
}

/// Pairs of small datagrams a second, 32 of them under way at a time.
pub fn small_packets(server: Ipv4Addr, span: Duration) -> f64 {
    const UNDER_WAY: usize = 32;
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a port");
    socket.connect((server, ECHO)).expect("a route");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let (datagram, mut answer) = ([7u8; 32], [0u8; 64]);
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
    pairs as f64 / start.elapsed().as_secs_f64()
}
