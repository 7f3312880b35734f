//! The records of connections in TIME-WAIT that nobody holds any more: bounded in number, under a hundred bytes each, the
//! tables that find them included.

use super::endpoints::{Endpoints, mapped};
use super::keyed::Key;
use crate::event::FourTuple;
use crate::tcp::{Config, TimeWait};
use crate::time::Instant;
use hashbrown::HashTable;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// What is kept of a connection.
#[derive(Clone, Debug)]
pub(super) struct Record {
    remote_ip: [u8; 16],
    remote_port: u16,
    local_port: u16,
    /// Where our address stands among those that connections in TIME-WAIT have.
    local: u16,
    /// How long 2 MSL are, in seconds, rounded up.
    length: u16,
    pub wait: TimeWait,
    /// When they end, in milliseconds: the upper and the lower half.
    until: [u32; 2],
    pub ttl: u8,
    pub traffic_class: u8,
}

impl Record {
    /// It ends at `until`.
    pub fn new(tuple: &FourTuple, wait: TimeWait, config: &Config, until: Instant) -> Record {
        let mut record = Record {
            remote_ip: mapped(tuple.remote.ip()),
            remote_port: tuple.remote.port(),
            local_port: tuple.local.port(),
            local: 0,
            length: u16::try_from(config.time_wait.as_millis().div_ceil(1000)).unwrap_or(u16::MAX),
            wait,
            until: [0; 2],
            ttl: config.ttl,
            traffic_class: config.traffic_class,
        };
        record.set_until(until);
        record
    }

    /// 2 MSL begin anew; gives when they end.
    pub fn restart(&mut self, now: Instant) -> Instant {
        self.set_until(now + Duration::from_secs(self.length.into()));
        self.until()
    }

    fn tuple(&self, locals: &[IpAddr]) -> FourTuple {
        let remote = (Ipv6Addr::from(self.remote_ip).to_canonical(), self.remote_port).into();
        FourTuple { local: (locals[usize::from(self.local)], self.local_port).into(), remote }
    }

    pub fn is_over(&self, now: Instant) -> bool {
        self.until() <= now
    }

    pub fn until(&self) -> Instant {
        Instant::from_millis(u64::from(self.until[0]) << 32 | u64::from(self.until[1]))
    }

    fn set_until(&mut self, at: Instant) {
        let millis = at.as_micros().div_ceil(1000);
        self.until = [(millis >> 32) as u32, millis as u32];
    }
}

/// A record that left, and whose it was.
pub(super) type Former = (FourTuple, Record);

/// An entry of the order: the time in milliseconds above, the record's place in the low [`PLACE_BITS`].
type Entry = u64;
const PLACE_BITS: u32 = 22;
/// So many records, and entries, are made room for at a time.
const STEP: usize = 1024;

#[derive(Debug)]
pub(super) struct TimeWaits {
    records: Vec<Record>,
    /// Records that are out of use.
    free: Vec<u32>,
    /// The places of the records by a keyed hash of their tuples, which stands beside each: a table that grows looks at
    /// no record.
    places: HashTable<(u32, u32)>,
    /// Filing is lazy: a record that began anew is filed again when its old time has come.
    order: BinaryHeap<Reverse<Entry>>,
    locals: Vec<IpAddr>,
    key: Key,
    limit: usize,
}

impl TimeWaits {
    /// At most `limit` records.
    pub fn new(key: Key, limit: usize) -> TimeWaits {
        TimeWaits {
            records: Vec::new(),
            free: Vec::new(),
            places: HashTable::new(),
            order: BinaryHeap::new(),
            locals: Vec::new(),
            key,
            limit: limit.min(1 << PLACE_BITS),
        }
    }

    /// Keeps what is left of a connection; gives back who had to go for it, the oldest.
    pub fn insert(&mut self, tuple: &FourTuple, wait: TimeWait, config: &Config, until: Instant) -> Option<FourTuple> {
        self.put_back(tuple, Record::new(tuple, wait, config, until))
    }

