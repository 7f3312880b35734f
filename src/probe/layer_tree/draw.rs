//! Puts a story on lines.

use super::sequence::Sequences;
use super::style::Role;
use super::{Detail, Style, describe, fields, payload};
use crate::event::{Event, Layer};
use crate::probe::narrate::{self, Weight};
use crate::probe::{Direction, LayerStep, Note, Step, Story};
use crate::time::Instant;
use crate::wire::tcp;
use std::fmt::Write as _;

/// Where a layer's name begins, how much further each layer within it, and where what is said of it begins.
const MARGIN: usize = 2;
const INDENT: usize = 2;
const TEXT: usize = 13;
/// Where it says what was stripped or prepended, counted from [`TEXT`].
const VERB: usize = 48;

/// How many rows of payload the full style shows.
const MAX_PAYLOAD_ROWS: usize = 4;
const BYTES_IN_A_ROW: usize = 16;

pub(super) fn story(out: &mut String, story: &Story, elapsed: Instant, style: Style, sequences: &mut Sequences) {
    let layers = lines_of_layers(story, style, sequences);
    let decisions = decisions(story, style);
    line(out, style.paint(Role::Frame, title(story, elapsed)));
    match story.direction {
        // What came in is decided about when its layers are off,
        Direction::Inbound => out.extend(layers.into_iter().chain(decisions)),
        // and what goes out before they are on.
        Direction::Outbound => out.extend(decisions.into_iter().chain(layers.into_iter().rev())),
    }
    out.push('\n');
}

pub(super) fn aside(out: &mut String, note: &Note, elapsed: Instant, style: Style) {
    if narrate::weight(&note.event) >= least_weight(style) {
        let connection = match &note.event {
            Event::Tcp { connection, .. } => format!("  ({connection})"),
            _ => String::new(),
        };
        let said = narrate::sentence(note.at, &note.event);
        let _ = writeln!(
            out,
            "{} {}{}\n",
            style.paint(Role::Frame, format_args!("-- {elapsed}")),
            style.paint(Role::Decision, said),
            style.paint(Role::Verb, connection)
        );
    }
}

/// What an event must weigh to be drawn.
fn least_weight(style: Style) -> Weight {
    match style.detail {
        Detail::Brief => Weight::Decision,
        Detail::Full => Weight::Detail,
    }
}

fn title(story: &Story, elapsed: Instant) -> String {
    let frame = story.frame.0;
    let arrow = match story.direction {
        Direction::Inbound => "->",
        Direction::Outbound => "<-",
    };
    if !story.on_the_wire() {
        return format!("-x frame {frame}  never sent  {elapsed}");
    }
    let pieces = story.offload().segment_size.map_or(String::new(), |size| format!(" (segments of {size})"));
    format!("{arrow} frame {frame}  {} bytes {}{pieces}  {elapsed}", story.len(), story.direction.word())
}

/// The outermost layer first; each entry holds whole lines.
fn lines_of_layers(story: &Story, style: Style, sequences: &mut Sequences) -> Vec<String> {
    let steps: Vec<&LayerStep> = match story.direction {
        Direction::Inbound => story.layers.iter().collect(),
        Direction::Outbound => story.layers.iter().rev().collect(),
    };
    let mut lines: Vec<String> =
        steps.iter().enumerate().map(|(depth, step)| layer(step, depth, story, style, sequences)).collect();
    lines.extend(payload_lines(&steps, story, style));
    lines
}

fn layer(step: &LayerStep, depth: usize, story: &Story, style: Style, sequences: &mut Sequences) -> String {
    let mut out = String::new();
    let text = describe::header(step, story, sequences);
    let verb = match step.step {
        Step::Stripped => "stripped",
        Step::Prepended => "prepended",
    };
    let verb = format!("{verb} {} bytes", step.header.len());
    let (name, text) = (name(&step.layer.to_string(), depth, style), format!("{text:VERB$}"));
    line(&mut out, format_args!("{name}{text}  {}", style.paint(Role::Verb, verb)));
    if style.detail == Detail::Full {
        details(&mut out, step, story, style, sequences);
    }
    out
}

