//! One super-frame becomes the frames of a wire.

use super::finish_checksum;
use super::place::Place;
use crate::wire::protocol;
use crate::wire::tcp::Flags;

/// Splits a super-frame into the frames that a card would put on the wire, each with at most `segment_size` bytes of
/// data, right lengths, sequence numbers, identifications and checksums. Of a TCP segment FIN and PSH go with the
/// last piece, CWR with the first; of UDP each piece is a datagram of its own. None when `bytes` is neither, whole and
/// in an IP packet, or `segment_size` is zero.
pub fn split(bytes: &[u8], segment_size: usize) -> Option<Vec<Vec<u8>>> {
    let split = Split::of(bytes, bytes.len(), segment_size)?;
    let (headers, data) = bytes[..split.place.end].split_at(split.place.data);
    let (start, offset) = split.checksum_place();
    let pieces = split.pieces().map(|piece| {
        let mut frame = [headers, &data[piece.start..piece.start + piece.len]].concat();
        split.put_headers(&mut frame[..headers.len()], &piece);
        finish_checksum(&mut frame, start, offset);
        frame
    });
    Some(pieces.collect())
}

/// How a super-frame comes apart.
#[derive(Clone, Copy, Debug)]
pub struct Split {
    place: Place,
    segment_size: usize,
}

/// One of the frames that it becomes: which of its bytes of data, and where that stands among the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    index: usize,
    pub start: usize,
    pub len: usize,
    last: bool,
}

impl Split {
    /// Of a frame of `len` bytes, of which `headers` holds at least the headers.
    pub fn of(headers: &[u8], len: usize, segment_size: usize) -> Option<Split> {
        let place = Place::find(headers, len)?;
        (segment_size > 0).then_some(Split { place, segment_size })
    }

    /// How many bytes all headers take.
    pub fn headers_len(&self) -> usize {
        self.place.data
    }

    /// Where the transport's checksum begins to count, and how far behind that it stands.
    pub fn checksum_place(&self) -> (usize, usize) {
        (self.place.transport, self.place.checksum_offset())
    }

    /// At least one, even without data.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> {
        let (data, size) = (self.place.end - self.place.data, self.segment_size);
        let last = data.saturating_sub(1) / size;
        (0..=last).map(move |index| {
            let start = index * size;
            Piece { index, start, len: size.min(data - start), last: index == last }
        })
    }

    /// Makes the headers of the whole those of a piece, with a partial checksum.
    pub fn put_headers(&self, headers: &mut [u8], piece: &Piece) {
        let place = &self.place;
        let len = place.data - place.transport + piece.len;
        if !place.v6 {
            put_identification(&mut headers[place.ip..], piece.index);
        }
        place.put_length(headers, len);
        let pseudo_header = place.pseudo_header(headers, len);
        let transport = &mut headers[place.transport..];
        if place.protocol == protocol::UDP {
            transport[4..6].copy_from_slice(&(len as u16).to_be_bytes());
        } else {
            put_tcp(transport, piece);
        }
        let at = place.checksum_offset();
        transport[at..at + 2].copy_from_slice(&pseudo_header.folded().to_be_bytes());
    }
}

fn put_identification(header: &mut [u8], index: usize) {
    let identification = u16::from_be_bytes([header[4], header[5]]).wrapping_add(index as u16);
    header[4..6].copy_from_slice(&identification.to_be_bytes());
}

fn put_tcp(header: &mut [u8], piece: &Piece) {
    let seq = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    header[4..8].copy_from_slice(&seq.wrapping_add(piece.start as u32).to_be_bytes());
    if !piece.last {
        header[13] &= !((Flags::FIN | Flags::PSH).bits() as u8);
    }
    if piece.index > 0 {
        // RFC 3168 §6.1.2: once for each reduction.
        header[13] &= !(Flags::CWR.bits() as u8);
    }
}
