//! Our stack with its default settings, on a plain TAP, behind its blocking sockets: a thread for each connection.

use crate::client::{DISCARD, ECHO, HTTP, REQUEST, SOURCE, response};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use strata::runtime::blocking::{TcpListener, TcpStream, UdpSocket};
use strata::runtime::sandbox::{self, LinkRequest};
use strata::runtime::{Driver, Host};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Serves on a TAP in a namespace of this process while `client` runs.
pub fn serve(client: impl FnOnce(Ipv4Addr) -> f64) -> f64 {
    let request = LinkRequest::Tap { name: None };
    let link = sandbox::open(&request, true, &sandbox::Config::default()).expect("a TAP in a namespace of our own");
    let config = strata::stack::Config::default();
    let driver = Driver::start(config, 7, link.device, None).expect("a running stack");
    let host = driver.host();
    listen(host, DISCARD, |mut stream| {
        let mut into = vec![0; 256 * 1024];
        while stream.read(&mut into).is_ok_and(|len| len > 0) {}
    });
    listen(host, SOURCE, |mut stream| {
        let zeroes = vec![0; 256 * 1024];
        while stream.write_all(&zeroes).is_ok() {}
    });
    listen(host, HTTP, |mut stream| {
        let _ = stream.set_nodelay(true);
        let (mut request, response) = ([0; REQUEST.len()], response());
        while stream.read_exact(&mut request).is_ok() && stream.write_all(&response).is_ok() {}
    });
    let echo = UdpSocket::bind(host, (Ipv4Addr::UNSPECIFIED, ECHO).into()).expect("a free port");
    std::thread::spawn(move || {
        let mut into = [0; 2048];
        while let Ok((len, from)) = echo.recv_from(&mut into) {
            let _lost = echo.send_to(&into[..len], from);
        }
    });
    client(SERVER)
}

fn listen(host: &Host, port: u16, serve: fn(TcpStream)) {
    let listener = TcpListener::bind(host, (Ipv4Addr::UNSPECIFIED, port).into()).expect("a free port");
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || serve(stream));
        }
    });
}
