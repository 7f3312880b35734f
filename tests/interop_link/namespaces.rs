//! Namespaces, what is set up in them, and what the doctor finds.

use crate::cases::*;
use std::process::Command;
use strata::runtime::sandbox::{self, Config, LinkRequest, Plan, Rung, Step, Subject};

fn state_of_links() -> String {
    let shown = ["-d link show dev strata0", "-d link show dev lo", "address show dev strata0", "route", "-6 route"]
        .map(ip)
        .join("\n");
    let ping = std::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").expect("a setting");
    shown + &ping
}

pub fn printed_commands_do_what_is_done() {
    sandbox::enter(false).expect("root may");
    for (rung, mtu) in [(Rung::OwnTap, 1500), (Rung::OwnVeth, 1400)] {
        let config = Config {
            mtu,
            addresses: ["192.0.2.2/24", "2001:db8::2/64", "198.51.100.7/32"]
                .map(|net| net.parse().expect("a net"))
                .into(),
            ..Config::default()
        };
        let Plan { steps } = sandbox::plan(rung, &config);
        let plan =
            Plan { steps: steps.into_iter().filter(|step| !matches!(step, Step::EnterNamespace { .. })).collect() };
        let (done, printed) = (
            in_new_namespace(|| {
                let carried = plan.carry_out().expect("root may");
                assert_eq!(carried.warnings, Vec::<String>::new());
                let state = state_of_links();
                drop(carried);
                state
            }),
            in_new_namespace(|| {
                for command in plan.commands() {
                    let status =
                        Command::new("sh").args(["-c", &format!("{command} >/dev/null")]).status().expect("a shell");
                    assert!(status.success(), "{command}");
                }
                state_of_links()
            }),
        );
        assert_eq!(normalised(&done), normalised(&printed), "{rung}");
    }
}

/// Every call gets a namespace of its own; the last one is left behind.
fn in_new_namespace(work: impl FnOnce() -> String) -> String {
    sandbox::enter(false).expect("root may");
    work()
}

/// Without what differs between any two interfaces: whether a program holds the TAP, the peer's random address.
fn normalised(state: &str) -> Vec<String> {
    let volatile = |word: &&str| {
        !["NO-CARRIER,", "LOWER_UP", "UP", "DOWN", "UNKNOWN", "linkdown", "persist", "on", "off"].contains(word)
    };
    let lines = state.lines().map(|line| line.replace("NO-CARRIER,", "").replace(",LOWER_UP", ""));
    lines.map(|line| line.split_whitespace().filter(volatile).collect::<Vec<_>>().join(" ")).collect()
}

pub fn addresses_of_every_kind_are_set() {
    let config = Config {
        addresses: ["10.1.2.3/8", "2001:db8::1/64", "203.0.113.9/32"].map(|net| net.parse().expect("a net")).into(),
        ..Config::default()
    };
    let opened = sandbox::open(&LinkRequest::Tap { name: None }, true, &config).expect("root may");
    let addresses = ip("-brief address show dev strata0");
    assert!(addresses.contains("10.0.0.1/8") && addresses.contains("2001:db8::2/64"), "{addresses}");
    assert!(!addresses.contains("fe80"), "no address that nobody asked for: {addresses}");
    assert!(ip("route").contains("203.0.113.9 dev strata0"));
    drop(opened);
}

pub fn a_namespace_is_refused_once_threads_run() {
    let (stop, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || wait.recv());
    let error = sandbox::open(&LinkRequest::Auto, true, &Config::default()).err().expect("another thread runs");
    assert_eq!(
        error.to_string(),
        "a namespace can be entered only before any other thread starts, and 2 threads run already"
    );
    drop(stop);
    drop(thread.join());
}

