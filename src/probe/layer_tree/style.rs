use std::fmt::{self, Display};

/// How a layer tree looks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Style {
    pub detail: Detail,
    /// ANSI colours, for a terminal.
    pub colour: bool,
}

/// How much of each frame is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Detail {
    /// One line a layer, and the decisions.
    #[default]
    Brief,
    /// Also each header's bytes and fields, and the bookkeeping of timers.
    Full,
}

impl Style {
    pub const BRIEF: Style = Style { detail: Detail::Brief, colour: false };
    pub const FULL: Style = Style { detail: Detail::Full, colour: false };

    pub fn with_colour(self, colour: bool) -> Style {
        Style { colour, ..self }
    }

    pub(super) fn paint<T: Display>(self, role: Role, text: T) -> Painted<T> {
        Painted { colour: self.colour.then(|| role.code()), text }
    }
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Frame,
    Layer,
    Verb,
    Decision,
    Drop,
    Bytes,
}

impl Role {
    fn code(self) -> &'static str {
        match self {
            Role::Frame => "1",
            Role::Layer => "1;36",
            Role::Verb => "2",
            Role::Decision => "33",
            Role::Drop => "1;31",
            Role::Bytes => "34",
        }
    }
}

pub(super) struct Painted<T> {
    colour: Option<&'static str>,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.colour {
            Some(code) => write!(f, "\x1b[{code}m{}\x1b[0m", self.text),
            None => write!(f, "{}", self.text),
        }
    }
}
