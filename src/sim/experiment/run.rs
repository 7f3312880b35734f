//! From the description to hosts, cables and switches; and, at the end, to what came of it.

use super::flow::Course;
use super::outcome::{FlowOutcome, LinkOutcome, Outcome, WireOutcome, fairness};
use super::sender::Senders;
use super::{Amount, Experiment, Flow, Host, Problem};
use crate::device::SUPER_FRAME;
use crate::event::Observer;
use crate::probe::Fanout;
use crate::random::Random;
use crate::runtime;
use crate::runtime::asynchronous::TcpListener;
use crate::sim::Simulation;
use crate::sim::network::{Meter, Port, Shape, Switch, cable};
use crate::stack;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The first flow's port at its receiver; the next has the next.
const FIRST_PORT: u16 = 5001;

/// A network that is built, and what runs in it.
struct Laboratory {
    sim: Simulation,
    hosts: BTreeMap<String, (runtime::Host, Ipv4Addr)>,
    /// In the order of the links: the wires there and back.
    meters: Vec<[Meter; 2]>,
    senders: Senders,
    courses: Vec<Course>,
}

impl Experiment {
    /// Runs it to its end, or to the limit of its time.
    pub fn run(&self) -> Result<Outcome, Problem> {
        self.run_watched(|_| None)
    }

    /// The same with somebody who watches a host, or several.
    pub fn run_watched(&self, watch: impl FnMut(&Host) -> Option<Box<dyn Observer>>) -> Result<Outcome, Problem> {
        self.check()?;
        let mut laboratory = Laboratory::build(self, watch);
        for (index, flow) in self.flows.iter().enumerate() {
            laboratory.start(index, flow)?;
        }
        let courses = laboratory.courses.clone();
        let over = || courses.iter().all(|course| course.progress.borrow().is_over());
        // Whether the time is over or nothing is left to happen: each flow says how it stands.
        let _ = laboratory.sim.run_until(self.time_limit, over);
        Ok(laboratory.outcome(self))
    }
}

impl Laboratory {
    fn build(plan: &Experiment, mut watch: impl FnMut(&Host) -> Option<Box<dyn Observer>>) -> Laboratory {
        let mut random = Random::new(plan.seed);
        let (mut ports, mut meters) = (BTreeMap::<&str, Vec<Port>>::new(), Vec::new());
        for link in &plan.links {
            let (left, right) = cable(link.there.clone(), link.back.clone(), link.mtu, random.next_u64());
            meters.push([left.meter(), right.meter()]);
            let [first, second] = &link.between;
            ports.entry(first).or_default().push(left);
            ports.entry(second).or_default().push(right);
        }
        let (mut sim, senders) = (Simulation::new(), Senders::default());
        let mut hosts = BTreeMap::new();
        for (host, last) in plan.hosts.iter().zip(1..=u8::MAX) {
            let port = ports.remove(host.name.as_str()).and_then(|mut ports| ports.pop()).expect("checked: one link");
            let mtu = plan.links[0].mtu;
            let address = Ipv4Addr::new(192, 0, 2, last);
            let config = stack::Config {
                mac: [2, 0, 0, 0, 0, last],
                addresses: vec![ipnet::Ipv4Net::new(address, 24).expect("a prefix length of IPv4").into()],
                mtu,
                tcp: host.tcp.clone(),
                partial_checksum: host.offload,
                segmentation: host.offload.then_some(SUPER_FRAME),
                ..stack::Config::default()
            };
            let mut observer = Fanout::new().with(senders.clone());
            if let Some(watcher) = watch(host) {
                observer.push(watcher);
            }
            let built = sim.add_host(config, random.next_u64(), Box::new(port), observer.into_observer());
            hosts.insert(host.name.clone(), (built, address));
        }
        for name in &plan.switches {
            sim.add_switch(Switch::new(ports.remove(name.as_str()).unwrap_or_default()));
        }
        Laboratory { sim, hosts, meters, senders, courses: Vec::new() }
    }

    /// Puts both applications of a flow into their places.
    fn start(&mut self, index: usize, flow: &Flow) -> Result<(), Problem> {
        let (receiver, address) = &self.hosts[&flow.to];
        let port = u16::try_from(index).ok().and_then(|index| FIRST_PORT.checked_add(index));
        let port = port.ok_or_else(|| Problem::new("flows", "there are more than there are ports for them"))?;
        let server = SocketAddr::from((*address, port));
        let start = Instant::ZERO + flow.start;
        let course = Course::new(self.sim.time(), start, flow.amount, server, flow.congestion);
        let path = || format!("flows[{index}].to");
        let listener = TcpListener::bind(receiver, server).map_err(|error| Problem::new(path(), error))?;
        self.senders.expect(server);
        self.sim.spawn(course.clone().receive(listener));
        self.sim.spawn(course.clone().send(self.hosts[&flow.from].0.clone()));
        self.courses.push(course);
        Ok(())
    }

    fn outcome(self, plan: &Experiment) -> Outcome {
        let ended = self.sim.now();
        let flows: Vec<FlowOutcome> =
            plan.flows.iter().zip(&self.courses).map(|(flow, course)| self.flow(plan, flow, course)).collect();
        let links = plan.links.iter().zip(&self.meters).map(|(link, [there, back])| LinkOutcome {
            name: link.name.clone(),
            there: wire(&link.there, there, ended),
            back: wire(&link.back, back, ended),
        });
        Outcome { links: links.collect(), jain: fairness(&flows), flows, ended }
    }

    fn flow(&self, plan: &Experiment, flow: &Flow, course: &Course) -> FlowOutcome {
        let facts = self.senders.facts(course.server);
        let mut progress = course.progress.borrow_mut();
        let host = plan.hosts.iter().find(|host| host.name == flow.from).expect("checked: it is there");
        let meters = self.meters.iter().flatten();
        let queue_drops = facts.local.map_or(0, |local| {
            meters.map(|meter| meter.dropped(local, course.server) + meter.dropped(course.server, local)).sum()
        });
        let until_now = || self.sim.now().since(course.start);
        FlowOutcome {
            name: flow.name.clone(),
            from: flow.from.clone(),
            to: flow.to.clone(),
            congestion: flow.congestion.unwrap_or(host.tcp.congestion).name(),
            start: flow.start,
            bytes: progress.read,
            duration: match flow.amount {
                Amount::During(span) => span.min(until_now()),
                Amount::Bytes(_) if progress.finished => {
                    progress.last.map_or(Duration::ZERO, |at| at.since(course.start))
                }
                Amount::Bytes(_) => until_now(),
            },
            finished: progress.finished,
            error: progress.error.take(),
            retransmitted_bytes: facts.retransmitted_bytes,
            rtos: facts.rtos,
            probes: facts.probes,
            recoveries: facts.recoveries,
            min_rtt: facts.min_rtt,
            mean_rtt: facts.mean_rtt(),
            queue_drops,
            progress: std::mem::take(&mut progress.steps),
        }
    }
}

fn wire(shape: &Shape, meter: &Meter, ended: Instant) -> WireOutcome {
    let counters = meter.counters();
    let seconds = ended.since(Instant::ZERO).as_secs_f64();
    let sent = |rate: u64| (counters.bytes as f64 * 8.0 / rate as f64 / seconds).min(1.0);
    WireOutcome { counters, utilization: shape.rate.filter(|_| seconds > 0.0).map(sent) }
}
