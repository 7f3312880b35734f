//! TCP (RFC 9293): a reliable stream of bytes in both directions, over packets that may be lost, doubled or late.
//!
//! A connection has one of three shapes, the RFC's own: a [`Listener`](listen::Listener) that waits for SYNs, an
//! [`Opening`] in the middle of its handshake, and a synchronized [`Connection`]. A segment is *handled* on the way
//! up (`arrive` walks it through the numbered steps of RFC 9293 §3.10.7.4), the stack *polls for transmission* on the
//! way down (`next_segment` decides, `transmit` builds), and each connection says its next deadline (`timers`, `timeout`).
//!
//! | file | idea | source |
//! |---|---|---|
//! | `seq` | sequence numbers and positions | RFC 9293 §3.4 |
//! | `state` | the eleven states and their moves | §3.3.2 |
//! | `listen`, `opening`, `handshake` | passive, active and simultaneous open | §3.5, §3.10.7.3 |
//! | `fast_open` | data in the SYN | RFC 7413 |
//! | `user`, `report` | what an application asks for, and what it is told | §3.10.2 to §3.10.6 |
//! | `arrive`, `acknowledge` | what a segment does | §3.10.7.4, RFC 5961, RFC 7323 |
//! | `reassembly`, `ring`, `receive`, `right_sizing` | the receive buffer and the window | §3.8.6 |
//! | `sack` | what is told of data past a hole | RFC 2018, 2883 |
//! | `send_buffer`, `send`, `next_segment`, `transmit` | the send buffer, what goes next, and how | §3.7.4, §3.8.6.2 |
//! | `recovery`, `repair` | what is lost, and what is done about it | RFC 6675, 8985, 6582 |
//! | `rtt`, `congestion`, `control` | time, and how much | RFC 6298, 5681, 7661 |
//! | `ecn`, `accurate_ecn`, `byte_counters` | marks instead of losses | RFC 3168, 9768 |
//! | `pacing` | at a rate, not in bursts | draft-ietf-ccwg-bbr §5.6 |
//! | `timeout`, `close`, `limiter` | patience, ends, and limits | §3.6, §3.8, RFC 5961 |
//! | `path_mtu` | how large a packet, and whom to believe | RFC 1191, RFC 5927 §7.2 |
//! | `info`, `chronograph` | what can be known of a connection | `tcp_info` of Linux |
//! | `memory` | bounds over all connections | |
//! | `fold` | what is kept of a connection at rest | |
//! | `cookie` | handshakes of which nothing is kept | RFC 4987 |
//! | `time_wait` | what is left of a connection that is over | §3.6.1, RFC 1337, RFC 6191 |
//!
//! Invariants: the right edge of our window never moves left; what is in flight always adds up; nothing a peer sends
//! makes a buffer, a list or a loop grow without bound.

mod accurate_ecn;
mod acknowledge;
mod arrive;
mod byte_counters;
mod chronograph;
mod close;
mod config;
pub mod congestion;
mod connection;
mod control;
pub mod cookie;
mod ecn;
pub mod fast_open;
pub mod fold;
mod handshake;
mod info;
mod limiter;
pub mod listen;
mod memory;
mod next_segment;
mod opening;
mod pacing;
mod path_mtu;
mod reassembly;
mod receive;
mod recovery;
mod repair;
mod report;
mod right_sizing;
mod ring;
mod rtt;
mod sack;
mod segment;
mod send;
mod send_buffer;
mod seq;
mod state;
pub mod time_wait;
mod timeout;
mod timers;
mod transmit;
mod user;

#[cfg(test)]
mod tests;

pub use crate::wire::tcp_options::Layout as OptionLayout;
pub use arrive::Arrival;
pub use byte_counters::EcnOption;
pub use chronograph::Chronograph;
pub use config::{Config, Keepalive, SynCookies};
pub use congestion::CongestionControl;
pub use connection::Connection;
pub use ecn::Ecn;
pub use info::{ConnectError, Info, ListenError, ReceiveError, SendError, Status};
pub use memory::Memory;
pub use opening::{Opening, Outcome, Secrets};
pub use recovery::LossRecovery;
pub use segment::{Segment, emit};
pub use send::Writing;
pub use seq::Seq;
pub use state::{State, next};
pub use time_wait::TimeWait;

/// What `benches/operations.rs` times by itself.
#[doc(hidden)]
pub mod parts {
    pub use super::reassembly::ReceiveBuffer;
    pub use super::recovery::{Ack, Path, Recovery};
    pub use super::send_buffer::SendBuffer;
}
