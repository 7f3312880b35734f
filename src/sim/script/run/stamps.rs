//! `SO_TIMESTAMPING`: when the last byte of each write left, and when it was acknowledged.

use crate::time::Instant;
use std::collections::VecDeque;

/// What is asked for, by Linux's bits.
pub const TX_SOFTWARE: i64 = 1 << 1;
pub const SOFTWARE: i64 = 1 << 4;
pub const OPT_ID: i64 = 1 << 7;
pub const TX_SCHED: i64 = 1 << 8;
pub const TX_ACK: i64 = 1 << 9;
pub const OPT_CMSG: i64 = 1 << 10;
pub const OPT_TSONLY: i64 = 1 << 11;
pub const OPT_ID_TCP: i64 = 1 << 16;

/// All that means something here.
pub const KNOWN: i64 = TX_SOFTWARE | SOFTWARE | OPT_ID | TX_SCHED | TX_ACK | OPT_CMSG | OPT_TSONLY | OPT_ID_TCP;

/// What happened to the byte (`SCM_TSTAMP_...`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    Sent = 0,
    /// It went to the queue of the device. There is none here: it is sent at once.
    Scheduled = 1,
    Acknowledged = 2,
}

/// One message of the queue of errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    pub at: Instant,
    pub moment: Moment,
    /// The byte, counted from 0 at the time of the option; 0 where no number was asked for.
    pub key: u32,
    /// It comes without the data.
    pub alone: bool,
}

/// The writes that are watched, and what has happened to them.
#[derive(Default)]
pub struct Stamps {
    asked: i64,
    base: u64,
    unsent: VecDeque<u64>,
    unacknowledged: VecDeque<u64>,
    queue: VecDeque<Stamp>,
}

impl Stamps {
    /// `acknowledged` and `written`: how far the stream is.
    pub fn ask(&mut self, asked: i64, acknowledged: u64, written: u64) {
        self.base = if asked & OPT_ID_TCP != 0 { written } else { acknowledged };
        self.asked = asked;
    }

    pub fn asked(&self) -> i64 {
        self.asked
    }

    /// A write ends at `end`.
    pub fn wrote(&mut self, end: u64) {
        if self.asked & (TX_SOFTWARE | TX_SCHED | TX_ACK) != 0 {
            self.unsent.push_back(end);
        }
    }

    /// The stream was sent and acknowledged up to there.
    pub fn note(&mut self, now: Instant, sent: u64, acknowledged: u64) {
        while let Some(end) = self.unsent.pop_front_if(|end| *end <= sent) {
            self.push(now, end, TX_SCHED, Moment::Scheduled);
            self.push(now, end, TX_SOFTWARE, Moment::Sent);
            self.unacknowledged.push_back(end);
        }
        while let Some(end) = self.unacknowledged.pop_front_if(|end| *end <= acknowledged) {
            self.push(now, end, TX_ACK, Moment::Acknowledged);
        }
    }

    fn push(&mut self, at: Instant, end: u64, wanted: i64, moment: Moment) {
        if self.asked & wanted != 0 && self.asked & SOFTWARE != 0 {
            let numbered = self.asked & OPT_ID != 0;
            let key = if numbered { end.saturating_sub(self.base + 1) as u32 } else { 0 };
            self.queue.push_back(Stamp { at, moment, key, alone: self.asked & OPT_TSONLY != 0 });
        }
    }

    pub fn take(&mut self) -> Option<Stamp> {
        self.queue.pop_front()
    }

    pub fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }
}
