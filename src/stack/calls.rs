//! What applications may ask of a host's sockets. Every call returns at once.

use super::fast_open::early_room;
use super::socket::{Shape, is_unfolded};
use super::{
    BindError, Handshakes, ListenerId, PingError, PingId, PingReply, Stack, TcpId, TcpUsage, UdpId, UdpReceiveError,
    UdpSendError, ports,
};
use crate::event::{Context, FourTuple};
use crate::icmp;
use crate::pool::Pool;
use crate::tcp::{Config, ConnectError, Connection, Info, ListenError, ReceiveError, SendError, Status, Writing};
use crate::time::Instant;
use crate::udp::ReceivedSegments;
use bytes::{Buf, Bytes};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

/// The most data in an echo request over IPv4: 65,535 less the IP and ICMP headers.
const MAX_ECHO_DATA: usize = 65_507;

/// TCP sockets.
impl Stack {
    /// Passive OPEN (RFC 9293 §3.10.1). An unspecified address listens on all of ours (MUST-43); port 0 takes a random
    /// free one.
    pub fn tcp_listen(
        &mut self,
        mut local: SocketAddr,
        backlog: usize,
        config: Config,
    ) -> Result<ListenerId, ListenError> {
        if !local.ip().is_unspecified() && !self.layers.ip.is_ours(local.ip()) {
            return Err(ListenError::NotOurAddress { address: local.ip() });
        }
        let table = &mut self.layers.tcp;
        if local.port() == 0 {
            let is_free = |port| !table.listens((local.ip(), port).into());
            local.set_port(ports::choose(&mut self.random, is_free).ok_or(ListenError::PortsExhausted)?);
        }
        // RFC 9293 §3.9.1.1 (MUST-41)
        if table.listens(local) {
            return Err(ListenError::AddressInUse { port: local.port() });
        }
        Ok(table.listen(local, backlog, config))
    }

    /// The next connection whose handshake is complete.
    pub fn tcp_accept(&mut self, listener: ListenerId) -> Option<TcpId> {
        self.layers.tcp.accept(listener)
    }

    /// [`tcp_accept`](Stack::tcp_accept) would give a connection.
    pub fn tcp_has_waiting(&self, listener: ListenerId) -> bool {
        self.layers.tcp.has_waiting(listener)
    }

    /// Connections that nobody has accepted are aborted.
    pub fn tcp_close_listener(&mut self, now: Instant, listener: ListenerId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.close_listener(&mut cx, listener);
    }

    pub fn tcp_listener_addr(&self, listener: ListenerId) -> SocketAddr {
        self.layers.tcp.listener_addr(listener)
    }

