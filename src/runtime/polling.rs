//! How a driver waits: it sleeps until the system wakes it, or looks again and again for a while first.
//!
//! Waking up costs more than anything that a stack does with a frame: some 5 µs on a machine of one's own, 30 µs on a
//! virtual one, and a request has to wait for it. Who looks again and again is there when the frame comes, at the price
//! of the processor on which it looks. [`Polling::Busy`] pays that price always; [`Polling::Adaptive`] while it
//! pays off.

use super::host::Host;
use super::nic::{Nic, Turn};
use crate::time::Instant;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a device is looked at that has no descriptor to wait on.
const NO_DESCRIPTOR: Duration = Duration::from_micros(500);
/// A sleep that was over so soon would better have been none; the time that waking up takes is part of it.
const QUICK: Duration = Duration::from_micros(100);
/// How long the adaptive kind looks before it sleeps.
const LOOK: Duration = Duration::from_micros(50);
/// After so many quick wake-ups in a row it begins to look.
const WAKE_UPS: u32 = 8;
/// And after so many at the most, when looking was in vain again and again.
const MOST_WAKE_UPS: u32 = 4096;

/// What a driver does when nothing is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Polling {
    /// Sleeps at once. An idle stack costs nothing.
    #[default]
    Sleep,
    /// After several wake-ups that came within 100 µs it looks for 50 µs before it sleeps. Looking in vain makes it
    /// hesitate longer the next time, so that it costs at most a few percent where it does not help: with a client on
    /// the same processor, say.
    Adaptive,
    /// Looks for so long before it sleeps. A whole processor while there is traffic, and always if it is long enough.
    Busy(Duration),
}

/// The choice of a driver, which may change while it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice(Arc<AtomicU64>);

const ADAPTIVE: u64 = u64::MAX;

impl Choice {
    pub fn set(&self, polling: Polling) {
        let nanos = match polling {
            Polling::Sleep => 0,
            Polling::Adaptive => ADAPTIVE,
            Polling::Busy(span) => u64::try_from(span.as_nanos()).unwrap_or(ADAPTIVE - 1).min(ADAPTIVE - 1),
        };
        self.0.store(nanos, Ordering::Relaxed);
    }

    fn polling(&self) -> Polling {
        match self.0.load(Ordering::Relaxed) {
            0 => Polling::Sleep,
            ADAPTIVE => Polling::Adaptive,
            nanos => Polling::Busy(Duration::from_nanos(nanos)),
        }
    }
}

/// How one driver waits.
#[derive(Debug, Default)]
pub(super) struct Rest {
    choice: Choice,
    /// Since when it looks, and whether it has looked in vain yet.
    looking: Option<(Instant, bool)>,
    experience: Experience,
}

impl Rest {
    pub fn new(choice: Choice) -> Rest {
        Rest { choice, ..Rest::default() }
    }

    /// After a turn that leaves nothing to do, and in which something was there or not.
    pub fn take(&mut self, host: &Host, nic: &Nic, turn: Turn, busy: bool) -> io::Result<()> {
        let polling = self.choice.polling();
        if polling == Polling::Sleep {
            return sleep(host, nic, turn);
        }
        let now = host.now();
        if self.looks(polling, now, busy) {
            std::hint::spin_loop();
            return Ok(());
        }
        sleep(host, nic, turn)?;
        self.experience.slept(host.now().since(now));
        Ok(())
    }

    fn looks(&mut self, polling: Polling, now: Instant, busy: bool) -> bool {
        let span = match polling {
            Polling::Sleep => Duration::ZERO,
            Polling::Adaptive => self.experience.span(),
            Polling::Busy(span) => span,
        };
        let since = match self.looking {
            Some((since, _)) if !busy => since,
            Some((_, in_vain)) => {
                if in_vain {
                    self.experience.looked(true);
                }
                now
            }
            None => now,
        };
        let looks = now.since(since) < span;
        if !looks && self.looking.is_some() {
            self.experience.looked(false);
        }
        self.looking = looks.then_some((since, !busy));
        looks
    }
}

/// Whether looking has paid off so far.
#[derive(Debug)]
struct Experience {
    /// Wake-ups that came quickly, in a row, and how many of them it takes.
    quick: u32,
    needed: u32,
}

impl Default for Experience {
    fn default() -> Experience {
        Experience { quick: 0, needed: WAKE_UPS }
    }
}

