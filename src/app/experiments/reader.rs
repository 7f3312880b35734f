//! A table of a file, read key by key: each value is taken once, and what is left over at the end is a mistake.

use crate::sim::experiment::Problem;
use std::fmt::Display;
use toml::{Table, Value};

/// One table and where it stands.
pub struct Reader {
    path: String,
    table: Table,
    /// The keys that were asked for: those that are allowed.
    known: Vec<&'static str>,
}

impl Reader {
    /// `path` is empty for the file itself.
    pub fn new(path: impl Into<String>, table: Table) -> Reader {
        Reader { path: path.into(), table, known: Vec::new() }
    }

    /// The table at `path`, if it is one.
    pub fn of(path: String, value: Value) -> Result<Reader, Problem> {
        match value {
            Value::Table(table) => Ok(Reader::new(path, table)),
            other => Err(wrong(&path, &other, "a table of keys and values")),
        }
    }

    /// Where `key` stands.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// The value of `key` by way of `read`, which says what it expected when it finds something else.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.take(key) else { return Ok(None) };
        read(&value).map(Some).map_err(|what| Problem { path: self.path(key), what })
    }

    pub fn required<T>(&self, key: &str, value: Option<T>, expected: &str) -> Result<T, Problem> {
        value.ok_or_else(|| Problem { path: self.path(key), what: format!("is missing: expected {expected}") })
    }

    pub fn text(&mut self, key: &'static str) -> Result<Option<String>, Problem> {
        self.read(key, |value| value.as_str().map(str::to_owned).ok_or_else(|| expected(value, "text in quotes")))
    }

    /// The tables of a list, each with its own path.
    pub fn tables(&mut self, key: &'static str) -> Result<Vec<Reader>, Problem> {
        let path = self.path(key);
        let tables = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(values)) => values,
            Some(other) => return Err(wrong(&path, &other, format_args!("tables, each under [[{key}]]"))),
        };
        tables.into_iter().enumerate().map(|(index, table)| Reader::of(format!("{path}[{index}]"), table)).collect()
    }

    /// A table inside of this one.
    pub fn table(&mut self, key: &'static str) -> Result<Option<Reader>, Problem> {
        let path = self.path(key);
        self.take(key).map(|value| Reader::of(path, value)).transpose()
    }

    /// Nothing must be left.
    pub fn finish(self) -> Result<(), Problem> {
        match self.table.keys().next() {
            None => Ok(()),
            Some(key) => Err(Problem {
                path: self.path(key),
                what: format!("there is no such key: allowed are {}", self.known.join(", ")),
            }),
        }
    }
}

/// `"x": expected a whole number`
pub fn expected(value: &Value, what: impl Display) -> String {
    let shown = match value {
        Value::Table(_) => "a table".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            value.to_string()
        }
    };
    format!("{shown}: expected {what}")
}

fn wrong(path: &str, value: &Value, what: impl Display) -> Problem {
    Problem { path: path.to_owned(), what: expected(value, what) }
}
