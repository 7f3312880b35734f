//! One event after the other, each at its time.

use super::constants::number;
use super::sockets::Kind;
use super::{Pending, Returned, Run, Stop, code, inbound};
use crate::sim::script::syntax::{Action, Call, Direction, Event, Expression, Packet, Script, When};
use crate::time::Instant;
use std::time::Duration;

/// How much later than expected a packet is still waited for, so that the failure can show it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A call that has not returned after so long never will.
const LONGEST_CALL: Duration = Duration::from_secs(100_000);

type Failure = (u32, Stop);

/// How a step ended: a failure may be that of an earlier line, whose call has returned only now.
pub(super) type Step<T> = Result<T, (Option<u32>, Stop)>;

/// From when to when an event may happen.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub from: Instant,
    pub to: Instant,
    pub tolerance: Duration,
    pub any: bool,
    /// What a relative time counts from.
    base: Instant,
    relative: bool,
}

impl Run {
    pub(super) fn events(&mut self, script: &Script) -> Result<(), Failure> {
        for (index, event) in script.events.iter().enumerate() {
            let line = event.at.line;
            if index == 0
                && event.when != When::Absolute(Duration::ZERO)
                && event.when != When::Relative(Duration::ZERO)
            {
                return Err((line, Stop::failed("the first event at time 0", event.when)));
            }
            self.event(event).map_err(|(pending, stop)| (pending.unwrap_or(line), stop))?;
        }
        // Calls that wait still have until their own time.
        while let Some(end) = self.pending.iter().filter_map(|pending| pending.end).map(|(end, _)| end).min() {
            self.advance(end + PATIENCE).map_err(|(line, stop)| (line.unwrap_or(0), stop))?;
            if let Some(pending) = self.pending.iter().find(|pending| pending.end.is_some_and(|(at, _)| at <= end)) {
                return Err((pending.line, Stop::failed(format!("{} returns", pending.call.name), "it still waits")));
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Step<()> {
        let inbound = matches!(&event.action, Action::Packet(packet) if packet.direction == Direction::In);
        let window = self.window(event.when, inbound);
        let outbound = matches!(&event.action, Action::Packet(_)) && !inbound;
        if !outbound {
            self.advance(window.from)?;
        }
        let mut complete = self.machine.now;
        match &event.action {
            Action::Packet(packet) if outbound => complete = self.expect(packet, window)?,
            Action::Packet(packet) => self.inject(packet)?,
            Action::Call(call) => {
                self.call(call, event.at.line, window).map_err(|stop| (None, stop))?;
                complete = self.machine.now;
            }
            Action::Command(command) => self.command(command).map_err(|stop| (None, stop))?,
            Action::Code(text) => self.assert(text).map_err(|stop| (None, stop))?,
        }
        self.previous = complete.max(self.previous);
        self.previous_inbound = inbound.then_some(window.from);
        Ok(())
    }

    fn window(&self, when: When, inbound: bool) -> Window {
        // Rule 5: packets in a row keep their distance whatever time it took to hand them over.
        let base = self.previous_inbound.filter(|_| inbound).unwrap_or(self.previous);
        let beginning = self.machine.beginning();
        let relative = matches!(when, When::Relative(_) | When::RelativeRange(..));
        let (from, to) = match when {
            When::Any => (base, base),
            When::Absolute(at) => (beginning + at, beginning + at),
            When::Relative(after) => (base + after, base + after),
            When::AbsoluteRange(from, to) => (beginning + from, beginning + to),
            When::RelativeRange(from, to) => (base + from, base + to),
        };
        Window {
            from,
            to,
            tolerance: self.tolerance(from.since(self.previous)),
            any: when == When::Any,
            base,
            relative,
        }
    }

    fn tolerance(&self, gap: Duration) -> Duration {
        self.settings.tolerance.max(gap.mul_f64(self.settings.tolerance_percent / 100.0))
    }

    /// Lets time pass up to `at`, with everything that happens on the way.
    fn advance(&mut self, at: Instant) -> Step<()> {
        while self.step(at)? {}
        self.machine.now = self.machine.now.max(at);
        Ok(())
    }

    /// The next thing that happens until `limit`; false when nothing does.
    pub(super) fn step(&mut self, limit: Instant) -> Step<bool> {
        let timeouts = self.pending.iter().filter_map(|pending| pending.wake_at);
        let next = timeouts.filter(|at| *at > self.machine.now).chain(self.machine.next_deadline()).min();
        let Some(next) = next.filter(|next| *next <= limit) else { return Ok(false) };
        self.machine.arrive(next).map_err(|stop| (None, stop))?;
        self.retry()?;
        Ok(true)
    }

    /// Something has happened: can calls that wait return?
    fn retry(&mut self) -> Step<()> {
        self.take_notes();
        for mut pending in std::mem::take(&mut self.pending) {
            let line = Some(pending.line);
            let returned = self.attempt(&mut pending).map_err(|stop| (line, stop))?;
            self.machine.drain().map_err(|stop| (line, stop))?;
            match returned {
                Some(returned) => self.verify(&pending, &returned).map_err(|stop| (line, stop))?,
                None => self.pending.push(pending),
            }
        }
        Ok(())
    }

    /// What watchers of sockets must not miss.
    fn take_notes(&mut self) {
        for file in self.files.values_mut() {
            if let Kind::Tcp(tcp) = &mut file.kind {
                tcp.take_note(&self.machine.stack, self.machine.now);
            }
        }
    }

    fn call(&mut self, call: &Call, line: u32, window: Window) -> Result<(), Stop> {
        let started = self.machine.now;
        let end = call.end.map(|end| {
            // Behind `+t...` it counts from the same base as `t`.
            let at = if window.relative { window.base } else { self.machine.beginning() } + end.time;
            (at, self.tolerance(at.since(started)))
        });
        let call = call.clone();
        let mut pending = Pending { call, line, started, end, begun: false, progress: 0, wake_at: None };
        self.take_notes();
        let mut returned = self.attempt(&mut pending)?;
        self.machine.drain()?;
        self.take_notes();
        if returned.is_none() && end.is_some() {
            self.pending.push(pending);
            return Ok(());
        }
        let limit = started + LONGEST_CALL;
        while returned.is_none() {
            let next = pending.wake_at.into_iter().chain(self.machine.next_deadline()).min();
            let Some(next) = next.filter(|next| *next <= limit) else {
                return Err(Stop::failed(format!("{} returns", pending.call.name), "it waits without end"));
            };
            self.machine.arrive(next)?;
            self.take_notes();
            returned = self.attempt(&mut pending)?;
            self.machine.drain()?;
        }
        returned.map_or(Ok(()), |returned| self.verify(&pending, &returned))
    }

    /// Compares what a call gave with what the script says, and when.
    fn verify(&self, pending: &Pending, returned: &Returned) -> Result<(), Stop> {
        let call = &pending.call;
        let text = |value: &dyn std::fmt::Display, errno: Option<&str>| {
            format!("{} = {value}{}", call.name, errno.map(|errno| format!(" {errno}")).unwrap_or_default())
        };
        let got = || text(&returned.value, returned.errno);
        let wanted = || text(&call.result, call.errno.as_deref());
        let value_fits = match number(&call.result) {
            Some(_) if returned.descriptor => returned.value >= 0,
            Some(value) => value == returned.value,
            None if call.result == Expression::Unknown => true,
            None => return Err(Stop::unsupported(format!("the result {}", call.result))),
        };
        let errno_fits = match (&call.errno, returned.errno) {
            (Some(wanted), Some(found)) => wanted == found || (wanted == "EWOULDBLOCK" && found == "EAGAIN"),
            (Some(_), None) => false,
            (None, _) => true,
        };
        if !value_fits || !errno_fits {
            return Err(Stop::failed(wanted(), got()));
        }
        match pending.end {
            Some((at, tolerance)) if self.machine.now + tolerance < at || self.machine.now > at + tolerance => {
                Err(Stop::failed(
                    format!("{} at {}", wanted(), self.told(at)),
                    format!("{} at {}", got(), self.told(self.machine.now)),
                ))
            }
            _ => Ok(()),
        }
    }

    /// A time as scripts count it.
    pub(super) fn told(&self, at: Instant) -> String {
        format!("{:.6}", at.since(self.machine.beginning()).as_secs_f64())
    }

    fn inject(&mut self, packet: &Packet) -> Step<()> {
        let packets = inbound::build(packet, &mut self.map, &self.settings, self.udp).map_err(|stop| (None, stop))?;
        self.machine.inject(&packets).map_err(|stop| (None, stop))?;
        self.retry()
    }

    /// Looks at the figures of the connection under test.
    fn assert(&mut self, text: &str) -> Result<(), Stop> {
        let wanted = self.map.tuple;
        let stack = &self.machine.stack;
        let mut connections = self.files.values().filter_map(|file| match &file.kind {
            Kind::Tcp(tcp) => Some(tcp.id),
            Kind::Fresh { .. }
            | Kind::Listener(_)
            | Kind::UnboundUdp
            | Kind::Udp(_)
            | Kind::Epoll(_)
            | Kind::Zeros
            | Kind::Pipe(_) => None,
        });
        let under_test =
            connections.rfind(|id| wanted.is_none_or(|wanted| wanted.remote == stack.tcp_remote_addr(*id)));
        let info = under_test.and_then(|id| stack.tcp_info(id));
        let figures = code::Figures {
            system: self.system,
            now: self.machine.now,
            state: under_test.map(|id| stack.tcp_status(id).state),
            info: info.as_ref(),
            config: under_test.map(|id| stack.tcp_config(id)),
        };
        code::check(text, &figures, &mut self.variables)
    }
}
