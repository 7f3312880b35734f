//! smoltcp: as it is shipped, and with what a user could give it: a device with offloads and large buffers.

use super::Served;
use super::rival_device::Offloading;
use crate::memory::Memory;
use crate::support::client::{REQUEST, port, response, written};
use crate::support::machine::run;
use crate::support::server::on_a_thread;
use crate::support::{CLIENT, INTERFACE, SERVER};
use crate::workload::Workload;
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{Device, Medium, TunTapInterface, wait};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};
use std::os::fd::AsRawFd;
use std::process::Command;
use strata::runtime::sandbox::{self, LinkRequest};

const SHIPPED_BUFFER: usize = 64 * 1024;
const TUNED_BUFFER: usize = 4 << 20;
/// Where nothing goes that way; and, tuned, on a socket that will be idle.
const SMALL_BUFFER: usize = 1024;

/// What a user can give it, beside the device.
struct Settings {
    /// Of a connection that carries bulk, and of one that is idle.
    buffer: usize,
    idle: usize,
    congestion: tcp::CongestionControl,
}

const SHIPPED: Settings =
    Settings { buffer: SHIPPED_BUFFER, idle: SHIPPED_BUFFER, congestion: tcp::CongestionControl::None };
const TUNED: Settings =
    Settings { buffer: TUNED_BUFFER, idle: SMALL_BUFFER, congestion: tcp::CongestionControl::Cubic };

/// Its own TAP, 64 KiB buffers, and the congestion control that it has by default: none.
pub fn serve_as_shipped<T>(workload: Workload, client: impl FnOnce(&Served) -> T) -> T {
    sandbox::enter(!rustix::process::geteuid().is_root()).expect("a namespace of our own");
    // Made here so that it is there when its address is set; the device of the thread attaches to it.
    let interface = format!("tuntap add dev {INTERFACE} mode tap");
    let up = format!("link set {INTERFACE} up");
    let address = format!("address add 192.0.2.1/24 dev {INTERFACE}");
    let mac = format!("link set {INTERFACE} address 02:00:00:00:00:01");
    for command in [&interface[..], "link set lo up", &mac, &up, &address] {
        run(Command::new("ip").args(command.split(' ')));
    }
    let device = || TunTapInterface::new(INTERFACE, Medium::Ethernet).expect("a TAP");
    serve(workload, device, &SHIPPED, client)
}

/// A device of ours with checksums and segmentation left to the kernel, 4 MiB buffers, CUBIC.
pub fn serve_tuned<T>(workload: Workload, client: impl FnOnce(&Served) -> T) -> T {
    let link = sandbox::open(&LinkRequest::Tap { name: None }, true, &sandbox::Config::default()).expect("a TAP");
    serve(workload, || Offloading::new(link.device), &TUNED, client)
}

/// On a thread that opens its `device` itself: not every one can be handed from thread to thread.
fn serve<T, D: Device + AsRawFd>(
    workload: Workload,
    device: impl FnOnce() -> D + Send + 'static,
    settings: &'static Settings,
    client: impl FnOnce(&Served) -> T,
) -> T {
    let before = Memory::here();
    let worker = on_a_thread("stack", move || {
        let device = device();
        let fd = device.as_raw_fd();
        let sleep = move |delay| wait(fd, delay).expect("a readable descriptor");
        answer(device, &sockets(workload, settings), workload.busy_poll, sleep);
    });
    client(&Served::here(worker, before))
}

/// What its sockets are made of: one for each connection that there will be.
struct Sockets {
    /// The port, and the sizes of the buffers that receive and send.
    tcp: Vec<(u16, usize, usize)>,
    congestion: tcp::CongestionControl,
}

