//! What must hold of an experiment before it can run.

use super::{Amount, Experiment, Flow, Link};
use std::collections::BTreeSet;
use std::fmt;

/// Room for hosts in 192.0.2.0/24.
const MOST_HOSTS: usize = 254;
/// The smallest IP packet that every link must carry (RFC 791 §3.2), and the largest there is.
const MTU: std::ops::RangeInclusive<usize> = 68..=65_535;

/// Something in an experiment that cannot be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{path}: {what}")]
pub struct Problem {
    /// The place, as a path of keys: `links[0].between`.
    pub path: String,
    /// What was wrong there and what is allowed.
    pub what: String,
}

impl Problem {
    pub(super) fn new(path: impl fmt::Display, what: impl fmt::Display) -> Problem {
        Problem { path: path.to_string(), what: what.to_string() }
    }
}

impl Experiment {
    /// The first problem, if there is any. [`run`](Experiment::run) asks as well.
    pub fn check(&self) -> Result<(), Problem> {
        self.check_names()?;
        for (index, link) in self.links.iter().enumerate() {
            self.check_link(index, link)?;
        }
        self.check_tree()?;
        if self.flows.is_empty() {
            return Err(Problem::new("flows", "nothing is sent: describe at least one flow"));
        }
        for (index, flow) in self.flows.iter().enumerate() {
            self.check_flow(index, flow)?;
        }
        self.check_flow_names()
    }

    fn check_names(&self) -> Result<(), Problem> {
        let count = self.hosts.len();
        if !(2..=MOST_HOSTS).contains(&count) {
            return Err(Problem::new("hosts", format_args!("there are {count}: allowed are 2 to {MOST_HOSTS}")));
        }
        let hosts = self.hosts.iter().map(|host| ("hosts", &host.name));
        let mut seen = BTreeSet::new();
        for (list, name) in hosts.chain(self.switches.iter().map(|name| ("switches", name))) {
            if name.is_empty() {
                return Err(Problem::new(list, "a name is empty"));
            }
            if !seen.insert(name) {
                return Err(Problem::new(
                    list,
                    format_args!("{name:?} is the name of two of them: each needs its own"),
                ));
            }
        }
        Ok(())
    }

    fn check_link(&self, index: usize, link: &Link) -> Result<(), Problem> {
        let path = format!("links[{index}]");
        let nodes = self.nodes();
        if let Some(name) = link.between.iter().find(|name| !nodes.contains(&name.as_str())) {
            return Err(Problem::new(format_args!("{path}.between"), unknown("host or switch", name, &nodes)));
        }
        if link.between[0] == link.between[1] {
            let what = format_args!("both ends are {:?}: a link joins two", link.between[0]);
            return Err(Problem::new(format_args!("{path}.between"), what));
        }
        if !MTU.contains(&link.mtu) {
            let what = format_args!("{} bytes: allowed are {} to {}", link.mtu, MTU.start(), MTU.end());
            return Err(Problem::new(format_args!("{path}.mtu"), what));
        }
        for (way, shape) in [("there", &link.there), ("back", &link.back)] {
            if shape.faults.rate.is_some() {
                let what = "rate stands among the faults: say it as the link's own";
                return Err(Problem::new(format_args!("{path}.{way}"), what));
            }
        }
        let earlier = self.links[..index].iter().any(|other| other.name == link.name);
        match earlier {
            true => Err(Problem::new(path, format_args!("there is another link called {:?}: name them", link.name))),
            false => Ok(()),
        }
    }

    /// Every host has one cable, there is one way between any two, and one MTU.
    fn check_tree(&self) -> Result<(), Problem> {
        for host in &self.hosts {
            let cables = self.links.iter().filter(|link| link.between.contains(&host.name)).count();
            if cables != 1 {
                let what =
                    format!("host {:?} has {cables} links: each has exactly one; switches join several", host.name);
                return Err(Problem::new("links", what));
            }
        }
        let nodes = self.nodes();
        // Which piece of the network each node is in; every link joins two pieces.
        let mut piece: Vec<usize> = (0..nodes.len()).collect();
        for (index, link) in self.links.iter().enumerate() {
            let [first, second] = link.between.each_ref().map(|name| piece[self.place(&nodes, name)]);
            if first == second {
                let what = "closes a circle, in which frames would go round for ever: take one link of it away";
                return Err(Problem::new(format_args!("links[{index}]"), what));
            }
            piece.iter_mut().filter(|piece| **piece == second).for_each(|piece| *piece = first);
        }
        if let Some(alone) = piece.iter().position(|place| *place != piece[0]) {
            let what = format!("there is no way between {:?} and {:?}", nodes[0], nodes[alone]);
            return Err(Problem::new("links", what));
        }
        let mtu = self.links[0].mtu;
        match self.links.iter().position(|link| link.mtu != mtu) {
            Some(index) => {
                let what =
                    format!("{} bytes, and links[0] has {mtu}: switches join links of one MTU", self.links[index].mtu);
                Err(Problem::new(format_args!("links[{index}].mtu"), what))
            }
            None => Ok(()),
        }
    }

    fn check_flow(&self, index: usize, flow: &Flow) -> Result<(), Problem> {
        let path = format!("flows[{index}]");
        let hosts: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        for (key, name) in [("from", &flow.from), ("to", &flow.to)] {
            if !hosts.contains(&name.as_str()) {
                return Err(Problem::new(format_args!("{path}.{key}"), unknown("host", name, &hosts)));
            }
        }
        if flow.from == flow.to {
            return Err(Problem::new(format_args!("{path}.to"), "it is where the flow comes from: name another host"));
        }
        if flow.amount == Amount::During(std::time::Duration::ZERO) {
            return Err(Problem::new(format_args!("{path}.duration"), "is zero: it must be longer"));
        }
        Ok(())
    }

    fn check_flow_names(&self) -> Result<(), Problem> {
        let mut seen = BTreeSet::new();
        match self.flows.iter().position(|flow| !seen.insert(&flow.name)) {
            Some(index) => {
                let what = format!("there is another flow called {:?}: name them", self.flows[index].name);
                Err(Problem::new(format_args!("flows[{index}]"), what))
            }
            None => Ok(()),
        }
    }

    /// Hosts, then switches.
    fn nodes(&self) -> Vec<&str> {
        let hosts = self.hosts.iter().map(|host| host.name.as_str());
        hosts.chain(self.switches.iter().map(String::as_str)).collect()
    }

    fn place(&self, nodes: &[&str], name: &str) -> usize {
        nodes.iter().position(|node| *node == name).expect("every link's ends were checked")
    }
}

fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    format!("there is no {kind} called {name:?}: there are {}", known.join(", "))
}
