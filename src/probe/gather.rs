//! Gathers what was told about each frame until the frame is done with: its [`Story`].
//!
//! A received frame's story ends with [`Event::FrameHandled`], a sent one's with [`Event::FrameSent`], which may be
//! long after its headers were written: a packet can wait for its neighbour's address. What a received frame brought
//! about in the connection stays with it; the frame that answers has its own story. What happened without a frame (a
//! timer fired) is told at once as an aside, and also kept for the next frame that the same connection or neighbour
//! sends, because that is the frame that it explains. Everything kept is bounded, the oldest goes first.

use super::OwnedEvent;
use super::narrate::{self, Weight};
use crate::event::{Event, FourTuple, Layer, Record};
use crate::frame::{Frame, FrameId, Offload};
use crate::time::Instant;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// How many frames can be on their way at once.
const MAX_OPEN: usize = 4096;
/// How many notes and header steps a story keeps; what comes after is counted.
const MAX_NOTES: usize = 64;
/// How many notes wait for the frame that they explain.
const MAX_LOOSE: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// From the device into the stack.
    Inbound,
    /// From the stack to the device.
    Outbound,
}

/// What a layer did with its header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    Stripped,
    Prepended,
}

/// One layer's part in a frame's journey.
#[derive(Clone, Debug)]
pub struct LayerStep {
    pub step: Step,
    pub layer: Layer,
    pub header: SmallVec<[u8; 40]>,
    /// What the header enclosed, in bytes.
    pub payload: usize,
}

/// Something that happened, to be put into words by [`narrate`].
#[derive(Clone, Debug)]
pub struct Note {
    pub at: Instant,
    pub event: Event<'static>,
}

/// All that happened to one frame.
#[derive(Clone, Debug)]
pub struct Story {
    pub frame: FrameId,
    /// When it came in from the device or went out to it.
    pub at: Instant,
    pub direction: Direction,
    /// In the order in which it happened: outermost first on the way up, innermost first on the way down.
    pub layers: SmallVec<[LayerStep; 4]>,
    /// What led to this frame although it was not about it: the timer that fired.
    pub before: Vec<Note>,
    pub notes: Vec<Note>,
    /// How many notes found no more room.
    pub omitted: usize,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// It was thrown away before it was complete.
    Never,
    Received(Vec<u8>, Offload),
    Sent(Box<Frame>),
}

impl Story {
    fn new(frame: FrameId, at: Instant) -> Story {
        Story {
            frame,
            at,
            direction: Direction::Outbound,
            layers: SmallVec::new(),
            before: Vec::new(),
            notes: Vec::new(),
            omitted: 0,
            content: Content::Never,
        }
    }

    /// Was it on the wire? A packet can be dropped before it becomes a frame.
    pub fn on_the_wire(&self) -> bool {
        !matches!(self.content, Content::Never)
    }

    /// The frame's bytes as the device saw them: partial checksums and super-frames included. Empty when it never
    /// was on the wire.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.content {
            Content::Never => Cow::Borrowed(&[]),
            Content::Received(bytes, _) => Cow::Borrowed(bytes),
            Content::Sent(frame) => Cow::Owned(frame.to_vec()),
        }
    }

    /// The frame's length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a length of a frame, not of a collection")]
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Never => 0,
            Content::Received(bytes, _) => bytes.len(),
            Content::Sent(frame) => frame.len(),
        }
    }

    pub fn offload(&self) -> Offload {
        match &self.content {
            Content::Never => Offload::default(),
            Content::Received(_, offload) => *offload,
            Content::Sent(frame) => frame.offload,
        }
    }

    /// What the stack did or decided, in sentences: what led to the frame first.
    pub fn decisions(&self) -> Vec<String> {
        let notes = self.before.iter().chain(&self.notes);
        let mut said = narrate::sentences(
            notes.filter(|note| narrate::weight(&note.event) == Weight::Decision).map(|note| (note.at, &note.event)),
        );
        if self.omitted > 0 {
            said.push(format!("and {} more", self.omitted));
        }
        said
    }

    /// The connection that the frame was about, when something was said of one.
    pub fn connection(&self) -> Option<FourTuple> {
        self.notes.iter().find_map(|note| match note.event {
            Event::Tcp { connection, .. } => Some(connection),
            _ => None,
        })
    }

    fn push(&mut self, at: Instant, event: &Event<'_>) {
        let room = self.notes.len() + self.layers.len() < MAX_NOTES;
        match OwnedEvent::from(event) {
            _ if !room => self.omitted += 1,
            OwnedEvent::Stripped { layer, header, payload } => {
                self.layers.push(LayerStep { step: Step::Stripped, layer, header, payload });
            }
            OwnedEvent::Prepended { layer, header, payload } => {
                self.layers.push(LayerStep { step: Step::Prepended, layer, header, payload });
            }
            OwnedEvent::Plain(event) => self.notes.push(Note { at, event }),
            OwnedEvent::FrameReceived { .. } | OwnedEvent::FrameSent { .. } => {}
        }
    }
}

