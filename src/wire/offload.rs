//! What a network card does for a stack that leaves work to it: fill in a checksum, split a super-frame.
//!
//! Whoever shows or sends such a frame without that card does the same here, so that captures, simulated links and
//! plain devices see what the wire would see.

use super::checksum::Sum;
use super::tcp::Flags;
use super::udp;
use etherparse::EtherType;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const TCP: u8 = 6;
const UDP: u8 = 17;
const UDP_HEADER_LEN: usize = 8;
const ETHERNET_LEN: usize = 14;
const VLAN_TAG_LEN: usize = 4;
const IPV6_LEN: usize = 40;

/// Fills in a partial checksum: the sum over everything from `start` goes to `start + offset`, where the sum of the
/// pseudo-header lies already. Says whether that place lies within `bytes`; if not, nothing is changed.
pub fn finish_checksum(bytes: &mut [u8], start: usize, offset: usize) -> bool {
    let place = start + offset;
    if bytes.len() < place + 2 {
        return false;
    }
    let checksum = as_sent(Sum::default().plus(&bytes[start..]), offset);
    bytes[place..place + 2].copy_from_slice(&checksum.to_be_bytes());
    true
}

/// What goes into a checksum field that stands at `offset` in its transport header.
///
/// In UDP zero would mean "no checksum", so all ones is sent, which is the same number (RFC 768). In TCP zero stays zero
/// (RFC 1624 §3), or Wireshark calls it wrong.
pub fn as_sent(sum: Sum, offset: usize) -> u16 {
    match sum.checksum() {
        0 if offset == udp::CHECKSUM_OFFSET => 0xffff,
        checksum => checksum,
    }
}

/// Splits a super-frame into the frames that a card would put on the wire, each with at most `segment_size` bytes of
/// data, right lengths, sequence numbers, identifications and checksums. Of a TCP segment FIN and PSH go with the
/// last piece, CWR with the first; of UDP each piece is a datagram of its own. None when `bytes` is neither, whole and
/// in an IP packet, or `segment_size` is zero.
pub fn split(bytes: &[u8], segment_size: usize) -> Option<Vec<Vec<u8>>> {
    let place = Place::find(bytes)?;
    if segment_size == 0 {
        return None;
    }
    let (headers, data) = bytes[..place.end].split_at(place.data);
    if data.is_empty() {
        return Some(vec![headers.to_vec()]);
    }
    let last = (data.len() - 1) / segment_size;
    let pieces = data.chunks(segment_size).enumerate();
    Some(
        pieces
            .map(|(index, piece)| place.segment(headers, piece, index, index * segment_size, index == last))
            .collect(),
    )
}

/// Where the headers of a TCP segment or a UDP datagram lie in their frame.
struct Place {
    ip: usize,
    protocol: u8,
    transport: usize,
    data: usize,
    end: usize,
    v6: bool,
}

impl Place {
    fn find(bytes: &[u8]) -> Option<Place> {
        let mut ip = ETHERNET_LEN;
        let mut ether_type = EtherType(be16(bytes, ip - 2)?);
        while matches!(ether_type, EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING) {
            ip += VLAN_TAG_LEN;
            ether_type = EtherType(be16(bytes, ip - 2)?);
        }
        let (protocol, transport, end) = match ether_type {
            EtherType::IPV4 => Self::ipv4(bytes, ip)?,
            EtherType::IPV6 => (*bytes.get(ip + 6)?, ip + IPV6_LEN, ip + IPV6_LEN + usize::from(be16(bytes, ip + 4)?)),
            _ => return None,
        };
        let header_len = match protocol {
            TCP => usize::from(bytes.get(transport + 12)? >> 4) * 4,
            UDP => UDP_HEADER_LEN,
            _ => return None,
        };
        let data = transport + header_len;
        let whole = (protocol == UDP || header_len >= 20) && data <= end && end <= bytes.len();
        whole.then_some(Place { ip, protocol, transport, data, end, v6: ether_type == EtherType::IPV6 })
    }

