//! A token bucket (RFC 1812 §4.3.2.8): so many at once, then so many a second.

use crate::time::Instant;

const SECOND: u64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct TokenBucket {
    /// Nanoseconds that one token costs; none when there are no tokens at all.
    cost: Option<u64>,
    /// Nanoseconds saved up, at most `full`.
    saved: u64,
    full: u64,
    since: Instant,
}

impl TokenBucket {
    /// A full one. A burst of 0 counts as 1.
    pub fn new(per_second: u32, burst: u32) -> TokenBucket {
        let cost = SECOND.checked_div(per_second.into());
        let full = cost.unwrap_or(0).saturating_mul(burst.max(1).into());
        TokenBucket { cost, saved: full, full, since: Instant::ZERO }
    }

    /// Takes a token, if one is there.
    pub fn take(&mut self, now: Instant) -> bool {
        let Some(cost) = self.cost else { return false };
        let passed = u64::try_from(now.since(self.since).as_nanos()).unwrap_or(u64::MAX);
        self.saved = self.saved.saturating_add(passed).min(self.full);
        self.since = now;
        let enough = self.saved >= cost;
        if enough {
            self.saved -= cost;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        for (per_second, burst, expected_at_once, expected_in_a_second) in
            [(10, 5, 5, 10), (1000, 50, 50, 1000), (1, 0, 1, 1), (0, 9, 0, 0)]
        {
            let mut bucket = TokenBucket::new(per_second, burst);
            let now = Instant::from_secs(5);
            assert_eq!((0..10_000).filter(|_| bucket.take(now)).count(), expected_at_once, "{per_second}/s");
            let later = (1..=10_000).filter(|i| bucket.take(now + std::time::Duration::from_micros(100 * i)));
            assert_eq!(later.count(), expected_in_a_second, "{per_second}/s");
        }
    }

    #[test]
    fn quiet_time_fills_no_more_than_the_burst() {
        let mut bucket = TokenBucket::new(10, 3);
        let year = Instant::from_secs(365 * 24 * 3600);
        assert_eq!((0..10).filter(|_| bucket.take(year)).count(), 3);
        assert!(!bucket.take(Instant::ZERO), "a clock that goes back gives nothing");
    }
}
