//! A script from a capture: a connection that was seen becomes a test.
//!
//! One end of the connection is the stack's, and what it sent is expected of it again; what the other sent is handed
//! to it. The system calls of the program on top cannot be seen and are deduced: a write where new data begins that no
//! write has brought yet, up to the segment that was pushed; a read where data came in order, or where the window opened
//! again; a close where the FIN left. Sequence numbers of both sides count from 0, timestamps from 1,000, and all data is
//! zeros, as in every script.
//!
//! `capture` finds the connections of a file, `numbers` puts a segment in the script's numbers, `calls` deduces what the
//! program did, `offer` how the stack was set up.

mod calls;
mod capture;
mod intervals;
mod numbers;
mod offer;
#[cfg(test)]
mod tests;

use super::syntax::{Direction, Packet};
use crate::probe::pcapng::Captured;
use crate::time::Instant;
use calls::Program;
use capture::{Connection, Seen};
use numbers::Numbers;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// What is to be recorded.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The first connection that begins in the capture, if none is named.
    pub flow: Option<Flow>,
    /// The end that is the stack's: by default the side that answered.
    pub local: Option<End>,
}

/// A connection of a capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// The first is 1.
    Number(usize),
    /// The first one that has this end.
    With(End),
}

/// An address, and perhaps a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    pub address: IpAddr,
    pub port: Option<u16>,
}

impl End {
    fn is(&self, socket: SocketAddr) -> bool {
        self.address == socket.ip() && self.port.is_none_or(|port| port == socket.port())
    }
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<End, String> {
        let socket = |socket: SocketAddr| End { address: socket.ip(), port: Some(socket.port()) };
        let address = |address| End { address, port: None };
        text.parse()
            .map(socket)
            .or_else(|_| text.parse().map(address))
            .map_err(|_| "write an address or ADDRESS:PORT".into())
    }
}

impl FromStr for Flow {
    type Err = String;

    fn from_str(text: &str) -> Result<Flow, String> {
        match text.parse() {
            Ok(0) => Err("connections are counted from 1".into()),
            Ok(number) => Ok(Flow::Number(number)),
            Err(_) => text.parse().map(Flow::With),
        }
    }
}

/// Why there is nothing to record.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RecordError {
    #[error("no TCP connection over IPv4 begins in the capture{}", told(.left_out))]
    NoConnection { left_out: String },
    #[error("no such connection: the capture has {}", .connections.join(", "))]
    NotFound { connections: Vec<String> },
    #[error("the stack's side is to be {wanted}, but the connection is {connection}")]
    NotAnEnd { wanted: IpAddr, connection: String },
    #[error("the stack's side of {connection} sends nothing: there is nothing to test")]
    Silent { connection: String },
}

fn told(left_out: &str) -> String {
    if left_out.is_empty() { String::new() } else { format!(" (left out: {left_out})") }
}

/// Writes a script of a connection in a capture; `name` is what the capture is called.
///
/// # Errors
/// When the capture has no connection, or not the one that was chosen.
pub fn record(frames: &[Captured], name: &str, choice: &Choice) -> Result<String, RecordError> {
    let (connections, left_out) = capture::connections(frames);
    let left = list(&left_out);
    if connections.is_empty() {
        return Err(RecordError::NoConnection { left_out: left });
    }
    let chosen = match choice.flow {
        None => connections.first(),
        Some(Flow::Number(number)) => connections.get(number - 1),
        Some(Flow::With(end)) => connections.iter().find(|one| end.is(one.client) || end.is(one.server)),
    };
    let Some(chosen) = chosen else {
        let connections = connections.iter().take(20).map(Connection::to_string).collect();
        return Err(RecordError::NotFound { connections });
    };
    let local = match choice.local {
        None => chosen.server,
        Some(end) if end.is(chosen.server) => chosen.server,
        Some(end) if end.is(chosen.client) => chosen.client,
        Some(end) => return Err(RecordError::NotAnEnd { wanted: end.address, connection: chosen.to_string() }),
    };
    if !chosen.segments.iter().any(|seen| seen.from == local) {
        return Err(RecordError::Silent { connection: chosen.to_string() });
    }
    let others = frames.len() - chosen.segments.len() - left_out.values().sum::<usize>();
    let mut text = header(name, frames.len(), chosen, local, &left, others);
    text.push_str(&Recorder::new(chosen, local).script());
    Ok(text)
}

