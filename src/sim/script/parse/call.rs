//! System calls.

use super::Parser;
use crate::sim::script::lexer::{Kind, ParseError};
use crate::sim::script::syntax::{Call, CallEnd};

impl Parser<'_> {
    pub(super) fn call(&mut self) -> Result<Call, ParseError> {
        let mut end = None;
        if *self.peek() == Kind::Ellipsis {
            self.advance();
            self.take_mark('+');
            end = Some(CallEnd { time: self.time()? });
        }
        let name = self.word("the name of a system call")?;
        self.mark('(')?;
        let arguments = self.list(')')?;
        self.mark('=')?;
        let result = self.expression()?;
        let errno = match self.peek() {
            Kind::Word(_) => Some(self.word("the name of an error")?),
            _ => None,
        };
        let mut notes = Vec::new();
        while notes.len() < 2 && *self.peek() == Kind::Mark('(') {
            notes.push(self.note()?);
        }
        Ok(Call { end, name, arguments, result, errno, notes })
    }

    /// The text between parentheses, blanks between its words made one.
    fn note(&mut self) -> Result<String, ParseError> {
        self.mark('(')?;
        let (mut note, mut last_end) = (String::new(), None);
        loop {
            let token = self.token().clone();
            match token.kind {
                Kind::Mark(')') => {
                    self.advance();
                    return Ok(note);
                }
                Kind::End => return self.expected("`)`"),
                _ => {}
            }
            if last_end.is_some_and(|end| end != token.start) {
                note.push(' ');
            }
            note.push_str(&self.source[token.start..token.end]);
            last_end = Some(token.end);
            self.advance();
        }
    }
}
