//! The sending half: SND.UNA, SND.NXT, the peer's window, and what is waiting.

use super::send_buffer::SendBuffer;

/// The send sequence space (RFC 9293 §3.3.1, figure 3), as positions.
#[derive(Debug)]
pub struct Sender {
    pub buffer: SendBuffer,
    pub una: u64,
    pub nxt: u64,
    /// SND.WND in bytes, with the positions of the segment that last set it (SND.WL1 and SND.WL2).
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
    /// The end of the last segment that was smaller than a full one, for Nagle's rule.
    pub small: u64,
    /// The peer's MSS, and what the path carries after headers, without options.
    pub peer_mss: usize,
    pub path_mss: usize,
}

impl Sender {
    /// `nxt` is the position after our SYN.
    pub fn new(nxt: u64, scale: u8, peer_mss: usize, path_mss: usize) -> Sender {
        Sender {
            buffer: SendBuffer::new(nxt),
            una: nxt,
            nxt,
            wnd: 0,
            wl1: 0,
            wl2: 0,
            max_wnd: 0,
            scale,
            fin: None,
            urgent: None,
            small: nxt,
            peer_mss,
            path_mss,
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

    /// The usable window: negative, here zero, when the peer has shrunk it (RFC 9293 §3.8.6, MUST-34).
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
