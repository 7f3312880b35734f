//! The TCP header (RFC 9293 §3.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |          Source Port          |       Destination Port        |
//! |                        Sequence Number                        |
//! |                    Acknowledgment Number                      |
//! | Offset| Rsrvd |C|E|U|A|P|R|S|F|            Window             |
//! |           Checksum            |         Urgent Pointer        |
//! |                   Options, padded to 32 bits                  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::field::Field;
use super::tcp_options::{LONE_TIMESTAMPS_LEN, MAX_LEN, Options, OptionsError};
use etherparse::TcpHeaderSlice;
use smallvec::SmallVec;
use std::fmt;
use std::ops::Range;
use thiserror::Error;

/// The length of a header without options.
pub const MIN_HEADER_LEN: usize = 20;
/// Where the checksum lies.
pub const CHECKSUM: Range<usize> = 16..18;
const MAX_HEADER_LEN: usize = MIN_HEADER_LEN + MAX_LEN;

pub const FIELDS: &[Field] = &[
    Field::new("source port", 0..16, "RFC 9293 §3.1"),
    Field::new("destination port", 16..32, "RFC 9293 §3.1"),
    Field::new("sequence number", 32..64, "RFC 9293 §3.1"),
    Field::new("acknowledgment number", 64..96, "RFC 9293 §3.1"),
    Field::new("data offset", 96..100, "RFC 9293 §3.1"),
    Field::new("reserved", 100..104, "RFC 9293 §3.1"),
    Field::new("CWR", 104..105, "RFC 3168 §6.1.2"),
    Field::new("ECE", 105..106, "RFC 3168 §6.1.3"),
    Field::new("URG", 106..107, "RFC 9293 §3.1"),
    Field::new("ACK", 107..108, "RFC 9293 §3.1"),
    Field::new("PSH", 108..109, "RFC 9293 §3.1"),
    Field::new("RST", 109..110, "RFC 9293 §3.1"),
    Field::new("SYN", 110..111, "RFC 9293 §3.1"),
    Field::new("FIN", 111..112, "RFC 9293 §3.1"),
    Field::new("window", 112..128, "RFC 9293 §3.1"),
    Field::new("checksum", 128..144, "RFC 9293 §3.1"),
    Field::new("urgent pointer", 144..160, "RFC 9293 §3.1"),
];

/// The control bits, the reserved ones included (they are echoed nowhere and may carry anything).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u16);

impl Flags {
    pub const FIN: Flags = Flags(0x001);
    pub const SYN: Flags = Flags(0x002);
    pub const RST: Flags = Flags(0x004);
    pub const PSH: Flags = Flags(0x008);
    pub const ACK: Flags = Flags(0x010);
    pub const URG: Flags = Flags(0x020);
    pub const ECE: Flags = Flags(0x040);
    pub const CWR: Flags = Flags(0x080);
    /// RFC 9768 §3.1: once the nonce bit.
    pub const AE: Flags = Flags(0x100);
    pub const NONE: Flags = Flags(0);

    pub const fn from_bits(bits: u16) -> Flags {
        Flags(bits & 0xfff)
    }

    pub const fn bits(self) -> u16 {
        self.0
    }

    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn syn(self) -> bool {
        self.contains(Flags::SYN)
    }

    pub const fn ack(self) -> bool {
        self.contains(Flags::ACK)
    }

    pub const fn fin(self) -> bool {
        self.contains(Flags::FIN)
    }

    pub const fn rst(self) -> bool {
        self.contains(Flags::RST)
    }

    pub const fn psh(self) -> bool {
        self.contains(Flags::PSH)
    }

    pub const fn urg(self) -> bool {
        self.contains(Flags::URG)
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

/// `SYN,ACK`; `none` without any.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(&str, Flags); 9] = [
            ("SYN", Flags::SYN),
            ("FIN", Flags::FIN),
            ("RST", Flags::RST),
            ("PSH", Flags::PSH),
            ("ACK", Flags::ACK),
            ("URG", Flags::URG),
            ("ECE", Flags::ECE),
            ("CWR", Flags::CWR),
            ("AE", Flags::AE),
        ];
        let mut named = NAMES.iter().filter(|(_, flag)| self.contains(*flag)).map(|(name, _)| *name);
        f.write_str(named.next().unwrap_or("none"))?;
        named.try_for_each(|name| write!(f, ",{name}"))
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A TCP header, its checksum left out: who sends it fills it in, who receives it verifies it on the bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    pub source_port: u16,
    pub destination_port: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: Flags,
    /// As on the wire, not scaled.
    pub window: u16,
    pub urgent: u16,
    pub options: Options,
}

