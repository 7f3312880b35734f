//! Congestion control as it shows from outside: flows through a bottleneck in virtual time, alone and against each other.

use std::time::Duration;
use strata::sim::experiment::{Amount, Experiment, Flow, FlowOutcome, Host, Link, Outcome};
use strata::sim::network::Shape;
use strata::tcp::Ecn;
use strata::tcp::congestion::Algorithm;
use strata::time::Instant;

fn shape(rate: u64, queue: usize, faults: &str) -> Shape {
    Shape { rate: Some(rate), queue, faults: faults.parse().expect("netem's words"), ..Shape::default() }
}

/// As many senders as controllers behind one switch, as many receivers behind the other, and the bottleneck between.
fn dumbbell(bottleneck: Shape, controllers: &[Algorithm], seconds: u64) -> Experiment {
    let side = |letter: char| (0..controllers.len()).map(move |n| format!("{letter}{n}"));
    let access = || shape(1_000_000_000, 1000, "delay 100us");
    let mut links = vec![Link::between("left", "right", bottleneck)];
    links.extend(side('s').map(|host| Link::between(host, "left", access())));
    links.extend(side('r').map(|host| Link::between("right", host, access())));
    let amount = Amount::During(Duration::from_secs(seconds));
    let flow = |(n, algorithm): (usize, &Algorithm)| Flow {
        congestion: Some(*algorithm),
        ..Flow::new(format!("s{n}"), format!("r{n}"), amount)
    };
    Experiment {
        hosts: side('s').chain(side('r')).map(Host::named).collect(),
        switches: vec!["left".into(), "right".into()],
        links,
        flows: controllers.iter().enumerate().map(flow).collect(),
        ..Experiment::default()
    }
}

/// The same with hosts that leave segmentation to their devices.
fn with_offloads(mut experiment: Experiment) -> Experiment {
    experiment.hosts.iter_mut().for_each(|host| host.offload = true);
    experiment
}

fn run(experiment: &Experiment) -> Outcome {
    let outcome = experiment.run().expect("nothing is wrong with it");
    for flow in &outcome.flows {
        println!(
            "{:>6} {:6.2} Mbit/s, RTT {:?} to {:?}, {} RTOs, {} recoveries, {} bytes again, {} drops",
            flow.congestion,
            flow.goodput() / 1e6,
            flow.min_rtt.unwrap_or_default(),
            flow.mean_rtt.unwrap_or_default(),
            flow.rtos,
            flow.recoveries,
            flow.retransmitted_bytes,
            flow.queue_drops,
        );
    }
    println!("   jain {:?}", outcome.jain);
    outcome
}

/// 10 Mbit/s of frames; data is 1448 bytes of each 1514.
const RATE: u64 = 10_000_000;
const MOST: f64 = 10_000_000.0 * 1448.0 / 1514.0;

/// 41 ms without a queue: 34 packets are under way when the link is full.
fn bottleneck(queue: usize) -> Shape {
    shape(RATE, queue, "delay 20ms")
}

fn share(flow: &FlowOutcome) -> f64 {
    flow.goodput() / MOST
}

/// From one second to another, in bits a second.
fn goodput_between(flow: &FlowOutcome, from: u64, to: u64) -> f64 {
    let at = |second| flow.bytes_at(Instant::from_secs(second));
    (at(to) - at(from)) as f64 * 8.0 / (to - from) as f64
}

#[test]
fn a_single_flow_fills_a_link_with_a_shallow_queue() {
    // A third of what is under way.
    for (algorithm, least) in [(Algorithm::RENO, 0.80), (Algorithm::CUBIC, 0.92), (Algorithm::BBR, 0.90)] {
        let plain = dumbbell(bottleneck(11), &[algorithm], 10);
        for experiment in [with_offloads(plain.clone()), plain] {
            let outcome = run(&experiment);
            let flow = &outcome.flows[0];
            assert!(share(flow) > least, "{}: {}", flow.congestion, share(flow));
            assert_eq!(flow.rtos, 0, "{}", flow.congestion);
        }
    }
}

#[test]
fn bbr_fills_a_link_with_a_deep_queue_and_loses_nothing() {
    let outcome = run(&dumbbell(bottleneck(200), &[Algorithm::BBR, Algorithm::BBR], 10));
    let sum: f64 = outcome.flows.iter().map(share).sum();
    assert!(sum > 0.9, "{sum}");
    for flow in &outcome.flows {
        assert_eq!((flow.retransmitted_bytes, flow.queue_drops), (0, 0), "{flow:?}");
        assert!(
            flow.mean_rtt < Some(Duration::from_millis(110)),
            "one product of queue, and not five: {:?}",
            flow.mean_rtt
        );
    }
}

/// Of what gets through at all, once the handshake is over. A round trip holds 34 packets, or 166.
#[test]
fn losses_by_chance_do_not_hold_bbr_back() {
    for (rate, delay, loss, least) in
        [(RATE, 20, 1, 0.93), (RATE, 20, 3, 0.90), (2 * RATE, 50, 1, 0.90), (2 * RATE, 50, 3, 0.85)]
    {
        let lossy = |algorithm| {
            let link = shape(rate, 170, &format!("delay {delay}ms loss {loss}%"));
            let flow = run(&dumbbell(link, &[algorithm], 10)).flows.remove(0);
            goodput_between(&flow, 4, 10) / (MOST * (rate / RATE) as f64 * (1.0 - f64::from(loss) / 100.0))
        };
        let (bbr, reno) = (lossy(Algorithm::BBR), lossy(Algorithm::RENO));
        assert!(bbr > least && bbr > 2.0 * reno, "{loss} %, {delay} ms: {bbr} {reno}");
    }
}

