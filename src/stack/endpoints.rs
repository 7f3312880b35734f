//! The name of a connection in as few bytes as it needs.

use super::keyed::Key;
use crate::event::FourTuple;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};

/// Of 2^64: multiplied with it, numbers that follow on each other fall far apart (Knuth, volume 3, section 6.4).
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both addresses, an IPv4 one as the IPv6 one that is mapped to it, in two words each, and both ports in one; ours first.
#[derive(Clone, Copy, Eq, Debug)]
pub struct Endpoints([u64; 5]);

/// Without the call that comparing arrays would be.
impl PartialEq for Endpoints {
    fn eq(&self, other: &Endpoints) -> bool {
        self.0.iter().zip(other.0).fold(0, |differs, (left, right)| differs | left ^ right) == 0
    }
}

impl Endpoints {
    /// One of `1 << bits` places. It has no key, so that peers can meet in one if they like.
    pub fn place(&self, bits: u32) -> usize {
        let mixed = self.0.iter().fold(0, |mixed, word| mixed ^ word);
        (mixed.wrapping_mul(GOLDEN_RATIO) >> (64 - bits)) as usize
    }

    /// What the tables find it by.
    pub fn hash(&self, key: &Key) -> u64 {
        let hasher = key.build_hasher();
        self.to_v4_bytes().map_or_else(|| hasher.hash(&self.to_bytes()), |bytes| hasher.hash(&bytes))
    }

    /// Both addresses and both ports, where the addresses are of IPv4: hashed in half the time.
    fn to_v4_bytes(self) -> Option<[u8; 12]> {
        let Endpoints([a, b, c, d, ports]) = self;
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&(b << 32 | d & u64::from(u32::MAX)).to_le_bytes());
        bytes[8..].copy_from_slice(&(ports as u32).to_le_bytes());
        ([a, c] == [0; 2] && [b >> 32, d >> 32] == [0xffff; 2]).then_some(bytes)
    }

    /// What a hash is made of.
    pub fn to_bytes(self) -> [u8; 40] {
        let mut bytes = [0; 40];
        for (place, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

impl From<&FourTuple> for Endpoints {
    fn from(FourTuple { local, remote }: &FourTuple) -> Endpoints {
        let ([a, b], [c, d]) = (words(local.ip()), words(remote.ip()));
        Endpoints([a, b, c, d, u64::from(local.port()) << 16 | u64::from(remote.port())])
    }
}

impl From<&Endpoints> for FourTuple {
    fn from(&Endpoints([a, b, c, d, ports]): &Endpoints) -> FourTuple {
        let ip = |high: u64, low: u64| Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).to_canonical();
        FourTuple { local: (ip(a, b), (ports >> 16) as u16).into(), remote: (ip(c, d), ports as u16).into() }
    }
}

/// Network order, the first half first.
fn words(ip: IpAddr) -> [u64; 2] {
    match ip {
        IpAddr::V4(v4) => [0, 0xffff_0000_0000 | u64::from(v4.to_bits())],
        IpAddr::V6(v6) => [(v6.to_bits() >> 64) as u64, v6.to_bits() as u64],
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
