//! A stack that runs for the length of one command: its link, its views, and tokio for what its applications wait for.

use super::failure::{Doing, Failure};
use super::options::{BusyPoll, HostOptions, ViewOptions};
use super::serve;
use super::views::{Terminal, Views, shared_by};
use crate::device::Device;
use crate::device::fault::{Fault, Spec};
use crate::device::link::End;
use crate::runtime::sandbox::{self, LinkError, Opened, Standing};
use crate::runtime::{Driver, Host};
use std::time::{Duration, Instant};

/// How long the last packets of a connection are waited for.
const SETTLE: Duration = Duration::from_millis(500);

/// What a command needs of its link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Needs {
    /// A namespace of its own, always.
    pub sandbox: bool,
    /// The other end may be in this process too.
    pub in_process: bool,
}

impl Needs {
    /// A client is content with whoever is at the other end.
    pub const CLIENT: Needs = Needs { sandbox: false, in_process: true };
    /// A server is there for programs outside of this process.
    pub const SERVER: Needs = Needs { sandbox: false, in_process: false };
    pub const SANDBOX: Needs = Needs { sandbox: true, in_process: false };
    pub const DEMO: Needs = Needs { sandbox: true, in_process: true };
}

/// A running stack.
pub struct Node {
    /// One for each queue, the first for what is opened from here.
    drivers: Vec<Driver>,
    views: Views,
    runtime: tokio::runtime::Runtime,
    standing: Standing,
    seed: u64,
    /// The host at the other end of an in-process link.
    peer: Option<Driver>,
}

impl Node {
    /// Makes the link, opens the views and starts the stack. None after a dry run.
    pub fn start(
        options: &HostOptions,
        views: &ViewOptions,
        needs: Needs,
        terminal: Terminal,
    ) -> Result<Option<Node>, Failure> {
        match attach(options, needs)? {
            Some(link) => {
                anstream::eprintln!("strata: {}", link.standing);
                link.start(options, views, terminal).map(Some)
            }
            None => Ok(None),
        }
    }

    pub fn host(&self) -> &Host {
        self.drivers[0].host()
    }

    /// That of each queue: what is served is served on all of them, on the thread of each.
    pub fn drivers(&self) -> &[Driver] {
        &self.drivers
    }

    pub fn runtime(&self) -> &tokio::runtime::Runtime {
        &self.runtime
    }

    /// Where the link stands, and why.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Does anybody watch?
    pub fn is_watched(&self) -> bool {
        self.views.any()
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Waits a moment for connections that are about to end, so that they end properly.
    pub fn settle(&self) {
        let give_up = Instant::now() + SETTLE;
        let unfinished = || self.drivers.iter().any(|driver| driver.host().unfinished_connections() > 0);
        while unfinished() && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the stack and closes the views.
    pub fn stop(self) -> Result<(), Failure> {
        // All of them are stopped, whatever the first says.
        let ended: Vec<_> = self.drivers.into_iter().map(Driver::stop).collect();
        self.runtime.shutdown_timeout(Duration::from_millis(200));
        drop(self.peer);
        let closed = self.views.close();
        ended.into_iter().collect::<std::io::Result<()>>()?;
        closed
    }
}

/// A link ready to be driven.
pub struct Attached {
    queues: Vec<Box<dyn Device>>,
    peer: Option<End>,
    pub standing: Standing,
    seed: u64,
}

/// Makes the link that `options` ask for. None after a dry run, which prints what would be done.
///
/// It may enter a namespace, and so has to be called before any thread starts.
pub fn attach(options: &HostOptions, needs: Needs) -> Result<Option<Attached>, Failure> {
    options.check()?;
    let seed = options.seed()?;
    let config = options.link_config(needs.in_process);
    if options.dry_run {
        sandbox::dry_run(&options.link, needs.sandbox, &config).iter().for_each(|step| anstream::println!("{step}"));
        return Ok(None);
    }
    let Opened { device, more, peer, mut standing, plan: _ } = sandbox::open(&options.link, needs.sandbox, &config)
        .map_err(|error| match error {
            LinkError::NotInASandbox { .. } | LinkError::NobodyThere => Failure::wrong_use(error.to_string()),
            LinkError::Step(_) | LinkError::Nothing { .. } | LinkError::Io(_) => Failure::failed(error.to_string()),
        })?;
    standing.warnings.iter().for_each(|warning| tracing::info!("{warning}"));
    if 1 + more.len() != config.queues {
        let (queues, device) = (config.queues, device.describe());
        return Err(Failure::failed(format!("--queues {queues}: {device} has one queue; only a TAP has several")));
    }
    let queues = std::iter::once(device).chain(more).zip(seed..);
    let queues: Vec<_> = queues.map(|(device, seed)| with_faults(device, options.fault.as_ref(), seed)).collect();
    standing.device = describe(&queues);
    Ok(Some(Attached { queues, peer, standing, seed }))
}

impl Attached {
    /// Opens the views and starts the stack.
    pub fn start(self, options: &HostOptions, views: &ViewOptions, terminal: Terminal) -> Result<Node, Failure> {
        let Attached { queues, peer, standing, seed } = self;
        // Little is left to its threads: timers, signals, and what blocks.
        let mut tokio = tokio::runtime::Builder::new_multi_thread();
        let runtime = tokio.worker_threads(1).enable_all().build().doing("starting tokio")?;
        let within = runtime.enter();
        let (views, observer) = Views::open(views, &standing.device, terminal)?;
        let observers = observer.map_or_else(Vec::new, |observer| shared_by(observer, queues.len()));
        let drivers = Driver::start_queues(&options.stack(queues[0].capabilities()), seed, queues, observers)?;
        if let Some(BusyPoll(polling)) = options.busy_poll {
            drivers.iter().for_each(|driver| driver.set_polling(polling));
        }
        let peer = peer.map(|device| start_peer(options, device, seed)).transpose()?;
        drop(within);
        Ok(Node { drivers, views, runtime, standing, seed, peer })
    }
}

/// All queues are of one link.
fn describe(queues: &[Box<dyn Device>]) -> String {
    match queues {
        [device] => device.describe(),
        [device, ..] => format!("{}, {} queues", device.describe(), queues.len()),
        [] => String::new(),
    }
}

fn with_faults(device: Box<dyn Device>, faults: Option<&Spec>, seed: u64) -> Box<dyn Device> {
    match faults {
        Some(faults) => Box::new(Fault::new(device, *faults, seed)),
        None => device,
    }
}

/// The host at the other end of an in-process link: the first address of our prefix, where on another link the kernel
/// would be.
fn start_peer(options: &HostOptions, device: End, seed: u64) -> Result<Driver, Failure> {
    let driver = Driver::start(options.peer()?, seed ^ 1, Box::new(device), None)?;
    serve::start(&driver, options, &Default::default(), seed)?;
    Ok(driver)
}
