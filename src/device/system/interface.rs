//! Interface ioctls: `man 7 netdevice`.

use super::checked;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The longest name that an interface may have, in bytes (`IFNAMSIZ` less its closing zero).
pub const NAME_LEN: usize = libc::IFNAMSIZ - 1;

/// What the kernel says of an interface (`man 7 netdevice`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    pub mtu: usize,
    pub up: bool,
    /// It is up and has its carrier: frames pass.
    pub running: bool,
}

/// The MTU and the state of an interface of this network namespace.
pub fn facts(name: &str) -> io::Result<Facts> {
    let socket = any_socket()?;
    let mut request = request(name)?;
    // SAFETY: SIOCGIFMTU reads and writes one `ifreq`, which lives across the call; `socket` is open.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU as libc::Ioctl, &mut request) })?;
    // SAFETY: after SIOCGIFMTU the union holds the MTU.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    // SAFETY: as for SIOCGIFMTU.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as libc::Ioctl, &mut request) })?;
    // SAFETY: after SIOCGIFFLAGS the union holds the flags.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let has = |flag: i32| i32::from(flags) & flag != 0;
    Ok(Facts { mtu: usize::try_from(mtu).unwrap_or(0), up: has(libc::IFF_UP), running: has(libc::IFF_RUNNING) })
}

/// `SIOCGIFTXQLEN` of `include/uapi/linux/sockios.h`, which libc lacks.
const GET_QUEUE_LEN: libc::Ioctl = 0x8942;

/// How many frames wait at most before an interface: `txqueuelen`.
pub fn queue_len(name: &str) -> io::Result<usize> {
    let socket = any_socket()?;
    let mut request = request(name)?;
    // SAFETY: SIOCGIFTXQLEN reads and writes one `ifreq`, which lives across the call; `socket` is open.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), GET_QUEUE_LEN, &mut request) })?;
    // SAFETY: after SIOCGIFTXQLEN the union holds a number.
    Ok(usize::try_from(unsafe { request.ifr_ifru.ifru_metric }).unwrap_or(0))
}

/// The index of an interface of this network namespace.
pub fn index(name: &str) -> io::Result<u32> {
    Ok(rustix::net::netdevice::name_to_index(any_socket()?, name)?)
}

/// Any socket will do to ask about interfaces.
fn any_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}

/// A request about the interface called `name`, everything else zero.
pub(super) fn request(name: &str) -> io::Result<libc::ifreq> {
    if name.len() > NAME_LEN || name.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: `ifreq` is plain old data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte as std::ffi::c_char;
    }
    Ok(request)
}
