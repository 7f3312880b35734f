//! The controllers by name: the one place that knows them all.

use super::{Bbr, CongestionControl, Cubic, Dctcp, Reno, Start, Unlimited};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A congestion controller that a connection can be told to use.
///
/// ```
/// use strata::tcp::{Config, congestion::Algorithm};
///
/// let config = Config { congestion: "reno".parse()?, ..Config::default() };
/// assert_eq!(config.congestion, Algorithm::RENO);
/// assert_eq!(
///     "vegas".parse::<Algorithm>().unwrap_err().to_string(),
///     "there is no congestion controller `vegas`; there are none, reno, cubic, bbr, dctcp",
/// );
/// # Ok::<(), strata::tcp::congestion::UnknownAlgorithm>(())
/// ```
#[derive(Clone, Copy)]
pub struct Algorithm {
    name: &'static str,
    summary: &'static str,
    begin: fn(&Start) -> Box<dyn CongestionControl>,
}

/// There is no controller of that name.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("there is no congestion controller `{name}`; there are {}", Algorithm::names())]
pub struct UnknownAlgorithm {
    pub name: String,
}

impl Algorithm {
    pub const NONE: Algorithm =
        Algorithm::new("none", "no control: a window that is always open", |start| Box::new(Unlimited::new(start)));
    pub const RENO: Algorithm =
        Algorithm::new("reno", "slow start, one segment a round, half at a loss (RFC 5681)", |start| {
            Box::new(Reno::new(start))
        });
    pub const CUBIC: Algorithm =
        Algorithm::new("cubic", "a window that grows with time, not with round trips (RFC 9438)", |start| {
            Box::new(Cubic::new(start))
        });

    pub const BBR: Algorithm =
        Algorithm::new("bbr", "paced by a model of the path, version 3 (draft-ietf-ccwg-bbr)", |start| {
            Box::new(Bbr::new(start))
        });

    pub const DCTCP: Algorithm =
        Algorithm::new("dctcp", "gives way by the share of packets that are marked (RFC 8257)", |start| {
            Box::new(Dctcp::new(start))
        });

    /// Those that are known by name. A program may use others.
    pub const ALL: &[Algorithm] =
        &[Algorithm::NONE, Algorithm::RENO, Algorithm::CUBIC, Algorithm::BBR, Algorithm::DCTCP];

    /// A controller of your own: its name, a line about it, and how it begins.
    pub const fn new(
        name: &'static str,
        summary: &'static str,
        begin: fn(&Start) -> Box<dyn CongestionControl>,
    ) -> Algorithm {
        Algorithm { name, summary, begin }
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in a line.
    pub const fn summary(&self) -> &'static str {
        self.summary
    }

    /// A controller for one connection.
    pub fn begin(&self, start: &Start) -> Box<dyn CongestionControl> {
        (self.begin)(start)
    }

    /// `none, reno, ..`: for messages.
    pub fn names() -> String {
        Algorithm::ALL.iter().map(Algorithm::name).collect::<Vec<_>>().join(", ")
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Algorithm, UnknownAlgorithm> {
        let known = Algorithm::ALL.iter().find(|known| known.name == name).copied();
        known.ok_or_else(|| UnknownAlgorithm { name: name.to_owned() })
    }
}

/// Two of one name are the same.
impl PartialEq for Algorithm {
    fn eq(&self, other: &Algorithm) -> bool {
        self.name == other.name
    }
}

impl Eq for Algorithm {}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.name, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_own_controller() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(*algorithm));
            assert!(!algorithm.summary().is_empty());
        }
        let names: std::collections::BTreeSet<_> = Algorithm::ALL.iter().map(Algorithm::name).collect();
        assert_eq!(names.len(), Algorithm::ALL.len(), "each once");
    }
}