pub fn children_live_in_the_namespace() {
    let opened = open(LinkRequest::Veth, true);
    let code = |script: &str| sandbox::run(&["sh", "-c", script].map(Into::into)).expect("a shell");
    assert_eq!(code("grep -q strata0 /proc/net/dev"), 0, "they see the interface");
    assert_eq!(code("test $(id -u) = 0"), 0, "as root");
    assert_eq!(code("test \"$(cat /proc/sys/net/ipv4/ping_group_range | tr '\\t' ' ')\" = '0 0'"), 0, "who may ping");
    assert_eq!(code("kill -9 $$"), 137);
    drop(opened);
}

/// As on a machine whose administrator forbids user namespaces: within one, where the limit counts for this process
/// and its children alone.
fn forbid_user_namespaces() {
    sandbox::enter(true).expect("they are allowed here");
    std::fs::write("/proc/sys/user/max_user_namespaces", "0").expect("root of its own namespace may");
    let none = rustix::thread::CapabilitySet::empty();
    let sets = rustix::thread::CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).expect("anybody may give them up");
}

const ALLOW: &str = "sudo sysctl -w user.max_user_namespaces=15000";

pub fn without_user_namespaces_the_link_ends_in_this_process() {
    forbid_user_namespaces();
    let opened = open(LinkRequest::Auto, true);
    assert_eq!(
        opened.standing.to_string(),
        format!(
            "in-process link, MTU 1500 (rung 4 of 4: no user namespace: user.max_user_namespaces is 0; \
             one rung higher with: {ALLOW})"
        )
    );
    assert!(opened.peer.is_some() && opened.plan.steps.is_empty());
    let config = Config { in_process: false, ..Config::default() };
    let error = sandbox::open(&LinkRequest::Auto, true, &config).err().expect("nothing is left");
    assert_eq!(
        error.to_string(),
        format!(
            "no link works here: no user namespace: user.max_user_namespaces is 0: allow it with `{ALLOW}`; \
             `strata doctor` tells more"
        )
    );
}

pub fn the_doctor_names_the_setting_that_forbids_user_namespaces() {
    forbid_user_namespaces();
    for subject in [Subject::Rung(Rung::OwnTap), Subject::Rung(Rung::OwnVeth), Subject::UserNamespaces] {
        let finding = finding(subject);
        assert_eq!((finding.works, finding.mend.as_deref()), (false, Some(ALLOW)), "{finding:?}");
    }
    assert!(finding(Subject::Rung(Rung::InProcess)).works);
}

fn finding(subject: Subject) -> sandbox::Finding {
    let all = sandbox::diagnose();
    all.into_iter().find(|finding| finding.subject == subject).expect("the doctor looks at everything")
}

pub fn the_doctor_finds_everything_well() {
    let before = ip("link");
    for rung in Rung::ALL {
        let finding = finding(Subject::Rung(rung));
        assert!(finding.works && finding.mend.is_none(), "{finding:?}");
    }
    assert!(finding(Subject::TunNode).works && finding(Subject::UserNamespaces).works);
    let several = std::thread::available_parallelism().is_ok_and(|count| count.get() > 1);
    assert_eq!(finding(Subject::Steering).works, several);
    assert_eq!(ip("link"), before, "and leaves nothing behind");
    assert!(finding(Subject::Rung(Rung::OwnVeth)).why.ends_with("the kernel answers at 192.0.2.1"));
}

pub fn the_doctor_names_what_is_missing() {
    let node = finding(Subject::TunNode);
    assert_eq!(node.works, strata::device::tap::node_opens().is_ok());
    let tap = finding(Subject::Rung(Rung::OwnTap));
    assert_eq!(tap.works, node.works, "{tap:?}");
    if !node.works {
        assert_eq!((&tap.why, &tap.mend), (&node.why, &node.mend));
        assert!(node.mend.is_some(), "{node:?}");
    }
    let steering = finding(Subject::Steering);
    assert_eq!((steering.works, steering.why.as_str()), (false, "needs root"));
    let present = finding(Subject::Rung(Rung::Present));
    assert!(!present.works && present.mend.is_some(), "{present:?}");
    for rung in [Rung::OwnVeth, Rung::InProcess] {
        let finding = finding(Subject::Rung(rung));
        assert!(finding.works, "{finding:?}");
    }
}
