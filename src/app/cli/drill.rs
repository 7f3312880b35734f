//! `strata drill`: packet scripts against the stack, in virtual time.

use super::failure::{Doing, Failure};
use super::views::tree_style;
use crate::event::Observer;
use crate::probe::layer_tree::{self, Detail};
use crate::probe::{Fanout, capture, pcapng};
use crate::sim::script::record::{self, Choice, End, Flow};
use crate::sim::script::{self, Options, Outcome};
use crate::tcp::Config;
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Run packet scripts (.pkt) against the stack, in virtual time and without privileges
///
/// Prints a line for each in the form of the Test Anything Protocol. A script that asks for what there is not is
/// skipped and the reason told: it counts neither as passed nor as failed.
#[derive(Args, Debug)]
#[command(after_help = "Exit status: 0 none failed, 1 some failed, 2 wrong use or a file that is no packet script.")]
pub struct Drill {
    /// The scripts; of a folder, all in it and below
    #[arg(value_name = "FILE.pkt", required_unless_present = "record")]
    scripts: Vec<PathBuf>,

    /// The stack whose policy the scripts were written for
    #[arg(long, value_name = "NAME", default_value = "strata", value_parser = PossibleValuesParser::new(Config::PROFILES))]
    profile: String,

    /// Overlook what stacks may do in different ways: order of options, sizes of windows, superseded acknowledgments
    #[arg(long)]
    relaxed: bool,

    /// Replace a word in all scripts; may be given several times
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE", value_parser = definition)]
    defines: Vec<(String, String)>,

    /// How far times may be off, in microseconds, unless a script says
    #[arg(long = "tolerance-usecs", alias = "tolerance_usecs", value_name = "N")]
    tolerance_usecs: Option<u32>,

    /// Leave captures of failed scripts in this folder instead of beside them
    #[arg(long, value_name = "DIR")]
    capture: Option<PathBuf>,

    /// One JSON object a script instead of TAP
    #[arg(long)]
    json: bool,

    /// Show the layers of every frame
    #[arg(long)]
    trace: bool,

    /// Write a script of a TCP connection in this capture (pcapng or pcap) instead of running any
    #[arg(long, value_name = "FILE.pcapng", conflicts_with = "scripts")]
    record: Option<PathBuf>,

    /// Which connection to record: its number, or an address of one of its ends; the first by default
    #[arg(long, value_name = "N|ADDR[:PORT]")]
    flow: Option<Flow>,

    /// Which end of it is the stack: the side that answered by default
    #[arg(long, value_name = "ADDR[:PORT]")]
    local: Option<End>,

    /// Where to write the recorded script instead of the standard output
    #[arg(short, long, value_name = "FILE.pkt")]
    output: Option<PathBuf>,
}

/// What is told of one script.
struct Report {
    outcome: Result<Outcome, Failure>,
    /// The capture of a failure.
    capture: Option<PathBuf>,
    trace: Vec<u8>,
}

impl Drill {
    pub fn run(self) -> Result<u8, Failure> {
        if let Some(capture) = &self.record {
            return self.write_script(capture);
        }
        if self.flow.is_some() || self.local.is_some() || self.output.is_some() {
            return Err(Failure::wrong_use("--flow, --local and --output say how to --record a capture"));
        }
        let mut files = Vec::new();
        for path in &self.scripts {
            collect(path, &mut files)?;
        }
        if files.is_empty() {
            return Err(Failure::wrong_use("no .pkt file in what was named"));
        }
        let reports = self.run_all(&files);
        if !self.json {
            anstream::println!("1..{}", files.len());
        }
        let mut status = 0;
        for (index, (file, report)) in files.iter().zip(&reports).enumerate() {
            anstream::print!("{}", String::from_utf8_lossy(&report.trace));
            if self.json {
                tell_json(file, report)
            } else {
                tell_tap(index + 1, file, report)
            }
            status = status.max(match &report.outcome {
                Ok(Outcome::Passed | Outcome::Unsupported { .. }) => 0,
                Ok(Outcome::Failed { .. }) => 1,
                Err(failure) => failure.status,
            });
        }
        Ok(status)
    }

    /// Makes a script of a capture.
    fn write_script(&self, capture: &Path) -> Result<u8, Failure> {
        let shown = capture.display();
        let wrong = |error: &dyn Display| Failure::wrong_use(format!("{shown}: {error}"));
        let file = std::fs::File::open(capture).map_err(|error| wrong(&error))?;
        let frames = pcapng::read(std::io::BufReader::new(file)).map_err(|error| wrong(&error))?;
        let name = capture.file_name().unwrap_or_default().to_string_lossy();
        let choice = Choice { flow: self.flow, local: self.local };
        let text = record::record(&frames, &name, &choice).map_err(|error| wrong(&error))?;
        match &self.output {
            None => anstream::print!("{text}"),
            Some(path) => std::fs::write(path, text).doing(format_args!("cannot write {}", path.display()))?,
        }
        Ok(0)
    }

