//! The cases.

use crate::frames::*;
use crate::{As, Case};
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::num::NonZeroU16;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;
use strata::device::fault::{Fault, Spec};
use strata::device::packet::Packet;
use strata::device::tap::Tap;
use strata::device::{Batch, Device, offload};
use strata::frame::{Checksum, Offload};
use strata::runtime::sandbox::{self, Config, LinkRequest, Opened, Plan, Rung, Step, Subject};

macro_rules! cases {
    ($($as:ident $name:ident;)*) => {
        pub const CASES: &[Case] =
            &[$(Case { name: concat!(stringify!($as), "::", stringify!($name)), run_as: As::$as, run: $name },)*];
    };
}

cases! {
    Root a_tap_reaches_the_kernel;
    Root a_veth_pair_reaches_the_kernel;
    User a_veth_pair_reaches_the_kernel;
    User a_sandbox_without_a_tun_node_stands_on_a_veth_pair;
    Root a_sandbox_of_roots_stands_on_a_tap;
    Root auto_takes_a_tap_in_the_present_namespace;
    Root a_name_in_use_is_told;
    Root a_tap_that_is_set_up_already_is_left_as_it_is;
    Root a_tap_that_is_gone_is_told;
    User checksums_stay_partial_on_a_veth_pair;
    Root checksums_stay_partial_on_a_tap;
    Root frames_without_offloads_are_plain;
    User partial_checksums_are_taken;
    Root partial_checksums_are_taken_by_a_tap;
    Root the_kernel_sends_segments;
    User datagrams_of_a_super_frame_come_in_one;
    Root datagrams_of_a_super_frame_come_in_one_from_a_tap;
    User trains_of_datagrams_go_both_ways;
    Root trains_of_datagrams_go_both_ways_through_a_tap;
    Root trains_of_datagrams_go_both_ways_in_plain_frames;
    User super_frames_pass_whole;
    Root two_queues_share_the_connections;
    User tags_come_back;
    User frames_too_long_are_lost;
    User the_kernel_is_quiet;
    Root the_kernel_is_quiet_on_a_tap;
    User faults_wrap_a_real_device;
    Root a_raised_mtu_is_noticed;
    Root printed_commands_do_what_is_done;
    Root addresses_of_every_kind_are_set;
    User a_namespace_is_refused_once_threads_run;
    User children_live_in_the_namespace;
    User without_user_namespaces_the_link_ends_in_this_process;
    User the_doctor_names_the_setting_that_forbids_user_namespaces;
    Root the_doctor_finds_everything_well;
    User the_doctor_names_what_is_missing;
}

fn open(request: LinkRequest, sandbox: bool) -> Opened {
    sandbox::open(&request, sandbox, &Config::default()).unwrap_or_else(|error| panic!("{request}: {error}"))
}

/// A link whose every frame is as it is on a wire.
fn without_offloads(request: LinkRequest) -> Box<dyn Device> {
    let config = Config { offload: false, ..Config::default() };
    sandbox::open(&request, true, &config).unwrap_or_else(|error| panic!("{request}: {error}")).device
}

fn tap() -> Box<dyn Device> {
    open(LinkRequest::Tap { name: None }, true).device
}

fn veth() -> Box<dyn Device> {
    open(LinkRequest::Veth, true).device
}

fn exchange(device: &mut dyn Device) {
    send(device, arp_request());
    wait_for(device, "ARP reply", is_arp_reply);
    send(device, echo_request(1000));
    let (bytes, _) = wait_for(device, "echo reply", |bytes| is_echo_reply(bytes, 1000));
    assert_eq!(bytes[42..], [0x5a; 1000]);
}

fn a_tap_reaches_the_kernel() {
    let mut opened = open(LinkRequest::Tap { name: None }, true);
    assert_eq!(opened.standing.to_string(), "TAP strata0, MTU 1500 (rung 2 of 4: asked for)");
    let capabilities = opened.device.capabilities();
    assert_eq!(
        (capabilities.mtu, capabilities.partial_checksum, capabilities.segmentation),
        (1500, true, Some(65_535))
    );
    exchange(opened.device.as_mut());
}

