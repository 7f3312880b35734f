//! The system calls that neither `std` nor `rustix` reaches, each behind a safe function: the only unsafe code.
#![allow(unsafe_code)]

pub(crate) mod interface;
pub(super) mod packet;
pub(crate) mod process;
pub(super) mod tun;

use std::io;
use std::os::raw::c_int;

/// The error that a C function left behind when it answered with -1.
fn checked(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
