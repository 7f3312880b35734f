//! What passes a link and what does not, and what the kernel says by itself.

use crate::cases::*;
use crate::frames::*;
use std::net::UdpSocket;
use std::num::NonZeroU16;
use std::time::Duration;
use strata::device::Device;
use strata::device::fault::{Fault, Spec};
use strata::device::packet::Packet;
use strata::frame::{Checksum, Offload};
use strata::runtime::sandbox::LinkRequest;

/// Packet sockets on both ends of a veth pair.
fn both_ends() -> (Box<dyn Device>, Packet) {
    let stack = veth();
    (stack, Packet::open("strata0", true).expect("the kernel's end is up"))
}

pub fn super_frames_pass_whole() {
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

pub fn tags_come_back() {
    let (mut stack, mut kernel) = both_ends();
    let mut tagged = datagram(5000, b"behind a tag");
    tagged.splice(12..12, [0x81, 0, 0x20, 7]);
    send(stack.as_mut(), tagged.clone());
    let (bytes, _) = wait_for(&mut kernel, "tagged datagram", |bytes| bytes.ends_with(b"behind a tag"));
    assert_eq!(bytes, tagged);
}

pub fn frames_too_long_are_lost() {
    let mut device = veth();
    send(device.as_mut(), echo_request(4000));
    exchange(device.as_mut());
}

pub fn the_kernel_is_quiet() {
    let came = collect(veth().as_mut(), Duration::from_millis(1500), |_| false);
    assert_eq!(came, [], "a capture holds only what somebody asked for");
}

pub fn the_kernel_is_quiet_on_a_tap() {
    let mut device = tap();
    let came = collect(device.as_mut(), Duration::from_millis(1500), |_| false);
    assert_eq!(came, [], "a capture holds only what somebody asked for");
}

pub fn faults_wrap_a_real_device() {
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

pub fn a_raised_mtu_is_noticed() {
    let mut device = without_offloads(LinkRequest::Tap { name: None });
    exchange(device.as_mut());
    ip("link set dev strata0 mtu 4000");
    let socket = UdpSocket::bind("192.0.2.1:5000").expect("the kernel has that address");
    socket.send_to(&[0x44; 3000], "192.0.2.2:9").expect("sent");
    socket.send_to(&[0x44; 3001], "192.0.2.2:9").expect("sent");
    let (bytes, _) = wait_for(device.as_mut(), "long datagram", |bytes| bytes.ends_with(&[0x44; 100]));
    assert_eq!((bytes.len(), device.capabilities().mtu), (3043, 4000), "the one that was cut off is lost");
}