fn a_veth_pair_reaches_the_kernel() {
    let mut opened = open(LinkRequest::Veth, true);
    assert_eq!(opened.standing.to_string(), "raw Ethernet on strata0-stack, MTU 1500 (rung 3 of 4: asked for)");
    assert_eq!(opened.standing.warnings, Vec::<String>::new());
    exchange(opened.device.as_mut());
}

fn a_sandbox_without_a_tun_node_stands_on_a_veth_pair() {
    let opened = open(LinkRequest::Auto, true);
    let Err(error) = strata::device::tap::node_opens() else {
        return assert_eq!(opened.standing.rung, Rung::OwnTap, "the tun node opens for this user");
    };
    assert_eq!(opened.standing.rung, Rung::OwnVeth);
    assert_eq!((opened.standing.why, opened.standing.lift), (error.reason(), error.mend()));
}

fn a_sandbox_of_roots_stands_on_a_tap() {
    let mut opened = open(LinkRequest::Auto, true);
    assert_eq!((opened.standing.rung, opened.standing.lift, opened.standing.enter), (Rung::OwnTap, None, None));
    exchange(opened.device.as_mut());
}

fn auto_takes_a_tap_in_the_present_namespace() {
    // Not in the machine's own namespace: the tests change nothing there.
    sandbox::enter(false).expect("root may");
    let mut opened = open(LinkRequest::Auto, false);
    assert_eq!(opened.standing.rung, Rung::Present);
    exchange(opened.device.as_mut());
    drop(opened);
    assert!(!ip("-brief link").contains("strata0"), "the TAP goes with its descriptor");
}

