//! Events as short English sentences: the one place where the stack's doings are put into words.
//!
//! Capture comments, the layer tree and the `text` of JSON lines all come from here.

use crate::event::{CwndCause, Event, IcmpEvent, NeighbourMessage, SendReason, TcpEvent};
use crate::time::Instant;
use crate::wire::MacAddress;
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

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
        Event::Tcp { event, .. } => tcp(at, event),
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

fn tcp(at: Instant, event: &TcpEvent) -> String {
    match event {
        TcpEvent::State { from, to, why } => format!("{from} -> {to}: {why}"),
        TcpEvent::Synchronise { sent, isn, mss, window_scale, sack, timestamps } => {
            let mut said = vec![format!("ISN {isn:#010x}")];
            said.extend(options(*mss, *window_scale, *sack));
            said.extend(timestamps.then(|| "timestamps".into()));
            format!("{}: {}", if *sent { "our SYN" } else { "SYN" }, said.join(", "))
        }
        TcpEvent::Memory { level, taken, limit } => {
            format!("memory is {level}: all buffers take {taken} of {limit} bytes")
        }
        TcpEvent::SynCookie { sent, mss, window_scale, sack } => {
            let said = options(*mss, *window_scale, *sack).collect::<Vec<_>>().join(", ");
            let where_to =
                if *sent { "the SYN queue is full; our SYN-ACK keeps" } else { "a SYN-ACK's cookie is back:" };
            format!("{where_to} {}", if said.is_empty() { "no options" } else { &said })
        }
        TcpEvent::SegmentSent { seq, len, why } => segment_sent(*seq, *len, *why),
        TcpEvent::Acknowledged { bytes, in_flight } => {
            format!("{} acknowledged, {in_flight} still in flight", count(*bytes as usize, "byte"))
        }
        TcpEvent::DuplicateAck { count } => format!("duplicate ACK, the {}", Ordinal(*count)),
        TcpEvent::Accepted { bytes } => format!("{} came in order", count(*bytes, "byte")),
        TcpEvent::OutOfOrder { bytes, missing } => {
            format!("{} came past a hole of {missing}: kept", count(*bytes, "byte"))
        }
        TcpEvent::Duplicate { bytes } => format!("{} had already come", count(*bytes, "byte")),
        TcpEvent::PeerWindow { from, to } => format!("the peer's window: {from} -> {to}"),
        TcpEvent::ReceiveBuffer { from, to } => format!("the application reads fast: receive buffer {from} -> {to}"),
        TcpEvent::FastOpen { what } => format!("fast open: {what}"),
        TcpEvent::RttSample { rtt, srtt, rttvar, rto } => {
            format!("RTT {}: SRTT {}, RTTVAR {}, RTO {}", Span(*rtt), Span(*srtt), Span(*rttvar), Span(*rto))
        }
        TcpEvent::MarksTold { packets, bytes, exact } => {
            let about = if *exact { "" } else { "about " };
            format!("the peer tells of marks: {packets} packets, {about}{bytes} bytes")
        }
        TcpEvent::EcnTrouble { what } => format!("accurate ECN: {what}"),
        TcpEvent::Marked => "marked by the network: congestion experienced (ECN)".into(),
        TcpEvent::CongestionPhase { from, to } => format!("congestion control: {from} -> {to}"),
        TcpEvent::AmbientLoss { from, to } => {
            format!("lost however little is sent: {} % -> {} %", f64::from(*from) / 10.0, f64::from(*to) / 10.0)
        }
        TcpEvent::DeliveryRate { rate, delivered, interval, application_limited } => {
            let limited = if *application_limited { ", limited by the application" } else { "" };
            let delivered = count(*delivered as usize, "byte");
            format!("delivery rate {rate} bytes/s: {delivered} in {}{limited}", Span(*interval))
        }
        TcpEvent::Sacked { bytes } => format!("{} arrived past a hole: sacked", count(*bytes as usize, "byte")),
        TcpEvent::Lost { bytes, again: false } => format!("{} judged lost", count(*bytes as usize, "byte")),
        TcpEvent::Lost { bytes, again: true } => {
            format!("{} judged lost, retransmissions among them", count(*bytes as usize, "byte"))
        }
        TcpEvent::DuplicateSack { segments } => {
            format!("D-SACK: {} arrived twice", count(*segments as usize, "segment"))
        }
        TcpEvent::Reordering { segments } => format!("reordering seen: {} late", count(*segments as usize, "segment")),
        TcpEvent::Reneged => "the peer has thrown away what it had sacked".into(),
        TcpEvent::Recovery { from, to } => format!("loss recovery: {from} -> {to}"),
        TcpEvent::Spurious { why } => format!("no loss: {why}"),
        TcpEvent::Cwnd { from, to, ssthresh: u64::MAX, why } => format!("{why}: cwnd {from} -> {to}"),
        TcpEvent::Cwnd { from, to, ssthresh, why } => format!("{why}: cwnd {from} -> {to}, ssthresh {ssthresh}"),
        TcpEvent::TimerSet { timer, at: due } => format!("{timer} set, due in {}", Span(due.since(at))),
        TcpEvent::TimerStopped { timer } => format!("{timer} stopped"),
        TcpEvent::TimerFired { timer, count: 0 | 1 } => format!("{timer} fired"),
        TcpEvent::TimerFired { timer, count } => format!("{timer} fired for the {} time", Ordinal(*count)),
        TcpEvent::PathMtuClaim { mtu, verdict } => format!("the path is said to take {mtu} bytes: {verdict}"),
        TcpEvent::IcmpError { meaning, hard: true } => format!("ICMP error ends the connection: {meaning}"),
        TcpEvent::IcmpError { meaning, hard: false } => format!("ICMP error noted: {meaning}"),
        TcpEvent::Urgent { ahead } => format!("urgent data up to {} ahead", count(*ahead as usize, "byte")),
        TcpEvent::Closed { why } => format!("connection over: {why}"),
    }
}

