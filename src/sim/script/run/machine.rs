//! The stack under test, its clock, and a router that answers for everybody else on its link.

use super::inbound::Handed;
use super::{Options, Stop};
use crate::device::offload;
use crate::event::Observer;
use crate::frame::{Offload, Received};
use crate::stack::{Config, Stack};
use crate::time::Instant;
use crate::wire::{MacAddress, arp, ethernet};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;

/// When scripts begin: late enough that nothing lies before the beginning of time.
const BEGINNING: Instant = Instant::from_secs(1_000);

const ROUTER: MacAddress = MacAddress([0x02, 0, 0, 0, 0, 0xfe]);

/// So many frames at one instant come out of no stack that is well.
const MAX_FRAMES_AT_ONCE: usize = 100_000;

pub struct Machine {
    pub stack: Stack,
    pub now: Instant,
    beginning: Instant,
    mac: MacAddress,
    address: Ipv4Addr,
    /// IP packets that the stack has sent and no event has looked at, with their times.
    outbound: VecDeque<(Instant, Vec<u8>)>,
    /// How many packets may still come in, and deadlines pass.
    steps: u32,
}

impl Machine {
    pub fn new(
        config: Config,
        address: Ipv4Addr,
        options: &Options,
        observer: Option<Box<dyn Observer>>,
    ) -> Result<Machine, Stop> {
        let beginning = BEGINNING + options.uptime;
        let mac = MacAddress(config.mac);
        let mut stack = Stack::new(config, 9293);
        stack.set_observer(observer);
        let (outbound, steps) = (VecDeque::new(), options.most_steps);
        let mut machine = Machine { stack, now: beginning, beginning, mac, address, outbound, steps };
        machine.stack.start(beginning);
        machine.drain()?;
        Ok(machine)
    }

    pub fn beginning(&self) -> Instant {
        self.beginning
    }

    /// Collects what the stack sends now, and answers its ARP requests.
    pub fn drain(&mut self) -> Result<(), Stop> {
        for _ in 0..MAX_FRAMES_AT_ONCE {
            let Some(frame) = self.stack.poll_transmit(self.now) else {
                while self.stack.poll_wakeup().is_some() {}
                return Ok(());
            };
            for bytes in offload::pieces_of(&frame) {
                match ethernet::Header::parse(&bytes) {
                    Ok((header, payload)) if header.ether_type == ethernet::ether_type::ARP => self.answer(payload),
                    Ok((_, payload)) => self.outbound.push_back((self.now, payload.to_vec())),
                    Err(error) => return Err(Stop::failed("an Ethernet frame", error)),
                }
            }
        }
        Err(Stop::failed("a stack that comes to rest", "frames without end at one instant"))
    }

    fn answer(&mut self, request: &[u8]) {
        let Ok((request, _)) = arp::Packet::parse(request) else { return };
        let about_itself = request.target_ip == self.address || request.sender_ip == request.target_ip;
        if request.operation == arp::Operation::Reply || about_itself || request.sender_ip.is_unspecified() {
            return;
        }
        let reply = arp::Packet {
            operation: arp::Operation::Reply,
            sender_mac: ROUTER,
            sender_ip: request.target_ip,
            target_mac: self.mac,
            target_ip: self.address,
        };
        let bytes = reply.emit(<[u8]>::to_vec);
        self.handle(ethernet::ether_type::ARP, &bytes, None);
    }

    fn handle(&mut self, ether_type: u16, payload: &[u8], segment_size: Option<NonZeroU16>) {
        let mut bytes = [self.mac.0, ROUTER.0].concat();
        bytes.extend_from_slice(&ether_type.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.stack.handle_frame(
            self.now,
            Received { bytes: &bytes, offload: Offload { segment_size, ..Offload::default() } },
        );
    }

    /// Hands IP packets to the stack, which it answers when it has them all.
    pub fn inject(&mut self, packets: &[Handed]) -> Result<(), Stop> {
        self.count(packets.len())?;
        for Handed { bytes, segment_size } in packets {
            self.handle(ethernet::ether_type::IPV4, bytes, *segment_size);
        }
        self.drain()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.stack.next_deadline()
    }

    /// Goes to `at`, which no deadline lies before, and does what is due there.
    pub fn arrive(&mut self, at: Instant) -> Result<(), Stop> {
        self.count(1)?;
        self.now = self.now.max(at);
        self.stack.handle_timeout(self.now);
        self.drain()
    }

    fn count(&mut self, steps: usize) -> Result<(), Stop> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.steps.checked_sub(steps));
        self.steps = left.ok_or_else(|| Stop::unsupported("a script of so many packets and deadlines"))?;
        Ok(())
    }

    pub fn next_packet(&mut self) -> Option<(Instant, Vec<u8>)> {
        self.outbound.pop_front()
    }
}