    fn ipv4(bytes: &[u8], ip: usize) -> Option<(u8, usize, usize)> {
        let header_len = usize::from(bytes.get(ip)? & 0xf) * 4;
        let whole = header_len >= 20 && be16(bytes, ip + 6)? & 0x3fff == 0;
        whole.then_some((*bytes.get(ip + 9)?, ip + header_len, ip + usize::from(be16(bytes, ip + 2)?)))
    }

    fn segment(&self, headers: &[u8], piece: &[u8], index: usize, offset: usize, last: bool) -> Vec<u8> {
        let mut frame = [headers, piece].concat();
        let length = frame.len() - self.transport;
        let transport = &mut frame[self.transport..];
        let checksum = if self.protocol == UDP {
            transport[4..6].copy_from_slice(&(length as u16).to_be_bytes());
            6
        } else {
            tcp_header(transport, index, offset, last);
            16
        };
        let pseudo_header =
            if self.v6 { self.ipv6_header(&mut frame, length) } else { self.ipv4_header(&mut frame, index) };
        let place = self.transport + checksum;
        frame[place..place + 2].copy_from_slice(&pseudo_header.folded().to_be_bytes());
        finish_checksum(&mut frame, self.transport, checksum);
        frame
    }

    fn ipv4_header(&self, frame: &mut [u8], index: usize) -> Sum {
        let (total, length) = (frame.len() - self.ip, frame.len() - self.transport);
        let header = &mut frame[self.ip..self.transport];
        header[2..4].copy_from_slice(&(total as u16).to_be_bytes());
        let identification = u16::from_be_bytes([header[4], header[5]]).wrapping_add(index as u16);
        header[4..6].copy_from_slice(&identification.to_be_bytes());
        header[10..12].fill(0);
        let checksum = Sum::default().plus(header).checksum();
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        let address = |at: usize| IpAddr::V4(Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]));
        Sum::pseudo_header(address(12), address(16), self.protocol, length)
    }

    fn ipv6_header(&self, frame: &mut [u8], length: usize) -> Sum {
        let header = &mut frame[self.ip..self.transport];
        header[4..6].copy_from_slice(&(length as u16).to_be_bytes());
        let address = |at: usize| {
            let octets: [u8; 16] = header[at..at + 16].try_into().expect("the slice has sixteen bytes");
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        Sum::pseudo_header(address(8), address(24), self.protocol, length)
    }
}

