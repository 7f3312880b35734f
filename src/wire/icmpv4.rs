//! ICMP for IPv4 (RFC 792): the header of eight bytes that every message has.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     Type      |     Code      |           Checksum            |
//! |      echo: identifier         |        sequence number        |
//! |      error: pointer or zero   |        next-hop MTU           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! | echo: data; error: IP header and the beginning of the packet concerned
//! ```

use super::checksum::Sum;
use super::field::Field;
use thiserror::Error;

/// The length of the header.
pub const HEADER_LEN: usize = 8;

pub const ECHO_REPLY: u8 = 0;
pub const DESTINATION_UNREACHABLE: u8 = 3;
pub const SOURCE_QUENCH: u8 = 4;
pub const REDIRECT: u8 = 5;
pub const ECHO_REQUEST: u8 = 8;
pub const TIME_EXCEEDED: u8 = 11;
pub const PARAMETER_PROBLEM: u8 = 12;

/// Codes of Destination Unreachable (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
pub mod unreachable {
    pub const NET: u8 = 0;
    pub const HOST: u8 = 1;
    pub const PROTOCOL: u8 = 2;
    pub const PORT: u8 = 3;
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    pub const SOURCE_ROUTE_FAILED: u8 = 5;
    pub const NET_UNKNOWN: u8 = 6;
    pub const HOST_UNKNOWN: u8 = 7;
    pub const HOST_ISOLATED: u8 = 8;
    pub const NET_PROHIBITED: u8 = 9;
    pub const HOST_PROHIBITED: u8 = 10;
    pub const NET_FOR_SERVICE: u8 = 11;
    pub const HOST_FOR_SERVICE: u8 = 12;
    pub const PROHIBITED: u8 = 13;
    pub const HOST_PRECEDENCE: u8 = 14;
    pub const PRECEDENCE_CUTOFF: u8 = 15;
}

/// Codes of Time Exceeded.
pub mod time_exceeded {
    pub const TTL: u8 = 0;
    pub const REASSEMBLY: u8 = 1;
}

pub const FIELDS: &[Field] = &[
    Field::new("type", 0..8, "RFC 792"),
    Field::new("code", 8..16, "RFC 792"),
    Field::new("checksum", 16..32, "RFC 792"),
    Field::new("rest of header", 32..64, "RFC 792"),
];

/// In place of the rest of the header, for echo request and reply.
pub const ECHO_FIELDS: &[Field] =
    &[Field::new("identifier", 32..48, "RFC 792"), Field::new("sequence number", 48..64, "RFC 792")];

/// In place of the rest of the header, for Destination Unreachable with code 4.
pub const FRAGMENTATION_NEEDED_FIELDS: &[Field] = &[Field::new("next-hop MTU", 48..64, "RFC 1191 §4")];

/// In place of the rest of the header, for Parameter Problem.
pub const PARAMETER_PROBLEM_FIELDS: &[Field] = &[Field::new("pointer", 32..40, "RFC 792")];

/// An ICMP header, its checksum left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    EchoReply {
        id: u16,
        sequence: u16,
    },
    EchoRequest {
        id: u16,
        sequence: u16,
    },
    /// `mtu` is the next hop's, with code 4 and a router that knows of RFC 1191; else zero.
    DestinationUnreachable {
        code: u8,
        mtu: u16,
    },
    TimeExceeded {
        code: u8,
    },
    ParameterProblem {
        code: u8,
        pointer: u8,
    },
    /// Any other type.
    Other {
        kind: u8,
        code: u8,
        rest: [u8; 4],
    },
}

/// The message was shorter than its header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{len} bytes cannot hold an ICMP header")]
pub struct ParseError {
    pub len: usize,
}

