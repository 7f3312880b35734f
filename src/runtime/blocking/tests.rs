//! Two drivers on one link, in real time, used as `std::net` would be.

use super::{TcpListener, TcpStream, UdpSocket};
use crate::device::link::{Config as LinkConfig, Link};
use crate::device::{Batch, Capabilities, Device};
use crate::event::TcpState;
use crate::frame::Frame;
use crate::runtime::{Driver, Host};
use crate::stack;
use crate::time::Instant;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

struct Pair {
    left: Driver,
    right: Driver,
}

impl Pair {
    fn new() -> Pair {
        let (left, right) = Link::pollable_pair(LinkConfig::default()).expect("two descriptors");
        Pair { left: driver(1, Box::new(left)), right: driver(2, Box::new(right)) }
    }

    fn left(&self) -> &Host {
        self.left.host()
    }

    fn right(&self) -> &Host {
        self.right.host()
    }

    /// A connection, the left end first.
    fn connection(&self) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(self.right(), at(2, 0)).expect("a free port");
        let to = listener.local_addr().expect("an address");
        let client = TcpStream::connect_timeout(self.left(), to, SOON).expect("a connection");
        let (server, peer) = listener.accept().expect("a connection");
        assert_eq!(peer, client.local_addr().expect("an address"));
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(SOON)).expect("more than zero");
        }
        (client, server)
    }
}

fn driver(last: u8, device: Box<dyn Device>) -> Driver {
    let addresses = vec![format!("192.0.2.{last}/24").parse().expect("a prefix")];
    let config = stack::Config { mac: [2, 0, 0, 0, 0, last], addresses, ..stack::Config::default() };
    Driver::start(config, u64::from(last), device, None).expect("a driver")
}

fn at(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], port))
}

#[test]
fn bytes_that_are_handed_over_are_read_in_place() {
    let pair = Pair::new();
    let (client, server) = pair.connection();
    let data: Vec<u8> = (0..3_000_000u32).map(|index| (index % 251) as u8).collect();
    let mut handed = Bytes::from(data.clone());
    let write = std::thread::spawn(move || {
        client.write_bytes(&mut handed).expect("written");
        assert!(handed.is_empty());
        client.shutdown(Shutdown::Write).expect("FIN");
        client
    });
    let mut seen = Vec::new();
    // Never all of what is there: the rest is shown again.
    let mut read = |bytes: &[u8]| {
        let done = bytes.len().div_ceil(2);
        seen.extend_from_slice(&bytes[..done]);
        (done, done > 0)
    };
    while server.read_with(&mut read).expect("what the peer sends") {}
    assert!(seen == data);
    let client = write.join().expect("no panic");
    client.shutdown(Shutdown::Both).expect("an open stream");
    let mut late = Bytes::from_static(b"late");
    assert_eq!(client.write_bytes(&mut late).expect_err("a FIN was sent").kind(), ErrorKind::BrokenPipe);
    assert_eq!(&late[..], b"late", "what is not taken is left");
}

#[test]
fn a_megabyte_goes_there_and_back() {
    let pair = Pair::new();
    let (client, server) = pair.connection();
    let data: Vec<u8> = (0..1_000_000u32).map(|index| (index % 251) as u8).collect();
    let echo = std::thread::spawn(move || {
        io::copy(&mut &server, &mut &server).expect("echo");
        server.shutdown(Shutdown::Write).expect("FIN");
    });
    let (writer, sent) = (client.try_clone().expect("a clone"), data.clone());
    let write = std::thread::spawn(move || {
        (&writer).write_all(&sent).expect("written");
        writer.shutdown(Shutdown::Write).expect("FIN");
    });
    let mut back = Vec::new();
    (&client).read_to_end(&mut back).expect("the echo");
    assert!(back == data);
    assert!(client.info().bytes_acked >= 1_000_000);
    write.join().expect("no panic");
    echo.join().expect("no panic");
}

#[test]
fn failures_have_the_kinds_of_the_standard_library() {
    let pair = Pair::new();
    let refused = TcpStream::connect(pair.left(), at(2, 81)).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{refused}");
    let late = TcpStream::connect_timeout(pair.left(), at(9, 80), Duration::from_millis(20)).expect_err("nobody there");
    assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
    let _listener = TcpListener::bind(pair.right(), at(2, 80)).expect("a free port");
    let taken = TcpListener::bind(pair.right(), at(2, 80)).map(drop).expect_err("a taken port");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse, "{taken}");
    let foreign = TcpListener::bind(pair.right(), at(7, 80)).map(drop).expect_err("not ours");
    assert_eq!(foreign.kind(), ErrorKind::AddrNotAvailable, "{foreign}");
    let udp = UdpSocket::bind(pair.left(), at(1, 0)).expect("a free port");
    assert_eq!(udp.send(b"to whom?").expect_err("no peer").kind(), ErrorKind::NotConnected);
    assert_eq!(udp.peer_addr().expect_err("no peer").kind(), ErrorKind::NotConnected);
}

