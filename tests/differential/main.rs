//! Ours against Linux: the same generated scripts of segments and socket calls for both, and every reply compared.
//!
//! ```text
//!                      script (seed)
//!                     /             \
//!   kernel: sockets, TAP in a        ours: stack::Stack
//!   namespace of its own, real time  in virtual time
//!                     \             /
//!              replies as text, step by step ── equal, or explained by a rule of `differences`
//! ```
//!
//! The peer is played by raw frames on both sides (`peer`). Numbers are relative to the two ISNs; segments are placed
//! relative to what each end has told of its window; PSH and the exact window are left out; a pure ACK that another
//! reply of the same step makes superfluous is too. A step takes 70 ms, so that a delayed ACK (40 ms in both) belongs
//! to the step that caused it, and a script is over before a retransmission timer of a second. The settings that the
//! namespace's kernel gets for this are in `kernel`: rate limits of challenge ACKs off, no tail loss probes and so on.
//!
//! A script is compared up to its first disagreement: from there on the two may be in different states. What no rule
//! explains is repeated by itself, since the kernel runs in real time, and fails when it comes again, with the script
//! and both traces. Plain `cargo test` compares two hundred scripts; by hand as many as you like:
//!
//! ```text
//! STRATA_DIFFERENTIAL_SCRIPTS=10000 cargo test --test differential     ten thousand scripts, two minutes
//! STRATA_DIFFERENTIAL_SEED=1234     cargo test --test differential     one script, with both traces in any case
//! ```

mod differences;
mod facts;
mod kernel;
mod ours;
mod peer;
mod script;

use differences::{Moment, explanation, parting};
use facts::Facts;
use kernel::Kernel;
use peer::{Peer, Ports, Reply, is_after};
use script::Script;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use strata::runtime::sandbox::{self, Config, LinkRequest};

/// How long each step takes, in real and in virtual time.
pub const STEP: Duration = Duration::from_millis(70);
/// So many at once: their frames fit into the queue of a TAP.
const AT_ONCE: u64 = 100;

/// How many scripts, and for how long at most, if nothing else is asked for.
const SCRIPTS: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(60);
/// So often a script must end in the same unexplained difference: real time may disturb the kernel's side.
const ATTEMPTS: usize = 3;

/// What came back, step by step: the call's result and the replies.
pub type Trace = Vec<Vec<String>>;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        println!("differential: test");
        return ExitCode::SUCCESS;
    }
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let (scripts, seed) = (number("STRATA_DIFFERENTIAL_SCRIPTS"), number("STRATA_DIFFERENTIAL_SEED"));
    let kernel = match kernel() {
        Ok(kernel) => kernel,
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            println!("test differential ... FAILED: {error}, and CI skips nothing");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            println!("test differential ... SKIPPED: {error}");
            return ExitCode::SUCCESS;
        }
    };
    let mut comparison = Comparison { kernel, next_port: 0, explained: BTreeMap::new(), failed: 0 };
    match (seed, scripts) {
        (Some(seed), _) => comparison.show(seed),
        (None, Some(scripts)) => comparison.compare_many(scripts, Duration::MAX),
        (None, None) => comparison.compare_many(SCRIPTS, PATIENCE),
    }
    comparison.explained.iter().for_each(|((name, because), count)| println!("{count:6} x {name}: {because}"));
    println!("test differential ... {}", if comparison.failed == 0 { "ok" } else { "FAILED" });
    ExitCode::from(u8::from(comparison.failed > 0))
}

/// The kernel's TCP behind a TAP, in a namespace of its own.
fn kernel() -> Result<Kernel, String> {
    let config = Config { offload: false, ..Config::default() };
    let opened = sandbox::open(&LinkRequest::Tap { name: None }, true, &config).map_err(|error| error.to_string())?;
    Kernel::new(opened.device)
}

/// A script's outcome: what each said, step by step, and what is known of ours.
struct Both {
    linux: Trace,
    ours: Trace,
    facts: Vec<Facts>,
}

struct Comparison {
    kernel: Kernel,
    next_port: u16,
    /// Name and reason of each difference that was met, and how often.
    explained: BTreeMap<(&'static str, &'static str), u64>,
    failed: u64,
}

impl Comparison {
    /// One script, with both traces in any case.
    fn show(&mut self, seed: u64) {
        let script = Script::generate(seed);
        let both = self.both(std::slice::from_ref(&script)).remove(0);
        println!("{}", side_by_side(&script, &both, None));
        self.compare(vec![script]);
    }

