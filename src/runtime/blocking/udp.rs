//! `UdpSocket`.

use super::wait::Patience;
use crate::runtime::host::Host;
use crate::runtime::socket::{Segments, UdpSocket as Socket, hops};
use crate::runtime::waiters::Direction;
use std::io;
use std::net::SocketAddr;
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

    /// Sends `data` as datagrams of `segment_size` bytes each, of which the last may be shorter, to the peer: one call and
    /// one pass through the stack for up to 128 of them, split by the device. On Linux that is `UDP_SEGMENT`.
    ///
    /// Each of them must fit one packet, headers included, and all together 65,507 bytes.
    pub fn send_segments(&self, data: &[u8], segment_size: usize) -> io::Result<usize> {
        self.send_train(None, data, segment_size)
    }

    /// As [`send_segments`](UdpSocket::send_segments), to `to`.
    pub fn send_segments_to(&self, data: &[u8], segment_size: usize, to: SocketAddr) -> io::Result<usize> {
        self.send_train(Some(to), data, segment_size)
    }

    /// The oldest datagram, and behind it those that came next from the same sender with the same length, as many as
    /// there are and fit into `into`; one that is shorter is the last. On Linux that is `UDP_GRO`; here a socket need not
    /// ask for it, and [`recv_from`](UdpSocket::recv_from) still gives one datagram at a time.
    pub fn recv_segments_from(&self, into: &mut [u8]) -> io::Result<Segments> {
        self.patience.finish(self.socket.call(Direction::Read), |wait| self.socket.poll_receive_segments(wait, into))
    }

    /// The length that fitted into `into`; the rest of a longer datagram is lost.
    pub fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        self.recv_from(into).map(|(len, _)| len)
    }

    /// As [`recv`](UdpSocket::recv), and who sent it.
    pub fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let room = into.len();
        let call = self.socket.call(Direction::Read);
        let datagram = self.patience.finish(call, |wait| self.socket.poll_receive(wait, into))?;
        Ok((datagram.len.min(room), datagram.from))
    }

    fn send_datagram(&self, to: Option<SocketAddr>, data: &[u8]) -> io::Result<usize> {
        self.patience.finish(self.socket.call(Direction::Write), |wait| self.socket.poll_send(wait, to, data))
    }

    fn send_train(&self, to: Option<SocketAddr>, data: &[u8], segment_size: usize) -> io::Result<usize> {
        let call = self.socket.call(Direction::Write);
        self.patience.finish(call, |wait| self.socket.poll_send_segments(wait, to, data, segment_size))
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
        self.patience.set_timeout(Direction::Read, timeout)
    }

    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.patience.timeout(Direction::Read))
    }

    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.patience.set_timeout(Direction::Write, timeout)
    }

    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.patience.timeout(Direction::Write))
    }
}
