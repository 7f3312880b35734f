//! The kernel's end: ordinary sockets, whatever answers them.

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What every stack under test serves, and where.
pub mod port {
    /// TCP and UDP: gives back what comes.
    pub const ECHO: u16 = 7;
    /// Takes what comes, and closes when the client does.
    pub const DISCARD: u16 = 9;
    /// Sends for ever.
    pub const SOURCE: u16 = 19;
    /// Answers each request.
    pub const HTTP: u16 = 80;
    /// Answers one request and closes.
    pub const HTTP_ONCE: u16 = 8080;
    /// Accepts connections and keeps them; nothing is ever sent on them.
    pub const IDLE: u16 = 9009;
}

/// How much a response carries.
pub const BODY: usize = 1024;
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

/// The response that every stack sends but nginx, which has its own header.
pub fn response() -> Vec<u8> {
    let mut response = format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n").into_bytes();
    response.resize(response.len() + BODY, b'x');
    response
}

/// So many bytes to send. Memory that nobody has written to would be one page of zeroes that is read again and again, from
/// the nearest cache, as no application's data is.
pub fn written(len: usize) -> Vec<u8> {
    vec![7; len]
}

pub fn connect(server: Ipv4Addr, port: u16) -> TcpStream {
    let patience = Instant::now() + Duration::from_secs(10);
    let stream = loop {
        match open(server, port) {
            Ok(stream) => break stream,
            // Its thread may not have got so far, or a rival's only socket of that kind may be busy.
            Err(_) if Instant::now() < patience => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => panic!("the stack under test does not answer on port {port}: {error}"),
        }
    };
    stream.set_nodelay(true).expect("an option");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.set_write_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream
}

/// A connection with CUBIC: the machine's default may be BBR, whose pacing would be measured in place of the stack. It is
/// chosen before the connection is opened, for one that began with BBR goes on pacing whatever it is told later.
fn open(server: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::from(socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?);
    if let Err(error) = sockopt::set_tcp_congestion(&stream, "cubic") {
        eprintln!("the kernel's end keeps its default congestion control: {error}");
    }
    // The time that connecting may take.
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    rustix::net::connect(&stream, &SocketAddr::from((server, port)))?;
    Ok(stream)
}

/// A connection for one request: opened, used once, closed by the server. Gives what came.
pub fn fetch_once(server: Ipv4Addr, response: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut stream = open(server, port::HTTP_ONCE)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(REQUEST)?;
    stream.read_to_end(response)
}
