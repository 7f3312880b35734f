//! Our stack with its default settings, its applications as tasks on the driver's thread.

use super::Served;
use crate::memory::Memory;
use crate::support::CLIENT;
use crate::support::machine::Worker;
use crate::support::server::{self, Habits, Http};
use crate::workload::Workload;
use std::time::Duration;
use strata::stack::Config;

/// What the work itself needs beside the idle connections.
const BUSY: usize = 65_536;

pub fn serve<T>(workload: Workload, client: impl FnOnce(&Served) -> T) -> T {
    let busy_poll = Duration::from_secs(if workload.busy_poll { 1 } else { 0 });
    let habits = Habits { busy_poll, owned: workload.owned, http: workload.http };
    // The limit of connections is there against attacks; who wants a hundred thousand raises it.
    let config = Config { gateway: Some(CLIENT.into()), connection_limit: BUSY + workload.idle, ..Config::default() };
    if workload.http == Http::AxumOnTokio {
        let _running = server::serve_on_tokio(server::tap(!workload.plain), config);
        let before = Memory::here();
        return client(&Served::here(Worker::other_threads(), before));
    }
    let (worker, _host) = server::serve(server::tap(!workload.plain), config, habits);
    let before = Memory::here();
    client(&Served::here(worker, before))
}
