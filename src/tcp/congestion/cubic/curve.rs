//! The curve (RFC 9438 §4.2), in bytes and microseconds.

use crate::tcp::fold::folded;
use crate::time::Instant;
use std::time::Duration;

/// C = 0.4 (RFC 9438 §5.1), as a fraction.
const C: (u128, u128) = (2, 5);
/// (µs in a second)^3.
const CUBIC_SECOND: u128 = 1_000_000_000_000_000_000;
/// The curve is not followed further than this from K, in µs: there it is far beyond what one step may add.
const FAR: u64 = 1_000_000_000;

/// A stage of congestion avoidance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch {
    /// When it began; time in which the application left the window unused does not count (§5.8), so it moves on.
    pub start: Instant,
    /// The window that the curve levels out at, and when it does, in µs.
    pub origin: u64,
    pub k: u64,
    /// What Reno's window would be (§4.3), and the parts of it that are less than a byte.
    pub estimate: u64,
    pub estimate_rest: u64,
}

folded!(Epoch { start, origin, k, estimate, estimate_rest });

impl Epoch {
    /// In µs.
    pub fn elapsed(&self, now: Instant) -> u64 {
        micros(now.since(self.start))
    }

    /// W_cubic(t) in bytes.
    pub fn curve(&self, t: u64, mss: u64) -> u64 {
        let distance = u128::from(t.abs_diff(self.k).min(FAR));
        let away = C.0 * distance * distance * distance * u128::from(mss) / (C.1 * CUBIC_SECOND);
        let away = u64::try_from(away).unwrap_or(u64::MAX);
        if t < self.k { self.origin.saturating_sub(away) } else { self.origin.saturating_add(away) }
    }
}

/// K, the cubic root of (W_max - cwnd_epoch) / C with the windows in segments: so many bytes are climbed in so many µs.
pub fn time_to_climb(bytes: u64, mss: u64) -> u64 {
    cubic_root(u128::from(bytes) * C.1 * CUBIC_SECOND / (C.0 * u128::from(mss)))
}

pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// The largest number whose cube is at most `x`.
fn cubic_root(x: u128) -> u64 {
    let mut root = 0u128;
    for bit in (0..42).rev() {
        let larger = root | 1 << bit;
        if larger * larger * larger <= x {
            root = larger;
        }
    }
    root as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cubic_roots() {
        for x in [0, 1, 2, 3, 10, 99, 4217, 1_000_000, 10_000_000_000] {
            let cube = u128::from(x) * u128::from(x) * u128::from(x);
            assert_eq!(cubic_root(cube), x);
            assert_eq!(cubic_root(cube + 1), if x == 0 { 1 } else { x });
        }
    }
}
