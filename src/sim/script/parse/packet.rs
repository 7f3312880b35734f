//! Packets: headers around them, IP, TCP, UDP. Options and ICMP have files of their own.

use super::Parser;
use crate::sim::script::lexer::{Kind, ParseError};
use crate::sim::script::syntax::{Body, Direction, Ecn, Icmp, IpInfo, MplsLabel, Outer, Packet, Tcp, TcpFlags};
use std::net::IpAddr;

/// Headers around headers; no packet has more.
const MAX_OUTER: usize = 16;

impl Parser<'_> {
    pub(super) fn packet(&mut self) -> Result<Packet, ParseError> {
        let direction = if self.next() == Kind::Mark('<') { Direction::In } else { Direction::Out };
        let mut outer = Vec::new();
        while let Some(header) = self.outer()? {
            if outer.len() == MAX_OUTER {
                return self.expected(format!("at most {MAX_OUTER} headers around a packet"));
            }
            outer.push(header);
        }
        let place = self.place;
        if self.quote_comes_first() {
            let quote = Some(self.quote()?);
            let icmp = Icmp { quote, ..self.icmp()? };
            return Ok(Packet { direction, outer, ip: IpInfo::default(), body: Body::Icmp(icmp) });
        }
        let ip = self.ip_info()?;
        if direction == Direction::In && ip.ecn == Some(Ecn::Ect01) {
            self.place = place + 1;
            return self.expected("ect0 or ect1: only a packet of the stack may be either");
        }
        let body = match self.peek() {
            Kind::Word(word) if word == "udp" => self.udp()?,
            Kind::Word(word) if word == "icmp" => Body::Icmp(self.icmp()?),
            _ => Body::Tcp(self.tcp(direction)?),
        };
        Ok(Packet { direction, outer, ip, body })
    }

    fn outer(&mut self) -> Result<Option<Outer>, ParseError> {
        let Kind::Word(word) = self.peek().clone() else { return Ok(None) };
        let outer = match word.as_str() {
            "ipv4" | "ipv6" => {
                self.advance();
                let info = self.ip_info()?;
                let source = self.address()?;
                self.mark('>')?;
                let destination = self.address()?;
                Outer::Ip { version: if word == "ipv4" { 4 } else { 6 }, info, source, destination }
            }
            "gre" => {
                self.advance();
                let mut fields = Vec::new();
                while !matches!(self.peek(), Kind::Mark(':') | Kind::End) {
                    let token = self.token();
                    fields.push(self.source[token.start..token.end].to_owned());
                    self.advance();
                }
                Outer::Gre(fields)
            }
            "mpls" => {
                self.advance();
                let mut labels = Vec::new();
                while *self.peek() == Kind::Mark('(') {
                    labels.push(self.mpls_label()?);
                }
                Outer::Mpls(labels)
            }
            _ => return Ok(None),
        };
        self.mark(':')?;
        Ok(Some(outer))
    }

    fn mpls_label(&mut self) -> Result<MplsLabel, ParseError> {
        self.mark('(')?;
        self.keyword("label")?;
        let label = self.number("a label", 1 << 20)? as u32;
        self.mark(',')?;
        self.keyword("tc")?;
        let class = self.number("a traffic class", 8)? as u8;
        self.mark(',')?;
        let bottom = self.take_mark('[');
        if bottom {
            self.keyword("S")?;
            self.mark(']')?;
            self.mark(',')?;
        }
        self.keyword("ttl")?;
        let ttl = self.number("a time to live", 256)? as u8;
        self.mark(')')?;
        Ok(MplsLabel { label, class, bottom, ttl })
    }

    pub(super) fn keyword(&mut self, word: &str) -> Result<(), ParseError> {
        if self.take_word(word) { Ok(()) } else { self.expected(format!("`{word}`")) }
    }

    fn address(&mut self) -> Result<IpAddr, ParseError> {
        let address = match *self.peek() {
            Kind::V4(address) => address.into(),
            Kind::V6(address) => address.into(),
            _ => return self.expected("an IP address"),
        };
        self.advance();
        Ok(address)
    }

    fn ip_info(&mut self) -> Result<IpInfo, ParseError> {
        let mut info = IpInfo::default();
        let close = match self.peek() {
            Kind::Mark('(') => ')',
            Kind::Mark('[') => ']',
            _ => return Ok(info),
        };
        self.advance();
        loop {
            let place = self.place;
            let word = self.word("noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel")?;
            match word.as_str() {
                "noecn" => info.ecn = Some(Ecn::NotCapable),
                "ect0" => info.ecn = Some(Ecn::Ect0),
                "ect1" => info.ecn = Some(Ecn::Ect1),
                "ect01" => info.ecn = Some(Ecn::Ect01),
                "ce" => info.ecn = Some(Ecn::Congestion),
                "tos" => info.tos = Some(self.number("a type of service", 256)? as u8),
                "ttl" => info.ttl = Some(self.number("a time to live", 256)? as u8),
                "flowlabel" => info.flow_label = Some(self.number("a flow label", 1 << 20)? as u32),
                _ => {
                    self.place = place;
                    return self.expected("noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel");
                }
            }
            if !self.take_mark(',') {
                self.mark(close)?;
                return Ok(info);
            }
        }
    }

    fn ports(&mut self) -> Result<Option<(u16, u16)>, ParseError> {
        if !matches!((self.peek(), self.peek_second()), (Kind::Integer(_), Kind::Mark('>'))) {
            return Ok(None);
        }
        let source = self.number("a port", 1 << 16)? as u16;
        self.mark('>')?;
        Ok(Some((source, self.number("a port", 1 << 16)? as u16)))
    }

    fn udp(&mut self) -> Result<Body, ParseError> {
        self.keyword("udp")?;
        let ports = self.ports()?;
        Ok(Body::Udp { ports, len: self.len()? })
    }

    pub(super) fn len(&mut self) -> Result<u16, ParseError> {
        self.mark('(')?;
        let len = self.number("a length", 1 << 16)? as u16;
        self.mark(')')?;
        Ok(len)
    }

    /// `START:END(LEN)`
    pub(super) fn range(&mut self) -> Result<(u32, u16), ParseError> {
        let start = self.sequence("a sequence number")?;
        self.mark(':')?;
        let place = self.place;
        let end = self.sequence("the sequence number after the data")?;
        let len = self.len()?;
        let right = start.wrapping_add(u32::from(len));
        if end != right {
            self.place = place;
            return self.expected(format!("{right}, which is {start} and {len} bytes"));
        }
        Ok((start, len))
    }

    fn tcp(&mut self, direction: Direction) -> Result<Tcp, ParseError> {
        let mut psp = None;
        if self.take_word("encap") {
            self.keyword("psp")?;
            self.keyword("spi")?;
            psp = Some(self.number("a security parameter index", 1 << 32)? as u32);
        }
        let ports = self.ports()?;
        let flags = self.flags()?;
        let (seq, len) = self.range()?;
        let mut tcp = Tcp { psp, ports, flags, seq, len, ack: None, window: None, urgent: None, options: None };
        if self.take_word("ack") {
            tcp.ack = Some(self.sequence("an acknowledgment number")?);
        }
        if self.take_word("win") {
            tcp.window = Some(self.number("a window", 1 << 16)? as u16);
        } else if direction == Direction::In {
            return self.expected("`win` and the window, which a packet to the stack needs");
        }
        if self.take_word("urg") {
            tcp.urgent = Some(self.number("an urgent pointer", 1 << 16)? as u16);
        }
        tcp.options = self.options(direction)?;
        Ok(tcp)
    }

    /// Whatever stands together without a blank.
    fn flags(&mut self) -> Result<TcpFlags, ParseError> {
        const LETTERS: [(char, u16); 9] = [
            ('F', 0x001),
            ('S', 0x002),
            ('R', 0x004),
            ('P', 0x008),
            ('.', 0x010),
            ('U', 0x020),
            ('E', 0x040),
            ('W', 0x080),
            ('A', 0x100),
        ];
        let what = "flags: `-`, or of F S R P . E W A U each at most once";
        let (place, start) = (self.place, self.token().start);
        let mut end = self.token().end;
        self.advance();
        while self.token().start == end && *self.peek() != Kind::End {
            end = self.token().end;
            self.advance();
        }
        let mut flags = TcpFlags::default();
        let text = &self.source[start..end];
        let mut good = !text.is_empty();
        for c in text.chars().filter(|_| text != "-") {
            let bit = LETTERS.iter().find(|(letter, _)| *letter == c).map(|(_, bit)| *bit);
            match (bit, c.to_digit(8)) {
                (Some(bit), _) if flags.bits & bit == 0 => flags.bits |= bit,
                (None, Some(digit)) if !flags.ace && flags.bits & 0x1c0 == 0 => {
                    flags.ace = true;
                    flags.bits |= (digit as u16) << 6;
                }
                (_, _) => good = false,
            }
        }
        if good {
            return Ok(flags);
        }
        self.place = place;
        self.expected(what)
    }
}
