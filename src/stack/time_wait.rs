//! The connections in TIME-WAIT that nobody holds any more: bounded in number, under a hundred bytes each.

use super::TcpId;
use super::keyed::Key;
use super::tcp::{Shape, TcpTable};
use crate::event::{CloseReason, Context, Event, FourTuple, SendReason, StateCause, TcpEvent, TcpState, TimerKind};
use crate::tcp::time_wait::Answer;
use crate::tcp::{Config, Segment, TimeWait};
use crate::time::Instant;
use crate::wire::tcp::{Flags, Header};
use crate::wire::tcp_options::{Options, Timestamps};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// What is kept of a connection.
#[derive(Clone, Debug)]
pub(super) struct Record {
    local: Address,
    remote: Address,
    pub wait: TimeWait,
    pub ttl: u8,
    pub traffic_class: u8,
    /// How long 2 MSL are, in seconds, rounded up.
    length: u16,
    until: Instant,
}

/// An IPv4 address as the IPv6 one that is mapped to it: half the size of a [`SocketAddr`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Address {
    ip: [u8; 16],
    port: u16,
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        let ip = match address.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Address { ip: ip.octets(), port: address.port() }
    }
}

impl From<Address> for SocketAddr {
    fn from(address: Address) -> SocketAddr {
        (Ipv6Addr::from(address.ip).to_canonical(), address.port).into()
    }
}

impl Record {
    pub fn new(now: Instant, tuple: &FourTuple, wait: TimeWait, config: &Config, until: Instant) -> Record {
        Record {
            local: tuple.local.into(),
            remote: tuple.remote.into(),
            wait,
            ttl: config.ttl,
            traffic_class: config.traffic_class,
            length: u16::try_from(config.time_wait.as_millis().div_ceil(1000)).unwrap_or(u16::MAX),
            until: until.max(now),
        }
    }

    pub fn tuple(&self) -> FourTuple {
        FourTuple { local: self.local.into(), remote: self.remote.into() }
    }

    /// 2 MSL begin anew; gives when they end.
    pub fn restart(&mut self, now: Instant) -> Instant {
        self.until = now + Duration::from_secs(self.length.into());
        self.until
    }

    pub fn is_over(&self, now: Instant) -> bool {
        self.until <= now
    }
}

#[derive(Debug)]
pub(super) struct TimeWaits {
    /// By a keyed hash of the tuple: two of one hash are as likely as a guess of the key, and then the older one goes.
    records: HashMap<u64, Record>,
    /// Filing is lazy: a record that began anew is filed again when its old time has come.
    order: BinaryHeap<Reverse<(Instant, u64)>>,
    key: Key,
    limit: usize,
}

impl TimeWaits {
    /// At most `limit` records.
    pub fn new(key: Key, limit: usize) -> TimeWaits {
        TimeWaits { records: HashMap::new(), order: BinaryHeap::new(), key, limit }
    }

    /// Keeps `record`; gives back the one that had to go for it, the oldest.
    pub fn insert(&mut self, record: Record) -> Option<Record> {
        if self.limit == 0 {
            return Some(record);
        }
        let evicted = if self.records.len() >= self.limit { self.pop_oldest() } else { None };
        let hash = self.key.hash_one(record.tuple());
        self.order.push(Reverse((record.until, hash)));
        self.records.insert(hash, record);
        self.compact();
        evicted
    }

    pub fn get_mut(&mut self, tuple: &FourTuple) -> Option<&mut Record> {
        let hash = self.key.hash_one(tuple);
        self.records.get_mut(&hash).filter(|record| record.tuple() == *tuple)
    }

    pub fn remove(&mut self, tuple: &FourTuple) -> Option<Record> {
        self.get_mut(tuple)?;
        self.records.remove(&self.key.hash_one(tuple))
    }

    pub fn contains(&self, tuple: &FourTuple) -> bool {
        self.records.get(&self.key.hash_one(tuple)).is_some_and(|record| record.tuple() == *tuple)
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.order.peek().map(|Reverse((at, _))| *at)
    }

