//! `UdpSocket`.

use crate::runtime::host::Host;
use crate::runtime::socket::{Seat, UdpSocket as Socket};
use crate::runtime::waiters::Direction;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;

/// A UDP socket with asynchronous calls.
///
/// The `poll_` methods remember one waiting task for each direction, the last that asked; each of the `async` ones
/// waits for itself.
pub struct UdpSocket {
    reader: Seat,
    writer: Seat,
    socket: Socket,
}

impl UdpSocket {
    /// Binds to `local`; port 0 takes a free one, an unspecified address takes all.
    pub fn bind(host: &Host, local: SocketAddr) -> io::Result<UdpSocket> {
        let socket = Socket::bind(host, local)?;
        let seat = |direction| Seat::new(host, socket.socket_id(), direction);
        let (reader, writer) = (seat(Direction::Read), seat(Direction::Write));
        Ok(UdpSocket { reader, writer, socket })
    }

    /// From now on only datagrams from `remote` are received, and [`send`](UdpSocket::send) goes there.
    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(remote)
    }

    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        let seat = self.seat(Direction::Write);
        poll_fn(|cx| self.socket.poll_send(Some((&seat, cx.waker())), None, data)).await
    }

    pub async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        let seat = self.seat(Direction::Write);
        poll_fn(|cx| self.socket.poll_send(Some((&seat, cx.waker())), Some(to), data)).await
    }

    /// The length that fitted into `into`; the rest of a longer datagram is lost.
    pub async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        self.recv_from(into).await.map(|(len, _)| len)
    }

    /// As [`recv`](UdpSocket::recv), and who sent it.
    pub async fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (seat, room) = (self.seat(Direction::Read), into.len());
        let datagram = poll_fn(|cx| self.socket.poll_receive(Some((&seat, cx.waker())), into)).await?;
        Ok((datagram.len.min(room), datagram.from))
    }

    pub fn poll_send_to(&self, cx: &mut Context<'_>, data: &[u8], to: SocketAddr) -> Poll<io::Result<usize>> {
        self.socket.poll_send(Some((&self.writer, cx.waker())), Some(to), data)
    }

    pub fn poll_recv_from(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<SocketAddr>> {
        let room = into.remaining();
        let wait = Some((&self.reader, cx.waker()));
        let datagram = ready!(self.socket.poll_receive(wait, into.initialize_unfilled()))?;
        into.advance(datagram.len.min(room));
        Poll::Ready(Ok(datagram.from))
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

    fn seat(&self, direction: Direction) -> Seat {
        Seat::new(self.socket.host(), self.socket.socket_id(), direction)
    }
}
