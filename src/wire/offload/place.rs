//! Where the headers of a TCP segment or a UDP datagram lie in their frame.

use crate::wire::checksum::Sum;
use crate::wire::protocol;
use crate::wire::udp;
use etherparse::EtherType;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ETHERNET_LEN: usize = 14;
const VLAN_TAG_LEN: usize = 4;
const IPV6_LEN: usize = 40;

/// Offsets from the first byte of the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub ip: usize,
    pub protocol: u8,
    pub transport: usize,
    pub data: usize,
    pub end: usize,
    pub v6: bool,
}

impl Place {
    /// In a frame of `len` bytes of which `headers` holds at least the headers. None when it holds neither segment nor
    /// datagram, whole and in an IP packet.
    pub fn find(headers: &[u8], len: usize) -> Option<Place> {
        let mut ip = ETHERNET_LEN;
        let mut ether_type = EtherType(be16(headers, ip - 2)?);
        while matches!(ether_type, EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING) {
            ip += VLAN_TAG_LEN;
            ether_type = EtherType(be16(headers, ip - 2)?);
        }
        let (protocol, transport, end) = match ether_type {
            EtherType::IPV4 => Self::ipv4(headers, ip, len)?,
            EtherType::IPV6 => {
                (*headers.get(ip + 6)?, ip + IPV6_LEN, ip + IPV6_LEN + usize::from(be16(headers, ip + 4)?))
            }
            _ => return None,
        };
        let header_len = match protocol {
            protocol::TCP => usize::from(headers.get(transport + 12)? >> 4) * 4,
            protocol::UDP => udp::HEADER_LEN,
            _ => return None,
        };
        let data = transport + header_len;
        let whole =
            (protocol == protocol::UDP || header_len >= 20) && data <= headers.len() && data <= end && end <= len;
        whole.then_some(Place { ip, protocol, transport, data, end, v6: ether_type == EtherType::IPV6 })
    }

    fn ipv4(bytes: &[u8], ip: usize, len: usize) -> Option<(u8, usize, usize)> {
        let header_len = usize::from(bytes.get(ip)? & 0xf) * 4;
        let whole = header_len >= 20 && be16(bytes, ip + 6)? & 0x3fff == 0;
        let end = match be16(bytes, ip + 2)? {
            // Longer than the field can say: it ends with its frame.
            0 if len.saturating_sub(ip) > usize::from(u16::MAX) => len,
            total => ip + usize::from(total),
        };
        whole.then_some((*bytes.get(ip + 9)?, ip + header_len, end))
    }

    /// Where the checksum stands, counted from the transport header.
    pub fn checksum_offset(&self) -> usize {
        if self.protocol == protocol::UDP { udp::CHECKSUM_OFFSET } else { 16 }
    }

    /// The sum of the pseudo-header, for a transport header and data of so many bytes.
    pub fn pseudo_header(&self, frame: &[u8], len: usize) -> Sum {
        let header = &frame[self.ip..self.transport];
        let (source, destination) = if self.v6 {
            let address = |at: usize| {
                let octets: [u8; 16] = header[at..at + 16].try_into().expect("the slice has sixteen bytes");
                IpAddr::V6(Ipv6Addr::from(octets))
            };
            (address(8), address(24))
        } else {
            let address =
                |at: usize| IpAddr::V4(Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]));
            (address(12), address(16))
        };
        Sum::pseudo_header(source, destination, self.protocol, len)
    }

    /// Writes the length of the IP packet, with `len` bytes behind its header, and what depends on it.
    pub fn put_length(&self, frame: &mut [u8], len: usize) {
        let header = &mut frame[self.ip..self.transport];
        if self.v6 {
            header[4..6].copy_from_slice(&(len as u16).to_be_bytes());
            return;
        }
        let total = header.len() + len;
        header[2..4].copy_from_slice(&(total as u16).to_be_bytes());
        header[10..12].fill(0);
        let checksum = Sum::default().plus(header).checksum();
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
}

pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}
