//! The descriptors of a script, and what the sockets behind them are at present.

use super::constants::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP};
use crate::event::{CloseReason, TcpState};
use crate::stack::{ListenerId, Stack, TcpId, UdpId};
use crate::tcp::Config;
use crate::time::Instant;
use std::net::SocketAddr;

pub struct File {
    pub nonblocking: bool,
    pub kind: Kind,
}

pub enum Kind {
    /// A TCP socket that neither listens nor connects.
    Fresh {
        config: Box<Config>,
        local: Option<SocketAddr>,
    },
    Listener(ListenerId),
    Tcp(Tcp),
    UnboundUdp,
    Udp(UdpId),
    /// Descriptors that are watched, with their events.
    Epoll(Vec<(i64, i64)>),
}

pub struct Tcp {
    pub id: TcpId,
    /// The error that ended the connection has been reported.
    pub error_told: bool,
    /// It was opened by `connect`, whose success has been reported.
    pub connected: bool,
    pub shut_for_reading: bool,
    /// `SO_LINGER` with a time of zero: `close` aborts.
    pub aborts: bool,
}

impl Tcp {
    pub fn new(id: TcpId, connected: bool) -> Tcp {
        Tcp { id, error_told: false, connected, shut_for_reading: false, aborts: false }
    }

    /// The error that waits to be told, as the socket interface does: once.
    pub fn take_error(&mut self, stack: &Stack) -> Option<&'static str> {
        let error = stack.tcp_status(self.id).closed.and_then(error_of)?;
        (!std::mem::replace(&mut self.error_told, true)).then_some(error)
    }
}

/// The name of the error that a closed connection gives.
pub fn error_of(reason: CloseReason) -> Option<&'static str> {
    match reason {
        CloseReason::Finished | CloseReason::Aborted => None,
        CloseReason::ResetByPeer => Some("ECONNRESET"),
        CloseReason::Refused => Some("ECONNREFUSED"),
        CloseReason::TimedOut | CloseReason::KeepaliveTimedOut => Some("ETIMEDOUT"),
        CloseReason::Unreachable => Some("EHOSTUNREACH"),
    }
}

/// What Linux calls an error by its number.
pub fn error_number(name: &str) -> i64 {
    const NUMBERS: [(&str, i64); 5] =
        [("ECONNRESET", 104), ("ECONNREFUSED", 111), ("ETIMEDOUT", 110), ("EHOSTUNREACH", 113), ("EINPROGRESS", 115)];
    NUMBERS.iter().find(|(known, _)| *known == name).map_or(0, |(_, number)| *number)
}

impl File {
    /// The settings of a TCP socket.
    pub fn config<'s>(&'s self, stack: &'s Stack) -> Option<&'s Config> {
        match &self.kind {
            Kind::Fresh { config, .. } => Some(config),
            Kind::Listener(id) => Some(stack.tcp_listener_config(*id)),
            Kind::Tcp(tcp) => Some(stack.tcp_config(tcp.id)),
            Kind::UnboundUdp | Kind::Udp(_) | Kind::Epoll(_) => None,
        }
    }

    /// Changes the settings of a TCP socket; other files have none.
    pub fn configure(&mut self, stack: &mut Stack, now: Instant, change: impl FnOnce(&mut Config)) {
        match &mut self.kind {
            Kind::Fresh { config, .. } => change(config),
            Kind::Listener(id) => stack.tcp_configure_listener(*id, change),
            Kind::Tcp(tcp) => stack.tcp_configure(now, tcp.id, change),
            Kind::UnboundUdp | Kind::Udp(_) | Kind::Epoll(_) => {}
        }
    }

    /// Which of poll's events hold now.
    pub fn events(&self, stack: &Stack) -> i64 {
        match &self.kind {
            Kind::Fresh { .. } => POLLOUT | POLLHUP,
            Kind::Listener(id) => i64::from(stack.tcp_has_waiting(*id)) * POLLIN,
            Kind::Tcp(tcp) => tcp_events(tcp, stack),
            Kind::UnboundUdp => POLLOUT,
            Kind::Udp(id) => POLLOUT | (i64::from(stack.udp_readable(*id)) * POLLIN),
            Kind::Epoll(_) => 0,
        }
    }
}

fn tcp_events(tcp: &Tcp, stack: &Stack) -> i64 {
    let status = stack.tcp_status(tcp.id);
    let error = status.closed.and_then(error_of).is_some() && !tcp.error_told;
    let opening = matches!(status.state, TcpState::SynSent | TcpState::SynReceived);
    let peer_done = matches!(
        status.state,
        TcpState::CloseWait | TcpState::LastAck | TcpState::Closing | TcpState::TimeWait | TcpState::Closed
    );
    let we_are_done = !matches!(status.state, TcpState::Established | TcpState::CloseWait) && !opening;
    let mut events = 0;
    let mut add = |holds: bool, event: i64| events |= i64::from(holds) * event;
    add(status.readable || tcp.shut_for_reading, POLLIN);
    add(status.writable, POLLOUT);
    add(error, POLLERR);
    add(peer_done || tcp.shut_for_reading, POLLRDHUP);
    add(peer_done && we_are_done, POLLHUP);
    events
}
