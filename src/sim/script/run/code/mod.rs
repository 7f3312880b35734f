//! `%{ ... }%`: enough of the language to judge the figures of a connection.
//!
//! ```text
//! body       := statement {(newline | ;) statement}     statement := assert or {, or} | name (= += -=) or | print ..
//! or         := and {or and}    and := not {and not}    not := not not | comparison
//! comparison := bits {(== != < <= > >=) bits} | bits in ( or {, or} )
//! bits       := masked {| masked}    masked := shifted {& shifted}    shifted := sum {(<< >>) sum}
//! sum        := term {(+ -) term}    term := atom {(* / // %) atom}
//! atom       := number | "string" | name | - atom | ( or ) | (abs min max int float round) ( or {, or} )
//! ```

mod evaluate;
mod figures;
#[cfg(test)]
mod tests;

pub use figures::Figures;

use super::Stop;
use evaluate::{Reader, truth};
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Number(f64),
    Text(String),
}

/// What statements have named.
pub type Variables = BTreeMap<String, Value>;

/// More names than any script gives.
const MAX_VARIABLES: usize = 1_000;

/// Does what a block says, which is to check its assertions.
pub fn check(code: &str, figures: &Figures<'_>, variables: &mut Variables) -> Result<(), Stop> {
    for statement in statements(code) {
        let statement = statement.trim();
        if statement.is_empty() || statement.starts_with("print") || statement == "pass" {
            continue;
        }
        if let Some((name, operator, value)) = assignment(statement) {
            let value = Reader::new(value, figures, variables).whole()?;
            let before = variables.get(name).cloned().unwrap_or(Value::Number(0.0));
            let value = match (operator, before, value) {
                ("", _, value) => value,
                ("+", Value::Number(before), Value::Number(by)) if variables.contains_key(name) => {
                    Value::Number(before + by)
                }
                ("-", Value::Number(before), Value::Number(by)) if variables.contains_key(name) => {
                    Value::Number(before - by)
                }
                (_, _, _) => return Err(Stop::unsupported(format!("the code {statement:?}"))),
            };
            if variables.len() >= MAX_VARIABLES {
                return Err(Stop::unsupported("so many names"));
            }
            variables.insert(name.into(), value);
            continue;
        }
        let Some(condition) = statement.strip_prefix("assert") else {
            return Err(Stop::unsupported(format!("the code {statement:?}")));
        };
        let mut reader = Reader::new(condition, figures, variables);
        if !truth(&reader.condition()?) {
            return Err(Stop::failed(statement, reader.seen.join(", ")));
        }
    }
    Ok(())
}

/// What an expression of numbers comes to, as a whole number.
pub fn calculate(text: &str) -> Result<i64, Stop> {
    let (figures, variables) = (Figures::default(), Variables::new());
    match Reader::new(text, &figures, &variables).whole()? {
        Value::Number(number) => Ok(number as i64),
        Value::Text(text) => Err(Stop::unsupported(text)),
    }
}

/// `name = value`, `name += value`: the name, what stands before the sign, and the value.
fn assignment(statement: &str) -> Option<(&str, &str, &str)> {
    let (name, value) = statement.split_once('=')?;
    let operator = name.strip_suffix(['+', '-']).map_or("", |before| &name[before.len()..]);
    let name = name[..name.len() - operator.len()].trim();
    let is_name =
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(evaluate::is_word);
    (is_name && !value.starts_with('=')).then_some((name, operator, value))
}

/// The statements without comments; one goes on in the next line within brackets or behind a backslash.
fn statements(code: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let (mut depth, mut quote, mut comment) = (0i32, None, false);
    let joined = code.replace("\\\n", " ");
    for c in joined.chars() {
        match (quote, c) {
            _ if comment && c != '\n' => continue,
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth -= 1,
            (None, '#') => {
                comment = true;
                continue;
            }
            (None, '\n' | ';') => {
                comment &= c != '\n';
                if depth <= 0 {
                    statements.push(String::new());
                    depth = 0;
                    continue;
                }
            }
            (None, _) => {}
        }
        if let Some(last) = statements.last_mut() {
            last.push(if c == '\n' { ' ' } else { c });
        }
    }
    statements
}
