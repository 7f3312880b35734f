//! A grid of settings: every value of each axis with every value of the others.
//!
//! ```
//! use strata::app::experiments::Sweep;
//!
//! let sweep: Sweep = "loss=0,1 seed=1..3".parse()?;
//! assert_eq!(sweep.points().map(|point| point.to_string()).collect::<Vec<_>>(), [
//!     "loss=0 seed=1", "loss=0 seed=2", "loss=0 seed=3", "loss=1 seed=1", "loss=1 seed=2", "loss=1 seed=3",
//! ]);
//! # Ok::<(), strata::app::experiments::SweepError>(())
//! ```

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// More points than anybody means.
const MOST_POINTS: usize = 1_000_000;

/// The axes of a grid.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sweep {
    axes: Vec<(String, Vec<String>)>,
}

/// One combination: what each axis is set to, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Point {
    pub settings: Vec<(String, String)>,
}

/// A part of a grid: every `count`th point, beginning with the `number`th (from 1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    pub number: usize,
    pub count: usize,
}

/// Why a text is no grid, or no part of one.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SweepError {
    #[error("{axis:?}: write NAME=VALUE,VALUE.. with blanks between the axes, like loss=0,1 rtt=10,100 seed=1..5")]
    NoAxis { axis: String },
    #[error("{axis}: a value is missing between the commas")]
    EmptyValue { axis: String },
    #[error("{axis} is said twice")]
    Repeated { axis: String },
    #[error("the grid has {points} points: at most {MOST_POINTS} are allowed")]
    TooLarge { points: usize },
    #[error("{text:?}: write NUMBER/COUNT, like 2/8, with a number from 1 to the count")]
    NoShard { text: String },
}

impl Sweep {
    pub fn axes(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|(name, _)| name.as_str())
    }

    /// How many points there are; a grid without axes has one.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|(_, values)| values.len()).fold(1, usize::saturating_mul)
    }

    pub fn is_empty(&self) -> bool {
        self.axes.is_empty()
    }

    /// All of them; the last axis changes fastest.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        (0..self.len()).map(|index| self.point(index))
    }

    fn point(&self, mut index: usize) -> Point {
        let mut settings = Vec::with_capacity(self.axes.len());
        for (name, values) in self.axes.iter().rev() {
            settings.push((name.clone(), values[index % values.len()].clone()));
            index /= values.len();
        }
        settings.reverse();
        Point { settings }
    }
}

impl FromStr for Sweep {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Sweep, SweepError> {
        let mut axes = Vec::<(String, Vec<String>)>::new();
        for word in text.split_whitespace() {
            let no_axis = || SweepError::NoAxis { axis: word.to_owned() };
            let (name, values) = word.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(no_axis)?;
            if axes.iter().any(|(other, _)| other == name) {
                return Err(SweepError::Repeated { axis: name.to_owned() });
            }
            let values: Vec<String> = values.split(',').flat_map(expand).collect();
            if values.iter().any(String::is_empty) {
                return Err(SweepError::EmptyValue { axis: name.to_owned() });
            }
            axes.push((name.to_owned(), values));
        }
        let sweep = Sweep { axes };
        match sweep.len() {
            points if points > MOST_POINTS => Err(SweepError::TooLarge { points }),
            _ => Ok(sweep),
        }
    }
}

/// `1..3` is 1, 2, 3; anything else is itself. A range longer than any grid may be is cut, and the grid refused.
fn expand(value: &str) -> Vec<String> {
    let range =
        value.split_once("..").and_then(|(from, to)| Some((from.parse::<u64>().ok()?, to.parse::<u64>().ok()?)));
    match range {
        Some((from, to)) if from <= to => (from..=to).take(MOST_POINTS + 1).map(|number| number.to_string()).collect(),
        Some(_) | None => vec![value.to_owned()],
    }
}

impl Point {
    pub fn get(&self, axis: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == axis).map(|(_, value)| value.as_str())
    }
}

/// `loss=0.1 rtt=20`
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.settings.iter().enumerate() {
            write!(f, "{}{name}={value}", if place == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl Shard {
    /// Is the point at this place of the grid (from 0) in this part?
    pub fn has(&self, place: usize) -> bool {
        place % self.count == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Shard, SweepError> {
        let pair = text.split_once('/').and_then(|(number, count)| Some((number.parse().ok()?, count.parse().ok()?)));
        match pair {
            Some((number, count)) if (1..=count).contains(&number) => Ok(Shard { number, count }),
            Some(_) | None => Err(SweepError::NoShard { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_grid_says_how_one_is_written() {
        for (text, message) in [
            (
                "loss",
                r#""loss": write NAME=VALUE,VALUE.. with blanks between the axes, like loss=0,1 rtt=10,100 seed=1..5"#,
            ),
            (
                "=1",
                r#""=1": write NAME=VALUE,VALUE.. with blanks between the axes, like loss=0,1 rtt=10,100 seed=1..5"#,
            ),
            ("loss=1,,2", "loss: a value is missing between the commas"),
            ("loss=1 loss=2", "loss is said twice"),
            ("seed=1..2000000", "the grid has 1000001 points: at most 1000000 are allowed"),
        ] {
            assert_eq!(text.parse::<Sweep>().expect_err(text).to_string(), message);
        }
        assert_eq!(
            "seed=5..1".parse::<Sweep>().map(|sweep| sweep.len()),
            Ok(1),
            "no range, so the value's reader complains"
        );
    }

    #[test]
    fn shards_divide_the_grid() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].map(|text| text.parse().expect("a shard")).into();
        for place in 0..20 {
            assert_eq!(shards.iter().filter(|shard| shard.has(place)).count(), 1, "point {place}");
        }
        for text in ["", "2", "0/3", "4/3", "1/0", "a/b"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
