//! `%{ assert ... }%`: enough of the language to judge the figures of a connection.
//!
//! ```text
//! body       := ( assert or {, or} | print .. )*        or := and {or and}       and := not {and not}
//! not        := not not | comparison                    comparison := sum {(== != < <= > >=) sum}
//! sum        := term {(+ - & |) term}                   term := atom {(* / // %) atom}
//! atom       := number | "string" | name | - atom | ( or )
//! ```

use super::Stop;
use crate::event::{CongestionState, TcpState};
use crate::tcp::Info;

#[derive(Clone, PartialEq, Debug)]
enum Value {
    Number(f64),
    Text(String),
}

/// Deeper than anybody nests parentheses.
const MAX_DEPTH: u32 = 32;

/// Checks every assertion of a block.
pub fn check(code: &str, info: Option<&Info>) -> Result<(), Stop> {
    let joined = code.replace("\\\n", " ");
    for statement in joined.split(['\n', ';']) {
        let statement = statement.split('#').next().unwrap_or_default().trim();
        if statement.is_empty() || statement.starts_with("print") {
            continue;
        }
        let Some(condition) = statement.strip_prefix("assert") else {
            return Err(Stop::unsupported(format!("the code {statement:?}")));
        };
        let mut reader = Reader { rest: condition.trim_start(), info, depth: 0, seen: Vec::new() };
        let value = reader.or()?;
        // What follows a comma is what the assertion says when it fails.
        if !reader.rest.is_empty() && !reader.rest.starts_with(',') {
            return Err(Stop::unsupported(format!("the code {:?}", reader.rest)));
        }
        if !truth(&value) {
            return Err(Stop::failed(statement, reader.seen.join(", ")));
        }
    }
    Ok(())
}

struct Reader<'c> {
    rest: &'c str,
    info: Option<&'c Info>,
    depth: u32,
    /// Names that were used, with their values.
    seen: Vec<String>,
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Number(number) => *number != 0.0,
        Value::Text(text) => !text.is_empty(),
    }
}

