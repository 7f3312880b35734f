//! What the program on top of the stack must have done, deduced from the segments.

use super::capture::Seen;
use super::intervals::Intervals;
use super::offer::Offered;
use std::net::SocketAddr;

const FIN: u16 = 0x001;
const SYN: u16 = 0x002;
const RST: u16 = 0x004;
const PSH: u16 = 0x008;
const ACK: u16 = 0x010;
const URG: u16 = 0x020;

/// A write is not believed to be longer.
const LONGEST_WRITE: u32 = 16 << 20;

/// More data than this needs a send buffer that is larger than usual.
const USUAL_BUFFER: u64 = 256 << 10;
const LARGEST_BUFFER: u64 = 64 << 20;

/// How far the program has come.
pub(super) struct Program<'c> {
    pub(super) segments: &'c [Seen],
    pub(super) local: SocketAddr,
    pub(super) passive: bool,
    /// The descriptor of the connection.
    descriptor: u8,
    established: bool,
    /// The program has closed or reset.
    closed: bool,
    cork: bool,
    /// Up to where data was sent, and written.
    sent: u32,
    written: u32,
    received: Intervals,
    /// What came in order and was not read.
    unread: u32,
    peer_fin: Option<u32>,
    end_was_read: bool,
}

/// Is `a` behind `b` in the sequence space?
fn after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) as i32 > 0
}

impl<'c> Program<'c> {
    pub fn new(segments: &'c [Seen], local: SocketAddr, passive: bool) -> Program<'c> {
        let first = |ours: bool| {
            let syn = segments.iter().find(|seen| (seen.from == local) == ours && seen.has(SYN));
            syn.map_or(0, |seen| seen.tcp.seq).wrapping_add(1)
        };
        Program {
            segments,
            local,
            passive,
            descriptor: if passive { 4 } else { 3 },
            established: false,
            closed: false,
            cork: false,
            sent: first(true),
            written: first(true),
            received: Intervals::new(first(false)),
            unread: 0,
            peer_fin: None,
            end_was_read: false,
        }
    }

    fn ours(&self) -> impl Iterator<Item = &'c Seen> {
        let local = self.local;
        self.segments.iter().filter(move |seen| seen.from == local)
    }

