//! `TcpListener` and `TcpStream`.

use super::wait::{Patience, wait};
use crate::runtime::host::Host;
use crate::runtime::socket::{BACKLOG, ListenerSocket, TcpSocket};
use crate::runtime::waiters::Direction;
use crate::tcp::Config;
use bytes::Bytes;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection, with blocking calls; `&TcpStream` reads and writes as well.
pub struct TcpStream {
    socket: Arc<TcpSocket>,
    patience: Arc<Patience>,
}

impl TcpStream {
    /// Opens a connection from `host` to `remote` and waits until it is established or has failed.
    pub fn connect(host: &Host, remote: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::open(host, remote, None)
    }

    /// The same, but no longer than `timeout`.
    pub fn connect_timeout(host: &Host, remote: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a timeout of zero is not possible"));
        }
        TcpStream::open(host, remote, Some(timeout))
    }

    /// The same with settings of its own, which begin as the stack's. With
    /// [`fast_open_connect`](Config::fast_open_connect) it may be there at once, to be opened by its first write.
    pub fn connect_with(host: &Host, remote: SocketAddr, change: impl FnOnce(&mut Config)) -> io::Result<TcpStream> {
        TcpStream::wait_for(TcpSocket::connect_with(host, remote, None, change)?, None)
    }

    /// The same with data for the SYN, and how much of it was taken: TCP Fast Open (RFC 7413), `MSG_FASTOPEN`. It reaches a
    /// server that has given us a cookie before a round trip earlier; any other gets it after the handshake. It may come
    /// twice, so it should be a request that can stand that.
    pub fn connect_with_data(host: &Host, remote: SocketAddr, data: &[u8]) -> io::Result<(TcpStream, usize)> {
        let (socket, taken) = TcpSocket::connect_with_data(host, remote, data, |_| {})?;
        Ok((TcpStream::wait_for(socket, None)?, taken))
    }

    fn open(host: &Host, remote: SocketAddr, timeout: Option<Duration>) -> io::Result<TcpStream> {
        TcpStream::wait_for(TcpSocket::connect(host, remote, None)?, timeout)
    }

    fn wait_for(socket: TcpSocket, timeout: Option<Duration>) -> io::Result<TcpStream> {
        let remote = socket.remote();
        let stream = TcpStream::adopt(socket);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        wait(stream.socket.call(Direction::Write), deadline, |wait| stream.socket.poll_established(wait))?
            .ok_or_else(|| io::Error::new(ErrorKind::TimedOut, format!("connecting to {remote}: no answer in time")))?;
        Ok(stream)
    }

    /// As `close` under `SO_LINGER`: until the peer has acknowledged everything, or the time is over.
    fn wait_for_the_end(&self, time: Duration) {
        self.socket.finish_writing();
        let deadline = Instant::now().checked_add(time);
        // Whatever comes of it, the connection is let go.
        let _ = wait(self.socket.call(Direction::Write), deadline, |wait| self.socket.poll_finished(wait));
    }

    fn adopt(socket: TcpSocket) -> TcpStream {
        TcpStream { socket: Arc::new(socket), patience: Arc::default() }
    }

    /// Another handle to the same connection, which ends when the last of them is dropped.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        Ok(TcpStream { socket: self.socket.clone(), patience: self.patience.clone() })
    }

    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.patience.set_timeout(Direction::Read, timeout)
    }

    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.patience.timeout(Direction::Read))
    }

    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.patience.set_timeout(Direction::Write, timeout)
    }

    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.patience.timeout(Direction::Write))
    }

    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.patience.set_nonblocking(nonblocking);
        Ok(())
    }

    /// Reads without a copy: `read` is shown what has come, as far as it lies in one piece, and nothing at the end of the
    /// stream; it tells how many bytes it is done with, and what it made of them. The stack waits for it, so it should
    /// be quick.
    pub fn read_with<T>(&self, read: impl FnOnce(&[u8]) -> (usize, T)) -> io::Result<T> {
        let mut read = Some(read);
        self.patience.finish(self.socket.call(Direction::Read), |wait| self.socket.poll_read_with(wait, &mut read))
    }

    /// Writes without a copy: the stack keeps the bytes, which several connections may share, until the peer has
    /// acknowledged them. Waits until all of them are taken; what is not taken, after an error for instance, is left.
    pub fn write_bytes(&self, data: &mut Bytes) -> io::Result<()> {
        self.patience.finish(self.socket.call(Direction::Write), |wait| self.socket.poll_write_bytes(wait, data))
    }

    fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        self.patience.finish(self.socket.call(Direction::Read), |wait| self.socket.poll_read(wait, into))
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.patience.finish(self.socket.call(Direction::Write), |wait| self.socket.poll_write(wait, data))
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        let last = Arc::strong_count(&self.socket) == 1;
        if let Some(time) = self.socket.lingers().filter(|time| last && !time.is_zero()) {
            self.wait_for_the_end(time);
        }
    }
}

/// Addresses, settings and figures.
impl Deref for TcpStream {
    type Target = TcpSocket;

    fn deref(&self) -> &TcpSocket {
        &self.socket
    }
}

impl Read for &TcpStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.receive(into)
    }
}

impl Write for &TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.send(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for TcpStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.receive(into)
    }
}

impl Write for TcpStream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.send(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpStream({} <-> {})", self.socket.local(), self.socket.remote())
    }
}

/// Waits for connections.
pub struct TcpListener {
    socket: ListenerSocket,
    patience: Patience,
}

impl TcpListener {
    /// Listens on `local`; port 0 takes a free one, an unspecified address takes all.
    pub fn bind(host: &Host, local: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind_with(host, local, BACKLOG, |_| {})
    }

    /// The same with room for `backlog` connections that nobody has accepted yet, and with settings of its own for
    /// those that it accepts.
    pub fn bind_with(
        host: &Host,
        local: SocketAddr,
        backlog: usize,
        change: impl FnOnce(&mut Config),
    ) -> io::Result<TcpListener> {
        let socket = ListenerSocket::bind(host, local, backlog, change)?;
        Ok(TcpListener { socket, patience: Patience::default() })
    }

    /// The next connection, and who opened it.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let socket = self.patience.finish(self.socket.call(Direction::Read), |wait| self.socket.poll_accept(wait))?;
        let peer = socket.remote();
        Ok((TcpStream::adopt(socket), peer))
    }

    /// Accepts for ever.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.socket.local_addr())
    }

    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.patience.set_nonblocking(nonblocking);
        Ok(())
    }
}

/// The connections of a listener, one after another.
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}
