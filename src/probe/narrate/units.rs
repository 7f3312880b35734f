//! Numbers as people say them.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// `third`, `12th`.
pub struct Ordinal(pub u32);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match (self.0 % 10, self.0 % 100) {
            (1, rest) if rest != 11 => "st",
            (2, rest) if rest != 12 => "nd",
            (3, rest) if rest != 13 => "rd",
            (_, _) => "th",
        };
        let word: Cow<'static, str> = match self.0 {
            1 => "first".into(),
            2 => "second".into(),
            3 => "third".into(),
            4 => "fourth".into(),
            number => format!("{number}{ending}").into(),
        };
        f.write_str(&word)
    }
}

/// A span of time in the unit that suits it, three decimals at most: `201 ms`, `1.5 s`, `87 us`.
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (unit, name) = match nanos {
            0..1_000 => return write!(f, "{nanos} ns"),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        let (whole, thousandths) = (nanos / unit, nanos % unit * 1_000 / unit);
        let number = format!("{whole}.{thousandths:03}");
        write!(f, "{} {name}", number.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_end_as_people_say_them() {
        let said: Vec<_> = [1, 5, 11, 12, 13, 21, 22, 23, 101, 111].map(|number| Ordinal(number).to_string()).into();
        assert_eq!(said, ["first", "5th", "11th", "12th", "13th", "21st", "22nd", "23rd", "101st", "111th"]);
    }

    #[test]
    fn spans_take_the_unit_that_suits_them() {
        for (nanos, expected) in
            [(999, "999 ns"), (87_000, "87 us"), (1_500_000_000, "1.5 s"), (12_345_678, "12.345 ms")]
        {
            assert_eq!(Span(Duration::from_nanos(nanos)).to_string(), expected);
        }
    }
}
