//! Sequence numbers relative to each connection's first, so that people can follow them.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many directions are remembered.
const MAX_FLOWS: usize = 8192;

/// One direction of a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Flow {
    pub source: (IpAddr, u16),
    pub destination: (IpAddr, u16),
}

impl Flow {
    fn reversed(self) -> Flow {
        Flow { source: self.destination, destination: self.source }
    }
}

/// Where each direction's numbers begin: at its SYN, or at what was seen first.
#[derive(Default, Debug)]
pub(super) struct Sequences {
    first: BTreeMap<Flow, u32>,
}

/// A segment's numbers counted from the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Relative {
    pub seq: u32,
    pub ack: u32,
}

impl Sequences {
    pub(super) fn relative(&mut self, flow: Flow, header: &crate::wire::tcp::Header) -> Relative {
        if header.flags.syn() {
            self.insert(flow, header.seq);
        }
        let first = self.first_of(flow, header.seq);
        let ack = if header.flags.ack() {
            // Whoever joins late takes it that the other side's SYN is all that was acknowledged.
            header.ack.wrapping_sub(self.first_of(flow.reversed(), header.ack.wrapping_sub(1)))
        } else {
            0
        };
        Relative { seq: header.seq.wrapping_sub(first), ack }
    }

    fn first_of(&mut self, flow: Flow, otherwise: u32) -> u32 {
        if let Some(first) = self.first.get(&flow) {
            return *first;
        }
        self.insert(flow, otherwise);
        otherwise
    }

    fn insert(&mut self, flow: Flow, first: u32) {
        if self.first.len() >= MAX_FLOWS && !self.first.contains_key(&flow) {
            self.first.pop_first();
        }
        self.first.insert(flow, first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tcp::{Flags, Header};

    fn flow(port: u16) -> Flow {
        Flow { source: (IpAddr::from([192, 0, 2, 1]), port), destination: (IpAddr::from([192, 0, 2, 2]), 80) }
    }

    #[test]
    fn numbers_count_from_the_syn_across_the_wrap() {
        let mut sequences = Sequences::default();
        let syn = Header { seq: u32::MAX, flags: Flags::SYN, ..Header::default() };
        assert_eq!(sequences.relative(flow(1), &syn), Relative { seq: 0, ack: 0 });
        let syn_ack = Header { seq: 7, ack: 0, flags: Flags::SYN | Flags::ACK, ..Header::default() };
        assert_eq!(sequences.relative(flow(1).reversed(), &syn_ack), Relative { seq: 0, ack: 1 });
        let data = Header { seq: 99, ack: 8, flags: Flags::ACK, ..Header::default() };
        assert_eq!(sequences.relative(flow(1), &data), Relative { seq: 100, ack: 1 });
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut sequences = Sequences::default();
        let ack = Header { flags: Flags::ACK, ..Header::default() };
        (0..=u16::MAX).for_each(|port| {
            sequences.relative(flow(port), &ack);
        });
        assert_eq!(sequences.first.len(), MAX_FLOWS);
    }
}
