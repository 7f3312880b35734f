//! Our addresses with their prefixes: what every packet is compared with, worked out once.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

#[derive(Clone, Debug)]
pub struct Addresses {
    all: Vec<IpNet>,
    v4: Vec<OnLink>,
}

/// An IPv4 address of ours, and the prefix of its link.
#[derive(Clone, Copy, Debug)]
struct OnLink {
    address: Ipv4Addr,
    mask: u32,
    /// RFC 3021: a link of two hosts has no broadcast but the limited one.
    has_broadcast: bool,
}

impl Addresses {
    pub fn new(addresses: &[IpNet]) -> Addresses {
        let v4 = |address: &IpNet| match address {
            IpNet::V4(own) => Some(OnLink {
                address: own.addr(),
                mask: own.netmask().to_bits(),
                has_broadcast: own.prefix_len() < 31,
            }),
            IpNet::V6(_) => None,
        };
        Addresses { all: addresses.to_vec(), v4: addresses.iter().filter_map(v4).collect() }
    }

    pub fn is_ours(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.v4.iter().any(|own| own.address == v4),
            IpAddr::V6(_) => self.all.iter().any(|own| own.addr() == address),
        }
    }

    /// A broadcast in any form that the prefixes of our addresses know (RFC 1122 §3.3.6): all ones in the host part or
    /// everywhere, and the old form of all zeros in the host part.
    pub fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        address.is_broadcast() || self.v4.iter().any(|own| own.has_broadcast && own.is_for_all(address))
    }

    /// A host of one of our links, or one of its broadcasts.
    pub fn is_on_link(&self, address: Ipv4Addr) -> bool {
        self.v4.iter().any(|own| own.has_in_prefix(address))
    }
}

impl OnLink {
    fn has_in_prefix(self, address: Ipv4Addr) -> bool {
        (address.to_bits() ^ self.address.to_bits()) & self.mask == 0
    }

    fn is_for_all(self, address: Ipv4Addr) -> bool {
        let host = address.to_bits() & !self.mask;
        self.has_in_prefix(address) && (host == 0 || host == !self.mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prefix_has_its_broadcasts_but_that_of_two_hosts() {
        let own = ["192.0.2.2/24", "198.51.100.1/31", "2001:db8::2/64"].map(|own| own.parse().expect("a prefix"));
        let addresses = Addresses::new(&own);
        for (address, ours, on_link, broadcast) in [
            ("192.0.2.2", true, true, false),
            ("192.0.2.3", false, true, false),
            ("192.0.2.255", false, true, true),
            ("192.0.2.0", false, true, true),
            ("192.0.3.255", false, false, false),
            ("198.51.100.0", false, true, false),
            ("255.255.255.255", false, false, true),
            ("0.0.0.0", false, false, false),
        ] {
            let v4: Ipv4Addr = address.parse().expect("an address");
            let found = (addresses.is_ours(v4.into()), addresses.is_on_link(v4), addresses.is_broadcast(v4));
            assert_eq!(found, (ours, on_link, broadcast), "{address}");
        }
        assert!(addresses.is_ours("2001:db8::2".parse().expect("an address")));
    }
}
