//! A socket for echo requests.

use super::error::Kind;
use super::host::Host;
use super::socket::Call;
use super::waiters::{Direction, Wait};
use crate::stack::{PingId, PingReply, SocketId};
use crate::time::Instant;
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
        let socket = SocketId::Ping(self.id);
        let attempt = |wait: Wait<'_>| {
            self.host.poll(socket, wait, |stack, _| match stack.ping_receive(self.id) {
                Some(reply) => Poll::Ready(Ok(reply)),
                None => Poll::Pending,
            })
        };
        Call::new(&self.host, socket, Direction::Read).finish(attempt).await
    }
}

impl Drop for PingSocket {
    fn drop(&mut self) {
        self.host.release(SocketId::Ping(self.id), |stack, _| stack.ping_close(self.id));
    }
}
