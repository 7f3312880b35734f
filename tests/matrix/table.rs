//! The tables in `tests/conformance/matrix/`, read into cases. Their language is described on the front page there.

use std::fmt;
use std::path::Path;

/// What the columns of a table mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Axis {
    /// Where the sequence number lies beside the receive window.
    Sequence,
    /// Where the acknowledgment number lies beside what was sent.
    Acknowledgment,
    /// The state knows no numbers.
    Anywhere,
}

/// One cell of a table, in one of the ways in which its state is reached.
#[derive(Clone, Debug)]
pub struct Case {
    pub state: String,
    pub way: String,
    pub axis: Axis,
    pub event: String,
    pub position: String,
    /// What must come back, and the state afterwards when it is another: `ack+1>CLOSE-WAIT`.
    pub expected: String,
    pub source: String,
    /// File and line of the row.
    pub place: String,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) {} {}", self.state, self.way, self.event, self.position)
    }
}

/// Every case of a file.
pub fn read(path: &Path, source: &str) -> Vec<Case> {
    let (mut state, mut ways, mut axis) = (String::new(), Vec::new(), Axis::Anywhere);
    let (mut columns, mut cases): (Vec<&str>, Vec<Case>) = (Vec::new(), Vec::new());
    for (index, line) in source.lines().enumerate() {
        let place = format!("{}:{}", path.display(), index + 1);
        let line = line.split("//").next().unwrap_or_default().trim();
        let (cells, why) = line.split_once('|').unwrap_or((line, ""));
        let mut words = cells.split_whitespace();
        let Some(first) = words.next() else { continue };
        let rest: Vec<&str> = words.collect();
        match first {
            "state" => {
                state = rest.concat();
                ways.clear();
            }
            "ways" => ways = rest,
            "seq" | "ack" | "any" => {
                axis = match first {
                    "seq" => Axis::Sequence,
                    "ack" => Axis::Acknowledgment,
                    _ => Axis::Anywhere,
                };
                columns = if axis == Axis::Anywhere { vec!["anywhere"] } else { rest };
            }
            event => {
                assert_eq!(rest.len(), columns.len(), "{place}: so many cells as columns");
                assert!(why.contains('§'), "{place}: a row says where it is written");
                for way in &ways {
                    cases.extend(columns.iter().zip(&rest).map(|(position, expected)| Case {
                        state: state.clone(),
                        way: (*way).to_owned(),
                        axis,
                        event: event.to_owned(),
                        position: (*position).to_owned(),
                        expected: (*expected).to_owned(),
                        source: why.trim().to_owned(),
                        place: place.clone(),
                    }));
                }
            }
        }
    }
    cases
}
