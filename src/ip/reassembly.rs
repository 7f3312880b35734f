//! Putting fragments together (RFC 791 §3.2, RFC 1122 §3.3.2), within bounds: strangers decide what we remember.

use super::{Packet, ReassemblyConfig};
use crate::event::{Context, DropReason, Event, Layer};
use crate::frame::Checksum;
use crate::time::Instant;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What one piece costs beside its bytes.
const PIECE_OVERHEAD: usize = 64;
/// The last byte that a datagram can have, its header left out.
const MAX_END: usize = 65_535 - 20;
/// RFC 3168 §5: the two bits, and the value that says "congestion experienced".
const CONGESTION_EXPERIENCED: u8 = 0b11;

/// One fragment: the packet as it came, and where its payload belongs.
#[derive(Clone, Debug)]
pub(super) struct Fragment<'a> {
    pub packet: Packet<'a>,
    pub identification: u32,
    /// In bytes.
    pub offset: usize,
    /// Others follow.
    pub more: bool,
}

/// RFC 791 §3.2: what belongs together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    identification: u32,
}

/// A datagram in the making.
#[derive(Debug)]
struct Partial {
    pieces: BTreeMap<usize, Vec<u8>>,
    held: usize,
    /// Known once the last piece has come.
    total: Option<usize>,
    /// The first piece's header and what it says.
    first: Option<Packet<'static>>,
    congestion_experienced: bool,
    broadcast: bool,
    /// Pieces overlapped: nothing of it is taken any more (RFC 5722 §4).
    rejected: bool,
    expires: Instant,
}

/// Every datagram in the making.
#[derive(Debug)]
pub(super) struct Reassembly {
    config: ReassemblyConfig,
    partials: BTreeMap<Key, Partial>,
    /// Bytes held over all of them, overhead included.
    held: usize,
}

impl Reassembly {
    pub fn new(config: ReassemblyConfig) -> Reassembly {
        Reassembly { config, partials: BTreeMap::new(), held: 0 }
    }

    /// Takes a fragment in; the whole packet when it was the last missing one.
    pub fn handle(&mut self, cx: &mut Context<'_>, fragment: Fragment<'_>) -> Option<Packet<'static>> {
        let packet = &fragment.packet;
        let key = Key {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            identification: fragment.identification,
        };
        match self.admit(cx, key, &fragment) {
            Ok(()) => self.finish(cx, key),
            Err(reason) => {
                cx.tell(|| Event::Dropped { layer: Layer::Ipv4, reason });
                None
            }
        }
    }

    fn admit(&mut self, cx: &mut Context<'_>, key: Key, fragment: &Fragment<'_>) -> Result<(), DropReason> {
        let len = fragment.packet.payload.len();
        // RFC 791 §3.2: all but the last count in eights. RFC 1858: nothing reaches past the largest datagram.
        if len == 0 || fragment.more && !len.is_multiple_of(8) || fragment.offset + len > MAX_END {
            return Err(DropReason::FragmentMalformed);
        }
        self.make_room(cx, key, len + PIECE_OVERHEAD)?;
        let expires = cx.after(self.config.timeout);
        let partial = self.partials.entry(key).or_insert_with(|| Partial::new(expires));
        let before = partial.cost();
        let taken = partial.take(fragment);
        self.held = self.held + partial.cost() - before;
        if taken? {
            let (offset, more) = (fragment.offset, fragment.more);
            cx.tell(|| Event::FragmentHeld { offset, len, more });
        }
        Ok(())
    }

    /// The oldest give way to what comes, so that junk cannot keep good datagrams out for long.
    fn make_room(&mut self, cx: &mut Context<'_>, key: Key, cost: usize) -> Result<(), DropReason> {
        loop {
            let is_new = !self.partials.contains_key(&key);
            let full = is_new && self.partials.len() >= self.config.max_datagrams;
            if !full && self.held + cost <= self.config.max_bytes {
                return Ok(());
            }
            let others = self.partials.iter().filter(|(other, _)| **other != key);
            let oldest = others.min_by_key(|(_, partial)| partial.expires).map(|(other, _)| *other);
            self.forget(oldest.ok_or(DropReason::ReassemblyFull)?);
            cx.tell(|| Event::Dropped { layer: Layer::Ipv4, reason: DropReason::ReassemblyFull });
        }
    }

    fn forget(&mut self, key: Key) -> Option<Partial> {
        let partial = self.partials.remove(&key)?;
        self.held -= partial.cost();
        Some(partial)
    }

    fn finish(&mut self, cx: &mut Context<'_>, key: Key) -> Option<Packet<'static>> {
        if !self.partials.get(&key).is_some_and(Partial::is_whole) {
            return None;
        }
        let partial = self.forget(key)?;
        let (pieces, len) = (partial.pieces.len(), partial.held);
        cx.tell(|| Event::Reassembled { pieces, len });
        partial.into_packet()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.partials.values().map(|partial| partial.expires).min()
    }

    /// Gives up what has waited too long; lends each first fragment to `report`.
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>, mut report: impl FnMut(Packet<'static>)) {
        while let Some(key) = self.partials.iter().find(|(_, partial)| partial.expires <= cx.now).map(|(key, _)| *key) {
            let Some(partial) = self.forget(key) else { return };
            if partial.rejected {
                continue;
            }
            cx.tell(|| Event::Dropped { layer: Layer::Ipv4, reason: DropReason::ReassemblyTimeout });
            // RFC 792: only who has the first fragment may say so.
            if let Some(first) = partial.into_first_fragment() {
                report(first);
            }
        }
    }
}

