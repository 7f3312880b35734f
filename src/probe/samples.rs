//! Hand-built frames and stories for the tests of the views.

use crate::event::FourTuple;
use crate::frame::{Frame, FrameId};
use bytes::Bytes;
use etherparse::PacketBuilder;
use std::net::SocketAddr;

pub(crate) fn connection() -> FourTuple {
    FourTuple { local: SocketAddr::from(([192, 0, 2, 2], 80)), remote: SocketAddr::from(([192, 0, 2, 1], 41234)) }
}

/// A frame of ours that carries `data` in nothing.
pub(crate) fn frame(id: u64, data: &[u8]) -> Frame {
    Frame::new(FrameId(id), Bytes::copy_from_slice(data).into())
}

/// Ethernet, IPv4 and TCP around `data`, from the peer to us.
pub(crate) fn tcp_data(data: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .tcp(41234, 80, 0x1f3a_0001, 502)
        .ack(0x5b1c_0001)
        .psh();
    let mut bytes = Vec::new();
    builder.write(&mut bytes, data).expect("a vector takes everything");
    bytes
}