/// What a record completes.
#[derive(Clone, Debug)]
pub enum Told {
    /// A frame is done with.
    Story(Box<Story>),
    /// Something happened without a frame.
    Aside(Note),
}

/// What a note without a frame is about: the key to the frame that it explains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Subject {
    Connection(FourTuple),
    Address(IpAddr),
}

impl Subject {
    fn of(event: &Event<'_>) -> Option<Subject> {
        match event {
            Event::Tcp { connection, .. } => Some(Subject::Connection(*connection)),
            Event::Neighbour { address, .. }
            | Event::AwaitsNeighbour { address, .. }
            | Event::AddressConflict { address, .. }
            | Event::NeighbourMessage { address, .. } => Some(Subject::Address(*address)),
            Event::FrameReceived { .. }
            | Event::FrameHandled
            | Event::FrameSent { .. }
            | Event::Stripped { .. }
            | Event::Prepended { .. }
            | Event::Dropped { .. }
            | Event::Fragmented { .. }
            | Event::FragmentHeld { .. }
            | Event::Reassembled { .. }
            | Event::PathMtu { .. }
            | Event::Icmp { .. }
            | Event::Delivered { .. } => None,
        }
    }
}

/// Turns records into stories.
#[derive(Default, Debug)]
pub struct Gather {
    open: BTreeMap<FrameId, Story>,
    loose: VecDeque<(Subject, Note)>,
}

impl Gather {
    pub fn new() -> Gather {
        Gather::default()
    }

    /// Takes the next record; gives what it completes.
    pub fn take(&mut self, record: &Record<'_>) -> Option<Told> {
        match (&record.event, record.frame) {
            (Event::FrameReceived { bytes, offload }, Some(id)) => {
                let story = self.open(id, record.at);
                story.direction = Direction::Inbound;
                story.content = Content::Received(bytes.to_vec(), *offload);
                None
            }
            (Event::FrameHandled, Some(id)) => self.open.remove(&id).map(|story| Told::Story(Box::new(story))),
            (Event::FrameSent { frame }, _) => {
                let mut story = self.open.remove(&frame.id()).unwrap_or_else(|| Story::new(frame.id(), record.at));
                story.at = record.at;
                story.content = Content::Sent(Box::new((*frame).clone()));
                self.explain(&mut story);
                Some(Told::Story(Box::new(story)))
            }
            (event, Some(id)) => {
                let story = self.open(id, record.at);
                story.push(record.at, event);
                let lost = matches!(event, Event::Dropped { .. }) && !story.on_the_wire();
                lost.then(|| self.open.remove(&id).map(|story| Told::Story(Box::new(story)))).flatten()
            }
            (event, None) => self.aside(record.at, event),
        }
    }

    fn open(&mut self, id: FrameId, at: Instant) -> &mut Story {
        if self.open.len() >= MAX_OPEN && !self.open.contains_key(&id) {
            self.open.pop_first();
        }
        self.open.entry(id).or_insert_with(|| Story::new(id, at))
    }

    fn aside(&mut self, at: Instant, event: &Event<'_>) -> Option<Told> {
        let OwnedEvent::Plain(event) = OwnedEvent::from(event) else { return None };
        let note = Note { at, event };
        if let Some(subject) = Subject::of(&note.event) {
            if self.loose.len() == MAX_LOOSE {
                self.loose.pop_front();
            }
            self.loose.push_back((subject, note.clone()));
        }
        Some(Told::Aside(note))
    }

    /// Moves into the story what happened before and is about the same connection or neighbour.
    fn explain(&mut self, story: &mut Story) {
        if self.loose.is_empty() {
            return;
        }
        let subjects: SmallVec<[Subject; 4]> = story.notes.iter().filter_map(|note| Subject::of(&note.event)).collect();
        let (before, loose) = self.loose.drain(..).partition(|(subject, _)| subjects.contains(subject));
        self.loose = loose;
        story.before = VecDeque::into_iter(before).map(|(_, note)| note).collect();
        let excess = story.before.len().saturating_sub(MAX_NOTES);
        story.before.drain(..excess);
        story.omitted += excess;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DropReason, SendReason, TcpEvent, TimerKind};
    use crate::probe::samples::{connection, frame, tcp_data};

