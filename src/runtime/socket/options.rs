//! What both faces of a connection offer alike, under the names that the standard library has for some and Linux for all.
//!
//! | here | as Linux calls it |
//! |---|---|
//! | `set_nodelay` | `TCP_NODELAY` |
//! | `set_linger` | `SO_LINGER` |
//! | `set_cork` | `TCP_CORK` |
//! | `set_user_timeout` | `TCP_USER_TIMEOUT` |
//! | `set_notsent_lowat` | `TCP_NOTSENT_LOWAT` |
//! | `set_ttl` | `IP_TTL` |
//! | `set_keepalive` | `SO_KEEPALIVE`, `TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT` |
//! | `mss`, `Config::mss` before the connection is opened | `TCP_MAXSEG` |
//! | `info` | `TCP_INFO` |
//! | `take_error` | `SO_ERROR` |

use super::TcpSocket;
use crate::event::CloseReason;
use crate::runtime::error::close_kind;
use crate::tcp::{Config, Info, Keepalive};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// No linger.
pub const OFF: u32 = u32::MAX;

impl TcpSocket {
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.remote())
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local())
    }

    /// The figures of the connection, with the meanings of Linux's `tcp_info`.
    pub fn info(&self) -> Info {
        // A stream is made when its handshake is complete, or before it has begun.
        let none = |state| Info { state, ..Info::default() };
        let id = self.tcp_id();
        self.host().inspect(|stack| stack.tcp_info(id).unwrap_or_else(|| none(stack.tcp_status(id).state)))
    }

    /// Any setting of the connection, those below among them.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        self.host().with(|stack, now| stack.tcp_configure(now, self.tcp_id(), change));
    }

    /// The settings that the connection has now.
    pub fn config(&self) -> Config {
        self.host().inspect(|stack| stack.tcp_config(self.tcp_id()).clone())
    }

    /// Turns Nagle's algorithm off (`true`) or on.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.configure(|config| config.nagle = !nodelay);
        Ok(())
    }

    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(!self.config().nagle)
    }

    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        let ttl = hops(ttl)?;
        self.configure(|config| config.ttl = ttl);
        Ok(())
    }

    pub fn ttl(&self) -> io::Result<u32> {
        Ok(u32::from(self.config().ttl))
    }

    /// Probes a silent peer: the first time after `idle`, then every `interval`, and gives up after `count`.
    pub fn set_keepalive(&self, idle: Duration, interval: Duration, count: u32) -> io::Result<()> {
        self.configure(|config| config.keepalive = Keepalive { enabled: true, idle, interval, count });
        Ok(())
    }

    /// With zero the connection ends in a RST when its last handle is dropped, and what was not sent is lost; with none the
    /// stack finishes by itself. With more a blocking handle that is the last waits so long for the peer to have
    /// acknowledged everything; an asynchronous one never waits. In milliseconds, upwards.
    pub fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        let millis = time.map(|time| time.as_nanos().div_ceil(1_000_000).min(u128::from(OFF - 1)) as u32);
        self.linger.store(millis.unwrap_or(OFF), Ordering::Release);
        Ok(())
    }

    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.lingers())
    }

    pub(in crate::runtime) fn lingers(&self) -> Option<Duration> {
        match self.linger.load(Ordering::Acquire) {
            OFF => None,
            millis => Some(Duration::from_millis(millis.into())),
        }
    }

    /// Nothing but full segments leave until it is taken off, or for 200 ms to 1 s.
    pub fn set_cork(&self, cork: bool) -> io::Result<()> {
        self.configure(|config| config.cork = cork);
        Ok(())
    }

    pub fn cork(&self) -> io::Result<bool> {
        Ok(self.config().cork)
    }

    /// How long data may stay unacknowledged before the connection ends; none for the default of RFC 9293 §3.8.3.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.configure(|config| config.user_timeout = timeout);
        Ok(())
    }

    pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.config().user_timeout)
    }

    /// A writer waits while so many bytes of it have not been sent.
    pub fn set_notsent_lowat(&self, bytes: Option<usize>) -> io::Result<()> {
        self.configure(|config| config.unsent_limit = bytes);
        Ok(())
    }

    pub fn notsent_lowat(&self) -> io::Result<Option<usize>> {
        Ok(self.config().unsent_limit)
    }

    /// The most data in a segment that leaves now, in bytes. What we announce is set before, by [`Config::mss`].
    pub fn mss(&self) -> io::Result<usize> {
        Ok(self.info().snd_mss)
    }

    /// The error that ended the connection, the first time that somebody asks.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let Some(reason) = self.status().closed else { return Ok(None) };
        let news = reason != CloseReason::Finished && !self.error_taken.swap(true, Ordering::AcqRel);
        Ok(news.then(|| io::Error::new(close_kind(reason), reason.to_string())))
    }
}

/// Times to live beyond 255 do not exist.
pub fn hops(ttl: u32) -> io::Result<u8> {
    match u8::try_from(ttl) {
        Ok(0) | Err(_) => {
            Err(io::Error::new(ErrorKind::InvalidInput, format!("a time to live of {ttl}; it goes from 1 to 255")))
        }
        Ok(ttl) => Ok(ttl),
    }
}
