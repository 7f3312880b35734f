//! What was sent beside what was expected.

use super::outbound::Sent;
use crate::sim::script::icmp_names;
use crate::sim::script::syntax::{Body, Ecn, Icmp, IpInfo, Packet, Quote, Tcp, TcpOption};

/// Is what was sent what was expected? `relaxed` overlooks what stacks may well do in different ways.
pub fn matches(expected: &Packet, sent: &Sent, relaxed: bool) -> bool {
    let joined = sent.segments > 1;
    let sent = &sent.packet;
    let ip = (expected.ip, sent.ip);
    let ecn = match ip.0.ecn {
        Some(Ecn::Ect01) => matches!(ip.1.ecn, Some(Ecn::Ect0 | Ecn::Ect1)),
        wanted => wanted.is_none() || wanted == ip.1.ecn,
    };
    let ip = ecn && (ip.0.tos.is_none() || ip.0.tos == ip.1.tos) && (ip.0.ttl.is_none() || ip.0.ttl == ip.1.ttl);
    ip && match (&expected.body, &sent.body) {
        (Body::Tcp(expected), Body::Tcp(sent)) => tcp_matches(expected, sent, relaxed, joined),
        (Body::Udp { ports: None, len }, Body::Udp { len: sent, .. }) => len == sent,
        (Body::Udp { ports, len }, Body::Udp { ports: sent, len: sent_len }) => ports == sent && len == sent_len,
        (Body::Icmp(expected), Body::Icmp(sent)) => {
            let number = |icmp: &Icmp| {
                let code = icmp.code.as_deref().map_or(Some(0), icmp_names::code_v4);
                (icmp_names::kind_v4(&icmp.kind), code)
            };
            number(expected) == number(sent)
                && (expected.id.is_none() || expected.id == sent.id)
                && (expected.mtu.is_none() || expected.mtu == sent.mtu)
                && (matches!(expected.quote, None | Some(Quote::Raw { .. })) || expected.quote == sent.quote)
        }
        (_, _) => false,
    }
}

/// `joined`: it was several segments. A stack that hands such a train to its device as one sets PSH on it (Linux does
/// so since 4.20, and did not before), whatever was written; segments by themselves know no trains.
fn tcp_matches(expected: &Tcp, sent: &Tcp, relaxed: bool, joined: bool) -> bool {
    const PSH: u16 = 0x008;
    let window = match expected.window {
        Some(window) if relaxed => sent.window.map(|sent| sent == 0) == Some(window == 0),
        Some(window) => sent.window == Some(window),
        None => true,
    };
    let options = match (&expected.options, &sent.options) {
        (Some(expected), Some(sent)) if relaxed => as_set(expected) == as_set(sent),
        (Some(expected), Some(sent)) => expected == sent,
        (_, _) => true,
    };
    let ports = expected.ports.is_none() || expected.ports == sent.ports;
    let numbers =
        (expected.seq, expected.len, expected.ack.unwrap_or(0)) == (sent.seq, sent.len, sent.ack.unwrap_or(0));
    let urgent = expected.urgent.unwrap_or(0) == sent.urgent.unwrap_or(0);
    let differs = (expected.flags.bits ^ sent.flags.bits) & if joined { !PSH } else { !0 };
    ports && differs == 0 && numbers && urgent && window && options
}

/// Without padding, in one order; sizes and shifts are a stack's own.
fn as_set(options: &[TcpOption]) -> Vec<String> {
    let real = options.iter().filter(|option| !matches!(option, TcpOption::Nop | TcpOption::Eol));
    let mut texts: Vec<String> = real
        .map(|option| match option {
            TcpOption::WindowScale(_) => "wscale".into(),
            option => option.to_string(),
        })
        .collect();
    texts.sort();
    texts
}

/// What is not compared is not shown either.
pub fn as_told(sent: &Packet, expected: &Packet) -> Packet {
    let mut told = sent.clone();
    let keep = expected.ip;
    told.ip = IpInfo {
        ecn: sent.ip.ecn.filter(|_| keep.ecn.is_some()),
        tos: sent.ip.tos.filter(|_| keep.tos.is_some()),
        flow_label: None,
        ttl: sent.ip.ttl.filter(|_| keep.ttl.is_some()),
    };
    if let (Body::Tcp(told), Body::Tcp(expected)) = (&mut told.body, &expected.body) {
        told.window = told.window.filter(|_| expected.window.is_some());
    }
    told
}
