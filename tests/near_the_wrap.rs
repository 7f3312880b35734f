//! Every script of `tests/conformance/` once more with other numbers: our initial sequence number, the peer's and its
//! timestamps lie so that what is sent and received runs across the sign bit and across the wrap.
//!
//! A script says neither where our numbers begin (its own count from there) nor what the peer's have to do with them.
//! The peer's are moved in the tree of the script; ours follow the clock (RFC 9293 §3.4.1), and so the host is up for
//! as long as it takes them to come where they are wanted.

#[path = "support/scripts.rs"]
mod scripts;

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use strata::event::{Event, Observer, Record, TcpEvent};
use strata::sim::script::syntax::{Action, Body, Direction, Packet, Script, Tcp, TcpOption};
use strata::sim::script::{self, Options, Outcome};

/// Our first number, how far the peer's are moved, and how far its timestamps are.
const PLACES: [(u32, u32, u32); 3] = [
    (0u32.wrapping_sub(1), 0u32.wrapping_sub(1), 0u32.wrapping_sub(1_050)),
    (0u32.wrapping_sub(700), 0u32.wrapping_sub(1_300), 0x7fff_fc00),
    (0x8000_0000 - 1_500, 0x8000_0000 - 60, 0u32.wrapping_sub(1)),
];

#[test]
fn every_script_passes_near_the_wrap() {
    pass(&scripts::all(), false);
}

#[test]
fn every_script_passes_near_the_wrap_with_offloads() {
    pass(&scripts::with_offloads(), true);
}

fn pass(scripts: &[PathBuf], offload: bool) {
    let half = scripts.len() / 2;
    let (wrong, moved) = thread::scope(|scope| {
        let part = |paths| scope.spawn(move || failures(paths, offload));
        let parts = [part(&scripts[..half]), part(&scripts[half..])].map(|part| part.join().expect("no script panics"));
        (parts[0].0.clone() + &parts[1].0, parts[0].1 + parts[1].1)
    });
    assert!(wrong.is_empty(), "scripts that did not pass:\n{wrong}");
    assert!(moved > 100, "only {moved} scripts have numbers of ours to be moved");
}

/// What did not pass, and in how many scripts the stack had a number to be moved.
fn failures(paths: &[PathBuf], offload: bool) -> (String, usize) {
    let (mut wrong, mut moved) = (String::new(), 0);
    for path in paths {
        let source = fs::read_to_string(path).expect("a script can be read");
        let script = script::parse(&source).expect("a script of the corpus parses");
        let first = first_number(&script);
        moved += usize::from(first.is_some());
        for (ours, theirs, timestamps) in PLACES {
            let steps = first.map_or(0, |first| ours.wrapping_sub(first));
            let uptime = Duration::from_micros(4 * u64::from(steps));
            let options = Options { uptime, offload, ..Options::default() };
            if let Some(first) = first {
                assert_eq!(first_number_at(&script, &options), Some(first.wrapping_add(steps)), "{}", path.display());
            }
            let told = match script::run(&shifted(&script, theirs, timestamps), &options, None) {
                Outcome::Passed => continue,
                Outcome::Failed { line, expected, got } => format!("{line}\n  expected {expected}\n  got      {got}"),
                Outcome::Unsupported { line, reason } => format!("{line}: unsupported: {reason}"),
            };
            writeln!(wrong, "{} with {ours:#x}, {theirs:#x}:{told}", path.display())
                .expect("a string takes everything");
        }
    }
    (wrong, moved)
}

/// Notes the first number that the stack synchronises with.
struct Isn(Arc<Mutex<Option<u32>>>);

impl Observer for Isn {
    fn observe(&mut self, record: &Record<'_>) {
        if let Event::Tcp { event: TcpEvent::Synchronise { sent: true, isn, .. }, .. } = &record.event {
            self.0.lock().expect("one thread").get_or_insert(*isn);
        }
    }
}

fn first_number(script: &Script) -> Option<u32> {
    first_number_at(script, &Options::default())
}

fn first_number_at(script: &Script, options: &Options) -> Option<u32> {
    let seen = Arc::new(Mutex::new(None));
    script::run(script, options, Some(Box::new(Isn(Arc::clone(&seen)))));
    *seen.lock().expect("one thread")
}

/// The same script with the peer's sequence numbers and timestamps further on.
fn shifted(script: &Script, by: u32, timestamps: u32) -> Script {
    let mut script = script.clone();
    for event in &mut script.events {
        let Action::Packet(Packet { direction, body: Body::Tcp(tcp), .. }) = &mut event.action else { continue };
        match direction {
            Direction::In => shift_theirs(tcp, by, timestamps),
            Direction::Out => shift_ours(tcp, by, timestamps),
        }
    }
    script
}

/// A segment of the peer: its own number, and its own timestamp.
fn shift_theirs(tcp: &mut Tcp, by: u32, timestamps: u32) {
    tcp.seq = tcp.seq.wrapping_add(by);
    for option in tcp.options.iter_mut().flatten() {
        if let TcpOption::Timestamps { value, .. } = option {
            *value = value.wrapping_add(timestamps);
        }
    }
}

/// A segment of ours: what it acknowledges and echoes. The number of a reset that answers an acknowledgment is the
/// peer's idea of ours.
fn shift_ours(tcp: &mut Tcp, by: u32, timestamps: u32) {
    if let Some(ack) = &mut tcp.ack {
        *ack = ack.wrapping_add(by);
    }
    let first = tcp.flags.bits & 0x12 == 0x02;
    for option in tcp.options.iter_mut().flatten() {
        match option {
            TcpOption::Timestamps { echo, .. } if !first => *echo = echo.wrapping_add(timestamps),
            TcpOption::Sack(blocks) => {
                for (left, right) in blocks {
                    (*left, *right) = (left.wrapping_add(by), right.wrapping_add(by));
                }
            }
            TcpOption::Timestamps { .. }
            | TcpOption::Nop
            | TcpOption::Eol
            | TcpOption::Mss(_)
            | TcpOption::WindowScale(_)
            | TcpOption::SackPermitted
            | TcpOption::FastOpen { .. }
            | TcpOption::Md5(_)
            | TcpOption::AccEcn(_) => {}
        }
    }
}
