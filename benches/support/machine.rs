//! What the machine did meanwhile: CPU time by thread and process, and what the hypervisor took.

use rustix::time::{ClockId, clock_gettime};
use std::process::Command;
use std::time::Duration;

/// The ticks of `/proc/stat` a second (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// The CPU time of all processors since boot, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub busy: f64,
    pub stolen: f64,
    all: f64,
}

impl Times {
    pub fn now() -> Times {
        let stat = std::fs::read_to_string("/proc/stat").expect("/proc");
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|ticks| ticks.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal; what guests used is in user already.
        let at = |index: usize| ticks.get(index).copied().unwrap_or(0.0) / TICKS;
        let idle = at(3) + at(4);
        let all: f64 = (0..8).map(at).sum();
        Times { busy: all - idle - at(7), stolen: at(7), all }
    }

    pub fn since(self, before: Times) -> Times {
        Times { busy: self.busy - before.busy, stolen: self.stolen - before.stolen, all: self.all - before.all }
    }

    /// The share of all time that somebody else's machine ran.
    pub fn stolen_share(self) -> f64 {
        self.share(self.stolen)
    }

    /// The share that these seconds are of all time.
    pub fn share(self, seconds: f64) -> f64 {
        seconds / self.all.max(1.0 / TICKS)
    }
}

/// Whose CPU time is asked for.
#[derive(Clone, Debug)]
pub enum Worker {
    /// A thread of this process, by its number.
    Thread(i32),
    /// Everything in this process but for this thread, which is the client.
    AllBut(i32),
    /// Processes with all their threads, by their numbers.
    Processes(Vec<u32>),
}

impl Worker {
    /// This thread.
    pub fn this_thread() -> Worker {
        Worker::Thread(this_thread())
    }

    /// All other threads.
    pub fn other_threads() -> Worker {
        Worker::AllBut(this_thread())
    }

    /// The CPU time of this process, and of those that work for it.
    pub fn cpu_with_clients(&self) -> Duration {
        match self {
            Worker::Thread(_) | Worker::AllBut(_) => of_this_process(),
            Worker::Processes(_) => of_this_process() + self.cpu(),
        }
    }

    pub fn cpu(&self) -> Duration {
        match self {
            Worker::Thread(number) => of_thread(*number),
            Worker::AllBut(number) => of_this_process() - of_thread(*number),
            Worker::Processes(numbers) => numbers.iter().map(|number| of_process(*number)).sum(),
        }
    }
}

fn this_thread() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

fn of_this_process() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// A thread of this process.
fn of_thread(number: i32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/self/task/{number}/schedstat")).expect("a thread that lives");
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

/// With its threads that have ended.
fn of_process(number: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).expect("a process that lives");
    // After the name, which may hold anything: the state is the third field, utime and stime the 14th and 15th.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Duration::from_secs_f64(ticks / TICKS)
}

/// Keeps this thread, and whatever it starts, to one processor.
pub fn keep_to_processor(number: usize) {
    let mut one = rustix::thread::CpuSet::new();
    one.set(number);
    rustix::thread::sched_setaffinity(None, &one).expect("a processor that exists");
}

/// The resident memory of this process but for its code and other files, in bytes.
pub fn resident() -> f64 {
    kilobytes("/proc/self/status", "RssAnon:")
}

/// What the kernel takes for its own objects on the whole machine, sockets among them, in bytes.
pub fn slab() -> f64 {
    kilobytes("/proc/meminfo", "Slab:")
}

fn kilobytes(path: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(path).expect("/proc");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line of that name");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
}

pub fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
