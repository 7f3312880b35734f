//! Virtual time as applications see it: it can be read and slept in.

use crate::runtime::Clock;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A handle to a simulation's time. It may travel between threads, as hyper asks of what it is given.
#[derive(Clone)]
pub struct Time {
    clock: Clock,
    sleepers: Arc<Mutex<Sleepers>>,
}

#[derive(Default)]
struct Sleepers {
    /// By the time of waking, then by the order in which they lay down.
    waiting: BTreeMap<(Instant, u64), Waker>,
    count: u64,
}

impl Time {
    pub(super) fn new(clock: Clock) -> Time {
        Time { clock, sleepers: Arc::default() }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Waits for `span` of virtual time.
    pub fn sleep(&self, span: Duration) -> Sleep {
        self.sleep_until(self.now() + span)
    }

    pub fn sleep_until(&self, until: Instant) -> Sleep {
        Sleep { time: self.clone(), until, place: None }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.lock().waiting.first_key_value().map(|((until, _), _)| *until)
    }

    /// Moves the clock and wakes whose time has come.
    pub(super) fn advance(&self, to: Instant) {
        self.clock.advance(to);
        let due = {
            let mut sleepers = self.lock();
            let later = sleepers.waiting.split_off(&(to, u64::MAX));
            std::mem::replace(&mut sleepers.waiting, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Sleepers> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready once its time has come.
pub struct Sleep {
    time: Time,
    until: Instant,
    place: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.time.now() >= self.until {
            return Poll::Ready(());
        }
        let (time, until) = (self.time.clone(), self.until);
        let replaced = {
            let mut sleepers = time.lock();
            let place = *self.place.get_or_insert_with(|| {
                sleepers.count += 1;
                sleepers.count
            });
            sleepers.waiting.insert((until, place), cx.waker().clone())
        };
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let left = self.place.and_then(|place| self.time.lock().waiting.remove(&(self.until, place)));
        drop(left);
    }
}
