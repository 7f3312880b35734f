//! `TcpListener` and `TcpStream`.

use crate::runtime::host::Host;
use crate::runtime::socket::{BACKLOG, ListenerSocket, TcpSocket};
use crate::runtime::waiters::{Direction, Seat};
use crate::tcp::{Config, Info};
use bytes::Bytes;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection. Shutting down the writer sends FIN after what is buffered.
pub struct TcpStream {
    socket: Arc<TcpSocket>,
    seat: Seat,
}

impl TcpStream {
    /// Opens a connection from `host` to `remote`.
    pub async fn connect(host: &Host, remote: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect_from(host, None, remote).await
    }

    /// The same from a chosen address and port of ours.
    pub async fn connect_from(host: &Host, local: Option<SocketAddr>, remote: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect_with(host, local, remote, |_| {}).await
    }

    /// The same with settings of its own, which begin as the stack's. With
    /// [`fast_open_connect`](Config::fast_open_connect) it may be there at once, to be opened by its first write.
    pub async fn connect_with(
        host: &Host,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        change: impl FnOnce(&mut Config),
    ) -> io::Result<TcpStream> {
        let stream = TcpStream::adopt(Arc::new(TcpSocket::connect_with(host, remote, local, change)?));
        poll_fn(|cx| stream.socket.poll_established(stream.seat.wait(Direction::Write, cx.waker()))).await?;
        Ok(stream)
    }

    /// The same with data for the SYN, and how much of it was taken: TCP Fast Open (RFC 7413), `MSG_FASTOPEN`. It reaches a
    /// server that has given us a cookie before a round trip earlier; any other gets it after the handshake. It may come
    /// twice, so it should be a request that can stand that.
    pub async fn connect_with_data(host: &Host, remote: SocketAddr, data: &[u8]) -> io::Result<(TcpStream, usize)> {
        let (socket, taken) = TcpSocket::connect_with_data(host, remote, data, |_| {})?;
        let stream = TcpStream::adopt(Arc::new(socket));
        poll_fn(|cx| stream.socket.poll_established(stream.seat.wait(Direction::Write, cx.waker()))).await?;
        Ok((stream, taken))
    }

    fn adopt(socket: Arc<TcpSocket>) -> TcpStream {
        TcpStream { socket, seat: Seat::default() }
    }

    /// Another handle to the same connection, which ends when the last of them is dropped.
    pub fn handle(&self) -> TcpStream {
        TcpStream::adopt(self.socket.clone())
    }

    /// A look at the connection that does not keep it open.
    pub fn watch(&self) -> Watch {
        let (local, peer) = (self.socket.local(), self.socket.remote());
        Watch { socket: Arc::downgrade(&self.socket), local, peer }
    }

    /// Reads without a copy: `read` is shown what has come, as far as it lies in one piece, and nothing at the end of the
    /// stream; it tells how many bytes it is done with, and what it made of them. The stack waits for it, so it should
    /// be quick.
    ///
    /// ```no_run
    /// # async fn example(stream: strata::runtime::asynchronous::TcpStream) -> std::io::Result<()> {
    /// let mut sum = 0u64;
    /// while stream
    ///     .read_with(|bytes| {
    ///         sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    ///         (bytes.len(), !bytes.is_empty())
    ///     })
    ///     .await?
    /// {}
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_with<T>(&self, read: impl FnOnce(&[u8]) -> (usize, T)) -> io::Result<T> {
        let mut read = Some(read);
        poll_fn(|cx| self.socket.poll_read_with(self.seat.wait(Direction::Read, cx.waker()), &mut read)).await
    }

    /// Writes without a copy: the stack keeps the bytes, which several connections may share, until the peer has
    /// acknowledged them. Waits until all of them are taken; what is not taken, after an error for instance, is left.
    pub async fn write_bytes(&self, data: &mut Bytes) -> io::Result<()> {
        poll_fn(|cx| self.socket.poll_write_bytes(self.seat.wait(Direction::Write, cx.waker()), data)).await
    }
}

/// Addresses, settings and figures.
impl Deref for TcpStream {
    type Target = TcpSocket;

    fn deref(&self) -> &TcpSocket {
        &self.socket
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wait = self.seat.wait(Direction::Read, cx.waker());
        if into.initialized().len() == into.capacity() {
            let len = ready!(self.socket.poll_read(wait, into.initialize_unfilled()))?;
            into.advance(len);
            return Poll::Ready(Ok(()));
        }
        // What nobody has written to yet is written to once: zeroing it first costs more than a short request.
        let mut read = Some(|bytes: &[u8]| {
            let len = bytes.len().min(into.remaining());
            into.put_slice(&bytes[..len]);
            (len, ())
        });
        self.socket.poll_read_with(wait, &mut read)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.socket.poll_write(self.seat.wait(Direction::Write, cx.waker()), data)
    }

    /// Nothing waits in this handle; what the connection has buffered goes out by itself.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.finish_writing();
        Poll::Ready(Ok(()))
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.socket.host().leave(self.socket.socket_id(), &self.seat);
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpStream({} <-> {})", self.socket.local(), self.socket.remote())
    }
}

/// Looks at a connection from aside, for instance from the handler of a request that came over it.
#[derive(Clone)]
pub struct Watch {
    socket: Weak<TcpSocket>,
    pub local: SocketAddr,
    pub peer: SocketAddr,
}

impl Watch {
    /// The figures of the connection; none once its application has let it go.
    pub fn info(&self) -> Option<Info> {
        self.socket.upgrade().map(|socket| socket.info())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({} <-> {})", self.local, self.peer)
    }
}

/// Waits for connections.
pub struct TcpListener {
    socket: ListenerSocket,
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
        Ok(TcpListener { socket: ListenerSocket::bind(host, local, backlog, change)? })
    }

    /// The next connection, and who opened it.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let socket = self.socket.call(Direction::Read).finish(|wait| self.socket.poll_accept(wait)).await?;
        let peer = socket.remote();
        Ok((TcpStream::adopt(Arc::new(socket)), peer))
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.socket.local_addr())
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpListener({})", self.socket.local_addr())
    }
}
