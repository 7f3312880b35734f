//! Our stack with its default settings, its applications as tasks on the driver's thread.

use crate::support::machine::Worker;
use crate::support::server::{self, Habits};
use crate::workload::Workload;
use std::time::Duration;

pub fn serve<T>(workload: Workload, client: impl FnOnce(&Worker) -> T) -> T {
    let busy_poll = Duration::from_secs(if workload.busy_poll { 1 } else { 0 });
    let habits = Habits { busy_poll, owned: workload.owned };
    let (worker, _host) = server::serve(server::tap(!workload.plain), strata::stack::Config::default(), habits);
    client(&worker)
}
