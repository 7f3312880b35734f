//! epoll: level-triggered, edge-triggered and one-shot.

use super::calls::argument_number;
use super::constants::{
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, POLLERR, POLLHUP, member,
    number,
};
use super::sockets::Kind;
use super::{Pending, Returned, Run, Stop};
use crate::sim::script::syntax::Expression;

/// What an epoll descriptor watches.
#[derive(Default)]
pub struct Epoll {
    watched: Vec<Watched>,
}

struct Watched {
    descriptor: i64,
    events: i64,
    /// Edge-triggered: what had happened when it was last reported.
    seen: Option<[u64; 4]>,
    /// One-shot, and it has been: only a change makes it heard again.
    spent: bool,
}

const BAD_DESCRIPTOR: Returned = Returned { value: -1, errno: Some("EBADF"), descriptor: false };

impl Run {
    pub(super) fn epoll_control(&mut self, arguments: &[Expression]) -> Result<Option<Returned>, Stop> {
        let (epoll, operation) = (argument_number(arguments, 0)?, argument_number(arguments, 1)?);
        let descriptor = argument_number(arguments, 2)?;
        let events = arguments.get(3).and_then(|event| member(event, "events")).and_then(number).unwrap_or(0);
        let known = self.files.contains_key(&descriptor);
        let Some(Kind::Epoll(epoll)) = self.files.get_mut(&epoll).map(|file| &mut file.kind) else {
            return Ok(Some(BAD_DESCRIPTOR));
        };
        let error = |name| Ok(Some(Returned { value: -1, errno: Some(name), descriptor: false }));
        let place = epoll.watched.iter().position(|watched| watched.descriptor == descriptor);
        let watched = Watched { descriptor, events, seen: None, spent: false };
        match (operation, place) {
            _ if !known => return Ok(Some(BAD_DESCRIPTOR)),
            (EPOLL_CTL_ADD, Some(_)) => return error("EEXIST"),
            (EPOLL_CTL_ADD, None) => epoll.watched.push(watched),
            (EPOLL_CTL_MOD | EPOLL_CTL_DEL, None) => return error("ENOENT"),
            (EPOLL_CTL_MOD, Some(place)) => epoll.watched[place] = watched,
            (EPOLL_CTL_DEL, Some(place)) => drop(epoll.watched.remove(place)),
            (_, _) => return error("EINVAL"),
        }
        Ok(Some(Returned::value(0)))
    }

    /// `epoll_wait(epfd, {events=.., fd=..} or a list of such, most, timeout)`
    pub(super) fn epoll_wait(
        &mut self,
        arguments: &[Expression],
        pending: &mut Pending,
    ) -> Result<Option<Returned>, Stop> {
        let descriptor = argument_number(arguments, 0)?;
        let most = usize::try_from(argument_number(arguments, 2)?).unwrap_or(0);
        let timeout = argument_number(arguments, 3)?;
        // Taken out while the descriptors that it watches are looked at.
        let Some(Kind::Epoll(epoll)) = self.files.get_mut(&descriptor).map(|file| &mut file.kind) else {
            return Ok(Some(BAD_DESCRIPTOR));
        };
        let mut watched = std::mem::take(&mut epoll.watched);
        watched.retain(|watched| self.files.contains_key(&watched.descriptor));
        let reported: Vec<_> = watched.iter_mut().filter_map(|watched| self.report(watched)).take(most).collect();
        if let Some(Kind::Epoll(epoll)) = self.files.get_mut(&descriptor).map(|file| &mut file.kind) {
            epoll.watched = watched;
        }
        if reported.is_empty() && !self.is_over(pending, timeout) {
            return Ok(None);
        }
        let expected = match arguments.get(1) {
            Some(Expression::List(list)) => &list[..],
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        for (expected, (events, from)) in expected.iter().zip(&reported) {
            let value = |name| member(expected, name).and_then(number);
            let differs = |wanted: Option<i64>, found: i64| wanted.is_some_and(|wanted| wanted != found);
            if differs(value("events"), *events) || differs(value("fd"), *from) {
                return Err(Stop::failed(expected, format!("{{events={events:#x}, fd={from}}}")));
            }
        }
        Ok(Some(Returned::value(reported.len() as i64)))
    }

    /// The events of a descriptor that are to be reported now, and the descriptor.
    fn report(&self, watched: &mut Watched) -> Option<(i64, i64)> {
        let wanted = (watched.events & !(EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE)) | POLLERR | POLLHUP;
        let file = self.files.get(&watched.descriptor).filter(|_| !watched.spent)?;
        let ready = file.events(&self.machine.stack) & wanted;
        if ready == 0 {
            return None;
        }
        if watched.events & EPOLLET != 0 {
            let edges = match &file.kind {
                Kind::Tcp(tcp) => tcp.edges(&self.machine.stack),
                // Something new is there whenever something is there.
                Kind::Listener(_) => [self.machine.now.as_nanos(), 0, 0, 0],
                Kind::Udp(_) | Kind::Fresh { .. } | Kind::UnboundUdp | Kind::Epoll(_) | Kind::Zeros | Kind::Pipe(_) => {
                    [0; 4]
                }
            };
            if watched.seen.replace(edges) == Some(edges) {
                return None;
            }
        }
        watched.spent = watched.events & EPOLLONESHOT != 0;
        Some((ready, watched.descriptor))
    }
}
