//! What is asked of a stack.

use crate::client::{self, Work};
use crate::stacks::Stack;
use crate::support::client::port;
use crate::support::{INTERFACE, SERVER};
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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Workload {
    pub task: Task,
    /// Plain frames: no checksum is left open and no super-frame passes.
    pub plain: bool,
    /// Stack and client share one processor; else the scheduler does as it likes.
    pub one_processor: bool,
    /// Nothing is copied on behalf of the application: it reads in place, and hands over what it writes.
    pub owned: bool,
    /// The stack never sleeps.
    pub busy_poll: bool,
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

impl Workload {
    pub fn all() -> Vec<Workload> {
        let usual =
            |task| Workload { task, plain: false, owned: false, one_processor: false, busy_poll: false, idle: 0 };
        let mut all = Vec::new();
        for connections in [1, 4, 64] {
            all.extend([usual(Task::BulkIn(connections)), usual(Task::BulkOut(connections))]);
        }
        for task in [Task::BulkIn(1), Task::BulkOut(1)] {
            all.push(Workload { owned: true, ..usual(task) });
            all.push(Workload { plain: true, ..usual(task) });
        }
        all.push(Workload { one_processor: true, ..usual(Task::PingPong) });
        all.push(usual(Task::PingPong));
        all.push(Workload { busy_poll: true, ..usual(Task::PingPong) });
        all.extend([1, 32, 256].map(|connections| usual(Task::Requests(connections))));
        all.extend([usual(Task::Churn(8)), usual(Task::Datagrams)]);
        for idle in [10_000, 100_000] {
            all.push(Workload { idle, one_processor: true, ..usual(Task::PingPong) });
            all.push(Workload { idle, ..usual(Task::Requests(32)) });
        }
        all
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

    /// The ports of the server that it uses.
    pub fn ports(self) -> Vec<u16> {
        let port = match self.task {
            Task::BulkIn(_) => port::DISCARD,
            Task::BulkOut(_) => port::SOURCE,
            Task::PingPong | Task::Datagrams => port::ECHO,
            Task::Requests(_) => port::HTTP,
            Task::Churn(_) => port::HTTP_ONCE,
        };
        if self.idle > 0 { vec![port, port::DISCARD] } else { vec![port] }
    }

    /// Can this stack do it at all?
    pub fn suits(self, stack: Stack) -> bool {
        match stack {
            Stack::Limit | Stack::Strata => true,
            _ if self.owned => false,
            // It has a socket and two buffers for each connection from the start.
            Stack::SmoltcpTuned => !self.plain && self.idle <= 10_000 && !matches!(self.task, Task::Datagrams),
            Stack::Smoltcp => !self.busy_poll && self.idle == 0,
            Stack::Kernel => !self.plain && !self.busy_poll && self.idle == 0,
        }
    }

    /// What is there before the work begins, for as long as it is held.
    pub fn prepare(self) -> Vec<std::net::TcpStream> {
        client::hold(SERVER, INTERFACE, self.idle)
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
        for (is, suffix) in
            [(self.plain, "plain"), (self.owned, "owned"), (self.one_processor, "one-cpu"), (self.busy_poll, "busy")]
        {
            if is {
                name.push('-');
                name.push_str(suffix);
            }
        }
        if self.idle > 0 {
            name.push_str(&format!("-beside-{}", self.idle));
        }
        f.pad(&name)
    }
}
