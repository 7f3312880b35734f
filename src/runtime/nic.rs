//! A host's network interface: its device, with the frames on their way in and out.

use super::host::{Host, Outgoing};
use crate::device::{Batch, Device};
use crate::time::{Instant, earliest};
use std::io;
use std::os::fd::BorrowedFd;
use std::task::Waker;

/// How many frames are read before they are handled.
const BATCH: usize = 64;

/// A device and its queues; whoever owns it takes the turns.
pub struct Nic {
    device: Box<dyn Device>,
    arrived: Batch,
    outgoing: Outgoing,
}

/// What a turn leaves behind.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Frames moved or somebody was woken.
    pub busy: bool,
    /// Another turn would find nothing to do until something happens: the driver may sleep.
    pub idle: bool,
    /// The device takes no more for now.
    pub blocked: bool,
    /// When the next turn is due even if nothing happens before.
    pub deadline: Option<Instant>,
}

/// What the first half of a turn found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// A frame came, or somebody was woken.
    pub any: bool,
    /// The device may hold more.
    pub full: bool,
}

impl Nic {
    pub fn new(device: Box<dyn Device>) -> Nic {
        Nic { device, arrived: Batch::new(BATCH), outgoing: Outgoing::default() }
    }

    pub fn device(&self) -> &dyn Device {
        self.device.as_ref()
    }

    /// One turn of `host` on this device: receive, then transmit. Never waits.
    pub fn turn(&mut self, host: &Host) -> io::Result<Turn> {
        let arrival = self.receive(host)?;
        let turn = self.transmit(host)?;
        Ok(Turn { busy: arrival.any || turn.busy, idle: turn.idle && !arrival.full, ..turn })
    }

    /// The first half of a turn: takes in what has arrived, and wakes whom that concerns.
    pub(super) fn receive(&mut self, host: &Host) -> io::Result<Arrival> {
        self.arrived.clear();
        self.device.receive(host.now(), &mut self.arrived)?;
        let wakers = host.handle(&mut self.arrived);
        let any = !self.arrived.is_empty() || !wakers.is_empty();
        wakers.into_iter().for_each(Waker::wake);
        Ok(Arrival { any, full: self.arrived.is_full() })
    }

    /// The second half: sends what that, and the applications since, have brought about.
    pub(super) fn transmit(&mut self, host: &Host) -> io::Result<Turn> {
        let exchange = host.collect(&mut self.outgoing, &mut self.arrived);
        let waiting = self.outgoing.frames.len();
        if waiting > 0 || self.device.next_deadline().is_some() {
            self.device.transmit(exchange.now, &mut self.outgoing.frames)?;
            self.outgoing.taken();
        }
        let busy = !exchange.wakers.is_empty() || self.outgoing.frames.len() < waiting;
        exchange.wakers.into_iter().for_each(Waker::wake);
        let deadline = earliest([exchange.deadline, self.device.next_deadline()]);
        Ok(Turn { busy, idle: exchange.idle, blocked: !self.outgoing.frames.is_empty(), deadline })
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.device.descriptor()
    }
}
