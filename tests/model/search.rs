//! Depth first through everything that can happen.

use super::world::{Budget, Exchange, Step, World};
use std::collections::HashMap;
use std::fmt;

/// No exchange within the budgets that are searched takes so many steps: one that does goes on for ever.
const LONGEST: usize = 400;

/// What a search went through.
#[derive(Default)]
pub struct Found {
    /// States that differ for a host, or in what is under way.
    pub states: usize,
    /// Paths from the beginning to an end.
    pub interleavings: u128,
    /// Steps of the longest.
    pub longest: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found { states, interleavings, longest } = self;
        write!(f, "{interleavings} interleavings through {states} states, {longest} steps at most")
    }
}

/// What was found out about a state: how many paths lead on from it, and how many steps the longest of them has.
type Known = HashMap<u64, (u128, usize)>;

/// Goes through every interleaving of `exchange` within `budget`.
///
/// # Panics
/// When a path breaks a rule; the message has its steps.
pub fn search(exchange: Exchange, budget: Budget) -> Found {
    let mut search = Search { exchange, budget, known: Known::new(), path: Vec::new() };
    let (interleavings, longest) = search.explore(World::new(exchange, budget));
    Found { states: search.known.len(), interleavings, longest }
}

struct Search {
    exchange: Exchange,
    budget: Budget,
    known: Known,
    path: Vec<Step>,
}

impl Search {
    /// Everything that can follow on `world`, which `path` has led to.
    fn explore(&mut self, mut world: World) -> (u128, usize) {
        let name = world.fingerprint();
        if let Some(known) = self.known.get(&name) {
            return *known;
        }
        self.demand(&world, world.check());
        let choices = if world.is_over() { Vec::new() } else { world.choices() };
        let found = if world.is_over() {
            let rest = world.check_rest();
            self.demand(&world, rest);
            (1, 0)
        } else {
            let stuck = if choices.is_empty() { Err("deadlock: nothing can happen any more".into()) } else { Ok(()) };
            self.demand(&world, stuck);
            let endless = if self.path.len() < LONGEST { Ok(()) } else { Err("it does not end".into()) };
            self.demand(&world, endless);
            self.follow(world, &choices)
        };
        self.known.insert(name, found);
        found
    }

    fn follow(&mut self, world: World, choices: &[Step]) -> (u128, usize) {
        let (mut paths, mut longest, mut world) = (0, 0, Some(world));
        for &step in choices {
            // The first step goes on from here; for the others this state is played again.
            let mut next = world.take().unwrap_or_else(|| self.replay());
            next.take(step);
            self.path.push(step);
            let (more, steps) = self.explore(next);
            self.path.pop();
            paths += more;
            longest = longest.max(steps + 1);
        }
        (paths, longest)
    }

    fn replay(&self) -> World {
        let mut world = World::new(self.exchange, self.budget);
        self.path.iter().for_each(|&step| world.take(step));
        world
    }

    fn demand(&self, world: &World, rule: Result<(), String>) {
        if let Err(broken) = rule {
            panic!("{broken}\n{}\n{}\nafter {:#?}", self.exchange.name, world.describe(), self.path);
        }
    }
}
