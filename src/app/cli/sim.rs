//! `strata sim`: experiments from files, in virtual time.

use super::failure::{Doing, Failure};
use crate::app::experiments::{File, Job, Record, Results, Shard, Sweep, run_all, table};
use crate::event::Observer;
use crate::probe::capture;
use crate::sim::experiment::Problem;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Run an experiment in virtual time: hosts, links with faults, flows, from a file
///
/// The same file and seed give the same result on every machine. With --sweep a whole grid is run on all cores; each
/// run is kept in a file, so that a sweep that was stopped goes on where it was.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    strata sim labs/lossy-link.toml\n  \
    strata sim labs/lossy-link.toml --sweep 'loss=0,0.1,1,3 rtt=1,20,100 congestion=reno,cubic' --csv\n  \
    strata sim labs/lossy-link.toml --sweep 'loss=0,1 seed=1..100' --shard 2/8\n\
    The keys of a file, and what a sweep may set, are in the manual's chapter on the simulator.\n\
    Exit status: 0 well, 1 a flow did not finish, 2 wrong use or a file that describes no experiment.")]
pub struct Sim {
    /// The experiment
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,

    /// Run every combination: 'loss=0,0.1,1 rtt=1,20,100 congestion=reno,cubic seed=1..5'
    #[arg(long, value_name = "AXES")]
    sweep: Option<Sweep>,

    /// Run only every Nth point of the grid, beginning with the Kth, for one of N machines
    #[arg(long, value_name = "K/N", requires = "sweep")]
    shard: Option<Shard>,

    /// Where the results of a sweep are kept and found again [default: FILE.results.jsonl in the working folder]
    #[arg(long, value_name = "FILE.jsonl", requires = "sweep")]
    results: Option<PathBuf>,

    /// How many runs go on at the same time [default: one for each core]
    #[arg(long, value_name = "N", requires = "sweep")]
    jobs: Option<usize>,

    /// Decides everything that is left to chance, instead of the file's own seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// One JSON object a run instead of a table
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// One row of CSV a flow instead of a table
    #[arg(long)]
    csv: bool,

    /// Write a capture of one host with our comments, for Wireshark
    #[arg(short = 'w', long, value_name = "FILE.pcapng", conflicts_with = "sweep")]
    capture: Option<PathBuf>,

    /// The host of the capture [default: where the first flow comes from]
    #[arg(long, value_name = "NAME", requires = "capture")]
    host: Option<String>,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::wrong_use(problem.to_string())
    }
}

impl Sim {
    pub fn run(self) -> Result<u8, Failure> {
        let shown = self.file.display();
        let text = std::fs::read_to_string(&self.file).map_err(|error| {
            Failure::wrong_use(format!("{shown}: {error}; name a file that describes an experiment"))
        })?;
        let mut file = File::parse(&text).map_err(|error| Failure::wrong_use(format!("{shown}: {error}")))?;
        if let Some(seed) = self.seed {
            let seed = i64::try_from(seed).map_err(|_| Failure::wrong_use("--seed: at most 9223372036854775807"))?;
            file.table.insert("seed".into(), seed.into());
        }
        let sweep = self.sweep.clone().unwrap_or_default();
        let in_file = |problem: Problem| Failure::wrong_use(format!("{shown}: {problem}"));
        let jobs = file.jobs(&sweep, self.shard).map_err(in_file)?;
        if self.sweep.is_some() { self.run_sweep(&sweep, &jobs) } else { self.run_one(&file, &jobs) }
    }

    fn run_one(&self, file: &File, jobs: &[Job]) -> Result<u8, Failure> {
        let job = jobs.first().expect("a grid without axes has one point");
        let record = match &self.capture {
            Some(path) => self.run_captured(path, job)?,
            None => job.run()?,
        };
        if !(self.json || self.csv)
            && let Some(about) = file.about()
        {
            anstream::println!("{about}\n");
        }
        self.tell(&[&record], || table::run(&record))?;
        Ok(status([&record]))
    }

    fn run_captured(&self, path: &Path, job: &Job) -> Result<Record, Failure> {
        let wanted = self.host.as_ref().unwrap_or(&job.experiment.flows[0].from);
        if !job.experiment.hosts.iter().any(|host| host.name == *wanted) {
            let names: Vec<&str> = job.experiment.hosts.iter().map(|host| host.name.as_str()).collect();
            return Err(Failure::wrong_use(format!("--host {wanted}: there is none; there are {}", names.join(", "))));
        }
        let shown = path.display();
        let output = std::fs::File::create(path).doing(format_args!("cannot create {shown}"))?;
        let about = capture::Options {
            description: format!("{wanted} in {}", self.file.display()),
            reproducible: true,
            ..capture::Options::default()
        };
        let capture = capture::direct(BufWriter::new(output), &about)?;
        let watch = capture.clone();
        let record =
            job.run_watched(|host| (host.name == *wanted).then(|| Box::new(watch.clone()) as Box<dyn Observer>))?;
        drop(watch);
        let (_, sink) = capture.finish().doing(format_args!("writing {shown}"))?;
        sink.into_inner().flush().doing(format_args!("writing {shown}"))?;
        Ok(record)
    }

    fn run_sweep(&self, sweep: &Sweep, jobs: &[Job]) -> Result<u8, Failure> {
        let path = self.results.clone().unwrap_or_else(|| self.results_beside());
        let shown = path.display().to_string();
        let mark = jobs.first().map(|job| job.mark.clone()).unwrap_or_default();
        let in_results = |error: &dyn std::fmt::Display| Failure::failed(format!("{shown}: {error}"));
        let mut results = Results::open(&path, &mark).map_err(|error| in_results(&error))?;
        let missing: Vec<Job> = jobs.iter().filter(|job| results.get(&job.key()).is_none()).cloned().collect();
        let progress = progress(jobs.len(), jobs.len() - missing.len());
        let threads = self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        run_all(&missing, threads, |record| {
            progress.inc(1);
            results.add(record).map_err(|error| in_results(&error))
        })?;
        progress.finish_and_clear();
        let records: Vec<&Record> = jobs.iter().filter_map(|job| results.get(&job.key())).collect();
        let axes: Vec<&str> = sweep.axes().collect();
        self.tell(&records, || table::sweep(&axes, &records))?;
        Ok(status(records))
    }

    /// In the working folder, called after the file and the shard.
    fn results_beside(&self) -> PathBuf {
        let stem = self.file.file_stem().map_or_else(|| "sim".into(), |stem| stem.to_string_lossy().into_owned());
        match self.shard {
            Some(Shard { number, count }) => format!("{stem}.results.{number}-of-{count}.jsonl").into(),
            None => format!("{stem}.results.jsonl").into(),
        }
    }

    fn tell(&self, records: &[&Record], table: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            for record in records {
                anstream::println!("{}", serde_json::to_string(record).doing("a result as JSON")?);
            }
        } else if self.csv {
            let mut writer = csv::Writer::from_writer(anstream::stdout());
            for (place, record) in records.iter().enumerate() {
                record.write_csv(&mut writer, place == 0).doing("writing CSV")?;
            }
            writer.flush()?;
        } else {
            anstream::print!("{}", table());
        }
        Ok(())
    }
}

/// On a terminal only: elsewhere it draws nothing.
fn progress(all: usize, done: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} runs, {elapsed} gone, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(all as u64).with_style(style).with_position(done as u64);
    bar.reset_eta();
    bar
}

fn status<'a>(records: impl IntoIterator<Item = &'a Record>) -> u8 {
    u8::from(records.into_iter().flat_map(|record| &record.flows).any(|flow| !flow.finished))
}