#[test]
fn waiting_ends_when_the_socket_was_told_so() {
    let pair = Pair::new();
    let (client, mut server) = pair.connection();
    client.set_read_timeout(Some(Duration::from_millis(10))).expect("more than zero");
    let error = (&client).read(&mut [0; 10]).expect_err("nothing was sent");
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    client.set_nonblocking(true).expect("a setting");
    assert_eq!((&client).read(&mut [0; 10]).expect_err("nothing yet").kind(), ErrorKind::WouldBlock);
    client.set_nonblocking(false).expect("a setting");
    client.set_read_timeout(None).expect("a setting");
    server.write_all(b"now").expect("written");
    let mut buffer = [0; 10];
    assert_eq!((&client).read(&mut buffer).expect("three bytes"), 3);
}

#[test]
fn each_side_shuts_down_by_itself() {
    let pair = Pair::new();
    let (mut client, mut server) = pair.connection();
    client.write_all(b"all I have").expect("written");
    client.shutdown(Shutdown::Write).expect("FIN");
    assert_eq!(client.write(b"more").expect_err("shut down").kind(), ErrorKind::BrokenPipe);
    let mut heard = String::new();
    server.read_to_string(&mut heard).expect("up to the FIN");
    assert_eq!(heard, "all I have");
    server.write_all(b"heard").expect("the other way is open");
    let mut buffer = [0; 10];
    assert_eq!(client.read(&mut buffer).expect("five bytes"), 5);
    client.shutdown(Shutdown::Read).expect("no more reading");
    assert_eq!(client.read(&mut buffer).expect("the end"), 0);
}

