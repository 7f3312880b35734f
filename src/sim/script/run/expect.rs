//! Packets that the stack is expected to send: waited for, put together, compared.

use super::events::{PATIENCE, Step, Window};
use super::outbound::{self, Sent};
use super::{Run, Stop, compare};
use crate::sim::script::syntax::{Body, Packet, TcpOption};
use crate::time::Instant;
use std::time::Duration;

impl Run {
    /// Waits for a packet of the stack and compares it; gives the time at which it left.
    pub(super) fn expect(&mut self, expected: &Packet, window: Window) -> Step<Instant> {
        if !expected.outer.is_empty() || matches!(&expected.body, Body::Tcp(tcp) if tcp.psp.is_some()) {
            return Err((None, Stop::unsupported("packets within packets")));
        }
        let limit = window.to.max(self.machine.now) + window.tolerance + PATIENCE;
        loop {
            let Some((mut at, mut sent)) = self.next_sent(expected, limit)? else {
                return Err((None, Stop::failed(self.with_time(expected, window), "nothing")));
            };
            self.aggregate(expected, &mut at, &mut sent, limit)?;
            if self.relaxed && is_superseded(expected, &sent.packet) {
                continue;
            }
            self.check_figures(expected, &sent)?;
            let told = compare::as_told(&sent.packet, expected);
            if !compare::matches(expected, &sent, self.relaxed) {
                return Err((None, Stop::failed(expected, format!("{told} at {}", self.told(at)))));
            }
            if self.zeros && !sent.zeros {
                return Err((None, Stop::failed("a payload of zeros", "other bytes")));
            }
            let early = at + window.tolerance < window.from;
            if !window.any && (early || at > window.to + window.tolerance) {
                let got = format!("{told} at {}", self.told(at));
                return Err((None, Stop::failed(self.with_time(expected, window), got)));
            }
            return Ok(at);
        }
    }

    /// What is compared beside the packets themselves: our timestamps, and in relaxed mode our window's right edge.
    fn check_figures(&mut self, expected: &Packet, sent: &Sent) -> Step<()> {
        let Body::Tcp(tcp) = &sent.packet.body else { return Ok(()) };
        let failed = |expected: &dyn std::fmt::Display, got: String| Err((None, Stop::failed(expected, got)));
        if let (Some(micros), tolerance) = (sent.timestamp_error, self.settings.tolerance)
            && Duration::from_micros(micros) > tolerance
        {
            return failed(expected, format!("a timestamp that is {micros} microseconds off"));
        }
        let (Some(ack), Some(window)) = (tcp.ack, tcp.window) else { return Ok(()) };
        let syn = tcp.flags.bits & 2 != 0;
        if tcp.flags.bits & 4 == 0 && self.map.edge_moved_back(ack, window, syn) && self.relaxed {
            return failed(&"a window whose right edge does not move back", sent.packet.to_string());
        }
        Ok(())
    }

    fn with_time(&self, expected: &Packet, window: Window) -> String {
        match (window.any, window.from == window.to) {
            (true, _) => expected.to_string(),
            (false, true) => format!("{expected} at {}", self.told(window.from)),
            (false, false) => format!("{expected} at {}~{}", self.told(window.from), self.told(window.to)),
        }
    }

    /// The next packet that belongs to what is tested, in the script's numbers.
    fn next_sent(&mut self, expected: &Packet, limit: Instant) -> Step<Option<(Instant, Sent)>> {
        loop {
            let Some((at, bytes)) = self.machine.next_packet() else {
                if self.step(limit)? {
                    continue;
                }
                return Ok(None);
            };
            let mut sent = outbound::read(&bytes).map_err(|stop| (None, stop))?;
            if let Body::Tcp(_) = sent.packet.body {
                let explicit = match &expected.body {
                    Body::Tcp(tcp) => tcp.ports.map(|(local, remote)| self.map.with_ports(local, remote)),
                    Body::Udp { .. } | Body::Icmp(_) => None,
                };
                let wanted = explicit.or(self.map.tuple);
                if wanted.is_some_and(|wanted| wanted != sent.tuple) {
                    continue;
                }
                self.map.tuple.get_or_insert(sent.tuple);
                self.map.select(sent.tuple);
            }
            let tick = self.settings.timestamp_tick;
            sent.timestamp_error = outbound::in_script_numbers(&mut sent.packet, expected, &mut self.map, tick);
            return Ok(Some((at, sent)));
        }
    }

    /// Rule 10: several segments of one size may stand for a longer one.
    fn aggregate(&mut self, expected: &Packet, at: &mut Instant, sent: &mut Sent, limit: Instant) -> Step<()> {
        let (Body::Tcp(wanted), Body::Tcp(first)) = (&expected.body, &sent.packet.body) else { return Ok(()) };
        let step = first.len;
        if self.settings.strict_segments || step == 0 || first.len >= wanted.len || first.seq != wanted.seq {
            return Ok(());
        }
        loop {
            let Body::Tcp(so_far) = &sent.packet.body else { return Ok(()) };
            if so_far.len >= wanted.len {
                return Ok(());
            }
            let Some((next_at, next)) = self.next_sent(expected, limit)? else { return Ok(()) };
            let Body::Tcp(more) = &next.packet.body else { return Ok(()) };
            let follows = more.seq == so_far.seq.wrapping_add(u32::from(so_far.len));
            let same = (more.flags.bits ^ so_far.flags.bits) & !0x089 == 0;
            let total = u32::from(so_far.len) + u32::from(more.len);
            if !follows || !same || more.len > step || total > u32::from(wanted.len) {
                return Ok(());
            }
            let last = more.len < step;
            let mut joined = more.clone();
            (joined.seq, joined.len) = (so_far.seq, total as u16);
            sent.packet = Packet { body: Body::Tcp(joined), ..next.packet.clone() };
            sent.zeros &= next.zeros;
            sent.segments += 1;
            *at = next_at;
            if last {
                return Ok(());
            }
        }
    }
}

/// A pure acknowledgment of less than, or as much as, what is expected: a later one made it needless.
fn is_superseded(expected: &Packet, sent: &Packet) -> bool {
    let (Body::Tcp(expected), Body::Tcp(sent)) = (&expected.body, &sent.body) else { return false };
    let sacks = sent.options.iter().flatten().any(|o| matches!(o, TcpOption::Sack(_)));
    let pure = sent.len == 0 && sent.flags.bits == 0x10 && !sacks;
    let not_newer = match (expected.ack, sent.ack) {
        (Some(expected), Some(sent)) => expected.wrapping_sub(sent) as i32 >= 0,
        (_, _) => false,
    };
    let same = expected.len == 0 && expected.flags.bits == 0x10 && expected.ack == sent.ack;
    pure && not_newer && !same
}
