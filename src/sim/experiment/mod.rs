//! Experiments: hosts, links and flows as a value that is run in virtual time, and what came of them.
//!
//! An [`Experiment`] is checked before it runs: a [`Problem`] names the place in it, what is wrong there, and what could
//! stand there instead. The same experiment with the same seed gives the same [`Outcome`] on every machine.
//!
//! ```
//! use std::time::Duration;
//! use strata::sim::experiment::{Amount, Experiment, Flow, Host, Link};
//! use strata::sim::network::Shape;
//!
//! let shape = Shape { rate: Some(10_000_000), faults: "delay 10ms loss 1%".parse()?, ..Shape::default() };
//! let outcome = Experiment {
//!     hosts: vec![Host::named("alice"), Host::named("bob")],
//!     links: vec![Link::between("alice", "bob", shape)],
//!     flows: vec![Flow::new("alice", "bob", Amount::Bytes(200_000))],
//!     ..Experiment::default()
//! }
//! .run()?;
//! let flow = &outcome.flows[0];
//! assert_eq!((flow.bytes, flow.finished), (200_000, true));
//! assert!(flow.goodput() < 10_000_000.0 && flow.min_rtt > Some(Duration::from_millis(20)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!

mod check;
mod flow;
mod outcome;
mod run;
mod sender;
#[cfg(test)]
mod tests;

pub use check::Problem;
pub use outcome::{FlowOutcome, LinkOutcome, Outcome, WireOutcome, jain};

use super::network::Shape;
use crate::tcp::Config;
use crate::tcp::congestion::Algorithm;
use std::time::Duration;

/// What is to be tried.
#[derive(Clone, PartialEq, Debug)]
pub struct Experiment {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// What has not finished by then is stopped and told as it stands.
    pub time_limit: Duration,
    /// In the order of their addresses: 192.0.2.1, 192.0.2.2 and so on.
    pub hosts: Vec<Host>,
    pub switches: Vec<String>,
    pub links: Vec<Link>,
    pub flows: Vec<Flow>,
}

/// A host, with what its connections start with.
#[derive(Clone, PartialEq, Debug)]
pub struct Host {
    pub name: String,
    pub tcp: Config,
    /// It leaves checksums and segmentation to its device, which does both in software.
    pub offload: bool,
}

/// A cable between two hosts or switches.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    pub name: String,
    pub between: [String; 2],
    /// From the first to the second, and back.
    pub there: Shape,
    pub back: Shape,
    /// The largest IP packet, in bytes.
    pub mtu: usize,
}

/// A stream of bytes from one host to another, over a connection of its own.
#[derive(Clone, PartialEq, Debug)]
pub struct Flow {
    pub name: String,
    pub from: String,
    pub to: String,
    pub start: Duration,
    pub amount: Amount,
    /// The sender's congestion controller; none for the one that its host has.
    pub congestion: Option<Algorithm>,
}

/// How much a flow sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    Bytes(u64),
    /// As much as it can in that time.
    During(Duration),
}

impl Default for Experiment {
    /// Nothing yet, with ten minutes of virtual time for it.
    fn default() -> Experiment {
        let (hosts, switches) = (Vec::new(), Vec::new());
        let time_limit = Duration::from_secs(600);
        Experiment { seed: 1, time_limit, hosts, switches, links: Vec::new(), flows: Vec::new() }
    }
}

impl Host {
    /// A host with default settings.
    pub fn named(name: impl Into<String>) -> Host {
        Host { name: name.into(), tcp: Config::default(), offload: false }
    }
}

impl Link {
    /// A link that is the same in both directions, with Ethernet's MTU, called after its ends.
    pub fn between(first: impl Into<String>, second: impl Into<String>, shape: Shape) -> Link {
        let between = [first.into(), second.into()];
        Link { name: between.join("-"), between, there: shape.clone(), back: shape, mtu: 1500 }
    }
}

impl Flow {
    /// A flow that begins at once, called after its ends.
    pub fn new(from: impl Into<String>, to: impl Into<String>, amount: Amount) -> Flow {
        let (from, to) = (from.into(), to.into());
        Flow { name: format!("{from}-{to}"), from, to, start: Duration::ZERO, amount, congestion: None }
    }
}
