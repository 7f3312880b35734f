//! Ephemeral ports.

use crate::random::Random;

/// The dynamic ports (RFC 6335 §6).
const FIRST: u16 = 49152;
const COUNT: u32 = 65536 - FIRST as u32;

/// RFC 6056 §3.3.1: a random port that is free, or the next free one after it.
pub fn choose(random: &mut Random, is_free: impl Fn(u16) -> bool) -> Option<u16> {
    let start = random.below(u64::from(COUNT)) as u32;
    (0..COUNT).map(|step| FIRST + ((start + step) % COUNT) as u16).find(|port| is_free(*port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_free_port_is_found_and_then_none() {
        let mut random = Random::new(3);
        assert_eq!(choose(&mut random, |port| port == 50_000), Some(50_000));
        assert_eq!(choose(&mut random, |_| false), None);
        assert!(choose(&mut random, |_| true).is_some_and(|port| port >= FIRST));
    }
}
