//! Characters to tokens. Every token knows where it began and which bytes of the source it is.

use super::syntax::Position;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// Why a text is not a packet script.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{}:{}: expected {expected}, found {found}", .at.line, .at.column)]
pub struct ParseError {
    pub at: Position,
    pub expected: String,
    pub found: String,
}

/// What stands in a script.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    Integer(i64),
    Hex(u64),
    /// Digits, more than a number of 64 bits has: only hexadecimal data may be so long.
    Digits,
    /// Digits before and behind the point.
    Float,
    Word(String),
    /// The text between quotes, its escapes as they were written.
    Text(String),
    BackQuoted(String),
    Code(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// `--name`
    Option(String),
    Ellipsis,
    Mark(char),
    End,
}

/// A token with its place; `start..end` are bytes of the source.
#[derive(Clone, PartialEq, Debug)]
pub struct Token {
    pub kind: Kind,
    pub at: Position,
    pub start: usize,
    pub end: usize,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Integer(value) => write!(f, "{value}"),
            Kind::Hex(value) => write!(f, "{value:#x}"),
            Kind::Float => f.write_str("a number with a point"),
            Kind::Digits => f.write_str("a number of more than 64 bits"),
            Kind::Word(word) => write!(f, "`{word}`"),
            Kind::Text(_) => f.write_str("a string"),
            Kind::BackQuoted(_) => f.write_str("a command in back quotes"),
            Kind::Code(_) => f.write_str("code in %{ }%"),
            Kind::V4(address) => write!(f, "{address}"),
            Kind::V6(address) => write!(f, "{address}"),
            Kind::Option(name) => write!(f, "`--{name}`"),
            Kind::Ellipsis => f.write_str("`...`"),
            Kind::Mark(mark) => write!(f, "`{}`", mark.escape_default()),
            Kind::End => f.write_str("the end of the script"),
        }
    }
}

/// All tokens of a script, `End` being the last.
pub fn tokens(source: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { source, offset: 0, at: Position { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token()?;
        let last = token.kind == Kind::End;
        tokens.push(token);
        if last {
            return Ok(tokens);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    offset: usize,
    at: Position,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.offset..]
    }

    /// Goes on by `len` bytes, which end at a character's end.
    fn skip(&mut self, len: usize) {
        for c in self.rest()[..len].chars() {
            match c {
                '\n' => self.at = Position { line: self.at.line + 1, column: 1 },
                _ => self.at.column += 1,
            }
        }
        self.offset += len;
    }

    fn error<T>(&self, expected: &str, found: &str) -> Result<T, ParseError> {
        Err(ParseError { at: self.at, expected: expected.into(), found: found.into() })
    }

    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            if blanks > 0 {
                self.skip(blanks);
            } else if rest.starts_with("//") || rest.starts_with("#!") {
                self.skip(rest.find('\n').unwrap_or(rest.len()));
            } else if let Some(comment) = rest.strip_prefix("/*") {
                match comment.find("*/") {
                    Some(len) => self.skip(len + 4),
                    None => return self.error("`*/` behind this comment", "the end of the script"),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token, ParseError> {
        self.skip_blanks()?;
        let (at, start) = (self.at, self.offset);
        let (kind, len) = self.recognise()?;
        self.skip(len);
        Ok(Token { kind, at, start, end: self.offset })
    }

    /// The token at the front and its length in bytes.
    fn recognise(&self) -> Result<(Kind, usize), ParseError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok((Kind::End, 0)) };
        if let Some(text) = rest.strip_prefix("%{") {
            return self.delimited(text, "}%", 2, Kind::Code);
        }
        if let Some(text) = rest.strip_prefix('`') {
            return self.delimited(text, "`", 1, Kind::BackQuoted);
        }
        if first == '"' {
            return self.text(&rest[1..]);
        }
        if rest.starts_with("...") {
            return Ok((Kind::Ellipsis, 3));
        }
        if let Some(name) = rest.strip_prefix("--") {
            let len = name.find(|c| !is_word(c)).unwrap_or(name.len());
            if len > 0 {
                return Ok((Kind::Option(name[..len].into()), len + 2));
            }
        }
        if let Some(address) = address(rest) {
            return Ok(address);
        }
        Ok(number_or_word(rest, first))
    }

    fn delimited(
        &self,
        text: &str,
        end: &str,
        opening: usize,
        kind: fn(String) -> Kind,
    ) -> Result<(Kind, usize), ParseError> {
        match text.find(end) {
            Some(len) => Ok((kind(text[..len].into()), opening + len + end.len())),
            None => self.error(&format!("`{end}` to end what begins here"), "the end of the script"),
        }
    }

    fn text(&self, text: &str) -> Result<(Kind, usize), ParseError> {
        let mut escaped = false;
        for (place, c) in text.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Ok((Kind::Text(text[..place].into()), place + 2)),
                _ => {}
            }
        }
        self.error("`\"` to end the string that begins here", "the end of the script")
    }
}

