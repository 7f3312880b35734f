//! A TAP with offloads for smoltcp, which ships without one: our device under its `phy` traits.

use smoltcp::phy::{self, Checksum, ChecksumCapabilities, DeviceCapabilities, Medium, PacketMeta};
use smoltcp::time::Instant;
use std::cell::RefCell;
use std::io::{IoSlice, IoSliceMut};
use std::num::{NonZeroU16, NonZeroUsize};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use strata::device::Device;

const VIRTIO: usize = 10;
/// The Ethernet and IPv4 headers before TCP's.
const TCP: usize = 34;
const SUPER_FRAME: usize = 65_000;

pub struct Offloading {
    device: Box<dyn Device>,
    received: Vec<u8>,
    sent: RefCell<Vec<u8>>,
}

impl Offloading {
    pub fn new(device: Box<dyn Device>) -> Offloading {
        Offloading { device, received: vec![0; 70_000], sent: RefCell::new(vec![0; 70_000]) }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.device.descriptor().expect("a TAP has one")
    }

    fn sender(&self) -> Sender<'_> {
        Sender { tap: self.descriptor(), buffer: &self.sent, segment_size: None }
    }
}

impl AsRawFd for Offloading {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor().as_raw_fd()
    }
}

pub struct Receiver<'a>(&'a [u8]);

pub struct Sender<'a> {
    tap: BorrowedFd<'a>,
    buffer: &'a RefCell<Vec<u8>>,
    segment_size: Option<NonZeroU16>,
}

impl phy::RxToken for Receiver<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl phy::TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut buffer = self.buffer.borrow_mut();
        let frame = &mut buffer[..len];
        let result = f(frame);
        let mut virtio = [0; VIRTIO];
        if frame[12..14] == [8, 0] && frame[23] == 6 {
            // NEEDS_CSUM; it leaves the field as it was.
            virtio[0] = 1;
            virtio[6..8].copy_from_slice(&(TCP as u16).to_ne_bytes());
            virtio[8..10].copy_from_slice(&16u16.to_ne_bytes());
            let pseudo = pseudo_header_sum(frame);
            frame[TCP + 16..TCP + 18].copy_from_slice(&pseudo.to_be_bytes());
            let header = TCP + usize::from(frame[TCP + 12] >> 4) * 4;
            if let Some(size) = self.segment_size.filter(|size| len - header > usize::from(size.get())) {
                virtio[1] = 1;
                virtio[2..4].copy_from_slice(&(header as u16).to_ne_bytes());
                virtio[4..6].copy_from_slice(&size.get().to_ne_bytes());
            }
        }
        let _lost = rustix::io::writev(self.tap, &[IoSlice::new(&virtio), IoSlice::new(frame)]);
        result
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.segment_size = meta.segmentation_offload_size;
    }
}

fn pseudo_header_sum(frame: &[u8]) -> u16 {
    let source: [u8; 4] = frame[26..30].try_into().expect("four bytes");
    let destination: [u8; 4] = frame[30..34].try_into().expect("four bytes");
    strata::wire::checksum::Sum::pseudo_header(source.into(), destination.into(), 6, frame.len() - TCP).folded()
}

impl phy::Device for Offloading {
    type RxToken<'a> = Receiver<'a>;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Receiver<'_>, Sender<'_>)> {
        let mut header = [0; VIRTIO];
        let tap = self.device.descriptor().expect("a TAP has one");
        let mut pieces = [IoSliceMut::new(&mut header), IoSliceMut::new(&mut self.received)];
        let len = rustix::io::readv(tap, &mut pieces).ok()?;
        let sender = Sender { tap, buffer: &self.sent, segment_size: None };
        Some((Receiver(&self.received[..len - VIRTIO]), sender))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender<'_>> {
        Some(self.sender())
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities.checksum = ChecksumCapabilities::default();
        capabilities.checksum.tcp = Checksum::None;
        // What the kernel leaves open in a datagram is not there to be verified.
        capabilities.checksum.udp = Checksum::Tx;
        capabilities.segmentation.tcpv4 = NonZeroUsize::new(SUPER_FRAME);
        capabilities
    }
}
