//! The TUN driver: the kernel's `Documentation/networking/tuntap.rst` and `include/uapi/linux/if_tun.h`.

use super::checked;
use super::interface::request;
use crate::device::virtio::HEADER_LEN;
use rustix::buffer::spare_capacity;
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

/// Reads a header, which is given, and the frame behind it into `buffer`, which is empty and gets room for a frame of
/// `room` bytes at least.
pub fn receive(node: BorrowedFd<'_>, buffer: &mut Vec<u8>, room: usize) -> io::Result<[u8; HEADER_LEN]> {
    buffer.reserve(HEADER_LEN + room);
    rustix::io::read(node, spare_capacity(buffer))?;
    buffer.first_chunk().copied().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
