//! How a view meets the event stream: at once, or through a bounded queue to a thread of its own.

use super::{Gather, OwnedRecord, Story, Told};
use crate::event::{Observer, Record};
use crossbeam_channel::{Receiver, Sender, TrySendError};
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How much may wait for a background view: so many items, so many bytes of frames.
const MAX_WAITING: usize = 1 << 16;
const MAX_WAITING_BYTES: usize = 64 << 20;
/// What an item weighs beside its frame's bytes.
const ITEM_OVERHEAD: usize = 512;

/// Makes out of records what a view takes. This runs on the data path: it copies, it does not format.
pub trait Digest: Send {
    type Item: Send + 'static;

    fn digest(&mut self, record: &Record<'_>) -> Option<Self::Item>;

    /// The bytes of frame that an item holds on to.
    fn size(item: &Self::Item) -> usize;
}

/// Stories and asides.
impl Digest for Gather {
    type Item = Told;

    fn digest(&mut self, record: &Record<'_>) -> Option<Told> {
        self.take(record)
    }

    fn size(item: &Told) -> usize {
        match item {
            Told::Story(story) => story.len(),
            Told::Aside(_) => 0,
        }
    }
}

/// The stories of frames that were on the wire.
#[derive(Default, Debug)]
pub struct WireFrames(Gather);

impl Digest for WireFrames {
    type Item = Box<Story>;

    fn digest(&mut self, record: &Record<'_>) -> Option<Box<Story>> {
        match self.0.take(record)? {
            Told::Story(story) => story.on_the_wire().then_some(story),
            Told::Aside(_) => None,
        }
    }

    fn size(story: &Box<Story>) -> usize {
        story.len()
    }
}

/// Every record as it is.
#[derive(Default, Debug)]
pub struct EveryRecord;

impl Digest for EveryRecord {
    type Item = OwnedRecord;

    fn digest(&mut self, record: &Record<'_>) -> Option<OwnedRecord> {
        Some(OwnedRecord::from(record))
    }

    fn size(record: &OwnedRecord) -> usize {
        match &record.event {
            super::OwnedEvent::FrameReceived { bytes, .. } => bytes.len(),
            super::OwnedEvent::FrameSent { frame } => frame.len(),
            super::OwnedEvent::Stripped { .. } | super::OwnedEvent::Prepended { .. } | super::OwnedEvent::Plain(_) => 0,
        }
    }
}

/// A view: where items are put into words and written.
pub trait Sink<T>: Send {
    /// Takes the next item; `missed` items before it were lost, because the view could not keep up.
    fn take(&mut self, item: T, missed: u64) -> io::Result<()>;

    /// Nothing is waiting just now.
    fn flush(&mut self) -> io::Result<()>;

    /// The last words; `missed` counts all that was lost.
    fn close(&mut self, missed: u64) -> io::Result<()>;
}

/// How a view ended.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Summary {
    /// Items that the view took: frames, or records.
    pub taken: u64,
    /// Items that were lost, because the view could not keep up.
    pub missed: u64,
}

/// Drives a view at once, on the thread of the stack: in virtual time equal runs write equal bytes.
///
/// Clones are one and the same: one goes to the stack as its observer, the other finishes it. When all are gone, the
/// view is closed as well.
pub struct Direct<D: Digest, S: Sink<D::Item>> {
    state: Arc<Mutex<DirectState<D, S>>>,
}

struct DirectState<D: Digest, S: Sink<D::Item>> {
    digest: D,
    sink: Option<S>,
    taken: u64,
    failure: Option<io::Error>,
}

impl<D: Digest, S: Sink<D::Item>> Direct<D, S> {
    pub fn new(digest: D, sink: S) -> Direct<D, S> {
        Direct { state: Arc::new(Mutex::new(DirectState { digest, sink: Some(sink), taken: 0, failure: None })) }
    }

