//! The capture: every frame in a pcapng file, with a comment that says what the stack did or decided.
//!
//! It shows what the wire would show: partial checksums are finished and super-frames split, unless the truth of the
//! offloads is asked for. The comments of a super-frame stand on its first piece.
//!
//! ```no_run
//! use strata::probe::{Capture, capture::Options};
//!
//! let (observer, capture) = Capture::create("demo.pcapng".as_ref(), &Options::default())?;
//! // stack.set_observer(Some(Box::new(observer))); ...
//! # drop(observer);
//! let summary = capture.finish()?;
//! println!("{} frames captured, {} missed", summary.taken, summary.missed);
//! # std::io::Result::Ok(())
//! ```

use super::drive::{Background, BackgroundObserver, Direct, Sink, Summary, WireFrames};
use super::pcapng::{Interface, Packet, Section, Statistics, Writer};
use super::{Direction, Step, Story};
use crate::frame::Checksum;
use crate::time::Instant;
use crate::wire::offload;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What a capture says of itself, and how it shows offloads.
#[derive(Clone, Debug)]
pub struct Options {
    /// Interface name in the file.
    pub name: String,
    /// One line for people: "TAP strata0, MTU 1500".
    pub description: String,
    /// Show super-frames and partial checksums as the device saw them.
    pub offload: bool,
    /// Say nothing that differs from machine to machine or from version to version.
    pub reproducible: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { name: "strata0".into(), description: "Strata".into(), offload: false, reproducible: false }
    }
}

impl Options {
    fn section(&self) -> Section {
        if self.reproducible {
            return Section { application: Some("Strata".into()), ..Section::default() };
        }
        Section {
            hardware: Some(std::env::consts::ARCH.into()),
            os: Some(std::env::consts::OS.into()),
            application: Some(concat!("Strata ", env!("CARGO_PKG_VERSION")).into()),
        }
    }
}

/// A capture that is being written on a thread of its own.
pub struct Capture {
    background: Background<Box<Story>>,
}

impl Capture {
    /// Creates the file and starts the thread; the observer goes to the stack.
    ///
    /// # Errors
    /// The file cannot be created; the error names it.
    pub fn create(path: &Path, options: &Options) -> io::Result<(BackgroundObserver<WireFrames>, Capture)> {
        let file = File::create(path)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot create {}: {error}", path.display())))?;
        Capture::start(BufWriter::with_capacity(1 << 16, file), options)
    }

    /// The same into anything that can be written to.
    pub fn start(
        out: impl Write + Send + 'static,
        options: &Options,
    ) -> io::Result<(BackgroundObserver<WireFrames>, Capture)> {
        let sink = CaptureSink::new(out, options)?;
        let (observer, background) = Background::start("capture", WireFrames::default(), sink)?;
        Ok((observer, Capture { background }))
    }

    /// Writes what waits and the closing statistics.
    ///
    /// # Errors
    /// The first error in writing.
    pub fn finish(self) -> io::Result<Summary> {
        self.background.finish()
    }
}

/// A capture that is written at once, for virtual time: equal runs give equal bytes (see [`Options::reproducible`]).
pub fn direct<W: Write + Send>(out: W, options: &Options) -> io::Result<Direct<WireFrames, CaptureSink<W>>> {
    Ok(Direct::new(WireFrames::default(), CaptureSink::new(out, options)?))
}

/// Writes stories as packets with comments.
#[derive(Debug)]
pub struct CaptureSink<W> {
    writer: Writer<W>,
    offload: bool,
    statistics: Statistics,
}

impl<W: Write> CaptureSink<W> {
    pub fn new(out: W, options: &Options) -> io::Result<CaptureSink<W>> {
        let interface = Interface { name: options.name.clone(), description: options.description.clone() };
        let writer = Writer::new(out, &options.section(), &interface)?;
        Ok(CaptureSink { writer, offload: options.offload, statistics: Statistics::default() })
    }

    pub fn into_inner(self) -> W {
        self.writer.into_inner()
    }

    fn count(&mut self, at: Instant) {
        if self.statistics.received == 0 {
            self.statistics.start = at;
        }
        self.statistics.end = self.statistics.end.max(at);
        self.statistics.received += 1;
    }
}

