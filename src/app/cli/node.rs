//! A stack that runs for the length of one command: its link, its views, and tokio for its applications.

use super::failure::{Doing, Failure};
use super::options::{HostOptions, LinkChoice, ViewOptions};
use super::serve;
use super::views::{Terminal, Views};
use crate::device::Device;
use crate::device::fault::{Fault, Spec};
use crate::device::link::{Config as LinkConfig, Link};
use crate::runtime::{Driver, Host};
use std::time::{Duration, Instant};

/// How long the last packets of a connection are waited for.
const SETTLE: Duration = Duration::from_millis(500);

/// In which network namespace a command works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The present one, if it allows; the best other one under `--link auto`.
    Here,
    /// One of its own, always.
    Sandbox,
}

/// A running stack.
pub struct Node {
    driver: Driver,
    views: Views,
    runtime: tokio::runtime::Runtime,
    description: String,
    seed: u64,
    /// The host at the other end of an in-process link.
    peer: Option<Driver>,
}

impl Node {
    /// Makes the link, opens the views and starts the stack. None after a dry run.
    pub fn start(
        options: &HostOptions,
        views: &ViewOptions,
        place: Place,
        terminal: Terminal,
    ) -> Result<Option<Node>, Failure> {
        match attach(options, place)? {
            Some(link) => link.start(options, views, terminal).map(Some),
            None => Ok(None),
        }
    }

    pub fn host(&self) -> &Host {
        self.driver.host()
    }

    pub fn runtime(&self) -> &tokio::runtime::Runtime {
        &self.runtime
    }

    /// The link in one line.
    pub fn description(&self) -> &str {
        &self.description
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Waits a moment for connections that are about to end, so that they end properly.
    pub fn settle(&self) {
        let give_up = Instant::now() + SETTLE;
        while self.host().unfinished_connections() > 0 && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the stack and closes the views.
    pub fn stop(self) -> Result<(), Failure> {
        let ended = self.driver.stop();
        self.runtime.shutdown_timeout(Duration::from_millis(200));
        drop(self.peer);
        self.views.close()?;
        Ok(ended?)
    }
}

/// A link ready to be driven.
pub struct Attached {
    device: Box<dyn Device>,
    peer: Option<Box<dyn Device>>,
    /// The link in one line.
    pub description: String,
    seed: u64,
}

/// Makes the link that `options` ask for. None after a dry run.
pub fn attach(options: &HostOptions, place: Place) -> Result<Option<Attached>, Failure> {
    options.check()?;
    let seed = options.seed()?;
    match (&options.link, place) {
        (LinkChoice::InProcess, _) => in_process(options, seed).map(Some),
        (LinkChoice::Auto | LinkChoice::Tap(_) | LinkChoice::Packet(_), _) => {
            Err(Failure::failed("this link is still being built"))
        }
    }
}

impl Attached {
    /// Opens the views and starts the stack.
    pub fn start(self, options: &HostOptions, views: &ViewOptions, terminal: Terminal) -> Result<Node, Failure> {
        let Attached { device, peer, description, seed } = self;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().doing("starting tokio")?;
        let (views, observer) = Views::open(views, &description, terminal)?;
        let driver = Driver::start(options.stack(device.capabilities()), seed, device, observer)?;
        let peer = peer.map(|device| start_peer(options, device, seed, &runtime)).transpose()?;
        Ok(Node { driver, views, runtime, description, seed, peer })
    }
}

/// A link to a second Strata host in this process, which serves what `strata serve` does.
fn in_process(options: &HostOptions, seed: u64) -> Result<Attached, Failure> {
    let (ours, theirs) = Link::pollable_pair(LinkConfig { mtu: options.mtu as usize, ..LinkConfig::default() })?;
    let device = with_faults(ours, options.fault.as_ref(), seed);
    let description = device.describe();
    Ok(Attached { device, peer: Some(Box::new(theirs)), description, seed })
}

fn with_faults(device: impl Device + 'static, faults: Option<&Spec>, seed: u64) -> Box<dyn Device> {
    match faults {
        Some(faults) => Box::new(Fault::new(device, *faults, seed)),
        None => Box::new(device),
    }
}

/// The host at the other end of an in-process link: the first address of our prefix, where on another link the kernel
/// would be.
fn start_peer(
    options: &HostOptions,
    device: Box<dyn Device>,
    seed: u64,
    runtime: &tokio::runtime::Runtime,
) -> Result<Driver, Failure> {
    let driver = Driver::start(options.peer()?, seed ^ 1, device, None)?;
    let _within = runtime.enter();
    serve::start(driver.host(), options, &Default::default(), seed)?;
    Ok(driver)
}
