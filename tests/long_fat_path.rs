//! A long fat path is filled from a cold start with default settings: windows and buffers grow with what is needed.

use std::time::Duration;
use strata::device::link::{Config, Link};
use strata::runtime::asynchronous::{TcpListener, TcpStream};
use strata::sim::Simulation;
use strata::sim::experiment::{Amount, Experiment, Flow, Host, Link as Cable};
use strata::sim::network::Shape;
use strata::stack;
use strata::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const RATE: u64 = 200_000_000;
const ROUND_TRIP: Duration = Duration::from_millis(100);
const LEN: usize = 40 << 20;

/// Sends `LEN` bytes through the path; gives when each quarter of them had been read, in seconds.
fn quarters(tcp: strata::tcp::Config) -> [f64; 4] {
    let mut sim = Simulation::new();
    let path = Config { delay: ROUND_TRIP / 2, rate: Some(RATE), ..Config::default() };
    let (left, right) = Link::pair(path);
    let sender = stack::Config {
        mac: [2, 0, 0, 0, 0, 1],
        addresses: vec!["192.0.2.1/24".parse().expect("a prefix")],
        tcp: tcp.clone(),
        ..stack::Config::default()
    };
    let sender = sim.add_host(sender, 1, Box::new(left), None);
    let receiver = sim.add_host(stack::Config { tcp, ..stack::Config::default() }, 2, Box::new(right), None);
    let listener = TcpListener::bind(&receiver, "192.0.2.2:9".parse().expect("an address")).expect("a free port");
    sim.spawn(async move {
        let mut stream = TcpStream::connect(&sender, "192.0.2.2:9".parse().expect("an address")).await.expect("a peer");
        let chunk = vec![7; 1 << 20];
        for _ in 0..LEN >> 20 {
            stream.write_all(&chunk).await.expect("a peer that reads");
        }
    });
    let time = sim.time();
    sim.run(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let (mut read, mut into, mut times) = (0, vec![0; 1 << 20], Vec::new());
        while times.len() < 4 {
            read += stream.read(&mut into).await.expect("data");
            while times.len() < 4 && read >= (times.len() + 1) * LEN / 4 {
                times.push(time.now().as_millis() as f64 / 1000.0);
            }
        }
        times.try_into().expect("four quarters")
    })
}

#[test]
fn a_long_fat_path_is_filled_with_no_setting() {
    let quarter = (LEN / 4) as f64 * 8.0 / RATE as f64;
    let times = quarters(strata::tcp::Config::default());
    // Headers take 5 % of the rate.
    let last = times[3] - times[2];
    assert!(last < 1.1 * quarter, "the last quarter took {last:.3} s, {quarter:.3} s at the full rate: {times:?}");
    assert!(times[0] < 4.0 * quarter, "slow start took {:.3} s: {times:?}", times[0]);
    // The path holds five times the buffers that a connection begins with.
    let mut fixed = strata::tcp::Config::default();
    fixed.fix_receive_buffer(fixed.initial_receive_buffer);
    let times = quarters(fixed);
    let last = times[3] - times[2];
    assert!(last > 3.0 * quarter, "and without growth it stays so: {last:.3} s");
}

/// 1 Gbit/s and 100 ms hold 12.5 MB: the widest window that is offered, and the buffers on both sides, must take that.
#[test]
fn a_gigabit_with_a_tenth_of_a_second_is_filled_from_a_cold_start() {
    const GIGABIT: u64 = 1_000_000_000;
    let path = Shape {
        rate: Some(GIGABIT),
        queue: 8256,
        faults: "delay 50ms".parse().expect("netem's words"),
        ..Shape::default()
    };
    let experiment = Experiment {
        hosts: vec![Host::named("near"), Host::named("far")],
        links: vec![Cable::between("near", "far", path)],
        flows: vec![Flow::new("near", "far", Amount::During(Duration::from_secs(2)))],
        ..Experiment::default()
    };
    let outcome = experiment.run().expect("an experiment that can be");
    let flow = &outcome.flows[0];
    let at = |millis| flow.bytes_at(Instant::from_millis(millis)) as f64 * 8.0;
    let tenths: Vec<f64> = (1..=20).map(|n| (at(n * 100) - at(n * 100 - 100)) / 0.1 / 1e6).collect();
    let last = (at(2000) - at(1600)) / 0.4 / GIGABIT as f64;
    let full = tenths.iter().position(|rate| *rate > 900.0);
    // From 10 segments to 12.5 MB are ten doublings; ARP and the handshake take two round trips.
    assert!(full.is_some_and(|tenth| tenth < 13), "slow start took longer: {tenths:.0?} Mbit/s");
    assert!(last > 0.94, "{last:.3} of the rate, with headers 0.956: {tenths:.0?} Mbit/s");
}
