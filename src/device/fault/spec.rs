//! What should go wrong, in netem's words.

use std::fmt;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

/// The faults of one direction. Its text is what `tc qdisc add ... netem` takes.
///
/// ```
/// use strata::device::fault::Spec;
///
/// let spec: Spec = "loss 2% delay 20ms 5ms reorder 1% 25% rate 10mbit".parse()?;
/// assert_eq!(spec.loss.percent, 2.0);
/// assert_eq!(spec.to_string(), "loss 2% delay 20ms 5ms reorder 1% 25% rate 10mbit");
/// # Ok::<(), strata::device::fault::SpecError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spec {
    pub loss: Chance,
    /// What would be lost is marked instead, if its transport knows of ECN (RFC 3168 §5): `loss 2% ecn`.
    pub mark: bool,
    /// How long every frame is held back.
    pub delay: Duration,
    /// The delay varies evenly by up to this much, both ways. Where it does, frames overtake each other.
    pub jitter: Duration,
    /// How much each delay depends on the one before, in percent.
    pub delay_correlation: f64,
    /// Frames that skip the delay, and so overtake those that wait.
    pub reorder: Chance,
    /// Only every so-many'th frame may skip the delay.
    pub gap: u32,
    pub duplicate: Chance,
    /// Frames of which one bit is turned over.
    pub corrupt: Chance,
    /// Bits a second.
    pub rate: Option<u64>,
    /// How many frames wait at most; what comes on top is lost.
    pub limit: usize,
}

/// How often something happens, in percent, and how much that depends on whether it just happened.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Chance {
    pub percent: f64,
    pub correlation: f64,
}

impl Default for Spec {
    /// No faults; netem's queue of 1000 frames.
    fn default() -> Spec {
        let never = Chance::default();
        Spec {
            loss: never,
            mark: false,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            delay_correlation: 0.0,
            reorder: never,
            gap: 1,
            duplicate: never,
            corrupt: never,
            rate: None,
            limit: 1000,
        }
    }
}

impl Spec {
    /// Does nothing go wrong?
    pub fn is_none(&self) -> bool {
        *self == Spec::default()
    }
}

/// Why a text describes no faults.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum SpecError {
    #[error("unknown fault {word:?}: known are loss, delay, reorder, duplicate, corrupt, rate and limit")]
    UnknownWord { word: String },
    #[error("{word} lacks its value: expected {expected}")]
    MissingValue { word: &'static str, expected: &'static str },
    #[error("{word} {value:?}: expected {expected}")]
    BadValue { word: &'static str, value: String, expected: &'static str },
    #[error("{word} is said twice")]
    Repeated { word: &'static str },
    #[error("reorder needs a delay: a frame can only overtake frames that wait")]
    ReorderWithoutDelay,
}

const PERCENT: &str = "a share from 0% to 100%, like 2%";
const TIME: &str = "a time with its unit (s, ms, us or ns), like 20ms";
const RATE: &str = "a rate with its unit (bit, kbit, mbit or gbit), like 10mbit";
const COUNT: &str = "a whole number from 1, like 1000";

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Spec, SpecError> {
        let mut spec = Spec::default();
        if text.trim() == "none" {
            return Ok(spec);
        }
        let mut words = Words { rest: text.split_whitespace(), seen: Vec::new() };
        while let Some(word) = words.rest.next() {
            match word {
                // tc knows `drop` as another name, and `random` as the model that both mean.
                "loss" | "drop" => {
                    words.once("loss")?;
                    words.optional(|value| (value == "random").then_some(()));
                    spec.loss = words.chance("loss")?;
                    spec.mark =
                        words.optional(|value| (value == "ecn").then_some(())).is_some() && spec.loss.percent > 0.0;
                }
                "delay" => {
                    words.once("delay")?;
                    spec.delay = words.value("delay", TIME, time)?;
                    spec.jitter = words.optional(time).unwrap_or_default();
                    spec.delay_correlation = words.correlation();
                }
                "reorder" => {
                    words.once("reorder")?;
                    spec.reorder = words.chance("reorder")?;
                    if words.optional(|value| (value == "gap").then_some(())).is_some() {
                        spec.gap = words.value("gap", COUNT, count)? as u32;
                    }
                }
                "duplicate" => {
                    words.once("duplicate")?;
                    spec.duplicate = words.chance("duplicate")?;
                }
                "corrupt" => {
                    words.once("corrupt")?;
                    spec.corrupt = words.chance("corrupt")?;
                }
                "rate" => {
                    words.once("rate")?;
                    spec.rate = Some(words.value("rate", RATE, rate)?);
                }
                "limit" => {
                    words.once("limit")?;
                    spec.limit = words.value("limit", COUNT, count)?;
                }
                unknown => return Err(SpecError::UnknownWord { word: unknown.to_owned() }),
            }
        }
        if spec.reorder.percent > 0.0 && spec.delay.is_zero() {
            return Err(SpecError::ReorderWithoutDelay);
        }
        Ok(spec)
    }
}

struct Words<'a> {
    rest: SplitWhitespace<'a>,
    seen: Vec<&'static str>,
}

