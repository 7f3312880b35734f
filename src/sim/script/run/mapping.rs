//! Between the numbers of a script and those on the wire.

use crate::event::FourTuple;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The port of the socket under test where the script does not say, as the field's scripts expect.
pub const PORT: u16 = 8080;

/// The connection, or the pair of ports, that packets are about.
pub struct Mapping {
    pub local: Ipv4Addr,
    pub remote: Ipv4Addr,
    pub local_port: u16,
    pub remote_port: u16,
    /// Fixed once a packet or a call named it.
    pub tuple: Option<FourTuple>,
    /// Whose numbers are at hand, and those of others that packets named by their ports.
    selected: Option<FourTuple>,
    numbers: Numbers,
    others: HashMap<FourTuple, Numbers>,
}

/// What is known of the numbers of one connection.
#[derive(Default)]
struct Numbers {
    /// Our initial sequence number as the script has it, and on the wire.
    isn: Option<(u32, u32)>,
    peer_isn: Option<u32>,
    peer_began_anew: bool,
    timestamps: BTreeMap<u32, u32>,
    /// The first timestamp of ours, as the script has it and on the wire.
    first_timestamp: Option<(u32, u32)>,
    /// The latest numbers of the wire, for the RST at the end: what we expect next of the peer.
    last_ack: Option<u32>,
    /// The shift of our window field, as our SYN offered it and as the peer's allows.
    our_shift: Option<u8>,
    peer_scales: bool,
    /// How far our window has reached.
    edge: Option<u32>,
}

impl Mapping {
    pub fn new(local: Ipv4Addr, remote: Ipv4Addr) -> Mapping {
        Mapping {
            local,
            remote,
            local_port: PORT,
            remote_port: 40_000,
            tuple: None,
            selected: None,
            numbers: Numbers::default(),
            others: HashMap::new(),
        }
    }

    /// Another socket is under test: what was known is known no more.
    pub fn restart(&mut self) {
        let next = self.remote_port.wrapping_add(1).max(40_000);
        *self = Mapping { remote_port: next, ..Mapping::new(self.local, self.remote) };
    }

    /// `connect` begins a connection: its initial number is yet to be seen.
    pub fn connect(&mut self, tuple: FourTuple) {
        *self = Mapping {
            tuple: Some(tuple),
            local_port: tuple.local.port(),
            remote_port: self.remote_port,
            ..Mapping::new(self.local, self.remote)
        };
    }

    /// Who the socket under test speaks with; fixed by being asked.
    pub fn tuple(&mut self) -> FourTuple {
        let fresh = self.with_ports(self.local_port, self.remote_port);
        *self.tuple.get_or_insert(fresh)
    }

    pub fn with_ports(&self, local: u16, remote: u16) -> FourTuple {
        let address = |address: Ipv4Addr, port| SocketAddr::new(IpAddr::V4(address), port);
        FourTuple { local: address(self.local, local), remote: address(self.remote, remote) }
    }

    /// What follows is about this connection.
    pub fn select(&mut self, tuple: FourTuple) {
        if self.selected == Some(tuple) {
            return;
        }
        let known = self.others.remove(&tuple);
        match self.selected.replace(tuple) {
            // What was learned before there was a name belongs to the first that gets one.
            None => self.numbers = known.unwrap_or(std::mem::take(&mut self.numbers)),
            Some(before) => {
                let numbers = std::mem::replace(&mut self.numbers, known.unwrap_or_default());
                self.others.insert(before, numbers);
            }
        }
    }

    /// A SYN of ours was seen. One more is another connection's only when the peer has asked for one.
    pub fn learn_isn(&mut self, script: u32, live: u32) {
        if self.numbers.isn.is_none() || self.numbers.peer_began_anew {
            self.numbers.isn = Some((script, live));
            self.numbers.peer_began_anew = false;
        }
    }

