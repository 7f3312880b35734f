//! The IPv4 header (RFC 791 §3.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version|  IHL  |   DSCP    |ECN|          Total Length         |
//! |         Identification        |0|D|M|     Fragment Offset     |
//! |  Time to Live |    Protocol   |        Header Checksum        |
//! |                         Source Address                        |
//! |                      Destination Address                      |
//! |                   Options, padded to 32 bits                  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::checksum::Sum;
use super::field::Field;
use etherparse::Ipv4HeaderSlice;
use etherparse::err::ipv4::{HeaderError, HeaderSliceError};
use smallvec::SmallVec;
use std::net::Ipv4Addr;
use thiserror::Error;

/// The length of a header without options.
pub const MIN_HEADER_LEN: usize = 20;
/// The length of a header with all the options that IHL can name.
pub const MAX_HEADER_LEN: usize = 60;
/// Where fragments begin is counted in units of so many bytes.
pub const FRAGMENT_UNIT: usize = 8;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;

pub const FIELDS: &[Field] = &[
    Field::new("version", 0..4, "RFC 791 §3.1"),
    Field::new("header length", 4..8, "RFC 791 §3.1"),
    Field::new("DSCP", 8..14, "RFC 2474 §3"),
    Field::new("ECN", 14..16, "RFC 3168 §5"),
    Field::new("total length", 16..32, "RFC 791 §3.1"),
    Field::new("identification", 32..48, "RFC 6864 §3"),
    Field::new("reserved", 48..49, "RFC 791 §3.1"),
    Field::new("don't fragment", 49..50, "RFC 791 §3.1"),
    Field::new("more fragments", 50..51, "RFC 791 §3.1"),
    Field::new("fragment offset", 51..64, "RFC 791 §3.1"),
    Field::new("time to live", 64..72, "RFC 791 §3.1"),
    Field::new("protocol", 72..80, "RFC 791 §3.1"),
    Field::new("header checksum", 80..96, "RFC 791 §3.1"),
    Field::new("source", 96..128, "RFC 791 §3.1"),
    Field::new("destination", 128..160, "RFC 791 §3.1"),
];

/// An IPv4 header, its checksum left out: who sends it fills it in, who receives it verifies it on the bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// DSCP (6 bits) and ECN (2).
    pub traffic_class: u8,
    /// Header and payload, in bytes; see [`ends_with_frame`](Header::ends_with_frame).
    pub total_length: u16,
    pub identification: u16,
    pub dont_fragment: bool,
    pub more_fragments: bool,
    /// Where this fragment's payload begins in the whole one, in bytes: a multiple of 8.
    pub fragment_offset: u16,
    pub ttl: u8,
    pub protocol: u8,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    /// As on the wire; a multiple of 4 bytes, at most 40.
    pub options: SmallVec<[u8; MAX_HEADER_LEN - MIN_HEADER_LEN]>,
}

/// What is wrong with an IPv4 header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    #[error("{len} bytes cannot hold the IPv4 header that IHL announces")]
    TooShort { len: usize },
    #[error("IP version {version} in place of 4")]
    Version { version: u8 },
    #[error("a header length of {ihl} words is less than the 5 of the fixed header")]
    HeaderLength { ihl: u8 },
}

impl Header {
    /// Reads the header at the front of `bytes`; gives everything behind it back: whether that is as long as the
    /// total length says is for the caller to see (in an ICMP error it is not).
    pub fn parse(bytes: &[u8]) -> Result<(Header, &[u8]), ParseError> {
        let slice = Ipv4HeaderSlice::from_slice(bytes).map_err(|error| match error {
            HeaderSliceError::Len(_) => ParseError::TooShort { len: bytes.len() },
            HeaderSliceError::Content(HeaderError::UnexpectedVersion { version_number }) => {
                ParseError::Version { version: version_number }
            }
            HeaderSliceError::Content(HeaderError::HeaderLengthSmallerThanHeader { ihl }) => {
                ParseError::HeaderLength { ihl }
            }
        })?;
        let header = Header {
            traffic_class: bytes[1],
            total_length: slice.total_len(),
            identification: slice.identification(),
            dont_fragment: slice.dont_fragment(),
            more_fragments: slice.more_fragments(),
            fragment_offset: slice.fragments_offset().value() * FRAGMENT_UNIT as u16,
            ttl: slice.ttl(),
            protocol: slice.protocol().0,
            source: slice.source_addr(),
            destination: slice.destination_addr(),
            options: SmallVec::from_slice(slice.options()),
        };
        Ok((header, &bytes[slice.slice().len()..]))
    }

    /// The header's length with its options, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a header is never empty")]
    pub fn len(&self) -> usize {
        MIN_HEADER_LEN + self.options.len()
    }

    /// A super-frame that is longer than the total length can say, which is zero then (BIG TCP).
    pub fn ends_with_frame(&self) -> bool {
        self.total_length == 0
    }

