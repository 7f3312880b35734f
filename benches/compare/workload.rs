//! What is asked of a stack.

use crate::client::{self, Work};
use crate::stacks::Stack;
use crate::support::SERVER;
use crate::support::client::port;
use crate::support::server::Http;
use std::fmt;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    BulkIn(usize),
    BulkOut(usize),
    PingPong,
    Requests(usize),
    Churn(usize),
    Datagrams,
}

/// Where stack and client run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Wherever the scheduler likes.
    Free,
    /// They share a processor.
    OneProcessor,
    /// Each has one of its own.
    TwoProcessors,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Workload {
    pub task: Task,
    /// Plain frames: no checksum is left open and no super-frame passes.
    pub plain: bool,
    pub placement: Placement,
    /// Nothing is copied on behalf of the application: it reads in place, and hands over what it writes.
    pub owned: bool,
    /// The stack never sleeps.
    pub busy_poll: bool,
    /// Who answers our requests.
    pub http: Http,
    /// So many connections are open and silent meanwhile.
    pub idle: usize,
}

/// What a figure is and which way it is better.
pub struct Unit {
    pub name: &'static str,
    pub less_is_better: bool,
    /// What CPU time is counted by, and the factor from seconds.
    pub cpu: (&'static str, f64),
}

/// Beside so many idle connections is what is measured beside others; the first is what the others are compared with.
const CROWDS: [usize; 3] = [10, 10_000, 100_000];

impl Workload {
    const fn of(task: Task) -> Workload {
        Workload {
            task,
            plain: false,
            owned: false,
            placement: Placement::Free,
            busy_poll: false,
            http: Http::Plain,
            idle: 0,
        }
    }

    /// All with nobody beside.
    fn alone() -> Vec<Workload> {
        let bulk = [1, 4, 64].into_iter().flat_map(|count| [Task::BulkIn(count), Task::BulkOut(count)]);
        let mut all: Vec<Workload> = bulk.clone().map(Workload::of).collect();
        let one = [Task::BulkIn(1), Task::BulkOut(1)].map(Workload::of);
        all.extend(one.map(|workload| Workload { owned: true, ..workload }));
        all.extend(bulk.map(|task| Workload { plain: true, ..Workload::of(task) }));
        let ping_pong = Workload::of(Task::PingPong);
        all.push(Workload { placement: Placement::OneProcessor, ..ping_pong });
        all.push(Workload { placement: Placement::TwoProcessors, ..ping_pong });
        all.push(Workload { placement: Placement::TwoProcessors, busy_poll: true, ..ping_pong });
        let requests = [1, 32, 256].map(|connections| Workload::of(Task::Requests(connections)));
        all.extend(requests);
        all.extend(requests.map(|workload| Workload { http: Http::Axum, ..workload }));
        all.extend(requests.map(|workload| Workload { http: Http::AxumOnTokio, ..workload }));
        all.extend([Task::Churn(8), Task::Datagrams].map(Workload::of));
        all
    }

    /// What is run when nothing else is asked for, in groups that are run in turns with each other. With `beside`
    /// everything is run again beside each of so many idle connections.
    pub fn groups(beside: &[usize]) -> Vec<Vec<Workload>> {
        let alone = Workload::alone();
        if !beside.is_empty() {
            let among = |workload: Workload| move |idle| Workload { idle, ..workload };
            let group = |workload| [0].into_iter().chain(beside.iter().copied()).map(among(workload)).collect();
            return alone.into_iter().map(group).collect();
        }
        let crowded = [
            Workload { placement: Placement::OneProcessor, ..Workload::of(Task::PingPong) },
            Workload::of(Task::Requests(32)),
        ];
        let crowded = crowded.map(|workload| CROWDS.map(|idle| Workload { idle, ..workload }).to_vec());
        alone.into_iter().map(|workload| vec![workload]).chain(crowded).collect()
    }

    /// The one that is called so.
    pub fn named(name: &str) -> Option<Workload> {
        let (alone, idle) = match name.split_once("-beside-") {
            Some((alone, idle)) => (alone, idle.parse().ok()?),
            None => (name, 0),
        };
        let workload = Workload::alone().into_iter().find(|workload| workload.to_string() == alone)?;
        Some(Workload { idle, ..workload })
    }

