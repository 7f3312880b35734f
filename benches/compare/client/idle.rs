//! Connections that are open and silent.

use crate::support::client::port;
use crate::support::machine;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// How many connections one address of the client opens: fewer than it has ports.
const EACH: usize = 20_000;

/// Opens `count` connections to the stack and holds them. More than one address of the client has ports for: the
/// interface towards the stack gets as many as it needs.
pub fn hold(server: Ipv4Addr, interface: &str, count: usize) -> Vec<TcpStream> {
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).expect("as many descriptors as allowed");
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65000").expect("a namespace of our own");
    let mut held = Vec::with_capacity(count);
    for (number, many) in (0..count).step_by(EACH).map(|from| EACH.min(count - from)).enumerate() {
        let source = Ipv4Addr::new(192, 0, 2, 100 + number as u8);
        machine::run(Command::new("ip").args(["address", "add", &format!("{source}/24"), "dev", interface]));
        held.extend((0..many).map(|_| open(source, server)));
    }
    held
}

fn open(source: Ipv4Addr, server: Ipv4Addr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a socket");
    bind(&socket, &SocketAddr::from((source, 0))).expect("an address of ours");
    let patience = Instant::now() + Duration::from_secs(20);
    while let Err(error) = connect(&socket, &SocketAddr::from((server, port::DISCARD))) {
        // A rival with ten thousand sockets takes a while to make them.
        assert!(Instant::now() < patience, "the stack under test does not answer: {error}");
        std::thread::sleep(Duration::from_millis(10));
    }
    TcpStream::from(socket)
}
