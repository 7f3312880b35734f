//! The UDP sockets of a host: which datagram belongs to which.

use super::keyed::Key;
use super::ports;
use super::{BindError, Share, SocketId, UdpId};
use crate::event::Context;
use crate::ip::{NetworkError, Packet};
use crate::random::Random;
use crate::udp::{self, Socket};
use slotmap::SlotMap;
use smallvec::SmallVec;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

#[derive(Debug)]
pub(super) struct UdpTable {
    share: Share,
    sockets: SlotMap<UdpId, Socket>,
    by_port: HashMap<u16, Vec<UdpId>, Key>,
    wakeups: VecDeque<SocketId>,
}

impl UdpTable {
    pub fn new(random: &mut Random, share: Share) -> UdpTable {
        UdpTable {
            share,
            sockets: SlotMap::with_key(),
            by_port: HashMap::with_hasher(Key::new(random)),
            wakeups: VecDeque::new(),
        }
    }

    /// Port 0 takes a random free one. Two sockets share a port only on different addresses.
    pub fn bind(&mut self, random: &mut Random, mut local: SocketAddr) -> Result<UdpId, BindError> {
        if local.port() == 0 {
            let port = ports::choose(random, |port| self.share.owns(port) && !self.by_port.contains_key(&port));
            local.set_port(port.ok_or(BindError::PortsExhausted)?);
        }
        let overlaps = |id: &UdpId| {
            let other = self.sockets[*id].local().ip();
            other == local.ip() || other.is_unspecified() || local.ip().is_unspecified()
        };
        if self.by_port.get(&local.port()).is_some_and(|ids| ids.iter().any(overlaps)) {
            return Err(BindError::AddressInUse { port: local.port() });
        }
        let id = self.sockets.insert(Socket::new(local, udp::Config::default()));
        self.by_port.entry(local.port()).or_default().push(id);
        Ok(id)
    }

    pub fn close(&mut self, id: UdpId) {
        let Some(socket) = self.sockets.remove(id) else { return };
        if let Some(ids) = self.by_port.get_mut(&socket.local().port()) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_port.remove(&socket.local().port());
            }
        }
    }

    /// A packet whose protocol is UDP: the best match takes it, of a broadcast every match. False when nobody does,
    /// which the sender should hear of.
    pub fn handle(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>) -> bool {
        let Some(datagram) = udp::handle(cx, packet) else { return true };
        let Some(ids) = self.by_port.get(&datagram.destination.port()) else { return false };
        let score = |id: &UdpId| self.sockets[*id].matches(datagram.source, datagram.destination);
        let matching = ids.iter().filter_map(|id| Some((score(id)?, *id)));
        let taking: SmallVec<[_; 4]> = match packet.broadcast {
            true => matching.collect(),
            false => matching.max_by_key(|(score, _)| *score).into_iter().collect(),
        };
        for (_, id) in &taking {
            if self.sockets[*id].handle(cx, datagram) {
                self.wakeups.push_back(SocketId::Udp(*id));
            }
        }
        !taking.is_empty()
    }

    /// An ICMP error about a datagram of ours. True when a socket had sent it, as far as can be told.
    pub fn handle_error(&mut self, source: SocketAddr, destination: SocketAddr, error: NetworkError) -> bool {
        let Some(ids) = self.by_port.get(&source.port()) else { return false };
        for id in ids {
            if self.sockets[*id].handle_error(error, destination) {
                self.wakeups.push_back(SocketId::Udp(*id));
            }
        }
        true
    }

    pub fn poll_wakeup(&mut self) -> Option<SocketId> {
        self.wakeups.pop_front()
    }

    /// # Panics
    /// When the id is that of a socket which was closed: only a caller's bug brings that about.
    pub fn socket(&self, id: UdpId) -> &Socket {
        self.sockets.get(id).expect("a UdpId is used only until its socket is closed")
    }

    pub fn socket_mut(&mut self, id: UdpId) -> &mut Socket {
        self.sockets.get_mut(id).expect("a UdpId is used only until its socket is closed")
    }
}