fn sockets(workload: Workload, &Settings { buffer, idle, congestion }: &Settings) -> Sockets {
    let mut tcp = vec![(port::ECHO, SHIPPED_BUFFER, SHIPPED_BUFFER)];
    tcp.extend((0..64).map(|_| (port::DISCARD, buffer, SMALL_BUFFER)));
    tcp.extend((0..64).map(|_| (port::SOURCE, SMALL_BUFFER, buffer)));
    tcp.extend((0..256).map(|_| (port::HTTP, SHIPPED_BUFFER, SHIPPED_BUFFER)));
    tcp.extend((0..64).map(|_| (port::HTTP_ONCE, SHIPPED_BUFFER, SHIPPED_BUFFER)));
    // A socket costs it something whether or not it is used: only those of this workload.
    tcp.retain(|(port, _, _)| *port == workload.port());
    tcp.extend((0..workload.idle).map(|_| (port::IDLE, idle, idle)));
    Sockets { tcp, congestion }
}

fn answer<D: Device>(mut device: D, wanted: &Sockets, busy: bool, sleep: impl Fn(Option<smoltcp::time::Duration>)) {
    let config = Config::new(EthernetAddress([2, 0, 0, 0, 0, 2]).into());
    let mut interface = Interface::new(config, &mut device, Instant::now());
    interface.update_ip_addrs(|addresses| {
        addresses.push(IpCidr::new(IpAddress::Ipv4(SERVER), 24)).expect("room for an address");
    });
    interface.routes_mut().add_default_ipv4_route(CLIENT).expect("room for a route");
    let mut sockets = SocketSet::new(Vec::new());
    let buffer = |len| tcp::SocketBuffer::new(vec![0; len]);
    let servers: Vec<(u16, SocketHandle)> = wanted
        .tcp
        .iter()
        .map(|(port, receive, send)| {
            let mut socket = tcp::Socket::new(buffer(*receive), buffer(*send));
            socket.set_nagle_enabled(false);
            socket.set_congestion_control(wanted.congestion);
            (*port, sockets.add(socket))
        })
        .collect();
    let datagrams = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 256], vec![0; SHIPPED_BUFFER]);
    let mut echo = udp::Socket::new(datagrams(), datagrams());
    echo.bind(port::ECHO).expect("a free port");
    let echo = sockets.add(echo);
    let (response, data) = (response(), written(64 * 1024));
    loop {
        interface.poll(Instant::now(), &mut device, &mut sockets);
        for (port, handle) in &servers {
            serve_tcp(*port, sockets.get_mut(*handle), &response, &data);
        }
        let echo = sockets.get_mut::<udp::Socket<'_>>(echo);
        while echo.can_recv() && echo.can_send() {
            let Ok((data, from)) = echo.recv().map(|(data, from)| (data.to_vec(), from)) else { break };
            let _lost = echo.send_slice(&data, from);
        }
        let moved = interface.poll(Instant::now(), &mut device, &mut sockets);
        if matches!(moved, PollResult::None) && !busy {
            sleep(interface.poll_delay(Instant::now(), &sockets));
        }
    }
}

fn serve_tcp(port: u16, socket: &mut tcp::Socket<'_>, response: &[u8], data: &[u8]) {
    if !socket.is_open() {
        socket.listen(port).expect("a closed socket listens");
    }
    match port {
        port::DISCARD | port::IDLE => {
            while socket.can_recv() && socket.recv(|data| (data.len(), data.len())).is_ok_and(|len| len > 0) {}
        }
        port::SOURCE => while socket.can_send() && socket.send_slice(data).is_ok_and(|len| len > 0) {},
        port::ECHO => {
            let mut byte = [0; 1024];
            while let Ok(len) = socket.recv_slice(&mut byte)
                && len > 0
            {
                socket.send_slice(&byte[..len]).expect("there was room");
            }
        }
        _ => {
            let mut request = [0; REQUEST.len()];
            while socket.recv_queue() >= request.len() && socket.send_capacity() - socket.send_queue() >= response.len()
            {
                socket.recv_slice(&mut request).expect("it is there");
                socket.send_slice(response).expect("there was room");
                if port == port::HTTP_ONCE {
                    socket.close();
                }
            }
        }
    }
    if socket.may_send() && !socket.may_recv() && !socket.can_recv() {
        socket.close();
    }
}
