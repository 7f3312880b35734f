//! The sending half: SND.UNA, SND.NXT, the peer's window, and what is waiting.

use super::fold::folded;
use super::send_buffer::SendBuffer;
use crate::pool::Pool;
use bytes::Bytes;
use std::collections::VecDeque;

/// What a writer says of what it writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Writing {
    /// RFC 9293 §3.8.5; new applications should not (SHLD-13).
    pub urgent: bool,
    /// More comes soon: what does not fill a segment waits for it, as under `MSG_MORE`.
    pub more: bool,
    /// A record ends here, as under `MSG_EOR`: what is written later begins a segment of its own.
    pub end_of_record: bool,
}

/// The send sequence space (RFC 9293 §3.3.1, figure 3), as positions.
#[derive(Debug)]
pub struct Sender {
    pub buffer: SendBuffer,
    /// The first byte of the stream.
    pub first: u64,
    pub una: u64,
    pub nxt: u64,
    /// SND.WND in bytes, never in 16 bits (RFC 9293 §3.1, MUST-1, REC-1), with the positions of the segment that last
    /// set it (SND.WL1 and SND.WL2).
    pub wnd: u64,
    pub wl1: u64,
    pub wl2: u64,
    /// The largest window that the peer has offered (RFC 9293 §3.8.6.2.1).
    pub max_wnd: u64,
    /// Shift of the windows that the peer advertises (RFC 7323 §2).
    pub scale: u8,
    /// Where our FIN lies, once the application has closed: right after the data.
    pub fin: Option<u64>,
    /// Where our urgent data ends.
    pub urgent: Option<u64>,
    /// Where segments with PSH ended, as far as they are not acknowledged: sent again they have it again.
    pushed: VecDeque<u64>,
    /// Where records end that no segment has reached yet: nothing that was written later shares a segment with them.
    records: VecDeque<u64>,
    /// The writer has said that more comes, and nothing has happened since: a small segment waits for it.
    pub more: bool,
    /// The end of what was written so: it was not pushed.
    unpushed: Option<u64>,
    /// The end of the last segment that was smaller than a full one, for Nagle's rule.
    pub small: u64,
    /// The peer's MSS, and what the path carries after headers, without options.
    pub peer_mss: usize,
    pub path_mss: usize,
}

folded!(Sender {
    first, buffer, una, nxt, wnd, wl1, wl2, max_wnd, scale, fin, urgent, more, unpushed, small, peer_mss, path_mss;
    pushed, records
});

impl Sender {
    /// `nxt` is the position after our SYN.
    pub fn new(nxt: u64, scale: u8, peer_mss: usize, path_mss: usize) -> Sender {
        Sender {
            buffer: SendBuffer::new(nxt),
            first: nxt,
            una: nxt,
            nxt,
            wnd: 0,
            wl1: 0,
            wl2: 0,
            max_wnd: 0,
            scale,
            fin: None,
            urgent: None,
            pushed: VecDeque::new(),
            records: VecDeque::new(),
            more: false,
            unpushed: None,
            small: nxt,
            peer_mss,
            path_mss,
        }
    }

    /// Everything that was written is acknowledged.
    pub fn is_at_rest(&self) -> bool {
        self.buffer.len() == 0 && self.pushed.is_empty() && self.records.is_empty()
    }

    /// Takes in what was written, and what was said with it.
    pub fn write(&mut self, data: &[u8], how: Writing, pool: &mut Pool) {
        self.buffer.write(data, pool);
        self.written(how);
    }

    /// The same with bytes that are handed over.
    pub fn write_bytes(&mut self, data: Bytes, how: Writing, pool: &mut Pool) {
        self.buffer.write_bytes(data, pool);
        self.written(how);
    }

    fn written(&mut self, how: Writing) {
        let end = self.buffer.end();
        self.more = how.more;
        self.unpushed = how.more.then_some(end);
        if how.urgent {
            self.urgent = Some(end);
        }
        if how.end_of_record {
            self.records.push_back(end);
            if !how.more {
                // Nothing that comes later shares a segment with it: it is pushed whatever is buffered by then.
                self.pushed.push_back(end);
            }
        }
    }

    /// How much may share a segment with the byte at SND.NXT.
    pub fn record(&self) -> u64 {
        self.records.front().map_or(u64::MAX, |end| end.saturating_sub(self.nxt))
    }

    /// RFC 9293 §3.9.1.2 (MUST-61): on the last of what is buffered, unless its writer has said that more comes; and
    /// again where it was the last when it was first sent.
    pub fn pushes(&mut self, start: u64, end: u64) -> bool {
        if end == self.buffer.end() && self.unpushed != Some(end) {
            if self.pushed.back().is_none_or(|last| *last < end) {
                self.pushed.push_back(end);
            }
            return true;
        }
        let first = self.pushed.partition_point(|pushed| *pushed <= start);
        self.pushed.get(first).is_some_and(|pushed| *pushed <= end)
    }

    /// Whoever said that more comes has had time enough: what is buffered is all for now.
    pub fn give_up_on_more(&mut self) {
        self.unpushed = None;
    }

    /// SND.UNA moves.
    pub fn acknowledge(&mut self, una: u64, pool: &mut Pool) {
        self.una = una;
        self.buffer.acknowledge(una, pool);
        self.urgent.take_if(|urgent| *urgent <= una);
        self.more = false;
        while self.pushed.front().is_some_and(|pushed| *pushed <= una) {
            self.pushed.pop_front();
        }
    }

    /// SND.NXT moves.
    pub fn advance(&mut self, nxt: u64) {
        self.nxt = nxt;
        while self.records.front().is_some_and(|end| *end <= nxt) {
            self.records.pop_front();
        }
    }

    /// Data that was written and never sent, in bytes.
    pub fn unsent(&self) -> u64 {
        self.buffer.end().saturating_sub(self.nxt)
    }

    /// Our FIN has been asked for and not been sent.
    pub fn fin_unsent(&self) -> bool {
        self.fin.is_some_and(|fin| self.nxt <= fin)
    }

    pub fn fin_acknowledged(&self) -> bool {
        self.fin.is_some_and(|fin| self.una > fin)
    }

    /// Something waits to be sent for the first time.
    pub fn has_unsent(&self) -> bool {
        self.unsent() > 0 || self.fin_unsent()
    }

    /// The usable window: negative, here zero, when the peer has shrunk it (RFC 9293 §3.8.6, MUST-34, SHLD-15).
    pub fn usable(&self) -> u64 {
        (self.una + self.wnd).saturating_sub(self.nxt)
    }

    /// Where a segment without data lies: at SND.NXT, unless what was sent oversteps the peer's window, as a probe of a
    /// closed one does. Out there the peer would not hear it (RFC 9293 §3.10.7.4), nor learn of our own window.
    pub fn acceptable(&self) -> u64 {
        self.nxt.min(self.una + self.wnd)
    }

    /// The largest segment without options, in bytes of data.
    pub fn mss(&self) -> usize {
        self.peer_mss.min(self.path_mss)
    }
}
