//! The virtio-net header (virtio 1.2 §5.1.6): the offload facts of a frame, as the kernel hands them over and takes
//! them before each frame; and what both devices do that have it, the TAP and the packet socket.

use super::transmit::{Sent, Writer};
use super::{SUPER_FRAME, offload};
use crate::frame::{Checksum, Frame, Offload};
use crate::wire::ethernet::ether_type;
use crate::wire::protocol;
use crate::wire::udp;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU16;
use std::os::fd::BorrowedFd;

/// The length of a header without its later additions.
pub(super) const HEADER_LEN: usize = 10;
/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`: the checksum is partial.
const NEEDS_CHECKSUM: u8 = 1;
/// `VIRTIO_NET_HDR_F_DATA_VALID`: the checksum is good.
const DATA_VALID: u8 = 2;
/// `VIRTIO_NET_HDR_GSO_TCPV4` and `..._TCPV6`.
const TCP_OVER_IPV4: u8 = 1;
const TCP_OVER_IPV6: u8 = 4;
const NO_SEGMENTATION: u8 = 0;
/// The header of a frame that leaves nothing to anybody.
const PLAIN: [u8; HEADER_LEN] = [0; HEADER_LEN];
/// `VIRTIO_NET_HDR_GSO_UDP`: one datagram that is to leave in fragments.
const FRAGMENTS: u8 = 3;
/// `VIRTIO_NET_HDR_GSO_UDP_L4`: many datagrams of one size.
const DATAGRAMS: u8 = 5;
/// `VIRTIO_NET_HDR_GSO_ECN`: with CWR in it.
const ECN: u8 = 0x80;

/// Reads a header. Its numbers have the machine's own byte order.
pub(super) fn parse(header: &[u8; HEADER_LEN]) -> Offload {
    let [flags, kind, ..] = *header;
    let number = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    let checksum = if flags & NEEDS_CHECKSUM != 0 {
        Checksum::Partial { start: number(6), offset: number(8) }
    } else if flags & DATA_VALID != 0 {
        Checksum::Good
    } else {
        Checksum::Full
    };
    // What would leave in fragments is one datagram, and whole here.
    let is_whole = matches!(kind & !ECN, NO_SEGMENTATION | FRAGMENTS);
    Offload { checksum, segment_size: if is_whole { None } else { NonZeroU16::new(number(4)) } }
}

/// What came in one super-frame and is received frame by frame.
#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<Vec<u8>>);

impl Waiting {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next frame that waits, moved into `buffer`.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Option<Offload> {
        *buffer = Bytes::from(self.0.pop_front()?).into();
        Some(Offload::default())
    }

    /// Splits what `buffer` holds: the first piece stays, the others wait.
    pub fn split(&mut self, mut facts: Offload, buffer: &mut BytesMut) -> Offload {
        if facts.segment_size.is_some() {
            let mut pieces = offload::pieces(std::mem::take(buffer).into(), facts).into_iter();
            *buffer = Bytes::from(pieces.next().unwrap_or_default()).into();
            self.0.extend(pieces);
        } else {
            offload::finish_checksum(buffer, &mut facts);
        }
        Offload::default()
    }
}

/// Sends a frame to a descriptor that takes a header before each; its pieces where the kernel cannot split it, or where
/// `plain` frames are asked for.
pub(super) fn send(fd: BorrowedFd<'_>, frame: &Frame, plain: bool, writer: &mut Writer) -> io::Result<Sent> {
    if (!plain || !offload::needs_software(frame))
        && let Some(header) = emit(frame.offload, frame.headers())
        && (header[1] != DATAGRAMS || writer.takes_datagrams)
    {
        match writer.write_frame(fd, &header, frame)? {
            // Before Linux 6.2 nobody splits them; that is found out once.
            Sent::Refused if header[1] == DATAGRAMS => writer.takes_datagrams = false,
            // Of one length the kernel may find the memory where of another it does not.
            Sent::NoMemory if let Some(trains) = offload::trains_of(frame, SUPER_FRAME) => {
                for train in &trains {
                    let sent = send(fd, train, plain, writer)?;
                    writer.count_piece(sent);
                }
                return Ok(Sent::Gone);
            }
            sent => return Ok(writer.count(sent)),
        }
    }
    match offload::frames_of(frame) {
        Some(pieces) => {
            for piece in &pieces {
                let sent = writer.write_frame(fd, &PLAIN, piece)?;
                writer.count_piece(sent);
            }
        }
        None => {
            for piece in offload::pieces_of(frame) {
                let sent = writer.write(fd, [&PLAIN[..], &piece[..]].into_iter(), HEADER_LEN + piece.len())?;
                writer.count_piece(sent);
            }
        }
    }
    Ok(Sent::Gone)
}

/// The header of a frame that begins with `headers`; none when it is a super-frame that the kernel cannot split, so
/// that it has to be split before.
pub(super) fn emit(offload: Offload, headers: &[u8]) -> Option<[u8; HEADER_LEN]> {
    let mut header = [0; HEADER_LEN];
    let mut put = |at: usize, number: u16| header[at..at + 2].copy_from_slice(&number.to_ne_bytes());
    let partial = match offload.checksum {
        Checksum::Partial { start, offset } => {
            put(6, start);
            put(8, offset);
            Some(start)
        }
        Checksum::Full | Checksum::Good => None,
    };
    let kind = match (offload.segment_size, partial) {
        (None, _) => NO_SEGMENTATION,
        (Some(size), Some(start)) => {
            let (kind, len) = segmentation(headers, usize::from(start))?;
            put(2, len);
            put(4, size.get());
            kind
        }
        // The kernel splits only what it may put checksums into.
        (Some(_), None) => return None,
    };
    header[0] = if partial.is_some() { NEEDS_CHECKSUM } else { 0 };
    header[1] = kind;
    Some(header)
}

/// The kind of segmentation, and how long all headers together are, of a frame whose transport header begins at
/// `transport`.
fn segmentation(headers: &[u8], transport: usize) -> Option<(u8, u16)> {
    let mut ip = 14;
    let mut kind = be16(headers, 12)?;
    while matches!(kind, ether_type::VLAN | ether_type::SERVICE_VLAN) {
        kind = be16(headers, ip + 2)?;
        ip += 4;
    }
    let (tcp, protocol) = match kind {
        ether_type::IPV4 => (TCP_OVER_IPV4, *headers.get(ip + 9)?),
        ether_type::IPV6 => (TCP_OVER_IPV6, *headers.get(ip + 6)?),
        _ => return None,
    };
    let (kind, data) = match protocol {
        protocol::TCP => (tcp, transport + usize::from(headers.get(transport + 12)? >> 4) * 4),
        protocol::UDP => (DATAGRAMS, transport + udp::HEADER_LEN),
        _ => return None,
    };
    (data <= headers.len()).then_some((kind, u16::try_from(data).ok()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offload(checksum: Checksum, segment_size: u16) -> Offload {
        Offload { checksum, segment_size: NonZeroU16::new(segment_size) }
    }

    /// Ethernet (with a tag or none), IP and TCP headers, of which only what is looked at is filled in.
    fn headers(v6: bool, tagged: bool) -> (Vec<u8>, u16) {
        let mut bytes = vec![0; 12];
        if tagged {
            bytes.extend([0x81, 0, 0, 7]);
        }
        bytes.extend(if v6 { [0x86, 0xdd] } else { [8, 0] });
        let mut ip = vec![0; if v6 { 40 } else { 20 }];
        ip[if v6 { 6 } else { 9 }] = protocol::TCP;
        bytes.extend(ip);
        let tcp = bytes.len() as u16;
        bytes.extend([0; 12]);
        bytes.extend([0x80, 0]);
        bytes.extend([0; 18]);
        (bytes, tcp)
    }

    #[test]
    fn what_is_emitted_is_understood() {
        for (v6, tagged) in [(false, false), (false, true), (true, false), (true, true)] {
            let (headers, tcp) = headers(v6, tagged);
            let partial = Checksum::Partial { start: tcp, offset: 16 };
            for (offload, kind, len) in [
                (offload(Checksum::Full, 0), 0, 0),
                (offload(partial, 0), 0, 0),
                (offload(partial, 1448), if v6 { 4 } else { 1 }, headers.len() as u16),
            ] {
                let header = emit(offload, &headers).expect("the kernel can do that");
                assert_eq!((parse(&header), header[1]), (offload, kind));
                assert_eq!(u16::from_ne_bytes([header[2], header[3]]), len, "hdr_len of {offload:?}");
            }
        }
    }

    #[test]
    fn trains_of_datagrams_have_a_kind_of_their_own() {
        for v6 in [false, true] {
            let (mut headers, at) = headers(v6, false);
            headers[if v6 { 20 } else { 23 }] = protocol::UDP;
            headers.truncate(usize::from(at) + udp::HEADER_LEN);
            let facts = offload(Checksum::Partial { start: at, offset: 6 }, 1200);
            let header = emit(facts, &headers).expect("the kernel can do that");
            assert_eq!((parse(&header), header[1]), (facts, DATAGRAMS));
            assert_eq!(u16::from_ne_bytes([header[2], header[3]]), at + 8);
        }
    }

    #[test]
    fn what_the_kernel_cannot_split_is_refused() {
        let (mut headers, tcp) = headers(false, false);
        let partial = Checksum::Partial { start: tcp, offset: 16 };
        assert_eq!(emit(offload(Checksum::Full, 1448), &headers), None, "a finished super-frame");
        assert_eq!(emit(offload(partial, 1448), &headers[..20]), None, "headers that are not there");
        headers[23] = protocol::ICMP;
        assert_eq!(emit(offload(partial, 1448), &headers), None, "neither TCP nor UDP");
    }

    #[test]
    fn flags_of_the_kernel_become_facts() {
        assert_eq!(parse(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]), offload(Checksum::Good, 0));
        // With ECN (0x80) it is a super-frame as well.
        let [high, low] = 1448u16.to_ne_bytes();
        assert_eq!(parse(&[2, 0x81, 0, 0, high, low, 0, 0, 0, 0]), offload(Checksum::Good, 1448));
    }
}
