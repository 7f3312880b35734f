//! smoltcp as it is shipped: its own TAP device, 64 KiB buffers, Reno, and its applications in the poll loop.

use crate::client::{DISCARD, ECHO, HTTP, REQUEST, SOURCE, response};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Medium, TunTapInterface, wait};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::process::Command;
use strata::runtime::sandbox;

const BUFFER: usize = 64 * 1024;
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Serves on a TAP in a namespace of this process while `client` runs.
pub fn serve(client: impl FnOnce(Ipv4Addr) -> f64) -> f64 {
    sandbox::enter(!rustix::process::geteuid().is_root()).expect("a namespace of our own");
    // Made here so that it is there when its address is set; the device of the thread attaches to it.
    ip("tuntap add dev bench0 mode tap");
    for command in ["link set lo up", "link set bench0 up", "address add 192.0.2.1/24 dev bench0"] {
        ip(command);
    }
    std::thread::spawn(|| run(TunTapInterface::new("bench0", Medium::Ethernet).expect("a TAP")));
    client(SERVER)
}

fn ip(command: &str) {
    let status = Command::new("ip").args(command.split(' ')).status().expect("the `ip` command");
    assert!(status.success(), "ip {command}");
}

fn buffer() -> tcp::SocketBuffer<'static> {
    tcp::SocketBuffer::new(vec![0; BUFFER])
}

fn run(mut device: TunTapInterface) -> ! {
    let fd = device.as_raw_fd();
    let config = Config::new(EthernetAddress([2, 0, 0, 0, 0, 2]).into());
    let mut interface = Interface::new(config, &mut device, Instant::now());
    interface.update_ip_addrs(|addresses| {
        addresses.push(IpCidr::new(IpAddress::Ipv4(SERVER), 24)).expect("room for an address");
    });
    let mut sockets = SocketSet::new(Vec::new());
    let tcp_ports = [DISCARD, SOURCE].into_iter().chain([HTTP; 33]);
    let servers: Vec<(u16, SocketHandle)> = tcp_ports
        .map(|port| {
            let mut socket = tcp::Socket::new(buffer(), buffer());
            socket.set_nagle_enabled(false);
            (port, sockets.add(socket))
        })
        .collect();
    let datagrams = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 256], vec![0; BUFFER]);
    let mut echo = udp::Socket::new(datagrams(), datagrams());
    echo.bind(ECHO).expect("a free port");
    let echo = sockets.add(echo);
    let (response, zeroes) = (response(), vec![0u8; BUFFER]);
    loop {
        interface.poll(Instant::now(), &mut device, &mut sockets);
        for (port, handle) in &servers {
            serve_tcp(*port, sockets.get_mut(*handle), &response, &zeroes);
        }
        let echo = sockets.get_mut::<udp::Socket<'_>>(echo);
        while echo.can_recv() && echo.can_send() {
            let Ok((data, from)) = echo.recv().map(|(data, from)| (data.to_vec(), from)) else { break };
            let _lost = echo.send_slice(&data, from);
        }
        let moved = interface.poll(Instant::now(), &mut device, &mut sockets);
        if matches!(moved, smoltcp::iface::PollResult::None) {
            let delay = interface.poll_delay(Instant::now(), &sockets);
            wait(fd, delay).expect("a readable descriptor");
        }
    }
}

fn serve_tcp(port: u16, socket: &mut tcp::Socket<'_>, response: &[u8], zeroes: &[u8]) {
    if !socket.is_open() {
        socket.listen(port).expect("a closed socket listens");
    }
    match port {
        DISCARD => while socket.can_recv() && socket.recv(|data| (data.len(), data.len())).is_ok_and(|len| len > 0) {},
        SOURCE => while socket.can_send() && socket.send_slice(zeroes).is_ok_and(|len| len > 0) {},
        _ => {
            let mut request = [0; REQUEST.len()];
            while socket.recv_queue() >= request.len() && socket.send_capacity() - socket.send_queue() >= response.len()
            {
                socket.recv_slice(&mut request).expect("it is there");
                socket.send_slice(response).expect("there was room");
            }
        }
    }
    if socket.may_send() && !socket.may_recv() && !socket.can_recv() {
        socket.close();
    }
}
