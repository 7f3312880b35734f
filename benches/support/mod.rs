//! What the benchmarks share: the machine's own figures, our stack on a TAP, and clients on the kernel's end of it.
// Each benchmark is a program of its own and uses a part of this.
#![allow(dead_code)]

pub mod client;
pub mod machine;
pub mod server;

use std::net::Ipv4Addr;

pub const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// The kernel's interface towards the stack, and its address there.
pub const INTERFACE: &str = "strata0";
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
