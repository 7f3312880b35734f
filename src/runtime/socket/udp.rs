//! A UDP socket, as its application holds it.

use super::Call;
use crate::runtime::error::Kind;
use crate::runtime::host::Host;
use crate::runtime::waiters::{Direction, Wait};
use crate::stack::{SocketId, UdpId, UdpReceiveError, UdpSendError};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::task::Poll;

/// What came in: its whole length, of which as much was copied as fitted, and who sent it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram {
    pub len: usize,
    pub from: SocketAddr,
}

/// A train of datagrams that came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segments {
    /// How many bytes were put into the buffer.
    pub len: usize,
    /// The length of each datagram, but for the last, which may be shorter. More than `len` when even the first did not
    /// fit, whose end is lost then.
    pub segment_size: usize,
    pub from: SocketAddr,
}

pub struct UdpSocket {
    host: Host,
    id: UdpId,
}

impl UdpSocket {
    pub fn bind(host: &Host, local: SocketAddr) -> io::Result<UdpSocket> {
        if let Some(ended) = host.ended() {
            return Err(ended);
        }
        let id = host.with(|stack, _| stack.udp_bind(local)).map_err(Kind::into_io)?;
        Ok(UdpSocket { host: host.clone(), id })
    }

    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.host.with(|stack, _| stack.udp_connect(self.id, remote)).map_err(Kind::into_io)
    }

    pub fn call(&self, direction: Direction) -> Call<'_> {
        Call::new(&self.host, self.socket_id(), direction)
    }

    pub fn socket_id(&self) -> SocketId {
        SocketId::Udp(self.id)
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.host.inspect(|stack| stack.udp_local_addr(self.id))
    }

    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let peer = self.host.inspect(|stack| stack.udp_remote_addr(self.id));
        peer.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the socket has no peer: connect it first"))
    }

    pub fn set_broadcast(&self, allowed: bool) {
        self.host.with(|stack, _| stack.udp_set_broadcast(self.id, allowed));
    }

    pub fn broadcast(&self) -> bool {
        self.host.inspect(|stack| stack.udp_broadcast(self.id))
    }

    pub fn set_ttl(&self, ttl: u8) {
        self.host.with(|stack, _| stack.udp_set_ttl(self.id, ttl));
    }

    pub fn poll_send(&self, wait: Wait<'_>, to: Option<SocketAddr>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.host.poll(self.socket_id(), wait, |stack, moment| match stack.udp_send(moment.now(), self.id, to, data) {
            Ok(len) => Poll::Ready(Ok(len)),
            Err(UdpSendError::WouldBlock) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error.into_io())),
        })
    }

    pub fn poll_send_segments(
        &self,
        wait: Wait<'_>,
        to: Option<SocketAddr>,
        data: &[u8],
        segment_size: usize,
    ) -> Poll<io::Result<usize>> {
        let Some(segment_size) = u16::try_from(segment_size).ok().and_then(NonZeroU16::new) else {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("datagrams of {segment_size} bytes: a train has datagrams of 1 to 65535 bytes"),
            )));
        };
        self.host.poll(self.socket_id(), wait, |stack, moment| {
            match stack.udp_send_segments(moment.now(), self.id, to, data, segment_size) {
                Ok(len) => Poll::Ready(Ok(len)),
                Err(UdpSendError::WouldBlock) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error.into_io())),
            }
        })
    }

    pub fn poll_receive_segments(&self, wait: Wait<'_>, into: &mut [u8]) -> Poll<io::Result<Segments>> {
        let room = into.len();
        self.host.poll(self.socket_id(), wait, |stack, _| match stack.udp_receive_segments(self.id, into) {
            Ok(train) => {
                let (len, segment_size, from) = (train.len.min(room), train.segment_size, train.source);
                Poll::Ready(Ok(Segments { len, segment_size, from }))
            }
            Err(UdpReceiveError::WouldBlock) => Poll::Pending,
            Err(error @ UdpReceiveError::Network(_)) => Poll::Ready(Err(error.into_io())),
        })
    }

    pub fn poll_receive(&self, wait: Wait<'_>, into: &mut [u8]) -> Poll<io::Result<Datagram>> {
        self.host.poll(self.socket_id(), wait, |stack, _| match stack.udp_receive(self.id, into) {
            Ok((len, from)) => Poll::Ready(Ok(Datagram { len, from })),
            Err(UdpReceiveError::WouldBlock) => Poll::Pending,
            Err(error @ UdpReceiveError::Network(_)) => Poll::Ready(Err(error.into_io())),
        })
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.host.release(self.socket_id(), |stack, _| stack.udp_close(self.id));
    }
}
