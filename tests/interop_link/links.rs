//! Which link is found, and whether the kernel hears us over it.

use crate::big_tcp;
use crate::cases::*;
use std::process::Command;
use std::time::{Duration, Instant};
use strata::device::tap::Tap;
use strata::device::{Batch, Device};
use strata::runtime::Clock;
use strata::runtime::sandbox::{self, Config, LinkRequest, Rung, Step};

pub fn a_tap_reaches_the_kernel() {
    let mut opened = open(LinkRequest::Tap { name: None }, true);
    assert_eq!(opened.standing.to_string(), "TAP strata0, MTU 1500 (rung 2 of 4: asked for)");
    let capabilities = opened.device.capabilities();
    assert_eq!(
        (capabilities.mtu, capabilities.partial_checksum, capabilities.segmentation),
        (1500, true, Some(big_tcp::longest()))
    );
    exchange(opened.device.as_mut());
}

pub fn a_veth_pair_reaches_the_kernel() {
    let mut opened = open(LinkRequest::Veth, true);
    assert_eq!(opened.standing.to_string(), "raw Ethernet on strata0-stack, MTU 1500 (rung 3 of 4: asked for)");
    assert_eq!(opened.standing.warnings, Vec::<String>::new());
    exchange(opened.device.as_mut());
}

pub fn a_sandbox_without_a_tun_node_stands_on_a_veth_pair() {
    let opened = open(LinkRequest::Auto, true);
    let Err(error) = strata::device::tap::node_opens() else {
        return assert_eq!(opened.standing.rung, Rung::OwnTap, "the tun node opens for this user");
    };
    assert_eq!(opened.standing.rung, Rung::OwnVeth);
    assert_eq!((opened.standing.why, opened.standing.lift), (error.reason(), error.mend()));
}

pub fn a_sandbox_of_roots_stands_on_a_tap() {
    let mut opened = open(LinkRequest::Auto, true);
    assert_eq!((opened.standing.rung, opened.standing.lift, opened.standing.enter), (Rung::OwnTap, None, None));
    exchange(opened.device.as_mut());
}

pub fn auto_takes_a_tap_in_the_present_namespace() {
    // Not in the machine's own namespace: the tests change nothing there.
    sandbox::enter(false).expect("root may");
    let mut opened = open(LinkRequest::Auto, false);
    assert_eq!(opened.standing.rung, Rung::Present);
    exchange(opened.device.as_mut());
    drop(opened);
    assert!(!ip("-brief link").contains("strata0"), "the TAP goes with its descriptor");
}

pub fn a_name_in_use_is_told() {
    sandbox::enter(false).expect("root may");
    let first = open(LinkRequest::Auto, false);
    for request in [LinkRequest::Auto, LinkRequest::Tap { name: Some("strata0".into()) }] {
        let error = sandbox::open(&request, false, &Config::default()).err().expect("it is taken");
        assert_eq!(
            error.to_string(),
            "the interface strata0 is in use by another program: choose another name with `--link tap:NAME`"
        );
    }
    let error = Tap::open("lo", true).expect_err("lo is no TAP");
    assert_eq!(
        error.to_string(),
        "lo exists and is no TAP with as many queues: choose another name with `--link tap:NAME`"
    );
    drop(first);
}

