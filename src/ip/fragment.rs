//! Cutting a datagram that is too large for its path (RFC 791 §3.2).

use crate::event::{Context, Event};
use crate::frame::{Frame, Payload};
use crate::wire::ipv4::{FRAGMENT_UNIT, Header};
use bytes::Bytes;

/// The pieces of a datagram, each with its payload and the header that belongs in front of it.
///
/// The transport's header, which lies in the frame's headroom, is payload to IP: it becomes the first slice of the
/// whole, and the pieces share that and the application's bytes. The first piece keeps the frame's id, the others
/// are frames of their own.
pub(super) fn fragments(
    cx: &mut Context<'_>,
    header: &Header,
    mut frame: Frame,
    mtu: usize,
) -> impl Iterator<Item = (Header, Frame)> + use<> {
    // A checksum over pieces is nothing that a device can make.
    frame.finish_checksum();
    let (id, offload) = (frame.id(), frame.offload);
    let transport = Bytes::copy_from_slice(frame.headers());
    let whole: Payload = std::iter::once(transport).chain(frame.payload().slices().iter().cloned()).collect();
    let room = (mtu - header.len()) / FRAGMENT_UNIT * FRAGMENT_UNIT;
    let pieces = whole.len().div_ceil(room);
    cx.tell(|| Event::Fragmented { pieces, mtu });
    let ids: Vec<_> = std::iter::once(id).chain((1..pieces).map(|_| cx.begin_frame())).collect();
    let header = header.clone();
    ids.into_iter().enumerate().map(move |(index, id)| {
        let start = index * room;
        let len = room.min(whole.len() - start);
        let mut piece = Frame::new(id, whole.slice(start, len));
        piece.offload = offload;
        let header = Header {
            total_length: (header.len() + len) as u16,
            fragment_offset: start as u16,
            more_fragments: start + len < whole.len(),
            ..header.clone()
        };
        (header, piece)
    })
}
