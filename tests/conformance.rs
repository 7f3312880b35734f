//! Every script in `tests/conformance/`: what the RFCs ask of a stack, as tests in virtual time.

#[path = "support/scripts.rs"]
mod scripts;

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use strata::sim::script::{self, Options, Outcome};

#[test]
fn every_script_passes() {
    pass(&scripts::all(), &Options::default());
}

#[test]
fn every_script_passes_with_offloads() {
    pass(&scripts::with_offloads(), &Options { offload: true, ..Options::default() });
}

fn pass(scripts: &[PathBuf], options: &Options) {
    let mut wrong = String::new();
    for path in scripts {
        let source = fs::read_to_string(path).expect("a script can be read");
        let told = match script::parse(&source) {
            Err(error) => error.to_string(),
            Ok(script) => match script::run(&script, options, None) {
                Outcome::Passed => continue,
                Outcome::Failed { line, expected, got } => format!("{line}\n  expected {expected}\n  got      {got}"),
                Outcome::Unsupported { line, reason } => format!("{line}: unsupported: {reason}"),
            },
        };
        writeln!(wrong, "{}:{told}", path.display()).expect("a string takes everything");
    }
    assert!(wrong.is_empty(), "scripts that did not pass:\n{wrong}");
}

#[test]
fn every_script_says_what_it_shows_and_where_that_is_written() {
    for path in scripts::all() {
        let source = fs::read_to_string(&path).expect("a script can be read");
        let head: Vec<&str> = source.lines().take_while(|line| line.starts_with("//")).collect();
        let source = head.concat();
        let named = source.contains("RFC ") || source.contains("draft-");
        assert!(head.len() >= 2 && named, "{} says neither RFC nor draft", path.display());
    }
}

/// A script that is not right must fail at the line that is wrong, with both packets in its words.
#[test]
fn a_wrong_script_fails_where_it_is_wrong() {
    let good = fs::read_to_string("tests/conformance/rfc9293/close-active.pkt").expect("a script can be read");
    let table = [
        ("> S. 0:0(0) ack 1 <mss 1460>", "> S. 0:0(0) ack 2 <mss 1460>", "> S. 0:0(0) ack 1 <mss 1460> at 0.000000"),
        ("> S. 0:0(0) ack 1 <mss 1460>", "> S. 0:0(0) ack 1 <mss 1461>", "> S. 0:0(0) ack 1 <mss 1460> at 0.000000"),
        ("> S. 0:0(0) ack 1 <mss 1460>", "> S. 0:0(0) ack 1", "> S. 0:0(0) ack 1 <mss 1460> at 0.000000"),
        ("> F. 1:1(0) ack 1", "> F. 1:1(0) ack 1 win 7", "> F. 1:1(0) ack 1 win 65535 at 0.200000"),
        ("> F. 1:1(0) ack 1", "> . 1:1(0) ack 1", "> F. 1:1(0) ack 1 at 0.200000"),
        ("+0 > F. 1:1(0) ack 1", "+.3 > F. 1:1(0) ack 1", "> F. 1:1(0) ack 1 at 0.200000"),
        ("> F. 1:1(0) ack 1", "> [ce] F. 1:1(0) ack 1", "> (noecn) F. 1:1(0) ack 1 at 0.200000"),
        ("> . 2:2(0) ack 2", "> . 2:2(0) ack 2\n+.1 > . 2:2(0) ack 2", "nothing"),
        ("accept(3, ..., ...) = 4", "accept(3, ..., ...) = -1 EAGAIN", "accept = 4"),
        ("close(4) = 0", "read(3, ..., 5) = 1", "read = -1 ENOTCONN"),
    ];
    for (from, to, expected) in table {
        assert!(good.contains(from), "{from}");
        let script = script::parse(&good.replacen(from, to, 1)).expect(to);
        match script::run(&script, &Options::default(), None) {
            Outcome::Failed { got, line, .. } => assert_eq!((got.as_str(), line > 5), (expected, true), "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
}

/// Scripts with lines of others in them: whatever they ask, the runner and the stack give an outcome.
#[test]
fn shuffled_scripts_end_in_an_outcome() {
    let sources: Vec<String> =
        scripts::all().iter().map(|path| fs::read_to_string(path).expect("a script can be read")).collect();
    let lines: Vec<&str> = sources.iter().flat_map(|source| source.lines()).collect();
    let mut random = strata::random::Random::new(35);
    let (mut passed, mut failed) = (0, 0);
    for source in sources.iter().cycle().take(2_000) {
        let mut shuffled: Vec<&str> = source.lines().collect();
        for _ in 0..1 + random.below(4) {
            let line = lines[random.below(lines.len() as u64) as usize];
            let place = random.below(shuffled.len() as u64) as usize;
            if random.chance(0.5) {
                shuffled.insert(place, line);
            } else {
                shuffled[place] = line;
            }
        }
        let Ok(script) = script::parse(&shuffled.join("\n")) else { continue };
        assert_eq!(script::parse(&script.to_string()), Ok(script.clone()));
        let options = Options { offload: random.chance(0.5), ..Options::default() };
        match script::run(&script, &options, None) {
            Outcome::Passed => passed += 1,
            Outcome::Failed { .. } | Outcome::Unsupported { .. } => failed += 1,
        }
    }
    assert!(passed > 100 && failed > 500, "{passed} passed, {failed} did not: the shuffling is worth something");
}
