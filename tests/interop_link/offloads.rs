//! Checksums and segments that are left to the other side of a link.

use crate::cases::*;
use crate::frames::*;
use std::net::UdpSocket;
use std::num::NonZeroU16;
use std::os::fd::AsRawFd;
use std::time::Duration;
use strata::device::{Device, offload};
use strata::frame::{Checksum, Offload};
use strata::runtime::sandbox::LinkRequest;

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

pub fn checksums_stay_partial_on_a_veth_pair() {
    checksums_stay_partial(veth().as_mut());
}

pub fn checksums_stay_partial_on_a_tap() {
    checksums_stay_partial(tap().as_mut());
}

pub fn frames_without_offloads_are_plain() {
    for request in [LinkRequest::Veth, LinkRequest::Tap { name: None }] {
        let mut device = without_offloads(request);
        let capabilities = device.capabilities();
        assert_eq!((capabilities.partial_checksum, capabilities.segmentation), (false, None));
        let (bytes, facts) = datagram_from_kernel(device.as_mut());
        assert!(facts == Offload::default() && udp_checksum_is_good(&bytes));
    }
}

pub fn partial_checksums_are_taken() {
    partial_checksums(veth().as_mut());
}

pub fn partial_checksums_are_taken_by_a_tap() {
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

pub fn the_kernel_sends_segments() {
    for request in [LinkRequest::Veth, LinkRequest::Tap { name: None }] {
        let mut device = without_offloads(request);
        exchange(device.as_mut());
        for (bytes, facts) in datagrams_of_one_call(device.as_mut(), &[1042, 1042, 542]) {
            assert!(facts == Offload::default() && udp_checksum_is_good(&bytes));
        }
    }
}

pub fn datagrams_of_a_super_frame_come_in_one() {
    datagrams_in_one(veth().as_mut());
}

pub fn datagrams_of_a_super_frame_come_in_one_from_a_tap() {
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

pub fn trains_of_datagrams_go_both_ways() {
    trains_go_both_ways(veth());
}

pub fn trains_of_datagrams_go_both_ways_through_a_tap() {
    trains_go_both_ways(tap());
}

pub fn trains_of_datagrams_go_both_ways_in_plain_frames() {
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