impl Message {
    /// Reads the header at the front of `bytes`; gives the rest back: echo data, or what is quoted.
    pub fn parse(bytes: &[u8]) -> Result<(Message, &[u8]), ParseError> {
        // By hand: etherparse's slice wants whole timestamp messages, and this reads the head of any.
        let (head, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(ParseError { len: bytes.len() })?;
        let [kind, code, _, _, word @ ..] = *head;
        let [a, b, c, d] = word;
        let (first, second) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let message = match kind {
            ECHO_REPLY => Message::EchoReply { id: first, sequence: second },
            ECHO_REQUEST => Message::EchoRequest { id: first, sequence: second },
            DESTINATION_UNREACHABLE => Message::DestinationUnreachable { code, mtu: second },
            TIME_EXCEEDED => Message::TimeExceeded { code },
            PARAMETER_PROBLEM => Message::ParameterProblem { code, pointer: a },
            kind => Message::Other { kind, code, rest: word },
        };
        Ok((message, rest))
    }

    /// The type on the wire.
    pub fn kind(&self) -> u8 {
        match self {
            Message::EchoReply { .. } => ECHO_REPLY,
            Message::EchoRequest { .. } => ECHO_REQUEST,
            Message::DestinationUnreachable { .. } => DESTINATION_UNREACHABLE,
            Message::TimeExceeded { .. } => TIME_EXCEEDED,
            Message::ParameterProblem { .. } => PARAMETER_PROBLEM,
            Message::Other { kind, .. } => *kind,
        }
    }

    /// Writes the header with its checksum over itself and `data`, and lends the bytes to `prepend`.
    pub fn emit<R>(&self, data: &[u8], prepend: impl FnOnce(&[u8]) -> R) -> R {
        let pair = |first: u16, second: u16| {
            let ([a, b], [c, d]) = (first.to_be_bytes(), second.to_be_bytes());
            [a, b, c, d]
        };
        let (code, rest) = match *self {
            Message::EchoReply { id, sequence } | Message::EchoRequest { id, sequence } => (0, pair(id, sequence)),
            Message::DestinationUnreachable { code, mtu } => (code, pair(0, mtu)),
            Message::TimeExceeded { code } => (code, [0; 4]),
            Message::ParameterProblem { code, pointer } => (code, [pointer, 0, 0, 0]),
            Message::Other { code, rest, .. } => (code, rest),
        };
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = self.kind();
        bytes[1] = code;
        bytes[4..].copy_from_slice(&rest);
        let checksum = Sum::default().plus(&bytes).plus(data).checksum();
        bytes[2..4].copy_from_slice(&checksum.to_be_bytes());
        prepend(&bytes)
    }
}

/// RFC 1122 §3.2.2: the types that report an error, which no error may answer.
pub fn is_error(kind: u8) -> bool {
    matches!(kind, DESTINATION_UNREACHABLE | SOURCE_QUENCH | REDIRECT | TIME_EXCEEDED | PARAMETER_PROBLEM)
}

/// A whole message adds up.
pub fn checksum_is_good(message: &[u8]) -> bool {
    Sum::default().plus(message).is_good()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message() -> impl Strategy<Value = Message> {
        prop_oneof![
            any::<(u16, u16)>().prop_map(|(id, sequence)| Message::EchoReply { id, sequence }),
            any::<(u16, u16)>().prop_map(|(id, sequence)| Message::EchoRequest { id, sequence }),
            any::<(u8, u16)>().prop_map(|(code, mtu)| Message::DestinationUnreachable { code, mtu }),
            any::<u8>().prop_map(|code| Message::TimeExceeded { code }),
            any::<(u8, u8)>().prop_map(|(code, pointer)| Message::ParameterProblem { code, pointer }),
            any::<(u8, [u8; 4])>().prop_map(|(code, rest)| Message::Other { kind: 40, code, rest }),
        ]
    }

    proptest! {
        #[test]
        fn parse_undoes_emit(message in message(), data in proptest::collection::vec(any::<u8>(), 0..40)) {
            let bytes = message.emit(&data, |bytes| [bytes, &data].concat());
            prop_assert!(checksum_is_good(&bytes));
            prop_assert_eq!(Message::parse(&bytes), Ok((message, &data[..])));
        }

        #[test]
        fn any_bytes_parse_or_fail(mut bytes in proptest::collection::vec(any::<u8>(), 0..40), kind in 0u8..20) {
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            prop_assert_eq!(Message::parse(&bytes).is_ok(), bytes.len() >= HEADER_LEN);
        }
    }
}
