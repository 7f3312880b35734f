//! Ping sockets.

use crate::icmp;
use crate::stack::{PingError, PingId, PingReply, Stack};
use crate::time::Instant;
use std::net::IpAddr;

/// The most data in an echo request over IPv4: 65,535 less the IP and ICMP headers.
const MAX_ECHO_DATA: usize = 65_507;

impl Stack {
    pub fn ping_open(&mut self) -> PingId {
        self.layers.ping.open(&mut self.random)
    }

    /// One echo request (RFC 792) with `data` behind its header.
    pub fn ping_send(
        &mut self,
        now: Instant,
        id: PingId,
        to: IpAddr,
        sequence: u16,
        data: &[u8],
        ttl: u8,
    ) -> Result<(), PingError> {
        let (mut cx, layers) = self.enter(now);
        if !layers.has_room() {
            return Err(PingError::WouldBlock);
        }
        if data.len() > MAX_ECHO_DATA {
            return Err(PingError::TooLong { len: data.len(), max: MAX_ECHO_DATA });
        }
        let source = layers.ip.source_for(to).ok_or(PingError::NoRoute { destination: to })?;
        let id = layers.ping.identifier(id);
        let packet = icmp::echo_request(&mut cx, (source, to), (id, sequence), data, ttl);
        layers.enqueue(packet);
        Ok(())
    }

    pub fn ping_receive(&mut self, id: PingId) -> Option<PingReply> {
        self.layers.ping.receive(id)
    }

    pub fn ping_close(&mut self, id: PingId) {
        self.layers.ping.close(id);
    }
}
