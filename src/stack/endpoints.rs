//! The name of a connection in as few bytes as it needs.

use crate::event::FourTuple;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Both addresses, an IPv4 one as the IPv6 one that is mapped to it, and both ports.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Endpoints([u8; LEN]);

const LEN: usize = 36;

impl Endpoints {
    /// What a hash is made of.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn socket_addr(&self, place: usize) -> SocketAddr {
        let bytes = &self.0[18 * place..];
        let ip: [u8; 16] = std::array::from_fn(|at| bytes[at]);
        (Ipv6Addr::from(ip).to_canonical(), u16::from_be_bytes([bytes[16], bytes[17]])).into()
    }
}

impl From<&FourTuple> for Endpoints {
    fn from(tuple: &FourTuple) -> Endpoints {
        let mut bytes = [0; LEN];
        for (half, end) in bytes.chunks_exact_mut(18).zip([&tuple.local, &tuple.remote]) {
            half[..16].copy_from_slice(&mapped(end.ip()));
            half[16..].copy_from_slice(&end.port().to_be_bytes());
        }
        Endpoints(bytes)
    }
}

impl From<&Endpoints> for FourTuple {
    fn from(endpoints: &Endpoints) -> FourTuple {
        FourTuple { local: endpoints.socket_addr(0), remote: endpoints.socket_addr(1) }
    }
}

/// An IPv4 address as the IPv6 one that is mapped to it.
pub fn mapped(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        for (local, remote) in [("192.0.2.1:80", "203.0.113.9:65535"), ("[2001:db8::1]:1", "[2001:db8::ffff:0:1]:2")] {
            let parsed = |text: &str| text.parse().expect("an address");
            let tuple = FourTuple { local: parsed(local), remote: parsed(remote) };
            assert_eq!(FourTuple::from(&Endpoints::from(&tuple)), tuple);
        }
    }
}
