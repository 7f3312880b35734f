use super::*;
use proptest::prelude::*;

// MUST-4, MUST-6, MUST-64, MUST-68
#[test]
fn options_are_found_in_any_order_and_at_any_byte() {
    let bytes = [253, 5, 1, 2, 3, 2, 4, 5, 0xb4, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 3, 3, 7, 4, 2, 0, 99, 0];
    let options = Options::parse(&bytes).expect("all lengths are right");
    assert_eq!(options.mss, Some(1460));
    assert_eq!(options.timestamps, Some(Timestamps { value: 1, echo: 2 }));
    assert_eq!((options.window_scale, options.sack_permitted), (Some(7), true));
}

// MUST-7
#[test]
fn impossible_lengths_are_errors() {
    for bytes in [&[253u8, 0][..], &[253, 1], &[253], &[253, 3], &[2, 3, 5], &[2, 4, 5], &[5, 6, 0, 0, 0, 0]] {
        assert!(Options::parse(bytes).is_err(), "{bytes:?}");
    }
}

// MUST-69
#[test]
fn three_blocks_and_timestamps_fill_the_forty_bytes() {
    let options = Options {
        timestamps: Some(Timestamps::default()),
        sack: (0..4).map(|i| (i * 10, i * 10 + 5)).collect(),
        ..Options::default()
    };
    let bytes = options.emit();
    assert_eq!((bytes.len(), options.len()), (MAX_LEN, MAX_LEN));
    assert_eq!(Options::parse(&bytes).expect("our own bytes parse").sack.len(), 3);
}

/// MSS 1460, shift 6, SACK-permitted and timestamps, each with and without.
#[test]
fn each_layout_is_the_one_that_its_stack_sends() {
    const MSS: [u8; 4] = [2, 4, 5, 180];
    const TIMES: [u8; 10] = [8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    type Pieces = &'static [&'static [u8]];
    let table: [(bool, bool, bool, Pieces, Pieces); 5] = [
        (true, true, true, &[&MSS, &[4, 2], &TIMES, &[1, 3, 3, 6]], &[&MSS, &[1, 3, 3, 6], &[4, 2], &TIMES]),
        (true, true, false, &[&MSS, &[1, 1, 4, 2], &[1, 3, 3, 6]], &[&MSS, &[1, 3, 3, 6], &[4, 2, 0, 0]]),
        (false, true, true, &[&MSS, &[4, 2], &TIMES], &[&MSS, &[4, 2], &TIMES]),
        (false, true, false, &[&MSS, &[1, 1, 4, 2]], &[&MSS, &[4, 2, 0, 0]]),
        (true, false, true, &[&MSS, &[1, 1], &TIMES, &[1, 3, 3, 6]], &[&MSS, &[1, 3, 3, 6], &[1, 1], &TIMES]),
    ];
    for (scale, sack_permitted, times, linux, freebsd) in table {
        let options = Options {
            mss: Some(1460),
            window_scale: scale.then_some(6),
            sack_permitted,
            timestamps: times.then_some(Timestamps { value: 1, echo: 2 }),
            ..Options::default()
        };
        assert_eq!(options.emit()[..], linux.concat(), "Linux {scale} {sack_permitted} {times}");
        let options = Options { layout: Layout::FreeBsd, ..options };
        assert_eq!(options.emit()[..], freebsd.concat(), "FreeBSD {scale} {sack_permitted} {times}");
    }
}

// RFC 7413 §4.1.1
#[test]
fn a_cookie_has_an_even_number_of_bytes_from_four_to_sixteen() {
    for len in 0..=20u8 {
        let bytes = [&[FAST_OPEN, 2 + len][..], &vec![7; usize::from(len)]].concat();
        let good = len == 0 || (4..=16).contains(&len) && len % 2 == 0;
        let wanted = good.then(|| std::iter::repeat_n(7, usize::from(len)).collect());
        assert_eq!(Options::parse(&bytes).expect("the length fits").fast_open, wanted, "{len}");
    }
}

#[test]
fn the_longest_cookie_fits_beside_all_options_of_a_syn() {
    for (layout, len) in [(Layout::Linux, 16), (Layout::FreeBsd, 16), (Layout::Linux, 8), (Layout::FreeBsd, 0)] {
        let options = Options {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: Some(Timestamps::default()),
            fast_open: Some(std::iter::repeat_n(9, len).collect()),
            layout,
            ..Options::default()
        };
        let bytes = options.emit();
        assert_eq!((bytes.len(), bytes.len() % 4), (options.len(), 0));
        let parsed = Options::parse(&bytes).expect("our own bytes parse");
        assert_eq!(parsed, Options { layout: Layout::default(), ..options });
    }
}

proptest! {
    #[test]
    fn parse_undoes_emit(mss: Option<u16>, window_scale: Option<u8>, sack_permitted: bool, blocks in proptest::collection::vec(any::<(u32, u32)>(), 0..3), times: Option<(u32, u32)>, counters: Option<([u64; 3], bool, u8)>, freebsd: bool) {
        let order = |ect0| if ect0 { Order::Ect0First } else { Order::Ect1First };
        let byte_counters = counters.map(|(counts, ect0, len)| ByteCounters::new(order(ect0), counts, usize::from(len % 4)));
        let layout = if freebsd { Layout::FreeBsd } else { Layout::Linux };
        let room = MAX_LEN - Options { mss, window_scale, sack_permitted, timestamps: times.map(|_| Timestamps::default()), byte_counters, ..Options::default() }.len();
        let sack = blocks.into_iter().take(room.saturating_sub(4) / 8).collect();
        let timestamps = times.map(|(value, echo)| Timestamps { value, echo });
        let options = Options { mss, window_scale, sack_permitted, sack, timestamps, byte_counters, layout, ..Options::default() };
        let bytes = options.emit();
        prop_assert_eq!(bytes.len() % 4, 0);
        prop_assert_eq!(bytes.len(), options.len());
        prop_assert_eq!(Options::parse(&bytes), Ok(Options { layout: Layout::default(), ..options }));
    }

    #[test]
    fn any_bytes_parse_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..41)) {
        let _ = Options::parse(&bytes);
    }
}