fn options(mss: Option<u16>, window_scale: Option<u8>, sack: bool) -> impl Iterator<Item = String> {
    let said = [
        mss.map(|mss| format!("MSS {mss}")),
        window_scale.map(|shift| format!("window scale {shift}")),
        sack.then(|| "SACK".into()),
    ];
    said.into_iter().flatten()
}

fn segment_sent(seq: u32, len: usize, why: SendReason) -> String {
    if len == 0 { why.to_string() } else { format!("{why}, {} from sequence number {seq}", count(len, "byte")) }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `third`, `12th`.
struct Ordinal(u32);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match (self.0 % 10, self.0 % 100) {
            (1, rest) if rest != 11 => "st",
            (2, rest) if rest != 12 => "nd",
            (3, rest) if rest != 13 => "rd",
            (_, _) => "th",
        };
        let word: Cow<'static, str> = match self.0 {
            1 => "first".into(),
            2 => "second".into(),
            3 => "third".into(),
            4 => "fourth".into(),
            number => format!("{number}{ending}").into(),
        };
        f.write_str(&word)
    }
}

/// A span of time in the unit that suits it, three decimals at most: `201 ms`, `1.5 s`, `87 us`.
pub(crate) struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (unit, name) = match nanos {
            0..1_000 => return write!(f, "{nanos} ns"),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        let (whole, thousandths) = (nanos / unit, nanos % unit * 1_000 / unit);
        let number = format!("{whole}.{thousandths:03}");
        write!(f, "{} {name}", number.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::*;
    use crate::probe::samples::connection;

    fn tcp(event: TcpEvent) -> Event<'static> {
        Event::Tcp { connection: connection(), event }
    }

    #[test]
    fn events_are_told_in_words() {
        let host = IpAddr::from([192, 0, 2, 2]);
        let rtt = Duration::from_micros(1_250);
        let rows: Vec<(Event<'_>, &str)> = vec![
            (
                Event::Dropped { layer: Layer::Tcp, reason: DropReason::BadTcpChecksum },
                "dropped by TCP: checksum wrong",
            ),
            (
                Event::Dropped { layer: Layer::Ethernet, reason: DropReason::OtherHost },
                "dropped by Ethernet: addressed to another host",
            ),
            (
                Event::NeighbourMessage { message: NeighbourMessage::Request, address: host },
                "ARP request: who has 192.0.2.2?",
            ),
            (
                Event::Neighbour {
                    address: host,
                    from: NeighbourState::Incomplete,
                    to: NeighbourState::Reachable,
                    why: "solicited reply",
                },
                "neighbour 192.0.2.2: INCOMPLETE -> REACHABLE: solicited reply",
            ),
            (
                Event::AwaitsNeighbour { address: host, waiting: 1 },
                "waits for the hardware address of 192.0.2.2 (1 packet waiting)",
            ),
            (
                Event::AddressConflict { address: host, claimant: [2, 0, 0, 0, 0, 9], defended: true },
                "address conflict: 02:00:00:00:00:09 claims 192.0.2.2, defended",
            ),
            (Event::Delivered { layer: Layer::Udp, len: 1 }, "1 byte delivered to the UDP socket"),
            (
                Event::Icmp { message: IcmpEvent::EchoRequest { id: 7, sequence: 1, len: 56 } },
                "echo request, id 7, sequence 1, 56 bytes",
            ),
            (
                tcp(TcpEvent::Synchronise {
                    sent: false,
                    isn: 0x1f3a_0000,
                    mss: Some(1460),
                    window_scale: Some(7),
                    sack: true,
                    timestamps: true,
                }),
                "SYN: ISN 0x1f3a0000, MSS 1460, window scale 7, SACK, timestamps",
            ),
            (
                tcp(TcpEvent::Synchronise {
                    sent: true,
                    isn: 1,
                    mss: None,
                    window_scale: None,
                    sack: false,
                    timestamps: false,
                }),
                "our SYN: ISN 0x00000001",
            ),
            (tcp(TcpEvent::AmbientLoss { from: 0, to: 12 }), "lost however little is sent: 0 % -> 1.2 %"),
            (
                tcp(TcpEvent::SynCookie { sent: false, mss: Some(1460), window_scale: None, sack: true }),
                "a SYN-ACK's cookie is back: MSS 1460, SACK",
            ),
            (
                tcp(TcpEvent::State {
                    from: TcpState::SynReceived,
                    to: TcpState::Established,
                    why: StateCause::AckOfSyn,
                }),
                "SYN-RECEIVED -> ESTABLISHED: rcv ACK of SYN",
            ),
            (
                tcp(TcpEvent::RttSample { rtt, srtt: rtt, rttvar: rtt / 2, rto: Duration::from_millis(200) }),
                "RTT 1.25 ms: SRTT 1.25 ms, RTTVAR 625 us, RTO 200 ms",
            ),
            (
                tcp(TcpEvent::DeliveryRate {
                    rate: 144_800,
                    delivered: 14_480,
                    interval: Duration::from_millis(100),
                    application_limited: true,
                }),
                "delivery rate 144800 bytes/s: 14480 bytes in 100 ms, limited by the application",
            ),
            (
                tcp(TcpEvent::Cwnd { from: 14600, to: 16060, ssthresh: u64::MAX, why: CwndCause::SlowStart }),
                "slow start: cwnd 14600 -> 16060",
            ),
            (
                tcp(TcpEvent::SegmentSent { seq: 9, len: 1460, why: SendReason::RetransmitTimeout }),
                "retransmission: the timer ran out, 1460 bytes from sequence number 9",
            ),
            (
                tcp(TcpEvent::SegmentSent { seq: 9, len: 0, why: SendReason::DelayedAck }),
                "ACK: the delayed-ACK timer ran out",
            ),
            (
                tcp(TcpEvent::TimerFired { timer: TimerKind::Retransmission, count: 2 }),
                "retransmission timer fired for the second time",
            ),
            (
                tcp(TcpEvent::TimerSet { timer: TimerKind::TimeWait, at: Instant::from_secs(60) }),
                "TIME-WAIT timer set, due in 59 s",
            ),
            (tcp(TcpEvent::Closed { why: CloseReason::Finished }), "connection over: both sides finished"),
        ];
        for (event, expected) in rows {
            assert_eq!(sentence(Instant::from_secs(1), &event), expected);
        }
    }

    #[test]
    fn third_duplicate_ack_and_its_window_are_one_sentence() {
        let events = [
            tcp(TcpEvent::DuplicateAck { count: 3 }),
            tcp(TcpEvent::PeerWindow { from: 1, to: 2 }),
            tcp(TcpEvent::Cwnd { from: 14600, to: 10220, ssthresh: 10220, why: CwndCause::FastRetransmit }),
        ];
        assert_eq!(
            sentences(events.iter().map(|event| (Instant::ZERO, event))),
            ["third duplicate ACK: fast retransmit, cwnd 14600 -> 10220, ssthresh 10220", "the peer's window: 1 -> 2"]
        );
        assert_eq!(sentences([(Instant::ZERO, &events[0])]), ["duplicate ACK, the third"]);
    }

    #[test]
    fn ordinals_end_as_people_say_them() {
        let said: Vec<_> = [1, 5, 11, 12, 13, 21, 22, 23, 101, 111].map(|number| Ordinal(number).to_string()).into();
        assert_eq!(said, ["first", "5th", "11th", "12th", "13th", "21st", "22nd", "23rd", "101st", "111th"]);
    }

    #[test]
    fn spans_take_the_unit_that_suits_them() {
        for (nanos, expected) in
            [(999, "999 ns"), (87_000, "87 us"), (1_500_000_000, "1.5 s"), (12_345_678, "12.345 ms")]
        {
            assert_eq!(Span(Duration::from_nanos(nanos)).to_string(), expected);
        }
    }
}
