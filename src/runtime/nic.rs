//! A host's network interface: its device, with the frames on their way in and out.

use super::host::{FRAMES_A_TURN, Host};
use crate::device::{Batch, Device};
use crate::frame::Frame;
use crate::time::Instant;
use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::task::Waker;

/// How many frames are read before they are handled.
const BATCH: usize = 64;

/// A device and its queues; whoever owns it takes the turns.
pub struct Nic {
    device: Box<dyn Device>,
    arrived: Batch,
    outgoing: VecDeque<Frame>,
}

/// What a turn leaves behind.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Frames moved or somebody was woken: another turn may find more to do.
    pub busy: bool,
    /// The device takes no more for now.
    pub blocked: bool,
    /// When the next turn is due even if nothing happens before.
    pub deadline: Option<Instant>,
}

impl Nic {
    pub fn new(device: Box<dyn Device>) -> Nic {
        Nic { device, arrived: Batch::new(BATCH), outgoing: VecDeque::with_capacity(FRAMES_A_TURN) }
    }

    pub fn device(&self) -> &dyn Device {
        self.device.as_ref()
    }

    /// One turn of `host` on this device: receive, handle, transmit, wake. Never waits.
    pub fn turn(&mut self, host: &Host) -> io::Result<Turn> {
        self.arrived.clear();
        self.device.receive(host.now(), &mut self.arrived)?;
        let exchange = host.exchange(&self.arrived, &mut self.outgoing);
        let waiting = self.outgoing.len();
        if waiting > 0 || self.device.next_deadline().is_some() {
            self.device.transmit(host.now(), &mut self.outgoing)?;
        }
        let woke = !exchange.wakers.is_empty();
        exchange.wakers.into_iter().for_each(Waker::wake);
        let deadline = [exchange.deadline, self.device.next_deadline()].into_iter().flatten().min();
        let moved = !self.arrived.is_empty() || self.outgoing.len() < waiting;
        Ok(Turn { busy: moved || woke, blocked: !self.outgoing.is_empty(), deadline })
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.device.descriptor()
    }
}
