//! A connection, as its application holds it.

use super::Call;
use crate::event::{CloseReason, TcpState};
use crate::runtime::error::{Kind, closed};
use crate::runtime::host::Host;
use crate::runtime::waiters::{Direction, Wait};
use crate::stack::{SocketId, Stack, TcpId};
use crate::tcp::{Config, ReceiveError, SendError, Status};
use bytes::Bytes;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;

/// A connection, shared by the handles to it; the last one to go lets the stack close the connection.
///
/// Both [blocking](crate::runtime::blocking::TcpStream) and [asynchronous](crate::runtime::asynchronous::TcpStream)
/// streams are such handles: what does not wait is here.
pub struct TcpSocket {
    host: Host,
    id: TcpId,
    /// `shutdown(Read)`: what has arrived may still be read, then the stream ends.
    read_shut: AtomicBool,
    /// `take_error` reports the end of a connection once.
    pub(super) error_taken: AtomicBool,
    /// `SO_LINGER`, in milliseconds; see `options`.
    pub(super) linger: AtomicU32,
}

impl TcpSocket {
    /// Takes over a connection that the stack has just opened or accepted.
    pub(in crate::runtime) fn adopt(host: &Host, id: TcpId) -> TcpSocket {
        let (read_shut, error_taken) = (AtomicBool::new(false), AtomicBool::new(false));
        let linger = AtomicU32::new(super::options::OFF);
        TcpSocket { host: host.clone(), id, read_shut, error_taken, linger }
    }

    /// Begins to open a connection; [`poll_established`](TcpSocket::poll_established) waits for it.
    pub(in crate::runtime) fn connect(
        host: &Host,
        remote: SocketAddr,
        local: Option<SocketAddr>,
    ) -> io::Result<TcpSocket> {
        TcpSocket::connect_with(host, remote, local, |_| {})
    }

    /// The same; `change` may adjust what the connection starts with, from the stack's own settings.
    pub(in crate::runtime) fn connect_with(
        host: &Host,
        remote: SocketAddr,
        local: Option<SocketAddr>,
        change: impl FnOnce(&mut Config),
    ) -> io::Result<TcpSocket> {
        if let Some(ended) = host.ended() {
            return Err(ended);
        }
        let opened = host.with(|stack, now| {
            let mut config = stack.config().tcp.clone();
            change(&mut config);
            stack.tcp_connect(now, remote, local, config)
        });
        Ok(TcpSocket::adopt(host, opened.map_err(Kind::into_io)?))
    }

    /// The same with data for the SYN (RFC 7413), and how much of it was taken.
    pub(in crate::runtime) fn connect_with_data(
        host: &Host,
        remote: SocketAddr,
        data: &[u8],
        change: impl FnOnce(&mut Config),
    ) -> io::Result<(TcpSocket, usize)> {
        if let Some(ended) = host.ended() {
            return Err(ended);
        }
        let opened = host.with(|stack, now| {
            let mut config = stack.config().tcp.clone();
            change(&mut config);
            stack.tcp_connect_with_data(now, remote, None, config, data)
        });
        let (id, taken) = opened.map_err(Kind::into_io)?;
        Ok((TcpSocket::adopt(host, id), taken))
    }

    pub(in crate::runtime) fn host(&self) -> &Host {
        &self.host
    }

