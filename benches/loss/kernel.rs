//! The kernel's own TCP at both ends, each in a namespace of its own; between them our cable, in real time, on two TAPs.

use crate::{Condition, Measured, SPAN};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use strata::device::tap::Tap;
use strata::device::{Batch, Device};
use strata::frame::{Frame, FrameId};
use strata::random::Random;
use strata::runtime::sandbox;
use strata::sim::network::Wire;
use strata::time::Instant;

const SENDER: &str = "192.0.2.1";
const RECEIVER: &str = "192.0.2.2:9";
const NEAR: &str = "near";
const FAR: &str = "far";
/// The bridge looks for the end of the run at least so often.
const NAP: Duration = Duration::from_millis(50);

/// Runs one round in a process of its own, which may enter a namespace, and reads what it says.
pub fn measure(condition: &Condition, controller: &str) -> Measured {
    let Condition { loss, rtt, seed } = condition;
    let words = ["kernel".to_owned(), controller.to_owned(), loss.to_string(), rtt.to_string(), seed.to_string()];
    let output = prioritized().args(words).stderr(Stdio::inherit()).output().expect("a child process");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("the kernel's round failed: {error}\n{text}"))
}

/// This program at a real-time priority, where that is allowed: else the bridge waits for the processor now and then, and
/// the path is longer than it says.
fn prioritized() -> Command {
    const FIFO: [&str; 2] = ["--fifo", "20"];
    let allowed = Command::new("chrt").args(FIFO).arg("true").stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return Command::new(program());
    }
    let mut command = Command::new("chrt");
    command.args(FIFO).arg(program());
    command
}

fn program() -> std::path::PathBuf {
    std::env::current_exe().expect("a running program has a path")
}

fn ip(command: &str) {
    let status = Command::new("ip").args(command.split(' ')).status().expect("the `ip` command");
    assert!(status.success(), "ip {command}");
}

/// One end: its address, and who is at the other end, so that nobody has to ask.
fn set_up(name: &str, ours: u8, theirs: u8) {
    ip(&format!("link set {name} address 02:00:00:00:00:0{ours}"));
    ip(&format!("address add 192.0.2.{ours}/24 dev {name}"));
    ip(&format!("link set {name} up"));
    ip(&format!("neighbour add 192.0.2.{theirs} lladdr 02:00:00:00:00:0{theirs} dev {name} nud permanent"));
}

/// In a namespace of its own: the sender, and the bridge to the receiver's.
pub fn round(controller: &str, condition: &Condition) {
    sandbox::enter(!rustix::process::geteuid().is_root()).expect("a namespace of our own");
    let (near, far) = (Tap::open(NEAR, false).expect("a TAP"), Tap::open(FAR, false).expect("a TAP"));
    set_up(NEAR, 1, 2);
    let mut peer = Command::new(program())
        .args(["peer", FAR])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process");
    let mut answers = BufReader::new(peer.stdout.take().expect("a pipe")).lines();
    let mut orders = peer.stdin.take().expect("a pipe");
    let mut answer = || answers.next().expect("the peer lives").expect("it speaks text");
    let mut order = || writeln!(orders).expect("the peer lives");
    assert_eq!(answer(), "entered");
    ip(&format!("link set {FAR} netns {}", peer.id()));
    order();
    assert_eq!(answer(), "listening");

    let over = Arc::new(AtomicBool::new(false));
    let (shape, seed, done) = (condition.shape(), condition.seed, over.clone());
    let bridge = std::thread::spawn(move || {
        let mut random = Random::new(seed);
        let mut wire = || Wire::new(shape.clone(), random.next_u64());
        let wires = [wire(), wire()];
        carry([near, far], wires, &done);
    });
    let begun = std::time::Instant::now();
    let stop = over.clone();
    let controller = controller.to_owned();
    let sender = std::thread::spawn(move || send(&controller, &stop));
    std::thread::sleep(SPAN.saturating_sub(begun.elapsed()));
    order();
    let bytes = answer().parse().expect("a number");
    let min_rtt_ms = min_rtt();
    over.store(true, Ordering::Relaxed);
    let (sent_again, timeouts) =
        (counter("/proc/net/snmp", "RetransSegs"), counter("/proc/net/netstat", "TCPTimeouts"));
    bridge.join().expect("the bridge stands");
    peer.kill().expect("the peer lives");
    peer.wait().expect("the peer ends");
    // The sender may wait for a peer that is gone: it ends with this process.
    drop(sender);
    println!(
        "{}",
        serde_json::to_string(&Measured { bytes, sent_again, timeouts, min_rtt_ms }).expect("plain figures")
    );
    std::process::exit(0);
}

