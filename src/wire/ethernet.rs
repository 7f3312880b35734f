//! The Ethernet header (IEEE 802.3, RFC 894), with up to two 802.1Q tags, and LLC/SNAP framing on receipt (RFC 1042).
//!
//! ```text
//! +-------------------+-------------------+------------------+-----------+
//! | destination (6)   | source (6)        | tags (0, 4 or 8) | type (2)  |
//! +-------------------+-------------------+------------------+-----------+
//! ```

use super::MacAddress;
use super::field::Field;
use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};
use smallvec::SmallVec;
use thiserror::Error;

/// The length of a header without tags.
pub const MIN_HEADER_LEN: usize = 14;
/// More tags than this are not looked behind.
pub const MAX_TAGS: usize = 2;

const TAG_LEN: usize = 4;
/// Up to here the type field is a length (IEEE 802.3 §3.2.6).
const MAX_LENGTH: u16 = 1500;
/// LLC: the SNAP service access points, unnumbered information; then the organisation code of RFC 1042.
const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];

/// What the payload of a frame is (IANA "IEEE 802 Numbers").
pub mod ether_type {
    pub const IPV4: u16 = 0x0800;
    pub const ARP: u16 = 0x0806;
    pub const IPV6: u16 = 0x86dd;
    /// An 802.1Q tag follows.
    pub const VLAN: u16 = 0x8100;
    /// An 802.1ad service tag follows.
    pub const SERVICE_VLAN: u16 = 0x88a8;
}

/// Of a header without tags; each tag moves the type 32 bits on ([`TAG_FIELDS`]).
pub const FIELDS: &[Field] = &[
    Field::new("destination", 0..48, "RFC 894"),
    Field::new("source", 48..96, "RFC 894"),
    Field::new("type", 96..112, "RFC 894"),
];

/// Of one tag: after its own type comes the control information.
pub const TAG_FIELDS: &[Field] = &[
    Field::new("tag type", 0..16, "IEEE 802.1Q §9.4"),
    Field::new("priority", 16..19, "IEEE 802.1Q §9.6"),
    Field::new("drop eligible", 19..20, "IEEE 802.1Q §9.6"),
    Field::new("VLAN", 20..32, "IEEE 802.1Q §9.6"),
];

/// An 802.1Q tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag {
    /// 0x8100, or 0x88a8 for a service tag.
    pub tag_type: u16,
    /// Priority (3 bits), drop eligible (1), VLAN (12).
    pub control: u16,
}

impl Tag {
    pub const fn vlan(self) -> u16 {
        self.control & 0xfff
    }
}

/// How the type was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Framing {
    /// In the header itself (RFC 894).
    #[default]
    EthernetII,
    /// Behind a length and LLC/SNAP (RFC 1042): received, never sent (RFC 1122 §2.3.3).
    Snap,
}

/// An Ethernet header.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    pub destination: MacAddress,
    pub source: MacAddress,
    /// Outermost first.
    pub tags: SmallVec<[Tag; MAX_TAGS]>,
    /// One of [`ether_type`], or any other.
    pub ether_type: u16,
    pub framing: Framing,
}

/// What is wrong with an Ethernet header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    #[error("{len} bytes cannot hold an Ethernet header")]
    TooShort { len: usize },
    #[error("an 802.3 frame of length {length} without LLC/SNAP")]
    NoSnap { length: u16 },
}

impl Header {
    /// Reads the header at the front of `bytes`; gives the rest, the payload with any padding, back with it.
    pub fn parse(bytes: &[u8]) -> Result<(Header, &[u8]), ParseError> {
        let short = |_| ParseError::TooShort { len: bytes.len() };
        let slice = Ethernet2HeaderSlice::from_slice(bytes).map_err(short)?;
        let mut header = Header {
            destination: MacAddress(slice.destination()),
            source: MacAddress(slice.source()),
            tags: SmallVec::new(),
            ether_type: slice.ether_type().0,
            framing: Framing::EthernetII,
        };
        let mut rest = &bytes[MIN_HEADER_LEN..];
        while is_tag(header.ether_type) && header.tags.len() < MAX_TAGS {
            let tag = SingleVlanHeaderSlice::from_slice(rest).map_err(short)?;
            let control = u16::from_be_bytes([rest[0], rest[1]]);
            header.tags.push(Tag { tag_type: header.ether_type, control });
            header.ether_type = tag.ether_type().0;
            rest = &rest[TAG_LEN..];
        }
        if header.ether_type <= MAX_LENGTH {
            rest = header.look_behind_snap(rest)?;
        }
        Ok((header, rest))
    }

