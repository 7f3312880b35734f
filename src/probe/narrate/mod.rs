//! Events as short English sentences: the one place where the stack's doings are put into words.
//!
//! Capture comments, the layer tree and the `text` of JSON lines all come from here.

mod tcp;
#[cfg(test)]
mod tests;
mod units;

use crate::event::{CwndCause, Event, IcmpEvent, NeighbourMessage, TcpEvent};
use crate::time::Instant;
use crate::wire::MacAddress;
use std::net::IpAddr;
use units::{Ordinal, count};

/// How much an event says to somebody who already sees the frame and its headers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Weight {
    /// The frame itself, its headers: a picture of the frame shows them.
    Shown,
    /// Bookkeeping: a timer set or stopped.
    Detail,
    /// What the stack did, found out or decided.
    Decision,
}

pub fn weight(event: &Event<'_>) -> Weight {
    match event {
        Event::FrameReceived { .. }
        | Event::FrameHandled
        | Event::FrameSent { .. }
        | Event::Stripped { .. }
        | Event::Prepended { .. } => Weight::Shown,
        Event::Tcp {
            event:
                TcpEvent::TimerSet { .. }
                | TcpEvent::TimerStopped { .. }
                | TcpEvent::DeliveryRate { .. }
                | TcpEvent::AmbientLoss { .. },
            ..
        } => Weight::Detail,
        Event::Dropped { .. }
        | Event::Neighbour { .. }
        | Event::AwaitsNeighbour { .. }
        | Event::AddressConflict { .. }
        | Event::NeighbourMessage { .. }
        | Event::Fragmented { .. }
        | Event::FragmentHeld { .. }
        | Event::Reassembled { .. }
        | Event::PathMtu { .. }
        | Event::Icmp { .. }
        | Event::Delivered { .. }
        | Event::Tcp { .. } => Weight::Decision,
    }
}

/// What happened at `at`, in one sentence without a full stop.
///
/// ```
/// use strata::event::{DropReason, Event, Layer};
/// use strata::probe::narrate::sentence;
/// use strata::time::Instant;
///
/// let event = Event::Dropped { layer: Layer::Tcp, reason: DropReason::BadTcpChecksum };
/// assert_eq!(sentence(Instant::ZERO, &event), "dropped by TCP: checksum wrong");
/// ```
pub fn sentence(at: Instant, event: &Event<'_>) -> String {
    match event {
        Event::FrameReceived { bytes, .. } => format!("{} came in", count(bytes.len(), "byte")),
        Event::FrameHandled => "dealt with".into(),
        Event::FrameSent { frame } => format!("{} went out", count(frame.len(), "byte")),
        Event::Stripped { layer, header, payload } => {
            format!("{layer} stripped {}, {payload} left", count(header.len(), "byte"))
        }
        Event::Prepended { layer, header, payload } => {
            format!("{layer} prepended {} to {payload}", count(header.len(), "byte"))
        }
        Event::Dropped { layer, reason } => {
            let (layer, reason) = (layer.to_string(), reason.text());
            let reason = reason.strip_prefix(&layer).map_or(reason, str::trim_start);
            format!("dropped by {layer}: {reason}")
        }
        Event::Neighbour { address, from, to, why } => format!("neighbour {address}: {from} -> {to}: {why}"),
        Event::AwaitsNeighbour { address, waiting } => {
            format!("waits for the hardware address of {address} ({} waiting)", count(*waiting, "packet"))
        }
        Event::AddressConflict { address, claimant, defended } => {
            let answer = if *defended { "defended" } else { "not defended" };
            format!("address conflict: {} claims {address}, {answer}", MacAddress(*claimant))
        }
        Event::NeighbourMessage { message, address } => neighbour_message(*message, *address),
        Event::Fragmented { pieces, mtu } => format!("too large for the MTU of {mtu}: leaves in {pieces} fragments"),
        Event::FragmentHeld { offset, len, more } => {
            let which = if *more { "fragment" } else { "last fragment" };
            format!("{which} kept: {} at offset {offset}", count(*len, "byte"))
        }
        Event::Reassembled { pieces, len } => format!("reassembled: {pieces} fragments make {}", count(*len, "byte")),
        Event::PathMtu { destination, mtu } => format!("path MTU to {destination} is {mtu}"),
        Event::Icmp { message } => icmp(*message),
        Event::Delivered { layer, len } => format!("{} delivered to the {layer} socket", count(*len, "byte")),
        Event::Tcp { event, .. } => tcp::sentence(at, event),
    }
}

/// The sentences of what happened to one frame; what belongs together is said together.
pub fn sentences<'a, 'e: 'a>(events: impl IntoIterator<Item = (Instant, &'a Event<'e>)>) -> Vec<String> {
    let events: Vec<_> = events.into_iter().collect();
    let mut merged = None;
    let mut said = Vec::with_capacity(events.len());
    for (index, (at, event)) in events.iter().enumerate() {
        if merged == Some(index) {
            continue;
        }
        let fast_retransmit = third_duplicate(event).and_then(|count| {
            let after = events[index + 1..].iter().position(|(_, event)| fast_retransmit_cwnd(event).is_some())?;
            let (from, to, ssthresh) = fast_retransmit_cwnd(events[index + 1 + after].1)?;
            merged = Some(index + 1 + after);
            Some(format!("{} duplicate ACK: fast retransmit, cwnd {from} -> {to}, ssthresh {ssthresh}", Ordinal(count)))
        });
        said.push(fast_retransmit.unwrap_or_else(|| sentence(*at, event)));
    }
    said
}

fn third_duplicate(event: &Event<'_>) -> Option<u32> {
    match event {
        Event::Tcp { event: TcpEvent::DuplicateAck { count: count @ 3 }, .. } => Some(*count),
        _ => None,
    }
}

fn fast_retransmit_cwnd(event: &Event<'_>) -> Option<(u64, u64, u64)> {
    match event {
        Event::Tcp { event: TcpEvent::Cwnd { from, to, ssthresh, why: CwndCause::FastRetransmit }, .. } => {
            Some((*from, *to, *ssthresh))
        }
        _ => None,
    }
}

fn neighbour_message(message: NeighbourMessage, address: IpAddr) -> String {
    match (message, address.is_ipv4()) {
        (NeighbourMessage::Request, true) => format!("ARP request: who has {address}?"),
        (NeighbourMessage::Reply, true) => format!("ARP reply for {address}"),
        (NeighbourMessage::Probe, true) => format!("ARP probe: does anybody use {address}?"),
        (NeighbourMessage::Announcement, true) => format!("ARP announcement of {address}"),
        (NeighbourMessage::Request, false) => format!("neighbour solicitation: who has {address}?"),
        (NeighbourMessage::Reply, false) => format!("neighbour advertisement for {address}"),
        (NeighbourMessage::Probe, false) => format!("duplicate address detection: does anybody use {address}?"),
        (NeighbourMessage::Announcement, false) => format!("unsolicited neighbour advertisement of {address}"),
    }
}

fn icmp(message: IcmpEvent) -> String {
    match message {
        IcmpEvent::EchoRequest { id, sequence, len } => {
            format!("echo request, id {id}, sequence {sequence}, {}", count(len, "byte"))
        }
        IcmpEvent::EchoReply { id, sequence, len } => {
            format!("echo reply, id {id}, sequence {sequence}, {}", count(len, "byte"))
        }
        IcmpEvent::Error { sent: true, meaning } => format!("ICMP error sent: {meaning}"),
        IcmpEvent::Error { sent: false, meaning } => format!("ICMP error received: {meaning}"),
    }
}
