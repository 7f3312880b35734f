//! The descriptors of a script, and what the sockets behind them are at present.

use super::constants::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP};
use super::epoll::Epoll;
use super::stamps::Stamps;
use crate::event::{CloseReason, TcpState};
use crate::stack::{ListenerId, Stack, TcpId, UdpId};
use crate::tcp::Config;
use crate::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

pub struct File {
    pub nonblocking: bool,
    pub kind: Kind,
    pub attributes: Attributes,
}

pub enum Kind {
    /// A TCP socket that neither listens nor connects.
    Fresh {
        config: Box<Config>,
        local: Option<SocketAddr>,
    },
    Listener(ListenerId),
    Tcp(Box<Tcp>),
    UnboundUdp,
    Udp(UdpId),
    Epoll(Epoll),
    /// A file, whatever its name.
    Zeros,
    Pipe(Pipe),
}

/// An end of a pipe.
pub struct Pipe {
    /// Its place in the list of how full each is.
    pub number: usize,
}

/// Socket options that concern the socket interface and not the stack. A listener hands them on.
#[derive(Clone)]
pub struct Attributes {
    /// `SO_LINGER`
    pub linger: Option<Duration>,
    /// `SO_RCVLOWAT`: a read waits for so many bytes.
    pub low_water: usize,
    /// `SO_ZEROCOPY`
    pub zero_copy: bool,
    /// `TCP_INQ`
    pub inquire: bool,
    /// What was set and changes nothing, so that it can be read again.
    pub remembered: BTreeMap<String, i64>,
}

impl File {
    pub fn new(kind: Kind) -> File {
        let attributes =
            Attributes { linger: None, low_water: 1, zero_copy: false, inquire: false, remembered: BTreeMap::new() };
        File { nonblocking: false, kind, attributes }
    }
}

pub struct Tcp {
    pub id: TcpId,
    /// It came from a listener.
    pub accepted: bool,
    /// The error that ended the connection has been reported.
    pub error_told: bool,
    /// It was opened by `connect`, whose success has been reported.
    pub connected: bool,
    pub shut_for_reading: bool,
    /// Totals of what the application has written and read.
    pub written: u64,
    pub read: u64,
    /// A write found no room: when there is some, whoever waits for the edge hears of it.
    pub wants_room: bool,
    /// How often there was room again.
    pub rooms: u64,
    pub zero_copies: ZeroCopies,
    pub stamps: Stamps,
}

impl Tcp {
    pub fn new(id: TcpId, accepted: bool) -> Tcp {
        Tcp {
            id,
            accepted,
            error_told: false,
            connected: accepted,
            shut_for_reading: false,
            written: 0,
            read: 0,
            wants_room: false,
            rooms: 0,
            zero_copies: ZeroCopies::default(),
            stamps: Stamps::default(),
        }
    }

    /// The error that waits to be told, as the socket interface does: once.
    pub fn take_error(&mut self, stack: &Stack) -> Option<&'static str> {
        let error = stack.tcp_status(self.id).closed.and_then(error_of)?;
        (!std::mem::replace(&mut self.error_told, true)).then_some(error)
    }

    /// Room for a writer, as Linux counts it: when a third of the buffer is free, not with every byte, and when less
    /// than half of what `TCP_NOTSENT_LOWAT` allows waits to be sent.
    pub fn is_writable(&self, stack: &Stack) -> bool {
        let worthwhile = stack.tcp_info(self.id).is_none_or(|info| {
            let config = stack.tcp_config(self.id);
            let free = config.send_buffer.saturating_sub(info.send_queue);
            2 * free >= info.send_queue && config.unsent_limit.is_none_or(|limit| 2 * info.notsent < limit as u64)
        });
        let status = stack.tcp_status(self.id);
        status.writable && (worthwhile || status.closed.is_some())
    }

    /// Something has happened: has what somebody waits for come about?
    pub fn take_note(&mut self, stack: &Stack, now: Instant) {
        let (sent, acknowledged) = match (stack.tcp_info(self.id), stack.tcp_status(self.id).closed) {
            (_, Some(_)) => (u64::MAX, u64::MAX),
            (Some(info), None) => (info.bytes_acked + info.unacked, info.bytes_acked),
            (None, None) => (0, 0),
        };
        self.stamps.note(now, sent, acknowledged);
        self.zero_copies.acknowledged(acknowledged);
        if self.wants_room && self.is_writable(stack) {
            self.wants_room = false;
            self.rooms += 1;
        }
    }

    /// What changes whenever an edge-triggered watcher has to be told.
    pub fn edges(&self, stack: &Stack) -> [u64; 4] {
        let status = stack.tcp_status(self.id);
        let received = stack.tcp_info(self.id).map_or(0, |info| info.bytes_received);
        let labels =
            u64::from(status.established) | u64::from(status.closed.is_some()) << 1 | (status.state as u64) << 2;
        [received, self.rooms, self.zero_copies.told, labels]
    }
}

