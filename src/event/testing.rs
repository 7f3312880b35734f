//! A bench for layers under test: time as a number, seeded dice, and everything that was told.

use super::{Context, DropReason, Event, NeighbourState, Observer, Record};
use crate::pool::Pool;
use crate::random::Random;
use crate::time::Instant;
use std::net::IpAddr;

/// What was told, as far as tests ask for it.
#[derive(Default)]
struct Told {
    drops: Vec<DropReason>,
    moves: Vec<(IpAddr, NeighbourState, NeighbourState)>,
    events: Vec<String>,
}

impl Observer for Told {
    fn observe(&mut self, record: &Record<'_>) {
        match record.event {
            Event::Dropped { reason, .. } => self.drops.push(reason),
            Event::Neighbour { address, from, to, .. } => self.moves.push((address, from, to)),
            _ => {}
        }
        self.events.push(format!("{:?}", record.event));
    }
}

/// Lends contexts to what is tested and remembers what it told.
pub(crate) struct Bench {
    pub now: Instant,
    pub partial_checksum: bool,
    random: Random,
    pool: Pool,
    frames: u64,
    told: Told,
}

impl Bench {
    pub fn new() -> Bench {
        Bench {
            now: Instant::ZERO,
            partial_checksum: false,
            random: Random::new(7),
            pool: Pool::default(),
            frames: 0,
            told: Told::default(),
        }
    }

    pub fn run<R>(&mut self, work: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let mut cx = Context::new(self.now, &mut self.random, &mut self.pool, &mut self.frames, Some(&mut self.told));
        cx.partial_checksum = self.partial_checksum;
        work(&mut cx)
    }

    /// The drops since the last time.
    pub fn drops(&mut self) -> Vec<DropReason> {
        std::mem::take(&mut self.told.drops)
    }

    /// The moves of neighbours since the last time.
    pub fn moves(&mut self) -> Vec<(IpAddr, NeighbourState, NeighbourState)> {
        std::mem::take(&mut self.told.moves)
    }

    /// How many events since the beginning begin so.
    pub fn count(&self, beginning: &str) -> usize {
        self.told.events.iter().filter(|event| event.starts_with(beginning)).count()
    }
}
