//! Where a host takes its time from.

use crate::time::Instant;
use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time of one or more hosts: the machine's, or one that a simulation sets.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// The system's monotonic clock, and what it is behind the epoch.
    Real {
        behind: Duration,
    },
    Virtual(Arc<AtomicU64>),
}

impl Clock {
    /// Nanoseconds since the Unix epoch. The system's date is read once, here; from then on the monotonic clock
    /// counts, so that captures carry true dates and yet time never steps back.
    pub fn real() -> Clock {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Clock(Kind::Real { behind: since_epoch.saturating_sub(monotonic().since(Instant::ZERO)) })
    }

    /// A clock that stands still until it is set; its clones stand at the same time.
    pub fn starting_at(start: Instant) -> Clock {
        Clock(Kind::Virtual(Arc::new(AtomicU64::new(start.as_nanos()))))
    }

    pub fn now(&self) -> Instant {
        match &self.0 {
            Kind::Real { behind } => monotonic() + *behind,
            Kind::Virtual(nanos) => Instant::from_nanos(nanos.load(Ordering::Relaxed)),
        }
    }

    pub fn is_virtual(&self) -> bool {
        matches!(self.0, Kind::Virtual(_))
    }

    /// Moves virtual time forward to `to`; an earlier time than the present one is passed over.
    ///
    /// # Panics
    /// When this is the machine's clock, which nobody can set.
    pub fn advance(&self, to: Instant) {
        let Kind::Virtual(nanos) = &self.0 else { panic!("only virtual time can be set") };
        nanos.fetch_max(to.as_nanos(), Ordering::Relaxed);
    }
}

fn monotonic() -> Instant {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Instant::ZERO + Duration::new(at.tv_sec as u64, at.tv_nsec as u32)
}

/// The time of a call, read when it is first asked for: many calls never ask.
pub struct Moment<'a> {
    clock: &'a Clock,
    read: OnceCell<Instant>,
}

impl<'a> Moment<'a> {
    pub fn of(clock: &'a Clock) -> Moment<'a> {
        Moment { clock, read: OnceCell::new() }
    }

    pub fn now(&self) -> Instant {
        *self.read.get_or_init(|| self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_moves_for_all_clones_and_never_back() {
        let clock = Clock::starting_at(Instant::from_secs(5));
        let other = clock.clone();
        clock.advance(Instant::from_secs(7));
        clock.advance(Instant::from_secs(6));
        assert_eq!(other.now(), Instant::from_secs(7));
    }

    #[test]
    fn real_time_carries_the_date() {
        let (clock, system) = (Clock::real(), SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970"));
        let difference = clock.now().since(Instant::ZERO + system);
        assert!(difference < Duration::from_secs(5), "{difference:?}");
    }
}
