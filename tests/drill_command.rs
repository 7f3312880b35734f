//! `strata drill` as it is used: reports in TAP form and as JSON, exit statuses, what is said of a script that is broken,
//! captures of what failed, and scripts that are made from captures.

#![cfg(feature = "app")]

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use strata::probe::pcapng;

const PASSES: &str = "0 < S 0:0(0) win 1000\n+0 > R. 0:0(0) ack 1\n";
const FAILS: &str = "0 < S 0:0(0) win 1000\n+.5 > R. 0:0(0) ack 7 win 0\n";
const UNSUPPORTED: &str = "0 `touch the-moon`\n";
const BROKEN: &str = "0 < S 0:0(0) win 1000\n+0 > R. 0:0(0) ak 1\n";

/// A folder of its own, gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("drill-{name}-{}", std::process::id()));
        for (name, text) in files {
            let path = path.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for this test");
            fs::write(path, text).expect("written");
        }
        Folder(path)
    }

    fn drill(&self, arguments: &str) -> Answer {
        let words = arguments.split_whitespace();
        let output = Command::new(env!("CARGO_BIN_EXE_strata")).current_dir(&self.0).arg("drill").args(words).output();
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

fn all_kinds(name: &str) -> Folder {
    Folder::new(
        name,
        &[("a.pkt", PASSES), ("b/fails.pkt", FAILS), ("b/moon.pkt", UNSUPPORTED), ("b/notes.txt", "no script")],
    )
}

#[test]
fn a_folder_is_told_as_tap_in_the_order_of_its_files() {
    let folder = all_kinds("tap");
    let answer = folder.drill(".");
    let expected = "1..3\n\
        ok 1 - ./a.pkt\n\
        not ok 2 - ./b/fails.pkt\n  ---\n  at: ./b/fails.pkt:2\n  \
        expected: > R. 0:0(0) ack 7 win 0\n  got:      > R. 0:0(0) ack 1 win 0 at 0.000000\n  \
        capture:  ./b/fails.pcapng\n  ...\n\
        ok 3 - ./b/moon.pkt # SKIP unsupported: the command `touch the-moon` (line 1)\n";
    assert_eq!(answer, Answer { status: 1, out: expected.into(), err: String::new() });
}

#[test]
fn the_status_is_that_of_the_worst_script() {
    let folder = all_kinds("status");
    fs::write(folder.0.join("broken.pkt"), BROKEN).expect("written");
    for (arguments, status) in [
        ("a.pkt", 0),
        // Neither passed nor failed.
        ("b/moon.pkt", 0),
        ("a.pkt b/moon.pkt", 0),
        ("b/fails.pkt a.pkt", 1),
        ("b/fails.pkt broken.pkt a.pkt", 2),
        ("no-such.pkt", 2),
        ("--profile nothing a.pkt", 2),
        ("", 2),
    ] {
        assert_eq!(folder.drill(arguments).status, status, "{arguments:?}");
    }
    let empty = Folder::new("empty", &[("notes.txt", "")]);
    let answer = empty.drill(".");
    assert_eq!((answer.status, answer.err.as_str()), (2, "strata: no .pkt file in what was named\n"));
}

#[test]
fn a_broken_script_is_told_with_its_place_and_what_was_expected() {
    let folder = Folder::new("broken", &[("broken.pkt", BROKEN)]);
    let answer = folder.drill("broken.pkt");
    assert_eq!((answer.status, answer.err.as_str()), (2, ""));
    let error = answer.out.lines().find_map(|line| line.strip_prefix("  error: ")).expect("an error");
    assert!(error.starts_with("broken.pkt:2:16: expected ack, win, ") && error.ends_with("found `ak`"), "{error}");
    assert!(answer.out.starts_with("1..1\nnot ok 1 - broken.pkt\n"), "{}", answer.out);
}

#[test]
fn json_has_one_object_a_script() {
    let folder = all_kinds("json");
    fs::write(folder.0.join("broken.pkt"), BROKEN).expect("written");
    let answer = folder.drill("--json a.pkt b broken.pkt");
    let objects: Vec<Value> =
        answer.out.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let outcomes: Vec<(&str, &str)> = objects
        .iter()
        .map(|object| (object["file"].as_str().expect("a name"), object["outcome"].as_str().expect("an outcome")))
        .collect();
    let expected =
        [("a.pkt", "passed"), ("b/fails.pkt", "failed"), ("b/moon.pkt", "unsupported"), ("broken.pkt", "error")];
    assert_eq!(outcomes, expected);
    assert_eq!((&objects[1]["line"], &objects[1]["capture"]), (&2.into(), &"b/fails.pcapng".into()));
    assert_eq!(objects[1]["expected"], "> R. 0:0(0) ack 7 win 0");
    assert_eq!(objects[1]["got"], "> R. 0:0(0) ack 1 win 0 at 0.000000");
    assert_eq!((&objects[2]["line"], &objects[2]["reason"]), (&1.into(), &"the command `touch the-moon`".into()));
    assert!(objects[3]["reason"].as_str().expect("a reason").contains("broken.pkt:2:16"), "{}", objects[3]);
    assert_eq!(answer.status, 2);
}

#[test]
fn a_failure_leaves_a_capture_and_what_passed_leaves_none() {
    let folder = all_kinds("capture");
    let answer = folder.drill("--capture caught a.pkt b");
    assert!(answer.out.contains("capture:  caught/fails.pcapng"), "{}", answer.out);
    let caught: Vec<_> = fs::read_dir(folder.0.join("caught")).expect("a folder").collect();
    assert_eq!(caught.len(), 1);
    let bytes = fs::read(folder.0.join("caught/fails.pcapng")).expect("a capture");
    let frames = pcapng::read(&bytes[..]).expect("a capture that can be read");
    let tcp = frames.iter().filter(|frame| frame.bytes.get(12..14) == Some(&[8, 0]));
    assert_eq!(tcp.count(), 3, "the SYN, its answer, and the RST that ends every script");
    assert!(!folder.0.join("b/fails.pcapng").exists() && !folder.0.join("a.pcapng").exists());
}

#[test]
fn the_layers_of_every_frame_are_shown_on_request() {
    let folder = Folder::new("trace", &[("a.pkt", PASSES)]);
    let (plain, traced) = (folder.drill("a.pkt"), folder.drill("--trace a.pkt"));
    assert_eq!(plain.out, "1..1\nok 1 - a.pkt\n");
    assert_eq!(traced.status, 0);
    assert!(traced.out.ends_with("ok 1 - a.pkt\n"), "{}", traced.out);
    for layer in ["Ethernet", "IPv4", "TCP"] {
        assert!(traced.out.contains(layer), "{layer}\n{}", traced.out);
    }
}

#[test]
fn words_tolerances_and_profiles_come_from_the_command_line() {
    let late = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n\
        +0 < S 0:0(0) win 1000 <mss 1000,nop,wscale 2>\n+.010 > S. 0:0(0) ack 1 <mss 1460,nop,wscale SHIFT>\n";
    let folder = Folder::new("words", &[("late.pkt", late)]);
    for (arguments, status) in [
        ("-D SHIFT=8 late.pkt", 1),
        ("-D SHIFT=8 --tolerance-usecs 10000 late.pkt", 0),
        ("-D SHIFT=6 --tolerance_usecs=10000 late.pkt", 1),
        ("-D SHIFT=6 --tolerance_usecs=10000 --profile freebsd late.pkt", 0),
        ("-D SHIFT=3 --tolerance_usecs=10000 --relaxed late.pkt", 0),
        ("-D =8 late.pkt", 2),
        ("late.pkt", 2),
    ] {
        let answer = folder.drill(arguments);
        assert_eq!(answer.status, status, "{arguments}\n{}{}", answer.out, answer.err);
    }
}

#[test]
fn a_connection_of_a_capture_becomes_a_script_that_passes() {
    let folder = Folder::new("record", &[]);
    fs::create_dir_all(&folder.0).expect("a folder for this test");
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/pcaps/demo.pcapng");
    let told = folder.drill(&format!("--record {demo}"));
    assert_eq!((told.status, told.err.as_str()), (0, ""));
    assert!(told.out.starts_with("// Recorded from demo.pcapng: the connection 192.0.2.1:"), "{}", told.out);
    assert_eq!(folder.drill(&format!("--record {demo} -o seen.pkt --local 192.0.2.2:80 --flow 1")).status, 0);
    assert_eq!(fs::read_to_string(folder.0.join("seen.pkt")).expect("a script"), told.out);
    assert_eq!(folder.drill("seen.pkt").out, "1..1\nok 1 - seen.pkt\n");
    for (arguments, what) in [
        (format!("--record {demo} --flow 2"), "no such connection"),
        (format!("--record {demo} --flow 0"), "counted from 1"),
        (format!("--record {demo} --local 10.1.1.1"), "the stack's side is to be 10.1.1.1"),
        ("--record seen.pkt".into(), "seen.pkt: neither a pcapng nor a pcap file"),
        ("--record nothing.pcap".into(), "nothing.pcap: "),
        ("--flow 1 seen.pkt".into(), "--record"),
    ] {
        let answer = folder.drill(&arguments);
        assert!(answer.status == 2 && answer.err.contains(what), "{arguments}: {answer:?}");
    }
}
