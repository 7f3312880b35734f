//! Experiments from files: one run or a grid of them, told as a table, as JSON lines or as CSV.
//!
//! | file | what it does |
//! |---|---|
//! | `file`, `reader`, `units` | a TOML file as an [`Experiment`](crate::sim::experiment::Experiment), with errors that name the key |
//! | `sweep`, `place` | a grid of settings, and where each goes in the file |
//! | `runner` | runs on all cores |
//! | `record`, `results` | what is kept of a run, and the file that a sweep can be taken up from |
//! | `table` | the same for people |
//!
//! Invariants: the same file, point and seed give the same record; a result is in its file as a whole or not at all.

mod file;
mod place;
mod reader;
mod record;
mod results;
mod runner;
mod sweep;
pub mod table;
mod units;

pub use file::File;
pub use record::{FlowRow, Record, WireRow};
pub use results::{Results, ResultsError};
pub use runner::{Job, run_all};
pub use sweep::{Point, Shard, Sweep, SweepError};