    /// Active OPEN (RFC 9293 §3.10.1). A local address or port that is not given is chosen.
    pub fn tcp_connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        config: Config,
    ) -> Result<TcpId, ConnectError> {
        let tuple = self.choose_tuple(remote, local)?;
        let mtu = self.layers.ip.mtu_for(now, remote.ip());
        let (mut cx, layers) = self.enter(now);
        if config.fast_open_connect {
            return Ok(layers.tcp.connect_on_write(&mut cx, tuple, config, mtu));
        }
        Ok(layers.tcp.connect(&mut cx, tuple, config, mtu))
    }

    /// The same with data for the SYN (RFC 7413), as much as is told back: it reaches the server a round trip earlier, if
    /// that has given us a cookie before; else, or when the path drops such SYNs, it follows the handshake. What is in a
    /// SYN may come to the server twice.
    pub fn tcp_connect_with_data(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        config: Config,
        data: &[u8],
    ) -> Result<(TcpId, usize), ConnectError> {
        let tuple = self.choose_tuple(remote, local)?;
        let mtu = self.layers.ip.mtu_for(now, remote.ip());
        let taken = data.len().min(early_room(&config));
        let (mut cx, layers) = self.enter(now);
        Ok((layers.tcp.connect_with(&mut cx, tuple, config, mtu, &data[..taken]), taken))
    }

    /// Data for this server would travel with the SYN.
    pub fn tcp_has_fast_open_cookie(&self, now: Instant, server: IpAddr) -> bool {
        self.layers.tcp.jar.has_cookie(now, server)
    }

    fn choose_tuple(&mut self, remote: SocketAddr, local: Option<SocketAddr>) -> Result<FourTuple, ConnectError> {
        let ip = &self.layers.ip;
        // RFC 9293 §3.9.1.1 (MUST-46)
        if remote.port() == 0 || remote.ip().is_unspecified() || ip.is_broadcast(remote.ip()) {
            return Err(ConnectError::NotUnicast { remote });
        }
        // RFC 9293 §3.9.1.1 (MUST-44, MUST-45)
        let chosen = ip.source_for(remote.ip()).ok_or(ConnectError::NoRoute { remote: remote.ip() })?;
        let address = local.map(|local| local.ip()).filter(|address| !address.is_unspecified()).unwrap_or(chosen);
        if !ip.is_ours(address) {
            return Err(ConnectError::NotOurAddress { address });
        }
        let tuple = |port| FourTuple { local: (address, port).into(), remote };
        let table = &self.layers.tcp;
        match local.map_or(0, |local| local.port()) {
            0 => {
                let owns = |port| self.config.share.owns(port);
                let port = ports::choose(&mut self.random, |port| owns(port) && !table.is_taken(&tuple(port)));
                port.map(tuple).ok_or(ConnectError::PortsExhausted { remote })
            }
            port if table.is_taken(&tuple(port)) => {
                Err(ConnectError::AddressInUse { local: (address, port).into(), remote })
            }
            port => Ok(tuple(port)),
        }
    }

    /// SEND (RFC 9293 §3.10.2): takes as much as there is room for.
    pub fn tcp_send(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, SendError> {
        self.tcp_send_with(now, id, data, Writing::default())
    }

    /// The same as urgent data (RFC 9293 §3.8.5), which new applications should not use (SHLD-13).
    pub fn tcp_send_urgent(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, SendError> {
        self.tcp_send_with(now, id, data, Writing { urgent: true, ..Writing::default() })
    }

    /// The same, with what the writer says of its data.
    pub fn tcp_send_with(&mut self, now: Instant, id: TcpId, data: &[u8], how: Writing) -> Result<usize, SendError> {
        match self.tcp_write(now, id, |connection, cx| connection.send_with(cx, data, how)) {
            Err(SendError::WouldBlock) => self.open_with_first_write(now, id, data),
            sent => sent,
        }
    }

    /// The same with bytes that are handed over instead of copied: as many from the front as there is room for.
    pub fn tcp_send_bytes(&mut self, now: Instant, id: TcpId, data: &mut Bytes) -> Result<usize, SendError> {
        match self.tcp_write(now, id, |connection, cx| connection.send_bytes(cx, data, Writing::default())) {
            Err(SendError::WouldBlock) => {
                let taken = self.open_with_first_write(now, id, data)?;
                data.advance(taken);
                Ok(taken)
            }
            sent => sent,
        }
    }

    /// A write that would block may be the one for which an opening waits.
    fn open_with_first_write(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, SendError> {
        let (mut cx, layers) = self.enter(now);
        let deferred = matches!(&layers.tcp.view(id).shape, Shape::Opening(opening) if opening.is_deferred());
        if !deferred || data.is_empty() {
            return Err(SendError::WouldBlock);
        }
        Ok(layers.tcp.open_with_first_write(&mut cx, id, data))
    }

    fn tcp_write(
        &mut self,
        now: Instant,
        id: TcpId,
        write: impl FnOnce(&mut Connection, &mut Context<'_>) -> Result<usize, SendError>,
    ) -> Result<usize, SendError> {
        let (mut cx, layers) = self.enter(now);
        let memory = layers.tcp.memory();
        let sent = match &mut layers.tcp.socket(id).shape {
            Shape::Connection(connection) => {
                connection.set_memory(memory, cx.pool);
                write(connection, &mut cx)
            }
            Shape::Opening(opening) => match opening.early_mut() {
                Some(early) => {
                    early.set_memory(memory, cx.pool);
                    write(early, &mut cx)
                }
                None => Err(SendError::WouldBlock),
            },
            Shape::Resting(_) => is_unfolded(),
            Shape::Failed { reason, .. } => Err(SendError::Closed(*reason)),
        };
        layers.tcp.settle(id);
        layers.tcp.tell_memory(&mut cx, id);
        sent
    }

    /// RECEIVE (RFC 9293 §3.10.3): 0 bytes mean that the peer has finished.
    pub fn tcp_receive(&mut self, id: TcpId, into: &mut [u8]) -> Result<usize, ReceiveError> {
        // Who asks again and again need not wake what rests.
        if let Shape::Resting(resting) = &self.layers.tcp.view(id).shape {
            return resting.receive();
        }
        self.tcp_read(id, |connection, pool| connection.receive(into, pool))
    }

    /// The same without a copy: `read` is shown what can be read, as far as it lies in one piece, or nothing when the
    /// peer has finished; it tells how many bytes are done with.
    pub fn tcp_receive_with<T>(
        &mut self,
        id: TcpId,
        read: impl FnOnce(&[u8]) -> (usize, T),
    ) -> Result<T, ReceiveError> {
        if let Shape::Resting(resting) = &self.layers.tcp.view(id).shape {
            return resting.receive().map(|_| read(&[]).1);
        }
        self.tcp_read(id, |connection, pool| connection.receive_with(pool, read))
    }

    fn tcp_read<T>(
        &mut self,
        id: TcpId,
        read: impl FnOnce(&mut Connection, &mut Pool) -> Result<T, ReceiveError>,
    ) -> Result<T, ReceiveError> {
        let received = match &mut self.layers.tcp.socket(id).shape {
            Shape::Connection(connection) => read(connection, &mut self.pool),
            Shape::Opening(opening) => match opening.early_mut() {
                Some(early) => read(early, &mut self.pool),
                None => Err(ReceiveError::WouldBlock),
            },
            Shape::Resting(_) => is_unfolded(),
            Shape::Failed { reason, .. } => Err(ReceiveError::Closed(*reason)),
        };
        self.layers.tcp.settle(id);
        received
    }

    /// The same without taking the bytes out.
    pub fn tcp_peek(&self, id: TcpId, into: &mut [u8]) -> Result<usize, ReceiveError> {
        let socket = self.layers.tcp.view(id);
        match &socket.shape {
            Shape::Connection(connection) => connection.peek(into),
            Shape::Resting(resting) => resting.receive(),
            Shape::Opening(opening) => opening.early().map_or(Err(ReceiveError::WouldBlock), |early| early.peek(into)),
            Shape::Failed { reason, .. } => Err(ReceiveError::Closed(*reason)),
        }
    }

    /// CLOSE of the sending side: FIN after what is buffered. A connection that is still being opened is given up.
    pub fn tcp_shutdown(&mut self, now: Instant, id: TcpId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.shutdown(&mut cx, id);
    }

    /// The application lets go: what was written is still delivered, and the stack finishes by itself. With data
    /// unread the peer is told by a RST (RFC 9293 §3.6.1, SHLD-3). The id is no longer valid.
    pub fn tcp_close(&mut self, now: Instant, id: TcpId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.release(&mut cx, id);
    }

    /// ABORT (RFC 9293 §3.10.5): sends RST. The id is no longer valid.
    pub fn tcp_abort(&mut self, now: Instant, id: TcpId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.abort(&mut cx, id);
    }

    pub fn tcp_status(&self, id: TcpId) -> Status {
        let socket = self.layers.tcp.view(id);
        match &socket.shape {
            Shape::Connection(connection) => connection.status(),
            Shape::Resting(resting) => resting.unfold(socket.tuple()).status(),
            shape @ (Shape::Opening(_) | Shape::Failed { .. }) => {
                if let Shape::Opening(opening) = shape
                    && let Some(early) = opening.early()
                {
                    return Status { state: opening.state(), ..early.status() };
                }
                let closed = if let Shape::Failed { reason, .. } = shape { Some(*reason) } else { None };
                let over = closed.is_some();
                let deferred = matches!(&socket.shape, Shape::Opening(opening) if opening.is_deferred());
                Status { state: socket.state(), established: false, readable: over, writable: over || deferred, closed }
            }
        }
    }

    /// STATUS (RFC 9293 §3.10.6): none before the connection is established, or has data by Fast Open.
    pub fn tcp_info(&self, id: TcpId) -> Option<Info> {
        let socket = self.layers.tcp.view(id);
        match &socket.shape {
            Shape::Connection(connection) => Some(connection.info()),
            Shape::Resting(resting) => Some(resting.unfold(socket.tuple()).info()),
            Shape::Opening(opening) => opening.early().map(|early| Info { state: opening.state(), ..early.info() }),
            Shape::Failed { .. } => None,
        }
    }

    /// How many connections have not come to their end; those in TIME-WAIT only wait.
    pub fn tcp_unfinished(&self) -> usize {
        self.layers.tcp.unfinished()
    }

    /// The state of every socket, listeners and those that nobody holds any more included, in no particular order.
    pub fn tcp_states(&self) -> impl Iterator<Item = crate::event::TcpState> {
        self.layers.tcp.states()
    }

    /// How many connections there are, and what they hold.
    pub fn tcp_usage(&self) -> TcpUsage {
        self.layers.tcp.usage()
    }

    /// What became of the SYNs to our listeners since the stack began.
    pub fn tcp_handshakes(&self) -> Handshakes {
        self.layers.tcp.handshakes
    }

    /// The connection to which segments between these endpoints belong.
    #[doc(hidden)]
    pub fn tcp_find(&self, tuple: &FourTuple) -> Option<TcpId> {
        self.layers.tcp.sockets.find(tuple)
    }

    pub fn tcp_local_addr(&self, id: TcpId) -> SocketAddr {
        self.layers.tcp.tuple(id).local
    }

    pub fn tcp_remote_addr(&self, id: TcpId) -> SocketAddr {
        self.layers.tcp.tuple(id).remote
    }

    pub fn tcp_config(&self, id: TcpId) -> &Config {
        self.layers.tcp.config(id)
    }

    /// Changes the settings of an open connection: `nagle`, `keepalive`, `ttl` and so on.
    pub fn tcp_configure(&mut self, now: Instant, id: TcpId, change: impl FnOnce(&mut Config)) {
        let (mut cx, layers) = self.enter(now);
        match &mut layers.tcp.socket(id).shape {
            Shape::Connection(connection) => connection.configure(&mut cx, change),
            Shape::Opening(opening) => match opening.early_mut() {
                Some(early) => early.configure(&mut cx, change),
                None => change(opening.config_mut()),
            },
            Shape::Resting(_) => is_unfolded(),
            Shape::Failed { config, .. } => change(Arc::make_mut(config)),
        }
        layers.tcp.settle(id);
    }

    pub fn tcp_listener_config(&self, listener: ListenerId) -> &Config {
        self.layers.tcp.listener_config(listener)
    }

    /// Changes what connections start with that the listener will accept from now on.
    pub fn tcp_configure_listener(&mut self, listener: ListenerId, change: impl FnOnce(&mut Config)) {
        self.layers.tcp.configure_listener(listener, change);
    }
}

/// UDP sockets.
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
        if !layers.has_room() {
            return Err(UdpSendError::WouldBlock);
        }
        let packet = layers.udp.socket_mut(id).send(&mut cx, &layers.ip, to, data)?;
        layers.enqueue(packet);
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
        if !layers.has_room() {
            return Err(UdpSendError::WouldBlock);
        }
        let packet = layers.udp.socket_mut(id).send_segments(&mut cx, &layers.ip, to, data, segment_size)?;
        layers.enqueue(packet);
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

/// Ping sockets.
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