    /// A record whose 2 MSL are over.
    pub fn take_due(&mut self, now: Instant) -> Option<Record> {
        while self.next_deadline().is_some_and(|at| at <= now) {
            if let Some(record) = self.pop_first() {
                return Some(record);
            }
        }
        None
    }

    fn pop_oldest(&mut self) -> Option<Record> {
        while !self.order.is_empty() {
            if let Some(record) = self.pop_first() {
                return Some(record);
            }
        }
        None
    }

    /// The record of the first entry, unless that one is out of date.
    fn pop_first(&mut self) -> Option<Record> {
        let Reverse((at, hash)) = self.order.pop()?;
        let until = self.records.get(&hash)?.until;
        if until > at {
            self.order.push(Reverse((until, hash)));
            return None;
        }
        self.records.remove(&hash)
    }

    /// Entries whose records went early are dropped once there are as many as records.
    fn compact(&mut self) {
        if self.order.len() > 2 * self.records.len() + 64 {
            self.order = self.records.iter().map(|(hash, record)| Reverse((record.until, *hash))).collect();
        }
    }
}

impl TcpTable {
    /// A connection in TIME-WAIT that nobody holds is cut down to its record once it has nothing to say.
    pub(super) fn shrink_to_time_wait(&mut self, cx: &mut Context<'_>, id: TcpId) {
        let Some(socket) = self.sockets.get(id).filter(|socket| socket.released) else { return };
        let Shape::Connection(connection) = &socket.shape else { return };
        let Some((wait, until)) = connection.time_wait() else { return };
        let record = Record::new(cx.now, connection.tuple(), wait, connection.config(), until);
        self.by_tuple.remove(&record.tuple());
        self.remove_if_released(id);
        self.keep_in_time_wait(cx, record);
    }

    pub(super) fn keep_in_time_wait(&mut self, cx: &mut Context<'_>, record: Record) {
        if let Some(evicted) = self.time_waits.insert(record) {
            end(cx, &evicted.tuple(), StateCause::Evicted);
        }
    }

    pub(super) fn end_time_waits(&mut self, cx: &mut Context<'_>) {
        while let Some(record) = self.time_waits.take_due(cx.now) {
            let tuple = record.tuple();
            let event = TcpEvent::TimerFired { timer: TimerKind::TimeWait, count: 1 };
            cx.tell(|| Event::Tcp { connection: tuple, event });
            end(cx, &tuple, StateCause::TimeWaitOver);
        }
    }

    /// False when no connection of that name is in TIME-WAIT.
    pub(super) fn handle_in_time_wait(
        &mut self,
        cx: &mut Context<'_>,
        tuple: FourTuple,
        segment: &Segment<'_>,
        path_mtu: impl Fn(IpAddr) -> usize,
    ) -> bool {
        let listens = self.would_open(tuple.local, segment);
        let Some(record) = self.time_waits.get_mut(&tuple).filter(|record| !record.is_over(cx.now)) else {
            return false;
        };
        let answer = match record.wait.handle_segment(cx, segment) {
            Answer::NewIncarnation if listens => {
                let former = self.time_waits.remove(&tuple).map(Box::new);
                end(cx, &tuple, StateCause::NewIncarnation);
                self.handle_without_connection(cx, tuple, segment, path_mtu, former);
                return true;
            }
            Answer::NewIncarnation => record.wait.refuse_syn(cx),
            answer @ (Answer::Nothing | Answer::Acknowledge { .. }) => answer,
        };
        if let Answer::Acknowledge { why, restart } = answer {
            if restart {
                let at = record.restart(cx.now);
                let event = TcpEvent::TimerSet { timer: TimerKind::TimeWait, at };
                cx.tell(|| Event::Tcp { connection: tuple, event });
            }
            self.acknowledge_in_time_wait(cx.now, &tuple, why);
        }
        true
    }

