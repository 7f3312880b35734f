//! The options of a TCP socket that have a name of their own; every other is a change of its [`Config`].
//!
//! | here | as Linux calls it |
//! |---|---|
//! | `set_linger` | `SO_LINGER` |
//! | `set_cork` | `TCP_CORK` |
//! | `set_user_timeout` | `TCP_USER_TIMEOUT` |
//! | `set_notsent_lowat` | `TCP_NOTSENT_LOWAT` |
//! | `mss`, `Config::mss` before the connection is opened | `TCP_MAXSEG` |

use super::TcpSocket;
use crate::event::TcpState;
use crate::runtime::waiters::Wait;
use crate::tcp::Config;
use std::io;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

/// No linger.
pub const OFF: u32 = u32::MAX;

impl TcpSocket {
    pub fn set_linger(&self, time: Option<Duration>) {
        let millis = time.map(|time| time.as_nanos().div_ceil(1_000_000).min(u128::from(OFF - 1)) as u32);
        self.linger.store(millis.unwrap_or(OFF), Ordering::Release);
    }

    pub fn linger(&self) -> Option<Duration> {
        match self.linger.load(Ordering::Acquire) {
            OFF => None,
            millis => Some(Duration::from_millis(millis.into())),
        }
    }

    pub fn set_cork(&self, cork: bool) {
        self.configure(|config| config.cork = cork);
    }

    pub fn set_user_timeout(&self, timeout: Option<Duration>) {
        self.configure(|config| config.user_timeout = timeout);
    }

    pub fn set_notsent_lowat(&self, bytes: Option<usize>) {
        self.configure(|config| config.unsent_limit = bytes);
    }

    /// One of the settings that the connection has now.
    pub fn setting<T>(&self, of: impl FnOnce(&Config) -> T) -> T {
        of(&self.config())
    }

    /// The peer has acknowledged everything, our FIN included, or never will.
    pub fn poll_finished(&self, wait: Wait<'_>) -> Poll<io::Result<()>> {
        self.host().poll(self.socket_id(), wait, |stack, _| {
            let state = stack.tcp_status(self.tcp_id()).state;
            let finished = matches!(state, TcpState::FinWait2 | TcpState::TimeWait | TcpState::Closed);
            if finished { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
    }
}
