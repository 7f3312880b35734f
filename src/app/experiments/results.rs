//! A file of results: one run a line, added as soon as the run is over, found again when a sweep is taken up later.

use super::record::Record;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use thiserror::Error;

/// An open file of results.
#[derive(Debug)]
pub struct Results {
    file: File,
    /// By point and seed.
    found: BTreeMap<(String, u64), Record>,
}

/// Why a file of results cannot be used.
#[derive(Debug, Error)]
pub enum ResultsError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("line {line} is no result: {error}; name another file with --results")]
    NoResult { line: usize, error: serde_json::Error },
    #[error("line {line} comes from another experiment: name another file with --results, or take this one away")]
    OtherExperiment { line: usize },
}

impl Results {
    /// Opens or makes the file at `path` for the experiment of that mark, with what it already holds. A last line that
    /// was broken off, because whoever wrote it was stopped, is taken away.
    pub fn open(path: &Path, experiment: &str) -> Result<Results, ResultsError> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        let mut found = BTreeMap::new();
        for (index, line) in text[..whole].split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
        {
            let line_number = index + 1;
            let record: Record =
                serde_json::from_slice(line).map_err(|error| ResultsError::NoResult { line: line_number, error })?;
            if record.experiment != experiment {
                return Err(ResultsError::OtherExperiment { line: line_number });
            }
            found.insert(record.key(), record);
        }
        Ok(Results { file, found })
    }

    pub fn get(&self, key: &(String, u64)) -> Option<&Record> {
        self.found.get(key)
    }

    /// Adds a run, in one write, so that a line is there as a whole or not at all.
    pub fn add(&mut self, record: Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.found.insert(record.key(), record);
        Ok(())
    }
}
