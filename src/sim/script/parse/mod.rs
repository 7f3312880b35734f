//! Tokens to the tree: the head of a script, its times and its kinds of events. The others read what their
//! names say.

mod call;
mod expression;
mod icmp;
mod packet;
mod tcp_options;
#[cfg(test)]
mod tests;

use super::lexer::{Kind, ParseError, Token, tokens};
use super::syntax::{Action, Event, Script, Setting, Value, When};
use std::collections::BTreeMap;
use std::time::Duration;

/// Later than any script: some thirty years.
const LATEST: u64 = 1_000_000_000;

/// Reads a whole script.
///
/// # Errors
/// The first place at which it is none, with what was expected there.
pub fn parse(source: &str) -> Result<Script, ParseError> {
    parse_with(source, &BTreeMap::new())
}

/// The same, each word that is a key of `defines` being replaced by its value (`-D name=value`).
pub fn parse_with(source: &str, defines: &BTreeMap<String, String>) -> Result<Script, ParseError> {
    let mut parser = Parser { source, tokens: tokens(source)?, place: 0, depth: 0 };
    let mut script = Script { settings: parser.settings()?, ..Script::default() };
    let mut all = defined_in(&script);
    all.extend(defines.iter().map(|(name, value)| (name.clone(), value.clone())));
    parser.replace(&all);
    // They have done their work: what is printed has the values in it.
    script.settings.retain(|setting| setting.name != "define");
    script.init = parser.take_command();
    loop {
        script.events.push(parser.event()?);
        match parser.peek() {
            Kind::End => return Ok(script),
            Kind::BackQuoted(_) => {
                script.cleanup = parser.take_command();
                return if *parser.peek() == Kind::End { Ok(script) } else { parser.expected("the end of the script") };
            }
            _ => {}
        }
    }
}

/// What `--define=name=value` lines say.
fn defined_in(script: &Script) -> BTreeMap<String, String> {
    let defines = script.settings.iter().filter(|setting| setting.name == "define");
    let pairs = defines.filter_map(|setting| {
        let value = match setting.value.as_ref()? {
            Value::Integer(value) => value.to_string(),
            Value::Word(word) => word.clone(),
            Value::Text(text) => format!("\"{text}\""),
            Value::Command(command) => format!("`{command}`"),
            Value::Address(address) => address.to_string(),
        };
        Some((setting.key.clone()?, value))
    });
    pairs.collect()
}

pub(super) struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Token>,
    place: usize,
    /// How deep expressions are nested now.
    depth: u32,
}

