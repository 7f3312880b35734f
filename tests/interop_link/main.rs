//! The devices and the ladder of links against the Linux kernel.
//!
//! Each case runs in a child process of its own, which enters a network namespace before it starts any thread, as
//! the program itself does. Whatever a case makes ends with it. A case whose privilege is missing says so loudly; with
//! `CI=true` it fails instead.

mod big_tcp;
mod cases;
mod frames;
mod links;
mod namespaces;
mod offloads;
mod queues;
mod traffic;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Which case a child is to run.
const CASE: &str = "STRATA_INTEROP_CASE";
/// After how long a child is taken for stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// The ordinary user as whom some cases run.
const NOBODY: u32 = 65534;

/// As whom a case runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// Root, with a tun node that opens.
    Root,
    /// A user without privileges: whoever runs the tests, or nobody if that is root.
    User,
}

pub struct Case {
    name: &'static str,
    run_as: As,
    run: fn(),
}

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(CASE) {
        let case = cases::CASES.iter().find(|case| case.name == name).expect("the parent names a case");
        (case.run)();
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        cases::CASES.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |case: &&Case| filters.is_empty() || filters.iter().any(|filter| case.name.contains(*filter));
    let failed = cases::CASES.iter().filter(chosen).filter(|case| !passes(case)).count();
    println!("\ninterop with the kernel: {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

fn passes(case: &Case) -> bool {
    let outcome = match missing(case.run_as) {
        Some(why) if std::env::var("CI").is_ok_and(|ci| ci == "true") => Err(format!("{why}, and CI skips nothing")),
        Some(why) => {
            println!("test {} ... SKIPPED: {why}", case.name);
            return true;
        }
        None => run(case),
    };
    match &outcome {
        Ok(()) => println!("test {} ... ok", case.name),
        Err(why) => println!("test {} ... FAILED: {why}", case.name),
    }
    outcome.is_ok()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn missing(run_as: As) -> Option<String> {
    match run_as {
        As::Root if !is_root() => Some("needs root".into()),
        As::Root => strata::device::tap::node_opens().err().map(|error| error.to_string()),
        As::User => strata::runtime::sandbox::obstacle().map(|it| format!("{} (`{}`)", it.why, it.mend)),
    }
}

fn run(case: &Case) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.env(CASE, case.name).stdin(Stdio::null());
    if case.run_as == As::User && is_root() {
        command.uid(NOBODY).gid(NOBODY);
        command.current_dir("/");
    }
    let mut child = command.spawn().map_err(|error| format!("cannot start it: {error}"))?;
    let begun = Instant::now();
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(status.to_string()),
            None if begun.elapsed() > PATIENCE => {
                child.kill().map_err(|error| error.to_string())?;
                child.wait().map_err(|error| error.to_string())?;
                return Err(format!("still running after {PATIENCE:?}"));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
