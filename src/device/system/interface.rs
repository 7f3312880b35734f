//! Interface ioctls: `man 7 netdevice`, and the kernel's `Documentation/networking/tuntap.rst`.

use super::checked;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::ffi::{CStr, c_short};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

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

/// Makes `node`, an open `/dev/net/tun`, the TAP called `name`; gives the name that the kernel chose if `name` holds
/// a `%d`.
pub fn attach_tap(node: BorrowedFd<'_>, name: &str) -> io::Result<String> {
    let mut request = request(name)?;
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as c_short;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives across the call; `node` is open.
    checked(unsafe { libc::ioctl(node.as_raw_fd(), libc::TUNSETIFF, &mut request) })?;
    // SAFETY: the kernel leaves a name that ends in zero within `ifr_name`, as `request` did before it.
    let name = unsafe { CStr::from_ptr(request.ifr_name.as_ptr()) };
    name.to_str().map(str::to_owned).map_err(io::Error::other)
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

/// The index of an interface of this network namespace.
pub fn index(name: &str) -> io::Result<u32> {
    Ok(rustix::net::netdevice::name_to_index(any_socket()?, name)?)
}

/// Any socket will do to ask about interfaces.
fn any_socket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}

fn request(name: &str) -> io::Result<libc::ifreq> {
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
