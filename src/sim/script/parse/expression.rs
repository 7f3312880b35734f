//! The arguments of system calls.

use super::Parser;
use crate::sim::script::lexer::{Kind, ParseError};
use crate::sim::script::syntax::Expression;

/// Deeper than any call nests its arguments, and nothing that a stack of calls could overflow with.
const MAX_DEPTH: u32 = 32;

impl Parser<'_> {
    /// `a | b | c`, as it stands between commas.
    pub(super) fn expression(&mut self) -> Result<Expression, ParseError> {
        if self.depth >= MAX_DEPTH {
            return self.expected(format!("an expression that is nested less than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let expression = self.alternatives();
        self.depth -= 1;
        expression
    }

    fn alternatives(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.operand()?;
        let mut count = 0;
        while self.take_mark('|') {
            count += 1;
            if count > MAX_DEPTH {
                return self.expected(format!("at most {MAX_DEPTH} alternatives"));
            }
            left = Expression::Or(Box::new(left), Box::new(self.operand()?));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, ParseError> {
        match self.peek().clone() {
            Kind::Mark('[') => {
                self.advance();
                Ok(Expression::List(self.list(']')?))
            }
            Kind::Mark('{') => {
                self.advance();
                Ok(Expression::Struct(self.list('}')?))
            }
            Kind::Text(_) => Ok(self.text()),
            Kind::Word(name) => {
                self.advance();
                self.named(name)
            }
            kind => {
                let simple = match kind {
                    Kind::Ellipsis => Expression::Ellipsis,
                    Kind::Mark('?') => Expression::Unknown,
                    Kind::Integer(value) => Expression::Integer(value),
                    Kind::Hex(value) => Expression::Hex(value),
                    _ => return self.expected("an argument: `...`, a number, a word, a string, `[`, `{`"),
                };
                self.advance();
                Ok(simple)
            }
        }
    }

    /// Strings side by side are one; `...` behind them says that the rest does not matter.
    fn text(&mut self) -> Expression {
        let mut joined = String::new();
        while let Kind::Text(text) = self.peek() {
            joined.push_str(text);
            self.advance();
        }
        if *self.peek() == Kind::Ellipsis {
            self.advance();
            return Expression::TextAndMore(joined);
        }
        Expression::Text(joined)
    }

    fn named(&mut self, name: String) -> Result<Expression, ParseError> {
        let mut argument = None;
        if self.take_mark('(') {
            argument = Some(Box::new(self.expression()?));
            self.mark(')')?;
        }
        if self.take_mark('=') {
            let value = Box::new(self.expression()?);
            return Ok(Expression::Member { name, argument, value });
        }
        Ok(match argument {
            Some(argument) => Expression::Function { name, argument },
            None => Expression::Word(name),
        })
    }

    /// What stands between commas up to the closing `end`.
    pub(super) fn list(&mut self, end: char) -> Result<Vec<Expression>, ParseError> {
        let mut list = Vec::new();
        if self.take_mark(end) {
            return Ok(list);
        }
        loop {
            list.push(self.expression()?);
            if self.take_mark(end) {
                return Ok(list);
            }
            if !self.take_mark(',') {
                return self.expected(format!("`,` or `{end}`"));
            }
        }
    }
}