/// A layer's name in its place, and blanks up to the text.
fn name(name: &str, depth: usize, style: Style) -> String {
    let indent = MARGIN + INDENT * depth;
    let blanks = TEXT.saturating_sub(indent + name.len()).max(1);
    format!("{:indent$}{}{:blanks$}", "", style.paint(Role::Layer, name), "")
}

fn details(out: &mut String, step: &LayerStep, story: &Story, style: Style, sequences: &mut Sequences) {
    for row in step.header.chunks(BYTES_IN_A_ROW) {
        said(out, style.paint(Role::Bytes, hex(row)));
    }
    let relative = match (step.layer, tcp::Header::parse(&step.header)) {
        (Layer::Tcp, Ok((header, _))) => Some(describe::relative(&header, story, sequences)),
        (_, _) => None,
    };
    for (name, value) in fields::rows(step.layer, &step.header, relative) {
        said(out, format_args!("{name:<24} {value}"));
    }
}

fn payload_lines(steps: &[&LayerStep], story: &Story, style: Style) -> Option<String> {
    let innermost = steps.last()?;
    let start: usize = steps.iter().map(|step| step.header.len()).sum();
    let bytes = story.bytes();
    let data = bytes.get(start..start + innermost.payload)?;
    if data.is_empty() || !matches!(innermost.layer, Layer::Tcp | Layer::Udp | Layer::Icmp) {
        return None;
    }
    let http = (innermost.layer == Layer::Tcp).then(|| payload::http_first_line(data)).flatten();
    let (label, text) = match http {
        Some(first_line) => ("HTTP", first_line),
        None => ("data", payload::excerpt(data)),
    };
    let mut out = String::new();
    let count = format!("{} byte{}", data.len(), if data.len() == 1 { "" } else { "s" });
    let (name, count) = (name(label, steps.len(), style), style.paint(Role::Verb, count));
    line(&mut out, format_args!("{name}{text:VERB$}  {count}"));
    if style.detail == Detail::Full {
        for row in data.chunks(BYTES_IN_A_ROW).take(MAX_PAYLOAD_ROWS) {
            let text: String = row.iter().map(|byte| payload::printable(*byte)).collect();
            said(&mut out, format_args!("{}  {text}", style.paint(Role::Bytes, format_args!("{:47}", hex(row)))));
        }
        if data.len() > MAX_PAYLOAD_ROWS * BYTES_IN_A_ROW {
            said(&mut out, format_args!("and {} bytes more", data.len() - MAX_PAYLOAD_ROWS * BYTES_IN_A_ROW));
        }
    }
    Some(out)
}

/// What was decided, a sentence a line. What led to a frame without being about it was told as an aside.
fn decisions(story: &Story, style: Style) -> Vec<String> {
    // The line of the ARP layer says what its message says.
    let shown = |note: &&Note| {
        narrate::weight(&note.event) >= least_weight(style) && !matches!(note.event, Event::NeighbourMessage { .. })
    };
    let sentences = narrate::sentences(story.notes.iter().filter(shown).map(|note| (note.at, &note.event)));
    let more = (story.omitted > 0).then(|| format!("and {} more", story.omitted));
    let lines = sentences.into_iter().chain(more).map(|sentence| {
        let role = if sentence.starts_with("dropped by") { Role::Drop } else { Role::Decision };
        let mut out = String::new();
        said(&mut out, style.paint(role, sentence));
        out
    });
    lines.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn line(out: &mut String, text: impl std::fmt::Display) {
    let start = out.len();
    let _ = write!(out, "{text}");
    out.truncate(start + out[start..].trim_end().len());
    out.push('\n');
}

/// A line under the text of its layer.
fn said(out: &mut String, text: impl std::fmt::Display) {
    line(out, format_args!("{:TEXT$}{text}", ""));
}
