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
    let split = Split::of(frame.headers(), frame.len(), usize::from(size.get()))?;
    if split.headers_len() != frame.headers().len() {
        return None;
    }
    let piece_of = |piece: Piece| {
        let payload = frame.payload().slice(piece.start, piece.len);
        let mut head = [0; HEADROOM];
        let head = &mut head[..split.headers_len()];
        head.copy_from_slice(frame.headers());
        split.put_headers(head, &piece, |sum| payload.slices().iter().fold(sum, |sum, slice| sum.plus(slice)));
        let mut frame = Frame::new(frame.id(), payload);
        frame.prepend(head);
        frame
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

    #[test]
    fn a_plain_frame_stays_as_it_is() {
        let mut frame = Frame::new(FrameId(1), Payload::from(b"payload".to_vec()));
        frame.prepend(b"header");
        assert!(!needs_software(&frame));
        assert_eq!(pieces_of(&frame).as_slice(), [b"headerpayload".to_vec()]);
    }
}
