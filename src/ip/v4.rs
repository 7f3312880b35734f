//! IPv4 on the way up: the checks of RFC 1122 §3.2.1, in its order.

use super::reassembly::Fragment;
use super::{Ip, Packet, Problem};
use crate::event::{Context, DropReason, Event, Layer};
use crate::frame::Offload;
use crate::wire::ipv4::{self, Header, ParseError};
use ipnet::IpNet;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

/// RFC 1112 §4: every host belongs to this group.
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

impl Ip {
    /// One IPv4 packet, Ethernet's padding behind it; `group` when the frame went to a group.
    pub(super) fn handle_v4<'a>(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &'a [u8],
        group: bool,
        offload: Offload,
    ) -> Option<Packet<'a>> {
        let (header, payload, broadcast) = match self.check_v4(bytes, group) {
            Ok(checked) => checked,
            Err(reason) => {
                cx.tell(|| Event::Dropped { layer: Layer::Ipv4, reason });
                return None;
            }
        };
        let packet = Packet {
            source: header.source.into(),
            destination: header.destination.into(),
            protocol: header.protocol,
            ttl: header.ttl,
            traffic_class: header.traffic_class,
            broadcast,
            payload: Cow::Borrowed(payload),
            checksum: offload.checksum,
            segment_size: offload.segment_size,
            header: Cow::Borrowed(&bytes[..header.len()]),
        };
        cx.tell(|| Event::Stripped { layer: Layer::Ipv4, header: &packet.header, payload: packet.payload.len() });
        // Options that are well formed are passed over (RFC 9293 §3.9.2, MUST-50).
        if let Some(pointer) = ipv4::bad_option(&header.options) {
            cx.tell(|| Event::Dropped { layer: Layer::Ipv4, reason: DropReason::MalformedIp });
            self.report(into_owned(packet), Problem::Parameter { pointer });
            return None;
        }
        if !header.is_fragment() {
            return Some(packet);
        }
        self.reassembly.handle(
            cx,
            Fragment {
                packet,
                identification: header.identification.into(),
                offset: header.fragment_offset.into(),
                more: header.more_fragments,
            },
        )
    }

    /// The header, what it says is behind it, and whether it came to many.
    fn check_v4<'a>(&self, bytes: &'a [u8], group: bool) -> Result<(Header, &'a [u8], bool), DropReason> {
        let (header, rest) = Header::parse(bytes).map_err(|error| match error {
            ParseError::Version { .. } => DropReason::BadIpVersion,
            ParseError::TooShort { .. } | ParseError::HeaderLength { .. } => DropReason::MalformedIp,
        })?;
        if !ipv4::checksum_is_good(&bytes[..header.len()]) {
            return Err(DropReason::BadIpChecksum);
        }
        let len = usize::from(header.total_length).checked_sub(header.len()).ok_or(DropReason::MalformedIp)?;
        let payload = rest.get(..len).ok_or(DropReason::TruncatedIp)?;
        let broadcast = self.check_addresses_v4(&header, group)?;
        Ok((header, payload, broadcast))
    }

    /// RFC 1122 §3.2.1.3: who may send (RFC 9293 §3.9.2.3, MUST-63), and to whom we listen. True when it came to many.
    fn check_addresses_v4(&self, header: &Header, group: bool) -> Result<bool, DropReason> {
        let (source, destination) = (header.source, header.destination);
        if !is_host(source) || self.is_ours(source.into()) || self.own.is_broadcast(source) {
            return Err(DropReason::BadSource);
        }
        if self.is_ours(destination.into()) {
            // RFC 1122 §3.3.6: a unicast packet has no business in a broadcast frame.
            return if group { Err(DropReason::BroadcastUnicastMismatch) } else { Ok(false) };
        }
        if destination == ALL_HOSTS || self.own.is_broadcast(destination) {
            return Ok(true);
        }
        Err(DropReason::NotOurAddress)
    }
}

/// An address that a single host on a wire can have: not "this network", loopback, multicast or reserved.
fn is_host(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

/// The address of ours that goes best with a neighbour: the one on its link, else the first.
pub(super) fn source_for(addresses: &[IpNet], next_hop: IpAddr) -> Option<IpAddr> {
    let same = |address: &&IpNet| address.addr().is_ipv4() == next_hop.is_ipv4();
    let on_link = addresses.iter().find(|address| address.contains(&next_hop));
    on_link.or_else(|| addresses.iter().find(same)).map(IpNet::addr)
}

fn into_owned(packet: Packet<'_>) -> Packet<'static> {
    Packet {
        payload: Cow::Owned(packet.payload.into_owned()),
        header: Cow::Owned(packet.header.into_owned()),
        ..packet
    }
}
