//! `UdpSocket`.

use crate::runtime::host::Host;
use crate::runtime::socket::{Segments, UdpSocket as Socket};
use crate::runtime::waiters::{Direction, Seat};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;

/// A UDP socket with asynchronous calls.
///
/// The `poll_` methods remember one waiting task for each direction, the last that asked; each of the `async` ones
/// waits for itself.
pub struct UdpSocket {
    socket: Socket,
    seat: Seat,
}

impl UdpSocket {
    /// Binds to `local`; port 0 takes a free one, an unspecified address takes all.
    pub fn bind(host: &Host, local: SocketAddr) -> io::Result<UdpSocket> {
        Ok(UdpSocket { socket: Socket::bind(host, local)?, seat: Seat::default() })
    }

    /// From now on only datagrams from `remote` are received, and [`send`](UdpSocket::send) goes there.
    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(remote)
    }

    pub async fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.socket.call(Direction::Write).finish(|wait| self.socket.poll_send(wait, None, data)).await
    }

    pub async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.call(Direction::Write).finish(|wait| self.socket.poll_send(wait, Some(to), data)).await
    }

    /// Sends `data` as datagrams of `segment_size` bytes each, of which the last may be shorter, to the peer: one call and
    /// one pass through the stack for up to 128 of them, split by the device. On Linux that is `UDP_SEGMENT`.
    ///
    /// Each of them must fit one packet, headers included, and all together 65,507 bytes.
    pub async fn send_segments(&self, data: &[u8], segment_size: usize) -> io::Result<usize> {
        self.socket
            .call(Direction::Write)
            .finish(|wait| self.socket.poll_send_segments(wait, None, data, segment_size))
            .await
    }

    /// As [`send_segments`](UdpSocket::send_segments), to `to`.
    pub async fn send_segments_to(&self, data: &[u8], segment_size: usize, to: SocketAddr) -> io::Result<usize> {
        self.socket
            .call(Direction::Write)
            .finish(|wait| self.socket.poll_send_segments(wait, Some(to), data, segment_size))
            .await
    }

    /// The oldest datagram, and behind it those that came next from the same sender with the same length, as many as
    /// there are and fit into `into`; one that is shorter is the last. On Linux that is `UDP_GRO`; here a socket need not
    /// ask for it, and [`recv_from`](UdpSocket::recv_from) still gives one datagram at a time.
    pub async fn recv_segments_from(&self, into: &mut [u8]) -> io::Result<Segments> {
        self.socket.call(Direction::Read).finish(|wait| self.socket.poll_receive_segments(wait, into)).await
    }

    /// The length that fitted into `into`; the rest of a longer datagram is lost.
    pub async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        self.recv_from(into).await.map(|(len, _)| len)
    }

    /// As [`recv`](UdpSocket::recv), and who sent it.
    pub async fn recv_from(&self, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let room = into.len();
        let datagram = self.socket.call(Direction::Read).finish(|wait| self.socket.poll_receive(wait, into)).await?;
        Ok((datagram.len.min(room), datagram.from))
    }

    pub fn poll_send_to(&self, cx: &mut Context<'_>, data: &[u8], to: SocketAddr) -> Poll<io::Result<usize>> {
        self.socket.poll_send(self.seat.wait(Direction::Write, cx.waker()), Some(to), data)
    }

    pub fn poll_recv_from(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<SocketAddr>> {
        let room = into.remaining();
        let wait = self.seat.wait(Direction::Read, cx.waker());
        let datagram = ready!(self.socket.poll_receive(wait, into.initialize_unfilled()))?;
        into.advance(datagram.len.min(room));
        Poll::Ready(Ok(datagram.from))
    }

    /// [`send_segments_to`](UdpSocket::send_segments_to), for whoever polls.
    pub fn poll_send_segments_to(
        &self,
        cx: &mut Context<'_>,
        data: &[u8],
        segment_size: usize,
        to: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_send_segments(self.seat.wait(Direction::Write, cx.waker()), Some(to), data, segment_size)
    }

    /// [`recv_segments_from`](UdpSocket::recv_segments_from), for whoever polls.
    pub fn poll_recv_segments_from(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<Segments>> {
        self.socket.poll_receive_segments(self.seat.wait(Direction::Read, cx.waker()), into)
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
}
