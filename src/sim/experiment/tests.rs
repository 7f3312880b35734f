use super::*;
use crate::sim::network::Outage;
use crate::time::Instant;

fn shape(rate: u64, queue: usize, faults: &str) -> Shape {
    Shape { rate: Some(rate), queue, faults: faults.parse().expect("netem's words"), ..Shape::default() }
}

/// Two hosts on one link.
fn pair(shape: Shape, amount: Amount) -> Experiment {
    Experiment {
        hosts: vec![Host::named("a"), Host::named("b")],
        links: vec![Link::between("a", "b", shape)],
        flows: vec![Flow::new("a", "b", amount)],
        ..Experiment::default()
    }
}

/// `count` senders behind one switch, as many receivers behind the other, and the bottleneck between the switches.
fn dumbbell(bottleneck: Shape, count: usize, amount: Amount) -> Experiment {
    let side = |letter: char| (0..count).map(move |n| format!("{letter}{n}"));
    let access = || shape(1_000_000_000, 1000, "delay 100us");
    let mut links = vec![Link::between("left", "right", bottleneck)];
    links.extend(side('s').map(|host| Link::between(host, "left", access())));
    links.extend(side('r').map(|host| Link::between("right", host, access())));
    Experiment {
        hosts: side('s').chain(side('r')).map(Host::named).collect(),
        switches: vec!["left".into(), "right".into()],
        links,
        flows: (0..count).map(|n| Flow::new(format!("s{n}"), format!("r{n}"), amount)).collect(),
        ..Experiment::default()
    }
}

fn run(experiment: &Experiment) -> Outcome {
    experiment.run().expect("nothing is wrong with it")
}

#[test]
fn a_clean_link_is_filled_and_its_figures_add_up() {
    let outcome = run(&pair(shape(10_000_000, 2000, "delay 5ms"), Amount::Bytes(2_000_000)));
    let flow = &outcome.flows[0];
    assert_eq!((flow.bytes, flow.finished, flow.error.as_deref()), (2_000_000, true, None));
    assert_eq!((flow.retransmitted_bytes, flow.rtos, flow.queue_drops), (0, 0, 0));
    // 1448 of 1514 bytes are data; ARP, handshake and slow start take a few round trips.
    assert!((0.9..0.957).contains(&(flow.goodput() / 1e7)), "{} bit/s", flow.goodput());
    assert!(flow.min_rtt >= Some(Duration::from_millis(10)) && flow.mean_rtt > flow.min_rtt, "{flow:?}");
    let wire = outcome.links[0].there;
    assert!(wire.utilization > Some(0.93), "{wire:?}");
    assert!(wire.counters.longest_queue > 10 && outcome.links[0].back.counters.queue_drops == 0);
    assert_eq!((flow.bytes_at(outcome.ended), flow.bytes_at(Instant::ZERO)), (2_000_000, 0));
}

#[test]
fn losses_are_seen_in_the_figures() {
    let outcome = run(&pair(shape(10_000_000, 10, "delay 10ms loss 1%"), Amount::Bytes(2_000_000)));
    let (flow, wire) = (&outcome.flows[0], outcome.links[0].there.counters);
    assert!(flow.finished && flow.recoveries > 0, "{flow:?}");
    assert!(wire.faults.lost > 5 && wire.queue_drops > 0, "{wire:?}");
    assert_eq!(flow.queue_drops, wire.queue_drops + outcome.links[0].back.counters.queue_drops);
    assert!(flow.retransmitted_bytes >= 1448 * (wire.faults.lost + wire.queue_drops) * 9 / 10, "{flow:?} {wire:?}");
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let mut experiment = dumbbell(shape(5_000_000, 20, "delay 5ms loss 1% reorder 1%"), 2, Amount::Bytes(300_000));
    let first = run(&experiment);
    assert_eq!(first, run(&experiment));
    experiment.seed = 2;
    assert_ne!(first, run(&experiment));
}

#[test]
fn flows_of_one_controller_share_a_bottleneck() {
    let outcome = run(&dumbbell(shape(10_000_000, 50, "delay 10ms"), 2, Amount::During(Duration::from_secs(20))));
    assert!(outcome.jain > Some(0.95), "{:?}", outcome.jain);
    let sum: f64 = outcome.flows.iter().map(FlowOutcome::goodput).sum();
    assert!(sum > 0.9e7 && outcome.flows.iter().all(|flow| flow.finished), "{sum} bit/s");
    assert_eq!(outcome.ended, Instant::from_secs(20));
}

