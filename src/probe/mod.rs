//! Looking at the stack: observers of its event stream, and the views built from it.
//!
//! The core tells what it does ([`crate::event`]); everything here listens and knows no protocol file. Adding a view
//! touches nothing else.
//!
//! ```text
//!                      +-> Counters                    numbers, at exit or at any time
//!   events -> Fanout --+-> JsonLines                   one object for each event
//!                      +-> gather -> Story --+-> Capture      pcapng with comments, for Wireshark
//!                                            +-> LayerTree    nested layers on the terminal
//!                          narrate: every event as an English sentence, the same in all views
//! ```
//!
//! A [`Story`] is all that happened to one frame: its bytes, the headers that came off or went on, and what was decided.
//! A view takes stories (or records) through the [`Sink`] trait and is driven by one of two observers: [`Direct`]
//! writes at once, which keeps virtual time reproducible; [`Background`] hands over to a thread through a bounded
//! queue, which never slows the data path: what does not fit is counted, and the view says so.

pub mod capture;
pub mod counters;
mod drive;
mod gather;
#[cfg(feature = "app")]
pub mod json_lines;
mod kind;
pub mod layer_tree;
pub mod narrate;
pub mod pcapng;
mod record;

pub use capture::Capture;
pub use counters::Counters;
pub use drive::{Background, BackgroundObserver, Digest, Direct, EveryRecord, Sink, Summary, WireFrames};
pub use gather::{Direction, Gather, LayerStep, Note, Step, Story, Told};
#[cfg(feature = "app")]
pub use json_lines::JsonLines;
pub use kind::Kind;
pub use layer_tree::LayerTree;
pub use record::{OwnedEvent, OwnedRecord, Recorder};

use crate::event::{Observer, Record};

/// Several observers as one, told in order.
#[derive(Default)]
pub struct Fanout {
    observers: Vec<Box<dyn Observer>>,
}

impl Fanout {
    pub fn new() -> Fanout {
        Fanout::default()
    }

    pub fn push(&mut self, observer: impl Observer + 'static) {
        self.observers.push(Box::new(observer));
    }

    pub fn with(mut self, observer: impl Observer + 'static) -> Fanout {
        self.push(observer);
        self
    }

    /// As the stack takes it: nothing when nobody listens, so that events are not even made.
    pub fn into_observer(mut self) -> Option<Box<dyn Observer>> {
        match self.observers.len() {
            0 => None,
            1 => self.observers.pop(),
            _ => Some(Box::new(self)),
        }
    }
}

impl Observer for Fanout {
    fn observe(&mut self, record: &Record<'_>) {
        self.observers.iter_mut().for_each(|observer| observer.observe(record));
    }
}

#[cfg(test)]
pub(crate) mod samples;
