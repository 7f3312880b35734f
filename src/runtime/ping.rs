//! A socket for echo requests.

use super::error::Kind;
use super::host::Host;
use super::socket::Seat;
use super::waiters::Direction;
use crate::stack::{PingId, PingReply, SocketId};
use crate::time::Instant;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::task::Poll;

/// Sends echo requests and receives what comes back to them.
pub struct PingSocket {
    host: Host,
    id: PingId,
}

impl PingSocket {
    pub fn open(host: &Host) -> PingSocket {
        PingSocket { host: host.clone(), id: host.with(|stack, _| stack.ping_open()) }
    }

    /// Sends one request; gives the time at which it left.
    pub fn send(&self, to: IpAddr, sequence: u16, data: &[u8], ttl: u8) -> io::Result<Instant> {
        if let Some(ended) = self.host.ended() {
            return Err(ended);
        }
        let send = self.host.with(|stack, now| stack.ping_send(now, self.id, to, sequence, data, ttl).map(|()| now));
        send.map_err(Kind::into_io)
    }

    /// The next reply, or the ICMP error that came in its stead.
    pub async fn receive(&self) -> io::Result<PingReply> {
        let seat = Seat::new(&self.host, SocketId::Ping(self.id), Direction::Read);
        poll_fn(|cx| {
            let wait = Some(seat.wait(cx.waker()));
            self.host.poll(SocketId::Ping(self.id), wait, |stack, _| match stack.ping_receive(self.id) {
                Some(reply) => Poll::Ready(Ok(reply)),
                None => Poll::Pending,
            })
        })
        .await
    }
}

impl Drop for PingSocket {
    fn drop(&mut self) {
        self.host.release(SocketId::Ping(self.id), |stack, _| stack.ping_close(self.id));
    }
}
