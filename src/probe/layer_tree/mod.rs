//! The layer tree: each frame on the terminal as nested layers, with what was decided about it.
//!
//! A frame that came in is drawn from the outside in, as each layer strips its header and hands the rest up; one that
//! goes out from the inside out, as each layer prepends its own:
//!
//! ```text
//! -> frame 3  58 bytes in  0.001234
//!   Ethernet   02:00:00:00:00:01 -> 02:00:00:00:00:02, IPv4      stripped 14 bytes
//!     IPv4     192.0.2.1 -> 192.0.2.2, TTL 64, TCP               stripped 20 bytes
//!       TCP    41234 -> 80 SYN seq 0 win 64240                   stripped 24 bytes
//!              LISTEN -> SYN-RECEIVED: rcv SYN
//! ```
//!
//! The full style adds each header's bytes and its fields by name, from the tables of [`crate::wire`]. TCP sequence
//! numbers are relative to the connection's first, as in Wireshark; the full style shows both. Times count from the
//! first thing that was drawn.

mod describe;
mod draw;
mod fields;
mod payload;
mod sequence;
mod style;

pub use style::{Detail, Style};

use super::drive::{Background, BackgroundObserver, Direct, Sink, Summary};
use super::{Direction, Gather, Told};
use crate::time::Instant;
use sequence::Sequences;
use std::io::{self, Write};

/// A layer tree that is being drawn on a thread of its own.
pub struct LayerTree {
    background: Background<Told>,
}

impl LayerTree {
    /// Starts the thread; the observer goes to the stack.
    pub fn start(
        out: impl Write + Send + 'static,
        style: Style,
    ) -> io::Result<(BackgroundObserver<Gather>, LayerTree)> {
        let (observer, background) = Background::start("layer-tree", Gather::new(), TreeSink::new(out, style))?;
        Ok((observer, LayerTree { background }))
    }

    /// Draws what waits.
    ///
    /// # Errors
    /// The first error in writing.
    pub fn finish(self) -> io::Result<Summary> {
        self.background.finish()
    }
}

/// A layer tree that is drawn at once: for virtual time, and where the picture should keep step with what else is said.
pub fn direct<W: Write + Send>(out: W, style: Style) -> Direct<Gather, TreeSink<W>> {
    Direct::new(Gather::new(), TreeSink::new(out, style))
}

/// Draws stories.
#[derive(Debug)]
pub struct TreeSink<W> {
    out: W,
    style: Style,
    sequences: Sequences,
    start: Option<Instant>,
}

impl<W: Write> TreeSink<W> {
    pub fn new(out: W, style: Style) -> TreeSink<W> {
        TreeSink { out, style, sequences: Sequences::default(), start: None }
    }

    pub fn into_inner(self) -> W {
        self.out
    }

    /// Since the first thing that was drawn.
    fn elapsed(&mut self, at: Instant) -> Instant {
        at - self.start.get_or_insert(at).since(Instant::ZERO)
    }
}

impl<W: Write + Send> Sink<Told> for TreeSink<W> {
    fn take(&mut self, told: Told, missed: u64) -> io::Result<()> {
        let mut text = String::new();
        if missed > 0 {
            text.push_str(&format!("... {missed} frames and events not shown: the terminal could not keep up\n"));
        }
        match told {
            Told::Story(story) => {
                let elapsed = self.elapsed(story.at);
                draw::story(&mut text, &story, elapsed, self.style, &mut self.sequences);
            }
            Told::Aside(note) => {
                let elapsed = self.elapsed(note.at);
                draw::aside(&mut text, &note, elapsed, self.style);
            }
        }
        self.out.write_all(text.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn close(&mut self, missed: u64) -> io::Result<()> {
        if missed > 0 {
            writeln!(self.out, "{missed} frames and events in all were not shown")?;
        }
        self.out.flush()
    }
}

impl Direction {
    /// `in` or `out`.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Inbound => "in",
            Direction::Outbound => "out",
        }
    }
}

#[cfg(test)]
mod tests;
