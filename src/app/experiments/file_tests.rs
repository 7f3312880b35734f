use super::*;

const LINK: &str = "hosts = [\"a\", \"b\"]\n[[links]]\nbetween = [\"a\", \"b\"]\n";
const FLOW: &str = "[[flows]]\nfrom = \"a\"\nto = \"b\"\nbytes = 1\n";

fn read(text: &str) -> Result<Experiment, Problem> {
    File::parse(text).expect("it is TOML").experiment()
}

/// The example's link with these lines added.
fn link_with(lines: &str) -> Result<Link, Problem> {
    read(&format!("{LINK}{lines}\n{FLOW}")).map(|experiment| experiment.links[0].clone())
}

#[test]
fn all_keys_of_a_link_are_understood() {
    let link = link_with(
        r#"name = "path"
        rate = "100mbit"
        delay = "20ms 2ms 25%"
        queue = "1bdp min 100"
        loss = 0.5
        reorder = "1% gap 5"
        duplicate = "0.1%"
        corrupt = "0.2%"
        outages = [["10s", "20s"]]
        mtu = 9000
        back = { rate = "1mbit", loss = 0, queue = 7 }"#,
    )
    .expect("nothing is wrong");
    assert_eq!(
        (link.name.as_str(), link.mtu, link.there.rate, link.back.rate),
        ("path", 9000, Some(100_000_000), Some(1_000_000))
    );
    let words = "loss 0.5% delay 20ms 2ms 25% reorder 1% gap 5 duplicate 0.1% corrupt 0.2%";
    assert_eq!(link.there.faults, words.parse().expect("netem's words"));
    assert_eq!(link.back.faults.loss.percent, 0.0);
    assert_eq!(link.back.outages, [Outage { from: Duration::from_secs(10), to: Duration::from_secs(20) }]);
    // 100 Mbit/s for 40 ms are 500,000 bytes: 56 packets of 9014 bytes.
    assert_eq!((link.there.queue, link.back.queue), (100, 7));
    let marking = link_with("loss = \"2% ecn\"\nmark = 20").expect("nothing is wrong").back;
    assert_eq!((marking.faults.mark, marking.mark), (true, Some(20)));
    assert_eq!(link_with("rate = \"100mbit\"\nrtt = \"40ms\"\nqueue = \"2bdp\"").map(|link| link.there.queue), Ok(661));
}

#[test]
fn hosts_have_settings_of_their_own_on_top_of_the_common_ones() {
    let experiment = read(
        r#"about = "a file"
        seed = 7
        time_limit = "20s"
        switches = ["s"]
        [defaults]
        congestion = "reno"
        ecn = "request"
        sack = false
        [hosts.a]
        receive_buffer = "64KiB"
        initial_window = 2
        delayed_ack = "0"
        [hosts.b]
        profile = "linux"
        [[links]]
        between = ["a", "s"]
        [[links]]
        between = ["s", "b"]
        [[flows]]
        name = "bulk"
        from = "a"
        to = "b"
        start = "500ms"
        duration = "2s"
        congestion = "cubic""#,
    )
    .expect("nothing is wrong");
    let [a, b] = experiment.hosts.as_slice() else { panic!("two hosts") };
    assert_eq!(
        (a.tcp.congestion, a.tcp.sack, a.tcp.receive_buffer, a.tcp.initial_window),
        (Algorithm::RENO, false, 65_536, 2)
    );
    assert_eq!((a.tcp.ecn, b.tcp.ecn), (crate::tcp::Ecn::Request, Config::default().ecn), "a profile begins anew");
    assert_eq!((a.tcp.delayed_ack, b.tcp.sack, b.tcp.quick_acks), (None, true, 16));
    assert_eq!((experiment.seed, experiment.time_limit), (7, Duration::from_secs(20)));
    let flow = &experiment.flows[0];
    assert_eq!(
        (flow.name.as_str(), flow.start, flow.amount),
        ("bulk", Duration::from_millis(500), Amount::During(Duration::from_secs(2)))
    );
    assert_eq!(flow.congestion, Some(Algorithm::CUBIC));
}

