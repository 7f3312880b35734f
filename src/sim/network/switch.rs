//! A switch: frames go where their hardware address was last seen, and everywhere as long as nobody knows.

use super::Port;
use crate::time::Instant;
use std::collections::BTreeMap;

/// Where a frame's hardware addresses stand.
const DESTINATION: std::ops::Range<usize> = 0..6;
const SOURCE: std::ops::Range<usize> = 6..12;

/// The most addresses that are remembered; more are flooded, as real switches do.
const MOST_ADDRESSES: usize = 4096;

/// Joins the cables whose ports it holds. It takes no time itself: frames wait in front of the cables.
///
/// There must be only one way between any two of its neighbours, or what nobody knows circles for ever.
#[derive(Debug, Default)]
pub struct Switch {
    ports: Vec<Port>,
    /// Behind which port each address was seen.
    learned: BTreeMap<[u8; 6], usize>,
}

impl Switch {
    pub fn new(ports: Vec<Port>) -> Switch {
        Switch { ports, learned: BTreeMap::new() }
    }

    /// Forwards all that has arrived; was there anything?
    pub fn turn(&mut self, now: Instant) -> bool {
        let mut busy = false;
        for from in 0..self.ports.len() {
            while let Some(bytes) = self.ports[from].take(now) {
                self.forward(now, from, bytes);
                busy = true;
            }
        }
        busy
    }

    /// When the next frame arrives.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.ports.iter().filter_map(Port::next_deadline).min()
    }

    fn forward(&mut self, now: Instant, from: usize, bytes: Vec<u8>) {
        let address =
            |place: std::ops::Range<usize>| bytes.get(place).and_then(|octets| <[u8; 6]>::try_from(octets).ok());
        // Too short for Ethernet: nobody could tell for whom it is.
        let (Some(destination), Some(source)) = (address(DESTINATION), address(SOURCE)) else { return };
        if self.learned.len() < MOST_ADDRESSES || self.learned.contains_key(&source) {
            self.learned.insert(source, from);
        }
        match self.learned.get(&destination) {
            Some(to) if *to == from => {}
            Some(to) => self.ports[*to].put(now, bytes),
            None => {
                for (_, port) in self.ports.iter().enumerate().filter(|(to, _)| *to != from) {
                    port.put(now, bytes.clone());
                }
            }
        }
    }
}
