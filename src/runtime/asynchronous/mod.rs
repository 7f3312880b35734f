//! Asynchronous sockets that speak `tokio`'s traits, so that hyper, axum, rustls and the rest run on them unchanged.
//!
//! They wait through [`Waker`](std::task::Waker)s alone and need no reactor: any executor will do, tokio's or the one
//! of a simulation in virtual time.
//!
//! ```no_run
//! use strata::runtime::Host;
//! use strata::runtime::asynchronous::TcpListener;
//!
//! /// Echoes for ever, on tokio as on any other executor.
//! async fn echo(host: &Host) -> std::io::Result<()> {
//!     let listener = TcpListener::bind(host, "192.0.2.2:7".parse().unwrap())?;
//!     loop {
//!         let (stream, peer) = listener.accept().await?;
//!         println!("{peer}: {:?}", stream.info().rtt);
//!         let (mut reader, mut writer) = tokio::io::split(stream);
//!         tokio::spawn(async move { tokio::io::copy(&mut reader, &mut writer).await });
//!     }
//! }
//! ```

mod tcp;
mod udp;

pub use crate::runtime::socket::Segments;
pub use tcp::{TcpListener, TcpStream, Watch};
pub use udp::UdpSocket;
