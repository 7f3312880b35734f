//! `UdpSocket`.

use super::tcp::hops;
use super::wait::{Patience, Side};
use crate::runtime::host::Host;
use crate::runtime::socket::{Seat, UdpSocket as Socket};
use crate::runtime::waiters::Direction;
use std::io;
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

/// A UDP socket with blocking calls.
pub struct UdpSocket {
    socket: Socket,
    patience: Patience,
}

impl UdpSocket {
    /// Binds to `local`; port 0 takes a free one, an unspecified address takes all.
    pub fn bind(host: &Host, local: SocketAddr) -> io::Result<UdpSocket> {
        Ok(UdpSocket { socket: Socket::bind(host, local)?, patience: Patience::default() })
    }

    /// From now on only datagrams from `remote` are received, and [`send`](UdpSocket::send) goes there.
    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(remote)
    }

    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.send_datagram(None, data)
    }

    pub fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.send_datagram(Some(to), data)
    }

    /// The length that fitted into `into`; the rest of a longer datagram is lost.
    pub fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        self.recv_from(into).map(|(len, _)| len)
    }

    /// As [`recv`](UdpSocket::recv), and who sent it.
    pub fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let room = into.len();
        let seat = Seat::new(self.socket.host(), self.socket.socket_id(), Direction::Read);
        let attempt = |waker: Option<&Waker>| self.socket.poll_receive(waker.map(|waker| (&seat, waker)), into);
        let datagram = self.patience.call(self.socket.host().clock(), Side::Read, attempt)?;
        Ok((datagram.len.min(room), datagram.from))
    }

    fn send_datagram(&self, to: Option<SocketAddr>, data: &[u8]) -> io::Result<usize> {
        let seat = Seat::new(self.socket.host(), self.socket.socket_id(), Direction::Write);
        let attempt = |waker: Option<&Waker>| self.socket.poll_send(waker.map(|waker| (&seat, waker)), to, data);
        self.patience.call(self.socket.host().clock(), Side::Write, attempt)
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.socket.local_addr())
    }

    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    pub fn set_broadcast(&self, allowed: bool) -> io::Result<()> {
        self.socket.set_broadcast(allowed);
        Ok(())
    }

    pub fn broadcast(&self) -> io::Result<bool> {
        Ok(self.socket.broadcast())
    }

    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.set_ttl(hops(ttl)?);
        Ok(())
    }

    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.patience.set_nonblocking(nonblocking);
        Ok(())
    }

    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.patience.set_timeout(Side::Read, timeout)
    }

    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.patience.timeout(Side::Read))
    }

    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.patience.set_timeout(Side::Write, timeout)
    }

    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.patience.timeout(Side::Write))
    }
}
