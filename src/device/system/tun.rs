//! The TUN driver: the kernel's `Documentation/networking/tuntap.rst` and `include/uapi/linux/if_tun.h`.

use super::checked;
use super::interface::request;
use crate::device::virtio::HEADER_LEN;
use bytes::{Buf, BytesMut};
use std::ffi::{CStr, c_short, c_uint};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Partial checksums, and super-frames of TCP over both versions of IP, with CWR among their flags.
const TCP_OFFLOADS: c_uint = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
/// Super-frames of UDP datagrams, which Linux knows since 6.2.
const UDP_OFFLOADS: c_uint = libc::TUN_F_USO4 | libc::TUN_F_USO6;

/// Makes `node`, an open `/dev/net/tun`, the TAP called `name`; gives the name that the kernel chose if `name` holds
/// a `%d`. `header`: a virtio-net header goes before each frame. `several`: it is one of several queues.
pub fn attach(node: BorrowedFd<'_>, name: &str, header: bool, several: bool) -> io::Result<String> {
    let mut request = request(name)?;
    let header = if header { libc::IFF_VNET_HDR } else { 0 };
    let several = if several { libc::IFF_MULTI_QUEUE } else { 0 };
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | header | several) as c_short;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives across the call; `node` is open.
    checked(unsafe { libc::ioctl(node.as_raw_fd(), libc::TUNSETIFF, &mut request) })?;
    // SAFETY: the kernel leaves a name that ends in zero within `ifr_name`, as `request` did before it.
    let name = unsafe { CStr::from_ptr(request.ifr_name.as_ptr()) };
    name.to_str().map(str::to_owned).map_err(io::Error::other)
}

/// Tells the kernel what it may leave to us, with a TAP that has virtio-net headers; or that it may leave nothing.
pub fn set_offloads(node: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let set = |offloads: c_uint| {
        // SAFETY: TUNSETOFFLOAD takes a number in place of a pointer; `node` is open.
        checked(unsafe { libc::ioctl(node.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(offloads)) }).map(drop)
    };
    if !on {
        return set(0);
    }
    set(TCP_OFFLOADS | UDP_OFFLOADS).or_else(|_| set(TCP_OFFLOADS))
}

/// Reads a frame of at most `room` bytes into `buffer`, and gives the header before it. In one piece: two would cost the
/// kernel 110 ns more.
pub fn receive(node: BorrowedFd<'_>, buffer: &mut BytesMut, room: usize) -> io::Result<[u8; HEADER_LEN]> {
    buffer.clear();
    buffer.reserve(HEADER_LEN + room);
    let received = rustix::io::read(node, buffer.spare_capacity_mut())?.0.len();
    // SAFETY: the kernel has written so many bytes where the buffer, which is empty, begins.
    unsafe { buffer.set_len(received) };
    let header = *buffer.first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    buffer.advance(HEADER_LEN);
    Ok(header)
}