    /// The type so far was a length: what follows is LLC.
    fn look_behind_snap<'a>(&mut self, rest: &'a [u8]) -> Result<&'a [u8], ParseError> {
        let length = self.ether_type;
        let error = ParseError::NoSnap { length };
        let [high, low, payload @ ..] =
            rest.get(..usize::from(length)).and_then(|rest| rest.strip_prefix(&SNAP)).ok_or(error)?
        else {
            return Err(error);
        };
        self.framing = Framing::Snap;
        self.ether_type = u16::from_be_bytes([*high, *low]);
        Ok(payload)
    }

    /// The header's length with its tags, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a header is never empty")]
    pub fn len(&self) -> usize {
        let snap = match self.framing {
            Framing::EthernetII => 0,
            Framing::Snap => SNAP.len() + 2,
        };
        MIN_HEADER_LEN + TAG_LEN * self.tags.len() + snap
    }

    /// Writes the header as Ethernet II and lends the bytes to `prepend`.
    pub fn emit<R>(&self, prepend: impl FnOnce(&[u8]) -> R) -> R {
        let mut fixed = [0; MIN_HEADER_LEN];
        fixed[..6].copy_from_slice(&self.destination.0);
        fixed[6..12].copy_from_slice(&self.source.0);
        fixed[12..].copy_from_slice(&self.ether_type.to_be_bytes());
        // Nearly all headers are of this length, which is then known where they are copied.
        if self.tags.is_empty() {
            return prepend(&fixed);
        }
        let mut bytes = SmallVec::<[u8; MIN_HEADER_LEN + MAX_TAGS * TAG_LEN]>::from_slice(&fixed[..12]);
        for tag in &self.tags {
            bytes.extend_from_slice(&tag.tag_type.to_be_bytes());
            bytes.extend_from_slice(&tag.control.to_be_bytes());
        }
        bytes.extend_from_slice(&fixed[12..]);
        prepend(&bytes)
    }
}

const fn is_tag(ether_type: u16) -> bool {
    matches!(ether_type, ether_type::VLAN | ether_type::SERVICE_VLAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn snap_is_looked_behind_and_padding_is_cut_by_its_length() {
        let bytes = [&[0xff; 6][..], &[2; 6], &[0, 10], &SNAP, &[8, 6], b"hi", &[0; 30]].concat();
        let (header, rest) = Header::parse(&bytes).expect("a SNAP frame");
        assert_eq!((header.ether_type, header.framing, rest), (ether_type::ARP, Framing::Snap, &b"hi"[..]));
        assert_eq!(header.len(), 22);
    }

    #[test]
    fn lengths_without_snap_are_errors() {
        for (length, llc) in [(3u16, &[0x42u8, 0x42, 3][..]), (7, &[0xaa, 0xaa, 3, 0, 0, 0, 8]), (40, &[0xaa, 0xaa, 3])]
        {
            let bytes = [&[0; 12][..], &length.to_be_bytes(), llc].concat();
            assert_eq!(Header::parse(&bytes), Err(ParseError::NoSnap { length }));
        }
    }

    #[test]
    fn a_third_tag_stays_in_the_payload() {
        let bytes = [&[0; 12][..], &[0x88, 0xa8, 0, 1, 0x81, 0, 0xe0, 2, 0x81, 0, 0, 3, 8, 0]].concat();
        let (header, rest) = Header::parse(&bytes).expect("two tags");
        assert_eq!(header.tags.iter().map(|tag| tag.vlan()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((header.ether_type, rest), (ether_type::VLAN, &[0, 3, 8, 0][..]));
    }

    proptest! {
        #[test]
        fn parse_undoes_emit(
            destination: [u8; 6],
            source: [u8; 6],
            tags in proptest::collection::vec((prop_oneof![Just(ether_type::VLAN), Just(ether_type::SERVICE_VLAN)], any::<u16>()), 0..3),
            ether_type in 0x600..=0xffffu16,
        ) {
            prop_assume!(!is_tag(ether_type));
            let tags = tags.into_iter().map(|(tag_type, control)| Tag { tag_type, control }).collect();
            let header = Header { destination: MacAddress(destination), source: MacAddress(source), tags, ether_type, framing: Framing::EthernetII };
            let bytes = header.emit(|bytes| [bytes, b"data"].concat());
            prop_assert_eq!(header.len() + 4, bytes.len());
            prop_assert_eq!(Header::parse(&bytes), Ok((header, &b"data"[..])));
        }

        #[test]
        fn any_bytes_parse_or_fail(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), kind in prop_oneof![Just(0x8100u16), 0..40u16, any::<u16>()]) {
            if let Some(place) = bytes.get_mut(12..14) {
                place.copy_from_slice(&kind.to_be_bytes());
            }
            if let Ok((header, rest)) = Header::parse(&bytes) {
                prop_assert!(header.len() + rest.len() <= bytes.len());
            }
        }
    }
}