impl Experience {
    fn span(&self) -> Duration {
        if self.quick >= self.needed { LOOK } else { Duration::ZERO }
    }

    fn slept(&mut self, span: Duration) {
        self.quick = if span < QUICK { self.quick.saturating_add(1) } else { 0 };
    }

    fn looked(&mut self, found: bool) {
        if found {
            self.needed = WAKE_UPS;
        } else {
            (self.quick, self.needed) = (0, (2 * self.needed).min(MOST_WAKE_UPS));
        }
    }
}

/// Waits for a frame, for the bell, for room in the device if it was full, or for the deadline.
fn sleep(host: &Host, nic: &Nic, turn: Turn) -> io::Result<()> {
    let bell = host.bell().expect("a host in real time has a bell");
    let timeout = match nic.descriptor() {
        Some(_) => turn.deadline,
        None => Some(turn.deadline.unwrap_or(Instant::FAR_FUTURE).min(host.now() + NO_DESCRIPTOR)),
    };
    let timeout = timeout.map(|deadline| timespec(deadline.since(host.now())));
    let interest = if turn.blocked { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
    let mut waited = smallvec::SmallVec::<[PollFd<'_>; 2]>::new();
    waited.push(PollFd::from_borrowed_fd(bell, PollFlags::IN));
    waited.extend(nic.descriptor().map(|device| PollFd::from_borrowed_fd(device, interest)));
    match rustix::event::poll(&mut waited, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    if waited[0].revents().contains(PollFlags::IN) {
        let mut count = [0; 8];
        // Nothing there is fine: somebody else's wake-up was enough.
        let _ = rustix::io::read(bell, &mut count);
    }
    Ok(())
}

fn timespec(span: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(span.subsec_nanos()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(polling: Polling) -> Rest {
        let choice = Choice::default();
        choice.set(polling);
        assert_eq!(choice.polling(), polling);
        Rest::new(choice)
    }

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn who_is_busy_looks_for_so_long_after_the_last_that_was_there() {
        let polling = Polling::Busy(Duration::from_micros(10));
        let mut rest = rest(polling);
        let turns = [(0, false), (9, false), (9, true), (18, false), (19, false), (19, false), (30, true)];
        let looked: Vec<bool> = turns.map(|(now, busy)| rest.looks(polling, at(now), busy)).into();
        assert_eq!(looked, [true, true, true, true, false, true, true]);
    }

    #[test]
    fn the_adaptive_kind_begins_to_look_after_quick_wake_ups_alone() {
        let mut rest = rest(Polling::Adaptive);
        for _ in 0..WAKE_UPS {
            assert!(!rest.looks(Polling::Adaptive, at(0), true));
            rest.experience.slept(Duration::from_micros(60));
        }
        assert!(rest.looks(Polling::Adaptive, at(0), true));
        assert!(!rest.looks(Polling::Adaptive, at(50), false), "and no longer than that");
        rest.experience = Experience { quick: WAKE_UPS, needed: WAKE_UPS };
        rest.experience.slept(Duration::from_millis(1));
        assert!(!rest.looks(Polling::Adaptive, at(100), true), "a long sleep ends it");
    }

    #[test]
    fn looking_in_vain_takes_longer_to_come_back_to_each_time() {
        let mut rest = rest(Polling::Adaptive);
        let mut sleeps = Vec::new();
        for _ in 0..12 {
            let mut count = 0;
            while !rest.looks(Polling::Adaptive, at(0), true) {
                rest.experience.slept(Duration::from_micros(20));
                count += 1;
            }
            sleeps.push(count);
            assert!(!rest.looks(Polling::Adaptive, at(60), false));
        }
        assert_eq!(sleeps[..4], [WAKE_UPS, 2 * WAKE_UPS, 4 * WAKE_UPS, 8 * WAKE_UPS]);
        assert_eq!(sleeps[11], MOST_WAKE_UPS);
    }

    #[test]
    fn looking_that_pays_off_goes_on() {
        let mut rest = rest(Polling::Adaptive);
        rest.experience = Experience { quick: 40, needed: 32 };
        for start in (0..10_000).step_by(40) {
            assert!(rest.looks(Polling::Adaptive, at(start), start > 0));
            assert!(rest.looks(Polling::Adaptive, at(start + 20), false));
        }
        assert_eq!(rest.experience.needed, WAKE_UPS);
    }
}
