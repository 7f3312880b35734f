//! The cases, and what they begin with.

use crate::frames::*;
use crate::{As, Case, big_tcp, links, namespaces, offloads, queues, traffic};
use std::process::Command;
use strata::device::Device;
use strata::runtime::sandbox::{self, Config, LinkRequest, Opened};

macro_rules! cases {
    ($($as:ident $room:ident::$name:ident;)*) => {
        pub const CASES: &[Case] =
            &[$(Case { name: concat!(stringify!($as), "::", stringify!($name)), run_as: As::$as, run: $room::$name },)*];
    };
}

cases! {
    Root links::a_tap_reaches_the_kernel;
    Root links::a_veth_pair_reaches_the_kernel;
    User links::a_veth_pair_reaches_the_kernel;
    User links::a_sandbox_without_a_tun_node_stands_on_a_veth_pair;
    Root links::a_sandbox_of_roots_stands_on_a_tap;
    Root links::auto_takes_a_tap_in_the_present_namespace;
    Root links::a_name_in_use_is_told;
    Root links::a_tap_that_is_set_up_already_is_left_as_it_is;
    Root links::a_tap_that_is_gone_is_told;
    Root links::a_busy_stack_tries_whether_the_kernel_should_receive_elsewhere;
    Root links::processors_that_somebody_chose_stay;
    User links::an_ordinary_user_chooses_no_processors;
    User offloads::checksums_stay_partial_on_a_veth_pair;
    Root offloads::checksums_stay_partial_on_a_tap;
    Root offloads::frames_without_offloads_are_plain;
    User offloads::partial_checksums_are_taken;
    Root offloads::partial_checksums_are_taken_by_a_tap;
    Root offloads::the_kernel_sends_segments;
    User offloads::datagrams_of_a_super_frame_come_in_one;
    Root offloads::datagrams_of_a_super_frame_come_in_one_from_a_tap;
    User offloads::trains_of_datagrams_go_both_ways;
    Root offloads::trains_of_datagrams_go_both_ways_through_a_tap;
    Root offloads::trains_of_datagrams_go_both_ways_in_plain_frames;
    User traffic::super_frames_pass_whole;
    Root big_tcp::long_trains_reach_the_kernel;
    Root big_tcp::who_passes_frames_on_gets_short_trains;
    Root queues::two_queues_share_the_connections;
    Root queues::two_queues_with_their_tasks_beside_them;
    User traffic::tags_come_back;
    User traffic::frames_too_long_are_lost;
    User traffic::the_kernel_is_quiet;
    Root traffic::the_kernel_is_quiet_on_a_tap;
    User traffic::faults_wrap_a_real_device;
    Root traffic::a_raised_mtu_is_noticed;
    Root namespaces::printed_commands_do_what_is_done;
    Root namespaces::addresses_of_every_kind_are_set;
    User namespaces::a_namespace_is_refused_once_threads_run;
    User namespaces::children_live_in_the_namespace;
    User namespaces::without_user_namespaces_the_link_ends_in_this_process;
    User namespaces::the_doctor_names_the_setting_that_forbids_user_namespaces;
    Root namespaces::the_doctor_finds_everything_well;
    User namespaces::the_doctor_names_what_is_missing;
}

pub fn open(request: LinkRequest, sandbox: bool) -> Opened {
    sandbox::open(&request, sandbox, &Config::default()).unwrap_or_else(|error| panic!("{request}: {error}"))
}

/// A link whose every frame is as it is on a wire.
pub fn without_offloads(request: LinkRequest) -> Box<dyn Device> {
    let config = Config { offload: false, ..Config::default() };
    sandbox::open(&request, true, &config).unwrap_or_else(|error| panic!("{request}: {error}")).device
}

pub fn tap() -> Box<dyn Device> {
    open(LinkRequest::Tap { name: None }, true).device
}

pub fn veth() -> Box<dyn Device> {
    open(LinkRequest::Veth, true).device
}

pub fn exchange(device: &mut dyn Device) {
    send(device, arp_request());
    wait_for(device, "ARP reply", is_arp_reply);
    send(device, echo_request(1000));
    let (bytes, _) = wait_for(device, "echo reply", |bytes| is_echo_reply(bytes, 1000));
    assert_eq!(bytes[42..], [0x5a; 1000]);
}

/// What `ip` says; the interface's index and the times are left out.
pub fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("iproute2 is installed for the tests");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