    fn record<'a>(ms: u64, frame: Option<u64>, event: Event<'a>) -> Record<'a> {
        Record { at: Instant::from_millis(ms), frame: frame.map(FrameId), event }
    }

    fn fired() -> Event<'static> {
        let event = TcpEvent::TimerFired { timer: TimerKind::Retransmission, count: 1 };
        Event::Tcp { connection: connection(), event }
    }

    fn sent() -> Event<'static> {
        let event = TcpEvent::SegmentSent { seq: 1, len: 4, why: SendReason::RetransmitTimeout };
        Event::Tcp { connection: connection(), event }
    }

    fn story(told: Option<Told>) -> Story {
        match told {
            Some(Told::Story(story)) => *story,
            other => panic!("a story, not {other:?}"),
        }
    }

    #[test]
    fn a_received_frame_keeps_what_it_brought_about_and_its_answer_has_its_own_story() {
        let mut gather = Gather::new();
        let bytes = tcp_data(b"hello");
        let answer = frame(8, b"");
        assert!(
            gather
                .take(&record(1, Some(7), Event::FrameReceived { bytes: &bytes, offload: Offload::default() }))
                .is_none()
        );
        let strip = Event::Stripped { layer: Layer::Ethernet, header: &bytes[..14], payload: bytes.len() - 14 };
        assert!(gather.take(&record(1, Some(7), strip)).is_none());
        let accepted = Event::Tcp { connection: connection(), event: TcpEvent::Accepted { bytes: 5 } };
        assert!(gather.take(&record(1, Some(7), accepted)).is_none());
        assert!(gather.take(&record(1, Some(8), sent())).is_none());
        let received = story(gather.take(&record(1, Some(7), Event::FrameHandled)));
        assert_eq!(received.decisions(), ["5 bytes came in order"]);
        assert_eq!((received.direction, received.bytes().as_ref()), (Direction::Inbound, &bytes[..]));
        assert_eq!(received.layers[0].header[..], bytes[..14]);
        let answered = story(gather.take(&record(2, None, Event::FrameSent { frame: &answer })));
        assert_eq!((answered.direction, answered.at), (Direction::Outbound, Instant::from_millis(2)));
        assert_eq!(answered.decisions(), ["retransmission: the timer ran out, 4 bytes from sequence number 1"]);
    }

    #[test]
    fn a_timer_is_told_at_once_and_explains_the_next_frame_of_its_connection() {
        let mut gather = Gather::new();
        assert!(matches!(gather.take(&record(1, None, fired())), Some(Told::Aside(_))));
        let unrelated = frame(1, b"x");
        let other = story(gather.take(&record(2, Some(1), Event::FrameSent { frame: &unrelated })));
        assert!(other.before.is_empty());
        gather.take(&record(3, Some(2), sent()));
        let explained = story(gather.take(&record(3, Some(2), Event::FrameSent { frame: &frame(2, b"x") })));
        assert_eq!(explained.decisions()[0], "retransmission timer fired");
        gather.take(&record(4, Some(3), sent()));
        let next = story(gather.take(&record(4, Some(3), Event::FrameSent { frame: &frame(3, b"x") })));
        assert!(next.before.is_empty(), "told once");
    }

    #[test]
    fn a_packet_dropped_before_it_was_a_frame_still_has_its_story() {
        let mut gather = Gather::new();
        gather.take(&record(1, Some(1), sent()));
        let dropped = Event::Dropped { layer: Layer::Arp, reason: DropReason::NeighbourUnreachable };
        let story = story(gather.take(&record(9, Some(1), dropped)));
        assert!(!story.on_the_wire());
        assert_eq!(story.decisions().last().map(String::as_str), Some("dropped by ARP: the neighbour does not answer"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut gather = Gather::new();
        for id in 0..2 * MAX_OPEN as u64 {
            gather.take(&record(1, Some(id), sent()));
            gather.take(&record(1, None, fired()));
        }
        assert_eq!((gather.open.len(), gather.loose.len()), (MAX_OPEN, MAX_LOOSE));
        for _ in 0..MAX_NOTES {
            gather.take(&record(1, Some(u64::MAX), sent()));
        }
        gather.take(&record(1, Some(u64::MAX), sent()));
        let frame = Frame::new(FrameId(u64::MAX), crate::frame::Payload::default());
        let story = story(gather.take(&record(1, None, Event::FrameSent { frame: &frame })));
        assert_eq!((story.notes.len(), story.before.len()), (MAX_NOTES, MAX_NOTES));
        assert_eq!(story.omitted, 1 + MAX_LOOSE - MAX_NOTES);
    }
}
