//! Options of a stream, under the names that the standard library has for some and Linux for all.

use super::TcpStream;
use std::io;
use std::time::Duration;

impl TcpStream {
    /// `SO_LINGER`: with zero the connection ends in a RST when its last handle is dropped, and what was not sent is
    /// lost; with more, the last handle waits so long for the peer to have acknowledged everything; none to let the
    /// stack finish by itself.
    pub fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        self.socket.set_linger(time);
        Ok(())
    }

    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.socket.linger())
    }

    /// `TCP_CORK`: nothing but full segments leave until it is taken off, or for 200 ms to 1 s.
    pub fn set_cork(&self, cork: bool) -> io::Result<()> {
        self.socket.set_cork(cork);
        Ok(())
    }

    pub fn cork(&self) -> io::Result<bool> {
        Ok(self.socket.setting(|config| config.cork))
    }

    /// `TCP_USER_TIMEOUT`: how long data may stay unacknowledged before the connection ends; none for the default of
    /// RFC 9293 §3.8.3.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_user_timeout(timeout);
        Ok(())
    }

    pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.socket.setting(|config| config.user_timeout))
    }

    /// `TCP_NOTSENT_LOWAT`: a writer waits while so many bytes of it have not been sent.
    pub fn set_notsent_lowat(&self, bytes: Option<usize>) -> io::Result<()> {
        self.socket.set_notsent_lowat(bytes);
        Ok(())
    }

    pub fn notsent_lowat(&self) -> io::Result<Option<usize>> {
        Ok(self.socket.setting(|config| config.unsent_limit))
    }

    /// `TCP_MAXSEG`: the most data in a segment that leaves now, in bytes. What we announce is set before, by
    /// [`Config::mss`](crate::tcp::Config::mss).
    pub fn mss(&self) -> io::Result<usize> {
        Ok(self.socket.info().snd_mss)
    }
}