    pub fn put_back(&mut self, tuple: &FourTuple, mut record: Record) -> Option<FourTuple> {
        if self.limit == 0 {
            return Some(*tuple);
        }
        record.local = self.local(tuple.local.ip());
        let evicted = if self.len() >= self.limit { self.pop_oldest() } else { None };
        let hash = self.hash(tuple);
        let namesake = self.place_of(tuple, hash).map(|place| self.remove_at(place));
        let entry = record.until().as_millis() << PLACE_BITS;
        let place = self.store(record);
        self.places.insert_unique(spread(hash), (hash, place), |(hash, _)| spread(*hash));
        self.file(entry | Entry::from(place));
        evicted.or(namesake).map(|(tuple, _)| tuple)
    }

    fn local(&mut self, ip: IpAddr) -> u16 {
        let known = self.locals.iter().position(|local| *local == ip).unwrap_or_else(|| {
            self.locals.push(ip);
            self.locals.len() - 1
        });
        known as u16
    }

    fn store(&mut self, record: Record) -> u32 {
        if let Some(place) = self.free.pop() {
            self.records[place as usize] = record;
            return place;
        }
        if self.records.len() == self.records.capacity() {
            self.records.reserve_exact(STEP);
        }
        self.records.push(record);
        (self.records.len() - 1) as u32
    }

    fn file(&mut self, entry: Entry) {
        // Entries whose records went early are dropped once they are a quarter.
        if self.order.len() > self.len() + self.len() / 4 + STEP {
            let places = self.places.iter();
            let entry = |(_, place): &(u32, u32)| {
                Reverse(self.records[*place as usize].until().as_millis() << PLACE_BITS | Entry::from(*place))
            };
            self.order = places.map(entry).collect();
            return;
        }
        if self.order.len() == self.order.capacity() {
            self.order.reserve_exact(STEP);
        }
        self.order.push(Reverse(entry));
    }

    fn tuple(&self, place: u32) -> FourTuple {
        self.records[place as usize].tuple(&self.locals)
    }

    fn hash(&self, tuple: &FourTuple) -> u32 {
        Endpoints::from(tuple).hash(&self.key) as u32
    }

    fn place_of(&self, tuple: &FourTuple, hash: u32) -> Option<u32> {
        let (_, place) = self.places.find(spread(hash), |(_, place)| self.tuple(*place) == *tuple)?;
        Some(*place)
    }

    fn find(&self, tuple: &FourTuple) -> Option<u32> {
        self.place_of(tuple, self.hash(tuple))
    }

    fn remove_at(&mut self, place: u32) -> Former {
        let tuple = self.tuple(place);
        if let Ok(entry) = self.places.find_entry(spread(self.hash(&tuple)), |(_, other)| *other == place) {
            entry.remove();
        }
        self.free.push(place);
        (tuple, self.records[place as usize].clone())
    }

    pub fn get_mut(&mut self, tuple: &FourTuple) -> Option<&mut Record> {
        let place = self.find(tuple)?;
        self.records.get_mut(place as usize)
    }

    pub fn remove(&mut self, tuple: &FourTuple) -> Option<Former> {
        let place = self.find(tuple)?;
        Some(self.remove_at(place))
    }

    pub fn contains(&self, tuple: &FourTuple) -> bool {
        self.find(tuple).is_some()
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.order.peek().map(|Reverse(entry)| Instant::from_millis(entry >> PLACE_BITS))
    }

    /// A record whose 2 MSL are over.
    pub fn take_due(&mut self, now: Instant) -> Option<FourTuple> {
        while self.next_deadline().is_some_and(|at| at <= now) {
            if let Some((tuple, _)) = self.pop_first() {
                return Some(tuple);
            }
        }
        None
    }

    fn pop_oldest(&mut self) -> Option<Former> {
        while !self.order.is_empty() {
            if let Some(former) = self.pop_first() {
                return Some(former);
            }
        }
        None
    }

