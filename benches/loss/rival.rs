//! smoltcp, in virtual time, on the same cable: buffers of 4 MiB, so that the window is never what holds it back.

use crate::{Condition, Measured, SPAN};
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{self, CongestionControl};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};
use std::time::Duration;
use strata::sim::network::{Port, cable};

const BUFFER: usize = 4 << 20;
const MTU: usize = 1500;
const ETHERNET: usize = 14;
const START: Duration = Duration::from_secs(20);
const WARM: u16 = 8;
const BULK: u16 = 9;

/// smoltcp's device on our port.
struct Cable(Port);

struct Arrived(Vec<u8>);

struct Leaving<'a>(&'a Port, Instant);

fn ours(at: Instant) -> strata::time::Instant {
    strata::time::Instant::from_micros(at.total_micros() as u64)
}

impl phy::Device for Cable {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Leaving<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Arrived, Leaving<'_>)> {
        let bytes = self.0.take(ours(now))?;
        Some((Arrived(bytes), Leaving(&self.0, now)))
    }

    fn transmit(&mut self, now: Instant) -> Option<Leaving<'_>> {
        Some(Leaving(&self.0, now))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MTU + ETHERNET;
        capabilities
    }
}

impl phy::RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl phy::TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut bytes = vec![0; len];
        let result = write(&mut bytes);
        self.0.put(ours(self.1), bytes);
        result
    }
}

/// A host.
struct Node {
    device: Cable,
    interface: Interface,
    sockets: SocketSet<'static>,
    warm: SocketHandle,
    bulk: SocketHandle,
}

impl Node {
    fn new(port: Port, last: u8, seed: u64, control: CongestionControl) -> Node {
        let mut device = Cable(port);
        let mut config = Config::new(EthernetAddress([2, 0, 0, 0, 0, last]).into());
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(address(last), 24)).expect("room for an address");
        });
        let mut sockets = SocketSet::new(Vec::new());
        let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
        let mut add = || {
            let mut socket = tcp::Socket::new(buffer(), buffer());
            socket.set_congestion_control(control);
            sockets.add(socket)
        };
        let (warm, bulk) = (add(), add());
        Node { device, interface, sockets, warm, bulk }
    }

    fn poll(&mut self, now: Instant) -> bool {
        let result = self.interface.poll(now, &mut self.device, &mut self.sockets);
        matches!(result, PollResult::SocketStateChanged)
    }

    fn bulk(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.bulk)
    }

    fn connect(&mut self, handle: SocketHandle, port: u16) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
        socket.connect(self.interface.context(), (address(2), port), 50_000 + port).expect("a closed socket connects");
    }

    /// When it wants to be polled, by its own timers or for a frame.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        let frame = self.device.0.next_deadline().map(|at| Instant::from_micros(at.as_nanos().div_ceil(1000) as i64));
        let timer = self.interface.poll_at(now, &self.sockets);
        [frame, timer].into_iter().flatten().min()
    }
}

fn address(last: u8) -> IpAddress {
    IpAddress::v4(192, 0, 2, last)
}

pub fn measure(condition: &Condition, controller: &str) -> Measured {
    let control = match controller {
        "cubic" => CongestionControl::Cubic,
        "reno" => CongestionControl::Reno,
        _ => CongestionControl::None,
    };
    let (left, right) = cable(condition.shape(), condition.shape(), MTU, condition.seed);
    let mut client = Node::new(left, 1, condition.seed, control);
    let mut server = Node::new(right, 2, condition.seed + 1, control);
    for (handle, port) in [(server.warm, WARM), (server.bulk, BULK)] {
        server.sockets.get_mut::<tcp::Socket<'_>>(handle).listen(port).expect("a closed socket listens");
    }
    client.connect(client.warm, WARM);
    let start = Instant::ZERO + START.into();
    let end = start + SPAN.into();
    let (mut now, mut begun, mut bytes) = (Instant::ZERO, false, 0);
    let zeroes = vec![0; 1 << 16];
    while now < end {
        if !begun && now >= start {
            client.connect(client.bulk, BULK);
            begun = true;
        }
        loop {
            let socket = client.bulk();
            while socket.can_send() && socket.send_slice(&zeroes).is_ok_and(|len| len > 0) {}
            let mut moved = client.poll(now) | server.poll(now);
            let socket = server.bulk();
            while socket.can_recv() {
                bytes += socket.recv(|data| (data.len(), data.len())).expect("it can");
                moved = true;
            }
            if !moved {
                break;
            }
        }
        let next = [client.next(now), server.next(now), (!begun).then_some(start)].into_iter().flatten().min();
        let soon = now + smoltcp::time::Duration::from_micros(1);
        now = next.unwrap_or(end).max(soon).min(end);
    }
    Measured { bytes: bytes as u64, ..Measured::default() }
}
