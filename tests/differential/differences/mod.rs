//! The known differences between Linux and ours: each as narrow as it can be told, with the rule that allows or demands
//! what ours does.

mod moment;
mod table;
mod words;

pub use moment::Moment;

use table::{DIFFERENCES, PARTINGS};

/// A difference that is known.
pub struct Difference {
    pub name: &'static str,
    /// Why ours may, or must.
    pub because: &'static str,
    /// Both are in the same state afterwards, so that the rest can be compared.
    pub passes: bool,
    pub matches: fn(&Moment<'_>) -> bool,
}

const fn parts(name: &'static str, because: &'static str, matches: fn(&Moment<'_>) -> bool) -> Difference {
    Difference { name, because, passes: false, matches }
}

const fn passes(name: &'static str, because: &'static str, matches: fn(&Moment<'_>) -> bool) -> Difference {
    Difference { name, because, passes: true, matches }
}

/// The one that explains what the two said.
pub fn explanation(moment: &Moment<'_>) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|difference| (difference.matches)(moment))
}

/// The one that parts the two even where they said the same.
pub fn parting(moment: &Moment<'_>) -> Option<&'static Difference> {
    PARTINGS.iter().find(|difference| (difference.matches)(moment))
}