    pub fn unit(self) -> Unit {
        match self.task {
            Task::BulkIn(_) | Task::BulkOut(_) => Unit { name: "Gbit/s", less_is_better: false, cpu: ("s/GB", 1.0) },
            Task::PingPong => Unit { name: "µs", less_is_better: true, cpu: ("µs each", 1e6) },
            Task::Requests(_) | Task::Churn(_) | Task::Datagrams => {
                Unit { name: "1000/s", less_is_better: false, cpu: ("µs each", 1e6) }
            }
        }
    }

    /// The port of the server that the work goes to.
    pub fn port(self) -> u16 {
        match self.task {
            Task::BulkIn(_) => port::DISCARD,
            Task::BulkOut(_) => port::SOURCE,
            Task::PingPong | Task::Datagrams => port::ECHO,
            Task::Requests(_) => port::HTTP,
            Task::Churn(_) => port::HTTP_ONCE,
        }
    }

    /// Is there anything to be learnt from this stack? What a copy costs is asked where the bytes are all there is, and
    /// what longer frames are worth where frames leave.
    pub fn concerns(self, stack: Stack) -> bool {
        match stack {
            Stack::LimitCopying => {
                matches!(self.task, Task::BulkIn(1) | Task::BulkOut(1)) && !self.plain && !self.owned
            }
            Stack::LimitBigTcp => matches!(self.task, Task::BulkOut(1)) && !self.plain,
            Stack::Limit | Stack::Strata | Stack::SmoltcpTuned | Stack::Smoltcp | Stack::Kernel => true,
        }
    }

    /// Why this stack cannot do it.
    pub fn unsuited(self, stack: Stack) -> Option<&'static str> {
        match stack {
            Stack::Limit | Stack::LimitCopying | Stack::LimitBigTcp | Stack::Strata => None,
            Stack::SmoltcpTuned | Stack::Smoltcp if self.http != Http::Plain => Some("has no asynchronous sockets"),
            Stack::SmoltcpTuned | Stack::Smoltcp if self.owned => {
                Some("its reads are in place anyway; nothing to hand over")
            }
            Stack::Kernel if self.owned => Some("its sockets copy"),
            Stack::SmoltcpTuned if self.plain => Some("is about offloads; see smoltcp"),
            // A socket with both its buffers for each connection, from the start.
            Stack::Smoltcp if self.idle > 10_000 => Some("its buffers alone would take more than 10 GB"),
            Stack::SmoltcpTuned | Stack::Smoltcp | Stack::Kernel => None,
        }
    }

    /// Opens what is there before the work begins; gives how many there are.
    pub fn open_idle(self, limit: Duration, proven: bool) -> usize {
        client::open(self.idle, limit, proven)
    }

    /// Puts the workload on whatever answers at [`SERVER`].
    pub fn run(self, span: Duration) -> Work {
        match self.task {
            Task::BulkIn(connections) => client::bulk_in(SERVER, connections, span),
            Task::BulkOut(connections) => client::bulk_out(SERVER, connections, span),
            Task::PingPong => client::ping_pong(SERVER, span),
            Task::Requests(connections) => client::requests(SERVER, connections, span),
            Task::Churn(clients) => client::churn(SERVER, clients, span),
            Task::Datagrams => client::datagrams(SERVER, span),
        }
    }
}

/// Its name, by which it can be asked for.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut name = match self.task {
            Task::BulkIn(connections) => format!("bulk-in-{connections}"),
            Task::BulkOut(connections) => format!("bulk-out-{connections}"),
            Task::PingPong => "ping-pong".into(),
            Task::Requests(connections) => format!("requests-{connections}"),
            Task::Churn(clients) => format!("connections-{clients}"),
            Task::Datagrams => "datagrams".into(),
        };
        for (is, suffix) in [
            (self.plain, "-plain"),
            (self.owned, "-owned"),
            (self.placement == Placement::OneProcessor, "-one-cpu"),
            (self.placement == Placement::TwoProcessors, "-two-cpus"),
            (self.busy_poll, "-busy"),
            (self.http == Http::Axum, "-axum"),
            (self.http == Http::AxumOnTokio, "-axum-tokio"),
        ] {
            if is {
                name.push_str(suffix);
            }
        }
        if self.idle > 0 {
            name.push_str(&format!("-beside-{}", self.idle));
        }
        f.pad(&name)
    }
}
