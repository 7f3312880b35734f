//! Frames, in the two shapes that they have: borrowed on the way up, where a layer strips its header by looking past
//! it, and owned on the way down, where a layer *prepends* its header into headroom.
//!
//! A frame carries its offload facts beside its bytes, because a TAP with a virtio-net header hands over and accepts
//! exactly that: a checksum that is already good or still to be filled in, and the segment size of a super-frame.
//! Nothing here assumes that a frame fits an MTU.

use crate::wire::checksum::Sum;
use crate::wire::offload;
use bytes::Bytes;
use smallvec::SmallVec;
use std::num::NonZeroU16;

/// Room for every header a frame of ours can carry: Ethernet with two tags, IPv4 or IPv6, TCP with full options.
pub const HEADROOM: usize = 144;
const _: () = assert!(HEADROOM <= u8::MAX as usize && size_of::<Frame>() <= 256);

/// Names one frame in the event stream, so that a view can gather what was decided about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct FrameId(pub u64);

/// What is known of a frame beside its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Offload {
    pub checksum: Checksum,
    /// For a super-frame: how many bytes of transport payload each segment of it carries.
    pub segment_size: Option<NonZeroU16>,
}

/// The state of a frame's transport checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Checksum {
    /// It is in the bytes; a receiver verifies it.
    #[default]
    Full,
    /// The device vouches for it; nobody need look.
    Good,
    /// The field holds the pseudo-header's sum only: the sum over everything from `start` belongs at
    /// `start + offset` (both counted from the frame's first byte, `offset` from `start`).
    Partial { start: u16, offset: u16 },
}

/// A frame on its way up: bytes that the device still owns.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    pub bytes: &'a [u8],
    pub offload: Offload,
}

/// The application's bytes in a frame: shared slices, gathered only at the device (`writev`).
#[derive(Clone, Debug, Default)]
pub struct Payload {
    slices: SmallVec<[Bytes; 2]>,
    len: usize,
}