impl Partial {
    fn new(expires: Instant) -> Partial {
        Partial {
            pieces: BTreeMap::new(),
            held: 0,
            total: None,
            first: None,
            congestion_experienced: false,
            broadcast: false,
            rejected: false,
            expires,
        }
    }

    fn cost(&self) -> usize {
        self.held + self.pieces.len() * PIECE_OVERHEAD
    }

    /// False for an exact duplicate, which changes nothing.
    fn take(&mut self, fragment: &Fragment<'_>) -> Result<bool, DropReason> {
        let packet = &fragment.packet;
        let (start, payload) = (fragment.offset, &packet.payload[..]);
        let end = start + payload.len();
        if self.rejected {
            return Err(DropReason::FragmentOverlap);
        }
        if self.pieces.get(&start).is_some_and(|piece| piece == payload) && fragment.more == (self.total != Some(end)) {
            return Ok(false);
        }
        let follows = self.pieces.range(..end).next_back();
        let overlaps = follows.is_some_and(|(before, piece)| before + piece.len() > start);
        let past_the_end = self.total.is_some_and(|total| end > total || !fragment.more && end != total);
        let too_early_an_end = !fragment.more && self.pieces.range(end..).next().is_some();
        if overlaps || past_the_end || too_early_an_end {
            // RFC 5722 §4: the pieces contradict each other; which of them is true cannot be known.
            *self = Partial { rejected: true, ..Partial::new(self.expires) };
            return Err(DropReason::FragmentOverlap);
        }
        if !fragment.more {
            self.total = Some(end);
        }
        if start == 0 {
            self.first = Some(Packet {
                payload: Cow::Owned(Vec::new()),
                header: Cow::Owned(packet.header.to_vec()),
                checksum: Checksum::Full,
                segment_size: None,
                ..*packet
            });
        }
        self.congestion_experienced |= packet.traffic_class & CONGESTION_EXPERIENCED == CONGESTION_EXPERIENCED;
        self.broadcast |= packet.broadcast;
        self.held += payload.len();
        self.pieces.insert(start, payload.to_vec());
        Ok(true)
    }

    /// Pieces never overlap, so that they are whole when they add up.
    fn is_whole(&self) -> bool {
        self.total == Some(self.held)
    }

    fn into_packet(self) -> Option<Packet<'static>> {
        let mut packet = self.first?;
        packet.payload = Cow::Owned(self.pieces.into_values().collect::<Vec<_>>().concat());
        packet.broadcast = self.broadcast;
        if self.congestion_experienced {
            // RFC 3168 §5.3
            packet.traffic_class |= CONGESTION_EXPERIENCED;
        }
        Some(packet)
    }

    fn into_first_fragment(mut self) -> Option<Packet<'static>> {
        let mut packet = self.first?;
        packet.payload = Cow::Owned(self.pieces.remove(&0)?);
        packet.broadcast = self.broadcast;
        Some(packet)
    }
}

#[cfg(test)]
mod tests;
