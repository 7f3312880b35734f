//! How many instructions of ours a packet costs, as callgrind counts them: the same number on a busy machine as on a
//! quiet one.
//!
//! `scripts/instructions` runs it: two stacks in virtual time, of which only what one of them does is counted, without a
//! device and without system calls. What was accepted stands in `accepted.tsv`; `scripts/check` refuses what costs
//! noticeably more.

mod pair;
mod workload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use workload::Workload;

/// How much more than was accepted is too much, in percent: compilers differ a little.
const TOLERANCE: f64 = 5.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments[..] {
        [] => compare(false),
        [word] if word == "--accept" => compare(true),
        [word, name] if word == "--run" => {
            let workload = Workload::ALL.into_iter().find(|workload| workload.name() == name).expect("a workload");
            println!("{}", workload.run());
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("scripts/instructions           counts, and compares with benches/instructions/accepted.tsv");
            eprintln!("scripts/instructions --accept  counts, and accepts what it finds");
            ExitCode::from(2)
        }
    }
}

fn compare(accept: bool) -> ExitCode {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions/accepted.tsv"));
    let accepted = read(&std::fs::read_to_string(&path).unwrap_or_default());
    let (mut found, mut worse) = (String::new(), false);
    println!("{:<22} {:>12} {:>12} {:>8}", "instructions for", "now", "accepted", "change");
    for workload in Workload::ALL {
        let now = count(workload);
        found.push_str(&format!("{}\t{now:.0}\n", workload.name()));
        let before = accepted.get(workload.name()).copied();
        let change = before.map(|before| 100.0 * (now / before - 1.0));
        worse |= change.is_none_or(|change| change > TOLERANCE);
        let [before, change] = [before.map(|it| format!("{it:.0}")), change.map(|it| format!("{it:+.1} %"))];
        let dash = || "-".to_owned();
        let (before, change) = (before.unwrap_or_else(dash), change.unwrap_or_else(dash));
        println!("{:<22} {now:>12.0} {before:>12} {change:>8}", workload.name());
    }
    if accept {
        std::fs::write(&path, found).expect("a file that can be written");
    } else if worse {
        println!("a packet costs more than was accepted; if it is worth that: scripts/instructions --accept");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn read(table: &str) -> BTreeMap<String, f64> {
    let row = |line: &str| line.split_once('\t').and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
    table.lines().filter_map(row).collect()
}

/// Instructions for one unit of the workload.
fn count(workload: Workload) -> f64 {
    let program = std::env::current_exe().expect("this program");
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*pair*measured*"])
        .arg(program)
        // Else a long copy is one instruction for each of its bytes, and outweighs all the rest.
        .env("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=1000000000")
        .args(["--run", workload.name()])
        .output()
        .expect("valgrind, which counts (Debian package valgrind)");
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{}: {told}", workload.name());
    let units: f64 = String::from_utf8_lossy(&run.stdout).trim().parse().expect("how many units there were");
    let collected = told.lines().find_map(|line| line.split_once("Collected :")).expect("what callgrind counted");
    collected.1.trim().parse::<f64>().expect("a number") / units
}
