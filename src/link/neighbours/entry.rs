//! What is known of one neighbour.

use crate::event::NeighbourState;
use crate::frame::Frame;
use crate::time::Instant;
use crate::wire::MacAddress;
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Entry {
    pub state: NeighbourState,
    /// Means something in every state but `Incomplete` and `Failed`.
    pub mac: MacAddress,
    /// Packets that wait for the address, the oldest first.
    pub waiting: VecDeque<Frame>,
    pub reachable_until: Instant,
    /// Questions since the state was entered.
    pub asked: u32,
    pub last_asked: Option<Instant>,
    /// When we last sent something there; none while only it has talked to us.
    pub used: Option<Instant>,
    /// When something is to be done; the table keeps it in order.
    pub(super) deadline: Option<Instant>,
}

impl Entry {
    pub fn new(state: NeighbourState, mac: MacAddress, used: Option<Instant>) -> Entry {
        Entry {
            state,
            mac,
            waiting: VecDeque::new(),
            reachable_until: Instant::ZERO,
            asked: 0,
            last_asked: None,
            used,
            deadline: None,
        }
    }
}