fn from_bool(holds: bool) -> Value {
    Value::Number(f64::from(u8::from(holds)))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl Reader<'_> {
    fn take(&mut self, symbol: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(symbol) else { return false };
        let word = symbol.chars().all(is_word);
        if word && rest.starts_with(is_word) {
            return false;
        }
        self.rest = rest.trim_start();
        true
    }

    fn or(&mut self) -> Result<Value, Stop> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Stop::unsupported("code that is nested so deep"));
        }
        let mut left = self.and()?;
        while self.take("or") {
            let right = self.and()?;
            left = from_bool(truth(&left) || truth(&right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Value, Stop> {
        let mut left = self.not()?;
        while self.take("and") {
            let right = self.not()?;
            left = from_bool(truth(&left) && truth(&right));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Value, Stop> {
        let mut inverted = false;
        while self.take("not") {
            inverted = !inverted;
        }
        let value = self.comparison()?;
        Ok(if inverted { from_bool(!truth(&value)) } else { value })
    }

    fn comparison(&mut self) -> Result<Value, Stop> {
        let mut left = self.sum()?;
        let mut compared = None;
        'next: loop {
            for operator in ["==", "!=", "<=", ">=", "<", ">"] {
                if self.take(operator) {
                    let right = self.sum()?;
                    let holds = holds(operator, &left, &right)?;
                    compared = Some(compared.unwrap_or(true) && holds);
                    left = right;
                    continue 'next;
                }
            }
            return Ok(compared.map_or(left, from_bool));
        }
    }

    fn sum(&mut self) -> Result<Value, Stop> {
        let mut left = self.term()?;
        loop {
            let operator = match self.rest.chars().next() {
                Some(operator @ ('+' | '-' | '&' | '|')) => operator,
                _ => return Ok(left),
            };
            self.rest = self.rest[1..].trim_start();
            let right = self.term()?;
            left = Value::Number(match (number(&left)?, number(&right)?, operator) {
                (left, right, '+') => left + right,
                (left, right, '-') => left - right,
                (left, right, '&') => (left as i64 & right as i64) as f64,
                (left, right, _) => (left as i64 | right as i64) as f64,
            });
        }
    }

    fn term(&mut self) -> Result<Value, Stop> {
        let mut left = self.atom()?;
        loop {
            let Some(operator) = ["*", "//", "/", "%"].into_iter().find(|operator| self.take(operator)) else {
                return Ok(left);
            };
            let (a, b) = (number(&left)?, number(&self.atom()?)?);
            if operator != "*" && b == 0.0 {
                return Err(Stop::failed("a division by something", "by zero"));
            }
            left = Value::Number(match operator {
                "*" => a * b,
                "/" => a / b,
                "//" => (a / b).floor(),
                _ => a.rem_euclid(b),
            });
        }
    }

    fn atom(&mut self) -> Result<Value, Stop> {
        if self.take("(") {
            let value = self.or()?;
            return if self.take(")") {
                Ok(value)
            } else {
                Err(Stop::unsupported(format!("the code {:?}", self.rest)))
            };
        }
        let minus = self.take("-");
        let rest = self.rest;
        if let Some(quote @ ('"' | '\'')) = rest.chars().next() {
            let (text, behind) =
                rest[1..].split_once(quote).ok_or_else(|| Stop::unsupported("a string without end"))?;
            self.rest = behind.trim_start();
            return Ok(Value::Text(text.into()));
        }
        let len = rest.find(|c| !is_word(c) && c != '.').unwrap_or(rest.len());
        let word = &rest[..len];
        self.rest = rest[len..].trim_start();
        let value = match word.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok().map(|number| number as f64),
            None => word.parse().ok(),
        };
        let value = match value.or_else(|| self.name(word)) {
            Some(value) => value,
            None if word == "tcpi_congestion" => return Ok(Value::Text(self.info.map_or("", |i| i.congestion).into())),
            None => return Err(Stop::unsupported(format!("the figure `{word}`"))),
        };
        Ok(Value::Number(if minus { -value } else { value }))
    }

    fn name(&mut self, name: &str) -> Option<f64> {
        if let Some(number) = constant(name) {
            return Some(number);
        }
        let value = figure(name, self.info?)?;
        self.seen.push(format!("{name} = {value}"));
        Some(value)
    }
}

fn number(value: &Value) -> Result<f64, Stop> {
    match value {
        Value::Number(number) => Ok(*number),
        Value::Text(text) => Err(Stop::unsupported(format!("arithmetic with {text:?}"))),
    }
}

fn holds(operator: &str, left: &Value, right: &Value) -> Result<bool, Stop> {
    match operator {
        "==" => return Ok(left == right),
        "!=" => return Ok(left != right),
        _ => {}
    }
    let (left, right) = (number(left)?, number(right)?);
    Ok(match operator {
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        _ => left >= right,
    })
}

fn constant(name: &str) -> Option<f64> {
    const CONSTANTS: &[(&str, u32)] = &[
        ("TCP_ESTABLISHED", 1),
        ("TCP_SYN_SENT", 2),
        ("TCP_SYN_RECV", 3),
        ("TCP_FIN_WAIT1", 4),
        ("TCP_FIN_WAIT2", 5),
        ("TCP_TIME_WAIT", 6),
        ("TCP_CLOSE", 7),
        ("TCP_CLOSE_WAIT", 8),
        ("TCP_LAST_ACK", 9),
        ("TCP_LISTEN", 10),
        ("TCP_CLOSING", 11),
        ("TCPI_OPT_TIMESTAMPS", 1),
        ("TCPI_OPT_SACK", 2),
        ("TCPI_OPT_WSCALE", 4),
        ("TCPI_OPT_ECN", 8),
        ("TCP_INFINITE_SSTHRESH", 0x7fff_ffff),
        ("TCP_CA_Open", 0),
        ("TCP_CA_Disorder", 1),
        ("TCP_CA_CWR", 2),
        ("TCP_CA_Recovery", 3),
        ("TCP_CA_Loss", 4),
        ("True", 1),
        ("False", 0),
    ];
    CONSTANTS.iter().find(|(known, _)| *known == name).map(|(_, value)| f64::from(*value))
}

/// A field of Linux's `tcp_info`: windows and queues in segments, times in microseconds.
fn figure(name: &str, info: &Info) -> Option<f64> {
    let mss = info.snd_mss.max(1) as u64;
    let value = match name {
        "tcpi_state" => state_number(info.state),
        "tcpi_options" => {
            u64::from(info.timestamps) | u64::from(info.sack) << 1 | u64::from(info.snd_window_scale.is_some()) << 2
        }
        "tcpi_snd_cwnd" => info.cwnd / mss,
        "tcpi_snd_ssthresh" if info.ssthresh == u64::MAX => 0x7fff_ffff,
        "tcpi_snd_ssthresh" => info.ssthresh / mss,
        "tcpi_unacked" => info.unacked_segments,
        "tcpi_ca_state" => ca_state_number(info.ca_state),
        "tcpi_sacked" => info.sacked,
        "tcpi_lost" => info.lost,
        "tcpi_retrans" => info.retrans,
        "tcpi_reordering" => u64::from(info.reordering),
        "tcpi_delivered" => info.delivered,
        "tcpi_dsack_dups" => info.dsack_dups,
        "tcpi_min_rtt" => info.min_rtt.map_or(u64::from(u32::MAX), |rtt| rtt.as_micros() as u64),
        "tcpi_pacing_rate" => info.pacing_rate.unwrap_or(u64::MAX),
        "tcpi_delivery_rate" => info.delivery_rate.unwrap_or(0),
        "tcpi_delivery_rate_app_limited" => u64::from(info.delivery_rate_app_limited),
        "tcpi_probes" => u64::from(info.probes),
        "tcpi_notsent_bytes" => info.notsent,
        "tcpi_rtt" => info.rtt.map_or(0, |rtt| rtt.as_micros() as u64),
        "tcpi_rttvar" => info.rttvar.as_micros() as u64,
        "tcpi_rto" => info.rto.as_micros() as u64,
        "tcpi_backoff" => u64::from(info.backoff),
        "tcpi_snd_mss" => info.snd_mss as u64,
        "tcpi_advmss" => info.advertised_mss as u64,
        "tcpi_total_retrans" => info.retransmissions,
        "tcpi_bytes_acked" => info.bytes_acked,
        "tcpi_bytes_received" => info.bytes_received,
        "tcpi_segs_out" => info.segments_sent,
        "tcpi_segs_in" => info.segments_received,
        "tcpi_snd_wscale" => u64::from(info.snd_window_scale.unwrap_or(0)),
        "tcpi_rcv_wscale" => u64::from(info.rcv_window_scale.unwrap_or(0)),
        "tcpi_snd_wnd" => info.snd_wnd,
        _ => return None,
    };
    Some(value as f64)
}

fn ca_state_number(state: CongestionState) -> u64 {
    match state {
        CongestionState::Open => 0,
        CongestionState::Disorder => 1,
        CongestionState::Cwr => 2,
        CongestionState::Recovery => 3,
        CongestionState::Loss => 4,
    }
}

fn state_number(state: TcpState) -> u64 {
    match state {
        TcpState::Established => 1,
        TcpState::SynSent => 2,
        TcpState::SynReceived => 3,
        TcpState::FinWait1 => 4,
        TcpState::FinWait2 => 5,
        TcpState::TimeWait => 6,
        TcpState::Closed => 7,
        TcpState::CloseWait => 8,
        TcpState::LastAck => 9,
        TcpState::Listen => 10,
        TcpState::Closing => 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_hold_fail_or_are_unsupported() {
        for code in [
            "assert 1 + 2 * 3 == 7",
            "assert not 1 > 2 and (0 or 5 % 3 == 2), 'why'",
            "assert 6 & 3 == 2 # no",
            "assert 'a' == \"a\"\n assert 1 < 2 < 3",
            "assert 7 // 2 == 3 and -1 < 0x10",
        ] {
            assert!(check(code, None).is_ok(), "{code}");
        }
        for code in ["assert 0", "assert 1 == 2 or 2 > 3", "assert 1 < 3 < 2", "assert 1 / 0"] {
            assert!(matches!(check(code, None), Err(Stop::Failed { .. })), "{code}");
        }
        let deep = format!("assert {}", "(".repeat(100_000));
        for code in ["import os", "assert what == 1", "assert 1 ? 2", "assert 'a' < 1", deep.as_str()] {
            assert!(matches!(check(code, None), Err(Stop::Unsupported(_))), "{}", &code[..10]);
        }
    }
}