#[test]
fn a_flow_that_starts_later_has_the_rest_of_the_time() {
    let mut experiment = dumbbell(shape(10_000_000, 50, "delay 10ms"), 2, Amount::During(Duration::from_secs(4)));
    experiment.flows[1].start = Duration::from_secs(10);
    let outcome = run(&experiment);
    let [first, second] = outcome.flows.as_slice() else { panic!("two flows") };
    assert_eq!((first.bytes_at(Instant::from_secs(5)), second.bytes_at(Instant::from_secs(10))), (first.bytes, 0));
    assert_eq!((second.duration, outcome.ended), (Duration::from_secs(4), Instant::from_secs(14)));
    assert!(outcome.jain > Some(0.99), "never at one time, and each as fast as the other: {:?}", outcome.jain);
}

#[test]
fn what_cannot_finish_says_how_far_it_came() {
    let outages = vec![Outage { from: Duration::from_secs(1), to: Duration::from_secs(3600) }];
    let cut = Shape { outages, ..shape(1_000_000, 50, "delay 10ms") };
    let mut experiment = pair(cut, Amount::Bytes(1_000_000));
    experiment.time_limit = Duration::from_secs(30);
    let outcome = run(&experiment);
    let flow = &outcome.flows[0];
    assert!(!flow.finished && flow.error.is_none() && flow.rtos > 3, "{flow:?}");
    assert!((50_000..130_000).contains(&flow.bytes), "{} bytes", flow.bytes);
    assert!(outcome.links[0].there.counters.outage_drops > 3);
}

#[test]
fn a_broken_connection_says_why() {
    let mut experiment = pair(shape(1_000_000, 50, "loss 100%"), Amount::Bytes(1));
    experiment.hosts[0].tcp.give_up_syn = Duration::from_secs(5);
    let outcome = run(&experiment);
    let error = outcome.flows[0].error.as_deref().expect("nobody answers");
    assert!(error.starts_with("sending: connecting to 192.0.2.2:5001"), "{error}");
}

#[test]
fn fairness_is_one_when_all_have_the_same() {
    assert_eq!(jain(&[3.0, 3.0, 3.0]), Some(1.0));
    assert_eq!(jain(&[1.0, 0.0, 0.0, 0.0]), Some(0.25));
    assert_eq!((jain(&[1.0]), jain(&[0.0, 0.0])), (None, None));
}

#[test]
fn problems_name_their_place_and_what_is_allowed() {
    type Change = fn(&mut Experiment);
    let cases: [(Change, &str); 15] = [
        (|e| e.hosts.truncate(1), "hosts: there are 1: allowed are 2 to 254"),
        (|e| e.hosts[1].name = "a".into(), r#"hosts: "a" is the name of two of them: each needs its own"#),
        (|e| e.switches.push("b".into()), r#"switches: "b" is the name of two of them: each needs its own"#),
        (
            |e| e.links[0].between[1] = "bobo".into(),
            r#"links[0].between: there is no host or switch called "bobo": there are a, b"#,
        ),
        (|e| e.links[0].between[1] = "a".into(), r#"links[0].between: both ends are "a": a link joins two"#),
        (|e| e.links[0].mtu = 67, "links[0].mtu: 67 bytes: allowed are 68 to 65535"),
        (
            |e| e.hosts.push(Host::named("c")),
            r#"links: host "c" has 0 links: each has exactly one; switches join several"#,
        ),
        (|e| e.switches.push("s".into()), r#"links: there is no way between "a" and "s""#),
        (
            |e| {
                e.switches = vec!["s".into(), "t".into()];
                let link = |name: &str| Link { name: name.into(), ..Link::between("s", "t", Shape::default()) };
                e.links.extend([link("one"), link("two")]);
            },
            "links[2]: closes a circle, in which frames would go round for ever: take one link of it away",
        ),
        (|e| e.flows.clear(), "flows: nothing is sent: describe at least one flow"),
        (|e| e.flows[0].to = "c".into(), r#"flows[0].to: there is no host called "c": there are a, b"#),
        (|e| e.flows[0].to = "a".into(), "flows[0].to: it is where the flow comes from: name another host"),
        (|e| e.flows[0].amount = Amount::During(Duration::ZERO), "flows[0].duration: is zero: it must be longer"),
        (|e| e.flows.push(e.flows[0].clone()), r#"flows[1]: there is another flow called "a-b": name them"#),
        (
            |e| e.links[0].back.faults.rate = Some(1),
            "links[0].back: rate stands among the faults: say it as the link's own",
        ),
    ];
    for (change, expected) in cases {
        let mut experiment = pair(Shape::default(), Amount::Bytes(1));
        change(&mut experiment);
        assert_eq!(experiment.run().expect_err(expected).to_string(), expected);
    }
}
