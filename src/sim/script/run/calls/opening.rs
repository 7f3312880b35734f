//! What makes sockets, and what ends them.

use super::{Attempt, argument_number, done, error};
use crate::event::TcpState;
use crate::sim::script::run::constants::{O_NONBLOCK, member, number};
use crate::sim::script::run::sockets::{Attributes, File, Kind, Tcp};
use crate::sim::script::run::{Pending, Run, Stop};
use crate::sim::script::syntax::Expression;
use crate::tcp::ConnectError;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The port that an address names, or the one that the script means by `...`.
pub(super) fn port_of(address: Option<&Expression>, otherwise: u16) -> u16 {
    address.and_then(|address| member(address, "sin_port")).and_then(number).map_or(otherwise, |port| port as u16)
}

impl Run {
    pub(super) fn socket(&mut self, arguments: &[Expression], result: &Expression) -> Attempt {
        let family = arguments.first().and_then(number).unwrap_or(2);
        if family != 2 {
            return Err(Stop::unsupported("sockets of IPv6"));
        }
        let kind = argument_number(arguments, 1)?;
        let file = match kind & 0xf {
            1 => Kind::Fresh { config: Box::new(self.config.clone()), local: None },
            2 => Kind::UnboundUdp,
            other => return Err(Stop::unsupported(format!("sockets of type {other}"))),
        };
        self.map.restart();
        self.udp = matches!(file, Kind::UnboundUdp);
        self.open(File { nonblocking: kind & O_NONBLOCK != 0, ..File::new(file) }, result)
    }

    pub(super) fn bind(&mut self, arguments: &[Expression]) -> Attempt {
        let port = port_of(arguments.get(1), self.settings.bind_port);
        let address = SocketAddr::new(IpAddr::V4(self.map.local), port);
        self.map.local_port = port;
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        match &mut file.kind {
            Kind::Fresh { local: local @ None, .. } => *local = Some(address),
            Kind::UnboundUdp => match self.machine.stack.udp_bind(address) {
                Ok(id) => file.kind = Kind::Udp(id),
                Err(_) => return error("EADDRINUSE"),
            },
            _ => return error("EINVAL"),
        }
        done(0)
    }

