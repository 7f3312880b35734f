//! UDP sockets.

use crate::stack::{BindError, Stack, UdpId, UdpReceiveError, UdpSendError};
use crate::time::Instant;
use crate::udp::ReceivedSegments;
use std::net::SocketAddr;
use std::num::NonZeroU16;

impl Stack {
    /// Port 0 takes a random free one (RFC 6056); an unspecified address takes all of ours.
    pub fn udp_bind(&mut self, local: SocketAddr) -> Result<UdpId, BindError> {
        let ip = &self.layers.ip;
        if !local.ip().is_unspecified() && !ip.is_ours(local.ip()) && !ip.is_broadcast(local.ip()) {
            return Err(BindError::NotOurAddress { address: local.ip() });
        }
        self.layers.udp.bind(&mut self.random, local)
    }

    /// Fixes the peer: only its datagrams are taken, and ICMP errors about ours are reported.
    pub fn udp_connect(&mut self, id: UdpId, remote: SocketAddr) -> Result<(), BindError> {
        let source = self.layers.ip.source_for(remote.ip());
        let source = source.ok_or(BindError::NoRoute { destination: remote.ip() })?;
        self.layers.udp.socket_mut(id).connect(remote, source);
        Ok(())
    }

    /// One datagram to `to`, or to the peer. Where the device cannot take it now it waits.
    pub fn udp_send(
        &mut self,
        now: Instant,
        id: UdpId,
        to: Option<SocketAddr>,
        data: &[u8],
    ) -> Result<usize, UdpSendError> {
        let (mut cx, layers) = self.enter(now);
        layers.send_datagram(id, |socket, ip, packet| socket.send(&mut cx, ip, to, data, packet))?;
        Ok(data.len())
    }

    /// Sends `data` as datagrams of `segment_size` bytes each, of which the last may be shorter: a train that costs the
    /// stack as much as one datagram.
    pub fn udp_send_segments(
        &mut self,
        now: Instant,
        id: UdpId,
        to: Option<SocketAddr>,
        data: &[u8],
        segment_size: NonZeroU16,
    ) -> Result<usize, UdpSendError> {
        let (mut cx, layers) = self.enter(now);
        layers.send_datagram(id, |socket, ip, packet| {
            socket.send_segments(&mut cx, ip, to, data, segment_size, packet)
        })?;
        Ok(data.len())
    }

    /// Gives the oldest datagram and those that follow it of the same size and from the same sender, as many as fit.
    pub fn udp_receive_segments(&mut self, id: UdpId, into: &mut [u8]) -> Result<ReceivedSegments, UdpReceiveError> {
        self.layers.udp.socket_mut(id).receive_segments(into)
    }

    /// Gives the whole length of the datagram, what did not fit into `into` being lost, and who sent it.
    pub fn udp_receive(&mut self, id: UdpId, into: &mut [u8]) -> Result<(usize, SocketAddr), UdpReceiveError> {
        self.layers.udp.socket_mut(id).receive(into).map(|datagram| (datagram.len, datagram.source))
    }

    pub fn udp_readable(&self, id: UdpId) -> bool {
        self.layers.udp.socket(id).is_readable()
    }

    pub fn udp_local_addr(&self, id: UdpId) -> SocketAddr {
        self.layers.udp.socket(id).local()
    }

    pub fn udp_remote_addr(&self, id: UdpId) -> Option<SocketAddr> {
        self.layers.udp.socket(id).remote()
    }

    pub fn udp_set_broadcast(&mut self, id: UdpId, allowed: bool) {
        self.layers.udp.socket_mut(id).config.broadcast = allowed;
    }

    pub fn udp_broadcast(&self, id: UdpId) -> bool {
        self.layers.udp.socket(id).config.broadcast
    }

    pub fn udp_set_ttl(&mut self, id: UdpId, ttl: u8) {
        self.layers.udp.socket_mut(id).config.ttl = ttl;
    }

    pub fn udp_close(&mut self, id: UdpId) {
        self.layers.udp.close(id);
    }
}
