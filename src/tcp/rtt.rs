//! Round-trip times and the retransmission timeout (RFC 6298; RFC 9293 §3.8.1, MUST-18).

use super::Config;
use super::fold::{Fold, Folder, Unfolder};
use crate::time::{Instant, nanos};
use std::time::Duration;

/// The estimator of one connection, in nanoseconds: [`Duration`]s compute slowly.
#[derive(Clone, Debug)]
pub struct RttEstimator {
    /// SRTT and RTTVAR; none before the first sample.
    estimate: Option<(u64, u64)>,
    /// Before any doubling.
    base: u64,
    backoff: u32,
    min: u64,
    max: u64,
    shortest: Minimum,
    slop: u64,
}

/// Written down as spans, which are short where they are whole milliseconds.
impl Fold for RttEstimator {
    fn fold(&self, to: &mut Folder) {
        let RttEstimator { estimate, base, backoff, min, max, shortest, slop } = self;
        estimate.map(|(srtt, rttvar)| [srtt, rttvar].map(Duration::from_nanos)).fold(to);
        [*base, *min, *max, *slop].map(Duration::from_nanos).fold(to);
        backoff.fold(to);
        shortest.fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> RttEstimator {
        let estimate: Option<[Duration; 2]> = Fold::unfold(from);
        let estimate = estimate.map(|[srtt, rttvar]| (nanos(srtt), nanos(rttvar)));
        let [base, min, max, slop] = <[Duration; 4]>::unfold(from).map(nanos);
        let (backoff, shortest) = Fold::unfold(from);
        RttEstimator { estimate, base, backoff, min, max, shortest, slop }
    }
}

impl RttEstimator {
    pub fn new(config: &Config) -> RttEstimator {
        let (min, max) = (nanos(config.min_rto.min(config.max_rto)), nanos(config.max_rto));
        RttEstimator {
            estimate: None,
            // RFC 6298 §2.1: one second until there is a sample.
            base: nanos(config.initial_rto).clamp(min, max),
            backoff: 0,
            min,
            max,
            shortest: Minimum::default(),
            slop: nanos(config.rto_slop),
        }
    }

    /// Takes in a sample of a segment that was sent once (Karn's rule is the caller's: RFC 6298 §3).
    pub fn sample(&mut self, rtt: Duration) {
        let rtt = nanos(rtt);
        let (srtt, rttvar) = match self.estimate {
            // RFC 6298 §2.2
            None => (rtt, rtt / 2),
            // RFC 6298 §2.3, alpha = 1/8 and beta = 1/4
            Some((srtt, rttvar)) => (srtt - srtt / 8 + rtt / 8, rttvar - rttvar / 4 + srtt.abs_diff(rtt) / 4),
        };
        self.estimate = Some((srtt, rttvar));
        // RFC 6298 §2.3 to §2.5, with the minimum in the place of the clock's granularity, as Linux has it: the timeout
        // keeps its distance from the round trip on a path that never varies.
        self.base = (srtt + self.min.max(rttvar * 4)).min(self.max);
    }

    /// The timeout as it stands, doubled as often as it ran out.
    pub fn rto(&self) -> Duration {
        Duration::from_nanos(self.rto_nanos())
    }

    /// When it runs out for what was sent at `at`.
    pub fn timeout(&self, at: Instant) -> Instant {
        Instant::from_nanos(at.as_nanos().saturating_add(self.rto_nanos()))
    }

    fn rto_nanos(&self) -> u64 {
        let slop = if self.estimate.is_none() && self.backoff == 0 { 0 } else { self.slop };
        let base = self.base.saturating_mul(1 << self.backoff);
        base.saturating_add(slop).min(self.max)
    }

    /// RFC 6298 §5.5: back off the timer.
    pub fn back_off(&mut self) {
        self.backoff = (self.backoff + 1).min(31);
    }

    /// New data was acknowledged: the path is alive.
    pub fn reset_backoff(&mut self) {
        self.backoff = 0;
    }

    pub fn backoff(&self) -> u32 {
        self.backoff
    }

    /// RFC 6298 §5.7: after a SYN that timed out, data begins with three seconds.
    pub fn restart_after_syn_timeout(&mut self) {
        self.backoff = 0;
        self.base = 3_000_000_000.clamp(self.min, self.max);
    }

    /// A round trip, for the minimum alone.
    pub fn note_minimum(&mut self, now: Instant, rtt: Duration) {
        self.shortest.note(now, rtt);
    }

    /// The shortest round trip of the last five minutes.
    pub fn min_rtt(&self) -> Option<Duration> {
        self.shortest.best
    }

