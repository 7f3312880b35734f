//! TCP options.

use super::Parser;
use crate::sim::script::lexer::{Kind, ParseError};
use crate::sim::script::syntax::{Direction, EcnCounter, TcpOption};

impl Parser<'_> {
    pub(super) fn options(&mut self, direction: Direction) -> Result<Option<Vec<TcpOption>>, ParseError> {
        let place = self.place;
        let mut options = Vec::new();
        // A `<` that begins the next packet stands behind that packet's time.
        if !self.take_mark('<') || self.take_mark('>') {
            return Ok(Some(options));
        }
        if *self.peek() == Kind::Ellipsis {
            if direction == Direction::In {
                return self.expected("options, since a packet to the stack must be known");
            }
            self.advance();
            self.mark('>')?;
            return Ok(None);
        }
        loop {
            options.push(self.option()?);
            if self.take_mark('>') {
                break;
            }
            if !self.take_mark(',') {
                return self.expected("`,` or `>`");
            }
        }
        let len: usize = options.iter().map(TcpOption::len).sum();
        if len > 40 || !len.is_multiple_of(4) {
            self.place = place;
            return self
                .expected(format!("options of at most 40 bytes and a multiple of 4, not {len} (add nop or eol)"));
        }
        Ok(Some(options))
    }

    fn option(&mut self) -> Result<TcpOption, ParseError> {
        const KNOWN: &str = "nop, eol, mss, wscale, sackOK, sack, TS, FO, FOEXP, md5 or ECN";
        let place = self.place;
        let word = self.word(KNOWN)?;
        Ok(match word.as_str() {
            "nop" => TcpOption::Nop,
            "eol" => TcpOption::Eol,
            "mss" => TcpOption::Mss(self.number("a segment size", 1 << 16)? as u16),
            "wscale" => TcpOption::WindowScale(self.number("a shift", 256)? as u8),
            "sackOK" => TcpOption::SackPermitted,
            "sack" => TcpOption::Sack(self.sack_blocks()?),
            "TS" => {
                self.keyword("val")?;
                let value = self.sequence("a timestamp")?;
                self.keyword("ecr")?;
                TcpOption::Timestamps { value, echo: self.sequence("a timestamp")? }
            }
            "FO" => TcpOption::FastOpen { cookie: self.hex()?, experimental: false },
            "FOEXP" => TcpOption::FastOpen { cookie: self.hex()?, experimental: true },
            "md5" => TcpOption::Md5(self.hex()?),
            "ECN" => TcpOption::AccEcn(self.ecn_counters()?),
            _ => {
                self.place = place;
                return self.expected(KNOWN);
            }
        })
    }

    fn sack_blocks(&mut self) -> Result<Vec<(u32, u32)>, ParseError> {
        let mut blocks = Vec::new();
        while matches!(self.peek(), Kind::Integer(_) | Kind::Hex(_)) {
            let left = self.sequence("a left edge")?;
            self.mark(':')?;
            blocks.push((left, self.sequence("a right edge")?));
            if blocks.len() > 4 {
                return self.expected("at most 4 blocks");
            }
        }
        if blocks.is_empty() { self.expected("a block LEFT:RIGHT") } else { Ok(blocks) }
    }

    /// Digits of any bytes, or none of them.
    fn hex(&mut self) -> Result<Vec<u8>, ParseError> {
        let token = self.token();
        if !matches!(token.kind, Kind::Word(_) | Kind::Integer(_) | Kind::Hex(_) | Kind::Digits) {
            return Ok(Vec::new());
        }
        // A word may stand in place of another one (`-D`).
        let text = match &token.kind {
            Kind::Word(word) => word,
            _ => self.source[token.start..token.end].trim_start_matches("0x"),
        };
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
        match digits {
            Some(digits) if digits.len() % 2 == 0 && digits.len() <= 80 => {
                self.advance();
                Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
            }
            _ => self.expected("pairs of hexadecimal digits"),
        }
    }

    fn ecn_counters(&mut self) -> Result<Vec<(EcnCounter, u32)>, ParseError> {
        let orders = [
            [("e0b", EcnCounter::E0b), ("ceb", EcnCounter::Ceb), ("e1b", EcnCounter::E1b)],
            [("e1b", EcnCounter::E1b), ("ceb", EcnCounter::Ceb), ("e0b", EcnCounter::E0b)],
        ];
        let order = if matches!(self.peek(), Kind::Word(word) if word == "e1b") { orders[1] } else { orders[0] };
        let mut counters = Vec::new();
        for (name, counter) in order {
            if !self.take_word(name) {
                break;
            }
            counters.push((counter, self.number("a counter of bytes", 1 << 24)? as u32));
        }
        if counters.is_empty() { self.expected("e0b or e1b") } else { Ok(counters) }
    }
}

impl TcpOption {
    /// Its bytes on the wire.
    fn len(&self) -> usize {
        match self {
            TcpOption::Nop | TcpOption::Eol => 1,
            TcpOption::Mss(_) => 4,
            TcpOption::WindowScale(_) => 3,
            TcpOption::SackPermitted => 2,
            TcpOption::Sack(blocks) => 2 + 8 * blocks.len(),
            TcpOption::Timestamps { .. } => 10,
            TcpOption::FastOpen { cookie, experimental } => cookie.len() + if *experimental { 4 } else { 2 },
            TcpOption::Md5(digest) => 2 + digest.len(),
            TcpOption::AccEcn(counters) => 2 + 3 * counters.len(),
        }
    }
}
