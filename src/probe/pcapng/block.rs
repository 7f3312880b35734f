//! The insides of blocks, in the byte order of their section.

use super::{Captured, ReadError, option};
use crate::probe::Direction;
use crate::time::Instant;

/// What of an interface description bears on its packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described {
    link_type: u16,
    snap_len: u32,
    /// Timestamp units in a second.
    resolution: u128,
    /// Seconds to add.
    offset: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        }
    }
}

impl Described {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Described, ReadError> {
        let link_type = cursor.u16()?;
        cursor.u16()?;
        let snap_len = cursor.u32()?;
        let mut described = Described { link_type, snap_len, resolution: 1_000_000, offset: 0 };
        while let Some((code, value)) = cursor.option()? {
            match (code, value) {
                // The top bit chooses between powers of two and of ten; finer than 2^-64 or 10^-19 s is nonsense.
                (option::IF_TSRESOL, [power]) if power & 0x80 != 0 => {
                    described.resolution = 1 << u32::from(power & 0x7f).min(64);
                }
                (option::IF_TSRESOL, [power]) => described.resolution = 10u128.pow(u32::from(*power).min(19)),
                (option::IF_TSOFFSET, value) => {
                    if let [high, low] = value.as_chunks::<4>().0 {
                        let halves = match cursor.order {
                            Order::Little => [low, high],
                            Order::Big => [high, low],
                        };
                        let [upper, lower] = halves.map(|half| u64::from(cursor.order.u32(*half)));
                        described.offset = (upper << 32 | lower) as i64;
                    }
                }
                (_, _) => {}
            }
        }
        Ok(described)
    }

    fn instant(&self, units: u64) -> Instant {
        let nanos = i128::try_from(u128::from(units) * 1_000_000_000 / self.resolution).unwrap_or(i128::MAX);
        let nanos = nanos.saturating_add(i128::from(self.offset) * 1_000_000_000);
        Instant::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}

pub(super) fn enhanced_packet(cursor: &mut Cursor<'_>, interfaces: &[Described]) -> Result<Captured, ReadError> {
    let interface = cursor.u32()?;
    let described = interfaces.get(interface as usize).ok_or(ReadError::UnknownInterface { interface })?;
    let (upper, lower) = (cursor.u32()?, cursor.u32()?);
    let (len, original_len) = (cursor.u32()?, cursor.u32()?);
    let mut packet = Captured {
        at: described.instant(u64::from(upper) << 32 | u64::from(lower)),
        direction: None,
        link_type: described.link_type,
        bytes: cursor.padded(len as usize)?.to_vec(),
        original_len,
        comments: Vec::new(),
    };
    while let Some((code, value)) = cursor.option()? {
        match (code, value) {
            (option::COMMENT, text) => packet.comments.push(String::from_utf8_lossy(text).into_owned()),
            (option::EPB_FLAGS, &[a, b, c, d]) => {
                packet.direction = match cursor.order.u32([a, b, c, d]) & 3 {
                    1 => Some(Direction::Inbound),
                    2 => Some(Direction::Outbound),
                    _ => None,
                };
            }
            (_, _) => {}
        }
    }
    Ok(packet)
}

pub(super) fn simple_packet(cursor: &mut Cursor<'_>, interfaces: &[Described]) -> Result<Captured, ReadError> {
    let described = interfaces.first().ok_or(ReadError::UnknownInterface { interface: 0 })?;
    let original_len = cursor.u32()?;
    let limit = if described.snap_len == 0 { u32::MAX } else { described.snap_len };
    let bytes = cursor.padded(original_len.min(limit) as usize)?.to_vec();
    let link_type = described.link_type;
    Ok(Captured { at: Instant::ZERO, direction: None, link_type, bytes, original_len, comments: Vec::new() })
}

/// Numbers and options from the front of a block.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    order: Order,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8], order: Order) -> Cursor<'a> {
        Cursor { rest, order }
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(*chunk)
    }

    fn u16(&mut self) -> Result<u16, ReadError> {
        Ok(self.order.u16(self.chunk()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, ReadError> {
        Ok(self.order.u32(self.chunk()?))
    }

    /// So many bytes, and past the padding after them.
    fn padded(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        let bytes = self.rest.get(..len).ok_or(ReadError::Truncated)?;
        self.rest = self.rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Ok(bytes)
    }

    /// The next option; none at their end, which a block may leave unsaid.
    fn option(&mut self) -> Result<Option<(u16, &'a [u8])>, ReadError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (code, len) = (self.u16()?, self.u16()?);
        if code == option::END {
            return Ok(None);
        }
        Ok(Some((code, self.padded(usize::from(len))?)))
    }
}
