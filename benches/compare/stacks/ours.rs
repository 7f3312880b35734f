//! Our stack with its default settings, its applications as tasks on the driver's thread.

use crate::support::machine::Worker;
use crate::support::server;
use crate::workload::Workload;
use std::time::Duration;

pub fn serve<T>(workload: Workload, client: impl FnOnce(&Worker) -> T) -> T {
    let busy_poll = workload.busy_poll.then_some(Duration::from_secs(1));
    let (worker, _host) = server::serve(server::tap(!workload.plain), strata::stack::Config::default(), busy_poll);
    client(&worker)
}
