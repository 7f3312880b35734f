//! The AccECN option (RFC 9768 §3.2.3): how many bytes of data came under each mark.
//!
//! ```text
//!   kind 172   length 2, 5, 8 or 11   ECT(0)   CE   ECT(1)     order 0
//!   kind 174                          ECT(1)   CE   ECT(0)     order 1
//! ```
//!
//! Each field is the low 24 bits of a counter. Fields may be missing at the end.

use super::{OptionBytes, put};
use std::fmt;

pub(super) const ORDER_0: u8 = 172;
pub(super) const ORDER_1: u8 = 174;
const FIELD: usize = 3;
const FIELDS: usize = 3;
const BITS: u32 = 24;

/// Which counter comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    Ect0First,
    Ect1First,
}

/// The option as it stands in a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteCounters {
    pub order: Order,
    /// In that order; `len` of them are there.
    fields: [u32; FIELDS],
    len: u8,
}

impl ByteCounters {
    /// The first `len` fields, of counters of any size.
    pub fn new(order: Order, [ect0, ce, ect1]: [u64; 3], len: usize) -> ByteCounters {
        let fields = match order {
            Order::Ect0First => [ect0, ce, ect1],
            Order::Ect1First => [ect1, ce, ect0],
        };
        let low = |counter: u64| counter as u32 & ((1 << BITS) - 1);
        let mut kept = fields.map(low);
        kept[len.min(FIELDS)..].fill(0);
        ByteCounters { order, fields: kept, len: len.min(FIELDS) as u8 }
    }

    /// §3.2.3: of another length than its own, as many whole fields as there are.
    pub(super) fn parse(order: Order, value: &[u8]) -> ByteCounters {
        let mut fields = [0; FIELDS];
        let whole = value.chunks_exact(FIELD).take(FIELDS);
        let len = whole.len() as u8;
        for (field, bytes) in fields.iter_mut().zip(whole) {
            *field = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        }
        ByteCounters { order, fields, len }
    }

    /// In bytes, without padding.
    pub fn len(&self) -> usize {
        2 + FIELD * usize::from(self.len)
    }

    /// It has no counters: all that it says is that it comes through.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn emit(&self, bytes: &mut OptionBytes) {
        let kind = match self.order {
            Order::Ect0First => ORDER_0,
            Order::Ect1First => ORDER_1,
        };
        put(bytes, &[kind, self.len() as u8]);
        self.fields[..usize::from(self.len)].iter().for_each(|field| put(bytes, &field.to_be_bytes()[1..]));
    }

    /// The counters of ECT(0), CE and ECT(1), as far as they are there.
    pub fn counters(&self) -> [Option<u32>; 3] {
        let field = |at: usize| (at < usize::from(self.len)).then_some(self.fields[at]);
        match self.order {
            Order::Ect0First => [field(0), field(1), field(2)],
            Order::Ect1First => [field(2), field(1), field(0)],
        }
    }

    /// How much larger a counter is than it was, of which `field` tells the low bits (§3.2.3.1, appendix A.1).
    pub fn increment(counter: u64, field: u32) -> u64 {
        u64::from(field.wrapping_sub(counter as u32) & ((1 << BITS) - 1))
    }
}

/// `AccECN: 1 ECT(1), 0 CE, 1001 ECT(0)`, in the order in which they stand there.
impl fmt::Display for ByteCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = match self.order {
            Order::Ect0First => ["ECT(0)", "CE", "ECT(1)"],
            Order::Ect1First => ["ECT(1)", "CE", "ECT(0)"],
        };
        let fields = self.fields[..usize::from(self.len)].iter().zip(names);
        let said: Vec<String> = fields.map(|(bytes, name)| format!("{bytes} {name}")).collect();
        write!(f, "AccECN: {}", if said.is_empty() { "empty".into() } else { said.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tcp_options::{Options, Timestamps};

    const COUNTERS: [u64; 3] = [0x1_0203_0405, 0x0a_0b0c, 1];

    // RFC 9768 §3.2.3, figure 4 and table 5
    #[test]
    fn each_order_and_length_is_the_one_of_figure_4() {
        let (e0, ce, e1): ([u8; 3], [u8; 3], [u8; 3]) = ([3, 4, 5], [10, 11, 12], [0, 0, 1]);
        for len in 0..=3 {
            for (order, kind, fields) in [(Order::Ect0First, 172, [e0, ce, e1]), (Order::Ect1First, 174, [e1, ce, e0])]
            {
                let counters = ByteCounters::new(order, COUNTERS, len);
                let options = Options { byte_counters: Some(counters), ..Options::default() };
                let mut expected = [&[kind, 2 + 3 * len as u8][..], &fields[..len].concat()].concat();
                expected.resize(expected.len().next_multiple_of(4), 1);
                assert_eq!(options.emit()[..], expected, "{order:?} {len}");
                assert_eq!(options.len(), expected.len());
                assert_eq!(Options::parse(&expected).expect("our own bytes parse").byte_counters, Some(counters));
                assert_eq!(counters.counters().iter().flatten().count(), len);
            }
        }
    }

    // RFC 9768 §3.2.3: "of any other length"
    #[test]
    fn of_another_length_as_many_whole_fields_as_there_are() {
        for (len, whole) in [(3, 0), (4, 0), (6, 1), (7, 1), (10, 2), (12, 3), (20, 3)] {
            let bytes = [&[172, len][..], &vec![7; usize::from(len) - 2]].concat();
            let counters = Options::parse(&bytes).expect("the length fits").byte_counters.expect("it is there");
            assert_eq!(counters.counters().iter().flatten().count(), whole, "{len}");
        }
    }

    #[test]
    fn a_counter_grows_by_the_least_that_its_low_bits_allow() {
        for (counter, field, expected) in
            [(1, 1, 0), (1, 1001, 1000), (0xff_ffff, 0, 1), (0x1_00ff_fff0, 0x10, 0x20), (5, 4, 0xff_ffff)]
        {
            assert_eq!(ByteCounters::increment(counter, field), expected, "{counter} {field}");
        }
    }

    #[test]
    fn it_stands_behind_the_timestamps_as_in_linux() {
        let counters = ByteCounters::new(Order::Ect1First, [1, 0, 1], 3);
        let options = Options {
            mss: Some(1460),
            window_scale: Some(8),
            sack_permitted: true,
            byte_counters: Some(counters),
            ..Options::default()
        };
        let option = [174, 11, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        let plain = [&[2, 4, 5, 180][..], &option, &[1, 1, 1, 4, 2, 1, 3, 3, 8]].concat();
        assert_eq!(options.emit()[..], plain);
        let stamped = Options { timestamps: Some(Timestamps { value: 1, echo: 2 }), ..options };
        let times = [4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(stamped.emit()[..], [&[2, 4, 5, 180][..], &times, &option, &[1, 1, 3, 3, 8]].concat());
    }
}
