//! Numbers that only the holder of a key can tell: initial sequence numbers, timestamp offsets, the hash of the
//! connection table.

use crate::event::FourTuple;
use crate::random::Random;
use crate::tcp::Secrets;
use crate::time::Instant;
use siphasher::sip::{SipHasher13, SipHasher24};
use std::hash::{BuildHasher, Hash, Hasher};

/// The stack's secret key.
#[derive(Clone, Debug)]
pub struct Key([u8; 16]);

impl Key {
    pub fn new(random: &mut Random) -> Key {
        let mut key = [0; 16];
        random.fill(&mut key);
        Key(key)
    }

    /// RFC 6528 §3: ISN = M + F(local, remote, key), where M steps every four microseconds (RFC 9293 §3.4.1, MUST-8).
    pub fn secrets(&self, now: Instant, tuple: &FourTuple) -> Secrets {
        let clock = (now.as_micros() / 4) as u32;
        Secrets { isn: clock.wrapping_add(self.hash("isn", tuple)), timestamp_offset: self.hash("timestamp", tuple) }
    }

    pub fn hash(&self, purpose: &str, value: &impl Hash) -> u32 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        (purpose, value).hash(&mut hasher);
        hasher.finish() as u32
    }
}

/// A peer that cannot know the hash cannot choose ports that fall into one bucket.
impl BuildHasher for Key {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(port: u16) -> FourTuple {
        FourTuple { local: ([192, 0, 2, 2], 80).into(), remote: ([192, 0, 2, 1], port).into() }
    }

    // MUST-8, MUST-9, SHLD-1
    #[test]
    fn the_isn_steps_every_four_microseconds_and_differs_by_connection_and_key() {
        let key = Key::new(&mut Random::new(1));
        let isn = |key: &Key, micros, port| key.secrets(Instant::from_micros(micros), &tuple(port)).isn;
        assert_eq!(isn(&key, 4_000_004, 5).wrapping_sub(isn(&key, 4_000_000, 5)), 1);
        assert_eq!(isn(&key, 4_000_000, 5).wrapping_sub(isn(&key, 0, 5)), 1_000_000);
        assert_ne!(isn(&key, 0, 5), isn(&key, 0, 6));
        assert_ne!(isn(&key, 0, 5), isn(&Key::new(&mut Random::new(2)), 0, 5));
    }
}
