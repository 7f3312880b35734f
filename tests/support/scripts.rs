//! The packet scripts of `tests/conformance/`.

use std::fs;
use std::path::{Path, PathBuf};

/// What a stack does otherwise, and may, that fills the frames of its device.
const OTHERWISE_WITH_OFFLOADS: [&str; 3] = [
    // A paced frame holds at least two segments.
    "tests/conformance/congestion/bbr-paced.pkt",
    "tests/conformance/congestion/pacing-limit.pkt",
    // Two segments wait for a frame that is worth its while, and count as unsent meanwhile.
    "tests/conformance/sockets/notsent-lowat.pkt",
];

/// All of them, in order.
pub fn all() -> Vec<PathBuf> {
    let mut scripts = Vec::new();
    collect(Path::new("tests/conformance"), &mut scripts);
    assert!(scripts.len() >= 70, "only {} scripts were found", scripts.len());
    scripts
}

/// Those that say what is seen on the wire whether or not segments are left to the device.
pub fn with_offloads() -> Vec<PathBuf> {
    all().into_iter().filter(|path| !OTHERWISE_WITH_OFFLOADS.iter().any(|but| Path::new(but) == path)).collect()
}

fn collect(folder: &Path, scripts: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, scripts);
        } else if path.extension().is_some_and(|extension| extension == "pkt") {
            scripts.push(path);
        }
    }
}
