//! ARP for IPv4 over Ethernet (RFC 826).
//!
//! ```text
//! +--------------------+--------------------+-------+-------+---------------+
//! | hardware type (1)  | protocol (0x0800)  | 6     | 4     | operation     |
//! +--------------------+--------------------+-------+-------+---------------+
//! | sender hardware address                 | sender protocol address       |
//! | target hardware address                 | target protocol address       |
//! +-----------------------------------------+-------------------------------+
//! ```

use super::MacAddress;
use super::ethernet::ether_type;
use super::field::Field;
use etherparse::ArpPacketSlice;
use std::net::Ipv4Addr;
use thiserror::Error;

/// The length of a packet.
pub const LEN: usize = 28;

/// IANA "ARP Parameters": Ethernet; and IEEE 802, which RFC 1042 uses for the same addresses.
const ETHERNET: u16 = 1;
const IEEE_802: u16 = 6;

pub const FIELDS: &[Field] = &[
    Field::new("hardware type", 0..16, "RFC 826"),
    Field::new("protocol type", 16..32, "RFC 826"),
    Field::new("hardware length", 32..40, "RFC 826"),
    Field::new("protocol length", 40..48, "RFC 826"),
    Field::new("operation", 48..64, "RFC 826"),
    Field::new("sender hardware address", 64..112, "RFC 826"),
    Field::new("sender protocol address", 112..144, "RFC 826"),
    Field::new("target hardware address", 144..192, "RFC 826"),
    Field::new("target protocol address", 192..224, "RFC 826"),
];

/// What the sender wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Request,
    Reply,
}

/// An ARP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    pub operation: Operation,
    pub sender_mac: MacAddress,
    /// Unspecified in a probe (RFC 5227 §1.1).
    pub sender_ip: Ipv4Addr,
    pub target_mac: MacAddress,
    pub target_ip: Ipv4Addr,
}

/// What is wrong with an ARP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    #[error("{len} bytes cannot hold the ARP packet that its lengths announce")]
    TooShort { len: usize },
    #[error("ARP for hardware {hardware} and protocol {protocol:#06x}, not for Ethernet and IPv4")]
    OtherKind { hardware: u16, protocol: u16 },
    #[error("ARP operation {operation} is neither request nor reply")]
    Operation { operation: u16 },
}

impl Packet {
    /// Reads the packet at the front of `bytes`; gives the rest, the padding, back with it.
    pub fn parse(bytes: &[u8]) -> Result<(Packet, &[u8]), ParseError> {
        let slice = ArpPacketSlice::from_slice(bytes).map_err(|_| ParseError::TooShort { len: bytes.len() })?;
        let (hardware, protocol) = (slice.hw_addr_type().0, slice.proto_addr_type().0);
        let other = ParseError::OtherKind { hardware, protocol };
        if !matches!(hardware, ETHERNET | IEEE_802) || protocol != ether_type::IPV4 {
            return Err(other);
        }
        let packet = Packet {
            operation: match slice.operation().0 {
                1 => Operation::Request,
                2 => Operation::Reply,
                operation => return Err(ParseError::Operation { operation }),
            },
            sender_mac: MacAddress(slice.sender_hw_addr().try_into().map_err(|_| other)?),
            sender_ip: <[u8; 4]>::try_from(slice.sender_protocol_addr()).map_err(|_| other)?.into(),
            target_mac: MacAddress(slice.target_hw_addr().try_into().map_err(|_| other)?),
            target_ip: <[u8; 4]>::try_from(slice.target_protocol_addr()).map_err(|_| other)?.into(),
        };
        Ok((packet, &bytes[LEN..]))
    }

    /// Writes the packet and lends the bytes to `prepend`.
    pub fn emit<R>(&self, prepend: impl FnOnce(&[u8]) -> R) -> R {
        let operation = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        let mut bytes = [0; LEN];
        bytes[..8].copy_from_slice(&[0, 1, 0x08, 0x00, 6, 4, 0, operation]);
        bytes[8..14].copy_from_slice(&self.sender_mac.0);
        bytes[14..18].copy_from_slice(&self.sender_ip.octets());
        bytes[18..24].copy_from_slice(&self.target_mac.0);
        bytes[24..].copy_from_slice(&self.target_ip.octets());
        prepend(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request() -> Vec<u8> {
        let packet = Packet {
            operation: Operation::Request,
            sender_mac: MacAddress([2, 0, 0, 0, 0, 1]),
            sender_ip: [192, 0, 2, 1].into(),
            target_mac: MacAddress::UNSPECIFIED,
            target_ip: [192, 0, 2, 2].into(),
        };
        packet.emit(<[u8]>::to_vec)
    }

    #[test]
    fn other_kinds_and_short_packets_are_errors() {
        for (place, value) in [(1, 7), (2, 9), (4, 5), (5, 3), (4, 255), (7, 3)] {
            let mut bytes = request();
            bytes[place] = value;
            assert!(Packet::parse(&bytes).is_err(), "byte {place} = {value}");
        }
        assert_eq!(Packet::parse(&request()[..27]), Err(ParseError::TooShort { len: 27 }));
    }

    #[test]
    fn ieee_802_is_taken_like_ethernet() {
        let mut bytes = request();
        bytes[1] = 6;
        assert!(Packet::parse(&bytes).is_ok());
    }

    proptest! {
        #[test]
        fn parse_undoes_emit(reply: bool, sender_mac: [u8; 6], sender_ip: [u8; 4], target_mac: [u8; 6], target_ip: [u8; 4]) {
            let packet = Packet {
                operation: if reply { Operation::Reply } else { Operation::Request },
                sender_mac: MacAddress(sender_mac),
                sender_ip: sender_ip.into(),
                target_mac: MacAddress(target_mac),
                target_ip: target_ip.into(),
            };
            let bytes = packet.emit(|bytes| [bytes, &[0; 18]].concat());
            prop_assert_eq!(Packet::parse(&bytes), Ok((packet, &[0; 18][..])));
        }

        #[test]
        fn any_bytes_parse_or_fail(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), good_front: bool) {
            if good_front && bytes.len() >= 6 {
                bytes[..6].copy_from_slice(&request()[..6]);
            }
            let _ = Packet::parse(&bytes);
        }
    }
}
