//! What the fuzzer has found worth keeping, replayed: every file of `fuzz/corpus/TARGET/`, and some chance besides.

#[path = "../fuzz/harness/mod.rs"]
mod harness;

use std::fs;
use std::path::Path;
use strata::random::Random;

#[test]
fn the_corpus_is_replayed() {
    for (name, target) in harness::TARGETS {
        let folder = Path::new("fuzz/corpus").join(name);
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let data = fs::read(&path).expect("a readable file");
            // The name of the file is in the output of a failure.
            println!("{}", path.display());
            target(&data);
        }
    }
}

#[test]
fn chance_finds_nothing_either() {
    let mut random = Random::new(2026);
    for (name, target) in harness::TARGETS {
        for round in 0..3000 {
            let mut data = vec![0; random.below(400) as usize];
            random.fill(&mut data);
            println!("{name} {round}");
            target(&data);
        }
    }
}
