//! CLOSE and ABORT (RFC 9293 §3.10.4, §3.10.5).

use crate::stack::{Stack, TcpId};
use crate::time::Instant;

impl Stack {
    /// CLOSE of the sending side: FIN after what is buffered. A connection that is still being opened is given up.
    pub fn tcp_shutdown(&mut self, now: Instant, id: TcpId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.shutdown(&mut cx, id);
    }

    /// The application lets go: what was written is still delivered, and the stack finishes by itself. With data
    /// unread the peer is told by a RST (RFC 9293 §3.6.1, SHLD-3). The id is no longer valid.
    pub fn tcp_close(&mut self, now: Instant, id: TcpId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.release(&mut cx, id);
    }

    /// ABORT (RFC 9293 §3.10.5): sends RST. The id is no longer valid.
    pub fn tcp_abort(&mut self, now: Instant, id: TcpId) {
        let (mut cx, layers) = self.enter(now);
        layers.tcp.abort(&mut cx, id);
    }
}