    /// A part of a larger datagram.
    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset > 0
    }

    /// Writes the header with its checksum and lends the bytes to `prepend`.
    ///
    /// # Panics
    /// When the options are not a multiple of 4 bytes or more than 40, which only a bug can bring about.
    pub fn emit<R>(&self, prepend: impl FnOnce(&[u8]) -> R) -> R {
        assert!(self.options.len().is_multiple_of(4), "options are padded to words");
        debug_assert!(usize::from(self.fragment_offset).is_multiple_of(FRAGMENT_UNIT), "offsets count in eights");
        let mut fixed = self.fixed();
        // Of nearly all headers the length is known before they are: they are copied and summed up without a loop.
        if self.options.is_empty() {
            return prepend(fill_in_checksum(&mut fixed));
        }
        let mut bytes = SmallVec::<[u8; MAX_HEADER_LEN]>::from_slice(&fixed);
        bytes.extend_from_slice(&self.options);
        prepend(fill_in_checksum(&mut bytes))
    }

    /// All but the options and the checksum.
    fn fixed(&self) -> [u8; MIN_HEADER_LEN] {
        let mut flags = self.fragment_offset / FRAGMENT_UNIT as u16;
        if self.dont_fragment {
            flags |= DONT_FRAGMENT;
        }
        if self.more_fragments {
            flags |= MORE_FRAGMENTS;
        }
        let mut bytes = [0; MIN_HEADER_LEN];
        bytes[0] = 0x40 | (self.len() / 4) as u8;
        bytes[1] = self.traffic_class;
        bytes[2..4].copy_from_slice(&self.total_length.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.identification.to_be_bytes());
        bytes[6..8].copy_from_slice(&flags.to_be_bytes());
        bytes[8] = self.ttl;
        bytes[9] = self.protocol;
        bytes[12..16].copy_from_slice(&self.source.octets());
        bytes[16..20].copy_from_slice(&self.destination.octets());
        bytes
    }
}

#[inline]
fn fill_in_checksum(header: &mut [u8]) -> &[u8] {
    let checksum = Sum::default().plus(header).checksum();
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

/// The header's bytes add up (RFC 791 §3.1).
pub fn checksum_is_good(header: &[u8]) -> bool {
    Sum::default().plus(header).is_good()
}

/// Where an option of impossible length stands, counted from the beginning of the header; none when each can be
/// skipped. What the options say is nothing to a host that sends none (RFC 1122 §3.2.1.8).
pub fn bad_option(options: &[u8]) -> Option<u8> {
    let mut place = 0;
    while let Some(kind) = options.get(place) {
        match *kind {
            END_OF_OPTIONS => return None,
            NO_OPERATION => place += 1,
            _ => match options.get(place + 1) {
                Some(len) if *len >= 2 && place + usize::from(*len) <= options.len() => place += usize::from(*len),
                Some(_) | None => return Some((MIN_HEADER_LEN + place) as u8),
            },
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_that_cannot_be_are_errors() {
        for (first, len, error) in [
            (0x45, 19, ParseError::TooShort { len: 19 }),
            (0x46, 20, ParseError::TooShort { len: 20 }),
            (0x65, 40, ParseError::Version { version: 6 }),
            (0x44, 40, ParseError::HeaderLength { ihl: 4 }),
        ] {
            let mut bytes = vec![0; len];
            bytes[0] = first;
            assert_eq!(Header::parse(&bytes), Err(error));
        }
    }

    #[test]
    fn options_are_skipped_by_their_length_or_pointed_at() {
        for (options, expected) in [
            (&[][..], None),
            (&[1, 1, 1, 0], None),
            (&[0, 9, 9, 9], None),
            (&[7, 4, 0, 0, 148, 4, 0, 0], None),
            (&[1, 7, 4, 0], Some(21)),
            (&[1, 1, 1, 7], Some(23)),
            (&[7, 0, 0, 0], Some(20)),
            (&[7, 1, 0, 0], Some(20)),
        ] {
            assert_eq!(bad_option(options), expected, "{options:?}");
        }
    }

    proptest! {
        #[test]
        fn parse_undoes_emit(
            numbers: (u8, u16, u16, u8, u8),
            dont_fragment: bool,
            more_fragments: bool,
            units in 0u16..0x2000,
            ends: ([u8; 4], [u8; 4]),
            words in proptest::collection::vec(any::<[u8; 4]>(), 0..=10),
        ) {
            let (traffic_class, total_length, identification, ttl, protocol) = numbers;
            let header = Header {
                traffic_class, total_length, identification, dont_fragment, more_fragments,
                fragment_offset: units * 8, ttl, protocol,
                source: ends.0.into(), destination: ends.1.into(),
                options: words.concat().into(),
            };
            let bytes = header.emit(|bytes| [bytes, b"data"].concat());
            prop_assert!(checksum_is_good(&bytes[..header.len()]));
            prop_assert_eq!(Header::parse(&bytes), Ok((header, &b"data"[..])));
        }

        #[test]
        fn any_bytes_parse_or_fail(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), version_4: bool) {
            if let (true, Some(first)) = (version_4, bytes.first_mut()) {
                *first = 0x40 | *first & 0x0f;
            }
            if let Ok((header, _)) = Header::parse(&bytes) {
                let _ = bad_option(&header.options);
            }
        }
    }
}
