//! TCP (RFC 9293): front page to come.

mod config;
pub mod congestion;
mod info;

pub use config::{Config, Keepalive};
pub use congestion::CongestionControl;
pub use info::{ConnectError, Info, ListenError, ReceiveError, SendError, Status};