fn send(controller: &str, over: &AtomicBool) {
    let socket =
        rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).expect("a socket");
    rustix::net::sockopt::set_tcp_congestion(&socket, controller).expect("a controller that this kernel allows");
    let address: std::net::SocketAddr = RECEIVER.parse().expect("an address");
    rustix::net::connect(&socket, &address).expect("a connection");
    let mut stream = TcpStream::from(socket);
    let zeroes = vec![0; 1 << 18];
    // It ends with the run.
    while !over.load(Ordering::Relaxed) && stream.write_all(&zeroes).is_ok() {}
}

/// The receiver, in a namespace of its own.
pub fn peer(name: &str) {
    sandbox::enter(false).expect("a namespace of our own");
    println!("entered");
    let mut orders = std::io::stdin().lines();
    let mut order = || orders.next().expect("the parent lives").expect("it speaks text");
    order();
    set_up(name, 2, 1);
    let listener = TcpListener::bind(RECEIVER).expect("a free port");
    println!("listening");
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().expect("a connection");
        assert_eq!(from.ip().to_string(), SENDER);
        let mut into = vec![0; 1 << 18];
        while let Ok(len @ 1..) = stream.read(&mut into) {
            counted.fetch_add(len as u64, Ordering::Relaxed);
        }
    });
    order();
    println!("{}", count.load(Ordering::Relaxed));
    // Until the parent has read it.
    std::thread::sleep(Duration::from_secs(5));
}

/// The sender's shortest round trip in milliseconds, as `ss` tells it.
fn min_rtt() -> Option<f64> {
    let output = Command::new("ss").args(["-tin", "dst", RECEIVER]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().find_map(|word| word.strip_prefix("minrtt:")?.parse().ok())
}

/// A figure of the kernel's tables: names on one line, values on the next.
fn counter(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    lines.chunks(2).find_map(|pair| {
        let place = pair.first()?.split_whitespace().position(|word| word == name)?;
        pair.get(1)?.split_whitespace().nth(place)?.parse().ok()
    })
}

/// Carries frames from each TAP over a wire to the other, in real time.
fn carry(mut taps: [Tap; 2], mut wires: [Wire; 2], over: &AtomicBool) {
    // A wake-up may be late by this; the default of 50 us would be felt in a round trip of a millisecond.
    let _slack = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    let begun = std::time::Instant::now();
    let clock = || Instant::from_nanos(begun.elapsed().as_nanos() as u64);
    let mut batch = Batch::new(64);
    while !over.load(Ordering::Relaxed) {
        for way in 0..2 {
            let now = clock();
            batch.clear();
            taps[way].receive(now, &mut batch).expect("a TAP that works");
            for frame in batch.iter() {
                wires[way].put(now, frame.bytes.to_vec());
            }
            let mut due: VecDeque<Frame> = std::iter::from_fn(|| wires[way].take(now))
                .map(|bytes| Frame::new(FrameId::default(), bytes.into()))
                .collect();
            taps[1 - way].transmit(now, &mut due).expect("a TAP that works");
        }
        if !batch.is_full() {
            let next = wires.iter().filter_map(Wire::next_deadline).min();
            wait(&taps, next.map_or(NAP, |at| at.since(clock())).min(NAP));
        }
    }
}

fn wait(taps: &[Tap; 2], span: Duration) {
    let timeout = Timespec { tv_sec: span.as_secs() as i64, tv_nsec: i64::from(span.subsec_nanos()) };
    let mut ready: Vec<PollFd<'_>> =
        taps.iter().filter_map(|tap| tap.descriptor()).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    match poll(&mut ready, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => panic!("poll: {error}"),
    }
}
