//! One stack under one workload, once.

use crate::memory::Memory;
use crate::stacks::{Served, Stack};
use crate::support::machine::{Times, keep_to_processor};
use crate::workload::{Placement, Workload};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

/// A stack that lets connections rest does so after a second or two.
const REST: Duration = Duration::from_millis(3000);

#[derive(Clone, Debug)]
pub struct Sample {
    /// In the workload's unit.
    pub figure: f64,
    /// CPU seconds of whoever serves, and of the whole machine, for each unit of work.
    pub cpu: f64,
    pub machine_cpu: f64,
    /// Bytes that came with the idle connections beside which the work was done, and with whatever is there for the work:
    /// asked for, and resident.
    pub held: f64,
    pub resident: f64,
    /// How long it took to open those, in seconds.
    pub opening: f64,
    /// The share of the machine that somebody else had meanwhile.
    pub stolen: f64,
    /// The share that other programs had, and threads of the kernel.
    pub elsewhere: f64,
}

/// Why there is no sample.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    pub reason: String,
    /// It would be the same the next time.
    pub lasting: bool,
}

pub type Outcome = Result<Sample, Missing>;

/// How a sample is taken.
#[derive(Clone, Copy, Debug)]
pub struct Spans {
    /// How long the work goes on.
    pub work: Duration,
    /// How long opening idle connections may take.
    pub opening: Duration,
}

/// In this process, which ends up in a namespace of its own.
pub fn take(stack: Stack, workload: Workload, spans: Spans) -> Outcome {
    if workload.idle > 0 {
        Memory::count();
    }
    // What the stack starts inherits it.
    match workload.placement {
        Placement::Free => {}
        Placement::OneProcessor => keep_to_processor(0),
        Placement::TwoProcessors => keep_to_processor(1),
    }
    stack.serve(workload, |served: &Served| {
        if workload.placement == Placement::TwoProcessors {
            keep_to_processor(0);
        }
        let began = Instant::now();
        let opened = workload.open_idle(spans.opening, stack.keeps_state());
        if opened < workload.idle {
            let (wanted, limit) = (workload.idle, spans.opening.as_secs());
            let reason = format!("{opened} of {wanted} idle connections within {limit} s");
            // Who gets most of the way may get there the next time.
            return Err(Missing { reason, lasting: opened < workload.idle / 2 });
        }
        let opening = began.elapsed().as_secs_f64();
        if workload.idle > 0 {
            std::thread::sleep(REST);
        }
        let memory = (served.memory)() - served.before;
        let all = served.worker.cpu_with_clients();
        let (times, cpu) = (Times::now(), served.worker.cpu());
        let work = workload.run(spans.work);
        let (cpu, times) = (served.worker.cpu() - cpu, Times::now().since(times));
        if work.amount == 0.0 {
            return Err(Missing { reason: "nothing got through".into(), lasting: false });
        }
        let ours = (served.worker.cpu_with_clients() - all).as_secs_f64();
        Ok(Sample {
            figure: work.figure,
            cpu: cpu.as_secs_f64() / work.amount,
            machine_cpu: times.busy / work.amount,
            held: memory.held,
            resident: memory.resident,
            opening,
            stolen: times.stolen_share(),
            elsewhere: times.share((times.busy - ours).max(0.0)),
        })
    })
}

/// In a process of its own.
pub fn take_in_child(stack: Stack, workload: Workload, spans: Spans) -> Outcome {
    if let Some(reason) = workload.unsuited(stack) {
        return Err(Missing { reason: reason.into(), lasting: true });
    }
    let program = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(program);
    command.env("RUST_BACKTRACE", "0").args(["--span", &spans.work.as_millis().to_string()]);
    command.args(["--patience", &spans.opening.as_secs().to_string()]);
    command.args(["--sample", stack.name(), &workload.to_string()]);
    let output = command.output().expect("a child process");
    let text = String::from_utf8_lossy(&output.stdout);
    match serde_json::from_str::<Value>(text.trim()) {
        Ok(value) => from_json(&value),
        Err(_) => {
            let told = String::from_utf8_lossy(&output.stderr);
            let first: Vec<&str> = told.lines().filter(|line| !line.is_empty()).take(2).collect();
            eprintln!("{} under {workload} failed: {}", stack.name(), first.join(" "));
            Err(Missing { reason: "failed".into(), lasting: false })
        }
    }
}

pub fn to_json(stack: Stack, workload: Workload, round: usize, outcome: &Outcome) -> Value {
    let mut value = json!({
        "stack": stack.name(),
        "workload": workload.to_string(),
        "round": round,
        "unit": workload.unit().name,
    });
    let fields = match outcome {
        Ok(sample) => json!({
            "figure": sample.figure,
            "cpu": sample.cpu,
            "machine_cpu": sample.machine_cpu,
            "held": sample.held,
            "resident": sample.resident,
            "opening": sample.opening,
            "stolen": sample.stolen,
            "elsewhere": sample.elsewhere,
        }),
        Err(missing) => json!({ "missing": missing.reason, "lasting": missing.lasting }),
    };
    if let (Some(value), Value::Object(fields)) = (value.as_object_mut(), fields) {
        value.extend(fields);
    }
    value
}

pub fn from_json(value: &Value) -> Outcome {
    if let Some(reason) = value["missing"].as_str() {
        return Err(Missing { reason: reason.into(), lasting: value["lasting"] == true });
    }
    let number = |name: &str| value[name].as_f64().expect("a number");
    Ok(Sample {
        figure: number("figure"),
        cpu: number("cpu"),
        machine_cpu: number("machine_cpu"),
        held: number("held"),
        resident: number("resident"),
        opening: number("opening"),
        stolen: number("stolen"),
        elsewhere: number("elsewhere"),
    })
}