    pub fn srtt(&self) -> Option<Duration> {
        self.estimate.map(|(srtt, _)| Duration::from_nanos(srtt))
    }

    pub fn rttvar(&self) -> Duration {
        Duration::from_nanos(self.estimate.map_or(0, |(_, rttvar)| rttvar))
    }
}

/// How long a short round trip counts; Linux's `tcp_min_rtt_wlen`.
const MINIMUM_LIFETIME: Duration = Duration::from_secs(300);

/// The minimum over a moving window of time: the best of three thirds of it, so that the next best is at hand when the
/// best grows too old.
#[derive(Clone, Debug, Default)]
struct Minimum {
    /// When each third began, and its shortest; the newest first.
    thirds: [Option<(Instant, Duration)>; 4],
    /// Of all of them.
    best: Option<Duration>,
    /// Until when the oldest of them counts.
    until: Instant,
}

impl Fold for Minimum {
    fn fold(&self, to: &mut Folder) {
        self.thirds.fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> Minimum {
        let mut minimum = Minimum { thirds: Fold::unfold(from), ..Minimum::default() };
        minimum.find_best();
        minimum
    }
}

impl Minimum {
    fn note(&mut self, now: Instant, rtt: Duration) {
        match &mut self.thirds[0] {
            Some((began, shortest)) if now < *began + MINIMUM_LIFETIME / 3 => {
                if rtt < *shortest {
                    *shortest = rtt;
                    self.best = self.best.min(Some(rtt));
                }
            }
            Some(_) | None => {
                self.thirds.rotate_right(1);
                self.thirds[0] = Some((now, rtt));
                self.find_best();
            }
        }
        if now > self.until {
            self.thirds = self.thirds.map(|third| third.filter(|(began, _)| now <= *began + MINIMUM_LIFETIME));
            self.find_best();
        }
    }

    fn find_best(&mut self) {
        let thirds = self.thirds.iter().flatten();
        self.best = thirds.clone().map(|(_, shortest)| *shortest).min();
        self.until = thirds.last().map_or(Instant::FAR_FUTURE, |(began, _)| *began + MINIMUM_LIFETIME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn samples_move_the_estimate_as_rfc_6298_computes() {
        let mut rtt = RttEstimator::new(&Config::default());
        assert_eq!(rtt.rto(), millis(1000), "§2.1");
        for (sample, srtt, rttvar, rto) in [(400, 400, 200, 1200), (400, 400, 150, 1000), (800, 450, 212, 1300)] {
            rtt.sample(millis(sample));
            assert_eq!(rtt.srtt().map(|srtt| srtt.as_millis()), Some(srtt));
            assert_eq!((rtt.rttvar().as_millis(), rtt.rto().as_millis()), (rttvar, rto));
        }
    }

    #[test]
    fn a_path_that_never_varies_keeps_its_distance() {
        let mut rtt = RttEstimator::new(&Config::default());
        (0..50).for_each(|_| rtt.sample(millis(100)));
        assert_eq!((rtt.rttvar().as_millis(), rtt.rto()), (0, millis(300)));
    }

    #[test]
    fn the_shortest_round_trip_is_forgotten_after_five_minutes() {
        let mut rtt = RttEstimator::new(&Config::default());
        assert_eq!(rtt.min_rtt(), None);
        for (second, sample, shortest) in [(0, 50, 50), (10, 40, 40), (150, 70, 40), (290, 60, 40), (310, 90, 60)] {
            rtt.note_minimum(Instant::from_secs(second), millis(sample));
            assert_eq!(rtt.min_rtt(), Some(millis(shortest)), "at {second} s");
        }
    }

    #[test]
    fn rto_keeps_its_bounds_and_doubles_in_between() {
        let mut rtt = RttEstimator::new(&Config::default());
        rtt.sample(Duration::ZERO);
        assert_eq!(rtt.rto(), millis(200));
        let doubled: Vec<_> = (0..12)
            .map(|_| {
                rtt.back_off();
                rtt.rto().as_millis()
            })
            .collect();
        assert_eq!(doubled, [400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 102400, 120000, 120000, 120000]);
        rtt.reset_backoff();
        assert_eq!(rtt.rto(), millis(200));
    }

    #[test]
    fn data_after_a_lost_syn_begins_with_three_seconds() {
        let mut rtt = RttEstimator::new(&Config::default());
        rtt.back_off();
        rtt.restart_after_syn_timeout();
        assert_eq!(rtt.rto(), millis(3000));
        rtt.sample(millis(100));
        assert_eq!(rtt.rto(), millis(300));
    }
}
