//! The driver: one thread that owns a device, takes its host's turns in real time, and runs the tasks that it is given.

use super::host::Host;
use super::local::{LocalDriver, LocalQueue};
use super::nic::Nic;
use super::polling::{Choice, Polling};
use super::tasks::SendSpawner;
use crate::device::{Capabilities, Coalesce, Device, SUPER_FRAME};
use crate::event::Observer;
use crate::stack;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tokio::runtime::Handle;

/// A running host: stops when it is dropped.
///
/// ```no_run
/// # fn device() -> Box<dyn strata::device::Device> { unimplemented!() }
/// use std::io::Write;
/// use strata::runtime::{Driver, blocking::TcpStream};
///
/// let driver = Driver::start(strata::stack::Config::default(), 7, device(), None)?;
/// let mut stream = TcpStream::connect(driver.host(), "192.0.2.1:80".parse().unwrap())?;
/// stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Driver {
    host: Host,
    spawner: SendSpawner,
    stop: Arc<AtomicBool>,
    polling: Choice,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Driver {
    /// Starts a host on `device`; `seed` decides everything that it leaves to chance.
    pub fn start(
        config: stack::Config,
        seed: u64,
        device: Box<dyn Device>,
        observer: Option<Box<dyn Observer>>,
    ) -> io::Result<Driver> {
        Self::spawn(LocalQueue::new(begin(config, seed, device, observer)?))
    }

    /// Starts a host on several queues of one link, each with a thread and connections of its own. Gives a driver for each
    /// queue, all of the same addresses. What is served must be listened for on all of them; what is opened stays on the
    /// queue of the host that opened it. `observers` may be fewer than `devices`.
    ///
    /// What comes to the wrong queue is passed on ([`Stray`](stack::Stray)); the bounds of the configuration are divided
    /// among them.
    pub fn start_queues(
        config: &stack::Config,
        seed: u64,
        devices: Vec<Box<dyn Device>>,
        observers: Vec<Box<dyn Observer>>,
    ) -> io::Result<Vec<Driver>> {
        LocalDriver::queues(config, seed, devices, observers)?.into_iter().map(Self::spawn).collect()
    }

    fn spawn(queue: LocalQueue) -> io::Result<Driver> {
        let (host, spawner, polling) = (queue.host().clone(), queue.send_spawner(), queue.polling().clone());
        let stop = Arc::new(AtomicBool::new(false));
        let (told, tokio) = (stop.clone(), Handle::try_current().ok());
        let thread = std::thread::Builder::new().name("strata-driver".into()).spawn(move || {
            let _within = tokio.as_ref().map(Handle::enter);
            queue.into_driver().drive(|| told.load(Ordering::Acquire))
        })?;
        Ok(Driver { host, spawner, stop, polling, thread: Some(thread) })
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Adds tasks to its thread, where they are served without a hop to another. They should neither block nor compute
    /// for long, for the stack waits meanwhile. A driver that was started within a runtime of tokio lends them its
    /// timers, its files and its threads for what blocks.
    pub fn spawner(&self) -> &SendSpawner {
        &self.spawner
    }

    /// What its thread does from now on when nothing is to be done; at first it [sleeps](Polling::Sleep).
    pub fn set_polling(&self, polling: Polling) {
        self.polling.set(polling);
        self.host.ring();
    }

    /// Stops the host and waits until its thread has ended, but for a task on that very thread; gives the error that ended
    /// it before, if one did. Its tasks are dropped. Connections that are still open are not told.
    pub fn stop(mut self) -> io::Result<()> {
        self.halt()
    }

    fn halt(&mut self) -> io::Result<()> {
        self.stop.store(true, Ordering::Release);
        self.host.ring();
        // A task that lets go of the driver on whose thread it runs cannot wait for the end of it.
        let elsewhere = |thread: &JoinHandle<_>| thread.thread().id() != std::thread::current().id();
        match self.thread.take().filter(elsewhere).map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            // Whoever wants to know why the host ended calls `stop` or asks `Host::ended`.
            let _ = self.halt();
        }
    }
}

/// The bounds of a host are divided among its queues.
fn of_share(config: stack::Config, share: stack::Share) -> stack::Config {
    let part = |whole: usize| whole.div_ceil(usize::from(share.count.max(1)));
    stack::Config {
        share,
        time_wait_limit: part(config.time_wait_limit),
        connection_limit: part(config.connection_limit),
        tcp_memory_limit: part(config.tcp_memory_limit),
        ..config
    }
}

/// What the device does, the stack leaves to it; and whatever else the configuration asks for, which the device then
/// does in software. No connection is offered a larger window than the device's queue holds: the peer would fill it and
/// overflow.
pub(crate) fn suit(config: &mut stack::Config, device: Capabilities) {
    config.partial_checksum |= device.partial_checksum;
    config.segmentation = config.segmentation.or(device.segmentation).filter(|_| config.partial_checksum);
    let queue = device.receive_queue.unwrap_or(usize::MAX);
    config.tcp.receive_buffer = config.tcp.receive_buffer.min(queue);
}

/// A host in real time that has announced itself, before any application can send, and that nobody drives yet; and its
/// interface.
pub(super) fn begin(
    mut config: stack::Config,
    seed: u64,
    mut device: Box<dyn Device>,
    observer: Option<Box<dyn Observer>>,
) -> io::Result<(Host, Nic)> {
    if !device.capabilities().partial_checksum {
        // In software then: a train costs the stack as much as one segment of it.
        config.partial_checksum = true;
        config.segmentation = Some(SUPER_FRAME);
        device = Box::new(Coalesce::new(device));
    }
    suit(&mut config, device.capabilities());
    let host = Host::real(config, seed)?;
    host.set_observer(observer);
    host.start();
    Ok((host, Nic::new(device)))
}

/// One for each queue of a link, which know each other.
pub(super) fn begin_queues(
    config: &stack::Config,
    seed: u64,
    devices: Vec<Box<dyn Device>>,
    observers: Vec<Box<dyn Observer>>,
) -> io::Result<Vec<(Host, Nic)>> {
    let (count, mut observers) = (devices.len(), observers.into_iter());
    let begun = devices.into_iter().enumerate().map(|(index, device)| {
        let share = stack::Share { index: index as u16, count: count as u16 };
        begin(of_share(config.clone(), share), seed, device, observers.next())
    });
    let begun = begun.collect::<io::Result<Vec<_>>>()?;
    if count > 1 {
        Host::join(&begun.iter().map(|(host, _)| host.clone()).collect::<Vec<_>>());
    }
    Ok(begun)
}
