//! The limit on acknowledgements that answer what a blind attacker, or a peer gone astray, may send (RFC 5961 §7).
//!
//! Each connection has its own: a limit that is shared tells one peer about the others.

use crate::time::Instant;
use std::time::Duration;

/// RFC 5961 §7's example: ten in any five seconds.
const LIMIT: u32 = 10;
const PERIOD: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, Default)]
pub struct ChallengeLimiter {
    period_began: Option<Instant>,
    spent: u32,
}

impl ChallengeLimiter {
    /// May one more go out now? Counts it if so.
    pub fn allows(&mut self, now: Instant) -> bool {
        if self.period_began.is_none_or(|began| now.since(began) >= PERIOD) {
            (self.period_began, self.spent) = (Some(now), 0);
        }
        self.spent += 1;
        self.spent <= LIMIT
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
    }
}
