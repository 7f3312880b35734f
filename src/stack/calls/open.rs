//! OPEN (RFC 9293 §3.10.1): listeners, what they accept, and connections of our own.

use crate::event::FourTuple;
use crate::stack::fast_open::early_room;
use crate::stack::{ListenerId, Stack, TcpId, ports};
use crate::tcp::{Config, ConnectError, ListenError};
use crate::time::Instant;
use std::net::{IpAddr, SocketAddr};

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

    pub fn tcp_listener_config(&self, listener: ListenerId) -> &Config {
        self.layers.tcp.listener_config(listener)
    }

    /// Changes what connections start with that the listener will accept from now on.
    pub fn tcp_configure_listener(&mut self, listener: ListenerId, change: impl FnOnce(&mut Config)) {
        self.layers.tcp.configure_listener(listener, change);
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
}
