//! One stack under one workload, once.

use crate::stacks::Stack;
use crate::support::machine::{Times, Worker, pin_to_one_processor, resident};
use crate::workload::Workload;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Sample {
    pub stack: Stack,
    pub workload: Workload,
    /// In the workload's unit.
    pub figure: f64,
    /// CPU seconds of whoever serves, and of the whole machine, for each unit of work.
    pub cpu: f64,
    pub machine_cpu: f64,
    /// Bytes of this process's memory for each idle connection beside which the work was done.
    pub memory: f64,
    /// The share of the machine that somebody else had meanwhile.
    pub stolen: f64,
}

impl Sample {
    /// In this process, which ends up in a namespace of its own.
    pub fn take(stack: Stack, workload: Workload, span: Duration) -> Sample {
        if workload.one_processor {
            pin_to_one_processor();
        }
        stack.serve(workload, |worker: &Worker| {
            let before = resident();
            let held = workload.prepare();
            let memory = (resident() - before) / workload.idle.max(1) as f64;
            let (times, cpu) = (Times::now(), worker.cpu());
            let work = workload.run(span);
            let (cpu, times) = (worker.cpu() - cpu, Times::now().since(times));
            drop(held);
            Sample {
                stack,
                workload,
                figure: work.figure,
                cpu: cpu.as_secs_f64() / work.amount,
                machine_cpu: times.busy / work.amount,
                memory,
                stolen: times.stolen_share(),
            }
        })
    }

    pub fn in_child(stack: Stack, workload: Workload, span: Duration) -> Sample {
        let program = std::env::current_exe().expect("a running program has a path");
        let (workload_name, millis) = (workload.to_string(), span.as_millis().to_string());
        let arguments = ["--span", &millis, "--sample", stack.name(), &workload_name];
        let output = Command::new(program).args(arguments).output().expect("a child process");
        let text = String::from_utf8_lossy(&output.stdout);
        let value = serde_json::from_str::<Value>(text.trim()).unwrap_or_else(|_| {
            panic!("{} under {workload} failed:\n{text}\n{}", stack.name(), String::from_utf8_lossy(&output.stderr))
        });
        let number = |name: &str| value[name].as_f64().expect("a number");
        Sample {
            stack,
            workload,
            figure: number("figure"),
            cpu: number("cpu"),
            machine_cpu: number("machine_cpu"),
            memory: number("memory"),
            stolen: number("stolen"),
        }
    }

    pub fn to_json(&self) -> Value {
        json!({
            "stack": self.stack.name(),
            "workload": self.workload.to_string(),
            "unit": self.workload.unit().name,
            "figure": self.figure,
            "cpu": self.cpu,
            "machine_cpu": self.machine_cpu,
            "memory": self.memory,
            "stolen": self.stolen,
        })
    }
}