/// Each second seven of 240 retransmissions are lost as well, and all that was sent for two round trips waits behind them:
/// neither the send buffer nor the receive window may be full by then.
#[test]
fn a_retransmission_that_is_lost_too_does_not_stop_the_flow() {
    let outcome = run(&dumbbell(shape(10 * RATE, 170, "delay 10ms loss 3%"), &[Algorithm::BBR], 7));
    let goodput = goodput_between(&outcome.flows[0], 4, 7) / (10.0 * MOST);
    assert!(goodput > 0.86, "{goodput}");
}

/// What overflows is not taken for chance: flows back off, and what they lose stays little.
#[test]
fn bbr_flows_behind_a_shallow_queue_share_it_and_lose_little() {
    // Of 67 packets under way a tenth and a quarter; four flows have to find out about each other.
    for (flows, queue, most) in [(2, 7, 0.03), (2, 17, 0.02), (4, 7, 0.06)] {
        let outcome = run(&dumbbell(shape(2 * RATE, queue, "delay 20ms"), &vec![Algorithm::BBR; flows], 10));
        assert!(outcome.jain > Some(0.9), "{:?}", outcome.jain);
        let (again, bytes) = outcome
            .flows
            .iter()
            .fold((0, 0), |(again, bytes), flow| (again + flow.retransmitted_bytes, bytes + flow.bytes));
        let lost = again as f64 / bytes as f64;
        assert!(lost < most, "{flows} flows, {queue} packets: {lost}");
        assert!(outcome.flows.iter().map(share).sum::<f64>() > 2.0 * 0.85);
    }
}

#[test]
fn two_flows_of_one_controller_share_fairly() {
    for algorithm in [Algorithm::RENO, Algorithm::CUBIC, Algorithm::BBR] {
        let outcome = run(&dumbbell(bottleneck(40), &[algorithm, algorithm], 20));
        assert!(outcome.jain > Some(0.95), "{algorithm}: {:?}", outcome.jain);
        let sum: f64 = outcome.flows.iter().map(share).sum();
        assert!(sum > 0.9, "{algorithm}: {sum}");
    }
}

#[test]
fn marks_slow_flows_down_and_nothing_is_sent_again() {
    for algorithm in [Algorithm::RENO, Algorithm::CUBIC, Algorithm::BBR] {
        let flow = |ecn| {
            let mut experiment = dumbbell(shape(RATE, 500, "delay 20ms loss 0.5% ecn"), &[algorithm], 10);
            experiment.hosts.iter_mut().for_each(|host| host.tcp.ecn = ecn);
            run(&experiment).flows.remove(0)
        };
        let (marked, lost) = (flow(Ecn::Request), flow(Ecn::Respond));
        // The SYN and the acknowledgements cannot be marked, and are lost as before.
        assert!(marked.retransmitted_bytes <= 3 * 1448 && lost.retransmitted_bytes > 10 * 1448, "{algorithm}");
        assert!(marked.goodput() > 0.7 * lost.goodput() && marked.goodput() > 1e6, "{algorithm}");
    }
}

#[test]
fn dctcp_keeps_a_queue_that_marks_early_short() {
    let mean = |algorithm, ecn, offload| {
        let marking = Shape { mark: Some(10), ..bottleneck(100) };
        let mut experiment = dumbbell(marking, &[algorithm, algorithm], 10);
        experiment.hosts.iter_mut().for_each(|host| {
            (host.tcp.ecn, host.tcp.congestion, host.offload) = (ecn, algorithm, offload);
        });
        let outcome = run(&experiment);
        let sum: f64 = outcome.flows.iter().map(share).sum();
        assert!(sum > 0.9 && outcome.jain > Some(0.9), "{sum} {:?}", outcome.jain);
        assert!(outcome.flows.iter().all(|flow| flow.retransmitted_bytes == 0), "{:?}", outcome.flows);
        outcome.flows[0].mean_rtt.expect("measured")
    };
    // Each mark told by itself, or counted.
    for (ecn, offload) in [(Ecn::Request, false), (Ecn::RequestAccurate, false), (Ecn::RequestAccurate, true)] {
        assert!(mean(Algorithm::DCTCP, ecn, offload) < Duration::from_millis(65), "41 ms, and ten packets of 1.2 ms");
    }
}

/// Shown as they are: nobody starves.
#[test]
fn flows_of_different_controllers_live_beside_each_other() {
    for pair in [[Algorithm::CUBIC, Algorithm::RENO], [Algorithm::BBR, Algorithm::CUBIC]] {
        for queue in [20, 80] {
            println!("queue of {queue} packets");
            let outcome = run(&dumbbell(bottleneck(queue), &pair, 20));
            assert!(outcome.flows.iter().all(|flow| share(flow) > 0.15), "{pair:?}");
            let sum: f64 = outcome.flows.iter().map(share).sum();
            assert!(sum > 0.9, "{pair:?}: {sum}");
        }
    }
}
