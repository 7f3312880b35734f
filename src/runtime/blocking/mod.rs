//! Blocking sockets in the shape of `std::net`: what has been written against the standard library's types runs on
//! this stack once it is given a [`Host`](super::Host) to open its sockets on.
//!
//! A call that has to wait parks its thread. In virtual time nobody would ever wake it, so there it fails with
//! [`Unsupported`](std::io::ErrorKind::Unsupported); use the [asynchronous](super::asynchronous) sockets.
//!
//! ```
//! use std::io::{Read, Write};
//! use strata::device::link::{Config, Link};
//! use strata::runtime::Driver;
//! use strata::runtime::blocking::{TcpListener, TcpStream};
//! use strata::stack;
//!
//! // Two hosts in this process, each with a thread of its own; a TAP would stand where the link does.
//! let (left, right) = Link::pollable_pair(Config::default())?;
//! let addresses = vec!["192.0.2.1/24".parse().unwrap()];
//! let client = stack::Config { mac: [2, 0, 0, 0, 0, 1], addresses, ..stack::Config::default() };
//! let client = Driver::start(client, 1, Box::new(left), None)?;
//! let server = Driver::start(stack::Config::default(), 2, Box::new(right), None)?; // 192.0.2.2
//!
//! let listener = TcpListener::bind(server.host(), "192.0.2.2:7".parse().unwrap())?;
//! std::thread::spawn(move || {
//!     let (stream, _) = listener.accept().expect("a connection");
//!     std::io::copy(&mut &stream, &mut &stream).expect("an echo");
//! });
//! let mut stream = TcpStream::connect(client.host(), "192.0.2.2:7".parse().unwrap())?;
//! stream.write_all(b"echo")?;
//! let mut back = [0; 4];
//! stream.read_exact(&mut back)?;
//! assert_eq!(&back, b"echo");
//! # Ok::<(), std::io::Error>(())
//! ```

mod tcp;
mod udp;
mod wait;

#[cfg(test)]
mod tests;

pub use crate::runtime::socket::Segments;
pub use tcp::{Incoming, TcpListener, TcpStream};
pub use udp::UdpSocket;