    /// Closes the view and gives it back. Events after that go nowhere.
    ///
    /// # Errors
    /// The first error of the view, or that it was finished before.
    pub fn finish(&self) -> io::Result<(Summary, S)> {
        let mut state = self.lock();
        let mut sink = state.sink.take().ok_or_else(|| io::Error::other("the view was finished before"))?;
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => sink.close(0).map(|()| (Summary { taken: state.taken, missed: 0 }, sink)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, DirectState<D, S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Digest, S: Sink<D::Item>> Clone for Direct<D, S> {
    fn clone(&self) -> Direct<D, S> {
        Direct { state: Arc::clone(&self.state) }
    }
}

impl<D: Digest, S: Sink<D::Item>> Observer for Direct<D, S> {
    fn observe(&mut self, record: &Record<'_>) {
        let state = &mut *self.lock();
        let (Some(sink), None) = (&mut state.sink, &state.failure) else { return };
        if let Some(item) = state.digest.digest(record) {
            state.taken += 1;
            state.failure = sink.take(item, 0).err();
        }
    }
}

impl<D: Digest, S: Sink<D::Item>> Drop for DirectState<D, S> {
    fn drop(&mut self) {
        if let (Some(sink), None) = (&mut self.sink, &self.failure) {
            // Whoever wants to know of errors calls `finish`.
            let _ = sink.close(0);
        }
    }
}

/// A view on a thread of its own. Dropping it, or [`finish`](Background::finish), writes what waits and ends the thread.
pub struct Background<T> {
    queue: Sender<Message<T>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<u64>>>,
}

/// The end of a [`Background`] view that listens: the stack's observer.
pub struct BackgroundObserver<D: Digest> {
    digest: D,
    queue: Sender<Message<D::Item>>,
    shared: Arc<Shared>,
    /// Lost since the last item that went through.
    missed: u64,
}

enum Message<T> {
    Item { item: T, size: usize, missed: u64 },
    Finish,
}

#[derive(Default)]
struct Shared {
    waiting_bytes: AtomicUsize,
    missed: AtomicU64,
}

impl<T: Send + 'static> Background<T> {
    /// Starts the thread; `name` shows up in debuggers and `top`.
    pub fn start<D: Digest<Item = T>>(
        name: &str,
        digest: D,
        sink: impl Sink<T> + 'static,
    ) -> io::Result<(BackgroundObserver<D>, Background<T>)> {
        let (queue, receiver) = crossbeam_channel::bounded(MAX_WAITING);
        let shared = Arc::new(Shared::default());
        let worker = Worker { sink, shared: Arc::clone(&shared), taken: 0, failure: None };
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || worker.run(&receiver))?;
        let observer = BackgroundObserver { digest, queue: queue.clone(), shared: Arc::clone(&shared), missed: 0 };
        Ok((observer, Background { queue, shared, thread: Some(thread) }))
    }

    /// Waits until everything is written. Events after that go nowhere.
    ///
    /// # Errors
    /// The first error of the view; what came after it was not written.
    pub fn finish(mut self) -> io::Result<Summary> {
        self.stop()
    }
}

impl<T> Background<T> {
    fn stop(&mut self) -> io::Result<Summary> {
        let Some(thread) = self.thread.take() else { return Ok(Summary::default()) };
        // It waits for room if the queue is full; the thread takes from it until it finds this.
        let _ = self.queue.send(Message::Finish);
        let taken = thread.join().map_err(|_| io::Error::other("the view's thread panicked"))??;
        Ok(Summary { taken, missed: self.shared.missed.load(Ordering::Relaxed) })
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        // Whoever wants to know of errors calls `finish`.
        let _ = self.stop();
    }
}

impl<D: Digest> Observer for BackgroundObserver<D> {
    fn observe(&mut self, record: &Record<'_>) {
        let Some(item) = self.digest.digest(record) else { return };
        let size = D::size(&item) + ITEM_OVERHEAD;
        let fits = self.shared.waiting_bytes.load(Ordering::Relaxed) + size <= MAX_WAITING_BYTES;
        let message = Message::Item { item, size, missed: self.missed };
        // Counted before it is sent, so that the thread never takes off more than was put on.
        self.shared.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        let sent = if fits { self.queue.try_send(message) } else { Err(TrySendError::Full(message)) };
        match sent {
            Ok(()) => self.missed = 0,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.shared.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
                self.missed += 1;
                self.shared.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

struct Worker<S> {
    sink: S,
    shared: Arc<Shared>,
    taken: u64,
    failure: Option<io::Error>,
}

impl<S> Worker<S> {
    fn run<T>(mut self, queue: &Receiver<Message<T>>) -> io::Result<u64>
    where
        S: Sink<T>,
    {
        while let Ok(message) = queue.recv() {
            let mut next = Some(message);
            while let Some(message) = next {
                match message {
                    Message::Item { item, size, missed } => self.take(item, size, missed),
                    Message::Finish => return self.close(),
                }
                next = queue.try_recv().ok();
            }
            self.attempt(|sink| sink.flush());
        }
        self.close()
    }

    fn take<T>(&mut self, item: T, size: usize, missed: u64)
    where
        S: Sink<T>,
    {
        self.shared.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
        self.attempt(|sink| sink.take(item, missed));
        if self.failure.is_none() {
            self.taken += 1;
        } else {
            self.shared.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// After the first error nothing is written any more, but the queue is emptied all the same.
    fn attempt(&mut self, step: impl FnOnce(&mut S) -> io::Result<()>) {
        if self.failure.is_none() {
            self.failure = step(&mut self.sink).err();
        }
    }

    fn close<T>(mut self) -> io::Result<u64>
    where
        S: Sink<T>,
    {
        let missed = self.shared.missed.load(Ordering::Relaxed);
        self.attempt(|sink| sink.close(missed));
        self.failure.map_or(Ok(self.taken), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::time::Instant;
    use crossbeam_channel::bounded;

    /// Takes one item for each permission, and keeps the counts it was told.
    struct Gate {
        permissions: Receiver<()>,
        told: Arc<Mutex<Vec<u64>>>,
        fails: bool,
    }

    impl Sink<OwnedRecord> for Gate {
        fn take(&mut self, _: OwnedRecord, missed: u64) -> io::Result<()> {
            let _ = self.permissions.recv();
            self.told.lock().expect("nobody panics").push(missed);
            if self.fails { Err(io::Error::other("disk full")) } else { Ok(()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn close(&mut self, missed: u64) -> io::Result<()> {
            self.told.lock().expect("nobody panics").push(missed);
            Ok(())
        }
    }

    fn tell(observer: &mut impl Observer) {
        observer.observe(&Record { at: Instant::ZERO, frame: None, event: Event::FrameHandled });
    }

    #[test]
    fn a_full_queue_never_blocks_and_what_is_lost_is_told() {
        let (permit, permissions) = bounded(4);
        let told = Arc::new(Mutex::new(Vec::new()));
        let gate = Gate { permissions, told: Arc::clone(&told), fails: false };
        let (mut observer, background) = Background::start("gate", EveryRecord, gate).expect("a thread starts");
        // The thread holds one at most while it waits for its permission.
        for _ in 0..MAX_WAITING + 11 {
            tell(&mut observer);
        }
        let lost = observer.missed;
        assert!(lost == 10 || lost == 11, "{lost}");
        permit.send(()).expect("the sink lives");
        permit.send(()).expect("the sink lives");
        while observer.missed > 0 {
            tell(&mut observer);
        }
        drop(permit);
        let summary = background.finish().expect("the sink does not fail");
        let told = told.lock().expect("nobody panics");
        assert_eq!(told[told.len() - 2], summary.missed, "all the loss lies before the last item");
        assert_eq!(told[told.len() - 1], summary.missed, "and is said at the end");
        assert!(summary.missed >= lost);
        assert_eq!(summary.taken, MAX_WAITING as u64 + 11 - lost + 1);
        tell(&mut observer);
    }

    #[test]
    fn the_first_error_comes_out_at_the_end() {
        let (permit, permissions) = bounded(1);
        drop(permit);
        let gate = Gate { permissions: permissions.clone(), told: Arc::default(), fails: true };
        let (mut observer, background) = Background::start("gate", EveryRecord, gate).expect("a thread starts");
        tell(&mut observer);
        tell(&mut observer);
        assert_eq!(background.finish().expect_err("the sink fails").to_string(), "disk full");
        let direct = Direct::new(EveryRecord, Gate { permissions, told: Arc::default(), fails: true });
        tell(&mut direct.clone());
        assert_eq!(direct.finish().map(|_| ()).expect_err("the sink fails").to_string(), "disk full");
        assert!(direct.finish().is_err(), "finished twice");
    }

    #[test]
    fn dropping_the_last_handle_closes_the_view() {
        let (permit, permissions) = bounded(1);
        drop(permit);
        let told: Arc<Mutex<Vec<u64>>> = Arc::default();
        let gate = |told: &Arc<_>| Gate { permissions: permissions.clone(), told: Arc::clone(told), fails: false };
        drop(Direct::new(EveryRecord, gate(&told)));
        drop(Background::start("gate", EveryRecord, gate(&told)).expect("a thread starts"));
        assert_eq!(*told.lock().expect("nobody panics"), [0, 0]);
    }
}