impl Parser<'_> {
    fn token(&self) -> &Token {
        // The last token is `End`, and nobody goes past it.
        &self.tokens[self.place.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn peek_second(&self) -> &Kind {
        &self.tokens[(self.place + 1).min(self.tokens.len() - 1)].kind
    }

    fn advance(&mut self) {
        self.place = (self.place + 1).min(self.tokens.len() - 1);
    }

    fn next(&mut self) -> Kind {
        let kind = self.peek().clone();
        self.advance();
        kind
    }

    fn expected<T>(&self, what: impl Into<String>) -> Result<T, ParseError> {
        let token = self.token();
        let found = match token.kind {
            Kind::Float => format!("`{}`", &self.source[token.start..token.end]),
            _ => token.kind.to_string(),
        };
        Err(ParseError { at: token.at, expected: what.into(), found })
    }

    fn take_mark(&mut self, mark: char) -> bool {
        let here = *self.peek() == Kind::Mark(mark);
        if here {
            self.advance();
        }
        here
    }

    fn mark(&mut self, mark: char) -> Result<(), ParseError> {
        if self.take_mark(mark) { Ok(()) } else { self.expected(format!("`{mark}`")) }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let here = matches!(self.peek(), Kind::Word(found) if found == word);
        if here {
            self.advance();
        }
        here
    }

    fn word(&mut self, what: &str) -> Result<String, ParseError> {
        match self.peek().clone() {
            Kind::Word(word) => {
                self.advance();
                Ok(word)
            }
            _ => self.expected(what),
        }
    }

    /// A number that fits; negative ones and those from `limit` on do not.
    fn number(&mut self, what: &str, limit: u64) -> Result<u64, ParseError> {
        let value = match *self.peek() {
            Kind::Integer(value) => u64::try_from(value).ok(),
            Kind::Hex(value) => Some(value),
            _ => None,
        };
        match value {
            Some(value) if value < limit => {
                self.advance();
                Ok(value)
            }
            _ => self.expected(format!("{what} (below {limit})")),
        }
    }

    /// A sequence number, which may be written as a negative one.
    fn sequence(&mut self, what: &str) -> Result<u32, ParseError> {
        match *self.peek() {
            Kind::Integer(value @ -0x8000_0000..=0xffff_ffff) => {
                self.advance();
                Ok(value as u32)
            }
            _ => Ok(self.number(what, 1 << 32)? as u32),
        }
    }

    fn take_command(&mut self) -> Option<String> {
        let Kind::BackQuoted(command) = self.peek().clone() else { return None };
        self.advance();
        Some(command)
    }

    fn settings(&mut self) -> Result<Vec<Setting>, ParseError> {
        let mut settings = Vec::new();
        while let Kind::Option(name) = self.peek().clone() {
            let at = self.token().at;
            self.advance();
            let (mut key, mut value) = (None, None);
            if self.take_mark('=') {
                let first = self.value()?;
                match first {
                    Value::Word(word) if self.take_mark('=') => {
                        key = Some(word);
                        value = Some(self.value()?);
                    }
                    first => value = Some(first),
                }
            }
            settings.push(Setting { at, name, key, value });
        }
        Ok(settings)
    }

    fn value(&mut self) -> Result<Value, ParseError> {
        let value = match self.peek().clone() {
            Kind::Integer(value) => Value::Integer(value),
            Kind::Word(word) => Value::Word(word),
            Kind::Text(text) => Value::Text(text),
            Kind::BackQuoted(command) => Value::Command(command),
            Kind::V4(address) => Value::Address(address.into()),
            Kind::V6(address) => Value::Address(address.into()),
            Kind::Hex(value) if i64::try_from(value).is_ok() => Value::Integer(value as i64),
            _ => return self.expected("the option's value: a number, a word, a string or an address"),
        };
        self.advance();
        Ok(value)
    }

    /// Puts values in place of defined words; a value that is no single token stays a word.
    fn replace(&mut self, defines: &BTreeMap<String, String>) {
        for token in &mut self.tokens[self.place..] {
            let Kind::Word(word) = &token.kind else { continue };
            let Some(value) = defines.get(word) else { continue };
            token.kind = match tokens(value).as_deref() {
                Ok([one, Token { kind: Kind::End, .. }]) if one.kind != Kind::Float => one.kind.clone(),
                _ => Kind::Word(value.clone()),
            };
        }
    }

    fn event(&mut self) -> Result<Event, ParseError> {
        let at = self.token().at;
        let when = self.when()?;
        let action = match self.peek().clone() {
            Kind::Mark('<' | '>') => Action::Packet(self.packet()?),
            Kind::BackQuoted(command) => {
                self.advance();
                Action::Command(command)
            }
            Kind::Code(code) => {
                self.advance();
                Action::Code(code)
            }
            Kind::Ellipsis | Kind::Word(_) => Action::Call(self.call()?),
            _ => return self.expected("a packet (`<` or `>`), a system call, a command or code"),
        };
        let open = matches!(when, When::Any | When::AbsoluteRange(..) | When::RelativeRange(..));
        let outbound = matches!(&action, Action::Packet(packet) if packet.direction == super::syntax::Direction::Out);
        if open && !outbound {
            return Err(ParseError {
                at,
                expected: "one point in time, since only packets of the stack may come at several".into(),
                found: "a range or `*`".into(),
            });
        }
        Ok(Event { at, when, action })
    }

    fn when(&mut self) -> Result<When, ParseError> {
        if self.take_mark('*') {
            return Ok(When::Any);
        }
        let relative = self.take_mark('+');
        let first = self.time()?;
        if !self.take_mark('~') {
            return Ok(if relative { When::Relative(first) } else { When::Absolute(first) });
        }
        self.take_mark('+');
        let place = self.place;
        let second = self.time()?;
        if second < first {
            self.place = place;
            return self.expected("a time that is not before the beginning of the range");
        }
        Ok(if relative { When::RelativeRange(first, second) } else { When::AbsoluteRange(first, second) })
    }

    fn is_within_a_line(&self) -> bool {
        let before = &self.source[..self.token().start];
        before.rsplit('\n').next().is_some_and(|line| !line.trim().is_empty())
    }

    /// Seconds, with nine digits behind the point that count.
    fn time(&mut self) -> Result<Duration, ParseError> {
        let token = self.token();
        let text = &self.source[token.start..token.end];
        let time = match token.kind {
            Kind::Integer(seconds @ 0..) => Some(Duration::from_secs(seconds as u64)),
            Kind::Float => text.split_once('.').and_then(|(seconds, fraction)| {
                let seconds = if seconds.is_empty() { Ok(0) } else { seconds.parse() };
                let nanos: String = fraction.chars().chain("000000000".chars()).take(9).collect();
                Some(Duration::new(seconds.ok()?, nanos.parse().ok()?))
            }),
            _ => None,
        };
        match time {
            Some(time) if time.as_secs() <= LATEST => {
                self.advance();
                Ok(time)
            }
            // A word within a line belongs to what stands before it.
            _ if matches!(token.kind, Kind::Word(_)) && self.is_within_a_line() => {
                self.expected("ack, win, urg, options or whatever else a packet or a call has there, or the next time")
            }
            _ => self.expected("a time in seconds, at least 0"),
        }
    }
}
