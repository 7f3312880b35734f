//! The views that a command was asked for, attached to one stack and closed at the end.

use super::failure::{Doing, Failure};
use super::options::ViewOptions;
use crate::event::{Observer, Record};
use crate::probe::layer_tree::{Detail, LayerTree, Style};
use crate::probe::{Capture, Counters, Fanout, JsonLines, Summary, capture};
use anstream::AutoStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where the layer tree is drawn, and how much of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Terminal {
    Stdout(Detail),
    /// For commands whose standard output belongs to somebody else.
    Stderr(Detail),
}

/// The open views of a run.
#[derive(Default)]
pub struct Views {
    capture: Option<(PathBuf, Capture)>,
    events: Option<(PathBuf, JsonLines)>,
    tree: Option<LayerTree>,
    stats: Option<(PathBuf, Counters)>,
}

impl Views {
    /// Opens what `options` ask for; the observer goes to the stack. `device` describes it in one line.
    pub fn open(
        options: &ViewOptions,
        device: &str,
        terminal: Terminal,
    ) -> Result<(Views, Option<Box<dyn Observer>>), Failure> {
        let (mut views, mut observers) = (Views::default(), Fanout::new());
        if let Some(path) = &options.capture {
            let about = capture::Options {
                description: device.to_owned(),
                offload: options.capture_offload,
                ..capture::Options::default()
            };
            let (observer, capture) = Capture::create(path, &about).map_err(|error| unwritable("--capture", &error))?;
            observers.push(observer);
            views.capture = Some((path.clone(), capture));
        }
        if let Some(path) = &options.events {
            let (observer, events) = JsonLines::create(path).map_err(|error| unwritable("--events", &error))?;
            observers.push(observer);
            views.events = Some((path.clone(), events));
        }
        if options.trace {
            let (observer, tree) = match terminal {
                Terminal::Stdout(detail) => {
                    LayerTree::start(anstream::stdout(), tree_style(&std::io::stdout(), detail))
                }
                Terminal::Stderr(detail) => {
                    LayerTree::start(anstream::stderr(), tree_style(&std::io::stderr(), detail))
                }
            }?;
            observers.push(observer);
            views.tree = Some(tree);
        }
        if let Some(path) = &options.stats {
            // Now, so that a path that cannot be written to does not come as a surprise at the end.
            std::fs::write(path, "")
                .map_err(|error| unwritable("--stats", &format_args!("cannot create {}: {error}", path.display())))?;
            let counters = Counters::new();
            observers.push(counters.clone());
            views.stats = Some((path.clone(), counters));
        }
        Ok((views, observers.into_observer()))
    }

    /// Is anything watched?
    pub fn any(&self) -> bool {
        self.capture.is_some() || self.events.is_some() || self.tree.is_some() || self.stats.is_some()
    }

    /// Writes what waits; says on standard error what was left where.
    pub fn close(self) -> Result<(), Failure> {
        if let Some(tree) = self.tree {
            tree.finish().doing("drawing the layers")?;
        }
        if let Some((path, capture)) = self.capture {
            told(&path, "frames", capture.finish().doing(format_args!("writing {}", path.display()))?);
        }
        if let Some((path, events)) = self.events {
            told(&path, "events", events.finish().doing(format_args!("writing {}", path.display()))?);
        }
        if let Some((path, counters)) = self.stats {
            let text = format!("{:#}\n", counters.snapshot().to_json());
            std::fs::write(&path, text).doing(format_args!("writing {}", path.display()))?;
        }
        Ok(())
    }
}

/// One observer for each of several stacks, all of which tell it in turn.
pub fn shared_by(observer: Box<dyn Observer>, count: usize) -> Vec<Box<dyn Observer>> {
    struct Shared(Arc<Mutex<Box<dyn Observer>>>);
    impl Observer for Shared {
        fn observe(&mut self, record: &Record<'_>) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).observe(record);
        }
    }
    if count == 1 {
        return vec![observer];
    }
    let observer = Arc::new(Mutex::new(observer));
    (0..count).map(|_| Box::new(Shared(observer.clone())) as Box<dyn Observer>).collect()
}

fn unwritable(option: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("{error}; name a file that you may write with {option} FILE"))
}

/// In colours where the terminal has them.
pub fn tree_style(stream: &impl anstream::stream::RawStream, detail: Detail) -> Style {
    Style { detail, colour: false }.with_colour(AutoStream::choice(stream) != anstream::ColorChoice::Never)
}

fn told(path: &Path, what: &str, summary: Summary) {
    let Summary { taken, missed } = summary;
    tracing::info!("{}: {taken} {what}", path.display());
    if missed > 0 {
        tracing::warn!("{}: {missed} {what} are missing, because writing could not keep up", path.display());
    }
}
