//! Our stack, in virtual time.

use crate::{Condition, Measured, SPAN};
use std::time::Duration;
use strata::sim::experiment::{Amount, Experiment, Flow, Host, Link};

pub const CONTROLLERS: &[&str] = &["cubic", "reno", "bbr"];

/// When the flow starts: by then the neighbours know each other.
const START: Duration = Duration::from_secs(20);

pub fn measure(condition: &Condition, controller: &str) -> Measured {
    let warm = Flow { name: "warm".into(), ..Flow::new("a", "b", Amount::Bytes(1)) };
    let congestion = Some(controller.parse().expect("a controller of ours"));
    let flow = Flow { start: START, congestion, ..Flow::new("a", "b", Amount::During(SPAN)) };
    let experiment = Experiment {
        seed: condition.seed,
        hosts: vec![Host::named("a"), Host::named("b")],
        links: vec![Link::between("a", "b", condition.shape())],
        flows: vec![warm, flow],
        ..Experiment::default()
    };
    let outcome = experiment.run().expect("an experiment that can be");
    let flow = &outcome.flows[1];
    assert!(flow.finished, "{:?}", flow.error);
    let min_rtt_ms = flow.min_rtt.map(|rtt| rtt.as_secs_f64() * 1e3);
    Measured { bytes: flow.bytes, sent_again: Some(flow.retransmitted_bytes), timeouts: Some(flow.rtos), min_rtt_ms }
}
