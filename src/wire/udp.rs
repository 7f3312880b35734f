//! The UDP header (RFC 768).
//!
//! ```text
//! +--------------------------------+--------------------------------+
//! |          source port           |        destination port        |
//! |             length             |            checksum            |
//! +--------------------------------+--------------------------------+
//! ```

use super::field::Field;
use etherparse::UdpHeaderSlice;
use thiserror::Error;

/// The length of the header.
pub const HEADER_LEN: usize = 8;
/// Where the checksum stands in the header.
pub const CHECKSUM_OFFSET: usize = 6;

pub const FIELDS: &[Field] = &[
    Field::new("source port", 0..16, "RFC 768"),
    Field::new("destination port", 16..32, "RFC 768"),
    Field::new("length", 32..48, "RFC 768"),
    Field::new("checksum", 48..64, "RFC 768"),
];

/// A UDP header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    pub source_port: u16,
    pub destination_port: u16,
    /// Header and data, in bytes.
    pub length: u16,
    /// Zero when the sender made none (RFC 768; not over IPv6).
    pub checksum: u16,
}

/// What is wrong with a UDP header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    #[error("{len} bytes cannot hold a UDP header")]
    TooShort { len: usize },
    #[error("a UDP length of {length} does not fit the {len} bytes that came")]
    Length { length: u16, len: usize },
}

impl Header {
    /// Reads the header at the front of `bytes`; gives the data back, cut to what the length says.
    pub fn parse(bytes: &[u8]) -> Result<(Header, &[u8]), ParseError> {
        let slice = UdpHeaderSlice::from_slice(bytes).map_err(|_| ParseError::TooShort { len: bytes.len() })?;
        let header = Header {
            source_port: slice.source_port(),
            destination_port: slice.destination_port(),
            length: slice.length(),
            checksum: slice.checksum(),
        };
        let data = bytes
            .get(HEADER_LEN..usize::from(header.length))
            .ok_or(ParseError::Length { length: header.length, len: bytes.len() })?;
        Ok((header, data))
    }

    /// Writes the header and lends the bytes to `prepend`.
    pub fn emit<R>(&self, prepend: impl FnOnce(&[u8]) -> R) -> R {
        let mut bytes = [0; HEADER_LEN];
        bytes[..2].copy_from_slice(&self.source_port.to_be_bytes());
        bytes[2..4].copy_from_slice(&self.destination_port.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.length.to_be_bytes());
        bytes[CHECKSUM_OFFSET..].copy_from_slice(&self.checksum.to_be_bytes());
        prepend(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_that_cannot_be_are_errors() {
        for (length, len) in [(0, 8), (7, 8), (9, 8), (65535, 100)] {
            let header = Header { source_port: 1, destination_port: 2, length, checksum: 0 };
            let mut bytes = header.emit(<[u8]>::to_vec);
            bytes.resize(len, 0);
            assert_eq!(Header::parse(&bytes), Err(ParseError::Length { length, len }));
        }
        assert_eq!(Header::parse(&[0; 7]), Err(ParseError::TooShort { len: 7 }));
    }

    proptest! {
        #[test]
        fn parse_undoes_emit(ports: (u16, u16), checksum: u16, data in proptest::collection::vec(any::<u8>(), 0..40), padding in 0usize..4) {
            let header = Header { source_port: ports.0, destination_port: ports.1, length: (HEADER_LEN + data.len()) as u16, checksum };
            let bytes = header.emit(|bytes| [bytes, &data, &[0; 4][..padding]].concat());
            prop_assert_eq!(Header::parse(&bytes), Ok((header, &data[..])));
        }

        #[test]
        fn any_bytes_parse_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Header::parse(&bytes);
        }
    }
}
