//! The identification field of IPv4 (RFC 6864): unique among the fragments of one source, destination and protocol
//! for as long as they live, and not to be guessed from outside.

use crate::random::Random;
use siphasher::sip::SipHasher13;
use std::hash::{Hash, Hasher};
use std::net::Ipv4Addr;

/// Flows share so many counters; the keyed offset keeps those that share one apart.
const COUNTERS: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct Identifications {
    key: [u64; 2],
    first: u16,
    step: u16,
    counters: Box<[u16; COUNTERS]>,
}

impl Identifications {
    /// From the `first` on in such steps, beside a keyed offset.
    pub fn new(random: &mut Random, (first, step): (u16, u16)) -> Identifications {
        Identifications { first, step, key: [random.next_u64(), random.next_u64()], counters: Box::new([0; COUNTERS]) }
    }

    /// The next one for a datagram that may come to be fragmented. What may not is atomic and carries 0
    /// (RFC 6864 §4.1).
    pub fn next(&mut self, source: Ipv4Addr, destination: Ipv4Addr, protocol: u8) -> u16 {
        let mut hasher = SipHasher13::new_with_keys(self.key[0], self.key[1]);
        (source, destination, protocol).hash(&mut hasher);
        let hash = hasher.finish();
        let counter = &mut self.counters[hash as usize % COUNTERS];
        *counter = counter.wrapping_add(1);
        let offset = ((hash >> 32) as u16).wrapping_add(self.first);
        offset.wrapping_add(counter.wrapping_mul(self.step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn identifications_of_a_flow_repeat_only_after_all_65536() {
        let mut identifications = Identifications::new(&mut Random::new(1), (0, 1));
        let mut next = || identifications.next([192, 0, 2, 2].into(), [192, 0, 2, 1].into(), 17);
        let first = next();
        let others: BTreeSet<u16> = (0..0xffff).map(|_| next()).collect();
        assert_eq!((others.len(), others.contains(&first), next()), (0xffff, false, first));
    }

    #[test]
    fn another_key_gives_another_sequence() {
        let first = |seed| Identifications::new(&mut Random::new(seed), (0, 1)).next([0; 4].into(), [0; 4].into(), 1);
        assert!((0..8).any(|seed| first(seed) != first(seed + 1)));
    }
}
