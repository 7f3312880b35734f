//! What is compared: our stack, the limit of the path, a rival, and the kernel.

mod blind;
mod kernel;
mod ours;
mod rival;
mod rival_device;

use blind::Habits;

pub use kernel::{HOLDER, ROLE, hold_here, serve_here};

use crate::memory::Memory;
use crate::support::machine::Worker;
use crate::workload::Workload;

/// What answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stack {
    /// The blind responder: what the path carries.
    Limit,
    /// The same with the one copy that a read or a write into the application's own memory takes.
    LimitCopying,
    /// The same with frames as long as this TAP takes, as ours has them.
    LimitBigTcp,
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
    /// From the first, which is what the others are compared with.
    pub const ALL: [Stack; 7] = [
        Stack::Limit,
        Stack::LimitCopying,
        Stack::LimitBigTcp,
        Stack::Strata,
        Stack::SmoltcpTuned,
        Stack::Smoltcp,
        Stack::Kernel,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Stack::Limit => "limit",
            Stack::LimitCopying => "limit-copying",
            Stack::LimitBigTcp => "limit-big-tcp",
            Stack::Strata => "strata",
            Stack::SmoltcpTuned => "smoltcp-tuned",
            Stack::Smoltcp => "smoltcp",
            Stack::Kernel => "kernel",
        }
    }

    pub fn named(name: &str) -> Option<Stack> {
        Stack::ALL.into_iter().find(|stack| stack.name() == name)
    }

    /// The limit answers by what stands in a segment, whether there is a connection or not.
    pub fn keeps_state(self) -> bool {
        !matches!(self, Stack::Limit | Stack::LimitCopying | Stack::LimitBigTcp)
    }

    /// Serves in a namespace of this process while `client` runs; `client` learns who does the work.
    pub fn serve<T>(self, workload: Workload, client: impl FnOnce(&Served) -> T) -> T {
        match self {
            Stack::Limit => blind::serve(workload, Habits::default(), client),
            Stack::LimitCopying => blind::serve(workload, Habits { copying: true, big_tcp: false }, client),
            Stack::LimitBigTcp => blind::serve(workload, Habits { copying: false, big_tcp: true }, client),
            Stack::Strata => ours::serve(workload, client),
            Stack::SmoltcpTuned => rival::serve_tuned(workload, client),
            Stack::Smoltcp => rival::serve_as_shipped(workload, client),
            Stack::Kernel => kernel::serve(workload, client),
        }
    }
}

/// Who does the work, and what its memory was before it had any connections.
pub struct Served {
    pub worker: Worker,
    pub before: Memory,
    pub memory: fn() -> Memory,
}

impl Served {
    /// A thread of this process, whose memory was `before` at first.
    fn here(worker: Worker, before: Memory) -> Served {
        Served { worker, before, memory: Memory::here }
    }
}
