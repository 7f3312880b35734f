//! Expressions, and what they come to.

use super::figures::{Figures, constant};
use super::{Value, Variables};
use crate::sim::script::run::Stop;

/// Deeper than anybody nests parentheses.
const MAX_DEPTH: u32 = 32;

pub struct Reader<'c> {
    rest: &'c str,
    figures: &'c Figures<'c>,
    variables: &'c Variables,
    depth: u32,
    /// Names that were used, with their values.
    pub seen: Vec<String>,
}

pub fn truth(value: &Value) -> bool {
    match value {
        Value::Number(number) => *number != 0.0,
        Value::Text(text) => !text.is_empty(),
    }
}

fn from_bool(holds: bool) -> Value {
    Value::Number(f64::from(u8::from(holds)))
}

pub fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl<'c> Reader<'c> {
    pub fn new(code: &'c str, figures: &'c Figures<'c>, variables: &'c Variables) -> Reader<'c> {
        Reader { rest: code.trim_start(), figures, variables, depth: 0, seen: Vec::new() }
    }

    /// An expression and nothing behind it.
    pub fn whole(&mut self) -> Result<Value, Stop> {
        let value = self.or()?;
        if self.rest.is_empty() { Ok(value) } else { Err(self.unknown()) }
    }

    /// What an assertion asks. What follows a comma is what it says when it fails.
    pub fn condition(&mut self) -> Result<Value, Stop> {
        let value = self.or()?;
        if self.rest.is_empty() || self.rest.starts_with(',') { Ok(value) } else { Err(self.unknown()) }
    }

    fn unknown(&self) -> Stop {
        Stop::unsupported(format!("the code {:?}", self.rest))
    }

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
        let mut left = self.bits_or()?;
        let mut compared = None;
        if self.take("in") {
            if !self.take("(") && !self.take("[") {
                return Err(self.unknown());
            }
            return Ok(from_bool(self.values()?.contains(&left)));
        }
        'next: loop {
            for operator in ["==", "!=", "<=", ">=", "<", ">"] {
                if self.take(operator) {
                    let right = self.bits_or()?;
                    let holds = holds(operator, &left, &right)?;
                    compared = Some(compared.unwrap_or(true) && holds);
                    left = right;
                    continue 'next;
                }
            }
            return Ok(compared.map_or(left, from_bool));
        }
    }

    fn bits_or(&mut self) -> Result<Value, Stop> {
        let mut left = self.bits_and()?;
        while self.take("|") {
            left = Value::Number((whole(&left)? | whole(&self.bits_and()?)?) as f64);
        }
        Ok(left)
    }

    fn bits_and(&mut self) -> Result<Value, Stop> {
        let mut left = self.shift()?;
        while self.take("&") {
            left = Value::Number((whole(&left)? & whole(&self.shift()?)?) as f64);
        }
        Ok(left)
    }

    fn shift(&mut self) -> Result<Value, Stop> {
        let mut left = self.sum()?;
        while let Some(operator) = ["<<", ">>"].into_iter().find(|operator| self.take(operator)) {
            let (a, b) = (whole(&left)?, whole(&self.sum()?)?);
            // No shift is larger: it would leave nothing.
            let by = b.clamp(0, 62);
            left = Value::Number(if operator == "<<" { a as f64 * (1u64 << by) as f64 } else { (a >> by) as f64 });
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Value, Stop> {
        let mut left = self.term()?;
        while let Some(operator) = ["+", "-"].into_iter().find(|operator| self.take(operator)) {
            let (a, b) = (number(&left)?, number(&self.term()?)?);
            left = Value::Number(if operator == "+" { a + b } else { a - b });
        }
        Ok(left)
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
            return if self.take(")") { Ok(value) } else { Err(self.unknown()) };
        }
        if self.take("-") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(Stop::unsupported("code that is nested so deep"));
            }
            let value = number(&self.atom()?)?;
            self.depth -= 1;
            return Ok(Value::Number(-value));
        }
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
        if self.rest.starts_with('(') && !word.is_empty() {
            return self.function(word);
        }
        let value = match word.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok().map(|number| Value::Number(number as f64)),
            None => word
                .parse()
                .ok()
                .filter(|_| word.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
                .map(Value::Number),
        };
        match value.or_else(|| self.name(word)) {
            Some(value) => Ok(value),
            None => Err(Stop::unsupported(format!("the figure `{word}`"))),
        }
    }

    /// What stands between commas, up to the closing bracket.
    fn values(&mut self) -> Result<Vec<Value>, Stop> {
        let mut values = Vec::new();
        loop {
            values.push(self.or()?);
            if self.take(")") || self.take("]") {
                return Ok(values);
            }
            if !self.take(",") {
                return Err(self.unknown());
            }
        }
    }

    fn function(&mut self, name: &str) -> Result<Value, Stop> {
        let _opening = self.take("(");
        let values = self.values()?;
        let numbers: Vec<f64> = values.iter().map(number).collect::<Result<_, _>>()?;
        let first = numbers[0];
        Ok(Value::Number(match name {
            "abs" => first.abs(),
            "int" => first.trunc(),
            "float" => first,
            "round" => first.round(),
            "min" => numbers.iter().copied().fold(first, f64::min),
            "max" => numbers.iter().copied().fold(first, f64::max),
            _ => return Err(Stop::unsupported(format!("the function `{name}`"))),
        }))
    }

    fn name(&mut self, name: &str) -> Option<Value> {
        if let Some(number) = constant(name) {
            return Some(Value::Number(number));
        }
        let value = self.variables.get(name).cloned().or_else(|| self.figures.value(name))?;
        self.seen.push(match &value {
            Value::Number(number) => format!("{name} = {number}"),
            Value::Text(text) => format!("{name} = {text:?}"),
        });
        Some(value)
    }
}

fn whole(value: &Value) -> Result<i64, Stop> {
    number(value).map(|number| number as i64)
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
