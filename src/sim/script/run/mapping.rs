//! Between the numbers of a script and those on the wire.

use crate::event::FourTuple;
use std::collections::HashMap;
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
    /// Our initial sequence number as the script has it, and on the wire.
    isn: Option<(u32, u32)>,
    peer_isn: Option<u32>,
    peer_began_anew: bool,
    timestamps: HashMap<u32, u32>,
    /// The latest numbers of the wire, for the RST at the end: what we expect next of the peer.
    pub last_ack: Option<u32>,
}

impl Mapping {
    pub fn new(local: Ipv4Addr, remote: Ipv4Addr) -> Mapping {
        Mapping {
            local,
            remote,
            local_port: PORT,
            remote_port: 40_000,
            tuple: None,
            isn: None,
            peer_isn: None,
            peer_began_anew: false,
            timestamps: HashMap::new(),
            last_ack: None,
        }
    }

    /// Another socket is under test: what was known is known no more.
    pub fn restart(&mut self) {
        let next = self.remote_port.wrapping_add(1).max(40_000);
        *self = Mapping { remote_port: next, ..Mapping::new(self.local, self.remote) };
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

    /// A SYN of ours was seen. One more is another connection's only when the peer has asked for one.
    pub fn learn_isn(&mut self, script: u32, live: u32) {
        if self.isn.is_none() || self.peer_began_anew {
            self.isn = Some((script, live));
            self.peer_began_anew = false;
        }
    }

    /// A SYN of the peer is on its way to the stack.
    pub fn learn_peer_isn(&mut self, isn: u32) {
        self.peer_began_anew |= self.peer_isn.replace(isn).is_some_and(|before| before != isn);
    }

    /// What is added to a local number of the script: on a SYN the two initial numbers are the same one, elsewhere
    /// the script counts from it.
    fn offset(&self, syn: bool) -> u32 {
        self.isn.map_or(0, |(script, live)| if syn { live.wrapping_sub(script) } else { live })
    }

    pub fn to_live(&self, number: u32, syn: bool) -> u32 {
        number.wrapping_add(self.offset(syn))
    }

    pub fn to_script(&self, number: u32, syn: bool) -> u32 {
        number.wrapping_sub(self.offset(syn))
    }

    pub fn learn_timestamp(&mut self, script: u32, live: u32) {
        self.timestamps.insert(script, live);
    }

    /// The live value that the script calls so.
    pub fn timestamp(&self, script: u32) -> Option<u32> {
        self.timestamps.get(&script).copied()
    }
}
