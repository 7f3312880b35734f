//! *A TCP/IP stack that you can see through.*
//!
//! ```text
//!         application      app/        HTTP, echo, your program
//!              |           runtime/    blocking and async sockets, the driver
//!   - - - - - - - - - - -  stack/      one host: interfaces, sockets, demultiplexing
//!         TCP     UDP      tcp/ udp/   streams and datagrams
//!              |           icmp/       echo and errors
//!             IP           ip/         routes, fragments, path MTU
//!              |
//!     Ethernet and ARP     link/       neighbours
//!              |           wire/       the bytes of every header
//!   - - - - - - - - - - -
//!           device         device/     TAP, raw Ethernet, in-process link, faults
//! ```
//!
//! A frame climbs on the left side of that figure and each layer *strips* its header; what the application writes
//! comes down and each layer *prepends* its own. `wire` to `stack` is the **core**: it does no input or output and
//! reads no clock. A frame and the time go in; frames, wake-ups and the next deadline come out. `device`, `runtime`
//! and `app` are the **shell** around it, and `probe` and `sim` are for looking at it and playing with it.
//!
//! The book is in [`manual`]: begin there.
//!
//! Three traits stand at the seams: [`device::Device`], [`tcp::CongestionControl`] and [`event::Observer`].
#![deny(unsafe_code)]

pub mod event;
pub mod frame;
pub mod pool;
pub mod random;
pub mod time;

pub mod wire;

pub mod link;

pub mod ip;

pub mod icmp;
pub mod udp;

pub mod tcp;

pub mod stack;

pub mod device;

pub mod runtime;

pub mod probe;

pub mod sim;

#[cfg(feature = "app")]
pub mod app;

pub mod manual;