#[test]
fn a_peer_that_drops_unread_data_resets() {
    let pair = Pair::new();
    let (mut client, server) = pair.connection();
    client.write_all(b"never read").expect("written");
    while server.info().receive_queue == 0 {
        std::thread::yield_now();
    }
    drop(server);
    let error = client.read(&mut [0; 10]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    assert!(error.to_string().contains("192.0.2.2"), "{error}");
    assert_eq!(client.take_error().expect("a look").map(|error| error.kind()), Some(ErrorKind::ConnectionReset));
    assert!(client.take_error().expect("a look").is_none(), "told once");
}

#[test]
fn settings_are_kept() {
    let pair = Pair::new();
    let (client, _server) = pair.connection();
    assert!(!client.nodelay().expect("a look"));
    client.set_nodelay(true).expect("a setting");
    assert!(client.nodelay().expect("a look"));
    client.set_ttl(17).expect("a setting");
    assert_eq!(client.ttl().expect("a look"), 17);
    assert_eq!(client.set_ttl(256).expect_err("too many").kind(), ErrorKind::InvalidInput);
    client.set_keepalive(SOON, SOON, 3).expect("a setting");
}

#[test]
fn datagrams_keep_their_boundaries() {
    let pair = Pair::new();
    let server = UdpSocket::bind(pair.right(), at(2, 53)).expect("a free port");
    let client = UdpSocket::bind(pair.left(), at(1, 0)).expect("a free port");
    server.set_read_timeout(Some(SOON)).expect("more than zero");
    for datagram in [&b"one"[..], b"", b"three"] {
        assert_eq!(client.send_to(datagram, at(2, 53)).expect("sent"), datagram.len());
    }
    let mut buffer = [0; 4];
    for expected in [&b"one"[..], b"", b"thre"] {
        let (len, from) = server.recv_from(&mut buffer).expect("a datagram");
        assert_eq!((&buffer[..len], from), (expected, client.local_addr().expect("an address")));
    }
}

#[test]
fn stopping_the_driver_ends_whoever_waits() {
    let pair = Pair::new();
    let listener = TcpListener::bind(pair.right(), at(2, 80)).expect("a free port");
    let waiting = std::thread::spawn(move || listener.accept().map(drop));
    std::thread::sleep(Duration::from_millis(20));
    pair.right.stop().expect("a clean end");
    let error = waiting.join().expect("no panic").expect_err("nobody will come");
    assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
}

/// A device whose interface is taken away while somebody waits.
struct Unplugged(u32);

impl Device for Unplugged {
    fn describe(&self) -> String {
        "TAP tap9, MTU 1500".into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { mtu: 1500, partial_checksum: false, segmentation: None, receive_queue: None }
    }

    fn receive(&mut self, _: Instant, _: &mut Batch) -> io::Result<()> {
        self.0 += 1;
        if self.0 < 20 { Ok(()) } else { Err(io::Error::new(ErrorKind::NotFound, "the interface is gone")) }
    }

    fn transmit(&mut self, _: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        frames.clear();
        Ok(())
    }
}

#[test]
fn a_device_that_fails_is_told_to_whoever_waits() {
    let driver = driver(1, Box::new(Unplugged(0)));
    let listener = TcpListener::bind(driver.host(), at(1, 80)).expect("a free port");
    let error = listener.accept().map(drop).expect_err("the device fails");
    assert_eq!(error.to_string(), "TAP tap9, MTU 1500 failed, the stack has stopped: the interface is gone");
    assert_eq!(driver.stop().expect_err("the same").to_string(), error.to_string());
}

#[test]
fn options_are_set_and_read_again() {
    let pair = Pair::new();
    let (client, _server) = pair.connection();
    client.set_cork(true).expect("a setting");
    client.set_user_timeout(Some(SOON)).expect("a setting");
    client.set_notsent_lowat(Some(4096)).expect("a setting");
    client.set_linger(Some(SOON)).expect("a setting");
    let linger = client.linger().expect("a setting");
    client.set_linger(None).expect("a setting");
    assert!(client.cork().expect("a setting"));
    assert_eq!(client.user_timeout().expect("a setting"), Some(SOON));
    assert_eq!(client.notsent_lowat().expect("a setting"), Some(4096));
    assert_eq!((linger, client.linger().expect("a setting")), (Some(SOON), None));
    assert_eq!(client.mss().expect("a figure"), 1460 - 12);
}

#[test]
fn a_corked_stream_sends_when_the_cork_is_taken_off() {
    let pair = Pair::new();
    let (mut client, mut server) = pair.connection();
    client.set_cork(true).expect("a setting");
    for piece in [&b"GET / "[..], b"HTTP/1.1"] {
        client.write_all(piece).expect("room");
    }
    client.set_cork(false).expect("a setting");
    let mut whole = [0; 14];
    server.read_exact(&mut whole).expect("what was written");
    assert_eq!(&whole, b"GET / HTTP/1.1");
    assert_eq!(server.info().segments_received, 2, "the handshake's ACK, and one segment");
}

#[test]
fn lingering_for_no_time_resets_and_for_some_waits_for_the_peer() {
    let pair = Pair::new();
    let (client, mut server) = pair.connection();
    client.set_linger(Some(Duration::ZERO)).expect("a setting");
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    let (mut client, server) = pair.connection();
    client.write_all(&[7; 100_000]).expect("room");
    client.set_linger(Some(SOON)).expect("a setting");
    drop(client);
    assert_eq!(server.info().bytes_received, 100_000, "all has arrived when the last handle is gone");
}

// RFC 7413 §3.1
#[test]
fn the_second_connection_carries_its_request_in_the_syn() {
    let pair = Pair::new();
    let listener = TcpListener::bind_with(pair.right(), at(2, 80), 8, |config| config.fast_open_queue = 8);
    let listener = listener.expect("a free port");
    for in_syn in [false, true] {
        let (client, taken) = TcpStream::connect_with_data(pair.left(), at(2, 80), b"request").expect("a connection");
        let (mut server, _) = listener.accept().expect("a connection");
        let mut request = [0; 7];
        server.read_exact(&mut request).expect("the request");
        assert_eq!((taken, &request), (7, b"request"));
        assert_eq!((client.info().syn_data, server.info().syn_data), (in_syn, in_syn));
    }
}

// TCP_FASTOPEN_CONNECT
#[test]
fn a_connection_to_a_known_server_is_opened_by_its_first_write() {
    let pair = Pair::new();
    let listener = TcpListener::bind_with(pair.right(), at(2, 80), 8, |config| config.fast_open_queue = 8);
    let listener = listener.expect("a free port");
    for known in [false, true] {
        let client = TcpStream::connect_with(pair.left(), at(2, 80), |config| config.fast_open_connect = true);
        let mut client = client.expect("a connection");
        let expected = if known { TcpState::Closed } else { TcpState::Established };
        assert_eq!(client.info().state, expected, "known: {known}");
        client.write_all(b"request").expect("room");
        let (mut server, _) = listener.accept().expect("a connection");
        let mut request = [0; 7];
        server.read_exact(&mut request).expect("the request");
        server.write_all(b"answer").expect("room");
        let mut answer = [0; 6];
        client.read_exact(&mut answer).expect("the answer");
        assert_eq!((&request, &answer), (b"request", b"answer"));
        assert_eq!((client.info().syn_data, server.info().syn_data), (known, known));
    }
}
