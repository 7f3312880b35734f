//! Driver and applications on one thread: a request is served without a hop between threads.
//!
//! Where others have to wake whoever waits in another thread, a [`LocalDriver`] goes on with the tasks that the first
//! half of a turn has made ready, and then takes its second half.

#[cfg(test)]
mod tests;

use super::driver::{begin, begin_queues};
use super::host::Host;
use super::nic::Nic;
use super::polling::{Choice, Polling, Rest};
use super::tasks::{Desk, SendSpawner, Spawner, Tasks};
use crate::device::Device;
use crate::event::Observer;
use crate::stack;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// A host in real time, with the tasks that use it, on the thread that calls [`run`](LocalDriver::run). When it is
/// dropped the host ends, and with it every call that waits in another thread.
///
/// ```no_run
/// # fn device() -> Box<dyn strata::device::Device> { unimplemented!() }
/// use strata::runtime::{LocalDriver, asynchronous::TcpListener};
///
/// let mut driver = LocalDriver::new(strata::stack::Config::default(), 7, device(), None)?;
/// let listener = TcpListener::bind(driver.host(), "192.0.2.2:7".parse().unwrap())?;
/// let spawner = driver.spawner();
/// driver.run(async move {
///     while let Ok((mut stream, _)) = listener.accept().await {
///         spawner.spawn(async move {
///             let mut echo = stream.handle();
///             let _ = tokio::io::copy(&mut stream, &mut echo).await;
///         });
///     }
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Tasks that need tokio's timers, files or threads for what blocks find them when [`run`](LocalDriver::run) is called
/// within a runtime of tokio ([`Handle::enter`](tokio::runtime::Handle::enter)).
pub struct LocalDriver {
    host: Host,
    nic: Nic,
    tasks: Tasks,
    polling: Choice,
}

/// A host on one of several queues, on its way to the thread that is to drive it.
pub struct LocalQueue {
    nic: Nic,
    desk: Arc<Desk>,
    polling: Choice,
}

impl LocalQueue {
    pub(super) fn new((host, nic): (Host, Nic)) -> LocalQueue {
        LocalQueue { nic, desk: Desk::of(&host), polling: Choice::default() }
    }

    pub fn host(&self) -> &Host {
        self.desk.host()
    }

    /// Adds tasks from any thread.
    pub fn send_spawner(&self) -> SendSpawner {
        self.desk.spawner()
    }

    pub(super) fn polling(&self) -> &Choice {
        &self.polling
    }

    /// Its driver, which stays on the thread that makes it.
    pub fn into_driver(self) -> LocalDriver {
        let LocalQueue { nic, desk, polling } = self;
        LocalDriver { host: desk.host().clone(), nic, tasks: Tasks::new(desk), polling }
    }
}

impl LocalDriver {
    /// A host on `device`; `seed` decides everything that it leaves to chance.
    pub fn new(
        config: stack::Config,
        seed: u64,
        device: Box<dyn Device>,
        observer: Option<Box<dyn Observer>>,
    ) -> io::Result<LocalDriver> {
        Ok(LocalQueue::new(begin(config, seed, device, observer)?).into_driver())
    }

    /// Hosts on several queues of one link, each for a thread of its own and with its share of the connections, as those
    /// of [`Driver::start_queues`](super::Driver::start_queues).
    pub fn queues(
        config: &stack::Config,
        seed: u64,
        devices: Vec<Box<dyn Device>>,
        observers: Vec<Box<dyn Observer>>,
    ) -> io::Result<Vec<LocalQueue>> {
        let begun = begin_queues(config, seed, devices, observers)?;
        Ok(begun.into_iter().map(LocalQueue::new).collect())
    }

    /// What it does when nothing is to be done; at first it [sleeps](Polling::Sleep).
    pub fn set_polling(&mut self, polling: Polling) {
        self.polling.set(polling);
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Adds tasks from the driver's own thread; they need not be able to leave it.
    pub fn spawner(&self) -> Spawner {
        self.tasks.spawner().clone()
    }

    /// Adds tasks from any thread.
    pub fn send_spawner(&self) -> SendSpawner {
        self.tasks.send_spawner()
    }

    /// Drives the host and its tasks until `main` is done; gives what it gave. A device that fails ends it, and the host.
    ///
    /// # Panics
    /// When `main` does. Any other task that panics ends alone.
    pub fn run<T: 'static>(&mut self, main: impl Future<Output = T> + 'static) -> io::Result<T> {
        let result = Rc::new(RefCell::new(None));
        let place = result.clone();
        self.tasks.push_main(async move { *place.borrow_mut() = Some(main.await) });
        self.drive(|| result.borrow().is_some())?;
        let given = result.borrow_mut().take();
        Ok(given.expect("driven until it was there"))
    }

    /// The same until something else is done. Whoever changes that from another thread rings.
    pub(super) fn drive(&mut self, done: impl Fn() -> bool) -> io::Result<()> {
        self.take_turns(done).map_err(|error| {
            let sentence = format!("{} failed, the stack has stopped: {error}", self.nic.device().describe());
            self.host.end(error.kind(), sentence.clone());
            io::Error::new(error.kind(), sentence)
        })
    }

    fn take_turns(&mut self, done: impl Fn() -> bool) -> io::Result<()> {
        let mut rest = Rest::new(self.polling.clone());
        while !done() {
            let arrival = self.nic.receive(&self.host)?;
            // Between the halves of a turn, so that an answer leaves with the acknowledgement of its question.
            self.tasks.run();
            let turn = self.nic.transmit(&self.host)?;
            if turn.idle && !arrival.full && !self.tasks.any_ready() && !done() {
                rest.take(&self.host, &self.nic, turn, arrival.any || turn.busy)?;
            }
        }
        Ok(())
    }
}

impl Drop for LocalDriver {
    fn drop(&mut self) {
        // Also when a turn panics: nobody must wait for a host that no longer moves. An earlier reason stays.
        match std::thread::panicking() {
            true => self.host.end(io::ErrorKind::Other, "the driver has ended unexpectedly".into()),
            false => self.host.end(io::ErrorKind::NotConnected, "the stack was stopped".into()),
        }
    }
}
