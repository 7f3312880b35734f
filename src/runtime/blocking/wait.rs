//! How a thread waits: it parks, and the waker unparks it.

use crate::runtime::socket::Call;
use crate::runtime::waiters::{Direction, Wait};
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
    call: Call<'_>,
    deadline: Option<Instant>,
    mut attempt: impl FnMut(Wait<'_>) -> Poll<io::Result<T>>,
) -> io::Result<Option<T>> {
    let (parked, waker) = parked();
    loop {
        parked.woken.store(false, Ordering::Release);
        if let Poll::Ready(result) = attempt(call.wait(&waker)) {
            return result.map(Some);
        }
        if call.host().clock().is_virtual() {
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

impl Patience {
    fn slot(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    pub fn timeout(&self, direction: Direction) -> Option<Duration> {
        match self.slot(direction).load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// As in `std::net`, a timeout of zero is wrong use.
    pub fn set_timeout(&self, direction: Direction, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a timeout of zero is not possible; use None or more"));
        }
        let nanos = timeout.map_or(0, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        self.slot(direction).store(nanos, Ordering::Relaxed);
        Ok(())
    }

    pub fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// One call: tries once when nonblocking, else waits as long as it may. Both give up with
    /// [`WouldBlock`](ErrorKind::WouldBlock), as `std::net` does on Unix.
    pub fn finish<T>(&self, call: Call<'_>, mut attempt: impl FnMut(Wait<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
        if self.nonblocking.load(Ordering::Relaxed) {
            return match attempt(None) {
                Poll::Ready(result) => result,
                Poll::Pending => Err(io::Error::new(ErrorKind::WouldBlock, "not ready, and the socket is nonblocking")),
            };
        }
        let timeout = self.timeout(call.direction());
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        wait(call, deadline, attempt)?.ok_or_else(|| {
            let timeout = timeout.unwrap_or_default();
            io::Error::new(ErrorKind::WouldBlock, format!("not ready within the socket's timeout of {timeout:?}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Clock, Host};
    use crate::stack::{self, SocketId, UdpId};

    fn host() -> Host {
        Host::real(stack::Config::default(), 1).expect("a bell")
    }

    fn call(host: &Host, direction: Direction) -> Call<'_> {
        Call::new(host, SocketId::Udp(UdpId::default()), direction)
    }

    fn never(_: Wait<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    #[test]
    fn a_wake_from_another_thread_ends_the_wait() {
        let (host, mut tries) = (host(), 0);
        let socket = SocketId::Udp(UdpId::default());
        let waited = wait(call(&host, Direction::Read), None, |wait| {
            tries += 1;
            host.poll(socket, wait, |_, _| match tries {
                1 => {
                    let host = host.clone();
                    std::thread::spawn(move || host.wake(socket));
                    Poll::Pending
                }
                _ => Poll::Ready(Ok(tries)),
            })
        });
        assert_eq!(waited.expect("ready"), Some(2));
    }

    #[test]
    fn patience_ends_as_the_standard_library_has_it() {
        let (patience, host) = (Patience::default(), host());
        assert!(patience.set_timeout(Direction::Read, Some(Duration::ZERO)).is_err());
        patience.set_timeout(Direction::Read, Some(Duration::from_millis(5))).expect("more than zero");
        let error = patience.finish(call(&host, Direction::Read), never).expect_err("times out");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        patience.set_nonblocking(true);
        let error = patience.finish(call(&host, Direction::Write), never).expect_err("not ready");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn virtual_time_refuses_to_wait() {
        let host = Host::virtual_time(stack::Config::default(), 1, Clock::starting_at(crate::time::Instant::ZERO));
        let error = wait(call(&host, Direction::Read), None, never).expect_err("nobody would wake us");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
