//! Blocking sockets in the shape of `std::net`: what has been written against the standard library's types runs on
//! this stack once it is given a [`Host`](super::Host) to open its sockets on.
//!
//! A call that has to wait parks its thread. In virtual time nobody would ever wake it, so there it fails with
//! [`Unsupported`](std::io::ErrorKind::Unsupported); use the [asynchronous](super::asynchronous) sockets.

mod tcp;
mod udp;
mod wait;

#[cfg(test)]
mod tests;

pub use tcp::{Incoming, TcpListener, TcpStream};
pub use udp::UdpSocket;