fn list(left_out: &BTreeMap<&str, usize>) -> String {
    left_out.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

/// Where it comes from, what was deduced and what left out.
fn header(name: &str, frames: usize, chosen: &Connection, local: SocketAddr, left: &str, others: usize) -> String {
    // A line break in a file's name would end the comment.
    let name = name.replace(char::is_control, "?");
    let role = if local == chosen.server { "answered" } else { "began" };
    let mut left_out = Vec::from_iter((!left.is_empty()).then(|| left.to_owned()));
    left_out.extend((others > 0).then(|| format!("{others} of other connections")));
    let left_out = if left_out.is_empty() { "nothing".into() } else { left_out.join(", ") };
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "// Recorded from {name}: the connection {chosen}, {} of {frames} frames.\n\
         // The stack is {local}, the side that {role}. Left out: {left_out}; the content of the data.\n\
         // The system calls are deduced from the segments.",
        chosen.segments.len(),
    );
    text
}

/// A connection on its way to a script.
struct Recorder<'c> {
    connection: &'c Connection,
    local: SocketAddr,
    numbers: Numbers,
    lines: String,
    /// The time of the last line.
    last: Instant,
}

impl<'c> Recorder<'c> {
    fn new(connection: &'c Connection, local: SocketAddr) -> Recorder<'c> {
        let numbers = Numbers::of(&connection.segments, local);
        let last = connection.segments.first().map_or(Instant::ZERO, |seen| seen.at);
        Recorder { connection, local, numbers, lines: String::new(), last }
    }

    fn script(mut self) -> String {
        let segments = &self.connection.segments;
        let mut program = Program::new(segments, self.local, self.local == self.connection.server);
        let mut head = program.settings();
        if program.has_unknown_options() {
            head.push("// Options that the language has no words for stand as <...> or as nop.".into());
        }
        program.setup().iter().enumerate().for_each(|(place, call)| {
            // Writing to a string does not fail.
            let _ = writeln!(self.lines, "{} {call}", if place == 0 { "0 " } else { "+0" });
        });
        for (place, seen) in segments.iter().enumerate() {
            let ours = seen.from == self.local;
            if ours {
                program.before_ours(place).iter().for_each(|call| self.line(seen.at, call));
            }
            let packet = self.packet(seen, ours);
            self.line(seen.at, &packet.to_string());
            if !ours {
                program.after_theirs(place).iter().for_each(|call| self.line(seen.at, call));
            }
        }
        head.iter().flat_map(|line| [line.as_str(), "\n"]).chain([self.lines.as_str()]).collect()
    }

    /// A line at its time, which is written as what has passed since the one before.
    fn line(&mut self, at: Instant, what: &str) {
        // Captures of several sources may go back in time; scripts do not.
        let gap = micros(at.since(self.last));
        self.last = self.last.max(at);
        let first = if self.lines.is_empty() { "" } else { "+" };
        let seconds = format!("{}.{:06}", gap / 1_000_000, gap % 1_000_000);
        let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
        let _ = writeln!(self.lines, "{first}{seconds} {what}");
    }

    fn packet(&mut self, seen: &Seen, ours: bool) -> Packet {
        let direction = if ours { Direction::Out } else { Direction::In };
        let tcp = self.numbers.in_script(seen, ours);
        Packet { direction, outer: Vec::new(), ip: seen.ip, body: super::syntax::Body::Tcp(tcp) }
    }
}

fn micros(gap: Duration) -> u128 {
    (gap.as_nanos() + 500) / 1_000
}