pub fn a_tap_that_is_set_up_already_is_left_as_it_is() {
    sandbox::enter(false).expect("root may");
    ip("tuntap add dev mine mode tap");
    ip("link set dev mine address 02:00:00:00:00:01 mtu 1400 up");
    ip("address add 192.0.2.1/24 dev mine");
    let before = ip("address show dev mine").replace("NO-CARRIER,", "");
    let mut opened = open(LinkRequest::Tap { name: Some("mine".into()) }, false);
    assert_eq!(opened.device.describe(), "TAP mine, MTU 1400");
    assert_eq!(opened.plan.steps, [Step::OpenTap { name: "mine".into(), offload: true, queues: 1 }]);
    exchange(opened.device.as_mut());
    let addresses =
        |text: &str| text.lines().filter(|line| line.contains("inet ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(addresses(&ip("address show dev mine")), addresses(&before));
    drop(opened);
    assert!(ip("-brief link").contains("mine"), "it was persistent, and stays");
}

pub fn a_tap_that_is_gone_is_told() {
    let mut device = open(LinkRequest::Tap { name: None }, true).device;
    ip("link delete dev strata0");
    let error = device.receive(strata::time::Instant::ZERO, &mut Batch::new(1)).expect_err("it is gone");
    assert_eq!(error.to_string(), "the interface strata0 is gone");
}

/// On which processors the kernel receives from an interface of this namespace.
fn processors(interface: &str) -> u32 {
    let mask = shell(&format!("cat {}", rps_cpus(interface)));
    u32::from_str_radix(mask.trim(), 16).expect("a mask of at most 32 processors")
}

fn rps_cpus(interface: &str) -> String {
    format!("/sys/class/net/{interface}/queues/rx-0/rps_cpus")
}

/// Those on which this thread may run.
fn allowed() -> u32 {
    let allowed = rustix::thread::sched_getaffinity(None).expect("where this thread may run");
    (0..32).filter(|processor| allowed.is_set(*processor)).map(|processor| 1 << processor).sum()
}

/// With what this namespace has of `/sys`.
fn shell(command: &str) -> String {
    let command = format!("mount -t sysfs sysfs /sys && {command}");
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &command]).output().expect("util-linux");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Sends nothing for a window and a half, in which this thread is busy with that or sleeps.
fn pass_time(device: &mut dyn Device, busy: bool) {
    let (clock, began) = (Clock::real(), Instant::now());
    while began.elapsed() < Duration::from_millis(15) {
        device.transmit(clock.now(), &mut [].into()).expect("nothing to send");
        if !busy {
            std::thread::sleep(Duration::from_millis(15));
        }
    }
}

/// The same until the kernel receives on so many processors. Others may have ours meanwhile, and so it takes patience.
fn until_received_on(count: u32, device: &mut dyn Device, busy: bool) {
    let began = Instant::now();
    while processors("strata0").count_ones() != count {
        assert!(began.elapsed() < Duration::from_secs(20), "not {count}, but {:b}", processors("strata0"));
        pass_time(device, busy);
    }
}

pub fn a_busy_stack_tries_whether_the_kernel_should_receive_elsewhere() {
    let mut opened = open(LinkRequest::Tap { name: None }, true);
    assert!(opened.plan.steps.contains(&Step::Steer { name: "strata0".into() }));
    assert_eq!(opened.standing.warnings, Vec::<String>::new());
    let device = opened.device.as_mut();
    exchange(device);
    assert_eq!(processors("strata0"), 0, "at first it is not");
    until_received_on(allowed().count_ones() - 1, device, true);
    exchange(device);
    until_received_on(0, device, false);
}

pub fn processors_that_somebody_chose_stay() {
    sandbox::enter(false).expect("root may");
    std::fs::write("/proc/sys/net/core/rps_default_mask", "1").expect("root may");
    let mut opened = open(LinkRequest::Tap { name: None }, false);
    assert_eq!(processors("strata0"), 1);
    for _ in 0..10 {
        pass_time(opened.device.as_mut(), true);
        assert_eq!(processors("strata0"), 1);
    }
}

pub fn an_ordinary_user_chooses_no_processors() {
    // Who may not is not told that it failed.
    let steps = sandbox::plan(Rung::OwnTap, &Config::default()).steps;
    assert!(!steps.iter().any(|step| matches!(step, Step::Steer { .. })));
    sandbox::enter(true).expect("user namespaces are allowed");
    let steps = sandbox::plan(Rung::Present, &Config::default()).steps;
    assert!(!steps.iter().any(|step| matches!(step, Step::Steer { .. })));
}
