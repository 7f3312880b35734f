//! One host as programs see it: a stack behind the one lock, with those who wait for its sockets.

use super::clock::{Clock, Moment};
use super::waiters::{Direction, Seat, Wait, Waiters, Wakers};
use crate::device::Batch;
use crate::event::Observer;
use crate::frame::Frame;
use crate::stack::{self, SocketId, Stack, Stray};
use crate::time::Instant;
use rustix::event::EventfdFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Poll, Waker};
use tokio::sync::Notify;

/// The most that is taken from the stack before the device is looked at again: what answers the first frames lets the
/// memory of the next be used again while it is warm.
const FRAMES_A_TURN: usize = 256;
const BYTES_A_TURN: usize = 128 * 1024;

/// Frames on their way to the device.
#[derive(Default)]
pub(super) struct Outgoing {
    pub frames: VecDeque<Frame>,
    bytes: usize,
}

/// A handle to one host, shared by its sockets, its applications and whoever drives it.
#[derive(Clone)]
pub struct Host(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    clock: Clock,
    /// Written when the driver sleeps and there is something to do; in virtual time nobody sleeps.
    bell: Option<OwnedFd>,
    /// Told once the host has ended.
    ended: Notify,
    /// The others that share its addresses, from the next one on.
    siblings: OnceLock<Vec<Weak<Shared>>>,
}

struct State {
    stack: Stack,
    waiters: Waiters,
    /// Frames that a call of an application brought about, waiting for the driver's next turn.
    outgoing: Outgoing,
    driver: Presence,
    /// Why nothing moves any more: the kind and the sentence that every call gets from now on.
    ended: Option<(io::ErrorKind, String)>,
}

/// What the driver does now, as far as a caller must know to decide whether to ring.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Awake,
    AsleepUntil(Option<Instant>),
}

/// What [`Host::collect`] left behind.
pub(super) struct Exchange {
    /// When it was.
    pub now: Instant,
    pub deadline: Option<Instant>,
    pub wakers: Wakers,
    /// There was nothing to send and nobody to wake.
    pub idle: bool,
}