impl<W: Write + Send> Sink<Box<Story>> for CaptureSink<W> {
    fn take(&mut self, story: Box<Story>, missed: u64) -> io::Result<()> {
        let frames = if self.offload { vec![story.bytes().into_owned()] } else { on_the_wire(&story) };
        let pieces = frames.len();
        for (index, bytes) in frames.iter().enumerate() {
            let mut comments = match index {
                0 => comments(&story),
                _ => vec![format!("piece {} of {pieces} of the super-frame", index + 1)],
            };
            let missed = if index == 0 { missed } else { 0 };
            if missed > 0 {
                comments.push(missing(missed, "here"));
            }
            self.count(story.at);
            let packet = Packet { at: story.at, direction: story.direction, bytes, missed, comments: &comments };
            self.writer.packet(&packet)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn close(&mut self, missed: u64) -> io::Result<()> {
        let mut statistics = std::mem::take(&mut self.statistics);
        statistics.received += missed;
        statistics.dropped = missed;
        statistics.comment = (missed > 0).then(|| missing(missed, "in all"));
        self.writer.statistics(&statistics)?;
        self.writer.flush()
    }
}

fn missing(missed: u64, place: &str) -> String {
    let frames = if missed == 1 { "frame is" } else { "frames are" };
    format!("{missed} {frames} missing {place}: the capture could not keep up")
}

/// The story in sentences; where nothing was decided, what the layers did. Never empty.
fn comments(story: &Story) -> Vec<String> {
    let decisions = story.decisions();
    if !decisions.is_empty() {
        return decisions;
    }
    let layers: Vec<_> =
        story.layers.iter().map(|step| format!("{} {} bytes", step.layer, step.header.len())).collect();
    vec![match (story.layers.first().map(|step| step.step), story.direction) {
        (Some(Step::Stripped), _) => format!("stripped: {}", layers.join(", ")),
        (Some(Step::Prepended), _) => format!("prepended: {}", layers.join(", ")),
        (None, Direction::Inbound) => "received, and no layer took it up".into(),
        (None, Direction::Outbound) => "sent as it is".into(),
    }]
}

/// The frame as the wire shows it: in pieces when it is a super-frame, its checksum finished.
fn on_the_wire(story: &Story) -> Vec<Vec<u8>> {
    let (mut bytes, facts) = (story.bytes().into_owned(), story.offload());
    if let Some(pieces) = facts.segment_size.and_then(|size| offload::split(&bytes, usize::from(size.get()))) {
        return pieces;
    }
    if let Checksum::Partial { start, offset } = facts.checksum {
        // A place outside the frame leaves it as it is, to be seen in Wireshark.
        offload::finish_checksum(&mut bytes, usize::from(start), usize::from(offset));
    }
    vec![bytes]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Record};
    use crate::frame::FrameId;
    use crate::probe::pcapng;
    use crate::probe::samples::frame;
    use crate::probe::{Digest, WireFrames};

    #[test]
    fn frames_that_are_missing_are_said_where_they_are_missing_and_at_the_end() {
        let mut digest = WireFrames::default();
        let mut sink = CaptureSink::new(Vec::new(), &Options::default()).expect("a vector takes everything");
        for (id, missed) in [(1, 0), (2, 12), (3, 1)] {
            let frame = frame(id, b"data");
            let sent = Event::FrameSent { frame: &frame };
            let record = Record { at: Instant::from_secs(id), frame: Some(FrameId(id)), event: sent };
            let story = digest.digest(&record).expect("a frame was sent");
            sink.take(story, missed).expect("a vector takes everything");
        }
        sink.close(13).expect("a vector takes everything");
        let file = sink.into_inner();
        let comments: Vec<_> =
            pcapng::read(&file[..]).expect("our own file reads").into_iter().map(|packet| packet.comments).collect();
        assert_eq!(comments[0], ["sent as it is"]);
        assert_eq!(comments[1][1], "12 frames are missing here: the capture could not keep up");
        assert_eq!(comments[2][1], "1 frame is missing here: the capture could not keep up");
        assert!(String::from_utf8_lossy(&file).contains("13 frames are missing in all"));
        // if_recv 16 (3 written, 13 not) and if_drop 13, the last options before the end.
        let counts = [&[4, 0, 8, 0, 16, 0, 0, 0, 0, 0, 0, 0][..], &[5, 0, 8, 0, 13, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(file[file.len() - 8 - counts.len()..file.len() - 8], counts);
    }
}
