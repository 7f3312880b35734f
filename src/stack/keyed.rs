//! Numbers that only the holder of a key can tell: initial sequence numbers, timestamp offsets, the hash of the
//! connection table.

use super::endpoints::Endpoints;
use crate::event::FourTuple;
use crate::random::Random;
use crate::tcp::Secrets;
use crate::tcp::fast_open::Cookie;
use crate::time::Instant;
use siphasher::sip::{SipHasher13, SipHasher24};
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

/// The stack's secret key.
#[derive(Clone, Debug)]
pub struct Key([u8; 16]);

impl Key {
    pub fn new(random: &mut Random) -> Key {
        let mut key = [0; 16];
        random.fill(&mut key);
        Key(key)
    }

    /// RFC 6528 §3: ISN = M + F(local, remote, key), where M steps every four microseconds (RFC 9293 §3.4.1,
    /// MUST-8, MUST-9, SHLD-1).
    pub fn secrets(&self, now: Instant, tuple: &FourTuple) -> Secrets {
        let (clock, hash) = ((now.as_micros() / 4) as u32, self.of_connection(tuple));
        Secrets { isn: clock.wrapping_add(hash as u32), timestamp_offset: (hash >> 32) as u32 }
    }

    /// The upper half of what the initial sequence number has the lower half of.
    pub fn timestamp_offset(&self, tuple: &FourTuple) -> u32 {
        (self.of_connection(tuple) >> 32) as u32
    }

    fn of_connection(&self, tuple: &FourTuple) -> u64 {
        SipHasher24::new_with_key(&self.0).hash(&Endpoints::from(tuple).to_bytes())
    }

    /// A key for one period of time, made from this one.
    fn of_period(&self, period: u64) -> [u8; 16] {
        let mut key = [0; 16];
        for (part, bytes) in key.chunks_exact_mut(8).enumerate() {
            let mut hasher = SipHasher24::new_with_key(&self.0);
            ("fast open", period, part).hash(&mut hasher);
            bytes.copy_from_slice(&hasher.finish().to_le_bytes());
        }
        key
    }

    pub fn hash(&self, purpose: &str, value: &impl Hash) -> u32 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        (purpose, value).hash(&mut hasher);
        hasher.finish() as u32
    }
}

/// How long a key makes cookies of Fast Open; for as long again those that it made are good.
const COOKIE_PERIOD_SECS: u64 = 12 * 3600;

/// The cookies that a server gives (RFC 7413 §4.1.2): a keyed hash of the two addresses, so that nothing is kept.
#[derive(Clone, Debug)]
pub struct CookieMint {
    key: Key,
    /// The same for all servers behind one address; it does not change by itself.
    pub shared: Option<[u8; 16]>,
}

/// What a cookie is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Worth {
    Good,
    /// Of the key before this one.
    Old,
    Nothing,
}

impl CookieMint {
    pub fn new(key: Key, shared: Option<[u8; 16]>) -> CookieMint {
        CookieMint { key, shared }
    }

    pub fn cookie(&self, now: Instant, tuple: &FourTuple) -> Cookie {
        self.of_period(now.as_millis() / 1000 / COOKIE_PERIOD_SECS, tuple)
    }

    pub fn judge(&self, now: Instant, tuple: &FourTuple, cookie: &Cookie) -> Worth {
        let period = now.as_millis() / 1000 / COOKIE_PERIOD_SECS;
        let is_of = |period| same(cookie, &self.of_period(period, tuple));
        match (is_of(period), period.checked_sub(1).is_some_and(is_of)) {
            (true, _) => Worth::Good,
            (false, true) => Worth::Old,
            (false, false) => Worth::Nothing,
        }
    }

    /// As Linux makes them, so that servers of both kinds may share a key.
    fn of_period(&self, period: u64, tuple: &FourTuple) -> Cookie {
        let mut hasher = SipHasher24::new_with_key(&self.shared.unwrap_or_else(|| self.key.of_period(period)));
        for address in [tuple.remote.ip(), tuple.local.ip()] {
            match address {
                IpAddr::V4(address) => hasher.write(&address.octets()),
                IpAddr::V6(address) => hasher.write(&address.octets()),
            }
        }
        hasher.finish().to_le_bytes().into_iter().collect()
    }
}

/// In a time that does not tell where they differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differs, (left, right)| differs | left ^ right) == 0
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

    // RFC 7413 §4.1.2
    #[test]
    fn a_cookie_is_good_for_its_addresses_and_its_time_alone() {
        let mint = CookieMint::new(Key::new(&mut Random::new(1)), None);
        let (now, period) = (Instant::from_secs(50), std::time::Duration::from_secs(COOKIE_PERIOD_SECS));
        let cookie = mint.cookie(now, &tuple(5));
        assert_eq!(mint.judge(now, &tuple(6), &cookie), Worth::Good, "ports do not count");
        assert_eq!(mint.judge(now + period, &tuple(5), &cookie), Worth::Old);
        assert_eq!(mint.judge(now + 2 * period, &tuple(5), &cookie), Worth::Nothing);
        let elsewhere = FourTuple { remote: ([192, 0, 2, 9], 5).into(), ..tuple(5) };
        assert_eq!(mint.judge(now, &elsewhere, &cookie), Worth::Nothing);
        assert_eq!(mint.judge(now, &tuple(5), &cookie[..6].iter().copied().collect()), Worth::Nothing);
        let other = CookieMint::new(Key::new(&mut Random::new(2)), None);
        assert_eq!(other.judge(now, &tuple(5), &cookie), Worth::Nothing);
    }

    /// What Linux makes of its own kind of key, a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4.
    #[test]
    fn servers_of_linux_may_share_a_key_with_ours() {
        let key = [0xa1, 0xb2, 0xc3, 0xd4].map(|byte: u8| [byte; 4]).concat().try_into().expect("sixteen bytes");
        let mint = CookieMint::new(Key::new(&mut Random::new(1)), Some(key));
        let tuple = FourTuple { local: ([192, 168, 0, 1], 8080).into(), remote: ([192, 0, 2, 1], 40_000).into() };
        let cookie = mint.cookie(Instant::from_secs(7), &tuple);
        assert_eq!(cookie[..], 0x3021_b9d8_8901_7eeb_u64.to_be_bytes());
    }
}
