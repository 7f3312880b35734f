//! Records that outlive the moment: owned copies of what the core lends.

use crate::event::{Event, Layer, Observer, Record};
use crate::frame::{Frame, FrameId, Offload};
use crate::time::Instant;
use smallvec::SmallVec;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A [`Record`] that owns its bytes.
#[derive(Clone, Debug)]
pub struct OwnedRecord {
    pub at: Instant,
    pub frame: Option<FrameId>,
    pub event: OwnedEvent,
}

/// An [`Event`] that owns its bytes. A sent frame shares its payload, so keeping one copies headers only.
#[derive(Clone, Debug)]
pub enum OwnedEvent {
    FrameReceived {
        bytes: Vec<u8>,
        offload: Offload,
    },
    FrameSent {
        frame: Box<Frame>,
    },
    Stripped {
        layer: Layer,
        header: SmallVec<[u8; 40]>,
        payload: usize,
    },
    Prepended {
        layer: Layer,
        header: SmallVec<[u8; 40]>,
        payload: usize,
    },
    /// Any event that borrows nothing.
    Plain(Event<'static>),
}

impl OwnedEvent {
    /// The event as views read it.
    pub fn as_event(&self) -> Event<'_> {
        match self {
            OwnedEvent::FrameReceived { bytes, offload } => Event::FrameReceived { bytes, offload: *offload },
            OwnedEvent::FrameSent { frame } => Event::FrameSent { frame },
            OwnedEvent::Stripped { layer, header, payload } => {
                Event::Stripped { layer: *layer, header, payload: *payload }
            }
            OwnedEvent::Prepended { layer, header, payload } => {
                Event::Prepended { layer: *layer, header, payload: *payload }
            }
            OwnedEvent::Plain(event) => event.clone(),
        }
    }
}

impl From<&Event<'_>> for OwnedEvent {
    fn from(event: &Event<'_>) -> OwnedEvent {
        OwnedEvent::Plain(match *event {
            Event::FrameReceived { bytes, offload } => {
                return OwnedEvent::FrameReceived { bytes: bytes.to_vec(), offload };
            }
            Event::FrameSent { frame } => return OwnedEvent::FrameSent { frame: Box::new(frame.clone()) },
            Event::Stripped { layer, header, payload } => {
                return OwnedEvent::Stripped { layer, header: header.into(), payload };
            }
            Event::Prepended { layer, header, payload } => {
                return OwnedEvent::Prepended { layer, header: header.into(), payload };
            }
            Event::FrameHandled => Event::FrameHandled,
            Event::Dropped { layer, reason } => Event::Dropped { layer, reason },
            Event::Neighbour { address, from, to, why } => Event::Neighbour { address, from, to, why },
            Event::AwaitsNeighbour { address, waiting } => Event::AwaitsNeighbour { address, waiting },
            Event::AddressConflict { address, claimant, defended } => {
                Event::AddressConflict { address, claimant, defended }
            }
            Event::NeighbourMessage { message, address } => Event::NeighbourMessage { message, address },
            Event::Fragmented { pieces, mtu } => Event::Fragmented { pieces, mtu },
            Event::FragmentHeld { offset, len, more } => Event::FragmentHeld { offset, len, more },
            Event::Reassembled { pieces, len } => Event::Reassembled { pieces, len },
            Event::PathMtu { destination, mtu } => Event::PathMtu { destination, mtu },
            Event::Icmp { message } => Event::Icmp { message },
            Event::Delivered { layer, len } => Event::Delivered { layer, len },
            Event::Tcp { connection, event } => Event::Tcp { connection, event },
        })
    }
}

impl From<&Record<'_>> for OwnedRecord {
    fn from(record: &Record<'_>) -> OwnedRecord {
        OwnedRecord { at: record.at, frame: record.frame, event: OwnedEvent::from(&record.event) }
    }
}

impl OwnedRecord {
    pub fn as_record(&self) -> Record<'_> {
        Record { at: self.at, frame: self.frame, event: self.event.as_event() }
    }
}

/// Keeps every record, for tests: give a clone to the stack and look at the other.
#[derive(Clone, Default, Debug)]
pub struct Recorder {
    records: Arc<Mutex<Vec<OwnedRecord>>>,
}

impl Recorder {
    pub fn new() -> Recorder {
        Recorder::default()
    }

    /// Takes out what was recorded so far.
    pub fn take(&self) -> Vec<OwnedRecord> {
        std::mem::take(&mut *self.lock())
    }

    /// The sentence of each record so far, in order.
    pub fn sentences(&self) -> Vec<String> {
        self.lock().iter().map(|record| super::narrate::sentence(record.at, &record.event.as_event())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OwnedRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&mut self, record: &Record<'_>) {
        self.lock().push(OwnedRecord::from(record));
    }
}
