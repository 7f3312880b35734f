//! What has come of it, as ratios within rounds, and the table.

use crate::sample::{self, Missing, Outcome, Sample};
use crate::stacks::Stack;
use crate::workload::Workload;
use serde_json::Value;
use std::fmt::{self, Display};

/// A round counts when the hypervisor gave less than this of it to others.
const STOLEN: f64 = 0.10;
/// When other programs took more than this, the table says so.
const ELSEWHERE: f64 = 0.05;

/// Everything that was found, in the order in which it was.
#[derive(Default)]
pub struct Results {
    found: Vec<Found>,
}

struct Found {
    stack: Stack,
    workload: Workload,
    round: usize,
    outcome: Outcome,
}

/// A median over rounds, the least and the most.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    pub middle: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    fn of(mut figures: Vec<f64>) -> Option<Spread> {
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let half = figures.len() / 2;
        // Of an even number of rounds the two in the middle.
        let middle = if figures.len() % 2 == 1 { figures[half] } else { (figures[half - 1] + figures[half]) / 2.0 };
        Some(Spread { middle, least, most })
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.most >= 100.0 {
            0
        } else if self.most >= 10.0 {
            1
        } else {
            2
        };
        f.pad(&format!("{:.digits$} ({:.digits$} to {:.digits$})", self.middle, self.least, self.most))
    }
}

impl Results {
    /// From the lines that were saved.
    pub fn read(text: &str) -> Results {
        let mut results = Results::default();
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).expect("a line of JSON");
            let name = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
            let stack = Stack::named(&name("stack")).expect("a known stack");
            let workload = Workload::named(&name("workload")).expect("a known workload");
            let round = value["round"].as_u64().expect("a round") as usize;
            results.add(stack, workload, round, sample::from_json(&value));
        }
        results
    }

    pub fn add(&mut self, stack: Stack, workload: Workload, round: usize, outcome: Outcome) {
        self.found.push(Found { stack, workload, round, outcome });
    }

    /// What would come of it again: who could not hold so many idle connections once cannot whatever else is asked.
    pub fn lasting(&self, stack: Stack, workload: Workload) -> Option<Outcome> {
        let known = |other: &Workload| *other == workload || other.idle == workload.idle && workload.idle > 0;
        let suited = |other: &Workload| other.unsuited(stack).is_none();
        let others = self.workloads().into_iter().filter(|other| known(other) && suited(other));
        let missing = others.flat_map(|other| self.missing(stack, other)).find(|missing| missing.lasting);
        missing.map(|missing| Err(missing.clone()))
    }

    fn missing(&self, stack: Stack, workload: Workload) -> impl Iterator<Item = &Missing> {
        let found = self.found.iter().filter(move |found| found.stack == stack && found.workload == workload);
        found.filter_map(|found| found.outcome.as_ref().err())
    }

    /// Why there is no figure.
    pub fn reason(&self, stack: Stack, workload: Workload) -> &str {
        self.missing(stack, workload).next().map_or("without a limit to compare with", |missing| &missing.reason)
    }

    /// The workloads, each once, in the order in which they were run first.
    pub fn workloads(&self) -> Vec<Workload> {
        let mut workloads: Vec<Workload> = Vec::new();
        for found in &self.found {
            if !workloads.contains(&found.workload) {
                workloads.push(found.workload);
            }
        }
        workloads
    }

    /// The stacks that this was tried on.
    pub fn stacks(&self, workload: Workload) -> Vec<Stack> {
        let tried = |stack: &Stack| self.found.iter().any(|found| found.workload == workload && found.stack == *stack);
        Stack::ALL.into_iter().filter(tried).collect()
    }

    fn sample(&self, stack: Stack, workload: Workload, round: usize) -> Option<&Sample> {
        let here = |found: &&Found| found.stack == stack && found.workload == workload && found.round == round;
        self.found.iter().find(here)?.outcome.as_ref().ok()
    }

    /// The rounds of a workload that count, and how many there were. When none was quiet, all of them are better than
    /// nothing; the last says that it is so.
    fn rounds(&self, workload: Workload) -> (Vec<usize>, usize, bool) {
        let of = || self.found.iter().filter(|found| found.workload == workload);
        let all = of().map(|found| found.round + 1).max().unwrap_or(0);
        let noisy = |round: usize| {
            let samples = of().filter(|found| found.round == round).filter_map(|found| found.outcome.as_ref().ok());
            samples.into_iter().any(|sample| sample.stolen >= STOLEN)
        };
        let quiet: Vec<usize> = (0..all).filter(|round| !noisy(*round)).collect();
        let none = quiet.is_empty();
        (if none { (0..all).collect() } else { quiet }, all, none)
    }

    /// What other programs took of the machine meanwhile.
    fn elsewhere(&self, workload: Workload) -> f64 {
        let stacks = self.stacks(workload).into_iter();
        let shares = stacks.filter_map(|stack| self.of(stack, workload, |sample| sample.elsewhere));
        Spread::of(shares.map(|share| share.middle).collect()).map_or(0.0, |share| share.middle)
    }

    /// What of a stack's samples is picked, over the rounds that count.
    pub fn of(&self, stack: Stack, workload: Workload, pick: fn(&Sample) -> f64) -> Option<Spread> {
        let (rounds, _, _) = self.rounds(workload);
        Spread::of(rounds.iter().filter_map(|round| self.sample(stack, workload, *round)).map(pick).collect())
    }

    /// The same, of ratios within a round: one stack under one workload, to another.
    pub fn ratio(
        &self,
        (stack, workload): (Stack, Workload),
        (other, beside): (Stack, Workload),
        pick: fn(&Sample) -> f64,
    ) -> Option<Spread> {
        let (mut rounds, _, _) = self.rounds(workload);
        if beside != workload {
            let (others, _, _) = self.rounds(beside);
            rounds.retain(|round| others.contains(round));
        }
        let both = |round: &usize| {
            Some(pick(self.sample(stack, workload, *round)?) / pick(self.sample(other, beside, *round)?))
        };
        Spread::of(rounds.iter().filter_map(both).collect())
    }

    /// Bytes for each idle connection: what there was more of than with few of them, so that what the work itself needs is
    /// in neither.
    pub fn memory(&self, stack: Stack, workload: Workload, pick: fn(&Sample) -> f64) -> Option<f64> {
        let few = self.uncrowded(workload);
        let more = |round: &usize| {
            let many = pick(self.sample(stack, workload, *round)?);
            // With none at all it was not counted.
            let less = if few.idle > 0 { pick(self.sample(stack, few, *round)?) } else { 0.0 };
            Some((many - less) / (workload.idle - few.idle) as f64)
        };
        let (rounds, _, _) = self.rounds(workload);
        Spread::of(rounds.iter().filter_map(more).collect()).map(|spread| spread.middle)
    }

    /// The same workload with the fewest idle connections.
    pub fn uncrowded(&self, workload: Workload) -> Workload {
        let same = |other: &Workload| Workload { idle: workload.idle, ..*other } == workload;
        self.workloads().into_iter().filter(same).min_by_key(|other| other.idle).unwrap_or(workload)
    }

    pub fn table(&self, workload: Workload) -> Table<'_> {
        Table { results: self, workload }
    }
}