fn a_name_in_use_is_told() {
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

fn a_tap_that_is_set_up_already_is_left_as_it_is() {
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

fn a_tap_that_is_gone_is_told() {
    let mut device = open(LinkRequest::Tap { name: None }, true).device;
    ip("link delete dev strata0");
    let error = device.receive(strata::time::Instant::ZERO, &mut Batch::new(1)).expect_err("it is gone");
    assert_eq!(error.to_string(), "the interface strata0 is gone");
}

/// The kernel sends a datagram to the stack, whose MAC address it has just learned.
fn datagram_from_kernel(device: &mut dyn Device) -> (Vec<u8>, Offload) {
    exchange(device);
    let socket = UdpSocket::bind("192.0.2.1:5000").expect("the kernel has that address");
    socket.send_to(b"from the kernel", "192.0.2.2:9").expect("sent");
    wait_for(device, "datagram", |bytes| bytes.ends_with(b"from the kernel"))
}

fn udp_checksum_is_good(bytes: &[u8]) -> bool {
    let headers = etherparse::PacketHeaders::from_ethernet_slice(bytes).expect("a packet");
    let (Some(etherparse::NetHeaders::Ipv4(ip, _)), Some(etherparse::TransportHeader::Udp(udp))) =
        (headers.net, headers.transport)
    else {
        panic!("a datagram")
    };
    udp.calc_checksum_ipv4(&ip, headers.payload.slice()) == Ok(udp.checksum)
}

fn checksums_stay_partial(device: &mut dyn Device) {
    let (mut bytes, mut facts) = datagram_from_kernel(device);
    assert_eq!(facts.checksum, Checksum::Partial { start: 34, offset: 6 });
    assert!(!udp_checksum_is_good(&bytes));
    offload::finish_checksum(&mut bytes, &mut facts);
    assert!(udp_checksum_is_good(&bytes));
}

fn checksums_stay_partial_on_a_veth_pair() {
    checksums_stay_partial(veth().as_mut());
}

fn checksums_stay_partial_on_a_tap() {
    checksums_stay_partial(tap().as_mut());
}

fn frames_without_offloads_are_plain() {
    for request in [LinkRequest::Veth, LinkRequest::Tap { name: None }] {
        let mut device = without_offloads(request);
        let capabilities = device.capabilities();
        assert_eq!((capabilities.partial_checksum, capabilities.segmentation), (false, None));
        let (bytes, facts) = datagram_from_kernel(device.as_mut());
        assert!(facts == Offload::default() && udp_checksum_is_good(&bytes));
    }
}

fn partial_checksums_are_taken() {
    partial_checksums(veth().as_mut());
}

fn partial_checksums_are_taken_by_a_tap() {
    partial_checksums(tap().as_mut());
}

fn partial_checksums(device: &mut dyn Device) {
    exchange(device);
    let socket = UdpSocket::bind("192.0.2.1:5000").expect("the kernel has that address");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let mut buffer = [0; 2000];
    let mut partial = datagram(5000, b"partial");
    // What a stack leaves there: the sum of the pseudo-header (RFC 768), not complemented.
    let pseudo_header = strata::wire::checksum::Sum::pseudo_header(STACK.into(), KERNEL.into(), 17, 8 + 7).folded();
    partial[40..42].copy_from_slice(&pseudo_header.to_be_bytes());
    let facts = Offload { checksum: Checksum::Partial { start: 34, offset: 6 }, segment_size: None };
    send_with(device, partial.clone(), facts);
    assert_eq!(socket.recv(&mut buffer).map(|len| buffer[..len].to_vec()).expect("it came"), b"partial");
    send(device, datagram(5000, b"whole"));
    assert_eq!(socket.recv(&mut buffer).map(|len| buffer[..len].to_vec()).expect("it came"), b"whole");
    // The same bytes sent as if they were whole are damaged, and the kernel sees it.
    send(device, partial);
    send(device, datagram(5000, b"last"));
    assert_eq!(socket.recv(&mut buffer).map(|len| buffer[..len].to_vec()).expect("it came"), b"last");
}

/// A socket of the kernel's that sends datagrams of 1000 bytes, several of them in one call.
fn segmenting_socket() -> UdpSocket {
    let socket = UdpSocket::bind("192.0.2.1:5000").expect("the kernel has that address");
    let size: libc::c_int = 1000;
    // SAFETY: the kernel reads one `c_int`, which lives across the call.
    let set = unsafe {
        let len = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, (&raw const size).cast(), len)
    };
    assert_eq!(set, 0, "this kernel knows UDP_SEGMENT");
    socket
}

/// The kernel sends 2500 bytes in datagrams of 1000, handed to its link as one super-frame; gives what came, of `lens`
/// bytes.
fn datagrams_of_one_call(device: &mut dyn Device, lens: &[usize]) -> Vec<(Vec<u8>, Offload)> {
    let socket = segmenting_socket();
    socket.send_to(&[0x33; 2500], "192.0.2.2:9").expect("sent");
    let is_ours = |bytes: &[u8]| bytes.len() > 500 && bytes.ends_with(&[0x33; 500]);
    let count = |came: &[(Vec<u8>, Offload)]| came.iter().filter(|(bytes, _)| is_ours(bytes)).count();
    let mut came = collect(device, Duration::from_secs(5), |came| count(came) == lens.len());
    came.retain(|(bytes, _)| is_ours(bytes));
    assert_eq!(came.iter().map(|(bytes, _)| bytes.len()).collect::<Vec<_>>(), lens);
    came
}

fn the_kernel_sends_segments() {
    for request in [LinkRequest::Veth, LinkRequest::Tap { name: None }] {
        let mut device = without_offloads(request);
        exchange(device.as_mut());
        for (bytes, facts) in datagrams_of_one_call(device.as_mut(), &[1042, 1042, 542]) {
            assert!(facts == Offload::default() && udp_checksum_is_good(&bytes));
        }
    }
}

fn datagrams_of_a_super_frame_come_in_one() {
    datagrams_in_one(veth().as_mut());
}

fn datagrams_of_a_super_frame_come_in_one_from_a_tap() {
    datagrams_in_one(tap().as_mut());
}

fn datagrams_in_one(device: &mut dyn Device) {
    exchange(device);
    for (bytes, facts) in datagrams_of_one_call(device, &[2542]) {
        assert_eq!(facts.segment_size, NonZeroU16::new(1000));
        let pieces = offload::pieces(bytes, facts);
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| udp_checksum_is_good(piece)));
    }
}

fn trains_of_datagrams_go_both_ways() {
    trains_go_both_ways(veth());
}

fn trains_of_datagrams_go_both_ways_through_a_tap() {
    trains_go_both_ways(tap());
}

fn trains_of_datagrams_go_both_ways_in_plain_frames() {
    trains_go_both_ways(without_offloads(LinkRequest::Tap { name: None }));
}

