//! How a thread waits: it parks, and the waker unparks it.

use crate::runtime::clock::Clock;
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

struct Parked {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

thread_local! {
    /// One waker a thread, since a thread waits for one thing at a time.
    static PARKED: RefCell<Option<(Arc<Parked>, Waker)>> = const { RefCell::new(None) };
}

fn parked() -> (Arc<Parked>, Waker) {
    PARKED.with_borrow_mut(|slot| {
        slot.get_or_insert_with(|| {
            let parked = Arc::new(Parked { thread: std::thread::current(), woken: AtomicBool::new(false) });
            (parked.clone(), Waker::from(parked))
        })
        .clone()
    })
}

/// Tries until it is ready. Past the deadline the answer is none.
pub fn wait<T>(
    clock: &Clock,
    deadline: Option<Instant>,
    mut attempt: impl FnMut(&Waker) -> Poll<io::Result<T>>,
) -> io::Result<Option<T>> {
    let (parked, waker) = parked();
    loop {
        parked.woken.store(false, Ordering::Release);
        if let Poll::Ready(result) = attempt(&waker) {
            return result.map(Some);
        }
        if clock.is_virtual() {
            return Err(io::Error::new(
                ErrorKind::Unsupported,
                "a blocking call cannot wait in virtual time; use the asynchronous sockets",
            ));
        }
        while !parked.woken.load(Ordering::Acquire) {
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => std::thread::park(),
                Some(Duration::ZERO) => return Ok(None),
                Some(left) => std::thread::park_timeout(left),
            }
        }
    }
}

/// The settings of a socket's waiting, shared by its clones as a descriptor's are.
#[derive(Debug, Default)]
pub struct Patience {
    nonblocking: AtomicBool,
    /// Nanoseconds; zero waits for ever.
    read: AtomicU64,
    write: AtomicU64,
}

/// Which of the two timeouts of a socket.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Read,
    Write,
}

impl Patience {
    fn slot(&self, side: Side) -> &AtomicU64 {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }

    pub fn timeout(&self, side: Side) -> Option<Duration> {
        match self.slot(side).load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// As in `std::net`, a timeout of zero is wrong use.
    pub fn set_timeout(&self, side: Side, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a timeout of zero is not possible; use None or more"));
        }
        let nanos = timeout.map_or(0, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        self.slot(side).store(nanos, Ordering::Relaxed);
        Ok(())
    }

    pub fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// One call: tries once when nonblocking, else waits as long as it may. Both give up with
    /// [`WouldBlock`](ErrorKind::WouldBlock), as `std::net` does on Unix.
    pub fn call<T>(
        &self,
        clock: &Clock,
        side: Side,
        mut attempt: impl FnMut(Option<&Waker>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        if self.nonblocking.load(Ordering::Relaxed) {
            return match attempt(None) {
                Poll::Ready(result) => result,
                Poll::Pending => Err(io::Error::new(ErrorKind::WouldBlock, "not ready, and the socket is nonblocking")),
            };
        }
        let timeout = self.timeout(side);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        wait(clock, deadline, |waker| attempt(Some(waker)))?.ok_or_else(|| {
            let timeout = timeout.unwrap_or_default();
            io::Error::new(ErrorKind::WouldBlock, format!("not ready within the socket's timeout of {timeout:?}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_from_another_thread_ends_the_wait() {
        let mut tries = 0;
        let waited = wait(&Clock::real(), None, |waker| {
            tries += 1;
            match tries {
                1 => {
                    let waker = waker.clone();
                    std::thread::spawn(move || waker.wake());
                    Poll::Pending
                }
                _ => Poll::Ready(Ok(tries)),
            }
        });
        assert_eq!(waited.expect("ready"), Some(2));
    }

    #[test]
    fn patience_ends_as_the_standard_library_has_it() {
        let (patience, clock) = (Patience::default(), Clock::real());
        assert!(patience.set_timeout(Side::Read, Some(Duration::ZERO)).is_err());
        patience.set_timeout(Side::Read, Some(Duration::from_millis(5))).expect("more than zero");
        let never = |_: Option<&Waker>| Poll::<io::Result<()>>::Pending;
        assert_eq!(patience.call(&clock, Side::Read, never).expect_err("times out").kind(), ErrorKind::WouldBlock);
        patience.set_nonblocking(true);
        assert_eq!(patience.call(&clock, Side::Write, never).expect_err("not ready").kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn virtual_time_refuses_to_wait() {
        let clock = Clock::starting_at(crate::time::Instant::ZERO);
        let error = wait(&clock, None, |_| Poll::<io::Result<()>>::Pending).expect_err("nobody would wake us");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
