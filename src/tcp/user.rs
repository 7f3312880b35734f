//! What an application may do with its connection: the calls of RFC 9293 §3.10 that give and take data.

use super::config::Config;
use super::connection::Connection;
use super::info::{ReceiveError, SendError};
use super::send::Writing;
use super::state;
use crate::event::{CloseReason, Context, SendReason, TimerKind};
use crate::pool::Pool;
use bytes::Bytes;
use std::sync::Arc;

impl Connection {
    /// Changes settings in mid-connection; what depends on them follows.
    pub fn configure(&mut self, cx: &mut Context<'_>, change: impl FnOnce(&mut Config)) {
        let (before, congestion, nagle) = (self.config.keepalive, self.config.congestion, self.config.nagle);
        change(Arc::make_mut(&mut self.config));
        if self.config.congestion != congestion {
            self.replace_congestion(cx.now);
        }
        // A larger send buffer has room for a writer that waits.
        self.wake = true;
        self.rcv.widen(self.config.first_receive_buffer());
        if !self.config.nagle && self.snd.has_unsent() && (nagle || !self.config.cork) {
            // Who sets `nodelay` wants what waits to go now, even from behind a cork.
            (self.snd.more, self.pending.small_segment) = (false, true);
        }
        if self.config.keepalive != before {
            self.timers.stop(TimerKind::Keepalive);
            self.keepalive_probes = 0;
            self.arm_keepalive(cx);
        }
    }

    /// SEND (RFC 9293 §3.10.2): takes as many bytes as there is room for.
    pub fn send(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Result<usize, SendError> {
        self.send_with(cx, data, Writing::default())
    }

    /// The same, with what the writer says of it. What is said of the end holds for the part that was taken.
    pub fn send_with(&mut self, cx: &mut Context<'_>, data: &[u8], how: Writing) -> Result<usize, SendError> {
        let len = self.admit(cx, data.len())?;
        self.snd.write(&data[..len], how, cx.pool);
        self.note_written(cx);
        Ok(len)
    }

    /// The same with bytes that are handed over: as many from the front as there is room for.
    pub fn send_bytes(&mut self, cx: &mut Context<'_>, data: &mut Bytes, how: Writing) -> Result<usize, SendError> {
        let len = self.admit(cx, data.len())?;
        self.snd.write_bytes(data.split_to(len), how, cx.pool);
        self.note_written(cx);
        Ok(len)
    }

    /// How many of `len` bytes a writer may write now.
    fn admit(&mut self, cx: &Context<'_>, len: usize) -> Result<usize, SendError> {
        if let Some(reason) = self.closed {
            return Err(SendError::Closed(reason));
        }
        if !state::sends(self.state) {
            return Err(SendError::Shutdown);
        }
        let (wanted, len) = (len, len.min(self.room()));
        self.writer_waits = len < wanted;
        if len == 0 {
            return Err(SendError::WouldBlock);
        }
        if self.snd.buffer.len() == 0 {
            self.progress_at = cx.now;
        }
        self.note_application_limit(self.effective_mss() as u64);
        Ok(len)
    }

    fn note_written(&mut self, cx: &mut Context<'_>) {
        self.note_phase(cx.now, false);
        self.arm_user_timeout(cx);
    }

    /// How much a writer may write now.
    pub(super) fn room(&self) -> usize {
        let unsent = self.config.unsent_limit.unwrap_or(usize::MAX).saturating_sub(self.snd.unsent() as usize);
        self.send_capacity().saturating_sub(self.snd.buffer.len()).min(unsent)
    }

    /// How many bytes may wait for acknowledgement: what is in flight now, and as much again, so that the next window is
    /// there when the acknowledgements come. A window that the path does not fill needs no more: what is written too
    /// early has left the processor's cache by the time it is sent.
    pub(super) fn send_capacity(&self) -> usize {
        let flight = usize::try_from(2 * self.recovery.outstanding()).unwrap_or(usize::MAX);
        self.memory.bound(self.config.initial_send_buffer.max(flight).min(self.config.send_buffer))
    }

    /// RECEIVE (RFC 9293 §3.10.3): 0 bytes mean that the peer has finished.
    pub fn receive(&mut self, into: &mut [u8], pool: &mut Pool) -> Result<usize, ReceiveError> {
        let len = self.rcv.buffer.read(into, pool);
        if len > 0 {
            self.after_read();
        }
        self.received(len)
    }

    /// The same without a copy: `read` is shown what can be read, as far as it lies in one piece, or nothing when the
    /// peer has finished; it tells how much of it is done with.
    pub fn receive_with<T>(
        &mut self,
        pool: &mut Pool,
        read: impl FnOnce(&[u8]) -> (usize, T),
    ) -> Result<T, ReceiveError> {
        let bytes = self.rcv.buffer.front();
        self.received(bytes.len())?;
        let (done, result) = read(bytes);
        let done = done.min(bytes.len());
        if done > 0 {
            self.rcv.buffer.consume(done, pool);
            self.after_read();
        }
        Ok(result)
    }

    /// The same without taking the bytes out.
    pub fn peek(&self, into: &mut [u8]) -> Result<usize, ReceiveError> {
        self.received(self.rcv.buffer.peek(into))
    }

    fn received(&self, len: usize) -> Result<usize, ReceiveError> {
        match self.closed {
            _ if len > 0 => Ok(len),
            Some(CloseReason::Finished) => Ok(0),
            _ if self.peer_finished() => Ok(0),
            Some(reason) => Err(ReceiveError::Closed(reason)),
            None => Err(ReceiveError::WouldBlock),
        }
    }

    fn after_read(&mut self) {
        if self.rcv.urgent.is_some_and(|urgent| urgent <= self.rcv.buffer.read_position()) {
            self.rcv.urgent = None;
        }
        if state::receives(self.state) && self.rcv.ack_due.is_none() && self.rcv.update_is_worthwhile() {
            self.rcv.ack_due = Some(SendReason::WindowUpdate);
        }
    }
}
