//! Runs on all cores.

use super::File;
use super::record::Record;
use super::sweep::{Point, Shard, Sweep};
use crate::event::Observer;
use crate::sim::experiment::{Experiment, Host, Problem};
use std::hash::Hasher;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// One run that is to be done.
#[derive(Clone, Debug)]
pub struct Job {
    /// The mark of its experiment.
    pub mark: String,
    pub point: Point,
    pub experiment: Experiment,
}

impl Job {
    /// By what its result is found.
    pub fn key(&self) -> (String, u64) {
        (self.point.to_string(), self.experiment.seed)
    }

    pub fn run(&self) -> Result<Record, Problem> {
        self.run_watched(|_| None)
    }

    /// The same with somebody who watches a host.
    pub fn run_watched(&self, watch: impl FnMut(&Host) -> Option<Box<dyn Observer>>) -> Result<Record, Problem> {
        let outcome = self.experiment.run_watched(watch)?;
        let links: Vec<[String; 2]> = self.experiment.links.iter().map(|link| link.between.clone()).collect();
        Ok(Record::new(&self.mark, &self.point, self.experiment.seed, &links, &outcome))
    }
}

impl File {
    /// The same for files of the same keys and values, whatever their seed and their comments.
    pub fn mark(&self) -> String {
        let mut table = self.table.clone();
        table.remove("seed");
        table.remove("about");
        let mut hasher = siphasher::sip::SipHasher13::new();
        hasher.write(table.to_string().as_bytes());
        format!("{:016x}", hasher.finish())
    }

    /// Every run of a grid that is in the shard, each checked before the first one begins.
    pub fn jobs(&self, sweep: &Sweep, shard: Option<Shard>) -> Result<Vec<Job>, Problem> {
        let mark = self.mark();
        let points = sweep.points().enumerate().filter(|(place, _)| shard.is_none_or(|shard| shard.has(*place)));
        let job = |(_, point)| {
            let experiment = self.at(&point)?.experiment()?;
            Ok(Job { mark: mark.clone(), point, experiment })
        };
        points.map(job).collect()
    }
}

/// Runs all of `jobs` on so many threads and hands each result to `done` as it comes; the first error of either ends it.
pub fn run_all<E>(jobs: &[Job], threads: usize, mut done: impl FnMut(Record) -> Result<(), E>) -> Result<(), E>
where
    E: From<Problem>,
{
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed)
                    && let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    // Nobody listens any more once an error has ended it.
                    let _ = sender.send(job.run());
                }
            });
        }
        drop(sender);
        let outcome = results.iter().try_for_each(|result| result.map_err(E::from).and_then(&mut done));
        stop.store(true, Ordering::Relaxed);
        outcome
    })
}
