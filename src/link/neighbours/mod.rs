//! The neighbour cache: one state machine an entry (RFC 4861 §7.3), driven by ARP.
//!
//! ```text
//!               packet to send          answer                      time passes
//!   (no entry) ---------------> INCOMPLETE ------> REACHABLE <--------. ------> STALE
//!        |                          | 3 requests       ^              |           |
//!        | heard of                 v unanswered       | answer or    | confirmed | packet sent
//!        `------> STALE           FAILED <--- PROBE ---'   hint       |           v
//!                                        3    ^                       `-------- DELAY
//!                                             `----------- 5 s ------------------'
//! ```
//!
//! The table knows nothing of messages: what should be asked comes out of [`Neighbours::poll_solicitation`], what was
//! learned goes into [`Neighbours::handle_answer`] and [`Neighbours::handle_hint`]. Its size, the packets that wait in
//! it and the rate of questions are bounded, because strangers decide what we are asked to reach.

mod entry;
mod learn;
mod table;
#[cfg(test)]
mod tests;

use crate::event::{Context, DropReason, Event, Layer, NeighbourState};
use crate::frame::Frame;
use crate::time::Instant;
use crate::wire::MacAddress;
use entry::Entry;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;
use table::Table;

/// Bounds and times of the cache; the defaults are those of RFC 4861 §10.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Neighbours remembered; the least useful gives way.
    pub capacity: usize,
    /// Packets that wait for one neighbour; the oldest gives way.
    pub waiting: usize,
    /// Packets that wait for any neighbour.
    pub waiting_in_all: usize,
    /// How long a neighbour counts as reachable, on average: each cache draws between half and one and a half of it.
    pub reachable_time: Duration,
    /// Between two questions about one neighbour (RFC 1122 §2.3.2.1: a second at least).
    pub retransmit: Duration,
    /// How long an upper layer may confirm a stale neighbour before it is asked.
    pub delay_first_probe: Duration,
    /// Questions without an answer before it is given up.
    pub solicitations: u32,
    /// After so long unused an entry is forgotten.
    pub unused: Duration,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            capacity: 512,
            waiting: 64,
            waiting_in_all: 1024,
            reachable_time: Duration::from_secs(30),
            retransmit: Duration::from_secs(1),
            delay_first_probe: Duration::from_secs(5),
            solicitations: 3,
            unused: Duration::from_secs(600),
        }
    }
}

/// RFC 4861 §6.3.4: the reachable time is drawn anew every few hours.
const REDRAW: Duration = Duration::from_secs(2 * 3600);
/// Connections confirm their neighbour with every segment; once in this part of the reachable time is enough.
const CONFIRMATIONS: u32 = 1000;

/// A question to ask: who has `address`?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Solicitation {
    pub address: IpAddr,
    /// The one who had it last is asked alone; none asks everybody.
    pub to: Option<MacAddress>,
}

/// A neighbour that does not answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The next hop: a host of this link or a gateway.
    pub address: IpAddr,
    /// What waited for it, each with its IP header outermost; already told as dropped.
    pub frames: Vec<Frame>,
}

/// The neighbour that was confirmed last: until then it need not be looked up.
#[derive(Clone, Copy, Debug)]
struct Fresh {
    address: IpAddr,
    mac: MacAddress,
    until: Instant,
}

/// The neighbour cache of one interface.
#[derive(Debug)]
pub(super) struct Neighbours {
    config: Config,
    table: Table,
    /// Packets that wait, over all entries.
    waiting: usize,
    reachable_time: Option<(Duration, Instant)>,
    fresh: Option<Fresh>,
    solicitations: VecDeque<Solicitation>,
    failures: VecDeque<Failure>,
}

impl Neighbours {
    pub fn new(config: Config) -> Neighbours {
        Neighbours {
            config,
            table: Table::default(),
            waiting: 0,
            reachable_time: None,
            fresh: None,
            solicitations: VecDeque::new(),
            failures: VecDeque::new(),
        }
    }

