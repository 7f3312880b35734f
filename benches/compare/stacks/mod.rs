//! What is compared: our stack, the limit of the path, a rival, and the kernel.

mod blind;
mod kernel;
mod ours;
mod rival;
mod rival_device;

pub use kernel::{ROLE as SERVE_KERNEL, serve_here as serve_kernel};

use crate::support::machine::Worker;
use crate::workload::Workload;

/// What answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stack {
    /// The blind responder: what the path carries.
    Limit,
    /// Ours, with default settings.
    Strata,
    /// smoltcp with a device of ours that has offloads, 4 MiB buffers and CUBIC.
    SmoltcpTuned,
    /// smoltcp as it is shipped: its own TAP, 64 KiB buffers.
    Smoltcp,
    /// The kernel's own TCP in another namespace, over a veth pair; nginx for HTTP.
    Kernel,
}

impl Stack {
    pub const ALL: [Stack; 5] = [Stack::Limit, Stack::Strata, Stack::SmoltcpTuned, Stack::Smoltcp, Stack::Kernel];

    pub fn name(self) -> &'static str {
        match self {
            Stack::Limit => "limit",
            Stack::Strata => "strata",
            Stack::SmoltcpTuned => "smoltcp-tuned",
            Stack::Smoltcp => "smoltcp",
            Stack::Kernel => "kernel",
        }
    }

    /// Serves in a namespace of this process while `client` runs; `client` learns who does the work.
    pub fn serve<T>(self, workload: Workload, client: impl FnOnce(&Worker) -> T) -> T {
        match self {
            Stack::Limit => blind::serve(workload, client),
            Stack::Strata => ours::serve(workload, client),
            Stack::SmoltcpTuned => rival::serve_tuned(workload, client),
            Stack::Smoltcp => rival::serve_as_shipped(workload, client),
            Stack::Kernel => kernel::serve(client),
        }
    }
}
