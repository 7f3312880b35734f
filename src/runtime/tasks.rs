//! The tasks of a driver, which run on its thread: who they are, who adds to them, and when they are to go on.

use super::host::Host;
use futures::FutureExt;
use futures::future::{BoxFuture, LocalBoxFuture};
use futures::stream::{FuturesUnordered, StreamExt};
use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

type Task = LocalBoxFuture<'static, ()>;

/// How many times in a row tasks may make each other ready before the device is looked at again.
const ROUNDS: usize = 8;

/// Adds tasks to the driver that it came from, on whose thread it stays.
#[derive(Clone, Default)]
pub struct Spawner(Rc<RefCell<Vec<Task>>>);

impl Spawner {
    /// A task that panics ends, and nothing else does.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.push(unless_it_panics(task));
    }

    fn push(&self, task: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().push(Box::pin(task));
    }
}

/// Adds tasks to a driver from any thread. They run on the driver's own, and are dropped there when it ends; one that
/// comes later is dropped at once.
#[derive(Clone)]
pub struct SendSpawner(Arc<Desk>);

impl SendSpawner {
    /// A task that panics ends, and nothing else does.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let refused = match &mut *self.0.posted() {
            Some(posted) => {
                posted.push(unless_it_panics(task).boxed());
                None
            }
            None => Some(task),
        };
        // Outside of the lock, for what is dropped may spawn.
        drop(refused);
        self.0.call();
    }
}

/// No `async fn`: that would have room for the task twice, as it comes and as it is waited for.
fn unless_it_panics(task: impl Future<Output = ()>) -> impl Future<Output = ()> {
    // What it broke is its own: what it shares with others is behind locks that say so. The panic has been told.
    AssertUnwindSafe(task).catch_unwind().map(drop)
}

/// Where others leave word for a driver: that a task is to go on, or that there is a new one.
pub(super) struct Desk {
    host: Host,
    /// There is word that the driver has not looked at yet; it does so before it sleeps.
    called: AtomicBool,
    /// None once nobody will look any more.
    posted: Mutex<Option<Vec<BoxFuture<'static, ()>>>>,
}

impl Desk {
    pub fn of(host: &Host) -> Arc<Desk> {
        let (called, posted) = (AtomicBool::new(false), Mutex::new(Some(Vec::new())));
        Arc::new(Desk { host: host.clone(), called, posted })
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn spawner(self: &Arc<Desk>) -> SendSpawner {
        SendSpawner(self.clone())
    }

    fn call(&self) {
        // First the word and then a look at whether the driver sleeps, where it does the opposite.
        if !self.called.swap(true, Ordering::AcqRel) {
            self.host.ring_if_asleep();
        }
    }

    fn posted(&self) -> std::sync::MutexGuard<'_, Option<Vec<BoxFuture<'static, ()>>>> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Desk {
    fn wake(self: Arc<Self>) {
        self.call();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.call();
    }
}

/// All tasks of one driver.
pub(super) struct Tasks {
    running: FuturesUnordered<Task>,
    spawned: Spawner,
    desk: Arc<Desk>,
    waker: Waker,
}

impl Tasks {
    pub fn new(desk: Arc<Desk>) -> Tasks {
        let waker = Waker::from(desk.clone());
        Tasks { running: FuturesUnordered::new(), spawned: Spawner::default(), desk, waker }
    }

    pub fn spawner(&self) -> &Spawner {
        &self.spawned
    }

    pub fn send_spawner(&self) -> SendSpawner {
        self.desk.spawner()
    }

    /// The one on whose behalf all is done: when it panics, the driver does.
    pub fn push_main(&self, task: impl Future<Output = ()> + 'static) {
        self.spawned.push(task);
    }

    /// Is any of them to go on? Asked after the host counts as asleep, so that whoever calls later rings.
    pub fn any_ready(&self) -> bool {
        self.desk.called.load(Ordering::Acquire) || !self.spawned.0.borrow().is_empty()
    }

    /// Goes on with those that are ready; those that are again and again must let the device have its turn.
    pub fn run(&mut self) {
        let mut cx = Context::from_waker(&self.waker);
        for _ in 0..ROUNDS {
            let called = self.desk.called.swap(false, Ordering::AcqRel);
            if !called && self.spawned.0.borrow().is_empty() {
                return;
            }
            if called {
                let posted = self.desk.posted().as_mut().map(std::mem::take).unwrap_or_default();
                self.running.extend(posted.into_iter().map(|task| -> Task { task }));
            }
            self.running.extend(self.spawned.0.borrow_mut().drain(..));
            while let Poll::Ready(Some(())) = self.running.poll_next_unpin(&mut cx) {}
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        // Those that have not begun hold spawners, and the spawners them. What is dropped may spawn once more.
        let posted = self.desk.posted().take();
        drop(posted);
        self.running.clear();
        while !self.spawned.0.take().is_empty() {}
    }
}