impl Words<'_> {
    fn once(&mut self, word: &'static str) -> Result<(), SpecError> {
        if self.seen.contains(&word) {
            return Err(SpecError::Repeated { word });
        }
        self.seen.push(word);
        Ok(())
    }

    fn value<T>(
        &mut self,
        word: &'static str,
        expected: &'static str,
        read: fn(&str) -> Option<T>,
    ) -> Result<T, SpecError> {
        let value = self.rest.next().ok_or(SpecError::MissingValue { word, expected })?;
        read(value).ok_or_else(|| SpecError::BadValue { word, value: value.to_owned(), expected })
    }

    /// Takes the next word only if it reads as such a value.
    fn optional<T>(&mut self, read: fn(&str) -> Option<T>) -> Option<T> {
        let mut ahead = self.rest.clone();
        let value = ahead.next().and_then(read)?;
        self.rest = ahead;
        Some(value)
    }

    fn chance(&mut self, word: &'static str) -> Result<Chance, SpecError> {
        let percent_of_all = self.value(word, PERCENT, percent)?;
        Ok(Chance { percent: percent_of_all, correlation: self.correlation() })
    }

    fn correlation(&mut self) -> f64 {
        // With its sign, so that a number whose unit was forgotten is not taken for one.
        self.optional(|value| percent(value).filter(|_| value.ends_with('%'))).unwrap_or_default()
    }
}

fn percent(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix('%').unwrap_or(text).parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number)
}

fn count(text: &str) -> Option<usize> {
    text.parse::<u32>().ok().filter(|&number| number > 0).map(|number| number as usize)
}

/// As iproute2 spells them.
const TIME_UNITS: [(&str, f64); 10] = [
    ("nsecs", 1.0),
    ("nsec", 1.0),
    ("ns", 1.0),
    ("usecs", 1e3),
    ("usec", 1e3),
    ("us", 1e3),
    ("msecs", 1e6),
    ("msec", 1e6),
    ("ms", 1e6),
    ("s", 1e9),
];

fn time(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let nanos = with_unit(text, &TIME_UNITS)?;
    // An hour is longer than any frame should wait, and far from where the arithmetic ends.
    (nanos <= 3.6e12).then(|| Duration::from_nanos(nanos.round() as u64))
}

/// As iproute2 spells them: `bit` for bits, `bps` for bytes a second.
const RATE_UNITS: [(&str, f64); 8] = [
    ("gbit", 1e9),
    ("mbit", 1e6),
    ("kbit", 1e3),
    ("bit", 1.0),
    ("gbps", 8e9),
    ("mbps", 8e6),
    ("kbps", 8e3),
    ("bps", 8.0),
];

fn rate(text: &str) -> Option<u64> {
    let bits = with_unit(&text.to_ascii_lowercase(), &RATE_UNITS)?;
    (1.0..=1e15).contains(&bits).then(|| bits.round() as u64)
}

fn with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let digits = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    Some(number.parse::<f64>().ok()? * factor)
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        let chance = |word: &str, chance: Chance| {
            (chance != Chance::default())
                .then(|| format!("{word} {}{}", Percent(chance.percent), Also(chance.correlation)))
        };
        words.extend(chance("loss", self.loss).map(|loss| loss + if self.mark { " ecn" } else { "" }));
        if self.delay != Duration::ZERO || self.jitter != Duration::ZERO {
            let jitter = if self.jitter.is_zero() && self.delay_correlation == 0.0 {
                String::new()
            } else {
                format!(" {}", Time(self.jitter))
            };
            words.push(format!("delay {}{jitter}{}", Time(self.delay), Also(self.delay_correlation)));
        }
        if let Some(reorder) = chance("reorder", self.reorder) {
            words.push(reorder);
            words.extend((self.gap != 1).then(|| format!("gap {}", self.gap)));
        }
        words.extend(chance("duplicate", self.duplicate));
        words.extend(chance("corrupt", self.corrupt));
        words.extend(self.rate.map(|rate| format!("rate {}", Rate(rate))));
        if self.limit != Spec::default().limit {
            words.push(format!("limit {}", self.limit));
        }
        f.write_str(if words.is_empty() { "none" } else { "" })?;
        f.write_str(&words.join(" "))
    }
}

struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// A correlation, which goes unsaid when there is none.
struct Also(f64);

impl fmt::Display for Also {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0.0 { Ok(()) } else { write!(f, " {}", Percent(self.0)) }
    }
}

struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
        let (size, unit) = units.into_iter().find(|(size, _)| nanos.is_multiple_of(*size)).unwrap_or((1, "ns"));
        if nanos == 0 { f.write_str("0") } else { write!(f, "{}{unit}", nanos / size) }
    }
}

struct Rate(u64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000, "gbit"), (1_000_000, "mbit"), (1_000, "kbit")];
        let (size, unit) = units.into_iter().find(|(size, _)| self.0.is_multiple_of(*size)).unwrap_or((1, "bit"));
        write!(f, "{}{unit}", self.0 / size)
    }
}
