//! Driver and applications on one thread: a request is served without a hop between threads.
//!
//! Where a [`Driver`](super::Driver) has to wake whoever waits in another thread, a [`LocalDriver`] goes on with the
//! tasks that the first half of a turn has made ready, and then takes its second half.

use super::driver::{begin, begin_queues};
use super::host::Host;
use super::nic::Nic;
use super::polling::{Choice, Polling, Rest};
use crate::device::Device;
use crate::event::Observer;
use crate::stack;
use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

type Task = LocalBoxFuture<'static, ()>;

/// How many times in a row tasks may make each other ready before the device is looked at again.
const ROUNDS: usize = 64;

/// A host in real time, with the tasks that use it, on the thread that calls [`run`](LocalDriver::run).
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
pub struct LocalDriver {
    host: Host,
    nic: Nic,
    tasks: FuturesUnordered<Task>,
    spawned: Spawner,
    polling: Choice,
}

/// A host on one of several queues, on its way to the thread that is to drive it.
pub struct LocalQueue {
    host: Host,
    nic: Nic,
}

impl LocalQueue {
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its driver, which stays on the thread that makes it.
    pub fn into_driver(self) -> LocalDriver {
        let LocalQueue { host, nic } = self;
        let (tasks, spawned) = (FuturesUnordered::new(), Spawner::default());
        LocalDriver { host, nic, tasks, spawned, polling: Choice::default() }
    }
}

/// Adds tasks to the driver that it came from.
#[derive(Clone, Default)]
pub struct Spawner(Rc<RefCell<Vec<Task>>>);

impl Spawner {
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.borrow_mut().push(Box::pin(task));
    }
}

/// Wakes the driver, if it sleeps, for a task that was woken from elsewhere.
struct Bell(Host);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.ring_if_asleep();
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
        let (host, nic) = begin(config, seed, device, observer)?;
        Ok(LocalQueue { host, nic }.into_driver())
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
        Ok(begun.into_iter().map(|(host, nic)| LocalQueue { host, nic }).collect())
    }

    /// What it does when nothing is to be done; at first it [sleeps](Polling::Sleep).
    pub fn set_polling(&mut self, polling: Polling) {
        self.polling.set(polling);
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn spawner(&self) -> Spawner {
        self.spawned.clone()
    }

    /// Drives the host and its tasks until `main` is done; gives what it gave. A device that fails ends it.
    pub fn run<T: 'static>(&mut self, main: impl Future<Output = T> + 'static) -> io::Result<T> {
        let result = Rc::new(RefCell::new(None));
        let place = result.clone();
        self.spawned.spawn(async move { *place.borrow_mut() = Some(main.await) });
        let waker = Waker::from(Arc::new(Bell(self.host.clone())));
        let mut rest = Rest::new(self.polling.clone());
        loop {
            let arrival = self.nic.receive(&self.host)?;
            // Between the halves of a turn, so that an answer leaves with the acknowledgement of its question.
            self.run_tasks(&waker);
            let turn = self.nic.transmit(&self.host)?;
            if let Some(result) = result.borrow_mut().take() {
                return Ok(result);
            }
            let busy = arrival.any || turn.busy;
            if turn.idle && !arrival.full {
                rest.take(&self.host, &self.nic, turn, busy)?;
            }
        }
    }

    /// Goes on with every task that is ready, until none is.
    fn run_tasks(&mut self, waker: &Waker) {
        let mut cx = Context::from_waker(waker);
        for _ in 0..ROUNDS {
            self.tasks.extend(self.spawned.0.borrow_mut().drain(..));
            while let Poll::Ready(Some(())) = self.tasks.poll_next_unpin(&mut cx) {}
            if self.spawned.0.borrow().is_empty() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::link::{Config, Link};
    use crate::runtime::asynchronous::TcpListener;
    use crate::runtime::{Driver, blocking};
    use std::io::{Read, Write};
    use std::net::{Shutdown, SocketAddr};
    use std::time::Duration;

    const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 7);

    #[test]
    fn a_task_on_the_drivers_thread_echoes_and_hears_from_other_threads() {
        let (left, right) = Link::pollable_pair(Config::default()).expect("two ends");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let server = std::thread::spawn(move || {
            let mut driver = LocalDriver::new(stack::Config::default(), 7, Box::new(right), None)?;
            let listener = TcpListener::bind(driver.host(), SERVER)?;
            let spawner = driver.spawner();
            spawner.clone().spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut echo = stream.handle();
                    spawner.spawn(async move { drop(tokio::io::copy(&mut stream, &mut echo).await) });
                }
            });
            driver.run(async move { stopped.await.is_ok() })
        });
        let config = stack::Config {
            mac: [2, 0, 0, 0, 0, 1],
            addresses: vec!["192.0.2.1/24".parse().expect("a prefix")],
            ..stack::Config::default()
        };
        let client = Driver::start(config, 8, Box::new(left), None).expect("a driver");
        let mut stream = blocking::TcpStream::connect(client.host(), SERVER).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.write_all(b"there and back").expect("room");
        let mut back = [0; 14];
        stream.read_exact(&mut back).expect("an echo");
        assert_eq!(&back, b"there and back");
        stream.shutdown(Shutdown::Both).expect("an open stream");
        // The server sleeps by now; only the bell can wake it.
        std::thread::sleep(Duration::from_millis(20));
        stop.send(()).expect("somebody listens");
        assert!(server.join().expect("no panic").expect("no error"));
    }
}