/// `MSG_ZEROCOPY`: each send has a number, and word comes back when its bytes are needed no more.
#[derive(Default)]
pub struct ZeroCopies {
    next: u32,
    /// Where the sends that are under way end, with their numbers.
    sent: VecDeque<(u64, u32)>,
    /// Numbers from and to, which wait to be read.
    over: VecDeque<(u32, u32)>,
    /// How often word came back.
    told: u64,
}

impl ZeroCopies {
    pub fn sent(&mut self, end: u64) {
        self.sent.push_back((end, self.next));
        self.next = self.next.wrapping_add(1);
    }

    fn acknowledged(&mut self, until: u64) {
        while let Some((_, number)) = self.sent.pop_front_if(|(end, _)| *end <= until) {
            self.told += 1;
            match self.over.back_mut() {
                Some((_, last)) if last.wrapping_add(1) == number => *last = number,
                _ => self.over.push_back((number, number)),
            }
        }
    }

    pub fn take(&mut self) -> Option<(u32, u32)> {
        self.over.pop_front()
    }

    pub fn is_waiting(&self) -> bool {
        !self.over.is_empty()
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

impl File {
    /// The settings of a TCP socket.
    pub fn config<'s>(&'s self, stack: &'s Stack) -> Option<&'s Config> {
        match &self.kind {
            Kind::Fresh { config, .. } => Some(config),
            Kind::Listener(id) => Some(stack.tcp_listener_config(*id)),
            Kind::Tcp(tcp) => Some(stack.tcp_config(tcp.id)),
            Kind::UnboundUdp | Kind::Udp(_) | Kind::Epoll(_) | Kind::Zeros | Kind::Pipe(_) => None,
        }
    }

    /// Changes the settings of a TCP socket; other files have none.
    pub fn configure(&mut self, stack: &mut Stack, now: Instant, change: impl FnOnce(&mut Config)) {
        match &mut self.kind {
            Kind::Fresh { config, .. } => change(config),
            Kind::Listener(id) => stack.tcp_configure_listener(*id, change),
            Kind::Tcp(tcp) => stack.tcp_configure(now, tcp.id, change),
            Kind::UnboundUdp | Kind::Udp(_) | Kind::Epoll(_) | Kind::Zeros | Kind::Pipe(_) => {}
        }
    }

    /// Which of poll's events hold now.
    pub fn events(&self, stack: &Stack) -> i64 {
        match &self.kind {
            Kind::Fresh { .. } => POLLOUT | POLLHUP,
            Kind::Listener(id) => i64::from(stack.tcp_has_waiting(*id)) * POLLIN,
            Kind::Tcp(tcp) => tcp_events(tcp, self.attributes.low_water, stack),
            Kind::UnboundUdp => POLLOUT,
            Kind::Udp(id) => POLLOUT | (i64::from(stack.udp_readable(*id)) * POLLIN),
            Kind::Zeros => POLLIN | POLLOUT,
            Kind::Epoll(_) | Kind::Pipe(_) => 0,
        }
    }
}

fn tcp_events(tcp: &Tcp, low_water: usize, stack: &Stack) -> i64 {
    let status = stack.tcp_status(tcp.id);
    let error = status.closed.and_then(error_of).is_some() && !tcp.error_told;
    let opening = matches!(status.state, TcpState::SynSent | TcpState::SynReceived);
    let peer_done = matches!(
        status.state,
        TcpState::CloseWait | TcpState::LastAck | TcpState::Closing | TcpState::TimeWait | TcpState::Closed
    );
    let we_are_done = !matches!(status.state, TcpState::Established | TcpState::CloseWait) && !opening;
    let queued = stack.tcp_info(tcp.id).map_or(0, |info| info.receive_queue);
    let enough = queued >= low_water || peer_done || status.closed.is_some();
    let mut events = 0;
    let mut add = |holds: bool, event: i64| events |= i64::from(holds) * event;
    add(status.readable && enough || tcp.shut_for_reading, POLLIN);
    add(tcp.is_writable(stack), POLLOUT);
    add(error || tcp.zero_copies.is_waiting() || tcp.stamps.is_waiting(), POLLERR);
    add(peer_done || tcp.shut_for_reading, POLLRDHUP);
    add(peer_done && we_are_done, POLLHUP);
    events
}