fn number_or_word(rest: &str, first: char) -> (Kind, usize) {
    let sign = usize::from(first == '-');
    let digits = count(&rest[sign..], |c| c.is_ascii_digit());
    let behind = &rest[sign + digits..];
    let fraction = behind.strip_prefix('.').map_or(0, |fraction| count(fraction, |c| c.is_ascii_digit()));
    if fraction > 0 {
        return (Kind::Float, sign + digits + 1 + fraction);
    }
    let word = count(rest, is_word);
    if let Some(hex) = rest[..word].strip_prefix("0x").or(rest[..word].strip_prefix("0X"))
        && !hex.is_empty()
        && hex.chars().all(|c| c.is_ascii_hexdigit())
    {
        return (u64::from_str_radix(hex, 16).map_or(Kind::Digits, Kind::Hex), word);
    }
    if digits > 0 && !behind.starts_with(is_word) {
        let number = &rest[..sign + digits];
        return (number.parse().map_or(Kind::Digits, Kind::Integer), number.len());
    }
    if word > 0 {
        return (Kind::Word(rest[..word].into()), word);
    }
    (Kind::Mark(first), first.len_utf8())
}

fn count(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// An address at the front: what could be one and is one.
fn address(rest: &str) -> Option<(Kind, usize)> {
    let len = count(rest, |c| c.is_ascii_hexdigit() || c == '.' || c == ':');
    let whole = !rest[len..].starts_with(is_word);
    let run = &rest[..len];
    if !whole || !run.contains([':', '.']) {
        return None;
    }
    for run in [run, run.strip_suffix(':').unwrap_or(run)] {
        if let Ok(address) = run.parse() {
            return Some((Kind::V6(address), run.len()));
        }
        if let Ok(address) = run.parse() {
            return Some((Kind::V4(address), run.len()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<Kind> {
        tokens(source).expect("tokens").into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn numbers_ranges_and_addresses_are_told_apart() {
        let word = |text: &str| Kind::Word(text.into());
        let table = [
            (
                "1:1001(1000)",
                vec![
                    Kind::Integer(1),
                    Kind::Mark(':'),
                    Kind::Integer(1001),
                    Kind::Mark('('),
                    Kind::Integer(1000),
                    Kind::Mark(')'),
                ],
            ),
            ("+0...0.1", vec![Kind::Mark('+'), Kind::Integer(0), Kind::Ellipsis, Kind::Float]),
            ("-1 - .5 0x1F 3com", vec![Kind::Integer(-1), Kind::Mark('-'), Kind::Float, Kind::Hex(31), word("3com")]),
            (
                "192.0.2.1 : fd00::1: 1.5",
                vec![
                    Kind::V4([192, 0, 2, 1].into()),
                    Kind::Mark(':'),
                    Kind::V6("fd00::1".parse().expect("an address")),
                    Kind::Mark(':'),
                    Kind::Float,
                ],
            ),
            (
                "--mss=9 // no\n/* no */ \"a\\\"b\" %{ x }% `y`",
                vec![
                    Kind::Option("mss".into()),
                    Kind::Mark('='),
                    Kind::Integer(9),
                    Kind::Text("a\\\"b".into()),
                    Kind::Code(" x ".into()),
                    Kind::BackQuoted("y".into()),
                ],
            ),
        ];
        for (source, mut expected) in table {
            expected.push(Kind::End);
            assert_eq!(kinds(source), expected, "{source}");
        }
    }

    #[test]
    fn what_is_not_ended_is_told_with_its_place() {
        for (source, place) in [("\n  /* x", (2, 3)), ("`x", (1, 1)), (" \"x\\\"", (1, 2)), ("%{ x }", (1, 1))] {
            let error = tokens(source).expect_err(source);
            assert_eq!((error.at.line, error.at.column), place, "{source}: {error}");
        }
    }
}
