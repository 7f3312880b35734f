//! Asynchronous sockets that speak `tokio`'s traits, so that hyper, axum, rustls and the rest run on them unchanged.
//!
//! They wait through [`Waker`](std::task::Waker)s alone and need no reactor: any executor will do, tokio's or the one
//! of a simulation in virtual time.

mod tcp;
mod udp;

pub use tcp::{TcpListener, TcpStream, Watch};
pub use udp::UdpSocket;
