//! What moves an entry from outside: an answer, a hint, a confirmation.

use super::entry::Entry;
use super::{CONFIRMATIONS, Fresh, Neighbours, table, tell};
use crate::event::{Context, NeighbourState};
use crate::frame::Frame;
use crate::wire::MacAddress;
use std::collections::VecDeque;
use std::net::IpAddr;

impl Neighbours {
    /// The neighbour answered our question, or might have: gives back what waited for it.
    pub fn handle_answer(&mut self, cx: &mut Context<'_>, address: IpAddr, mac: MacAddress) -> VecDeque<Frame> {
        match self.table.entry(address).map(|entry| entry.state) {
            Some(NeighbourState::Incomplete | NeighbourState::Probe) => {
                if let Some(entry) = self.table.entry(address) {
                    entry.mac = mac;
                }
                self.make_reachable(cx, address, "it answered");
                self.take_waiting(address)
            }
            // An answer that nobody asked for says no more than a request does.
            Some(
                NeighbourState::Reachable
                | NeighbourState::Stale
                | NeighbourState::Delay
                | NeighbourState::Failed
                | NeighbourState::Unknown,
            )
            | None => self.handle_hint(cx, address, mac, false),
        }
    }

    /// Something else told where the neighbour is (RFC 826: a request from it; a gratuitous ARP). `create` makes an
    /// entry where there is none. Gives back what waited for it.
    pub fn handle_hint(
        &mut self,
        cx: &mut Context<'_>,
        address: IpAddr,
        mac: MacAddress,
        create: bool,
    ) -> VecDeque<Frame> {
        let Some(entry) = self.table.entry(address) else {
            // RFC 826: only who is the target adds; and nothing useful gives way to it.
            if create && self.make_room(cx, table::Rank::Idle) {
                self.table.insert(address, Entry::new(NeighbourState::Stale, mac, None));
                tell(cx, address, (NeighbourState::Unknown, NeighbourState::Stale), "it made itself known");
                self.table.set_deadline(address, Some(cx.after(self.config.unused)));
            }
            return VecDeque::new();
        };
        let news = entry.mac != mac || matches!(entry.state, NeighbourState::Incomplete | NeighbourState::Failed);
        if !news {
            return VecDeque::new();
        }
        entry.mac = mac;
        // RFC 4861 §7.2.3: an address not asked for is as good as stale, and packets may go to it.
        self.move_to(cx, address, NeighbourState::Stale, "it told its hardware address");
        self.table.set_deadline(address, Some(cx.after(self.config.unused)));
        let waiting = self.take_waiting(address);
        if !waiting.is_empty() {
            self.move_to(cx, address, NeighbourState::Delay, "a packet goes to a stale address");
            self.table.set_deadline(address, Some(cx.after(self.config.delay_first_probe)));
        }
        waiting
    }

    /// An upper layer knows that its packets arrive (RFC 4861 §7.3.1).
    pub fn confirm(&mut self, cx: &mut Context<'_>, address: IpAddr) {
        if self.fresh(cx.now, address).is_some() {
            return;
        }
        let until = self.reachable_until(cx);
        let Some(entry) = self.table.entry(address) else { return };
        match entry.state {
            NeighbourState::Reachable => {
                entry.reachable_until = until;
                let until = cx.after(self.config.reachable_time / CONFIRMATIONS);
                self.fresh = Some(Fresh { address, mac: entry.mac, until });
            }
            NeighbourState::Stale | NeighbourState::Delay | NeighbourState::Probe => {
                self.make_reachable(cx, address, "an upper layer confirms it");
            }
            NeighbourState::Incomplete | NeighbourState::Failed | NeighbourState::Unknown => {}
        }
    }

    /// An upper layer's packets seem to go nowhere: it is asked, without waiting for what was known to grow old
    /// (RFC 1122 §2.3.2.1). Once asked, it is not asked again for that.
    pub fn doubt(&mut self, cx: &mut Context<'_>, address: IpAddr) {
        let Some(entry) = self.table.entry(address) else { return };
        match entry.state {
            NeighbourState::Reachable | NeighbourState::Stale | NeighbourState::Delay => {
                self.move_to(cx, address, NeighbourState::Probe, "an upper layer hears nothing");
                self.solicit(cx, address);
            }
            NeighbourState::Probe | NeighbourState::Incomplete | NeighbourState::Failed | NeighbourState::Unknown => {}
        }
    }
}
