//! The bytes of a packet as words of the language, its numbers as they are on the wire.

use super::syntax::{Ecn, EcnCounter, Quote, Tcp, TcpFlags, TcpOption};
use crate::wire::protocol;

/// A TCP header and the data behind it, its numbers those of the wire. None when it is broken.
pub fn segment(bytes: &[u8]) -> Option<(Tcp, &[u8])> {
    let (head, _) = bytes.split_first_chunk::<20>()?;
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let long = |at: usize| u32::from(word(at)) << 16 | u32::from(word(at + 2));
    let offset = usize::from(head[12] >> 4) * 4;
    let (options, data) = (bytes.get(20..offset)?, bytes.get(offset..)?);
    let bits = word(12) & 0xfff;
    let tcp = Tcp {
        psp: None,
        ports: Some((word(0), word(2))),
        flags: TcpFlags { bits, ace: false },
        seq: long(4),
        len: data.len() as u16,
        ack: (bits & 0x10 != 0).then(|| long(8)),
        window: Some(word(14)),
        urgent: Some(word(18)).filter(|_| bits & 0x20 != 0 || word(18) != 0),
        options: Some(options_of(options)?),
    };
    Some((tcp, data))
}

/// None when their lengths are wrong or the language has no word for one.
fn options_of(mut bytes: &[u8]) -> Option<Vec<TcpOption>> {
    let long = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let mut options = Vec::new();
    while let [kind, rest @ ..] = bytes {
        if *kind < 2 {
            options.push(if *kind == 0 { TcpOption::Eol } else { TcpOption::Nop });
            bytes = rest;
            continue;
        }
        let len = usize::from(*rest.first()?);
        let value = bytes.get(2..len)?;
        options.push(match (*kind, value) {
            (2, [a, b]) => TcpOption::Mss(u16::from_be_bytes([*a, *b])),
            (3, [shift]) => TcpOption::WindowScale(*shift),
            (4, []) => TcpOption::SackPermitted,
            (5, blocks) if blocks.len() % 8 == 0 => {
                TcpOption::Sack(blocks.chunks(8).map(|block| (long(block), long(&block[4..]))).collect())
            }
            (8, value) if value.len() == 8 => TcpOption::Timestamps { value: long(value), echo: long(&value[4..]) },
            (34, cookie) => TcpOption::FastOpen { cookie: cookie.to_vec(), experimental: false },
            (254, [0xf9, 0x89, cookie @ ..]) => TcpOption::FastOpen { cookie: cookie.to_vec(), experimental: true },
            (19, digest) => TcpOption::Md5(digest.to_vec()),
            (172 | 174, counters) if counters.len() % 3 == 0 => {
                let order = [EcnCounter::E0b, EcnCounter::Ceb, EcnCounter::E1b];
                let counter = |at: usize| if *kind == 172 { order[at % 3] } else { order[2 - at % 3] };
                let counts = counters.chunks(3).map(|count| u32::from_be_bytes([0, count[0], count[1], count[2]]));
                TcpOption::AccEcn(counts.enumerate().map(|(at, count)| (counter(at), count)).collect())
            }
            (_, _) => return None,
        });
        bytes = &bytes[len..];
    }
    Some(options)
}

pub fn word(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// The packet that an error is about, by its IP header and the eight bytes behind it. Its numbers are the peer's, which
/// scripts write as they are on the wire.
pub fn quote(bytes: &[u8]) -> Option<Quote> {
    let header_len = usize::from(bytes.first()? & 0xf) * 4;
    let (total, protocol) = (usize::from(word(bytes.get(2..4)?)), *bytes.get(9)?);
    let start = bytes.get(header_len..)?;
    let len = |header: usize| Some(total.saturating_sub(header_len + header) as u16);
    match protocol {
        protocol::TCP => {
            let seq = u32::from(word(start.get(4..6)?)) << 16 | u32::from(word(start.get(6..8)?));
            // Where no more than eight bytes are quoted, the header's length is not among them.
            let options = start.get(12).map_or(20, |offset| usize::from(offset >> 4) * 4);
            Some(Quote::Tcp { seq, len: len(options)? })
        }
        protocol::UDP => Some(Quote::Udp { len: len(8)? }),
        _ => None,
    }
}

/// The ECN bits of the byte that was once the type of service (RFC 3168 §5).
pub fn ecn_of(traffic_class: u8) -> Ecn {
    [Ecn::NotCapable, Ecn::Ect1, Ecn::Ect0, Ecn::Congestion][usize::from(traffic_class & 3)]
}
