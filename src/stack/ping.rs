//! Ping sockets: each sends echo requests under an identifier of its own and gets the replies to them.

use super::{PingId, Share, SocketId};
use crate::icmp::EchoReply;
use crate::ip::NetworkError;
use crate::random::Random;
use crate::time::Instant;
use slotmap::SlotMap;
use std::collections::VecDeque;
use std::net::IpAddr;

/// How many replies may wait to be read.
const MAX_WAITING: usize = 256;

/// An echo reply, or the error that came in its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PingReply {
    pub from: IpAddr,
    pub sequence: u16,
    /// Bytes of ICMP payload that came back.
    pub len: usize,
    pub ttl: u8,
    pub at: Instant,
    pub error: Option<&'static str>,
}

#[derive(Debug)]
struct Socket {
    identifier: u16,
    replies: VecDeque<PingReply>,
}

#[derive(Debug)]
pub(super) struct PingTable {
    share: Share,
    sockets: SlotMap<PingId, Socket>,
    wakeups: VecDeque<SocketId>,
}

impl PingTable {
    pub fn new(share: Share) -> PingTable {
        PingTable { share, sockets: SlotMap::with_key(), wakeups: VecDeque::new() }
    }

    pub fn open(&mut self, random: &mut Random) -> PingId {
        let mut identifier = random.next_u32() as u16;
        while self.sockets.len() < usize::from(u16::MAX)
            && (self.find(identifier).is_some() || !self.share.owns(identifier))
        {
            identifier = identifier.wrapping_add(1);
        }
        self.sockets.insert(Socket { identifier, replies: VecDeque::new() })
    }

    fn find(&self, identifier: u16) -> Option<PingId> {
        self.sockets.iter().find(|(_, socket)| socket.identifier == identifier).map(|(id, _)| id)
    }

    pub fn identifier(&self, id: PingId) -> u16 {
        self.sockets.get(id).expect("a PingId is used only until its socket is closed").identifier
    }

    /// False when nobody waits for it.
    pub fn handle_reply(&mut self, now: Instant, reply: &EchoReply<'_>) -> bool {
        self.deliver(
            reply.id,
            PingReply {
                from: reply.source,
                sequence: reply.sequence,
                len: reply.data.len(),
                ttl: reply.ttl,
                at: now,
                error: None,
            },
        )
    }

    /// An error that quotes `echo`, the beginning of an echo request. False when it is none of ours.
    pub fn handle_error(&mut self, now: Instant, from: IpAddr, echo: &[u8], error: NetworkError) -> bool {
        if let [8, _, _, _, id_high, id_low, sequence_high, sequence_low, ..] = *echo {
            let sequence = u16::from_be_bytes([sequence_high, sequence_low]);
            let error = Some(error.meaning());
            let reply = PingReply { from, sequence, len: 0, ttl: 0, at: now, error };
            return self.deliver(u16::from_be_bytes([id_high, id_low]), reply);
        }
        false
    }

    fn deliver(&mut self, identifier: u16, reply: PingReply) -> bool {
        let Some(id) = self.find(identifier) else { return false };
        let waiting = &mut self.sockets[id].replies;
        if waiting.len() < MAX_WAITING {
            waiting.push_back(reply);
            self.wakeups.push_back(SocketId::Ping(id));
        }
        true
    }

    pub fn receive(&mut self, id: PingId) -> Option<PingReply> {
        self.sockets.get_mut(id)?.replies.pop_front()
    }

    pub fn close(&mut self, id: PingId) {
        self.sockets.remove(id);
    }

    pub fn poll_wakeup(&mut self) -> Option<SocketId> {
        self.wakeups.pop_front()
    }
}