    /// A SYN of the peer is on its way to the stack.
    pub fn learn_peer_isn(&mut self, isn: u32) {
        let anew = self.numbers.peer_isn.replace(isn).is_some_and(|before| before != isn);
        if anew {
            (self.numbers.timestamps, self.numbers.first_timestamp) = (BTreeMap::new(), None);
            self.numbers.edge = None;
        }
        self.numbers.peer_began_anew |= anew;
    }

    /// Does the peer's SYN offer to scale windows?
    pub fn learn_peer_scales(&mut self, scales: bool) {
        self.numbers.peer_scales = scales;
    }

    /// What is added to a local number of the script: on a SYN the two initial numbers are the same one, elsewhere
    /// the script counts from it.
    fn offset(&self, syn: bool) -> u32 {
        self.numbers.isn.map_or(0, |(script, live)| if syn { live.wrapping_sub(script) } else { live })
    }

    pub fn to_live(&self, number: u32, syn: bool) -> u32 {
        number.wrapping_add(self.offset(syn))
    }

    pub fn to_script(&self, number: u32, syn: bool) -> u32 {
        number.wrapping_sub(self.offset(syn))
    }

    pub fn learn_timestamp(&mut self, script: u32, live: u32) {
        self.numbers.first_timestamp.get_or_insert((script, live));
        self.numbers.timestamps.insert(script, live);
    }

    /// The live value that the script calls so.
    pub fn timestamp(&self, script: u32) -> Option<u32> {
        self.numbers.timestamps.get(&script).copied()
    }

    /// The same for one that no packet carried, counted from the first in ticks of so many microseconds; ours are
    /// milliseconds.
    pub fn scaled_timestamp(&self, script: u32, tick_usecs: u64) -> Option<u32> {
        let (first_script, first_live) = self.numbers.first_timestamp?;
        let ticks = i64::from(script.wrapping_sub(first_script) as i32);
        let millis = ticks * i64::try_from(tick_usecs).ok()? / 1_000;
        Some(first_live.wrapping_add(millis as u32))
    }

    /// What a timestamp of ours should be by the script, and how far it is off, in microseconds; none for the first.
    pub fn timestamp_error(&self, script: u32, live: u32, tick_usecs: u64) -> Option<u64> {
        let (first_script, first_live) = self.numbers.first_timestamp?;
        let wanted =
            i64::from(script.wrapping_sub(first_script) as i32).checked_mul(i64::try_from(tick_usecs).ok()?)?;
        let found = i64::from(live.wrapping_sub(first_live) as i32) * 1_000;
        Some(found.abs_diff(wanted))
    }

    /// What the stack expects next of the peer, by a packet of the stack.
    pub fn set_last_ack(&mut self, live: u32) {
        self.numbers.last_ack = Some(live);
    }

    /// The same by a packet to the stack, which it has perhaps not acknowledged yet.
    pub fn pass(&mut self, seq: u32, end: u32) {
        self.numbers.last_ack = self.numbers.last_ack.map(|last| if last == seq { end } else { last });
    }

    pub fn last_ack(&self) -> u32 {
        self.numbers.last_ack.unwrap_or(0)
    }

    /// A SYN of ours says how its sender will scale windows, if both do.
    pub fn learn_shift(&mut self, shift: Option<u8>) {
        self.numbers.our_shift = shift;
    }

    /// Our window reaches from `ack` on by what its field says: true when its right edge has moved back (RFC 9293
    /// §3.8.6, SHLD-14).
    pub fn edge_moved_back(&mut self, ack: u32, field: u16, syn: bool) -> bool {
        let shift = self.numbers.our_shift.filter(|_| self.numbers.peer_scales && !syn).unwrap_or(0).min(14);
        let edge = ack.wrapping_add(u32::from(field) << shift);
        let back = self.numbers.edge.is_some_and(|before| (edge.wrapping_sub(before) as i32) < 0);
        if !back {
            self.numbers.edge = Some(edge);
        }
        back
    }
}
