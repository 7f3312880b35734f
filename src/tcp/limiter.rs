//! The limit on acknowledgements that answer what a blind attacker, or a peer gone astray, may send (RFC 5961 §7).
//!
//! Each connection has its own: a limit that is shared tells one peer about the others.

use super::fold::{Fold, Folder, Unfolder};
use crate::time::Instant;

/// RFC 5961 §7's example: ten in any five seconds.
const LIMIT: u32 = 10;
const PERIOD_SECONDS: u32 = 5;

/// Four bytes, since records in TIME-WAIT have one each: the second in which the period began, modulo 2^28, and how
/// many were spent in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChallengeLimiter(u32);

impl Fold for ChallengeLimiter {
    fn fold(&self, to: &mut Folder) {
        self.0.fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> ChallengeLimiter {
        ChallengeLimiter(u32::unfold(from))
    }
}

impl ChallengeLimiter {
    /// May one more go out now? Counts it if so.
    pub fn allows(&mut self, now: Instant) -> bool {
        let second = (now.as_millis() / 1000) as u32 & (u32::MAX >> 4);
        let (began, spent) = (self.0 >> 4, self.0 & 15);
        let fresh = spent == 0 || (second.wrapping_sub(began) & (u32::MAX >> 4)) >= PERIOD_SECONDS;
        let (began, spent) = if fresh { (second, 0) } else { (began, spent) };
        self.0 = began << 4 | (spent + 1).min(LIMIT + 1);
        spent < LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_five_seconds() {
        let mut limiter = ChallengeLimiter::default();
        let allowed =
            |limiter: &mut ChallengeLimiter, at| (0..20).filter(|_| limiter.allows(Instant::from_secs(at))).count();
        assert_eq!(allowed(&mut limiter, 1), 10);
        assert_eq!(allowed(&mut limiter, 5), 0);
        assert_eq!(allowed(&mut limiter, 6), 10);
        // Where the seconds wrap.
        assert_eq!(allowed(&mut limiter, (1 << 28) - 2), 10);
        assert_eq!(allowed(&mut limiter, 1 << 28), 0);
        assert_eq!(allowed(&mut limiter, (1 << 28) + 4), 10);
    }
}
