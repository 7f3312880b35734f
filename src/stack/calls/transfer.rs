//! SEND and RECEIVE (RFC 9293 §3.10.2, §3.10.3).

use crate::event::Context;
use crate::pool::Pool;
use crate::stack::socket::{Shape, is_unfolded};
use crate::stack::{Stack, TcpId};
use crate::tcp::{Connection, ReceiveError, SendError, Writing};
use crate::time::Instant;
use bytes::{Buf, Bytes};

impl Stack {
    /// SEND (RFC 9293 §3.10.2): takes as much as there is room for.
    pub fn tcp_send(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, SendError> {
        self.tcp_send_with(now, id, data, Writing::default())
    }

    /// The same as urgent data (RFC 9293 §3.8.5), which new applications should not use (SHLD-13).
    pub fn tcp_send_urgent(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, SendError> {
        self.tcp_send_with(now, id, data, Writing { urgent: true, ..Writing::default() })
    }

    /// The same, with what the writer says of its data.
    pub fn tcp_send_with(&mut self, now: Instant, id: TcpId, data: &[u8], how: Writing) -> Result<usize, SendError> {
        match self.tcp_write(now, id, |connection, cx| connection.send_with(cx, data, how)) {
            Err(SendError::WouldBlock) => self.open_with_first_write(now, id, data),
            sent => sent,
        }
    }

    /// The same with bytes that are handed over instead of copied: as many from the front as there is room for.
    pub fn tcp_send_bytes(&mut self, now: Instant, id: TcpId, data: &mut Bytes) -> Result<usize, SendError> {
        match self.tcp_write(now, id, |connection, cx| connection.send_bytes(cx, data, Writing::default())) {
            Err(SendError::WouldBlock) => {
                let taken = self.open_with_first_write(now, id, data)?;
                data.advance(taken);
                Ok(taken)
            }
            sent => sent,
        }
    }

    /// A write that would block may be the one for which an opening waits.
    fn open_with_first_write(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, SendError> {
        let (mut cx, layers) = self.enter(now);
        let deferred = matches!(&layers.tcp.view(id).shape, Shape::Opening(opening) if opening.is_deferred());
        if !deferred || data.is_empty() {
            return Err(SendError::WouldBlock);
        }
        Ok(layers.tcp.open_with_first_write(&mut cx, id, data))
    }

    fn tcp_write(
        &mut self,
        now: Instant,
        id: TcpId,
        write: impl FnOnce(&mut Connection, &mut Context<'_>) -> Result<usize, SendError>,
    ) -> Result<usize, SendError> {
        let (mut cx, layers) = self.enter(now);
        let memory = layers.tcp.memory();
        let sent = match &mut layers.tcp.socket(id).shape {
            Shape::Connection(connection) => {
                connection.set_memory(memory, cx.pool);
                write(connection, &mut cx)
            }
            Shape::Opening(opening) => match opening.early_mut() {
                Some(early) => {
                    early.set_memory(memory, cx.pool);
                    write(early, &mut cx)
                }
                None => Err(SendError::WouldBlock),
            },
            Shape::Resting(_) => is_unfolded(),
            Shape::Failed { reason, .. } => Err(SendError::Closed(*reason)),
        };
        layers.tcp.touch(id);
        sent
    }

    /// RECEIVE (RFC 9293 §3.10.3): 0 bytes mean that the peer has finished.
    pub fn tcp_receive(&mut self, id: TcpId, into: &mut [u8]) -> Result<usize, ReceiveError> {
        // Who asks again and again need not wake what rests.
        if let Shape::Resting(resting) = &self.layers.tcp.view(id).shape {
            return resting.receive();
        }
        self.tcp_read(id, |connection, pool| connection.receive(into, pool))
    }

    /// The same without a copy: `read` is shown what can be read, as far as it lies in one piece, or nothing when the
    /// peer has finished; it tells how many bytes are done with.
    pub fn tcp_receive_with<T>(
        &mut self,
        id: TcpId,
        read: impl FnOnce(&[u8]) -> (usize, T),
    ) -> Result<T, ReceiveError> {
        if let Shape::Resting(resting) = &self.layers.tcp.view(id).shape {
            return resting.receive().map(|_| read(&[]).1);
        }
        self.tcp_read(id, |connection, pool| connection.receive_with(pool, read))
    }

    fn tcp_read<T>(
        &mut self,
        id: TcpId,
        read: impl FnOnce(&mut Connection, &mut Pool) -> Result<T, ReceiveError>,
    ) -> Result<T, ReceiveError> {
        let received = match &mut self.layers.tcp.socket(id).shape {
            Shape::Connection(connection) => read(connection, &mut self.pool),
            Shape::Opening(opening) => match opening.early_mut() {
                Some(early) => read(early, &mut self.pool),
                None => Err(ReceiveError::WouldBlock),
            },
            Shape::Resting(_) => is_unfolded(),
            Shape::Failed { reason, .. } => Err(ReceiveError::Closed(*reason)),
        };
        if received.is_ok() {
            self.layers.tcp.touch(id);
        }
        received
    }

    /// The same without taking the bytes out.
    pub fn tcp_peek(&self, id: TcpId, into: &mut [u8]) -> Result<usize, ReceiveError> {
        let socket = self.layers.tcp.view(id);
        match &socket.shape {
            Shape::Connection(connection) => connection.peek(into),
            Shape::Resting(resting) => resting.receive(),
            Shape::Opening(opening) => opening.early().map_or(Err(ReceiveError::WouldBlock), |early| early.peek(into)),
            Shape::Failed { reason, .. } => Err(ReceiveError::Closed(*reason)),
        }
    }
}
