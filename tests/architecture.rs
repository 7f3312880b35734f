//! The arrows of the house point down only: each folder may use those that its row names, and nothing else of ours.
//!
//! The table is the architecture. Whoever needs a new arrow changes it here, in sight of everybody.

use std::fs;
use std::path::{Path, PathBuf};

/// What every layer may use.
const FLOOR: &[&str] = &["time", "random", "pool", "frame", "event"];

/// A room, and which others it may enter beside the floor and itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("random", &[]),
    ("pool", &[]),
    ("frame", &["wire"]),
    ("event", &[]),
    ("wire", &[]),
    ("link", &["wire"]),
    ("ip", &["wire", "link"]),
    ("icmp", &["wire", "ip"]),
    ("udp", &["wire", "ip"]),
    ("tcp", &["wire"]),
    ("stack", &["wire", "link", "ip", "icmp", "udp", "tcp"]),
    ("device", &["wire"]),
    ("probe", &["wire"]),
    ("runtime", &["wire", "device", "stack", "tcp", "udp", "ip"]),
    ("sim", &["wire", "device", "stack", "runtime", "probe", "tcp"]),
    ("app", &["wire", "device", "stack", "runtime", "probe", "sim", "tcp", "udp", "ip", "icmp", "link"]),
    ("manual", &[]),
];

/// Rooms that do no input or output and read no clock.
const CORE: &[&str] =
    &["time", "random", "pool", "frame", "event", "wire", "link", "ip", "icmp", "udp", "tcp", "stack"];

/// What has no place there (house style, rule 2). What several hold and nobody changes may be shared (`Arc`).
const FOREIGN: &[&str] = &[
    "std::fs",
    "std::io",
    "std::thread",
    "std::sync::atomic",
    "std::sync::mpsc",
    "std::process",
    "std::env",
    "std::time::Instant",
    "SystemTime",
    "std::rc",
    "RefCell",
    "Mutex",
    "RwLock",
    "Condvar",
    "OnceLock",
    "async fn",
    "std::net::Tcp",
    "std::net::Udp",
    "tokio",
    "println!",
    "rustix",
    "libc::",
];

#[test]
fn arrows_point_down_only() {
    let mut wrong = Vec::new();
    for (path, line, text) in lines() {
        let room = room(&path);
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            if room != "lib" && room != "main" {
                wrong.push(format!("{}: no row for `{room}` in the table of this test", path.display()));
            }
            continue;
        };
        for used in used_rooms(&text) {
            let known = ARROWS.iter().any(|(name, _)| *name == used);
            if known && used != room && !FLOOR.contains(&used.as_str()) && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}:{line}: `{room}` may not use `{used}`: {}", path.display(), text.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point the wrong way:\n{}", wrong.join("\n"));
}

#[test]
fn the_core_does_no_input_or_output_and_reads_no_clock() {
    let mut wrong = Vec::new();
    for (path, line, text) in lines().into_iter().filter(|(path, _, _)| CORE.contains(&room(path).as_str())) {
        for foreign in FOREIGN.iter().filter(|foreign| text.contains(**foreign)) {
            wrong.push(format!("{}:{line}: `{foreign}` has no place in the core: {}", path.display(), text.trim()));
        }
    }
    assert!(wrong.is_empty(), "the core is not pure:\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_in_the_devices() {
    let wrong: Vec<String> = lines()
        .into_iter()
        .filter(|(path, _, text)| {
            let at_home = room(path) == "device" || path.starts_with("src/runtime/sandbox");
            !at_home && (text.contains("unsafe {") || text.contains("unsafe fn") || text.contains("unsafe impl"))
        })
        .map(|(path, line, text)| format!("{}:{line}: {}", path.display(), text.trim()))
        .collect();
    assert!(wrong.is_empty(), "unsafe outside of the devices:\n{}", wrong.join("\n"));
}

/// Every line of code in `src/`, without comments and without the tests at the end of a file.
fn lines() -> Vec<(PathBuf, usize, String)> {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    assert!(files.len() > 50, "the sources are where this test looks for them");
    let mut lines = Vec::new();
    for file in files.into_iter().filter(|file| !is_test(file)) {
        let text = fs::read_to_string(&file).expect("a source file can be read");
        let mut after_cfg = false;
        for (number, line) in text.lines().enumerate() {
            // Tests in the file itself end it; a line that names a file of tests does not.
            if after_cfg && line.ends_with('{') {
                break;
            }
            after_cfg = line.starts_with("#[cfg(test)]") || after_cfg && line.starts_with("#[");
            let line = line.split("//").next().unwrap_or_default();
            lines.push((file.clone(), number + 1, line.to_owned()));
        }
    }
    lines
}

fn is_test(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src/ is there: tests run in the project's folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The first folder, or the file, below `src/`.
fn room(path: &Path) -> String {
    let first = path.components().nth(1).expect("a path below src/");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The rooms that a line enters by `crate::room` or `crate::{room, ..}`.
fn used_rooms(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for after in line.split("crate::").skip(1) {
        let after = after.trim_start_matches('{');
        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        rooms.push(name);
    }
    rooms
}
