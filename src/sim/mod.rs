//! Hosts in virtual time: experiments that take no time, need no privileges and happen the same way every time.
//!
//! A [`Simulation`] owns a clock that stands still while anything is to be done, and then jumps to the next deadline
//! of any host, device or sleeper. Its hosts take the very turn that the [driver](crate::runtime::Driver) takes on a
//! TAP, and its applications are ordinary futures over the [asynchronous](crate::runtime::asynchronous) sockets.
//! The same seed and the same scenario give the same frames, byte for byte: everything runs on one thread, in the
//! order in which it was added.
//!
//! ```
//! use std::time::Duration;
//! use strata::device::link::{Config, Link};
//! use strata::runtime::asynchronous::{TcpListener, TcpStream};
//! use strata::{sim::Simulation, stack};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let mut sim = Simulation::new();
//! let (left, right) = Link::pair(Config { delay: Duration::from_millis(40), ..Config::default() });
//! let client = stack::Config {
//!     mac: [2, 0, 0, 0, 0, 1],
//!     addresses: vec!["192.0.2.1/24".parse().unwrap()],
//!     ..stack::Config::default()
//! };
//! let client = sim.add_host(client, 1, Box::new(left), None);
//! let server = sim.add_host(stack::Config::default(), 2, Box::new(right), None); // 192.0.2.2
//!
//! let listener = TcpListener::bind(&server, "192.0.2.2:80".parse().unwrap()).unwrap();
//! sim.spawn(async move {
//!     let (mut stream, _) = listener.accept().await.unwrap();
//!     stream.write_all(b"across the link").await.unwrap();
//! });
//! let heard = sim.run(async move {
//!     let mut stream = TcpStream::connect(&client, "192.0.2.2:80".parse().unwrap()).await.unwrap();
//!     let mut heard = String::new();
//!     stream.read_to_string(&mut heard).await.unwrap();
//!     heard
//! });
//! assert_eq!(heard, "across the link");
//! // ARP and the handshake took a round trip each, the data and its FIN half of one more.
//! assert_eq!(sim.now().as_millis(), 200);
//! ```

pub mod experiment;
pub mod network;
pub mod script;
mod time;

#[cfg(test)]
mod tests;

pub use time::{Sleep, Time};

use crate::device::Device;
use crate::event::Observer;
use crate::runtime::{Clock, Host, Nic, suit};
use crate::stack;
use crate::time::Instant;
use futures::executor::LocalPool;
use futures::future::BoxFuture;
use futures::task::LocalSpawnExt;
use network::Switch;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;

/// So many rounds at one instant mean that two hosts answer each other without end and without time passing.
const ROUNDS_AT_ONE_INSTANT: u32 = 100_000;

/// Some hosts, their applications and their clock.
pub struct Simulation {
    // Before the stations: a task that is dropped lets go of its sockets.
    pool: LocalPool,
    spawner: Spawner,
    time: Time,
    stations: Vec<Station>,
    switches: Vec<Switch>,
}

struct Station {
    host: Host,
    nic: Nic,
}

/// Why a simulation stopped before what was waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Stopped {
    #[error("the time allowed was over at {at}")]
    TimeOver { at: Instant },
    #[error("nothing is left to happen at {at}")]
    NothingLeft { at: Instant },
}

impl Default for Simulation {
    fn default() -> Simulation {
        Simulation::new()
    }
}

impl Simulation {
    /// An empty simulation at time zero.
    pub fn new() -> Simulation {
        Simulation::starting_at(Instant::ZERO)
    }

    /// The same at another time, so that captures carry a date.
    pub fn starting_at(start: Instant) -> Simulation {
        let time = Time::new(Clock::starting_at(start));
        Simulation {
            pool: LocalPool::new(),
            spawner: Spawner::default(),
            time,
            stations: Vec::new(),
            switches: Vec::new(),
        }
    }

    /// The time, for applications that sleep.
    pub fn time(&self) -> Time {
        self.time.clone()
    }

    pub fn now(&self) -> Instant {
        self.time.now()
    }

