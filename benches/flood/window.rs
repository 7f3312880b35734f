//! A stretch of time, with the flood or without, and what was seen in it.

use crate::Bulk;
use crate::clients::{Clients, Visit};
use crate::support::machine::{Times, Worker, resident};
use crate::syns::Flood;
use crate::transfer::Transfer;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use strata::runtime::Host;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Everything that is watched.
pub struct Observer {
    /// The thread of our stack.
    pub worker: Worker,
    pub host: Host,
    pub transfer: Transfer,
    pub clients: Clients,
    pub flood: Flood,
}

/// What a window brought; all of it within the window, unless it says otherwise.
pub struct Window {
    pub flooded: bool,
    pub span: Duration,
    /// Moved by the bulk transfer.
    pub bytes: u64,
    pub syns: u64,
    /// SYNs that the TAP's queue had no room for: our stack never saw them.
    pub syns_lost: u64,
    pub cookies: u64,
    pub cookies_back: u64,
    /// Segments that found a queue full and got no answer.
    pub overflows: u64,
    /// CPU time of our stack's thread, and of the one that floods.
    pub cpu: Duration,
    pub flood_cpu: Duration,
    /// CPU seconds of the whole machine, and the share that somebody else had.
    pub busy: f64,
    pub stolen: f64,
    pub visits: Vec<Visit>,
    /// The most at any time: connections in the stack's table, bytes in its buffers, and bytes of this process, clients
    /// and flood included.
    pub connections: usize,
    pub buffered: usize,
    pub resident: f64,
}

impl Observer {
    /// Lets `span` pass.
    pub fn window(&mut self, span: Duration, flooded: bool) -> Window {
        self.flood.set(flooded);
        // Those who were on their way when the flood began or ended belong to no window.
        std::thread::sleep(LOOK);
        self.clients.take();
        let (began, bytes, (syns, lost)) = (Instant::now(), self.transfer.bytes(), self.flood.sent());
        let (counts, cpu, flood_cpu) = (self.host.tcp_handshakes(), self.worker.cpu(), self.flood.worker.cpu());
        let times = Times::now();
        let (mut connections, mut buffered, mut most) = (0, 0, 0.0_f64);
        while began.elapsed() < span {
            std::thread::sleep(LOOK.min(span.saturating_sub(began.elapsed())));
            let usage = self.host.tcp_usage();
            connections = connections.max(usage.connections);
            buffered = buffered.max(usage.memory);
            most = most.max(resident());
        }
        let (span, times, now) = (began.elapsed(), Times::now().since(times), self.host.tcp_handshakes());
        let (sent, all_lost) = self.flood.sent();
        Window {
            flooded,
            span,
            bytes: self.transfer.bytes() - bytes,
            syns: sent - syns,
            syns_lost: all_lost - lost,
            cookies: now.cookies_sent - counts.cookies_sent,
            cookies_back: now.cookies_received - counts.cookies_received,
            overflows: now.accept_queue_overflows - counts.accept_queue_overflows + now.too_many_connections
                - counts.too_many_connections,
            cpu: self.worker.cpu() - cpu,
            flood_cpu: self.flood.worker.cpu() - flood_cpu,
            busy: times.busy,
            stolen: times.stolen_share(),
            visits: self.clients.take(),
            connections,
            buffered,
            resident: most,
        }
    }
}

impl Window {
    /// Gbit/s.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 * 8e-9 / self.span.as_secs_f64()
    }

    /// Latencies of those that were served, in milliseconds.
    pub fn latencies(&self) -> impl Iterator<Item = f64> {
        self.visits.iter().flatten().map(|latency| latency.as_secs_f64() * 1e3)
    }

    pub fn refused(&self) -> usize {
        self.visits.iter().filter(|visit| visit.is_none()).count()
    }

    pub fn to_json(&self, bulk: Bulk) -> Value {
        json!({
            "bulk": bulk.name(),
            "flooded": self.flooded,
            "seconds": self.span.as_secs_f64(),
            "gbit_per_second": self.rate(),
            "syns": self.syns,
            "syns_lost_before_the_stack": self.syns_lost,
            "cookies_sent": self.cookies,
            "cookies_received": self.cookies_back,
            "overflows": self.overflows,
            "stack_cpu_seconds": self.cpu.as_secs_f64(),
            "flood_cpu_seconds": self.flood_cpu.as_secs_f64(),
            "machine_cpu_seconds": self.busy,
            "stolen": self.stolen,
            "clients_served": self.visits.len() - self.refused(),
            "clients_refused": self.refused(),
            "client_milliseconds": self.latencies().collect::<Vec<f64>>(),
            "connections": self.connections,
            "buffered_bytes": self.buffered,
            "resident_bytes": self.resident,
        })
    }
}