impl Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.workloads().into_iter().try_for_each(|workload| self.table(workload).fmt(f))
    }
}

/// One workload on all stacks.
pub struct Table<'a> {
    results: &'a Results,
    workload: Workload,
}

impl Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, (rounds, all, none)) = (self.workload.unit(), self.results.rounds(self.workload));
        let quiet = if none { "no quiet one of".into() } else { format!("{} of", rounds.len()) };
        let elsewhere = self.results.elsewhere(self.workload);
        let noise = if elsewhere > ELSEWHERE {
            format!("; others took {:.0} % of the machine", 100.0 * elsewhere)
        } else {
            String::new()
        };
        let cpu = format!("CPU {}", unit.cpu.0);
        writeln!(
            f,
            "{:<32}{:>9}  {:<22}{:<22}{cpu:>12}  to limit  machine   {quiet} {all} rounds{noise}",
            self.workload, unit.name, "to the limit", "ours to it"
        )?;
        self.results.stacks(self.workload).into_iter().try_for_each(|stack| self.row(stack, f))
    }
}

impl Table<'_> {
    fn row(&self, stack: Stack, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (results, workload, scale) = (self.results, self.workload, self.workload.unit().cpu.1);
        write!(f, "  {:<30}", stack.name())?;
        let Some(figure) = results.of(stack, workload, |sample| sample.figure) else {
            return writeln!(f, "        -  {}", results.reason(stack, workload));
        };
        let to = |stack, other| {
            let ratio = results.ratio((stack, workload), (other, workload), |sample| sample.figure);
            ratio.map_or_else(|| "-".into(), |ratio| ratio.to_string())
        };
        let middle = |pick| results.of(stack, workload, pick).map_or(f64::NAN, |spread| spread.middle);
        let cpu = results.ratio((stack, workload), (Stack::Limit, workload), |sample| sample.cpu);
        write!(
            f,
            "{:>9.2}  {:<22}{:<22}{:>12.3}{:>10.2}{:>9.3}",
            figure.middle,
            to(stack, Stack::Limit),
            to(Stack::Strata, stack),
            middle(|sample| sample.cpu) * scale,
            cpu.map_or(f64::NAN, |ratio| ratio.middle),
            middle(|sample| sample.machine_cpu) * scale,
        )?;
        match results.missing(stack, workload).count() {
            0 => writeln!(f)?,
            failed => writeln!(f, "   failed in {failed} rounds")?,
        }
        if workload.idle > 0 { self.beside(stack, f) } else { Ok(()) }
    }

    /// What the idle connections cost.
    fn beside(&self, stack: Stack, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (results, workload, few) = (self.results, self.workload, self.results.uncrowded(self.workload));
        let middle = |pick| results.of(stack, workload, pick).map_or(f64::NAN, |spread| spread.middle);
        let ratio = results.ratio((stack, workload), (stack, few), |sample| sample.figure);
        let Some(ratio) = ratio.filter(|_| few != workload) else { return Ok(()) };
        let memory = |pick| results.memory(stack, workload, pick).unwrap_or(f64::NAN);
        let (held, resident) = (memory(|sample| sample.held), memory(|sample| sample.resident));
        writeln!(
            f,
            "{:43}{ratio:<22}of what it is beside {}; opened in {:.1} s; of memory {held:.0} bytes each, resident {resident:.0}",
            "",
            few.idle,
            middle(|sample| sample.opening),
        )
    }
}