    /// A packet is to go to `address`: its hardware address when that is known; else it is asked for, and the packet is
    /// to be kept meanwhile ([`keep`](Neighbours::keep)).
    pub fn resolve(&mut self, cx: &mut Context<'_>, address: IpAddr) -> Option<MacAddress> {
        if let fresh @ Some(_) = self.fresh(cx.now, address) {
            return fresh;
        }
        let Some(entry) = self.table.entry(address) else {
            self.ask_first(cx, address);
            return None;
        };
        entry.used = Some(cx.now);
        match entry.state {
            NeighbourState::Reachable if cx.now < entry.reachable_until => Some(entry.mac),
            // RFC 4861 §7.3.3: nobody needs to know sooner that the time is over.
            NeighbourState::Reachable => {
                self.move_to(cx, address, NeighbourState::Stale, "the reachable time is over");
                self.delay(cx, address)
            }
            NeighbourState::Stale => self.delay(cx, address),
            NeighbourState::Delay | NeighbourState::Probe => Some(entry.mac),
            NeighbourState::Incomplete => None,
            NeighbourState::Failed | NeighbourState::Unknown => {
                self.move_to(cx, address, NeighbourState::Incomplete, "a packet wants to go there again");
                self.solicit(cx, address);
                None
            }
        }
    }

    fn fresh(&self, now: Instant, address: IpAddr) -> Option<MacAddress> {
        self.fresh.filter(|fresh| fresh.address == address && now < fresh.until).map(|fresh| fresh.mac)
    }

    fn ask_first(&mut self, cx: &mut Context<'_>, address: IpAddr) {
        self.make_room(cx, table::Rank::Valuable);
        self.table.insert(address, Entry::new(NeighbourState::Incomplete, MacAddress::UNSPECIFIED, Some(cx.now)));
        tell(cx, address, (NeighbourState::Unknown, NeighbourState::Incomplete), "a packet wants to go there");
        self.solicit(cx, address);
    }

    /// RFC 4861 §7.3.3: the packet goes, and an upper layer has five seconds to say that it arrived.
    fn delay(&mut self, cx: &mut Context<'_>, address: IpAddr) -> Option<MacAddress> {
        self.move_to(cx, address, NeighbourState::Delay, "a packet goes to a stale address");
        self.table.set_deadline(address, Some(cx.after(self.config.delay_first_probe)));
        self.table.entry(address).map(|entry| entry.mac)
    }

    /// The packet waits; the oldest makes room (RFC 1122 §2.3.2.2: the latest at least is kept).
    pub fn keep(&mut self, cx: &mut Context<'_>, address: IpAddr, frame: Frame) {
        let Some(entry) = self.table.entry(address) else { return };
        entry.waiting.push_back(frame);
        self.waiting += 1;
        if entry.waiting.len() > self.config.waiting || self.waiting > self.config.waiting_in_all {
            self.waiting -= 1;
            drop_frames(cx, entry.waiting.pop_front(), DropReason::NeighbourQueueFull);
        }
        let waiting = entry.waiting.len();
        cx.tell(|| Event::AwaitsNeighbour { address, waiting });
    }

    pub fn poll_solicitation(&mut self) -> Option<Solicitation> {
        self.solicitations.pop_front()
    }

