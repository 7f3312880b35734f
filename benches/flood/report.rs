//! The table: without the flood and with it, and how much of the transfer is left.

use crate::Bulk;
use crate::window::Window;
use std::fmt;
use std::time::Duration;

const MIB: f64 = 1024.0 * 1024.0;

pub struct Report {
    bulk: Bulk,
    rate: u64,
    span: Duration,
    /// Without and with, in turns.
    pairs: Vec<[Window; 2]>,
}

impl Report {
    pub fn new(bulk: Bulk, rate: u64, span: Duration) -> Report {
        Report { bulk, rate, span, pairs: Vec::new() }
    }

    pub fn add(&mut self, pair: [Window; 2]) {
        self.pairs.push(pair);
    }

    /// Median, least and most over the windows of one kind.
    fn of(&self, flooded: bool, figure: impl Fn(&Window) -> f64) -> [f64; 3] {
        spread(self.pairs.iter().map(|pair| figure(&pair[usize::from(flooded)])).collect())
    }

    fn sum(&self, flooded: bool, figure: impl Fn(&Window) -> u64) -> u64 {
        self.pairs.iter().map(|pair| figure(&pair[usize::from(flooded)])).sum()
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, name: &str, figure: impl Fn(&Window) -> f64) -> fmt::Result {
        let [without, with] = [false, true].map(|flooded| self.of(flooded, &figure));
        let cell = |[middle, least, most]: [f64; 3]| format!("{middle:8.2} ({least:.2} to {most:.2})");
        writeln!(f, "  {name:<34} {:<28} {}", cell(without), cell(with))
    }

    fn counts(&self, f: &mut fmt::Formatter<'_>, name: &str, figure: impl Fn(&Window) -> u64) -> fmt::Result {
        writeln!(f, "  {name:<34} {:<28} {:>8}", format!("{:8}", self.sum(false, &figure)), self.sum(true, &figure))
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>, name: &str, share: f64) -> fmt::Result {
        let [without, with] = [0, 1].map(|kind| {
            let mut all: Vec<f64> = self.pairs.iter().flat_map(|pair| pair[kind].latencies()).collect();
            all.sort_by(f64::total_cmp);
            let at = (all.len() as f64 * share) as usize;
            all.get(at.min(all.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
        });
        writeln!(f, "  {name:<34} {:<28} {with:8.2}", format!("{without:8.2}"))
    }

    /// What is left of a figure under the flood, pair by pair.
    fn kept(&self, figure: impl Fn(&Window) -> f64) -> [f64; 3] {
        spread(self.pairs.iter().map(|[without, with]| figure(with) / figure(without)).collect())
    }
}

/// Median, least, most.
fn spread(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [figures[figures.len() / 2], figures[0], figures[figures.len() - 1]]
}

fn share(part: Duration, window: &Window) -> f64 {
    100.0 * part.as_secs_f64() / window.span.as_secs_f64()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { bulk, rate, span, pairs } = self;
        writeln!(f, "bulk {}, {} pairs of windows of {span:?}, {rate} SYNs a second", bulk.name(), pairs.len())?;
        writeln!(f, "  {:<34} {:<28} with the flood", "median (min to max)", "without")?;
        if *bulk != Bulk::None {
            self.row(f, "bulk transfer, Gbit/s", Window::rate)?;
            self.row(f, "CPU of the stack, s/GB", |window| window.cpu.as_secs_f64() / window.bytes as f64 * 1e9)?;
        }
        self.row(f, "CPU of the stack, %", |window| share(window.cpu, window))?;
        self.row(f, "CPU of the flooder, %", |window| share(window.flood_cpu, window))?;
        self.row(f, "CPU of the machine, %", |window| 100.0 * window.busy / window.span.as_secs_f64())?;
        self.row(f, "stolen by other machines, %", |window| 100.0 * window.stolen)?;
        self.counts(f, "SYNs", |window| window.syns)?;
        self.counts(f, "  lost before the stack saw them", |window| window.syns_lost)?;
        self.counts(f, "cookies sent", |window| window.cookies)?;
        self.counts(f, "cookies that came back", |window| window.cookies_back)?;
        self.counts(f, "overflows of a queue", |window| window.overflows)?;
        self.counts(f, "new clients served", |window| (window.visits.len() - window.refused()) as u64)?;
        self.counts(f, "new clients refused", |window| window.refused() as u64)?;
        for (name, share) in [("  page after ms, median", 0.5), ("  99 of 100 within", 0.99), ("  all within", 1.0)] {
            self.latencies(f, name, share)?;
        }
        self.row(f, "connections at most", |window| window.connections as f64)?;
        self.row(f, "buffers at most, MiB", |window| window.buffered as f64 / MIB)?;
        self.row(f, "memory of the process, MiB", |window| window.resident / MIB)?;
        if *bulk == Bulk::None {
            let cost = |[without, with]: &[Window; 2]| {
                (with.cpu.as_secs_f64() - without.cpu.as_secs_f64()) * 1e6 / with.syns as f64
            };
            let [middle, least, most] = spread(pairs.iter().map(cost).collect());
            return writeln!(f, "a SYN costs the stack {middle:.2} µs of CPU ({least:.2} to {most:.2})");
        }
        let [middle, least, most] = self.kept(Window::rate);
        writeln!(
            f,
            "the transfer keeps {:.0} % of its rate ({:.0} to {:.0})",
            100.0 * middle,
            100.0 * least,
            100.0 * most
        )
    }
}
