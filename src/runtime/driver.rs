//! The driver: one thread that owns a device and takes its host's turns in real time.

use super::host::Host;
use super::nic::{Nic, Turn};
use crate::device::{Capabilities, Coalesce, Device, SUPER_FRAME};
use crate::event::Observer;
use crate::stack;
use crate::time::Instant;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a device is looked at that has no descriptor to wait on.
const NO_DESCRIPTOR: Duration = Duration::from_micros(500);

/// A running host: stops when it is dropped.
///
/// ```no_run
/// # fn device() -> Box<dyn strata::device::Device> { unimplemented!() }
/// use std::io::Write;
/// use strata::runtime::{Driver, blocking::TcpStream};
///
/// let driver = Driver::start(strata::stack::Config::default(), 7, device(), None)?;
/// let mut stream = TcpStream::connect(driver.host(), "192.0.2.1:80".parse().unwrap())?;
/// stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Driver {
    host: Host,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Driver {
    /// Starts a host on `device`; `seed` decides everything that it leaves to chance.
    pub fn start(
        config: stack::Config,
        seed: u64,
        device: Box<dyn Device>,
        observer: Option<Box<dyn Observer>>,
    ) -> io::Result<Driver> {
        let (host, nic) = begin(config, seed, device, observer)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (of_thread, stop_of_thread) = (host.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("strata-driver".into())
            .spawn(move || drive(&of_thread, nic, &stop_of_thread))?;
        Ok(Driver { host, stop, thread: Some(thread) })
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Stops the host and waits until its thread has ended; gives the error that ended it before, if one did.
    /// Connections that are still open are not told.
    pub fn stop(mut self) -> io::Result<()> {
        self.halt()
    }

    fn halt(&mut self) -> io::Result<()> {
        self.stop.store(true, Ordering::Release);
        self.host.ring();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            // Whoever wants to know why the host ended calls `stop` or asks `Host::ended`.
            let _ = self.halt();
        }
    }
}

/// What the device does, the stack leaves to it; and whatever else the configuration asks for, which the device then
/// does in software. No connection is offered a larger window than the device's queue holds: the peer would fill it and
/// overflow.
pub(crate) fn suit(config: &mut stack::Config, device: Capabilities) {
    config.partial_checksum |= device.partial_checksum;
    config.segmentation = config.segmentation.or(device.segmentation).filter(|_| config.partial_checksum);
    let queue = device.receive_queue.unwrap_or(usize::MAX);
    config.tcp.receive_buffer = config.tcp.receive_buffer.min(queue);
}

/// A host in real time that has announced itself, before any application can send, and that nobody drives yet; and its
/// interface.
pub(super) fn begin(
    mut config: stack::Config,
    seed: u64,
    mut device: Box<dyn Device>,
    observer: Option<Box<dyn Observer>>,
) -> io::Result<(Host, Nic)> {
    if !device.capabilities().partial_checksum {
        // In software then: a train costs the stack as much as one segment of it.
        config.partial_checksum = true;
        config.segmentation = Some(SUPER_FRAME);
        device = Box::new(Coalesce::new(device));
    }
    suit(&mut config, device.capabilities());
    let host = Host::real(config, seed)?;
    host.set_observer(observer);
    host.start();
    Ok((host, Nic::new(device)))
}

fn drive(host: &Host, nic: Nic, stop: &AtomicBool) -> io::Result<()> {
    let name = nic.device().describe();
    // Also when the loop panics: nobody must wait for a host that no longer moves.
    let _ended = EndOnDrop(host);
    let result = run(host, nic, stop)
        .map_err(|error| io::Error::new(error.kind(), format!("{name} failed, the stack has stopped: {error}")));
    match &result {
        Ok(()) => host.end(io::ErrorKind::NotConnected, "the stack was stopped".into()),
        Err(error) => host.end(error.kind(), error.to_string()),
    }
    result
}

struct EndOnDrop<'a>(&'a Host);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end(io::ErrorKind::Other, "the driver has ended unexpectedly".into());
    }
}

fn run(host: &Host, mut nic: Nic, stop: &AtomicBool) -> io::Result<()> {
    while !stop.load(Ordering::Acquire) {
        let turn = nic.turn(host)?;
        if turn.idle {
            sleep(host, &nic, turn)?;
        }
    }
    Ok(())
}

/// Whether to look once more before sleeping (busy polling).
pub(super) struct Patience {
    span: Duration,
    /// When something was last there.
    since: Option<Instant>,
}

impl Patience {
    pub fn new(span: Duration) -> Patience {
        Patience { span, since: None }
    }

    /// After a turn that leaves nothing to do, and in which something was there or not.
    pub fn is_over(&mut self, host: &Host, busy: bool) -> bool {
        if self.span.is_zero() {
            return true;
        }
        let now = host.now();
        if busy || self.since.is_none() {
            self.since = Some(now);
        }
        std::hint::spin_loop();
        self.since.is_none_or(|since| now.since(since) >= self.span)
    }
}

/// Waits for a frame, for the bell, for room in the device if it was full, or for the deadline.
pub(super) fn sleep(host: &Host, nic: &Nic, turn: Turn) -> io::Result<()> {
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
