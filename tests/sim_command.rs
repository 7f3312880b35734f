//! `strata sim` as it is used: files, grids, results that are found again, and what is said when something is wrong.

#![cfg(feature = "app")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own, gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for this test");
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) -> &Folder {
        fs::write(self.0.join(name), text).expect("written");
        self
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).expect("it is there")
    }

    fn sim(&self, arguments: &str) -> Answer {
        let words = arguments.split(' ').map(|word| word.replace('+', " "));
        let output = Command::new(env!("CARGO_BIN_EXE_strata")).current_dir(&self.0).arg("sim").args(words).output();
        Answer::new(output.expect("the program starts"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be taken away lies in the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(PartialEq, Debug)]
struct Answer {
    status: i32,
    out: String,
    err: String,
}

impl Answer {
    fn new(output: Output) -> Answer {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Answer { status: output.status.code().expect("it ended"), out: text(output.stdout), err: text(output.stderr) }
    }
}

const SMALL: &str = r#"
about = "a small one"
hosts = ["a", "b"]
[[links]]
between = ["a", "b"]
rate = "10mbit"
delay = "5ms"
[[flows]]
from = "a"
to = "b"
bytes = "100kB"
"#;

/// The columns of a drawn line.
fn columns(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn one_run_is_told_as_a_table_as_json_and_as_csv() {
    let folder = Folder::new("one");
    folder.write("small.toml", SMALL);
    let table = folder.sim("small.toml");
    assert_eq!((table.status, table.err.as_str()), (0, ""));
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!(lines[0], "a small one");
    let head = [
        "flow",
        "congestion",
        "start",
        "duration",
        "bytes",
        "goodput",
        "sent again",
        "RTOs",
        "RTT min",
        "RTT mean",
        "queue drops",
    ];
    assert_eq!(columns(lines[2]), head);
    let row = columns(lines[3]);
    assert_eq!((row[0], row[4], row[7]), ("a-b", "100.0 kB", "0"), "{}", table.out);
    assert_eq!(table, folder.sim("small.toml"), "the same again");

    let json = folder.sim("small.toml --json");
    let record: serde_json::Value = serde_json::from_str(&json.out).expect("one object");
    let flow = &record["flows"][0];
    assert_eq!((&flow["bytes"], &flow["finished"], &record["seed"]), (&100_000.into(), &true.into(), &1.into()));
    assert_eq!(record["wires"][0]["from"], "a");

    let csv = folder.sim("small.toml --csv --seed 5");
    let [head, row] = csv.out.lines().collect::<Vec<_>>()[..] else { panic!("two lines: {}", csv.out) };
    let cells: Vec<(&str, &str)> = head.split(',').zip(row.split(',')).collect();
    assert_eq!(cells[..2], [("seed", "5"), ("flow", "a-b")]);
    assert!(cells.contains(&("bytes", "100000")) && cells.last() == Some(&("jain", "")), "{cells:?}");
}

#[test]
fn a_sweep_goes_on_where_it_was_stopped() {
    let folder = Folder::new("resume");
    folder.write("small.toml", SMALL);
    const GRID: &str = "small.toml --sweep loss=0,5+rtt=10,20+seed=1..2";
    let whole = folder.sim(GRID);
    assert_eq!((whole.status, whole.err.as_str()), (0, ""), "no bar where there is no terminal");
    let rows: Vec<Vec<&str>> = whole.out.lines().map(columns).collect();
    assert_eq!(rows[0][..5], ["loss", "rtt", "runs", "goodput", "+-"]);
    assert_eq!(
        rows[1..].iter().map(|row| row[..3].to_vec()).collect::<Vec<_>>(),
        [["0", "10", "2"], ["0", "20", "2"], ["5", "10", "2"], ["5", "20", "2"]]
    );
    let results = folder.read("small.results.jsonl");
    assert_eq!(results.lines().count(), 8);
    // Stopped in the middle of a line, after five runs; one of them carries a figure that no run would give.
    let five: Vec<String> =
        results.lines().take(5).map(|line| line.replace("\"finished\":true", "\"finished\":false")).collect();
    folder.write("small.results.jsonl", &format!("{}\n{{\"experiment\":\"bro", five.join("\n")));
    let rest = folder.sim(GRID);
    assert_eq!(rest.status, 1, "what was found is taken as it stands: five flows that did not finish");
    let unfinished: u32 = rest
        .out
        .lines()
        .skip(1)
        .map(|row| columns(row).last().expect("a cell").parse::<u32>().expect("a number"))
        .sum();
    assert_eq!((unfinished, folder.read("small.results.jsonl").lines().count()), (5, 8));
    // Of another experiment nothing is taken.
    folder.write("small.toml", &SMALL.replace("10mbit", "20mbit"));
    let other = folder.sim(GRID);
    assert_eq!(other.status, 1);
    assert_eq!(
        other.err,
        "strata: small.results.jsonl: line 1 comes from another experiment: name another file with --results, or take this one away\n"
    );
}

#[test]
fn shards_together_are_the_whole() {
    let folder = Folder::new("shard");
    folder.write("small.toml", SMALL);
    const GRID: &str = "small.toml --sweep loss=0,2+seed=1..3";
    for shard in ["1/2", "2/2"] {
        assert_eq!(folder.sim(&format!("{GRID} --shard {shard}")).status, 0);
    }
    let parts = ["1", "2"].map(|number| folder.read(&format!("small.results.{number}-of-2.jsonl")));
    assert_eq!(parts.each_ref().map(|part| part.lines().count()), [3, 3]);
    folder.write("all.jsonl", &parts.concat());
    let joined = folder.sim(&format!("{GRID} --results all.jsonl --csv"));
    assert_eq!(folder.read("all.jsonl"), parts.concat(), "nothing was left to do");
    assert_eq!(
        joined,
        folder.sim(&format!("{GRID} --results new.jsonl --jobs 1 --csv")),
        "and it is as if run at once"
    );
    assert_eq!(joined.out.lines().count(), 7);
    assert!(joined.out.starts_with("loss,seed,flow,"), "{}", joined.out);
}

#[test]
fn a_flow_that_does_not_finish_is_told() {
    let folder = Folder::new("unfinished");
    folder.write("small.toml", &SMALL.replace("about", "time_limit = \"50ms\"\nabout"));
    let answer = folder.sim("small.toml");
    assert_eq!(answer.status, 1);
    assert!(answer.out.contains("a-b did not finish: its time was over"), "{}", answer.out);
}

#[test]
fn a_capture_of_one_host_can_be_read() {
    let folder = Folder::new("capture");
    folder.write("small.toml", SMALL);
    assert_eq!(folder.sim("small.toml -w b.pcapng --host b").status, 0);
    let bytes = fs::read(folder.0.join("b.pcapng")).expect("it is there");
    let packets = strata::probe::pcapng::read(&bytes[..]).expect("a capture");
    assert!(packets.len() > 100, "{} packets", packets.len());
    let answer = folder.sim("small.toml -w c.pcapng --host c");
    assert_eq!((answer.status, answer.err.as_str()), (2, "strata: --host c: there is none; there are a, b\n"));
}

#[test]
fn wrong_use_is_told_with_its_place() {
    let folder = Folder::new("wrong");
    folder.write("small.toml", SMALL);
    folder.write("bad.toml", &SMALL.replace("\"10mbit\"", "10"));
    folder.write("worse.toml", "hosts = [");
    let cases = [
        (
            "none.toml",
            "strata: none.toml: No such file or directory (os error 2); name a file that describes an experiment\n",
        ),
        (
            "bad.toml",
            "strata: bad.toml: links[0].rate: \"10\": expected a rate with its unit (bit, kbit, mbit or gbit), like 10mbit\n",
        ),
        (
            "small.toml --sweep loss=0,101",
            "strata: small.toml: links[0].loss: \"101\": expected a share from 0% to 100%, like 2%\n",
        ),
        ("small.toml --seed 9223372036854775808", "strata: --seed: at most 9223372036854775807\n"),
    ];
    for (arguments, message) in cases {
        let answer = folder.sim(arguments);
        assert_eq!((answer.status, answer.err.as_str(), answer.out.as_str()), (2, message, ""), "{arguments}");
    }
    assert!(!folder.0.join("small.results.jsonl").exists(), "nothing was run");
    for (arguments, part) in [
        ("worse.toml", "worse.toml: TOML parse error at line 1, column 10"),
        ("small.toml --sweep loss", "write NAME=VALUE,VALUE.. with blanks between the axes"),
        ("small.toml --sweep loss=1 --shard 3/2", "write NUMBER/COUNT, like 2/8"),
        ("small.toml --shard 1/2", "--sweep <AXES>"),
        ("small.toml --json --csv", "cannot be used with"),
    ] {
        let answer = folder.sim(arguments);
        assert!(answer.status == 2 && answer.err.contains(part), "{arguments}: {answer:?}");
    }
}

#[test]
fn every_lab_describes_an_experiment_whose_flows_finish() {
    let mut labs: Vec<PathBuf> =
        fs::read_dir("labs").expect("labs/ is there").map(|entry| entry.expect("readable").path()).collect();
    labs.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    assert!(labs.len() >= 5, "{labs:?}");
    for lab in labs {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&lab);
        let answer = Folder::new("labs").sim(&format!("{} --json", path.display()));
        assert_eq!((answer.status, answer.err.as_str()), (0, ""), "{}", lab.display());
        let text = fs::read_to_string(&lab).expect("readable");
        assert!(text.contains("about = "), "{} says in a line what it is about", lab.display());
    }
}
