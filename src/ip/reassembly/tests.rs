//! Orders, duplicates and overlaps against a model; bounds in memory and time.

use super::*;
use crate::event::testing::Bench;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::time::Duration;

struct Pool {
    bench: Bench,
    reassembly: Reassembly,
}

impl Pool {
    fn new(config: ReassemblyConfig) -> Pool {
        Pool { bench: Bench::new(), reassembly: Reassembly::new(config) }
    }

    fn give(&mut self, identification: u32, offset: usize, payload: &[u8], more: bool) -> Option<Vec<u8>> {
        let fragment = fragment(identification, offset, payload, more);
        self.bench.run(|cx| self.reassembly.handle(cx, fragment)).map(|packet| packet.payload.into_owned())
    }

    fn pass(&mut self, seconds: u64) -> Vec<Packet<'static>> {
        self.bench.now += Duration::from_secs(seconds);
        let mut reported = Vec::new();
        self.bench.run(|cx| self.reassembly.handle_timeout(cx, |first| reported.push(first)));
        reported
    }
}

fn fragment(identification: u32, offset: usize, payload: &[u8], more: bool) -> Fragment<'_> {
    let packet = Packet {
        source: Ipv4Addr::new(192, 0, 2, 1).into(),
        destination: Ipv4Addr::new(192, 0, 2, 2).into(),
        protocol: 17,
        ttl: 64,
        traffic_class: if offset == 16 { 0b11 } else { 0b10 },
        broadcast: false,
        payload: Cow::Borrowed(payload),
        checksum: Checksum::Good,
        segment_size: None,
        header: Cow::Borrowed(if offset == 0 { b"first header" } else { b"other header" }),
    };
    Fragment { packet, identification, offset, more }
}

const WHOLE: &[u8; 28] = b"abcdefghijklmnopqrstuvwxyz01";
/// The whole in pieces: offset, length, more.
const PIECES: [(usize, usize, bool); 4] = [(0, 8, true), (8, 8, true), (16, 8, true), (24, 4, false)];

fn piece((offset, len, more): (usize, usize, bool)) -> (usize, &'static [u8], bool) {
    (offset, &WHOLE[offset..offset + len], more)
}

#[test]
fn every_order_gives_the_whole() {
    let orders = (0..24).map(|n| {
        let mut left: Vec<usize> = (0..4).collect();
        [6, 2, 1, 1]
            .iter()
            .scan(n, |n, factor| {
                let index = *n / factor;
                *n %= factor;
                Some(left.remove(index.min(left.len() - 1)))
            })
            .collect::<Vec<_>>()
    });
    for order in orders {
        let mut pool = Pool::new(ReassemblyConfig::default());
        for (number, index) in order.iter().enumerate() {
            let (offset, payload, more) = piece(PIECES[*index]);
            let whole = pool.give(1, offset, payload, more);
            assert_eq!(whole.as_deref(), (number == 3).then_some(&WHOLE[..]), "{order:?}");
        }
        assert_eq!((pool.reassembly.held, pool.bench.drops().len()), (0, 0));
    }
}

#[test]
fn the_whole_has_the_first_header_an_unverified_checksum_and_any_congestion_mark() {
    let mut pool = Pool::new(ReassemblyConfig::default());
    let mut last = None;
    for part in PIECES.into_iter().rev() {
        let (offset, payload, more) = piece(part);
        last = pool.bench.run(|cx| pool.reassembly.handle(cx, fragment(1, offset, payload, more)));
    }
    let packet = last.expect("all four came");
    assert_eq!(
        (&packet.header[..], packet.checksum, packet.traffic_class),
        (&b"first header"[..], Checksum::Full, 0b11)
    );
}

#[test]
fn datagrams_do_not_mix() {
    let mut pool = Pool::new(ReassemblyConfig::default());
    assert_eq!(pool.give(1, 0, b"12345678", true), None);
    assert_eq!(pool.give(2, 8, b"bbb", false), None);
    assert_eq!(pool.give(2, 0, b"abcdefgh", true).as_deref(), Some(&b"abcdefghbbb"[..]));
    assert_eq!(pool.give(1, 8, b"9", false).as_deref(), Some(&b"123456789"[..]));
}

