//! ICMP messages.

use super::Parser;
use crate::sim::script::icmp_names;
use crate::sim::script::lexer::{Kind, ParseError};
use crate::sim::script::syntax::{Icmp, Quote};

impl Parser<'_> {
    pub(super) fn icmp(&mut self) -> Result<Icmp, ParseError> {
        self.keyword("icmp")?;
        let kind = self.icmp_name("the name of an ICMP type", icmp_names::is_kind)?;
        let mut icmp = Icmp { kind, code: None, mtu: None, id: None, quote: None };
        if matches!(self.peek(), Kind::Word(word) if word != "mtu" && word != "id") {
            icmp.code = Some(self.icmp_name("the name of an ICMP code", icmp_names::is_code)?);
        }
        if self.take_word("mtu") {
            icmp.mtu = Some(self.number("an MTU", 1 << 32)? as u32);
        }
        if self.take_word("id") {
            icmp.id = Some(self.number("an identifier", 1 << 16)? as u16);
        }
        if *self.peek() == Kind::Mark('[') {
            icmp.quote = Some(self.quote()?);
        }
        Ok(icmp)
    }

    /// `[1:1001(1000)] icmp ..`, as older scripts have it: no IP information begins with a number.
    pub(super) fn quote_comes_first(&self) -> bool {
        *self.peek() == Kind::Mark('[') && matches!(self.peek_second(), Kind::Integer(_))
    }

    pub(super) fn quote(&mut self) -> Result<Quote, ParseError> {
        self.mark('[')?;
        let quote = if self.take_word("udp") {
            Quote::Udp { len: self.len()? }
        } else if self.take_word("raw") {
            Quote::Raw { len: self.len()? }
        } else {
            let (seq, len) = self.range()?;
            Quote::Tcp { seq, len }
        };
        self.mark(']')?;
        Ok(quote)
    }

    fn icmp_name(&mut self, what: &str, known: fn(&str) -> bool) -> Result<String, ParseError> {
        match self.peek().clone() {
            Kind::Word(name) if known(&name) => {
                self.advance();
                Ok(name)
            }
            _ => self.expected(what),
        }
    }
}