#[test]
fn errors_name_the_key_what_was_wrong_and_what_is_allowed() {
    let cases = [
        (String::new(), "hosts: is missing: expected a list of names, like [\"alice\", \"bob\"]"),
        ("hosts = 2".into(), "hosts: 2: expected a list of names, like [\"alice\", \"bob\"]"),
        ("hosts = [\"a\", 2]".into(), "hosts: a list: expected a list of names, like [\"alice\", \"bob\"]"),
        (
            format!("sede = 1\n{LINK}{FLOW}"),
            "sede: there is no such key: allowed are about, seed, time_limit, defaults, hosts, switches, links, flows",
        ),
        (format!("seed = -1\n{LINK}{FLOW}"), "seed: -1: expected a whole number from 0 up"),
        (
            format!("{LINK}rate = \"10 mbit\"\n{FLOW}"),
            "links[0].rate: \"10\": expected a rate with its unit (bit, kbit, mbit or gbit), like 10mbit",
        ),
        (
            format!("{LINK}back = {{ speed = 1 }}\n{FLOW}"),
            "links[0].back.speed: there is no such key: allowed are rate, rtt, delay, loss, reorder, duplicate, corrupt, queue, mark, outages",
        ),
        (format!("{LINK}queue = \"lots\"\n{FLOW}"), &format!("links[0].queue: \"lots\": expected {QUEUE}")),
        (
            format!("{LINK}queue = \"1bdp\"\n{FLOW}"),
            "links[0].there.queue: a bandwidth-delay product needs a rate: give the link one, or say packets",
        ),
        (
            format!("{LINK}reorder = \"1%\"\n{FLOW}"),
            "links[0].reorder: needs a delay: a frame can only overtake frames that wait",
        ),
        (
            format!("{LINK}outages = [\"10s\"]\n{FLOW}"),
            "links[0].outages: a list: expected pairs of times, like [[\"10s\", \"20s\"]]",
        ),
        (format!("{LINK}[[flows]]\nto = \"b\""), "flows[0].from: is missing: expected the name of a host"),
        (
            format!("{LINK}{FLOW}congestion = \"vegas\""),
            &format!("flows[0].congestion: \"vegas\": expected one of {}", Algorithm::names()),
        ),
        (
            format!("{LINK}{FLOW}duration = \"1s\""),
            "flows[0].duration: the flow has bytes already: it ends after them or after a time, not both",
        ),
        (
            format!("{LINK}{}", FLOW.replace("bytes = 1", "")),
            "flows[0].bytes: is missing: expected how many, or a duration",
        ),
        (
            format!("{LINK}{}", FLOW.replace("\"b\"", "\"c\"")),
            "flows[0].to: there is no host called \"c\": there are a, b",
        ),
        (format!("flows = 3\n{LINK}"), "flows: 3: expected tables, each under [[flows]]"),
        (
            format!("[defaults]\nprofile = \"bsd\"\n{}", "[hosts.a]\n[hosts.b]\n"),
            "defaults.profile: \"bsd\": expected one of strata, linux, freebsd",
        ),
        ("[hosts.a]\necn = 1\n[hosts.b]\n".into(), "hosts.a.ecn: 1: expected one of off, respond, request"),
        ("[hosts]\na = { sack = 1 }\nb = {}\n".into(), "hosts.a.sack: 1: expected true or false"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(&text).expect_err(&text).to_string(), expected);
    }
}

#[test]
fn the_lists_of_keys_are_those_that_are_read() {
    let allowed = |error: Problem| error.what.split_once("allowed are ").expect("an unknown key").1.to_owned();
    let sorted = |keys: Vec<&str>| {
        let mut keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        keys.sort();
        keys
    };
    let back = allowed(link_with("back = { x = 1 }").expect_err("unknown"));
    assert_eq!(sorted(back.split(", ").collect()), sorted(WIRE_KEYS.to_vec()));
    let defaults = allowed(read("[defaults]\nx = 1").expect_err("unknown"));
    assert_eq!(sorted(defaults.split(", ").collect()), sorted(HOST_KEYS.to_vec()));
    let flow = allowed(read(&format!("{LINK}{FLOW}x = 1")).expect_err("unknown"));
    assert_eq!(
        sorted(flow.split(", ").filter(|key| !["from", "to", "name"].contains(key)).collect()),
        sorted(FLOW_KEYS.to_vec())
    );
}