    pub(super) fn our_syn(&self) -> Option<&'c Seen> {
        self.ours().find(|seen| seen.has(SYN))
    }

    pub(super) fn their_syn(&self) -> Option<&'c Seen> {
        self.segments.iter().find(|seen| seen.from != self.local && seen.has(SYN))
    }

    pub fn has_unknown_options(&self) -> bool {
        self.segments.iter().any(|seen| seen.unknown_options)
    }

    /// What makes the socket. A port that only answers with RST has none.
    pub fn setup(&self) -> Vec<String> {
        if self.our_syn().is_none() {
            return Vec::new();
        }
        let mut calls = vec!["socket(..., SOCK_STREAM, IPPROTO_TCP) = 3".to_owned()];
        let bytes: u64 = self.ours().map(|seen| u64::from(seen.tcp.len)).sum();
        if bytes > USUAL_BUFFER {
            let buffer = bytes.min(LARGEST_BUFFER);
            calls.push(format!("setsockopt(3, SOL_SOCKET, SO_SNDBUF, [{buffer}], 4) = 0"));
        }
        if self.sends_small_ones_at_once() {
            calls.push("setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0".into());
        }
        if self.passive {
            calls.push("bind(3, ..., ...) = 0".into());
            calls.push("listen(3, 1) = 0".into());
        } else {
            calls.push("fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0".into());
            calls.push("connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)".into());
        }
        calls
    }

    /// The most data that a segment of ours has.
    fn full_segment(&self) -> u16 {
        let [ours, theirs] = [self.our_syn(), self.their_syn()].map(|syn| syn.map(Offered::of).unwrap_or_default());
        let options = if ours.timestamps && theirs.timestamps { 12 } else { 0 };
        let mss = theirs.mss.unwrap_or(536).min(ours.mss.unwrap_or(u16::MAX));
        mss.saturating_sub(options).max(1)
    }

    /// Nagle's rule would have kept a small segment back while another was under way.
    fn sends_small_ones_at_once(&self) -> bool {
        let full = self.full_segment();
        let (mut sent, mut small, mut acknowledged) = (self.sent, None, self.sent);
        for seen in self.segments {
            if seen.from != self.local {
                acknowledged = seen.tcp.ack.filter(|ack| after(*ack, acknowledged)).unwrap_or(acknowledged);
                continue;
            }
            let end = seen.tcp.seq.wrapping_add(seen.tcp.len.into());
            if seen.tcp.len == 0 || !after(end, sent) || seen.has(SYN) {
                continue;
            }
            sent = end;
            // Super-frames of an offload are as many full segments.
            if seen.tcp.len % full != 0 && !seen.has(FIN) {
                if small.is_some_and(|small| after(small, acknowledged)) {
                    return true;
                }
                small = Some(end);
            }
        }
        false
    }

    /// The calls that a segment of ours comes of.
    pub fn before_ours(&mut self, place: usize) -> Vec<String> {
        let (seen, mut calls) = (&self.segments[place], Vec::new());
        if seen.has(SYN) {
            return calls;
        }
        if seen.has(RST) {
            // A reset that answers nothing.
            let alone = place > 0 && self.segments[place - 1].from == self.local;
            if self.passive && !self.established && !self.closed && alone {
                self.closed = true;
                calls.push("close(3) = 0".into());
            } else if self.established && !self.closed {
                self.closed = true;
                calls.push(self.call("setsockopt", "SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8", "0"));
                calls.push(self.call("close", "", "0"));
            }
            return calls;
        }
        if seen.tcp.window != Some(0) {
            calls.extend(self.read());
        }
        let end = seen.tcp.seq.wrapping_add(seen.tcp.len.into());
        if seen.tcp.len > 0 && after(end, self.written) && !self.closed {
            self.write(place, &mut calls);
        }
        if seen.has(FIN) && !self.closed && after(end.wrapping_add(1), self.sent) {
            calls.extend(self.read());
            self.closed = true;
            calls.push(match self.hears_more(place) {
                true => self.call("shutdown", "SHUT_WR", "0"),
                false => self.call("close", "", "0"),
            });
        }
        if after(end, self.sent) {
            self.sent = end;
        }
        calls
    }

    /// One write for the data from here to where it was pushed.
    fn write(&mut self, place: usize, calls: &mut Vec<String>) {
        let (mut end, mut last) = (self.written, &self.segments[place]);
        for seen in self.segments[place..].iter().filter(|seen| seen.from == self.local && !seen.has(RST)) {
            let until = seen.tcp.seq.wrapping_add(seen.tcp.len.into());
            if seen.tcp.len == 0 || !after(until, end) {
                continue;
            }
            (end, last) = (until, seen);
            let len = end.wrapping_sub(self.written);
            if seen.has(PSH) || seen.has(FIN) || seen.has(URG) || len >= LONGEST_WRITE {
                break;
            }
        }
        let len = end.wrapping_sub(self.written);
        self.written = end;
        let (pushed, ends) = (last.has(PSH), last.has(FIN));
        if pushed && ends && !self.cork {
            // The FIN joins the data only if that has waited for it.
            self.cork = true;
            calls.push(self.call("setsockopt", "SOL_TCP, TCP_CORK, [1], 4", "0"));
        }
        calls.push(match (last.has(URG), pushed) {
            (true, _) => self.call("send", &format!("..., {len}, MSG_OOB"), &len.to_string()),
            (false, true) => self.call("write", &format!("..., {len}"), &len.to_string()),
            (false, false) => self.call("send", &format!("..., {len}, MSG_MORE"), &len.to_string()),
        });
    }

    /// Does data come behind this segment, that somebody must be there to read?
    fn hears_more(&self, place: usize) -> bool {
        let next = self.received.next();
        let mut theirs = self.segments[place..].iter().filter(|seen| seen.from != self.local && !seen.has(SYN));
        theirs.any(|seen| seen.tcp.len > 0 && after(seen.tcp.seq.wrapping_add(seen.tcp.len.into()), next))
    }

    /// What the program does when a segment has come.
    pub fn after_theirs(&mut self, place: usize) -> Vec<String> {
        let (seen, mut calls) = (&self.segments[place], Vec::new());
        let Some(our_syn) = self.our_syn() else { return calls };
        let first = our_syn.tcp.seq.wrapping_add(1);
        let acks = seen.tcp.ack == Some(first);
        if seen.has(RST) {
            if !self.passive && !self.established && acks {
                calls.push(self.call("getsockopt", "SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]", "0"));
            }
            self.closed |= acks || self.established;
            return calls;
        }
        let answered = self.segments[..place].iter().any(|seen| seen.from == self.local && seen.has(SYN));
        let greets = seen.has(ACK) && answered && seen.tcp.ack.is_some_and(|ack| !after(first, ack));
        if !self.established && greets && seen.has(SYN) != self.passive {
            self.established = true;
            calls.push(match self.passive {
                true => "accept(3, ..., ...) = 4".into(),
                false => self.call("getsockopt", "SOL_SOCKET, SO_ERROR, [0], [4]", "0"),
            });
        }
        let start = if seen.has(SYN) { seen.tcp.seq.wrapping_add(1) } else { seen.tcp.seq };
        let end = start.wrapping_add(seen.tcp.len.into());
        if seen.has(FIN) {
            self.peer_fin = Some(end);
        }
        self.unread = self.unread.wrapping_add(self.received.add(start, end));
        let deaf = self.closed && !self.hears_more(place.saturating_sub(1)) && self.unread == 0;
        if !self.established || deaf {
            return calls;
        }
        if !self.window_stays_shut(place) {
            calls.extend(self.read());
        }
        if self.unread == 0 && !self.closed && self.peer_fin == Some(self.received.next()) && !self.end_was_read {
            self.end_was_read = true;
            calls.push(self.call("read", "..., 1000", "0"));
        }
        calls
    }

    /// What has come stays unread if the window is seen closed when it is acknowledged.
    fn window_stays_shut(&self, place: usize) -> bool {
        let next = self.received.next();
        let mut ours = self.segments[place..].iter().filter(|seen| seen.from == self.local && !seen.has(RST));
        ours.find(|seen| seen.tcp.ack.is_some_and(|ack| !after(next, ack)))
            .is_some_and(|seen| seen.tcp.window == Some(0))
    }

    fn read(&mut self) -> Option<String> {
        let len = std::mem::take(&mut self.unread);
        (len > 0 && self.established).then(|| self.call("read", &format!("..., {len}"), &len.to_string()))
    }

    fn call(&self, name: &str, arguments: &str, result: &str) -> String {
        let comma = if arguments.is_empty() { "" } else { ", " };
        format!("{name}({}{comma}{arguments}) = {result}", self.descriptor)
    }
}