impl Host {
    /// A host in real time, to be driven by a [`Driver`](super::Driver).
    pub(super) fn real(config: stack::Config, seed: u64) -> io::Result<Host> {
        let bell = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Host::new(config, seed, Clock::real(), Some(bell)))
    }

    /// A host in virtual time, to be driven by a simulation that owns `clock`.
    pub fn virtual_time(config: stack::Config, seed: u64, clock: Clock) -> Host {
        debug_assert!(clock.is_virtual());
        Host::new(config, seed, clock, None)
    }

    fn new(config: stack::Config, seed: u64, clock: Clock, bell: Option<OwnedFd>) -> Host {
        let state = State {
            stack: Stack::new(config, seed),
            waiters: Waiters::default(),
            outgoing: Outgoing::default(),
            driver: Presence::Awake,
            ended: None,
        };
        Host(Arc::new(Shared {
            state: Mutex::new(state),
            clock,
            bell,
            ended: Notify::new(),
            siblings: OnceLock::new(),
        }))
    }

    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What the host was made of.
    pub fn config(&self) -> stack::Config {
        self.inspect(|stack| stack.config().clone())
    }

    /// Attaches a view to the host's events, or takes it away.
    pub fn set_observer(&self, observer: Option<Box<dyn Observer>>) {
        self.lock().stack.set_observer(observer);
    }

    /// Announces the host's addresses; called once by whoever drives it.
    pub(crate) fn start(&self) {
        self.with(|stack, now| stack.start(now));
    }

    /// Why the host stands still, once its device failed or its driver was stopped.
    pub fn ended(&self) -> Option<io::Error> {
        self.lock().ended.as_ref().map(|(kind, sentence)| io::Error::new(*kind, sentence.clone()))
    }

    /// Waits until the host stands still; gives the reason.
    pub async fn until_ended(&self) -> io::Error {
        loop {
            // Asked for before the look, so that an end in between is not missed.
            let told = self.0.ended.notified();
            match self.ended() {
                Some(error) => return error,
                None => told.await,
            }
        }
    }

    /// How many connections have not come to their end; those in TIME-WAIT only wait.
    pub fn unfinished_connections(&self) -> usize {
        self.inspect(Stack::tcp_unfinished)
    }

    /// How many connections there are, and what they hold.
    pub fn tcp_usage(&self) -> stack::TcpUsage {
        self.inspect(Stack::tcp_usage)
    }

    /// What became of the SYNs to our listeners.
    pub fn tcp_handshakes(&self) -> stack::Handshakes {
        self.inspect(Stack::tcp_handshakes)
    }

    /// Ends every call that waits or will be made, with this error.
    pub(super) fn end(&self, kind: io::ErrorKind, sentence: String) {
        let mut wakers = Wakers::new();
        {
            let mut state = self.lock();
            state.ended.get_or_insert((kind, sentence));
            state.waiters.take_all(&mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
        self.0.ended.notify_waiters();
        self.ring();
    }

    /// Looks at the stack and changes nothing.
    pub(super) fn inspect<T>(&self, look: impl FnOnce(&Stack) -> T) -> T {
        look(&self.lock().stack)
    }

    /// Does something with the stack; what it sets in motion goes out at the driver's next turn.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Stack, Instant) -> T) -> T {
        let mut state = self.lock();
        let moment = Moment::of(&self.0.clock);
        let result = act(&mut state.stack, moment.now());
        self.settle(state, &moment);
        result
    }

    /// Tries something that may have to wait. When it has to, the waker is woken once `socket` may be ready for it.
    pub(super) fn poll<T>(
        &self,
        socket: SocketId,
        wait: Wait<'_>,
        attempt: impl FnOnce(&mut Stack, &Moment<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.lock();
        if let Some((kind, sentence)) = &state.ended {
            return Poll::Ready(Err(io::Error::new(*kind, sentence.clone())));
        }
        let moment = Moment::of(&self.0.clock);
        let result = attempt(&mut state.stack, &moment);
        let replaced = match (&result, wait) {
            (Poll::Pending, Some(waiter)) => state.waiters.register(socket, waiter),
            (Poll::Pending | Poll::Ready(_), _) => None,
        };
        self.settle(state, &moment);
        drop(replaced);
        result
    }

    /// Nobody waits in `seat` any more.
    pub(super) fn leave(&self, socket: SocketId, seat: &Seat) {
        let mut left = Wakers::new();
        if seat.is_taken() {
            self.lock().waiters.leave(socket, seat, &mut left);
        }
    }

    /// Wakes everyone who waits for `socket`: something about its handle has changed.
    pub(super) fn wake(&self, socket: SocketId) {
        let mut wakers = Wakers::new();
        self.lock().waiters.take(socket, |_| true, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Lets go of a socket: `close` tells the stack, and nobody is woken for it any more.
    pub(super) fn release(&self, socket: SocketId, close: impl FnOnce(&mut Stack, Instant)) {
        let mut left = Wakers::new();
        let mut state = self.lock();
        state.waiters.take(socket, |_| true, &mut left);
        let moment = Moment::of(&self.0.clock);
        close(&mut state.stack, moment.now());
        self.settle(state, &moment);
        left.into_iter().for_each(Waker::wake);
    }

    /// Takes in what has arrived; gives whom to wake.
    pub(super) fn handle(&self, arrived: &mut Batch) -> Wakers {
        let mut state = self.lock();
        state.driver = Presence::Awake;
        let now = self.now();
        arrived.hand_over(|memory, offload| state.stack.handle_frame_in(now, memory, offload));
        let wakers = state.take_ready();
        if let Some(siblings) = self.0.siblings.get() {
            let strays: Vec<Stray> = std::iter::from_fn(|| state.stack.poll_stray()).collect();
            drop(state);
            pass_on(siblings, strays);
        }
        wakers
    }

    /// Lets hosts that share their addresses pass on what is not for them.
    pub(super) fn join(hosts: &[Host]) {
        for (index, host) in hosts.iter().enumerate() {
            let others = hosts[index + 1..].iter().chain(&hosts[..index]);
            let joined = host.0.siblings.set(others.map(|other| Arc::downgrade(&other.0)).collect());
            debug_assert!(joined.is_ok(), "a host is joined once");
        }
    }

    /// Does what is due, adds the frames that are ready to go to `outgoing`, and gives memory back to `arrived`. When there
    /// are no frames and nobody is to be woken, the driver counts as asleep: whoever has something for it rings.
    pub(super) fn collect(&self, outgoing: &mut Outgoing, arrived: &mut Batch) -> Exchange {
        let mut state = self.lock();
        let now = self.now();
        if state.stack.next_deadline().is_some_and(|deadline| deadline <= now) {
            state.stack.handle_timeout(now);
        }
        arrived.refill(|| state.stack.spare_memory());
        let before = outgoing.frames.len();
        outgoing.append(&mut state.outgoing);
        outgoing.fill(&mut state.stack, now);
        let wakers = state.take_ready();
        let deadline = state.stack.next_deadline();
        let idle = outgoing.frames.len() == before && wakers.is_empty();
        state.driver = if idle { Presence::AsleepUntil(deadline) } else { Presence::Awake };
        Exchange { now, deadline, wakers, idle }
    }

    /// What the driver waits on beside its device.
    pub(super) fn bell(&self) -> Option<BorrowedFd<'_>> {
        self.0.bell.as_ref().map(AsFd::as_fd)
    }

    /// Wakes the driver, unless it is awake and will look by itself before it sleeps.
    pub(super) fn ring_if_asleep(&self) {
        let asleep = std::mem::replace(&mut self.lock().driver, Presence::Awake) != Presence::Awake;
        if asleep {
            self.ring();
        }
    }

    /// Wakes the driver.
    pub(super) fn ring(&self) {
        if let Some(bell) = &self.0.bell {
            // The only way to fail is a counter at its end, and then the driver is being woken already.
            let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
        }
    }

    /// Ends a caller's hold of the lock. A driver that is awake looks itself before it sleeps at what was set in motion,
    /// and sends together what several calls have brought about.
    #[inline]
    fn settle(&self, state: MutexGuard<'_, State>, moment: &Moment<'_>) {
        if state.driver != Presence::Awake {
            self.settle_for_sleeper(state, moment.now());
        }
    }

    /// Collects what was set in motion, then wakes whom that concerns.
    fn settle_for_sleeper(&self, mut state: MutexGuard<'_, State>, now: Instant) {
        let State { stack, outgoing, .. } = &mut *state;
        outgoing.fill(stack, now);
        let wakers = state.take_ready();
        let ring = state.wants_driver();
        if ring {
            state.driver = Presence::Awake;
        }
        drop(state);
        if ring {
            self.ring();
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a bug of ours; whoever comes next still gets the stack as it was left.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outgoing {
    pub fn is_full(&self) -> bool {
        self.frames.len() >= FRAMES_A_TURN || self.bytes >= BYTES_A_TURN
    }

    /// The device has taken some from the front.
    pub fn taken(&mut self) {
        self.bytes = self.frames.iter().map(Frame::len).sum();
    }

    fn append(&mut self, other: &mut Outgoing) {
        self.frames.append(&mut other.frames);
        self.bytes += std::mem::take(&mut other.bytes);
    }

    fn fill(&mut self, stack: &mut Stack, now: Instant) {
        while !self.is_full()
            && let Some(frame) = stack.poll_transmit(now)
        {
            self.bytes += frame.len();
            self.frames.push_back(frame);
        }
    }
}

/// Hands strays to those who may know them. It is the one thing that the hosts of several queues do together, and nothing
/// that a connection on its own queue ever meets.
fn pass_on(siblings: &[Weak<Shared>], strays: Vec<Stray>) {
    if strays.is_empty() {
        return;
    }
    let others: Vec<Host> = siblings.iter().filter_map(Weak::upgrade).map(Host).collect();
    for stray in strays {
        if stray.is_for_all() {
            others.iter().for_each(|other| other.with(|stack, now| stack.handle_stray(now, stray.copy(), false)));
            continue;
        }
        let mut stray = Some(stray);
        for (index, other) in others.iter().enumerate() {
            let (Some(handed), last) = (stray.take(), index + 1 == others.len()) else { break };
            stray = other.with(|stack, now| {
                stack.handle_stray(now, handed, last);
                stack.poll_stray()
            });
        }
    }
}

impl State {
    /// Those whose sockets have turned ready.
    fn take_ready(&mut self) -> Wakers {
        let mut wakers = Wakers::new();
        while let Some(socket) = self.stack.poll_wakeup() {
            // Asked for those who wait alone: a connection that its application has let go is not there any more.
            let ready = |direction| match (socket, direction) {
                (SocketId::Tcp(id), Direction::Read) => self.stack.tcp_is_readable(id),
                (SocketId::Tcp(id), Direction::Write) => self.stack.tcp_is_writable(id),
                (SocketId::Listener(_) | SocketId::Udp(_) | SocketId::Ping(_), _) => true,
            };
            self.waiters.take(socket, ready, &mut wakers);
        }
        wakers
    }

    /// Has the sleeping driver something to do before the time it set itself?
    fn wants_driver(&self) -> bool {
        match self.driver {
            Presence::Awake => false,
            Presence::AsleepUntil(until) => {
                let sooner = match (self.stack.next_deadline(), until) {
                    (Some(deadline), Some(until)) => deadline < until,
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                !self.outgoing.frames.is_empty() || sooner
            }
        }
    }
}
