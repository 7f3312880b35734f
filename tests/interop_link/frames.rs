//! Frames by hand, and waiting for them.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use strata::device::{Batch, Device};
use strata::frame::{Frame, FrameId, Offload, Payload};

pub const STACK_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const KERNEL_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const STACK: [u8; 4] = [192, 0, 2, 2];
pub const KERNEL: [u8; 4] = [192, 0, 2, 1];

const NOW: strata::time::Instant = strata::time::Instant::ZERO;

/// Who has the kernel's address?
pub fn arp_request() -> Vec<u8> {
    let head: &[&[u8]] = &[&[0xff; 6], &STACK_MAC, &[8, 6], &[0, 1, 8, 0, 6, 4, 0, 1]];
    [head, &[&STACK_MAC, &STACK, &[0; 6], &KERNEL]].concat().concat()
}

/// The kernel's answer to [`arp_request`].
pub fn is_arp_reply(bytes: &[u8]) -> bool {
    let expected: &[&[u8]] = &[&STACK_MAC, &KERNEL_MAC, &[8, 6], &[0, 1, 8, 0, 6, 4, 0, 2], &KERNEL_MAC, &KERNEL];
    bytes.starts_with(&expected.concat())
}

/// The beginning of a packet from the stack to the kernel.
fn to_kernel() -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    etherparse::PacketBuilder::ethernet2(STACK_MAC, KERNEL_MAC).ipv4(STACK, KERNEL, 64)
}

pub fn echo_request(len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    to_kernel().icmpv4_echo_request(7, 1).write(&mut bytes, &vec![0x5a; len]).expect("a vector takes everything");
    bytes
}

pub fn is_echo_reply(bytes: &[u8], len: usize) -> bool {
    bytes.len() == 14 + 20 + 8 + len && bytes[12..14] == [8, 0] && bytes[23] == 1 && bytes[34..36] == [0, 0]
}

/// A datagram to a port of the kernel's, with a right checksum.
pub fn datagram(port: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    to_kernel().udp(4000, port).write(&mut bytes, data).expect("a vector takes everything");
    bytes
}

/// A TCP segment from the stack, with a right checksum.
pub fn segment(len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    to_kernel().tcp(4000, 80, 1000, 4096).ack(1).write(&mut bytes, &data).expect("a vector takes everything");
    bytes
}

pub fn send_with(device: &mut dyn Device, bytes: Vec<u8>, offload: Offload) {
    // As the stack does: headers in headroom, payload behind.
    let split = bytes.len().min(54);
    let mut frame = Frame::new(FrameId(1), Payload::from(bytes[split..].to_vec()));
    frame.prepend(&bytes[..split]);
    frame.offload = offload;
    let mut frames = VecDeque::from([frame]);
    device.transmit(NOW, &mut frames).expect("the device takes frames");
    assert!(frames.is_empty(), "the device has room");
}

pub fn send(device: &mut dyn Device, bytes: Vec<u8>) {
    send_with(device, bytes, Offload::default());
}

/// Everything that comes until `enough` says so or the time is over.
pub fn collect(
    device: &mut dyn Device,
    time: Duration,
    mut enough: impl FnMut(&[(Vec<u8>, Offload)]) -> bool,
) -> Vec<(Vec<u8>, Offload)> {
    let end = Instant::now() + time;
    let mut came = Vec::new();
    while !enough(&came) && Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let fd = device.descriptor().expect("the kernel knows this device");
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).expect("polled");
        let mut batch = Batch::new(64);
        device.receive(NOW, &mut batch).expect("the device hands frames over");
        came.extend(batch.iter().map(|frame| (frame.bytes.to_vec(), frame.offload)));
    }
    came
}

/// The first frame that `wanted` is meant for.
pub fn wait_for(device: &mut dyn Device, what: &str, wanted: impl Fn(&[u8]) -> bool) -> (Vec<u8>, Offload) {
    let came = collect(device, Duration::from_secs(5), |came| came.iter().any(|(bytes, _)| wanted(bytes)));
    came.into_iter().find(|(bytes, _)| wanted(bytes)).unwrap_or_else(|| panic!("no {what} came"))
}
