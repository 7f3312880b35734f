//! What is known of paths narrower than our own link (RFC 1191).

use crate::event::{Context, Event};
use crate::time::Instant;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// No path is believed to be narrower: 512 bytes of TCP data with both headers, as Linux has it. Lower claims are how
/// an attacker would make us send crumbs; packets of this size then leave without DF, so that a path that really is
/// narrower still works.
pub const FLOOR: u16 = 552;
/// RFC 1191 §6.3: after so long a larger size may be tried again.
pub const LIFETIME: Duration = Duration::from_secs(600);
/// Destinations remembered; the one to expire first gives way.
const CAPACITY: usize = 1024;

/// What is known of one path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Path {
    pub mtu: usize,
    /// Narrower than [`FLOOR`]: routers must fragment.
    pub fragment_on_the_way: bool,
    expires: Instant,
}

/// The path MTU cache.
#[derive(Debug, Default)]
pub(super) struct PathMtus {
    paths: BTreeMap<IpAddr, Path>,
    /// No later than the first to expire.
    next_expiry: Option<Instant>,
}

impl PathMtus {
    pub fn get(&self, now: Instant, destination: IpAddr) -> Option<Path> {
        if self.paths.is_empty() {
            return None;
        }
        self.paths.get(&destination).copied().filter(|path| now < path.expires)
    }

    /// Only `mtu` bytes fit. True when that is less than what was known, `known`.
    pub fn handle(&mut self, cx: &mut Context<'_>, destination: IpAddr, mtu: usize, known: usize) -> bool {
        let path = Path {
            mtu: mtu.max(FLOOR.into()).min(known),
            fragment_on_the_way: mtu < FLOOR.into(),
            expires: cx.after(LIFETIME),
        };
        // RFC 1191 §3: an estimate is never raised by a message.
        let news = mtu < known && self.get(cx.now, destination).is_none_or(|old| differs(old, path));
        if news {
            if self.paths.len() >= CAPACITY && !self.paths.contains_key(&destination) {
                self.forget_the_oldest();
            }
            self.paths.insert(destination, path);
            self.next_expiry = self.next_expiry.or(Some(path.expires));
            cx.tell(|| Event::PathMtu { destination, mtu: path.mtu });
        }
        news
    }

    fn forget_the_oldest(&mut self) {
        let oldest = self.paths.iter().min_by_key(|(_, path)| path.expires).map(|(destination, _)| *destination);
        if let Some(oldest) = oldest {
            self.paths.remove(&oldest);
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.next_expiry
    }

    /// Forgets what is too old; `link_mtu` is what is tried next.
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>, link_mtu: usize) {
        let now = cx.now;
        self.paths.retain(|destination, path| {
            let keep = now < path.expires;
            if !keep {
                cx.tell(|| Event::PathMtu { destination: *destination, mtu: link_mtu });
            }
            keep
        });
        self.next_expiry = self.paths.values().map(|path| path.expires).min();
    }
}

fn differs(old: Path, new: Path) -> bool {
    new.mtu < old.mtu || new.fragment_on_the_way && !old.fragment_on_the_way
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn at(now: Instant, mut work: impl FnMut(&mut Context<'_>)) {
        let (mut random, mut frames) = (Random::new(0), 0);
        let mut pool = crate::pool::Pool::default();
        work(&mut Context::new(now, &mut random, &mut pool, &mut frames, None));
    }

    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

    #[test]
    fn claims_lower_never_raise_and_stop_at_the_floor() {
        let mut paths = PathMtus::default();
        at(Instant::ZERO, |cx| {
            for (claim, news, mtu, fragment) in [
                (1500, false, 1500, false),
                (9000, false, 1500, false),
                (1400, true, 1400, false),
                (1450, false, 1400, false),
                (1400, false, 1400, false),
                (68, true, FLOOR.into(), true),
                (0, false, FLOOR.into(), true),
            ] {
                let known = paths.get(cx.now, FAR).map_or(1500, |path| path.mtu);
                assert_eq!(paths.handle(cx, FAR, claim, known), news, "claim {claim}");
                let path = paths.get(cx.now, FAR);
                assert_eq!(path.map_or(1500, |path| path.mtu), mtu, "claim {claim}");
                assert_eq!(path.is_some_and(|path| path.fragment_on_the_way), fragment, "claim {claim}");
            }
        });
    }

    #[test]
    fn findings_expire_after_ten_minutes() {
        let mut paths = PathMtus::default();
        at(Instant::ZERO, |cx| assert!(paths.handle(cx, FAR, 1000, 1500)));
        assert_eq!(paths.next_deadline(), Some(Instant::ZERO + LIFETIME));
        assert!(paths.get(Instant::from_secs(599), FAR).is_some());
        assert_eq!(paths.get(Instant::from_secs(600), FAR), None);
        at(Instant::from_secs(600), |cx| paths.handle_timeout(cx, 1500));
        assert_eq!(paths.next_deadline(), None);
    }

    #[test]
    fn the_cache_does_not_grow_without_bound() {
        let mut paths = PathMtus::default();
        for i in 0..3 * CAPACITY as u32 {
            at(Instant::from_millis(u64::from(i)), |cx| {
                assert!(paths.handle(cx, std::net::Ipv4Addr::from_bits(i).into(), 1000, 1500));
            });
        }
        assert_eq!(paths.paths.len(), CAPACITY);
    }
}
