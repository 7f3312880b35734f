//! What a command ends with when it does not end well: a sentence and an exit status.

use std::fmt;
use std::io;

/// 1: what was asked for failed. 2: it was asked for in a wrong way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub status: u8,
    pub sentence: String,
}

impl Failure {
    pub fn failed(sentence: impl Into<String>) -> Failure {
        Failure { status: 1, sentence: sentence.into() }
    }

    pub fn wrong_use(sentence: impl Into<String>) -> Failure {
        Failure { status: 2, sentence: sentence.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::failed(error.to_string())
    }
}

/// Tells what was being done when something failed: `capture.finish().doing("writing the capture")?`.
pub trait Doing<T> {
    fn doing(self, what: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::failed(format!("{what}: {error}")))
    }
}