#[test]
fn contradictions_reject_the_whole_datagram_for_good() {
    // Each story: the pieces so far, then the one that contradicts them.
    let eight = b"abcdefgh";
    type Piece = (usize, &'static [u8], bool);
    let stories: &[(&str, &[Piece], Piece)] = &[
        ("overlaps the one before", &[(0, b"0123456789abcdef", true)], (8, eight, true)),
        ("overlaps the one behind", &[(8, eight, true)], (0, b"0123456789abcdef", true)),
        ("covers one", &[(8, eight, true)], (0, b"0123456789abcdef01234567", true)),
        ("same place, other bytes", &[(0, eight, true)], (0, b"abcdefgX", true)),
        ("same place, shorter", &[(0, b"0123456789abcdef", true)], (0, b"01234567", true)),
        ("past the end", &[(8, b"end", false)], (16, eight, true)),
        ("two ends", &[(16, b"end", false)], (8, b"end", false)),
        ("an end before what came", &[(16, eight, true)], (8, b"end", false)),
        ("the end goes on after all", &[(8, eight, false)], (8, eight, true)),
    ];
    for (story, before, contradiction) in stories {
        let mut pool = Pool::new(ReassemblyConfig::default());
        for (offset, payload, more) in *before {
            assert_eq!(pool.give(1, *offset, payload, *more), None);
        }
        assert_eq!(pool.give(1, contradiction.0, contradiction.1, contradiction.2), None);
        assert_eq!(pool.bench.drops(), [DropReason::FragmentOverlap], "{story}");
        for part in PIECES {
            let (offset, payload, more) = piece(part);
            assert_eq!(pool.give(1, offset, payload, more), None, "{story}: nothing of it is taken any more");
        }
        assert_eq!((pool.reassembly.held, pool.bench.drops().len()), (0, 4), "{story}");
        assert!(pool.pass(30).is_empty(), "{story}: nobody is told of the end");
        assert_eq!(pool.reassembly.next_deadline(), None);
    }
}

#[test]
fn exact_duplicates_change_nothing() {
    let mut pool = Pool::new(ReassemblyConfig::default());
    for part in [PIECES[3], PIECES[3], PIECES[0], PIECES[0], PIECES[1], PIECES[0]] {
        let (offset, payload, more) = piece(part);
        assert_eq!(pool.give(1, offset, payload, more), None);
    }
    assert_eq!(pool.bench.drops(), []);
    assert_eq!(pool.give(1, 16, &WHOLE[16..24], true).as_deref(), Some(&WHOLE[..]));
}

#[test]
fn impossible_pieces_are_dropped_alone() {
    let mut pool = Pool::new(ReassemblyConfig::default());
    for (offset, payload, more) in
        [(0, &b"not in eights"[..], true), (8, b"", false), (65_528, b"too far", false), (65_512, b"12345678", true)]
    {
        assert_eq!(pool.give(1, offset, payload, more), None);
        assert_eq!(pool.bench.drops(), [DropReason::FragmentMalformed], "{offset} {payload:?}");
    }
    assert_eq!(pool.reassembly.next_deadline(), None);
}

#[test]
fn after_thirty_seconds_it_is_over_and_who_has_the_first_fragment_says_so() {
    for (part, reports) in [(PIECES[0], 1), (PIECES[1], 0)] {
        let mut pool = Pool::new(ReassemblyConfig::default());
        let (offset, payload, more) = piece(part);
        pool.give(1, offset, payload, more);
        assert_eq!(pool.reassembly.next_deadline(), Some(Instant::from_secs(30)));
        assert!(pool.pass(29).is_empty());
        let (offset, last, more) = piece(PIECES[3]);
        pool.give(1, offset, last, more);
        assert_eq!(pool.reassembly.next_deadline(), Some(Instant::from_secs(30)), "later fragments give no more time");
        let reported = pool.pass(1);
        assert_eq!(reported.len(), reports);
        assert!(reported.iter().all(|first| first.payload[..] == *payload && first.header[..] == *b"first header"));
        assert_eq!((pool.bench.drops(), pool.reassembly.held), (vec![DropReason::ReassemblyTimeout], 0));
    }
}

#[test]
fn the_oldest_datagrams_give_way() {
    let config = ReassemblyConfig { max_datagrams: 3, max_bytes: 10_000, ..ReassemblyConfig::default() };
    let mut pool = Pool::new(config);
    for identification in 0..5 {
        pool.pass(1);
        pool.give(identification, 0, b"12345678", true);
    }
    assert_eq!((pool.reassembly.partials.len(), pool.bench.drops()), (3, vec![DropReason::ReassemblyFull; 2]));
    assert!(pool.give(1, 8, b"x", false).is_none(), "1 has gone");
    assert!(pool.give(4, 8, b"x", false).is_some(), "4 is still there");
    // One that is larger than everything may hold on its own ends alone.
    let mut pool = Pool::new(config);
    let results: Vec<_> = (0..20).map(|i| pool.give(9, i * 1000, &[0; 1000], true)).collect();
    assert!(results.iter().all(Option::is_none));
    assert!(pool.reassembly.held <= 10_000 && pool.bench.drops().contains(&DropReason::ReassemblyFull));
}

/// RFC 791 with RFC 5722, in the simplest way there is: bytes that came, one by one.
#[derive(Default)]
struct Model {
    came: Vec<(usize, Vec<u8>, bool)>,
    rejected: bool,
}

impl Model {
    fn give(&mut self, offset: usize, payload: &[u8], more: bool) -> Option<Vec<u8>> {
        let new = (offset, payload.to_vec(), more);
        if self.rejected || self.came.contains(&new) {
            return None;
        }
        self.came.push(new);
        let end = |piece: &(usize, Vec<u8>, bool)| piece.0 + piece.1.len();
        let covered: usize = self.came.iter().map(|piece| piece.1.len()).sum();
        let reach = self.came.iter().map(end).max().unwrap_or(0);
        let mut bytes = vec![None; reach];
        for piece in &self.came {
            piece.1.iter().enumerate().for_each(|(i, byte)| bytes[piece.0 + i] = Some(*byte));
        }
        let distinct = bytes.iter().flatten().count();
        let ends: Vec<usize> = self.came.iter().filter(|piece| !piece.2).map(end).collect();
        self.rejected = distinct < covered || ends.len() > 1 || ends.iter().any(|end| *end < reach);
        let whole = !self.rejected && distinct == reach && !ends.is_empty();
        if whole {
            self.came.clear();
        }
        whole.then(|| bytes.into_iter().flatten().collect())
    }
}

proptest! {
    #[test]
    fn any_pieces_give_what_the_model_gives(
        pieces in proptest::collection::vec((0usize..5, 1usize..4, any::<bool>(), 0usize..8, 0u8..8), 1..14),
    ) {
        let (mut pool, mut model) = (Pool::new(ReassemblyConfig::default()), Model::default());
        for (unit, units, more, tail, damage) in pieces {
            let (start, len) = (unit * 8, if more { units * 8 } else { units * 8 - tail });
            let mut payload: Vec<u8> = (start..start + len).map(|i| i as u8).collect();
            if damage == 0 {
                payload[0] ^= 0xff;
            }
            prop_assert_eq!(pool.give(1, start, &payload, more), model.give(start, &payload, more));
            let cost: usize = pool.reassembly.partials.values().map(Partial::cost).sum();
            prop_assert_eq!(pool.reassembly.held, cost);
        }
    }

    #[test]
    fn junk_stays_within_the_bounds(
        pieces in proptest::collection::vec((0u32..40, 0usize..8192, 0usize..200, any::<bool>(), 0u64..3), 1..300),
    ) {
        let config = ReassemblyConfig { max_datagrams: 8, max_bytes: 20_000, ..ReassemblyConfig::default() };
        let mut pool = Pool::new(config);
        for (identification, unit, units, more, seconds) in pieces {
            pool.pass(seconds);
            pool.give(identification, unit * 8, &vec![1; units * 8], more);
            prop_assert!(pool.reassembly.held <= 20_000 && pool.reassembly.partials.len() <= 8);
        }
        pool.pass(30);
        prop_assert_eq!((pool.reassembly.held, pool.reassembly.partials.len()), (0, 0));
    }
}