fn trains_go_both_ways(device: Box<dyn Device>) {
    let driver = strata::runtime::Driver::start(strata::stack::Config::default(), 7, device, None).expect("a stack");
    let stack = strata::runtime::blocking::UdpSocket::bind(driver.host(), "192.0.2.2:9".parse().expect("an address"));
    let stack = stack.expect("a free port");
    stack.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let (kernel, to) = (segmenting_socket(), "192.0.2.1:5000".parse().expect("an address"));
    kernel.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let data: Vec<u8> = (0..2500u32).map(|i| (i * 7 + i / 251) as u8).collect();
    let mut buffer = [0; 4000];

    kernel.send_to(&data, "192.0.2.2:9").expect("sent");
    let mut len = 0;
    while len < data.len() {
        // In plain frames they may come one by one.
        let train = stack.recv_segments_from(&mut buffer[len..]).expect("a train");
        assert!((train.segment_size == 1000 || len == 2000) && train.from == to, "{train:?}");
        len += train.len;
    }
    assert_eq!(buffer[..len], data);
    kernel.send_to(&data, "192.0.2.2:9").expect("sent");
    for expected in data.chunks(1000) {
        assert_eq!(
            stack.recv_from(&mut buffer).map(|(len, from)| (buffer[..len].to_vec(), from)).ok(),
            Some((expected.to_vec(), to))
        );
    }

    assert_eq!(stack.send_segments_to(&data, 1000, to).expect("room"), 2500);
    for expected in data.chunks(1000) {
        let len = kernel.recv(&mut buffer).expect("a datagram");
        assert_eq!(&buffer[..len], expected);
    }
    driver.stop().expect("a device that works");
}

/// As many connections in each direction, over all queues.
const CONNECTIONS: usize = 60;
/// Longer than the kernel remembers on which queue a flow was answered.
const FORGOTTEN: Duration = Duration::from_millis(3_500);

/// Kernel clients on connections that every queue serves, connections and datagrams of our own from every queue, and
/// all of that again after the kernel has forgotten the flows: nobody is reset, nothing is lost.
fn two_queues_share_the_connections() {
    let config = Config { queues: 2, ..Config::default() };
    let opened = sandbox::open(&LinkRequest::Tap { name: None }, true, &config).expect("a TAP with two queues");
    let devices: Vec<_> = std::iter::once(opened.device).chain(opened.more).collect();
    assert_eq!(devices.len(), 2);
    let drivers = strata::runtime::Driver::start_queues(&strata::stack::Config::default(), 7, devices, Vec::new());
    let drivers = drivers.expect("a stack on each queue");
    let accepted = [0; 2].map(|_| std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    for (driver, accepted) in drivers.iter().zip(&accepted) {
        serve_echo(driver.host(), accepted.clone());
    }
    let kernel = std::net::TcpListener::bind("192.0.2.1:7").expect("the kernel has that address");
    std::thread::spawn(move || {
        for stream in kernel.incoming() {
            std::thread::spawn(move || {
                echo(stream.as_ref().expect("a connection"), stream.as_ref().expect("a connection"))
            });
        }
    });
    let theirs = (0..CONNECTIONS).map(|_| std::net::TcpStream::connect("192.0.2.2:7").expect("served"));
    let theirs: Vec<_> = theirs.collect();
    let to = "192.0.2.1:7".parse().expect("an address");
    let ours = (0..CONNECTIONS).map(|index| {
        strata::runtime::blocking::TcpStream::connect(drivers[index % 2].host(), to).expect("the kernel serves")
    });
    let ours: Vec<_> = ours.collect();
    for round in 0..2 {
        for stream in &theirs {
            there_and_back(stream, stream);
        }
        for stream in &ours {
            there_and_back(stream, stream);
        }
        if round == 0 {
            std::thread::sleep(FORGOTTEN);
        }
    }
    let shares = accepted.map(|count| count.load(std::sync::atomic::Ordering::Relaxed));
    assert!(shares[0] + shares[1] == CONNECTIONS && shares.iter().all(|share| *share > CONNECTIONS / 6), "{shares:?}");
    let unfinished: usize = drivers.iter().map(|driver| driver.host().unfinished_connections()).sum();
    assert_eq!(unfinished, 2 * CONNECTIONS, "none was reset");
    late_answers_come_back(&drivers);
}

fn serve_echo(host: &strata::runtime::Host, accepted: std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = strata::runtime::blocking::TcpListener::bind(host, "0.0.0.0:7".parse().expect("an address"));
    let listener = listener.expect("a free port");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            accepted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::thread::spawn(move || echo(&stream, &stream));
        }
    });
}

