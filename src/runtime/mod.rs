//! The runtime: what stands between the core, which does no input or output, and programs that want sockets.
//!
//! ```text
//!   your thread            your task
//!   blocking::TcpStream    asynchronous::TcpStream      two faces over one handle
//!          \                  /
//!           \                /
//!            Host (the one lock around a Stack) --- waiters: who is woken when a socket turns ready
//!                     |
//!                    Nic (a device, its batch, its queue): one turn = receive, handle, wake, transmit
//!                     |
//!        LocalDriver: the real clock, and tasks     sim::Simulation: virtual time
//!        Driver: a thread with one of those
//! ```
//!
//! Invariants: no system call is made while the lock is held; wakers are woken and dropped outside of it; the stack's
//! time never steps back; frames wait in bounded queues only. The driver and the simulator take the same turn
//! ([`Nic::turn`]), whose halves the driver's tasks run between, so that they cannot differ in anything but the clock.

pub mod asynchronous;
pub mod blocking;
mod clock;
mod driver;
mod error;
mod host;
mod local;
mod nic;
mod ping;
mod polling;
#[cfg(target_os = "linux")]
pub mod sandbox;
mod socket;
mod tasks;
mod waiters;

pub use clock::Clock;
pub use driver::Driver;
pub(crate) use driver::suit;
pub use host::Host;
pub use local::{LocalDriver, LocalQueue};
pub use nic::{Nic, Turn};
pub use ping::PingSocket;
pub use polling::Polling;
pub use socket::TcpSocket;
pub use tasks::{SendSpawner, Spawner};
