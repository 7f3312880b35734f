//! The link to the kernel: namespaces, interfaces, addresses, and the ladder of ways to get there.
//!
//! ```text
//!   1  a device the user names, or a TAP in this namespace      root or CAP_NET_ADMIN
//!   2  a namespace of its own with a TAP                        /dev/net/tun may be opened
//!   3  a namespace of its own with a veth pair, AF_PACKET       user namespaces are allowed
//!   4  a link in this process to another host                   nothing
//! ```
//!
//! [`open`] takes the highest rung that works and says in one line where it stands. What is done to the system is a
//! [`Plan`]: a list of steps that is carried out over netlink, or printed as `ip` commands ([`dry_run`]). [`diagnose`]
//! tries every rung for real in children of this process, and leaves nothing behind.
//!
//! Invariants: namespaces are entered before any thread starts; nothing outlives the last process that uses it: a TAP
//! goes with its descriptor, a namespace of one's own with its last process, and everything in it.

mod doctor;
mod ladder;
mod namespace;
mod plan;
mod request;
mod run;

pub use doctor::{Finding, Subject, diagnose};
pub use ladder::{LinkError, Opened, Rung, Standing, dry_run, open, plan};
pub use namespace::{EnterError, Obstacle, enter, obstacle};
pub use plan::{Carried, Plan, Step, StepError};
pub use request::{Config, LinkRequest, RequestError, kernel_address};
pub use run::{RunError, exit_code, run, spawn};
