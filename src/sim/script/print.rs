//! The tree back to text: what is printed parses to the same tree.

use super::syntax::{
    Action, Body, Call, Direction, Ecn, EcnCounter, Event, Expression, Icmp, IpInfo, Outer, Packet, Quote, Script,
    Setting, Tcp, TcpFlags, TcpOption, Value, When,
};
use std::fmt::{self, Display, Formatter, Result};
use std::time::Duration;

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.settings.iter().try_for_each(|setting| writeln!(f, "{setting}"))?;
        self.init.iter().try_for_each(|command| writeln!(f, "`{command}`"))?;
        self.events.iter().try_for_each(|event| writeln!(f, "{event}"))?;
        self.cleanup.iter().try_for_each(|command| writeln!(f, "`{command}`"))
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "--{}", self.name)?;
        self.key.iter().try_for_each(|key| write!(f, "={key}"))?;
        match &self.value {
            None => Ok(()),
            Some(Value::Integer(value)) => write!(f, "={value}"),
            Some(Value::Word(word)) => write!(f, "={word}"),
            Some(Value::Text(text)) => write!(f, "=\"{text}\""),
            Some(Value::Command(command)) => write!(f, "=`{command}`"),
            Some(Value::Address(address)) => write!(f, "={address}"),
        }
    }
}

/// Seconds without zeros that say nothing.
struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let text = format!("{}.{:09}", self.0.as_secs(), self.0.subsec_nanos());
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            When::Any => f.write_str("*"),
            When::Absolute(time) => write!(f, "{}", Seconds(time)),
            When::Relative(time) => write!(f, "+{}", Seconds(time)),
            When::AbsoluteRange(from, to) => write!(f, "{}~{}", Seconds(from), Seconds(to)),
            When::RelativeRange(from, to) => write!(f, "+{}~+{}", Seconds(from), Seconds(to)),
        }
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}", self.when)?;
        match &self.action {
            Action::Packet(packet) => write!(f, " {packet}"),
            Action::Call(call) => write!(f, "{call}"),
            Action::Command(command) => write!(f, " `{command}`"),
            Action::Code(code) => write!(f, " %{{{code}}}%"),
        }
    }
}

impl Display for Packet {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.direction == Direction::In { "<" } else { ">" })?;
        self.outer.iter().try_for_each(|outer| write!(f, " {outer}"))?;
        write!(f, "{}", self.ip)?;
        match &self.body {
            Body::Tcp(tcp) => write!(f, " {tcp}"),
            Body::Udp { ports, len } => {
                f.write_str(" udp")?;
                ports.iter().try_for_each(|(source, destination)| write!(f, " {source} > {destination}"))?;
                write!(f, " ({len})")
            }
            Body::Icmp(icmp) => write!(f, " {icmp}"),
        }
    }
}

impl Display for Outer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Outer::Ip { version, info, source, destination } => {
                write!(f, "ipv{version}{info} {source} > {destination} :")
            }
            Outer::Gre(fields) => {
                f.write_str("gre")?;
                fields.iter().try_for_each(|field| write!(f, " {field}"))?;
                f.write_str(" :")
            }
            Outer::Mpls(labels) => {
                f.write_str("mpls")?;
                for label in labels {
                    let bottom = if label.bottom { " [S]," } else { "" };
                    write!(f, " (label {}, tc {},{bottom} ttl {})", label.label, label.class, label.ttl)?;
                }
                f.write_str(" :")
            }
        }
    }
}

/// With a blank before it, or nothing at all.
impl Display for IpInfo {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let ecn = self.ecn.map(|ecn| match ecn {
            Ecn::NotCapable => "noecn".to_owned(),
            Ecn::Ect0 => "ect0".to_owned(),
            Ecn::Ect1 => "ect1".to_owned(),
            Ecn::Ect01 => "ect01".to_owned(),
            Ecn::Congestion => "ce".to_owned(),
        });
        let tos = self.tos.map(|tos| format!("tos {tos:#x}"));
        let label = self.flow_label.map(|label| format!("flowlabel {label:#x}"));
        let ttl = self.ttl.map(|ttl| format!("ttl {ttl}"));
        let said: Vec<String> = [ecn, tos, label, ttl].into_iter().flatten().collect();
        if said.is_empty() { Ok(()) } else { write!(f, " ({})", said.join(", ")) }
    }
}

impl Display for TcpFlags {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        const LETTERS: [(u16, char); 9] = [
            (0x002, 'S'),
            (0x001, 'F'),
            (0x004, 'R'),
            (0x008, 'P'),
            (0x020, 'U'),
            (0x040, 'E'),
            (0x080, 'W'),
            (0x100, 'A'),
            (0x010, '.'),
        ];
        if self.ace {
            // Before the dot, or the two would be a number.
            write!(f, "{}", self.bits >> 6 & 7)?;
        }
        let shown = |bit: &u16| self.bits & bit != 0 && !(self.ace && bit & 0x1c0 != 0);
        for (_, letter) in LETTERS.iter().filter(|(bit, _)| shown(bit)) {
            write!(f, "{letter}")?;
        }
        if self.bits == 0 && !self.ace { f.write_str("-") } else { Ok(()) }
    }
}

