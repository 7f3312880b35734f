//! Values with units, as a file writes them. Times, rates and chances are netem's; sizes are bytes.

use super::reader::expected;
use crate::device::fault::{Spec, SpecError};
use std::time::Duration;
use toml::Value;

const SIZE: &str = "bytes, as a number or with a unit (kB, MB, GB, KiB, MiB or GiB), like \"10MB\"";
const UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// What netem would understand of `word value`, with a delay in front where it is asked for one.
pub fn netem(word: &str, value: &Value) -> Result<Spec, String> {
    let value = match value {
        Value::String(text) => text.clone(),
        // A share in percent, or none at all.
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            return Err(expected(value, format_args!("what netem's word `{word}` takes")));
        }
    };
    let before = if word == "reorder" { "delay 1ms " } else { "" };
    format!("{before}{word} {value}").parse().map_err(|error| match error {
        SpecError::BadValue { value, expected, .. } => format!("{value:?}: expected {expected}"),
        SpecError::UnknownWord { word } => format!("{word:?} has no place there: `{value}` says more than one thing"),
        other @ (SpecError::MissingValue { .. } | SpecError::Repeated { .. } | SpecError::ReorderWithoutDelay) => {
            other.to_string()
        }
    })
}

/// A time with its unit.
pub fn time(value: &Value) -> Result<Duration, String> {
    let spec = netem("delay", value)?;
    match spec.jitter.is_zero() {
        true => Ok(spec.delay),
        false => Err(expected(value, "one time, like \"20ms\"")),
    }
}

pub fn rate(value: &Value) -> Result<u64, String> {
    netem("rate", value)?.rate.ok_or_else(|| expected(value, "a rate"))
}

pub fn size(value: &Value) -> Result<u64, String> {
    let bytes = match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => size_of(text),
        Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    };
    bytes.ok_or_else(|| expected(value, SIZE))
}

fn size_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim_start());
    let factor = if unit.is_empty() { 1 } else { UNITS.iter().find(|(name, _)| *name == unit)?.1 };
    let bytes = number.parse::<f64>().ok()? * factor as f64;
    (bytes <= 1e18).then(|| bytes.round() as u64)
}

/// A whole number in a range.
pub fn number(value: &Value, range: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let (start, end) = range.into_inner();
        let most = if end == u64::MAX { "up".to_owned() } else { format!("to {end}") };
        expected(value, format_args!("a whole number from {start} {most}"))
    })
}

pub fn switch(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| expected(value, "true or false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_their_units() {
        for (text, bytes) in
            [("10MB", Some(10_000_000)), ("1.5 kB", Some(1500)), ("64KiB", Some(65_536)), ("7", Some(7))]
        {
            assert_eq!(size(&Value::from(text)).ok(), bytes, "{text}");
        }
        for text in ["", "MB", "10mb", "1e3", "-1", "10 20"] {
            assert!(size(&Value::from(text)).is_err(), "{text}");
        }
        assert_eq!(size(&Value::from(-1)).expect_err("negative"), format!("-1: expected {SIZE}"));
    }

    #[test]
    fn netems_words_keep_their_own_messages() {
        assert_eq!(netem("loss", &Value::from(0.5)).map(|spec| spec.loss.percent), Ok(0.5));
        assert_eq!(netem("reorder", &Value::from("2% gap 5")).map(|spec| spec.gap), Ok(5));
        for (word, value, message) in [
            ("loss", Value::from("many"), "\"many\": expected a share from 0% to 100%, like 2%"),
            (
                "loss",
                Value::from("1% rate 5mbit x"),
                "\"x\" has no place there: `1% rate 5mbit x` says more than one thing",
            ),
            ("rate", Value::from(10), "\"10\": expected a rate with its unit (bit, kbit, mbit or gbit), like 10mbit"),
            ("delay", Value::from(true), "true: expected what netem's word `delay` takes"),
        ] {
            assert_eq!(netem(word, &value).expect_err(word), message);
        }
        assert_eq!(time(&Value::from("20ms 5ms")).expect_err("two"), "\"20ms 5ms\": expected one time, like \"20ms\"");
    }
}
