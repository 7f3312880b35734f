//! Packet sockets: `man 7 packet`.

use super::checked;
use crate::device::virtio::HEADER_LEN;
use bytes::BytesMut;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::ffi::c_int;
use std::io;
use std::mem::{self, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Every EtherType (`ETH_P_ALL`), in network byte order.
const ALL: u16 = (libc::ETH_P_ALL as u16).to_be();
const NOTHING: u16 = 0;
/// How much may wait to be read, in bytes of the kernel's own accounting, if the kernel grants it.
const RECEIVE_BUFFER: c_int = 16 << 20;

/// What the kernel says of a frame beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    pub header: [u8; HEADER_LEN],
    /// Our own frame, seen on its way out.
    pub outgoing: bool,
    /// It did not fit, and its end is lost.
    pub truncated: bool,
    /// The checksum was found good.
    pub checksum_good: bool,
    /// The tag that was taken out of the frame: its TPID and TCI.
    pub tag: Option<(u16, u16)>,
}

/// A nonblocking socket that sees every frame of an interface, with a virtio-net header before each.
pub fn open(index: u32) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    // Protocol 0: nothing arrives before all is set, and `bind` names the interface and the protocol at once.
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
    let fd = socket.as_fd();
    let on: c_int = 1;
    set_option(fd, libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
    set_option(fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, &on)?;
    // Linux before 4.20 does not know it; there the frame's packet type tells.
    let _ = set_option(fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &on);
    // Beyond net.core.rmem_max only the first user namespace may go; elsewhere it is cut to that.
    if set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER).is_err() {
        set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &RECEIVE_BUFFER)?;
    }
    promiscuous(fd, index)?;
    bind(fd, index, ALL)?;
    Ok(socket)
}

/// A nonblocking socket that only sends: nothing is copied to it, whatever passes on the interface.
pub fn open_to_send(index: u32) -> io::Result<OwnedFd> {
    let socket =
        socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    let on: c_int = 1;
    set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
    bind(socket.as_fd(), index, NOTHING)?;
    Ok(socket)
}

fn promiscuous(socket: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: index as c_int,
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)
}

fn bind(socket: BorrowedFd<'_>, index: u32, protocol: u16) -> io::Result<()> {
    // SAFETY: `sockaddr_ll` is plain old data, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol;
    address.sll_ifindex = index as c_int;
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address lives across the call and `len` is its size.
    checked(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) }).map(drop)
}

fn set_option<T: Copy>(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `len` bytes of `value`, which lives across the call and has that size.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (value as *const T).cast(), len) }).map(drop)
}

/// Receives one frame: its first `room` bytes go straight into `buffer`, what is longer by way of `overflow`.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut BytesMut, room: usize, overflow: &mut [u8]) -> io::Result<Message> {
    let mut header = [0u8; HEADER_LEN];
    buffer.clear();
    buffer.reserve(room);
    let mut pieces = [
        libc::iovec { iov_base: header.as_mut_ptr().cast(), iov_len: HEADER_LEN },
        libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: room },
        libc::iovec { iov_base: overflow.as_mut_ptr().cast(), iov_len: overflow.len() },
    ];
    // SAFETY: `sockaddr_ll` and `msghdr` are plain old data, for which all zeros is a value.
    let (mut from, mut message): (libc::sockaddr_ll, libc::msghdr) = unsafe { (mem::zeroed(), mem::zeroed()) };
    // Room for one `tpacket_auxdata`, aligned as a `cmsghdr` must be.
    let mut control = [0u64; 16];
    message.msg_name = (&raw mut from).cast();
    message.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    message.msg_iov = pieces.as_mut_ptr();
    message.msg_iovlen = pieces.len() as _;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: every pointer in `message` names memory that lives across the call, with its length beside it; `buffer`
    // has `room` bytes of capacity.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, 0) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    let len = received.checked_sub(HEADER_LEN).ok_or(io::ErrorKind::UnexpectedEof)?;
    // SAFETY: the kernel fills the pieces in order, so that this many bytes of `buffer` are written, and `room` at most.
    unsafe { buffer.set_len(len.min(room)) };
    buffer.extend_from_slice(&overflow[..len.saturating_sub(room)]);
    let auxiliary = auxiliary(&message);
    let status = auxiliary.map_or(0, |auxiliary| auxiliary.tp_status);
    Ok(Message {
        header,
        outgoing: from.sll_pkttype == libc::PACKET_OUTGOING,
        truncated: message.msg_flags & libc::MSG_TRUNC != 0,
        checksum_good: status & libc::TP_STATUS_CSUM_VALID != 0,
        tag: auxiliary.filter(|_| status & libc::TP_STATUS_VLAN_VALID != 0).map(|auxiliary| {
            let named = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
            (if named { auxiliary.tp_vlan_tpid } else { libc::ETH_P_8021Q as u16 }, auxiliary.tp_vlan_tci)
        }),
    })
}

/// The `tpacket_auxdata` among the control messages that `recvmsg` left.
fn auxiliary(message: &libc::msghdr) -> Option<libc::tpacket_auxdata> {
    // SAFETY: `message` is as `recvmsg` left it, and its control buffer lives yet.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !control.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give null or a whole header within the control buffer.
        let found = unsafe { &*control };
        if (found.cmsg_level, found.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
            // SAFETY: that kind of message holds one `tpacket_auxdata`, at whatever alignment.
            return Some(unsafe { libc::CMSG_DATA(control).cast::<libc::tpacket_auxdata>().read_unaligned() });
        }
        // SAFETY: `control` came from CMSG_FIRSTHDR or CMSG_NXTHDR of this very message.
        control = unsafe { libc::CMSG_NXTHDR(message, control) };
    }
    None
}
