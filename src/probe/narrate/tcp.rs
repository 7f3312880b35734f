//! What a connection does, in words.

use super::units::{Ordinal, Span, count};
use crate::event::{SendReason, TcpEvent};
use crate::time::Instant;

pub fn sentence(at: Instant, event: &TcpEvent) -> String {
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
