//! The matrix state x event x position of RFC 9293 §3.10.7 and RFC 5961: every cell of the tables in
//! `tests/conformance/matrix/` as a packet script of its own, near the wrap of the sequence numbers too.
//!
//! `scripts/matrix ESTABLISHED F. inside` prints the scripts of the cells whose names hold these words.

mod generate;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use strata::sim::script::{self, Options, Outcome};
use table::Case;

/// The peer's initial sequence numbers: the window lies plainly, across the sign bit, and across the wrap; and RCV.NXT,
/// the number before it and the one after are 0.
const INITIAL: [u32; 6] = [0, 0x7fff_fff0, 0xffff_8000, u32::MAX, u32::MAX - 1, u32::MAX - 2];

fn cases() -> Vec<Case> {
    let folder = Path::new("tests/conformance/matrix");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "matrix"));
    paths.sort();
    paths.iter().flat_map(|path| table::read(path, &fs::read_to_string(path).expect("readable"))).collect()
}

/// Of these once more with offloads.
const INITIAL_WITH_OFFLOADS: [u32; 2] = [0, u32::MAX];

fn run(case: &Case, irs: u32, offload: bool) -> Result<(), String> {
    let source = generate::script(case, irs);
    let parsed = script::parse(&source).map_err(|error| format!("{}: {case}: {error}\n{source}", case.place))?;
    match script::run(&parsed, &Options { offload, ..Options::default() }, None) {
        Outcome::Passed => Ok(()),
        Outcome::Failed { line, expected, got } => Err(format!(
            "{}: {case}: {}, line {line} of this script\n  expected {expected}\n  got      {got}\n{source}",
            case.place, case.expected
        )),
        Outcome::Unsupported { line, reason } => Err(format!("{}: {case}: line {line}: {reason}", case.place)),
    }
}

#[test]
fn every_cell_replies_as_the_rfcs_demand() {
    let cases = cases();
    let half = cases.len() / 2;
    let wrong: Vec<String> = thread::scope(|scope| {
        let part = |cases| scope.spawn(move || failures(cases));
        let parts = [part(&cases[..half]), part(&cases[half..])];
        parts.into_iter().flat_map(|part| part.join().expect("no cell panics")).collect()
    });
    let cells: Vec<&str> = wrong.iter().filter_map(|told| told.lines().next()).collect();
    let scripts: Vec<&str> = wrong.iter().take(3).map(String::as_str).collect();
    let counts = format!("{} of {} cells are wrong", wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{counts}:\n{}\n\nThe first of them:\n{}", cells.join("\n"), scripts.join("\n"));
}

/// One for each cell, however many initial numbers it is wrong with.
fn failures(cases: &[Case]) -> Vec<String> {
    let plain = |case| INITIAL.iter().find_map(|irs| run(case, *irs, false).err());
    let offloads = |case| INITIAL_WITH_OFFLOADS.iter().find_map(|irs| run(case, *irs, true).err());
    cases.iter().filter_map(|case| plain(case).or_else(|| offloads(case))).collect()
}

#[test]
fn the_matrix_is_complete() {
    let cases = cases();
    let states = [
        "CLOSED",
        "LISTEN",
        "SYN-SENT",
        "SYN-RECEIVED",
        "ESTABLISHED",
        "FIN-WAIT-1",
        "FIN-WAIT-2",
        "CLOSE-WAIT",
        "CLOSING",
        "LAST-ACK",
        "TIME-WAIT",
    ];
    // SYN, SYN-ACK, SYN-FIN, ACK without and with data, FIN, FIN-ACK, RST, RST-ACK, nothing, and flags that no stack
    // would send together.
    let events =
        ["S", "S.", "SF", ".", ".+10", "F", "F.", "R", "R.", "-", "-+10", "SR", "FR.", "R.+10", "PU", "SFRP.U"];
    for state in states {
        let of_state: Vec<&Case> = cases.iter().filter(|case| case.state == state).collect();
        for event in events {
            let positions: BTreeSet<&str> =
                of_state.iter().filter(|case| case.event == event).map(|case| case.position.as_str()).collect();
            let wanted: &[&str] = match (state, event.contains('.')) {
                ("CLOSED" | "LISTEN", _) | ("SYN-SENT", false) => &["anywhere"],
                ("SYN-SENT", true) => &["una", "nxt", "unsent"],
                _ => &["left", "edge", "inside", "last", "beyond"],
            };
            let missing: Vec<&&str> = wanted.iter().filter(|position| !positions.contains(**position)).collect();
            assert!(missing.is_empty(), "{state} lacks {event} at {missing:?}");
        }
    }
}

/// What `scripts/matrix` prints.
#[test]
fn show() {
    let Ok(wanted) = std::env::var("STRATA_MATRIX") else { return };
    let words: Vec<&str> = wanted.split_whitespace().collect();
    for case in cases() {
        let name = [&case.state, &case.way, &case.event, &case.position].map(String::as_str);
        if words.iter().all(|word| name.contains(word)) {
            println!("{}", generate::script(&case, 0));
        }
    }
}
