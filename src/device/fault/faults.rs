//! The faults of both directions.

use super::spec::{Spec, SpecError};
use std::fmt;
use std::str::FromStr;

/// What goes wrong with frames that come in and with those that go out.
///
/// In text one [`Spec`] counts for both; `in` and `out` before one, with a semicolon between them, tell them apart:
/// `in loss 2%; out delay 20ms`. A direction that is not named has no faults then.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Faults {
    pub incoming: Spec,
    pub outgoing: Spec,
}

impl Faults {
    pub fn is_none(&self) -> bool {
        self.incoming.is_none() && self.outgoing.is_none()
    }
}

impl From<Spec> for Faults {
    fn from(spec: Spec) -> Faults {
        Faults { incoming: spec, outgoing: spec }
    }
}

impl FromStr for Faults {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Faults, SpecError> {
        let directed = |part: &str| {
            let (direction, spec) = part.trim().split_once(char::is_whitespace)?;
            Some((["in", "out"].into_iter().find(|name| *name == direction)?, spec.to_owned()))
        };
        if directed(text).is_none() {
            return Ok(text.parse::<Spec>()?.into());
        }
        let (mut incoming, mut outgoing) = (None, None);
        for part in text.split(';') {
            let unknown = || SpecError::UnknownWord { word: part.trim().to_owned() };
            let (direction, spec) = directed(part).ok_or_else(unknown)?;
            let slot = if direction == "in" { &mut incoming } else { &mut outgoing };
            if slot.replace(spec.parse()?).is_some() {
                return Err(SpecError::Repeated { word: direction });
            }
        }
        Ok(Faults { incoming: incoming.unwrap_or_default(), outgoing: outgoing.unwrap_or_default() })
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.incoming == self.outgoing {
            return self.incoming.fmt(f);
        }
        match (self.incoming.is_none(), self.outgoing.is_none()) {
            (false, true) => write!(f, "in {}", self.incoming),
            (true, false) => write!(f, "out {}", self.outgoing),
            (false, false) | (true, true) => write!(f, "in {}; out {}", self.incoming, self.outgoing),
        }
    }
}