fn tcp_header(header: &mut [u8], index: usize, offset: usize, last: bool) {
    let seq = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    header[4..8].copy_from_slice(&seq.wrapping_add(offset as u32).to_be_bytes());
    if !last {
        header[13] &= !((Flags::FIN | Flags::PSH).bits() as u8);
    }
    if index > 0 {
        // RFC 3168 §6.1.2: once for each reduction.
        header[13] &= !(Flags::CWR.bits() as u8);
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{NetHeaders, PacketBuilder, PacketHeaders, TransportHeader};
    use proptest::prelude::*;

    fn super_frame(v6: bool, len: usize) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let ip =
            if v6 { ethernet.ipv6([1; 16], [2; 16], 64) } else { ethernet.ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64) };
        let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let mut bytes = Vec::new();
        let mut builder = ip.tcp(41234, 80, u32::MAX - 5, 4096).ack(7).psh().fin();
        builder = builder.options_raw(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]).expect("12 bytes of options fit");
        builder.write(&mut bytes, &data).expect("a vector takes everything");
        bytes
    }

    #[test]
    fn a_finished_checksum_verifies() {
        let good = super_frame(false, 31);
        let mut frame = good.clone();
        let (source, destination) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let partial = Sum::pseudo_header(source, destination, TCP, frame.len() - 34).folded();
        frame[50..52].copy_from_slice(&partial.to_be_bytes());
        assert!(finish_checksum(&mut frame, 34, 16));
        assert_eq!(frame, good);
        assert!(!finish_checksum(&mut frame, 34, usize::from(u16::MAX)), "a place past the end is refused");
        assert_eq!(frame, good);
    }

    #[test]
    fn a_checksum_of_zero_is_sent_as_all_ones_in_udp_alone() {
        for (offset, expected) in [(udp::CHECKSUM_OFFSET, 0xffff), (16, 0)] {
            let mut bytes = [0; 18];
            bytes[..2].fill(0xff);
            assert!(finish_checksum(&mut bytes, 0, offset));
            assert_eq!(u16::from_be_bytes([bytes[offset], bytes[offset + 1]]), expected);
        }
    }

    #[test]
    fn pieces_carry_on_where_the_last_one_ended() {
        for v6 in [false, true] {
            let bytes = super_frame(v6, 2500);
            let pieces = split(&bytes, 1000).expect("a whole TCP segment");
            let mut data = Vec::new();
            for (index, piece) in pieces.iter().enumerate() {
                let headers = PacketHeaders::from_ethernet_slice(piece).expect("every piece is a packet");
                let Some(TransportHeader::Tcp(tcp)) = headers.transport else { panic!("every piece is TCP") };
                assert_eq!(tcp.sequence_number, (u32::MAX - 5).wrapping_add(data.len() as u32));
                assert_eq!((tcp.fin, tcp.psh, tcp.ack), (index == 2, index == 2, true));
                let payload = headers.payload.slice();
                let checksum = match headers.net.expect("an IP header") {
                    NetHeaders::Ipv4(ip, _) => {
                        assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                        assert_eq!(usize::from(ip.identification), index);
                        tcp.calc_checksum_ipv4(&ip, payload)
                    }
                    NetHeaders::Ipv6(ip, _) => tcp.calc_checksum_ipv6(&ip, payload),
                    NetHeaders::Arp(_) => panic!("every piece is IP"),
                };
                assert_eq!(Ok(tcp.checksum), checksum);
                data.extend_from_slice(payload);
            }
            assert_eq!((pieces.len(), data.len()), (3, 2500));
            assert_eq!(data, bytes[bytes.len() - 2500..]);
        }
    }

    #[test]
    fn datagrams_come_apart_whole() {
        let mut bytes = Vec::new();
        let packet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv6([1; 16], [2; 16], 64);
        let data: Vec<u8> = (0..2500).map(|i| i as u8).collect();
        packet.udp(4000, 443).write(&mut bytes, &data).expect("a vector takes everything");
        let pieces = split(&bytes, 1200).expect("a whole datagram");
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [62 + 1200, 62 + 1200, 62 + 100]);
        for (piece, data) in pieces.iter().zip(data.chunks(1200)) {
            let headers = PacketHeaders::from_ethernet_slice(piece).expect("every piece is a packet");
            let (Some(NetHeaders::Ipv6(ip, _)), Some(TransportHeader::Udp(udp))) = (headers.net, headers.transport)
            else {
                panic!("every piece is a datagram over IPv6")
            };
            assert_eq!((usize::from(udp.length), headers.payload.slice()), (8 + data.len(), data));
            assert_eq!(Ok(udp.checksum), udp.calc_checksum_ipv6(&ip, data));
        }
    }

    #[test]
    fn what_is_no_whole_segment_is_left_alone() {
        let tcp = super_frame(false, 100);
        let mut fragment = tcp.clone();
        fragment[20] = 0x20;
        let mut icmp = tcp.clone();
        icmp[23] = 1;
        for bytes in [&tcp[..60], &fragment, &icmp, &[]] {
            assert_eq!(split(bytes, 50), None);
        }
        assert_eq!(split(&tcp, 0), None);
    }

    proptest! {
        #[test]
        fn any_bytes_split_or_are_refused(tail in proptest::collection::vec(any::<u8>(), 0..120), v6: bool, segment_size in 0usize..80) {
            let bytes = [&super_frame(v6, 0)[..24], &tail].concat();
            let _ = split(&bytes, segment_size);
        }
    }
}
