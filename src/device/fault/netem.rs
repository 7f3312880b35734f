//! What netem does to the frames of one direction, after Linux's `net/sched/sch_netem.c`.

use super::mark::mark;
use super::spec::{Chance, Spec};
use crate::device::{offload, serialization};
use crate::frame::{FrameId, Offload};
use crate::random::Random;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A frame in one piece: what can be held back, doubled and damaged.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub id: FrameId,
    pub bytes: Vec<u8>,
    pub offload: Offload,
}

/// What was done to the frames of one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Frames that came.
    pub frames: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Marked where it would else have been lost (congestion experienced, RFC 3168 §5).
    pub marked: u64,
    pub duplicated: u64,
    pub corrupted: u64,
    /// Let through at once while others waited.
    pub reordered: u64,
    /// Lost because the queue was full.
    pub over_limit: u64,
}

/// One line: `100 frames: 2 lost, 1 duplicated, 0 corrupted, 1 reordered, 0 over the limit`.
impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters { frames, lost, duplicated, corrupted, reordered, over_limit, marked } = self;
        write!(f, "{frames} frames: {lost} lost, {duplicated} duplicated, {corrupted} corrupted, ")?;
        write!(f, "{reordered} reordered, {over_limit} over the limit")?;
        if *marked > 0 { write!(f, ", {marked} marked") } else { Ok(()) }
    }
}

/// The queue of one direction.
#[derive(Debug)]
pub(crate) struct Netem {
    spec: Spec,
    random: Random,
    dice: Dice,
    /// By the time at which each is let go, then in the order of coming.
    queue: BTreeMap<(Instant, u64), Packet>,
    next: u64,
    /// Frames since the last one that overtook (netem's `counter`).
    since_reorder: u32,
    counters: Counters,
}

/// One correlated number for every kind of chance.
#[derive(Debug, Default)]
struct Dice {
    loss: Correlated,
    delay: Correlated,
    reorder: Correlated,
    duplicate: Correlated,
    corrupt: Correlated,
}

/// netem's `get_crandom`: the next number leans towards the last one.
#[derive(Debug, Default)]
struct Correlated {
    last: f64,
}

impl Correlated {
    fn next(&mut self, random: &mut Random, correlation: f64) -> f64 {
        let weight = correlation / 100.0;
        self.last = (1.0 - weight) * random.fraction() + weight * self.last;
        self.last
    }

    fn hits(&mut self, random: &mut Random, chance: Chance) -> bool {
        chance.percent > 0.0 && self.next(random, chance.correlation) * 100.0 < chance.percent
    }
}

impl Netem {
    pub fn new(spec: Spec, random: Random) -> Netem {
        Netem {
            spec,
            random,
            dice: Dice::default(),
            queue: BTreeMap::new(),
            next: 0,
            since_reorder: 0,
            counters: Counters::default(),
        }
    }

    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Does every frame pass untouched, with none left from before?
    pub fn is_transparent(&self) -> bool {
        self.spec.is_none() && self.queue.is_empty()
    }

    /// A frame comes: it is lost, or waits until its time. A super-frame is split first, because on a wire each of
    /// its segments has its own fate.
    pub fn enqueue(&mut self, now: Instant, packet: Packet) {
        let Packet { id, bytes, offload } = packet;
        if offload.segment_size.is_none() {
            return self.admit(now, Packet { id, bytes, offload });
        }
        for bytes in offload::pieces(bytes, offload) {
            self.admit(now, Packet { id, bytes, offload: Offload::default() });
        }
    }

    /// The next frame whose time has come.
    pub fn dequeue(&mut self, now: Instant) -> Option<Packet> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|((due, _), _)| *due)
    }

    fn admit(&mut self, now: Instant, mut packet: Packet) {
        self.counters.frames += 1;
        let duplicated = self.dice.duplicate.hits(&mut self.random, self.spec.duplicate);
        let mut lost = self.dice.loss.hits(&mut self.random, self.spec.loss);
        if lost && self.spec.mark && mark(&mut packet.bytes) {
            self.counters.marked += 1;
            lost = false;
        }
        self.counters.duplicated += u64::from(duplicated);
        self.counters.lost += u64::from(lost);
        // As in netem, a frame that is doubled and lost goes through once.
        match (duplicated, lost) {
            (false, true) => {}
            (true, true) | (false, false) => self.place(now, packet),
            (true, false) => {
                self.place(now, packet.clone());
                self.place(now, packet);
            }
        }
    }

    fn place(&mut self, now: Instant, mut packet: Packet) {
        if self.dice.corrupt.hits(&mut self.random, self.spec.corrupt) {
            self.corrupt(&mut packet);
        }
        if self.queue.len() >= self.spec.limit {
            self.counters.over_limit += 1;
            return;
        }
        let due = if self.overtakes() { now } else { self.due(now, packet.bytes.len()) };
        self.queue.insert((due, self.next), packet);
        self.next += 1;
    }

    /// Turns one bit over. What the device vouched for, or had still to fill in, is put into the bytes first: else
    /// the damage would be vouched for, and no receiver could find it.
    fn corrupt(&mut self, packet: &mut Packet) {
        offload::finish_checksum(&mut packet.bytes, &mut packet.offload);
        let at = self.random.below(packet.bytes.len() as u64) as usize;
        if let Some(byte) = packet.bytes.get_mut(at) {
            *byte ^= 1 << self.random.below(8);
            self.counters.corrupted += 1;
        }
    }

    fn overtakes(&mut self) -> bool {
        if self.spec.reorder.percent == 0.0 {
            return false;
        }
        let may = self.since_reorder >= self.spec.gap.saturating_sub(1);
        if may && self.dice.reorder.hits(&mut self.random, self.spec.reorder) {
            self.since_reorder = 0;
            self.counters.reordered += 1;
            return true;
        }
        self.since_reorder = self.since_reorder.saturating_add(1);
        false
    }

    /// When a frame of `len` bytes that comes now is let go.
    fn due(&mut self, now: Instant, len: usize) -> Instant {
        let delay = self.delay();
        let Some(rate) = self.spec.rate else { return now + delay };
        // Behind the last one in the queue, whose own wait counts towards this one's delay.
        let last = self.queue.last_key_value().map_or(now, |((due, _), _)| (*due).max(now));
        last + delay.saturating_sub(last.since(now)) + serialization(len, rate)
    }

    fn delay(&mut self) -> Duration {
        if self.spec.jitter.is_zero() {
            return self.spec.delay;
        }
        let place = self.dice.delay.next(&mut self.random, self.spec.delay_correlation);
        (self.spec.delay + self.spec.jitter.mul_f64(2.0 * place)).saturating_sub(self.spec.jitter)
    }
}