/// What is wrong with a TCP header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    #[error("{len} bytes cannot hold the TCP header that the data offset announces")]
    Header { len: usize },
    #[error(transparent)]
    Options(#[from] OptionsError),
}

impl Header {
    /// Reads the header at the front of `bytes`; gives the rest, the data, back with it.
    pub fn parse(bytes: &[u8]) -> Result<(Header, &[u8]), ParseError> {
        let slice = TcpHeaderSlice::from_slice(bytes).map_err(|_| ParseError::Header { len: bytes.len() })?;
        let header = Header {
            source_port: slice.source_port(),
            destination_port: slice.destination_port(),
            seq: slice.sequence_number(),
            ack: slice.acknowledgment_number(),
            flags: Flags::from_bits(u16::from_be_bytes([bytes[12], bytes[13]])),
            window: slice.window_size(),
            urgent: slice.urgent_pointer(),
            // RFC 9293 §3.1 (MUST-5): in any segment.
            options: Options::parse(slice.options())?,
        };
        Ok((header, &bytes[slice.slice().len()..]))
    }

    /// The header's length with its options, in bytes.
    pub fn len(&self) -> usize {
        MIN_HEADER_LEN + self.options.len()
    }

    #[doc(hidden)]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Writes the header and lends the bytes to `prepend`, which fills in the [`CHECKSUM`]: so far it is zero.
    pub fn emit<R>(&self, prepend: impl FnOnce(&mut [u8]) -> R) -> R {
        // Of nearly all headers the length is known before they are: they are copied without a loop.
        if let Some(options) = self.options.emit_lone_timestamps() {
            let mut bytes = [0; MIN_HEADER_LEN + LONE_TIMESTAMPS_LEN];
            bytes[..MIN_HEADER_LEN].copy_from_slice(&self.fixed(options.len()));
            bytes[MIN_HEADER_LEN..].copy_from_slice(&options);
            return prepend(&mut bytes);
        }
        let options = self.options.emit();
        let mut bytes = SmallVec::<[u8; MAX_HEADER_LEN]>::from_slice(&self.fixed(options.len()));
        bytes.extend_from_slice(&options);
        prepend(&mut bytes)
    }

    /// All but the options, which have `options` bytes, and the checksum.
    #[inline]
    fn fixed(&self, options: usize) -> [u8; MIN_HEADER_LEN] {
        let mut bytes = [0; MIN_HEADER_LEN];
        bytes[..2].copy_from_slice(&self.source_port.to_be_bytes());
        bytes[2..4].copy_from_slice(&self.destination_port.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.seq.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ack.to_be_bytes());
        // The data offset counts in words.
        let offset_and_flags = ((MIN_HEADER_LEN + options) as u16 / 4) << 12 | self.flags.bits();
        bytes[12..14].copy_from_slice(&offset_and_flags.to_be_bytes());
        bytes[14..16].copy_from_slice(&self.window.to_be_bytes());
        bytes[18..].copy_from_slice(&self.urgent.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn flags_are_named_in_the_order_people_say_them() {
        assert_eq!((Flags::ACK | Flags::SYN).to_string(), "SYN,ACK");
        assert_eq!(Flags::NONE.to_string(), "none");
    }

    #[test]
    fn a_header_shorter_than_its_offset_is_an_error() {
        for bytes in [&[0u8; 19][..], &[0; 20], &{
            let mut short = [0; 20];
            short[12] = 0x60;
            short
        }] {
            assert_eq!(Header::parse(bytes), Err(ParseError::Header { len: bytes.len() }));
        }
    }

    proptest! {
        #[test]
        fn parse_undoes_emit(ports: (u16, u16), seq: u32, ack: u32, flags in 0u16..0x1000, window: u16, urgent: u16, mss: Option<u16>, times: Option<(u32, u32)>) {
            let options = Options { mss, timestamps: times.map(|(value, echo)| crate::wire::tcp_options::Timestamps { value, echo }), ..Options::default() };
            let header = Header { source_port: ports.0, destination_port: ports.1, seq, ack, flags: Flags::from_bits(flags), window, urgent, options };
            let bytes = header.emit(|bytes| [&*bytes, b"data"].concat());
            prop_assert_eq!(header.len() + 4, bytes.len());
            prop_assert_eq!(Header::parse(&bytes), Ok((header, &b"data"[..])));
        }

        #[test]
        fn any_bytes_parse_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Header::parse(&bytes);
        }
    }
}