    pub(super) fn listen(&mut self, arguments: &[Expression]) -> Attempt {
        let backlog = arguments.get(1).and_then(number).unwrap_or(1).clamp(1, 1 << 16) as usize;
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let (config, local) = match &file.kind {
            Kind::Fresh { config, local } => (config, local),
            // Once more changes the backlog, which here is as it is.
            Kind::Listener(_) => return done(0),
            _ => return error("EINVAL"),
        };
        let local = local.unwrap_or_else(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        match self.machine.stack.tcp_listen(local, backlog, (**config).clone()) {
            Ok(id) => file.kind = Kind::Listener(id),
            Err(_) => return error("EADDRINUSE"),
        }
        done(0)
    }

    pub(super) fn accept(&mut self, arguments: &[Expression], result: &Expression) -> Attempt {
        let flags = arguments.get(3).and_then(number).unwrap_or(0);
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get(&descriptor) else { return error("EBADF") };
        let (nonblocking, kind) = (file.nonblocking, &file.kind);
        let Kind::Listener(id) = *kind else { return error("EINVAL") };
        let attributes = file.attributes.clone();
        match self.machine.stack.tcp_accept(id) {
            Some(id) => {
                let kind = Kind::Tcp(Box::new(Tcp::new(id, true)));
                self.open(File { nonblocking: flags & O_NONBLOCK != 0, kind, attributes }, result)
            }
            None if nonblocking => error("EAGAIN"),
            None => Ok(None),
        }
    }

    pub(super) fn connect(&mut self, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let descriptor = argument_number(arguments, 0)?;
        let family = arguments.get(1).and_then(|address| member(address, "sa_family")).and_then(number);
        if family == Some(0) {
            return self.disconnect(descriptor);
        }
        let port = port_of(arguments.get(1), self.settings.connect_port);
        let remote = SocketAddr::new(self.map.remote.into(), port);
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let (stack, now) = (&mut self.machine.stack, self.machine.now);
        match &mut file.kind {
            Kind::UnboundUdp | Kind::Udp(_) => self.connect_datagrams(descriptor, remote),
            Kind::Fresh { config, local } => match stack.tcp_connect(now, remote, *local, (**config).clone()) {
                Ok(id) => {
                    let tuple = self.map.with_ports(stack.tcp_local_addr(id).port(), remote.port());
                    self.map.connect(tuple);
                    // Its first write opens it.
                    let deferred = stack.tcp_status(id).writable;
                    file.kind = Kind::Tcp(Box::new(Tcp { connected: deferred, ..Tcp::new(id, false) }));
                    if deferred {
                        return done(0);
                    }
                    pending.begun = true;
                    if file.nonblocking { error("EINPROGRESS") } else { Ok(None) }
                }
                Err(ConnectError::NoRoute { .. }) => error("ENETUNREACH"),
                Err(ConnectError::AddressInUse { .. } | ConnectError::PortsExhausted { .. }) => error("EADDRNOTAVAIL"),
                Err(ConnectError::NotUnicast { .. } | ConnectError::NotOurAddress { .. }) => error("EINVAL"),
            },
            Kind::Tcp(tcp) => {
                let status = stack.tcp_status(tcp.id);
                match tcp.take_error(stack) {
                    Some(name) => error(name),
                    None if status.closed.is_some() => error("ECONNABORTED"),
                    None if status.established && !tcp.connected => {
                        tcp.connected = true;
                        done(0)
                    }
                    None if status.established => error("EISCONN"),
                    None if !pending.begun => error("EALREADY"),
                    None => Ok(None),
                }
            }
            Kind::Listener(_) => error("EISCONN"),
            Kind::Epoll(_) | Kind::Zeros | Kind::Pipe(_) => error("ENOTSOCK"),
        }
    }

    fn connect_datagrams(&mut self, descriptor: i64, remote: SocketAddr) -> Attempt {
        let Some(id) = self.bound_datagrams(descriptor) else { return error("EADDRINUSE") };
        let stack = &mut self.machine.stack;
        let local = stack.udp_local_addr(id).port();
        self.map.tuple = Some(self.map.with_ports(local, remote.port()));
        if stack.udp_connect(id, remote).is_ok() { done(0) } else { error("ENETUNREACH") }
    }

    /// The UDP socket behind a descriptor, bound to a port of the stack's choice if to none.
    pub(super) fn bound_datagrams(&mut self, descriptor: i64) -> Option<crate::stack::UdpId> {
        let file = self.files.get_mut(&descriptor)?;
        if let Kind::UnboundUdp = file.kind {
            let any = SocketAddr::new(self.map.local.into(), 0);
            file.kind = Kind::Udp(self.machine.stack.udp_bind(any).ok()?);
        }
        if let Kind::Udp(id) = file.kind { Some(id) } else { None }
    }

    /// `connect` to no address at all: the socket is as new, and its peer is told by a RST.
    fn disconnect(&mut self, descriptor: i64) -> Attempt {
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        let stack = &mut self.machine.stack;
        let (config, local) = match &file.kind {
            Kind::Tcp(tcp) => {
                let config = stack.tcp_config(tcp.id).clone();
                let local = stack.tcp_local_addr(tcp.id);
                stack.tcp_abort(self.machine.now, tcp.id);
                (config, tcp.accepted.then_some(local))
            }
            Kind::Listener(id) => {
                let local = stack.tcp_listener_addr(*id);
                stack.tcp_close_listener(self.machine.now, *id);
                (self.config.clone(), Some(local))
            }
            Kind::Fresh { .. } | Kind::UnboundUdp => return done(0),
            Kind::Udp(_) | Kind::Epoll(_) | Kind::Zeros | Kind::Pipe(_) => {
                return Err(Stop::unsupported("connect to no address with this descriptor"));
            }
        };
        file.kind = Kind::Fresh { config: Box::new(config), local };
        done(0)
    }

    pub(super) fn close(&mut self, arguments: &[Expression], pending: &mut Pending) -> Attempt {
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get(&descriptor) else { return error("EBADF") };
        if let (Kind::Tcp(tcp), Some(linger)) = (&file.kind, file.attributes.linger)
            && !linger.is_zero()
        {
            let (id, over) = (tcp.id, pending.started + linger);
            pending.wake_at = Some(over);
            self.machine.stack.tcp_shutdown(self.machine.now, id);
            let state = self.machine.stack.tcp_status(id).state;
            let finished = matches!(state, TcpState::FinWait2 | TcpState::TimeWait | TcpState::Closed);
            if !finished && self.machine.now < over {
                return Ok(None);
            }
        }
        if let Some(file) = self.files.remove(&descriptor) {
            self.release(file);
        }
        done(0)
    }

    pub(in crate::sim::script::run) fn release(&mut self, file: File) {
        let (stack, now) = (&mut self.machine.stack, self.machine.now);
        let Attributes { linger, .. } = file.attributes;
        match file.kind {
            Kind::Tcp(tcp) if linger.is_some_and(|linger| linger.is_zero()) => stack.tcp_abort(now, tcp.id),
            Kind::Tcp(tcp) => stack.tcp_close(now, tcp.id),
            Kind::Listener(id) => stack.tcp_close_listener(now, id),
            Kind::Udp(id) => stack.udp_close(id),
            Kind::Fresh { .. } | Kind::UnboundUdp | Kind::Epoll(_) | Kind::Zeros | Kind::Pipe(_) => {}
        }
    }

    pub(super) fn shutdown(&mut self, arguments: &[Expression]) -> Attempt {
        let how = argument_number(arguments, 1)?;
        let descriptor = argument_number(arguments, 0)?;
        let Some(file) = self.files.get_mut(&descriptor) else { return error("EBADF") };
        if !(0..=2).contains(&how) {
            return error("EINVAL");
        }
        let tcp = match &mut file.kind {
            Kind::Tcp(tcp) => tcp,
            Kind::Listener(_) if how != 1 => return self.disconnect(descriptor),
            Kind::Epoll(_) | Kind::Zeros | Kind::Pipe(_) => return error("ENOTSOCK"),
            Kind::Fresh { .. } | Kind::Listener(_) | Kind::UnboundUdp | Kind::Udp(_) => return error("ENOTCONN"),
        };
        let status = self.machine.stack.tcp_status(tcp.id);
        if status.closed.is_some() {
            return error("ENOTCONN");
        }
        tcp.shut_for_reading |= how != 1;
        if how != 0 || !status.established {
            self.machine.stack.tcp_shutdown(self.machine.now, tcp.id);
        }
        done(0)
    }
}
