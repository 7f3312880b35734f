//! # Driving the core yourself
//!
//! A [`Stack`](crate::stack::Stack) is a value. It does no input or output and reads no clock; you give it frames and
//! the time, and it gives back frames, wake-ups and the next time at which it wants to be asked again. The driver on a
//! TAP does nothing else, nor does the simulation.
//!
//! | you call | when |
//! |---|---|
//! | [`handle_frame`](crate::stack::Stack::handle_frame) | a frame has arrived |
//! | [`handle_timeout`](crate::stack::Stack::handle_timeout) | [`next_deadline`](crate::stack::Stack::next_deadline) is reached |
//! | [`poll_transmit`](crate::stack::Stack::poll_transmit) | after each of these, and after each call of an application, until there is none |
//! | [`poll_wakeup`](crate::stack::Stack::poll_wakeup) | to learn which sockets may have become ready |
//!
//! Here are two hosts that share a wire made of a function. The client connects, says hello and hangs up.
//!
//! ```
//! use std::net::SocketAddr;
//! use strata::frame::Received;
//! use strata::stack::{Config, Stack};
//! use strata::{tcp, time::Instant};
//!
//! /// Carries what one host has to send to the other.
//! fn carry(now: Instant, from: &mut Stack, to: &mut Stack) -> usize {
//!     let frames = std::iter::from_fn(|| from.poll_transmit(now));
//!     frames.map(|frame| to.handle_frame(now, Received { bytes: &frame.to_vec(), offload: frame.offload })).count()
//! }
//!
//! /// Both ways, until neither has anything more to say.
//! fn exchange(now: Instant, a: &mut Stack, b: &mut Stack) {
//!     while carry(now, a, b) + carry(now, b, a) > 0 {}
//! }
//!
//! let now = Instant::ZERO;
//! let mut server = Stack::new(Config::default(), 1);
//! let mut client = Stack::new(
//!     Config { mac: [0x02, 0, 0, 0, 0, 1], addresses: vec!["192.0.2.1/24".parse()?], ..Config::default() },
//!     2,
//! );
//! let address: SocketAddr = "192.0.2.2:80".parse()?;
//! let listener = server.tcp_listen(address, 16, tcp::Config::default())?;
//!
//! // ARP and the three-way handshake happen in here.
//! let connection = client.tcp_connect(now, address, None, tcp::Config::default())?;
//! exchange(now, &mut client, &mut server);
//! let accepted = server.tcp_accept(listener).expect("the handshake is complete");
//!
//! client.tcp_send(now, connection, b"hello")?;
//! client.tcp_shutdown(now, connection);
//! exchange(now, &mut client, &mut server);
//!
//! let mut buffer = [0; 64];
//! let len = server.tcp_receive(accepted, &mut buffer)?;
//! assert_eq!(&buffer[..len], b"hello");
//! assert_eq!(server.tcp_receive(accepted, &mut buffer)?, 0, "the client has sent its FIN");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything above happened at one instant. To let time pass, look at
//! [`next_deadline`](crate::stack::Stack::next_deadline) of both hosts, jump to the earlier one and call
//! [`handle_timeout`](crate::stack::Stack::handle_timeout): lost segments are then sent again, TIME-WAIT ends after its
//! minute, and none of it takes longer than computing it.
//!
//! The same seeds and the same calls give the same frames, byte for byte. A failure that was seen once can be seen
//! again.
//!
//! ## With sockets and a simulator
//!
//! Nobody need write such loops. [`Simulation`](crate::sim::Simulation) drives any number of hosts in virtual time and
//! gives their applications [asynchronous sockets](crate::runtime::asynchronous); `cargo run --example two_hosts` is a
//! page fetched that way, with every frame drawn.