    /// Adds a host with its device and whoever watches it. What the device does, the host leaves to it.
    pub fn add_host(
        &mut self,
        mut config: stack::Config,
        seed: u64,
        device: Box<dyn Device>,
        observer: Option<Box<dyn Observer>>,
    ) -> Host {
        suit(&mut config, device.capabilities());
        let host = Host::virtual_time(config, seed, self.time.clock().clone());
        host.set_observer(observer);
        host.start();
        self.stations.push(Station { host: host.clone(), nic: Nic::new(device) });
        host
    }

    /// Adds a switch between cables.
    pub fn add_switch(&mut self, switch: Switch) {
        self.switches.push(switch);
    }

    /// Lets an application run beside the others.
    pub fn spawn(&self, application: impl Future<Output = ()> + 'static) {
        spawn_on(&self.pool, application);
    }

    /// Lets applications start others.
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Runs until `application` has finished, and gives what it gave.
    ///
    /// # Panics
    /// When nothing is left to happen before that.
    pub fn run<T: 'static>(&mut self, application: impl Future<Output = T> + 'static) -> T {
        let result = Rc::new(RefCell::new(None));
        let slot = result.clone();
        self.spawn(async move {
            let value = application.await;
            *slot.borrow_mut() = Some(value);
        });
        if let Err(stopped) = self.run_until(Duration::MAX, || result.borrow().is_some()) {
            panic!("the application never finished: {stopped}");
        }
        let value = result.borrow_mut().take();
        value.expect("run_until waits for it")
    }

    /// Runs for `span` of virtual time, or less when nothing is left to happen, in which case the time passes idly.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now() + span;
        // Either way of stopping is what was asked for.
        let _ = self.run_until(span, || false);
        self.time.advance(end);
    }

    /// Runs until `done`, which is asked whenever everything has come to rest for the moment.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut() -> bool) -> Result<(), Stopped> {
        let end = self.now() + limit;
        loop {
            let deadline = self.settle();
            if done() {
                return Ok(());
            }
            let at = self.now();
            match [deadline, self.time.next_deadline()].into_iter().flatten().min() {
                None => return Err(Stopped::NothingLeft { at }),
                Some(next) if next > end => return Err(Stopped::TimeOver { at }),
                Some(next) => self.time.advance(next),
            }
        }
    }

    /// Does all that is to be done at the present instant; gives the next deadline of hosts and devices.
    fn settle(&mut self) -> Option<Instant> {
        for _ in 0..ROUNDS_AT_ONE_INSTANT {
            self.pool.run_until_stalled();
            let (mut busy, mut deadline) = (self.take_spawned(), None::<Instant>);
            for station in &mut self.stations {
                let (station_busy, station_deadline) = station.turn();
                busy |= station_busy;
                deadline = [deadline, station_deadline].into_iter().flatten().min();
            }
            let now = self.now();
            for switch in &mut self.switches {
                busy |= switch.turn(now);
                deadline = deadline.into_iter().chain(switch.next_deadline()).min();
            }
            if !busy && deadline.is_none_or(|deadline| deadline > self.now()) {
                return deadline;
            }
        }
        panic!("the simulation does not come to rest at {}: hosts answer each other without end", self.now());
    }

    /// Hands what applications have started to the pool; was there anything?
    fn take_spawned(&self) -> bool {
        let spawned = std::mem::take(&mut *self.spawner.0.lock().unwrap_or_else(PoisonError::into_inner));
        let any = !spawned.is_empty();
        spawned.into_iter().for_each(|application| spawn_on(&self.pool, application));
        any
    }
}

impl Station {
    fn turn(&mut self) -> (bool, Option<Instant>) {
        let turn = self.nic.turn(&self.host).expect("a simulated device does not fail");
        (turn.busy, turn.deadline)
    }
}

fn spawn_on(pool: &LocalPool, application: impl Future<Output = ()> + 'static) {
    pool.spawner().spawn_local(application).expect("the pool lives");
}

/// Starts applications from inside of others.
#[derive(Clone, Default)]
pub struct Spawner(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl Spawner {
    /// `application` begins to run after those that run now have come to rest.
    pub fn spawn(&self, application: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(application));
    }
}
