//! Between the numbers of a capture and those of a script.

use super::capture::Seen;
use crate::sim::script::syntax::{Tcp, TcpOption};
use std::collections::BTreeSet;
use std::net::SocketAddr;

const SYN: u16 = 0x002;

/// The first timestamp of each side in the script.
const FIRST_TIMESTAMP: u32 = 1_000;

/// What the script's numbers count from, for either side.
pub(super) struct Numbers {
    ours: Start,
    theirs: Start,
    /// Timestamps of ours that the script has shown.
    shown: BTreeSet<u32>,
}

#[derive(Clone, Copy)]
struct Start {
    isn: u32,
    timestamp: Option<u32>,
}

impl Numbers {
    pub fn of(segments: &[Seen], local: SocketAddr) -> Numbers {
        let start = |ours: bool| {
            let mut side = segments.iter().filter(|seen| (seen.from == local) == ours);
            let timestamp = side.clone().find_map(|seen| timestamps(&seen.tcp)).map(|(value, _)| value);
            // Who has no SYN has no sequence space, as in the reset of a closed port.
            Start { isn: side.find(|seen| seen.has(SYN)).map_or(0, |seen| seen.tcp.seq), timestamp }
        };
        Numbers { ours: start(true), theirs: start(false), shown: BTreeSet::new() }
    }

    pub fn in_script(&mut self, seen: &Seen, ours: bool) -> Tcp {
        let (own, other) = if ours { (self.ours, self.theirs) } else { (self.theirs, self.ours) };
        let mut tcp = seen.tcp.clone();
        tcp.seq = tcp.seq.wrapping_sub(own.isn);
        tcp.ack = tcp.ack.map(|ack| ack.wrapping_sub(other.isn));
        for option in tcp.options.iter_mut().flatten() {
            match option {
                TcpOption::Sack(blocks) => blocks.iter_mut().for_each(|(left, right)| {
                    (*left, *right) = (left.wrapping_sub(other.isn), right.wrapping_sub(other.isn));
                }),
                TcpOption::Timestamps { value, echo } => {
                    *value = from(*value, own.timestamp);
                    if ours {
                        self.shown.insert(*value);
                    }
                    // Nothing to echo is written as 0 (RFC 7323 §3.2).
                    if *echo != 0 {
                        *echo = from(*echo, other.timestamp);
                    }
                    if !ours && *echo != 0 {
                        // One that the capture has missed stands for the latest before it.
                        *echo = self.shown.range(..=*echo).next_back().copied().unwrap_or(0);
                    }
                }
                TcpOption::Nop
                | TcpOption::Eol
                | TcpOption::Mss(_)
                | TcpOption::WindowScale(_)
                | TcpOption::SackPermitted
                | TcpOption::FastOpen { .. }
                | TcpOption::Md5(_)
                | TcpOption::AccEcn(_) => {}
            }
        }
        if ours && seen.unknown_options {
            tcp.options = None;
        }
        tcp
    }
}

fn from(value: u32, first: Option<u32>) -> u32 {
    value.wrapping_sub(first.unwrap_or(0)).wrapping_add(FIRST_TIMESTAMP)
}

fn timestamps(tcp: &Tcp) -> Option<(u32, u32)> {
    tcp.options.iter().flatten().find_map(|option| match option {
        TcpOption::Timestamps { value, echo } => Some((*value, *echo)),
        _ => None,
    })
}
