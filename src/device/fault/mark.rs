//! Congestion experienced (RFC 3168 §5): the mark that a router puts on a packet that it would else have dropped.

use crate::wire::checksum::Sum;

const ETHERNET: usize = 14;
const TAG: usize = 4;
/// IPv4's header checksum (RFC 791 §3.1), in bytes from its start.
const CHECKSUM: std::ops::Range<usize> = 10..12;

/// Marks the IP packet in an Ethernet frame, if its transport says that it may be.
pub fn mark(frame: &mut [u8]) -> bool {
    let Some((kind, packet)) = packet(frame) else { return false };
    match kind {
        0x0800 => mark_v4(packet),
        0x86dd => mark_v6(packet),
        _ => false,
    }
}

/// The type and the payload of a frame, behind up to two tags (802.1Q).
fn packet(frame: &mut [u8]) -> Option<(u16, &mut [u8])> {
    let kind_at = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let mut start = ETHERNET;
    while matches!(kind_at(start - 2)?, 0x8100 | 0x88a8) && start < ETHERNET + 2 * TAG {
        start += TAG;
    }
    let kind = kind_at(start - 2)?;
    Some((kind, frame.get_mut(start..)?))
}

fn mark_v4(packet: &mut [u8]) -> bool {
    let len = packet.first().map_or(0, |first| usize::from(first & 15) * 4);
    if len < 20 || packet.len() < len || packet[1] & 3 == 0 {
        return false;
    }
    packet[1] |= 3;
    packet[CHECKSUM].fill(0);
    let checksum = Sum::default().plus(&packet[..len]).checksum();
    packet[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    true
}

/// The traffic class lies across the first two bytes (RFC 8200 §3).
fn mark_v6(packet: &mut [u8]) -> bool {
    match packet.get_mut(1) {
        Some(byte) if *byte & 0x30 != 0 => {
            *byte |= 0x30;
            true
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ipv4;
    use etherparse::PacketBuilder;

    fn v4(class: u8) -> Vec<u8> {
        let mut frame = Vec::new();
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(1, 2);
        builder.write(&mut frame, b"data").expect("a vector takes everything");
        frame[15] = class;
        frame
    }

    #[test]
    fn what_may_be_marked_is_and_its_checksum_is_right() {
        for (class, expected) in
            [(0b10, Some(0b11)), (0b01, Some(0b11)), (0xb8 | 0b10, Some(0xb8 | 0b11)), (0xb8, None)]
        {
            let mut frame = v4(class);
            assert_eq!(mark(&mut frame), expected.is_some(), "{class:#x}");
            if let Some(expected) = expected {
                assert_eq!(frame[15], expected);
                assert!(ipv4::checksum_is_good(&frame[14..34]));
            }
        }
    }

    #[test]
    fn tags_and_ipv6_are_no_obstacle_and_nothing_else_is_touched() {
        let mut tagged = v4(2);
        tagged.splice(12..12, [0x81, 0, 0, 7]);
        assert!(mark(&mut tagged) && tagged[19] == 3);
        let mut v6 = vec![0; 60];
        v6[12..16].copy_from_slice(&[0x86, 0xdd, 0x60, 0x20]);
        assert!(mark(&mut v6) && v6[15] == 0x30);
        for frame in [vec![], vec![8; 13], [vec![0; 12], vec![8, 6], vec![0xff; 30]].concat(), v4(2)[..30].to_vec()] {
            let before = frame.clone();
            let mut frame = frame;
            assert!(!mark(&mut frame));
            assert_eq!(frame, before);
        }
    }
}