impl Payload {
    pub fn push(&mut self, slice: Bytes) {
        if !slice.is_empty() {
            self.len += slice.len();
            self.slices.push(slice);
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn slices(&self) -> &[Bytes] {
        &self.slices
    }

    /// The bytes `start .. start + len` as a payload of its own, sharing them.
    ///
    /// # Panics
    /// When the range reaches past the end.
    pub fn slice(&self, start: usize, len: usize) -> Payload {
        assert!(start + len <= self.len, "slice {start}+{len} of a payload of {}", self.len);
        let (mut skip, mut want, mut part) = (start, len, Payload::default());
        for slice in &self.slices {
            let from = skip.min(slice.len());
            let to = (from + want).min(slice.len());
            part.push(slice.slice(from..to));
            skip -= from;
            want -= to - from;
        }
        part
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Payload {
        let mut payload = Payload::default();
        payload.push(bytes);
        payload
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Payload::from(Bytes::from(bytes))
    }
}

impl FromIterator<Bytes> for Payload {
    fn from_iter<I: IntoIterator<Item = Bytes>>(slices: I) -> Payload {
        let mut payload = Payload::default();
        slices.into_iter().for_each(|slice| payload.push(slice));
        payload
    }
}

/// A frame on its way down: headers in headroom, payload shared.
///
/// ```
/// use strata::frame::{Frame, FrameId};
///
/// let mut frame = Frame::new(FrameId(1), b"data".to_vec().into());
/// frame.prepend(b"[tcp]");
/// frame.prepend(b"[ip]");
/// assert_eq!(frame.to_vec(), b"[ip][tcp]data");
/// ```
#[derive(Clone, Debug)]
pub struct Frame {
    id: FrameId,
    head: [u8; HEADROOM],
    /// Where the headers begin. Small, as all of a frame: it is handed on by value, and up to 256 bytes move quickly.
    start: u8,
    payload: Payload,
    pub offload: Offload,
    /// The lowest two bits of the packet's traffic class, where its transport has a say in them (RFC 3168 §5).
    pub ecn: u8,
}

impl Frame {
    pub fn new(id: FrameId, payload: Payload) -> Frame {
        Frame { id, head: [0; HEADROOM], start: HEADROOM as u8, payload, offload: Offload::default(), ecn: 0 }
    }

    /// Begins another frame in the same room: its payload, and no headers yet.
    pub fn begin(&mut self, id: FrameId, payload: Payload) {
        (self.id, self.start, self.payload) = (id, HEADROOM as u8, payload);
        (self.offload, self.ecn) = (Offload::default(), 0);
    }

    /// Hands the frame on, and keeps the room for another to [`begin`](Frame::begin).
    pub fn take(&mut self) -> Frame {
        Frame { payload: std::mem::take(&mut self.payload), ..*self }
    }

    pub fn id(&self) -> FrameId {
        self.id
    }

    /// Puts a header in front of everything that is there. After each prepend the bytes are a valid unit to show.
    ///
    /// # Panics
    /// When the headers together outgrow [`HEADROOM`], which only a bug can bring about.
    #[inline]
    pub fn prepend(&mut self, header: &[u8]) {
        let end = self.start();
        let start = end.checked_sub(header.len()).expect("HEADROOM holds the largest headers of all layers");
        self.head[start..end].copy_from_slice(header);
        self.start = start as u8;
        if let Checksum::Partial { start, .. } = &mut self.offload.checksum {
            *start += header.len() as u16;
        }
    }

    fn start(&self) -> usize {
        usize::from(self.start)
    }

    /// The headers so far, outermost first.
    pub fn headers(&self) -> &[u8] {
        &self.head[self.start()..]
    }

    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Headers and payload together, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a frame without bytes is never built")]
    pub fn len(&self) -> usize {
        HEADROOM - self.start() + self.payload.len()
    }

    /// Fills in a partial checksum in software: for a device that does not, and before the frame is cut to pieces.
    pub fn finish_checksum(&mut self) {
        let Checksum::Partial { start, offset } = self.offload.checksum else { return };
        let (start, place) = (usize::from(start), self.start() + usize::from(start) + usize::from(offset));
        let covered = self.headers().get(start..).expect("a partial checksum starts within the headers");
        let sum = self.payload.slices.iter().fold(Sum::default().plus(covered), |sum, slice| sum.plus(slice));
        let checksum = offload::as_sent(sum, usize::from(offset));
        self.head[place..place + 2].copy_from_slice(&checksum.to_be_bytes());
        self.offload.checksum = Checksum::Full;
    }

    /// The pieces to gather at the device: the headers, then each slice of the payload.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.headers()).chain(self.payload.slices().iter().map(|slice| &slice[..]))
    }

    /// The whole frame in one piece, for links that keep frames (in process, capture) rather than send them.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.slices().for_each(|slice| bytes.extend_from_slice(slice));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slice_crosses_the_pieces() {
        let payload: Payload = [&b"abc"[..], b"", b"de", b"fghi"].map(Bytes::copy_from_slice).into_iter().collect();
        assert_eq!(payload.slices().len(), 3, "empty pieces are left out");
        for (start, len, expected) in [(0, 9, "abcdefghi"), (1, 3, "bcd"), (3, 2, "de"), (4, 4, "efgh"), (9, 0, "")] {
            assert_eq!(Frame::new(FrameId(0), payload.slice(start, len)).to_vec(), expected.as_bytes());
        }
    }

    #[test]
    fn a_partial_checksum_finished_in_software_is_good() {
        for data in [&b""[..], b"x", b"odd", b"four"] {
            let pseudo_header = Sum::default().plus(&[192, 0, 2, 1, 192, 0, 2, 2, 0, 17, 0, 8 + data.len() as u8]);
            let mut frame = Frame::new(FrameId(0), data.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect());
            let mut header = [0, 7, 0, 9, 0, 8 + data.len() as u8, 0, 0];
            header[6..].copy_from_slice(&pseudo_header.folded().to_be_bytes());
            frame.prepend(&header);
            frame.offload.checksum = Checksum::Partial { start: 0, offset: 6 };
            frame.prepend(&[0xee; 20]);
            frame.finish_checksum();
            assert_eq!(frame.offload.checksum, Checksum::Full);
            assert!(pseudo_header.plus(&frame.to_vec()[20..]).is_good(), "{data:?}");
        }
    }

    #[test]
    fn partial_checksum_keeps_its_place_as_headers_grow() {
        let mut frame = Frame::new(FrameId(0), Payload::default());
        frame.prepend(&[0; 20]);
        frame.offload.checksum = Checksum::Partial { start: 0, offset: 16 };
        frame.prepend(&[0; 20]);
        frame.prepend(&[0; 14]);
        assert_eq!(frame.offload.checksum, Checksum::Partial { start: 34, offset: 16 });
    }
}