    fn compare_many(&mut self, scripts: u64, patience: Duration) {
        let (began, mut done) = (Instant::now(), 0);
        while done < scripts && began.elapsed() < patience {
            let end = scripts.min(done + AT_ONCE);
            self.compare((done + 1..=end).map(Script::generate).collect());
            done = end;
        }
        let rate = done as f64 / began.elapsed().as_secs_f64();
        println!("{done} scripts against Linux, {rate:.0} a second: {} unexplained", self.failed);
    }

    fn compare(&mut self, mut scripts: Vec<Script>) {
        for attempt in 1..=ATTEMPTS {
            let results = self.both(&scripts);
            let mut again = Vec::new();
            for (script, both) in scripts.into_iter().zip(&results) {
                let Err(at) = self.judge(&script, both) else { continue };
                if attempt == ATTEMPTS {
                    self.failed += 1;
                    println!("{}", side_by_side(&script, both, Some(at)));
                }
                again.push(script);
            }
            scripts = again;
            if scripts.is_empty() {
                return;
            }
        }
    }

    /// Runs scripts against both.
    fn both(&mut self, scripts: &[Script]) -> Vec<Both> {
        let peers = |ports: &[Ports]| -> Vec<Peer> {
            scripts.iter().zip(ports).map(|(script, ports)| Peer::new(script.clone(), *ports)).collect()
        };
        let ports: Vec<Ports> = scripts.iter().map(|_| self.ports()).collect();
        let linux = self.kernel.run(scripts, peers(&ports));
        let ours = scripts.iter().zip(peers(&ports)).map(|(script, peer)| ours::run(script, peer));
        linux.into_iter().zip(ours).map(|(linux, (ours, facts))| Both { linux, ours, facts }).collect()
    }

    /// Ports that no recent connection had.
    fn ports(&mut self) -> Ports {
        self.next_port = (self.next_port + 1) % 20_000;
        Ports { end: 1024 + self.next_port, peer: 40_000 + self.next_port }
    }

    /// The first step that differs without an explanation.
    fn judge(&mut self, script: &Script, both: &Both) -> Result<(), usize> {
        for at in 0..script.steps.len() {
            let moment = Moment {
                steps: &script.steps[..=at],
                linux: &both.linux[..=at],
                ours: &both.ours[..=at],
                facts: &both.facts[..at + 2],
            };
            let same = both.linux[at] == both.ours[at];
            let difference = parting(&moment).or_else(|| explanation(&moment).filter(|_| !same));
            let Some(difference) = difference else {
                if same {
                    continue;
                }
                return Err(at);
            };
            *self.explained.entry((difference.name, difference.because)).or_default() += 1;
            if !difference.passes {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A step's result and replies as text, without the pure ACKs that a later reply makes superfluous.
pub fn settled(result: Option<String>, peer: &mut Peer, replies: &[Reply]) -> Vec<String> {
    let mut texts: Vec<String> = result.into_iter().collect();
    for (at, reply) in replies.iter().enumerate() {
        let text = peer.observe(reply);
        let pure = reply.len == 0 && reply.header.flags.bits() & 0x3f == 0x10;
        let superseded = |later: &Reply| later.header.flags.ack() && !is_after(reply.header.ack, later.header.ack);
        if !(pure && replies[at + 1..].iter().any(superseded)) {
            texts.push(text);
        }
    }
    texts
}

/// Which bytes were read, in short.
pub fn checksum_of(bytes: &[u8]) -> u16 {
    strata::wire::checksum::Sum::default().plus(bytes).checksum()
}

fn side_by_side(script: &Script, both: &Both, mark: Option<usize>) -> String {
    let (linux, ours) = (&both.linux, &both.ours);
    let mut text = format!("\n{script}\n");
    for (at, step) in script.steps.iter().enumerate() {
        let sign = if mark == Some(at) { "=>" } else { "  " };
        text += &format!("{sign} {at:2} {step}    ({})\n", both.facts[at].state);
        if linux[at] == ours[at] {
            text += &format!("        both   {}\n", linux[at].join(" | "));
        } else {
            text += &format!("        linux  {}\n        ours   {}\n", linux[at].join(" | "), ours[at].join(" | "));
            if mark == Some(at) {
                break;
            }
        }
    }
    text
}