    /// On all cores; the reports stand in the order of the files.
    fn run_all(&self, files: &[PathBuf]) -> Vec<Report> {
        let (next, reports) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(files.len());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(file) = files.get(index) else { return };
                        let report = self.run_one(file);
                        reports.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(index, report);
                    }
                });
            }
        });
        reports.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_values().collect()
    }

    fn run_one(&self, file: &Path) -> Report {
        match self.try_one(file) {
            Ok(report) => report,
            Err(failure) => Report { outcome: Err(failure), capture: None, trace: Vec::new() },
        }
    }

    fn try_one(&self, file: &Path) -> Result<Report, Failure> {
        let shown = file.display();
        let source = std::fs::read_to_string(file).map_err(|error| Failure::wrong_use(format!("{shown}: {error}")))?;
        let defines = self.defines.iter().cloned().collect();
        let mut script =
            script::parse_with(&source, &defines).map_err(|error| Failure::wrong_use(format!("{shown}:{error}")))?;
        if let Some(micros) = self.tolerance_usecs {
            script.set("tolerance_usecs", i64::from(micros));
        }
        let profile = Options::profile(&self.profile).expect("clap lets only names of profiles through");
        let options = Options { relaxed: self.relaxed, ..profile };
        let about = capture::Options {
            description: format!("strata drill {shown}"),
            reproducible: true,
            ..capture::Options::default()
        };
        let recording = capture::direct(Vec::new(), &about)?;
        let tree = layer_tree::direct(Vec::new(), tree_style(&std::io::stdout(), Detail::Brief));
        let mut observer = Fanout::new().with(recording.clone());
        if self.trace {
            observer.push(tree.clone());
        }
        let observer: Option<Box<dyn Observer>> = observer.into_observer();
        let outcome = script::run(&script, &options, observer);
        let (_, recorded) = recording.finish().doing("the capture")?;
        let (_, drawn) = tree.finish().doing("drawing the layers")?;
        let capture = match &outcome {
            Outcome::Failed { .. } => Some(self.keep(file, &recorded.into_inner())?),
            Outcome::Passed | Outcome::Unsupported { .. } => None,
        };
        Ok(Report { outcome: Ok(outcome), capture, trace: drawn.into_inner() })
    }

    /// Writes the capture of a failure.
    fn keep(&self, file: &Path, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let mut path = file.with_extension("pcapng");
        if let Some(folder) = &self.capture {
            std::fs::create_dir_all(folder).doing(format_args!("cannot make {}", folder.display()))?;
            path = folder.join(path.file_name().unwrap_or_default());
        }
        std::fs::write(&path, bytes).doing(format_args!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn definition(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE".into()),
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        files.push(path.into());
        return Ok(());
    }
    let wrong = |error| Failure::wrong_use(format!("{}: {error}", path.display()));
    let entries: Result<Vec<_>, _> = std::fs::read_dir(path).map_err(wrong)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(wrong)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.is_dir() || path.extension().is_some_and(|end| end == "pkt")) {
        collect(path, files)?;
    }
    Ok(())
}

fn tell_tap(number: usize, file: &Path, report: &Report) {
    let file = file.display();
    match &report.outcome {
        Ok(Outcome::Passed) => anstream::println!("ok {number} - {file}"),
        Ok(Outcome::Unsupported { line, reason }) => {
            anstream::println!("ok {number} - {file} # SKIP unsupported: {reason} (line {line})");
        }
        Ok(Outcome::Failed { line, expected, got }) => {
            anstream::println!("not ok {number} - {file}\n  ---\n  at: {file}:{line}");
            anstream::println!("  expected: {}\n  got:      {}", indented(expected), indented(got));
            if let Some(capture) = &report.capture {
                anstream::println!("  capture:  {}", capture.display());
            }
            anstream::println!("  ...");
        }
        Err(failure) => {
            anstream::println!("not ok {number} - {file}\n  ---\n  error: {}\n  ...", indented(&failure.sentence))
        }
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

fn tell_json(file: &Path, report: &Report) {
    let file = file.display().to_string();
    let object = match &report.outcome {
        Ok(Outcome::Passed) => serde_json::json!({ "file": file, "outcome": "passed" }),
        Ok(Outcome::Unsupported { line, reason }) => {
            serde_json::json!({ "file": file, "outcome": "unsupported", "line": line, "reason": reason })
        }
        Ok(Outcome::Failed { line, expected, got }) => {
            let capture = report.capture.as_ref().map(|path| path.display().to_string());
            serde_json::json!({
                "file": file, "outcome": "failed", "line": line, "expected": expected, "got": got, "capture": capture
            })
        }
        Err(failure) => serde_json::json!({ "file": file, "outcome": "error", "reason": failure.sentence }),
    };
    anstream::println!("{object}");
}