    fn acknowledge_in_time_wait(&mut self, now: Instant, tuple: &FourTuple, why: SendReason) {
        let offset = self.key.secrets(now, tuple).timestamp_offset;
        let Some(record) = self.time_waits.get_mut(tuple) else { return };
        let value = (now.as_millis() as u32).wrapping_add(offset);
        let header = Header {
            source_port: tuple.local.port(),
            destination_port: tuple.remote.port(),
            seq: record.wait.snd_nxt().0,
            ack: record.wait.rcv_nxt().0,
            flags: Flags::ACK,
            window: record.wait.window_field(),
            options: Options {
                timestamps: record.wait.recent().map(|echo| Timestamps { value, echo }),
                ..Options::default()
            },
            ..Header::default()
        };
        let (ttl, traffic_class) = (record.ttl, record.traffic_class);
        self.reply_as(*tuple, header, why, (ttl, traffic_class));
    }

    /// A SYN for a connection in TIME-WAIT that its application still holds, to read what came.
    pub(super) fn begin_anew(
        &mut self,
        cx: &mut Context<'_>,
        id: TcpId,
        segment: &Segment<'_>,
        path_mtu: impl Fn(IpAddr) -> usize,
    ) {
        let tuple = *self.tuple(id);
        let listens = self.would_open(tuple.local, segment);
        let Shape::Connection(connection) = &mut self.socket(id).shape else { return };
        if !listens {
            connection.refuse_incarnation(cx);
            return self.settle(id);
        }
        let left = connection.time_wait();
        let record = left.map(|(wait, until)| Record::new(cx.now, &tuple, wait, connection.config(), until));
        connection.give_way(cx);
        self.settle(id);
        self.handle_without_connection(cx, tuple, segment, path_mtu, record.map(Box::new));
    }
}

fn end(cx: &mut Context<'_>, tuple: &FourTuple, why: StateCause) {
    let moved = TcpEvent::State { from: TcpState::TimeWait, to: TcpState::Closed, why };
    for event in [moved, TcpEvent::Closed { why: CloseReason::Finished }] {
        cx.tell(|| Event::Tcp { connection: *tuple, event });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_record_takes_under_a_hundred_bytes() {
        let entry = size_of::<(u64, Record)>() + size_of::<Reverse<(Instant, u64)>>() + 1;
        assert!(entry < 100, "{entry}: hash and record, entry in the order, byte of the table");
    }

    fn table(limit: usize) -> (TimeWaits, impl Fn(u16, u64) -> Record) {
        let make = |port, until| {
            let tuple = tuple(port);
            let config = Config { time_wait: Duration::from_secs(60), ..Config::default() };
            Record::new(Instant::ZERO, &tuple, TimeWait::for_test(7, 9), &config, Instant::from_secs(until))
        };
        (TimeWaits::new(Key::new(&mut Random::new(1)), limit), make)
    }

    fn tuple(port: u16) -> FourTuple {
        FourTuple { local: ([192, 0, 2, 2], 80).into(), remote: ([192, 0, 2, 1], port).into() }
    }

    #[test]
    fn records_end_in_order_and_those_that_began_anew_later() {
        let (mut table, record) = table(10);
        assert!((1..=3).all(|port| table.insert(record(port, u64::from(port))).is_none()));
        table.get_mut(&tuple(1)).expect("a record").restart(Instant::from_secs(1));
        let mut due = |secs| table.take_due(Instant::from_secs(secs)).map(|record| record.tuple().remote.port());
        assert_eq!([due(2), due(2), due(3), due(60), due(61), due(99)], [Some(2), None, Some(3), None, Some(1), None]);
        assert_eq!((table.len(), table.next_deadline()), (0, None));
    }

    #[test]
    fn the_oldest_gives_way_and_what_goes_early_leaves_nothing_behind() {
        let (mut table, record) = table(3);
        let evicted = (1..=5).map(|port| table.insert(record(port, 10 + u64::from(port))));
        let evicted: Vec<_> = evicted.map(|it| it.map(|record| record.tuple().remote.port())).collect();
        assert_eq!(evicted, [None, None, None, Some(1), Some(2)]);
        for _ in 0..10_000 {
            assert!(table.remove(&tuple(5)).is_some() && !table.contains(&tuple(5)));
            assert!(table.insert(record(5, 15)).is_none());
        }
        assert!(table.order.len() < 100);
    }
}