    pub(in crate::runtime) fn call(&self, direction: Direction) -> Call<'_> {
        Call::new(&self.host, self.socket_id(), direction)
    }

    pub(in crate::runtime) fn socket_id(&self) -> SocketId {
        SocketId::Tcp(self.id)
    }

    pub(super) fn tcp_id(&self) -> TcpId {
        self.id
    }

    pub(in crate::runtime) fn local(&self) -> SocketAddr {
        self.host.inspect(|stack| stack.tcp_local_addr(self.id))
    }

    pub(in crate::runtime) fn remote(&self) -> SocketAddr {
        self.host.inspect(|stack| stack.tcp_remote_addr(self.id))
    }

    pub(in crate::runtime) fn poll_established(&self, wait: Wait<'_>) -> Poll<io::Result<()>> {
        self.host.poll(self.socket_id(), wait, |stack, _| {
            let status = stack.tcp_status(self.id);
            match status.closed {
                Some(reason) if !status.established => {
                    Poll::Ready(Err(closed(reason, format_args!("connecting to {}", stack.tcp_remote_addr(self.id)))))
                }
                // One that its first write will open is ready for that.
                _ if status.established || status.writable => Poll::Ready(Ok(())),
                _ => Poll::Pending,
            }
        })
    }

    pub(in crate::runtime) fn poll_read(&self, wait: Wait<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        if into.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.host.poll(self.socket_id(), wait, |stack, _| match stack.tcp_receive(self.id, into) {
            Ok(len) => Poll::Ready(Ok(len)),
            Err(ReceiveError::WouldBlock) if self.read_shut.load(Ordering::Acquire) => Poll::Ready(Ok(0)),
            Err(ReceiveError::WouldBlock) => Poll::Pending,
            Err(ReceiveError::Closed(reason)) => Poll::Ready(Err(self.ended(stack, reason, "reading"))),
        })
    }

    /// The same without a copy; `read` is taken once it has been called, with nothing at the end of the stream. It runs
    /// under the host's lock.
    pub(in crate::runtime) fn poll_read_with<T, F>(&self, wait: Wait<'_>, read: &mut Option<F>) -> Poll<io::Result<T>>
    where
        F: FnOnce(&[u8]) -> (usize, T),
    {
        let mut call = |bytes: &[u8]| (read.take().expect("not polled after it was ready"))(bytes);
        self.host.poll(self.socket_id(), wait, |stack, _| match stack.tcp_receive_with(self.id, &mut call) {
            Ok(result) => Poll::Ready(Ok(result)),
            Err(ReceiveError::WouldBlock) if self.read_shut.load(Ordering::Acquire) => Poll::Ready(Ok(call(&[]).1)),
            Err(ReceiveError::WouldBlock) => Poll::Pending,
            Err(ReceiveError::Closed(reason)) => Poll::Ready(Err(self.ended(stack, reason, "reading"))),
        })
    }

    /// Bytes that are handed over instead of copied: ready once all of them are taken.
    pub(in crate::runtime) fn poll_write_bytes(&self, wait: Wait<'_>, data: &mut Bytes) -> Poll<io::Result<()>> {
        self.host.poll(self.socket_id(), wait, |stack, moment| {
            while !data.is_empty() {
                match stack.tcp_send_bytes(moment.now(), self.id, data) {
                    Ok(_) => {}
                    Err(SendError::WouldBlock) => return Poll::Pending,
                    Err(error @ SendError::Shutdown) => return Poll::Ready(Err(error.into_io())),
                    Err(SendError::Closed(reason)) => return Poll::Ready(Err(self.ended(stack, reason, "writing"))),
                }
            }
            Poll::Ready(Ok(()))
        })
    }

    pub(in crate::runtime) fn poll_write(&self, wait: Wait<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.host.poll(self.socket_id(), wait, |stack, moment| match stack.tcp_send(moment.now(), self.id, data) {
            Ok(len) => Poll::Ready(Ok(len)),
            Err(SendError::WouldBlock) => Poll::Pending,
            Err(error @ SendError::Shutdown) => Poll::Ready(Err(error.into_io())),
            Err(SendError::Closed(reason)) => Poll::Ready(Err(self.ended(stack, reason, "writing"))),
        })
    }

    /// As `shutdown(2)` has it: writing ends with a FIN after what is buffered, reading ends after what has arrived.
    pub(in crate::runtime) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if self.status().closed.is_some() {
            return Err(io::Error::new(ErrorKind::NotConnected, "the connection is over already"));
        }
        if matches!(how, Shutdown::Read | Shutdown::Both) {
            self.read_shut.store(true, Ordering::Release);
        }
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            self.host.with(|stack, now| stack.tcp_shutdown(now, self.id));
        }
        self.host.wake(self.socket_id());
        Ok(())
    }

    /// Sends FIN after what is buffered; once more, or after the end, does nothing.
    pub(in crate::runtime) fn finish_writing(&self) {
        self.host.with(|stack, now| {
            if stack.tcp_status(self.id).closed.is_none() {
                stack.tcp_shutdown(now, self.id);
            }
        });
    }

    pub(in crate::runtime) fn status(&self) -> Status {
        self.host.inspect(|stack| stack.tcp_status(self.id))
    }

    /// The peer has acknowledged everything, our FIN included, or never will.
    pub(in crate::runtime) fn poll_finished(&self, wait: Wait<'_>) -> Poll<io::Result<()>> {
        self.host.poll(self.socket_id(), wait, |stack, _| {
            let state = stack.tcp_status(self.id).state;
            let finished = matches!(state, TcpState::FinWait2 | TcpState::TimeWait | TcpState::Closed);
            if finished { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
    }

    fn ended(&self, stack: &Stack, reason: CloseReason, doing: &str) -> io::Error {
        let (local, remote) = (stack.tcp_local_addr(self.id), stack.tcp_remote_addr(self.id));
        closed(reason, format_args!("{doing} ({local} <-> {remote})"))
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        let aborts = self.lingers().is_some_and(|time| time.is_zero());
        self.host.release(self.socket_id(), |stack, now| {
            if aborts { stack.tcp_abort(now, self.id) } else { stack.tcp_close(now, self.id) }
        });
    }
}
