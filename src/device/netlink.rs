//! Just enough of rtnetlink (`man 7 rtnetlink`) to set up one link and to ask about it: one request, one answer.

use crate::wire::MacAddress;
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage, State,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use std::io;
use std::net::IpAddr;

const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;
/// Room for an acknowledgement, which quotes the request, or for all that is known of one interface.
const ANSWER_LEN: usize = 16_384;

/// A connection to the kernel's network configuration of the present namespace.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub fn open() -> io::Result<Netlink> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// `ip link add dev NAME type veth peer name PEER`
    pub fn add_veth(&mut self, name: &str, peer: &str) -> io::Result<()> {
        let mut peer_message = LinkMessage::default();
        peer_message.attributes = vec![LinkAttribute::IfName(peer.to_owned())];
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer_message))),
            ]),
        ];
        self.request(RouteNetlinkMessage::NewLink(message), NEW)
    }

    /// `ip link set dev NAME up`
    pub fn set_up(&mut self, index: u32) -> io::Result<()> {
        self.set_flags(index, LinkFlags::Up)
    }

    /// Changes nothing, by a request that waits for whatever the kernel is about to change.
    pub fn settle(&mut self, index: u32) -> io::Result<()> {
        self.set_flags(index, LinkFlags::empty())
    }

    /// `ip link set dev NAME arp off`
    pub fn set_arp_off(&mut self, index: u32) -> io::Result<()> {
        self.set_flags(index, LinkFlags::Noarp)
    }

    /// `ip link set dev NAME address MAC`
    pub fn set_mac(&mut self, index: u32, mac: MacAddress) -> io::Result<()> {
        self.set(index, LinkAttribute::Address(mac.octets().to_vec()))
    }

    /// `ip link set dev NAME mtu MTU`
    pub fn set_mtu(&mut self, index: u32, mtu: u32) -> io::Result<()> {
        self.set(index, LinkAttribute::Mtu(mtu))
    }

    /// `ip link set dev NAME txqueuelen FRAMES`
    pub fn set_queue_len(&mut self, index: u32, frames: u32) -> io::Result<()> {
        self.set(index, LinkAttribute::TxQueueLen(frames))
    }

    /// `ip link set dev NAME gso_max_segs COUNT`
    pub fn set_gso_max_segs(&mut self, index: u32, count: u32) -> io::Result<()> {
        self.set(index, LinkAttribute::GsoMaxSegs(count))
    }

    /// `ip link set dev NAME addrgenmode none`
    pub fn set_no_generated_address(&mut self, index: u32) -> io::Result<()> {
        let mode = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
        self.set(index, LinkAttribute::AfSpecUnspec(vec![mode]))
    }

    /// `ip address add PREFIX dev NAME`, without the wait of duplicate address detection.
    pub fn add_address(&mut self, index: u32, prefix: IpNet) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.prefix_len = prefix.prefix_len();
        message.header.family = family(prefix.addr());
        message.attributes = vec![AddressAttribute::Address(prefix.addr())];
        match prefix {
            IpNet::V4(prefix) => {
                message.attributes.push(AddressAttribute::Local(prefix.addr().into()));
                if prefix.prefix_len() < 31 {
                    message.attributes.push(AddressAttribute::Broadcast(prefix.broadcast()));
                }
            }
            IpNet::V6(_) => message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad)),
        }
        self.request(RouteNetlinkMessage::NewAddress(message), NEW)
    }

    /// `ip route add PREFIX dev NAME`
    pub fn add_route(&mut self, index: u32, prefix: IpNet) -> io::Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(prefix.addr());
        message.header.destination_prefix_length = prefix.prefix_len();
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Boot;
        message.header.kind = RouteType::Unicast;
        let (destination, scope) = match prefix.network() {
            IpAddr::V4(network) => (RouteAddress::Inet(network), RouteScope::Link),
            IpAddr::V6(network) => (RouteAddress::Inet6(network), RouteScope::Universe),
        };
        message.header.scope = scope;
        message.attributes = vec![RouteAttribute::Destination(destination), RouteAttribute::Oif(index)];
        self.request(RouteNetlinkMessage::NewRoute(message), NEW)
    }

    fn set_flags(&mut self, index: u32, flags: LinkFlags) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = flags;
        message.header.change_mask = flags;
        self.request(RouteNetlinkMessage::SetLink(message), 0)
    }

    fn set(&mut self, index: u32, attribute: LinkAttribute) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes = vec![attribute];
        self.request(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Is the interface's operational state (RFC 2863) "up"? It is set after the carrier, with the queue.
    pub fn is_operational(&mut self, index: u32) -> io::Result<bool> {
        Ok(self.attributes(index)?.contains(&LinkAttribute::OperState(State::Up)))
    }

    /// Does this kernel take super-frames that are longer than an IPv4 header can say (BIG TCP), and keep what comes
    /// from the interface to itself? A port of a bridge passes frames on, and so does a router. It would cut such a
    /// frame into its segments one by one, where one of 64 KiB passes whole.
    pub fn is_the_end_for_long_trains(&mut self, index: u32) -> io::Result<bool> {
        let (mut knows, mut passes_on) = (false, false);
        for attribute in self.attributes(index)? {
            match attribute {
                // Since Linux 6.3, which brought both ways of it.
                LinkAttribute::GsoIpv4MaxSize(_) => knows = true,
                LinkAttribute::Controller(_) => passes_on = true,
                LinkAttribute::AfSpecUnspec(families) => passes_on |= families.iter().any(forwards_ipv4),
                _ => {}
            }
        }
        Ok(knows && !passes_on)
    }

    /// All that is known of an interface.
    fn attributes(&mut self, index: u32) -> io::Result<Vec<LinkAttribute>> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.send(RouteNetlinkMessage::GetLink(message), 0)?;
        match self.answer()? {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => Ok(link.attributes),
            other => Err(refusal(other)),
        }
    }

    /// Asks for a change, and waits until it is made.
    fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.send(message, NLM_F_ACK | flags)?;
        match self.answer()? {
            NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
            other => Err(refusal(other)),
        }
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence += 1;
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }

    /// The answer to what was sent last.
    fn answer(&mut self) -> io::Result<NetlinkPayload<RouteNetlinkMessage>> {
        loop {
            let mut bytes = Vec::with_capacity(ANSWER_LEN);
            self.socket.recv(&mut bytes, 0)?;
            let answer = NetlinkMessage::deserialize(&bytes).map_err(|error| io::Error::other(error.to_string()))?;
            if answer.header.sequence_number == self.sequence {
                return Ok(answer.payload);
            }
        }
    }
}

/// `net.ipv4.conf.NAME.forwarding`
fn forwards_ipv4(family: &AfSpecUnspec) -> bool {
    let AfSpecUnspec::Inet(facts) = family else { return false };
    facts.iter().any(|fact| matches!(fact, AfSpecInet::DevConf(settings) if settings.forwarding != 0))
}

fn refusal(answer: NetlinkPayload<RouteNetlinkMessage>) -> io::Error {
    match answer {
        NetlinkPayload::Error(error) => io::Error::from_raw_os_error(-error.raw_code()),
        other => io::Error::other(format!("the kernel answered with {other:?}")),
    }
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
