//! What a network card would do for a frame, done in software, for devices that are no such card: a partial checksum
//! is finished, a super-frame split, so that the frame is as the wire would carry it.

use crate::frame::{Checksum, Frame, HEADROOM, Offload};
use crate::wire::offload::{self, Piece, Split};
use smallvec::{SmallVec, smallvec};

/// The frames that one frame becomes on the wire: nearly always one.
pub type Pieces = SmallVec<[Vec<u8>; 1]>;

/// Fills in a partial checksum; after it the bytes speak for themselves and `offload` vouches for nothing.
///
/// A place outside the frame, which no honest device names, leaves the bytes as they are: the receiver finds the
/// checksum wrong.
pub fn finish_checksum(bytes: &mut [u8], offload: &mut Offload) {
    if let Checksum::Partial { start, offset } = offload.checksum {
        offload::finish_checksum(bytes, usize::from(start), usize::from(offset));
    }
    offload.checksum = Checksum::Full;
}

/// The frame as the wire would carry it: split when it is a super-frame, every checksum in its place.
///
/// A super-frame that is no TCP segment cannot be split; it stays in one piece.
pub fn pieces(mut bytes: Vec<u8>, mut offload: Offload) -> Pieces {
    if let Some(size) = offload.segment_size
        && let Some(pieces) = offload::split(&bytes, usize::from(size.get()))
    {
        return pieces.into();
    }
    finish_checksum(&mut bytes, &mut offload);
    smallvec![bytes]
}

/// The frames that a frame on its way down becomes on the wire, sharing its payload. None when it must be copied for
/// that, because not all of its headers stand before the payload.
pub fn frames_of(frame: &Frame) -> Option<SmallVec<[Frame; 1]>> {
    let Some(size) = frame.offload.segment_size else {
        let mut frame = frame.clone();
        frame.finish_checksum();
        return Some(smallvec![frame]);
    };
    let mut pieces = cut(frame, usize::from(size.get()))?;
    pieces.iter_mut().for_each(Frame::finish_checksum);
    Some(pieces)
}

/// A super-frame as shorter ones, of at most `longest` bytes each, which leave to the device what the whole did. None when
/// they would be no shorter, or when it must be copied for that.
pub fn trains_of(frame: &Frame, longest: usize) -> Option<SmallVec<[Frame; 1]>> {
    let size = usize::from(frame.offload.segment_size?.get());
    let room = longest.checked_sub(frame.headers().len())?;
    if frame.len() > longest { cut(frame, room - room % size) } else { None }
}

/// Pieces with `size` bytes of data each and partial checksums, which share the payload. None when not all headers stand
/// before it.
fn cut(frame: &Frame, size: usize) -> Option<SmallVec<[Frame; 1]>> {
    let split = Split::of(frame.headers(), frame.len(), size)?;
    if split.headers_len() != frame.headers().len() {
        return None;
    }
    let (start, offset) = split.checksum_place();
    let checksum = Checksum::Partial { start: start as u16, offset: offset as u16 };
    let piece_of = |piece: Piece| {
        let mut head = [0; HEADROOM];
        let head = &mut head[..split.headers_len()];
        head.copy_from_slice(frame.headers());
        split.put_headers(head, &piece);
        let segment_size = frame.offload.segment_size.filter(|size| piece.len > usize::from(size.get()));
        let mut piece = Frame::new(frame.id(), frame.payload().slice(piece.start, piece.len));
        piece.prepend(head);
        piece.offload = Offload { checksum, segment_size };
        piece
    };
    Some(split.pieces().map(piece_of).collect())
}

/// [`pieces`] of a frame on its way down.
pub fn pieces_of(frame: &Frame) -> Pieces {
    pieces(frame.to_vec(), frame.offload)
}

/// Does the frame ask something of the device that a plain one cannot do?
pub fn needs_software(frame: &Frame) -> bool {
    matches!(frame.offload.checksum, Checksum::Partial { .. }) || frame.offload.segment_size.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameId, Payload};
    use crate::wire::checksum::Sum;

    #[test]
    fn a_partial_checksum_is_finished_and_no_longer_vouched_for() {
        let mut bytes = vec![9, 9, 0x12, 0x34, 0, 7, 0x56];
        let mut offload = Offload { checksum: Checksum::Partial { start: 2, offset: 2 }, segment_size: None };
        finish_checksum(&mut bytes, &mut offload);
        assert_eq!(offload, Offload::default());
        assert_eq!(bytes[..4], [9, 9, 0x12, 0x34]);
        // The field held a pseudo-header sum of 7: what a receiver adds up, with it, comes to all ones.
        assert!(Sum::default().plus(&[0, 7]).plus(&bytes[2..]).is_good());
    }

    #[test]
    fn a_place_outside_the_frame_changes_nothing() {
        let mut bytes = vec![1, 2, 3];
        let mut offload = Offload { checksum: Checksum::Partial { start: 65535, offset: 65535 }, segment_size: None };
        finish_checksum(&mut bytes, &mut offload);
        assert_eq!(bytes, [1, 2, 3]);
    }

    /// A TCP segment of `len` bytes over IPv4, in slices, as a stack leaves it to its device.
    fn train(len: usize) -> Frame {
        let data: Vec<u8> = (0..len).map(|i| (i * 7 + i / 251) as u8).collect();
        let mut frame = Frame::new(FrameId(1), data.chunks(50_000).map(bytes::Bytes::copy_from_slice).collect());
        let mut tcp = [0; 20];
        (tcp[12], tcp[13]) = (0x50, 0x19);
        frame.prepend(&tcp);
        let mut ip = [0; 20];
        (ip[0], ip[9]) = (0x45, 6);
        let total = u16::try_from(len + 40).unwrap_or(0);
        ip[2..4].copy_from_slice(&total.to_be_bytes());
        frame.prepend(&ip);
        frame.prepend(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
        let checksum = Checksum::Partial { start: 34, offset: 16 };
        frame.offload = Offload { checksum, segment_size: std::num::NonZeroU16::new(1460) };
        frame
    }

    #[test]
    fn shorter_trains_come_apart_as_the_long_one_does() {
        // The identification alone counts trains where it counted segments.
        let segments = |frame: &Frame| {
            let mut segments: Vec<_> = frames_of(frame).expect("headers in front").iter().map(Frame::to_vec).collect();
            segments.iter_mut().for_each(|bytes| {
                bytes[18..20].fill(0);
                bytes[24..26].fill(0);
            });
            segments
        };
        for (len, lens) in [
            (200_000, &[54 + 64_240, 54 + 64_240, 54 + 64_240, 54 + 7_280][..]),
            (64_240 + 1000, &[54 + 64_240, 54 + 1000]),
        ] {
            let whole = train(len);
            let trains = trains_of(&whole, 65_000).expect("headers in front");
            assert_eq!(trains.iter().map(Frame::len).collect::<Vec<_>>(), lens);
            assert!(trains.iter().all(|train| train.offload.checksum == whole.offload.checksum));
            assert_eq!(trains.last().map(|last| last.offload.segment_size.is_some()), Some(len == 200_000));
            assert_eq!(trains.iter().flat_map(segments).collect::<Vec<_>>(), segments(&whole));
        }
        assert!(trains_of(&train(60_000), 65_000).is_none(), "it is short already");
    }

    #[test]
    fn a_plain_frame_stays_as_it_is() {
        let mut frame = Frame::new(FrameId(1), Payload::from(b"payload".to_vec()));
        frame.prepend(b"header");
        assert!(!needs_software(&frame));
        assert_eq!(pieces_of(&frame).as_slice(), [b"headerpayload".to_vec()]);
    }
}
