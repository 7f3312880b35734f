//! Very many connections in one process: what an idle one costs in memory, whether the busy ones notice them, and whether
//! opening and closing stays as fast as it was. Two cores joined by hand, in virtual time; the times are of the processor.
//!
//! `cargo bench --bench crowd -- [idle 10 100000 1000000 | churn 1000000]`

#[path = "../../tests/support/counting.rs"]
mod counting;
#[path = "../../tests/support/crowd.rs"]
mod crowd;

use crowd::Crowd;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Connections that are busy while all others idle.
const BUSY: usize = 32;
const REQUESTS: usize = 3000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let counts: Vec<usize> = words.iter().skip(1).map(|word| word.parse().expect("a number of connections")).collect();
    match words.first().map(String::as_str) {
        Some("idle") => idle(&counts),
        Some("churn") => counts.into_iter().for_each(churn),
        Some(other) => panic!("`{other}` is neither `idle` nor `churn`"),
        None => {
            idle(&[10, 100_000]);
            churn(200_000);
        }
    }
}

/// Seconds of processor time that this process has used.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// `count` connections at rest: for each what it took to open, and what it holds; then requests on a few.
fn idle(counts: &[usize]) {
    println!("{:>10} {:>12} {:>12} {:>12} {:>16}", "idle", "opened, us", "bytes each", "resident", "request, us");
    for count in counts.iter().copied() {
        let (mut crowd, bytes, resident) = (Crowd::new(count + BUSY), counting::held(), resident());
        crowd.open(BUSY);
        let started = processor();
        crowd.open(count + BUSY);
        let opened = (processor() - started) / count as f64;
        crowd.rest(Duration::from_secs(10));
        let each = (counting::held() - bytes) / (2 * count);
        let resident = (self::resident() - resident) / (2 * count);
        let resting = crowd.server.tcp_usage().resting;
        assert_eq!(resting, count + BUSY, "all of them rest");
        let request = requests(&mut crowd);
        println!("{count:>10} {:>12.2} {each:>12} {resident:>12} {:>16.3}", opened * 1e6, request * 1e6);
    }
}

/// Bytes of memory that the process really takes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("its second word is a number") * 4096
}

/// Requests with answers on the busy connections; the best of ten rounds, in seconds for one.
fn requests(crowd: &mut Crowd) -> f64 {
    let round = |crowd: &mut Crowd| {
        let started = processor();
        (0..REQUESTS / BUSY / 10).for_each(|_| crowd.ask(0..BUSY));
        (processor() - started) / (REQUESTS / BUSY / 10 * BUSY) as f64
    };
    round(crowd);
    let best = (0..10).map(|_| round(crowd)).fold(f64::MAX, f64::min);
    // Any of the others answers as well.
    let last = crowd.connections.len();
    crowd.ask(last - BUSY..last);
    best
}

/// Opens, asks and closes `count` connections, with all that TIME-WAIT holds: the cost of one, a tenth at a time.
fn churn(count: usize) {
    let mut crowd = Crowd::with(count, |config| config.time_wait_limit = 1 << 20);
    println!("{:>10} {:>12} {:>12} {:>12}", "closed", "each, us", "TIME-WAIT", "bytes each");
    let bytes = counting::held();
    for tenth in 1..=10 {
        let started = processor();
        let upto = count / 10 * tenth;
        crowd.churn(upto);
        let spent = (processor() - started) / (count / 10) as f64;
        let time_waits = crowd.client.tcp_usage().time_waits;
        let each = (counting::held() - bytes) / time_waits.max(1);
        println!("{upto:>10} {:>12.2} {time_waits:>12} {each:>12}", spent * 1e6);
    }
}