    /// The record of the first entry, unless that one is out of date.
    fn pop_first(&mut self) -> Option<Former> {
        let Reverse(entry) = self.order.pop()?;
        let place = (entry & ((1 << PLACE_BITS) - 1)) as u32;
        let record = &self.records[place as usize];
        let until = record.until().as_millis();
        if self.find(&self.tuple(place)) != Some(place) {
            return None;
        }
        if until > entry >> PLACE_BITS {
            self.order.push(Reverse(until << PLACE_BITS | Entry::from(place)));
            return None;
        }
        Some(self.remove_at(place))
    }

    /// Bytes of memory that all of it takes: the table of places has a power of two of entries, an eighth of them
    /// free, and a byte more for each.
    #[cfg(test)]
    fn memory(&self) -> usize {
        let places = (self.places.capacity() * 8 / 7).next_power_of_two() * (size_of::<(u32, u32)>() + 1);
        let (records, order) = (self.records.capacity() * size_of::<Record>(), self.order.capacity() * 8);
        records + places + order + self.free.capacity() * 4
    }
}

/// The table looks at the lowest bits, and at the highest.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn tuple(port: u16) -> FourTuple {
        FourTuple { local: ([192, 0, 2, 2], 80).into(), remote: ([192, 0, 2, 1], port).into() }
    }

    struct Table(TimeWaits);

    impl Table {
        fn new(limit: usize) -> Table {
            Table(TimeWaits::new(Key::new(&mut Random::new(1)), limit))
        }

        /// Gives the port of who had to go.
        fn insert(&mut self, port: u16, until: u64) -> Option<u16> {
            let config = Config { time_wait: Duration::from_secs(60), ..Config::default() };
            let wait = TimeWait::for_test(7, 9);
            let evicted = self.0.insert(&tuple(port), wait, &config, Instant::from_secs(until));
            evicted.map(|tuple| tuple.remote.port())
        }
    }

    /// All of it counted, with what the tables keep free.
    #[test]
    fn a_record_takes_under_a_hundred_bytes_in_all() {
        for count in [1000, 3000, 28_673, 32_768, 60_000] {
            let mut table = Table::new(usize::from(count));
            let namesakes = (0..count).filter(|port| table.insert(*port, 5).is_some()).count();
            let each = table.0.memory() as f64 / f64::from(count);
            assert!(
                table.0.len() + namesakes == usize::from(count) && namesakes < 3 && each < 100.0,
                "{count}: {each}"
            );
        }
    }

    #[test]
    fn records_end_in_order_and_those_that_began_anew_later() {
        let mut table = Table::new(10);
        assert!((1..=3).all(|port| table.insert(port, u64::from(port)).is_none()));
        table.0.get_mut(&tuple(1)).expect("a record").restart(Instant::from_secs(1));
        let mut due = |secs| table.0.take_due(Instant::from_secs(secs)).map(|tuple| tuple.remote.port());
        assert_eq!([due(2), due(2), due(3), due(60), due(61), due(99)], [Some(2), None, Some(3), None, Some(1), None]);
        assert_eq!((table.0.len(), table.0.next_deadline()), (0, None));
    }

    #[test]
    fn the_oldest_gives_way_and_what_goes_early_leaves_nothing_behind() {
        let mut table = Table::new(3);
        let evicted: Vec<_> = (1..=5).map(|port| table.insert(port, 10 + u64::from(port))).collect();
        assert_eq!(evicted, [None, None, None, Some(1), Some(2)]);
        for _ in 0..10_000 {
            assert!(table.0.remove(&tuple(5)).is_some() && !table.0.contains(&tuple(5)));
            assert_eq!(table.insert(5, 15), None);
        }
        assert!(table.0.order.len() < 2 * STEP && table.0.records.len() < 10);
        assert_eq!(table.insert(6, 20), Some(3), "the entries of what went early name nobody");
    }
}