impl Display for Tcp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.psp.iter().try_for_each(|spi| write!(f, "encap psp spi {spi} "))?;
        self.ports.iter().try_for_each(|(source, destination)| write!(f, "{source} > {destination} "))?;
        let end = self.seq.wrapping_add(u32::from(self.len));
        write!(f, "{} {}:{end}({})", self.flags, self.seq, self.len)?;
        self.ack.iter().try_for_each(|ack| write!(f, " ack {ack}"))?;
        self.window.iter().try_for_each(|window| write!(f, " win {window}"))?;
        self.urgent.iter().try_for_each(|urgent| write!(f, " urg {urgent}"))?;
        match self.options.as_deref() {
            None => f.write_str(" <...>"),
            Some([]) => Ok(()),
            Some(options) => {
                f.write_str(" <")?;
                separated(f, options, ",")?;
                f.write_str(">")
            }
        }
    }
}

impl Display for TcpOption {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            TcpOption::Nop => f.write_str("nop"),
            TcpOption::Eol => f.write_str("eol"),
            TcpOption::Mss(mss) => write!(f, "mss {mss}"),
            TcpOption::WindowScale(shift) => write!(f, "wscale {shift}"),
            TcpOption::SackPermitted => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|(left, right)| write!(f, " {left}:{right}"))
            }
            TcpOption::Timestamps { value, echo } => write!(f, "TS val {value} ecr {echo}"),
            TcpOption::FastOpen { cookie, experimental } => {
                f.write_str(if *experimental { "FOEXP" } else { "FO" })?;
                hex(f, cookie)
            }
            TcpOption::Md5(digest) => {
                f.write_str("md5")?;
                hex(f, digest)
            }
            TcpOption::AccEcn(counters) => {
                f.write_str("ECN")?;
                counters.iter().try_for_each(|(counter, bytes)| {
                    let name = match counter {
                        EcnCounter::E0b => "e0b",
                        EcnCounter::Ceb => "ceb",
                        EcnCounter::E1b => "e1b",
                    };
                    write!(f, " {name} {bytes}")
                })
            }
        }
    }
}

fn hex(f: &mut Formatter<'_>, bytes: &[u8]) -> Result {
    if !bytes.is_empty() {
        f.write_str(" 0x")?;
    }
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl Display for Icmp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "icmp {}", self.kind)?;
        self.code.iter().try_for_each(|code| write!(f, " {code}"))?;
        self.mtu.iter().try_for_each(|mtu| write!(f, " mtu {mtu}"))?;
        self.id.iter().try_for_each(|id| write!(f, " id {id}"))?;
        match self.quote {
            None => Ok(()),
            Some(Quote::Tcp { seq, len }) => write!(f, " [{seq}:{}({len})]", seq.wrapping_add(u32::from(len))),
            Some(Quote::Udp { len }) => write!(f, " [udp ({len})]"),
            Some(Quote::Raw { len }) => write!(f, " [raw ({len})]"),
        }
    }
}

/// With what stands between it and the time.
impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.end {
            Some(end) => write!(f, "...{} ", Seconds(end.time))?,
            None => f.write_str(" ")?,
        }
        write!(f, "{}(", self.name)?;
        separated(f, &self.arguments, ", ")?;
        write!(f, ") = {}", self.result)?;
        self.errno.iter().try_for_each(|errno| write!(f, " {errno}"))?;
        self.notes.iter().try_for_each(|note| write!(f, " ({note})"))
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Expression::Ellipsis => f.write_str("..."),
            Expression::Unknown => f.write_str("?"),
            Expression::Integer(value) => write!(f, "{value}"),
            Expression::Hex(value) => write!(f, "{value:#x}"),
            Expression::Word(word) => f.write_str(word),
            Expression::Text(text) => write!(f, "\"{text}\""),
            Expression::TextAndMore(text) => write!(f, "\"{text}\"..."),
            Expression::Or(left, right) => write!(f, "{left}|{right}"),
            Expression::Member { name, argument: None, value } => write!(f, "{name}={value}"),
            Expression::Member { name, argument: Some(argument), value } => write!(f, "{name}({argument})={value}"),
            Expression::Function { name, argument } => write!(f, "{name}({argument})"),
            Expression::List(list) => {
                f.write_str("[")?;
                separated(f, list, ", ")?;
                f.write_str("]")
            }
            Expression::Struct(members) => {
                f.write_str("{")?;
                separated(f, members, ", ")?;
                f.write_str("}")
            }
        }
    }
}

fn separated<T: Display>(f: &mut Formatter<'_>, items: &[T], by: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { by })?;
        write!(f, "{item}")?;
    }
    Ok(())
}
