//! What is done at the kernel's end: ordinary sockets, whatever answers them.

mod bulk;
mod churn;
mod datagrams;
mod echo;
mod http;
mod idle;

pub use bulk::{bulk_in, bulk_out};
pub use churn::churn;
pub use datagrams::datagrams;
pub use echo::ping_pong;
pub use http::requests;
pub use idle::open;

/// What a client has found.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// In the unit of the workload.
    pub figure: f64,
    /// How much was done, in what CPU time is told by: gigabytes, or requests, pairs, connections.
    pub amount: f64,
}