fn echo(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        to.write_all(&buffer[..len]).expect("the client reads");
    }
}

fn there_and_back(mut from: impl Read, mut to: impl Write) {
    let (data, mut back) = ([0x5a; 3000], [0; 3000]);
    to.write_all(&data).expect("the server reads");
    from.read_exact(&mut back).expect("the server answers");
    assert_eq!(back, data);
}

/// Of connections and datagrams that we began, the kernel speaks again when it has forgotten on which queue we did: half
/// of it comes to the wrong one.
fn late_answers_come_back(drivers: &[strata::runtime::Driver]) {
    let any = "0.0.0.0:0".parse().expect("an address");
    let server = std::net::TcpListener::bind("192.0.2.1:9").expect("the kernel has that address");
    let kernel = UdpSocket::bind("192.0.2.1:9").expect("the kernel has that address");
    let to = "192.0.2.1:9".parse().expect("an address");
    let (mut streams, mut sockets, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..16 {
        let host = drivers[index % drivers.len()].host();
        streams.push(strata::runtime::blocking::TcpStream::connect(host, to).expect("the kernel serves"));
        answers.push(server.accept().expect("our connection").0);
        let socket = strata::runtime::blocking::UdpSocket::bind(host, any).expect("a free port");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        socket.send_to(b"there", to).expect("room");
        sockets.push((socket, kernel.recv_from(&mut [0; 10]).expect("it came").1));
    }
    std::thread::sleep(FORGOTTEN);
    let mut buffer = [0; 4];
    for (answer, stream) in answers.iter_mut().zip(&mut streams) {
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        answer.write_all(b"late").expect("a connection that was not reset");
        stream.read_exact(&mut buffer).expect("it came");
    }
    for (socket, from) in &sockets {
        kernel.send_to(b"back", from).expect("a route");
        assert_eq!(socket.recv(&mut buffer).expect("it came"), 4);
    }
}

/// Packet sockets on both ends of a veth pair.
fn both_ends() -> (Box<dyn Device>, Packet) {
    let stack = veth();
    (stack, Packet::open("strata0", true).expect("the kernel's end is up"))
}

fn super_frames_pass_whole() {
    let (mut stack, mut kernel) = both_ends();
    let whole = segment(4000);
    let mut partial = whole.clone();
    let sum = strata::wire::checksum::Sum::pseudo_header(STACK.into(), KERNEL.into(), 6, 4020).folded();
    partial[50..52].copy_from_slice(&sum.to_be_bytes());
    let checksum = Checksum::Partial { start: 34, offset: 16 };
    let facts = Offload { checksum, segment_size: NonZeroU16::new(1448) };
    send_with(stack.as_mut(), partial.clone(), facts);
    let (bytes, got) = wait_for(&mut kernel, "super-frame", |bytes| bytes.len() > 1500);
    assert_eq!((got, &bytes), (facts, &partial));
    // One that is finished already cannot be left to the kernel, and leaves in pieces.
    send_with(stack.as_mut(), whole.clone(), Offload { checksum: Checksum::Full, ..facts });
    let is_piece = |bytes: &[u8]| bytes.len() > 500 && bytes[23] == 6 && bytes.len() < 1515;
    let pieces = collect(&mut kernel, Duration::from_secs(5), |came| {
        came.iter().filter(|(bytes, _)| is_piece(bytes)).count() == 3
    });
    let data: Vec<u8> =
        pieces.iter().filter(|(bytes, _)| is_piece(bytes)).flat_map(|(bytes, _)| bytes[54..].to_vec()).collect();
    assert_eq!(data, whole[54..]);
}

fn tags_come_back() {
    let (mut stack, mut kernel) = both_ends();
    let mut tagged = datagram(5000, b"behind a tag");
    tagged.splice(12..12, [0x81, 0, 0x20, 7]);
    send(stack.as_mut(), tagged.clone());
    let (bytes, _) = wait_for(&mut kernel, "tagged datagram", |bytes| bytes.ends_with(b"behind a tag"));
    assert_eq!(bytes, tagged);
}

fn frames_too_long_are_lost() {
    let mut device = veth();
    send(device.as_mut(), echo_request(4000));
    exchange(device.as_mut());
}

fn the_kernel_is_quiet() {
    let came = collect(veth().as_mut(), Duration::from_millis(1500), |_| false);
    assert_eq!(came, [], "a capture holds only what somebody asked for");
}

fn the_kernel_is_quiet_on_a_tap() {
    let mut device = tap();
    let came = collect(device.as_mut(), Duration::from_millis(1500), |_| false);
    assert_eq!(came, [], "a capture holds only what somebody asked for");
}

fn faults_wrap_a_real_device() {
    let mut device = Fault::new(veth(), "in corrupt 100%".parse::<strata::device::fault::Faults>().expect("parses"), 1);
    send(&mut device, arp_request());
    let came = collect(&mut device, Duration::from_secs(5), |came| !came.is_empty());
    assert!(
        !is_arp_reply(&came[0].0) || came[0].0[42..].iter().any(|byte| *byte != 0),
        "it came, with a bit turned over"
    );
    assert_eq!(device.counters().0.corrupted, 1);
    let mut device = Fault::new(veth_again(), "loss 100%".parse::<Spec>().expect("parses"), 1);
    send(&mut device, arp_request());
    assert_eq!(collect(&mut device, Duration::from_millis(300), |_| false), []);
}

/// Another socket on the stack's end of the pair.
fn veth_again() -> Packet {
    Packet::open("strata0-stack", true).expect("it is up")
}

fn a_raised_mtu_is_noticed() {
    let mut device = without_offloads(LinkRequest::Tap { name: None });
    exchange(device.as_mut());
    ip("link set dev strata0 mtu 4000");
    let socket = UdpSocket::bind("192.0.2.1:5000").expect("the kernel has that address");
    socket.send_to(&[0x44; 3000], "192.0.2.2:9").expect("sent");
    socket.send_to(&[0x44; 3001], "192.0.2.2:9").expect("sent");
    let (bytes, _) = wait_for(device.as_mut(), "long datagram", |bytes| bytes.ends_with(&[0x44; 100]));
    assert_eq!((bytes.len(), device.capabilities().mtu), (3043, 4000), "the one that was cut off is lost");
}

/// What `ip` says; the interface's index and the times are left out.
fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("iproute2 is installed for the tests");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn state_of_links() -> String {
    let shown = ["-d link show dev strata0", "-d link show dev lo", "address show dev strata0", "route", "-6 route"]
        .map(ip)
        .join("\n");
    let ping = std::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").expect("a setting");
    shown + &ping
}

fn printed_commands_do_what_is_done() {
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

fn addresses_of_every_kind_are_set() {
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

fn a_namespace_is_refused_once_threads_run() {
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

fn children_live_in_the_namespace() {
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

fn without_user_namespaces_the_link_ends_in_this_process() {
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

fn the_doctor_names_the_setting_that_forbids_user_namespaces() {
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

fn the_doctor_finds_everything_well() {
    let before = ip("link");
    for rung in Rung::ALL {
        let finding = finding(Subject::Rung(rung));
        assert!(finding.works && finding.mend.is_none(), "{finding:?}");
    }
    assert!(finding(Subject::TunNode).works && finding(Subject::UserNamespaces).works);
    assert_eq!(ip("link"), before, "and leaves nothing behind");
    assert!(finding(Subject::Rung(Rung::OwnVeth)).why.ends_with("the kernel answers at 192.0.2.1"));
}

fn the_doctor_names_what_is_missing() {
    let node = finding(Subject::TunNode);
    assert_eq!(node.works, strata::device::tap::node_opens().is_ok());
    let tap = finding(Subject::Rung(Rung::OwnTap));
    assert_eq!(tap.works, node.works, "{tap:?}");
    if !node.works {
        assert_eq!((&tap.why, &tap.mend), (&node.why, &node.mend));
        assert!(node.mend.is_some(), "{node:?}");
    }
    let present = finding(Subject::Rung(Rung::Present));
    assert!(!present.works && present.mend.is_some(), "{present:?}");
    for rung in [Rung::OwnVeth, Rung::InProcess] {
        let finding = finding(Subject::Rung(rung));
        assert!(finding.works, "{finding:?}");
    }
}