    pub fn poll_failure(&mut self) -> Option<Failure> {
        self.failures.pop_front()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.table.next_deadline()
    }

    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) {
        while let Some(address) = self.table.pop_due(cx.now) {
            let Some(entry) = self.table.entry(address) else { continue };
            match entry.state {
                NeighbourState::Incomplete | NeighbourState::Probe if entry.asked < self.config.solicitations => {
                    self.solicit(cx, address);
                }
                NeighbourState::Incomplete | NeighbourState::Probe => self.fail(cx, address),
                NeighbourState::Delay => {
                    self.move_to(cx, address, NeighbourState::Probe, "nothing confirmed it");
                    self.solicit(cx, address);
                }
                NeighbourState::Reachable
                | NeighbourState::Stale
                | NeighbourState::Failed
                | NeighbourState::Unknown => {
                    self.expire(cx, address);
                }
            }
        }
    }

    /// Used since the clock was set: it runs on; else the entry goes (RFC 1122 §2.3.2.1).
    fn expire(&mut self, cx: &mut Context<'_>, address: IpAddr) {
        let Some(entry) = self.table.entry(address) else { return };
        let forget_at = entry.used.map(|used| used.max(entry.reachable_until) + self.config.unused);
        match forget_at.filter(|at| *at > cx.now) {
            Some(at) => self.table.set_deadline(address, Some(at)),
            None => {
                let from = entry.state;
                self.forget(address);
                tell(cx, address, (from, NeighbourState::Unknown), "unused for long");
            }
        }
    }

    fn forget(&mut self, address: IpAddr) {
        self.fresh = None;
        self.table.remove(address);
    }

    fn fail(&mut self, cx: &mut Context<'_>, address: IpAddr) {
        self.move_to(cx, address, NeighbourState::Failed, "it does not answer");
        self.table.set_deadline(address, Some(cx.after(self.config.unused)));
        let frames: Vec<Frame> = self.take_waiting(address).into();
        drop_frames(cx, &frames, DropReason::NeighbourUnreachable);
        if self.failures.len() < self.config.capacity {
            self.failures.push_back(Failure { address, frames });
        }
    }

    /// Asks now, or as soon as the rate limit allows.
    fn solicit(&mut self, cx: &mut Context<'_>, address: IpAddr) {
        let Some(entry) = self.table.entry(address) else { return };
        // RFC 1122 §2.3.2.1: once a second at most, whatever state it went through since.
        if let Some(next) = entry.last_asked.map(|last| last + self.config.retransmit).filter(|next| *next > cx.now) {
            self.table.set_deadline(address, Some(next));
            return;
        }
        entry.asked += 1;
        entry.last_asked = Some(cx.now);
        let to = (entry.state == NeighbourState::Probe).then_some(entry.mac);
        self.solicitations.push_back(Solicitation { address, to });
        self.table.set_deadline(address, Some(cx.after(self.config.retransmit)));
    }

    fn make_reachable(&mut self, cx: &mut Context<'_>, address: IpAddr, why: &'static str) {
        self.move_to(cx, address, NeighbourState::Reachable, why);
        let until = self.reachable_until(cx);
        if let Some(entry) = self.table.entry(address) {
            entry.reachable_until = until;
        }
        self.table.set_deadline(address, Some(until + self.config.unused));
    }

    /// RFC 4861 §6.3.2: the time is a uniformly random value between half and one and a half of the base.
    fn reachable_until(&mut self, cx: &mut Context<'_>) -> Instant {
        let time = match self.reachable_time {
            Some((time, redraw)) if cx.now < redraw => time,
            Some(_) | None => {
                let time = self.config.reachable_time.mul_f64(0.5 + cx.random.fraction());
                self.reachable_time = Some((time, cx.after(REDRAW)));
                time
            }
        };
        cx.after(time)
    }

    fn move_to(&mut self, cx: &mut Context<'_>, address: IpAddr, to: NeighbourState, why: &'static str) {
        self.fresh = None;
        if let Some(entry) = self.table.entry(address) {
            let from = std::mem::replace(&mut entry.state, to);
            entry.asked = 0;
            if from != to {
                tell(cx, address, (from, to), why);
            }
        }
    }

    fn take_waiting(&mut self, address: IpAddr) -> VecDeque<Frame> {
        let waiting = self.table.entry(address).map(|entry| std::mem::take(&mut entry.waiting)).unwrap_or_default();
        self.waiting -= waiting.len();
        waiting
    }

    /// Makes sure that one more entry fits, at the cost of one that is worth at most `limit`.
    fn make_room(&mut self, cx: &mut Context<'_>, limit: table::Rank) -> bool {
        if self.table.len() < self.config.capacity {
            return true;
        }
        let Some(victim) = self.table.least_valuable(limit) else { return false };
        let frames = self.take_waiting(victim);
        drop_frames(cx, &frames, DropReason::NeighbourTableFull);
        let from = self.table.entry(victim).map_or(NeighbourState::Unknown, |entry| entry.state);
        self.forget(victim);
        tell(cx, victim, (from, NeighbourState::Unknown), "it gave way to another");
        true
    }
}

fn tell(cx: &mut Context<'_>, address: IpAddr, (from, to): (NeighbourState, NeighbourState), why: &'static str) {
    cx.tell(|| Event::Neighbour { address, from, to, why });
}

fn drop_frames<F: std::borrow::Borrow<Frame>>(
    cx: &mut Context<'_>,
    frames: impl IntoIterator<Item = F>,
    reason: DropReason,
) {
    for frame in frames {
        let before = cx.about(Some(frame.borrow().id()));
        cx.tell(|| Event::Dropped { layer: Layer::Ethernet, reason });
        cx.about(before);
    }
}
