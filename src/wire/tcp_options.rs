//! TCP options (RFC 9293 §3.2): ours, because unknown kinds must be skipped and any alignment accepted.

use smallvec::SmallVec;
use thiserror::Error;

/// The most option bytes that the data offset can name.
pub const MAX_LEN: usize = 40;

// RFC 9293 §3.2 (MUST-4), RFC 7323, RFC 2018, RFC 7413.
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const FAST_OPEN: u8 = 34;

/// A Fast Open cookie (RFC 7413 §2): 4 to 16 bytes, an even number; an empty one asks for one.
pub type Cookie = SmallVec<[u8; 16]>;

/// The order of options and the padding between them: receivers take any (RFC 9293 §3.2), and stacks are known by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Layout {
    /// MSS, SACK-permitted, timestamps, window scale, SACK; NOPs before what would not be aligned: as Linux does.
    #[default]
    Linux,
    /// MSS, window scale, SACK-permitted, timestamps, SACK; NOPs between them and end-of-options at the end: as
    /// FreeBSD does.
    FreeBsd,
}

/// The options that this stack understands, each at most once: the last one counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Maximum segment size (RFC 9293 §3.7.1, MUST-14).
    pub mss: Option<u16>,
    /// Shift count as on the wire (RFC 7323 §2.2); whoever uses it limits it to 14.
    pub window_scale: Option<u8>,
    /// SACK may be used (RFC 2018 §2).
    pub sack_permitted: bool,
    /// Left and right edges of what has arrived past a hole (RFC 2018 §3).
    pub sack: SmallVec<[(u32, u32); 4]>,
    /// RFC 7323 §3.2.
    pub timestamps: Option<Timestamps>,
    /// RFC 7413 §4.1.1.
    pub fast_open: Option<Cookie>,
    /// How they are laid out when they are sent.
    pub layout: Layout,
}

/// TSval and TSecr.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timestamps {
    pub value: u32,
    pub echo: u32,
}

/// An option of impossible length.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("TCP option of kind {kind} cannot have length {len} with {left} option bytes left")]
pub struct OptionsError {
    pub kind: u8,
    pub len: u8,
    pub left: usize,
}

impl Options {
    /// Reads the option bytes between the fixed header and the data.
    pub fn parse(mut bytes: &[u8]) -> Result<Options, OptionsError> {
        let mut options = Options::default();
        // RFC 9293 §3.2 (MUST-64): options may begin on any byte.
        while let [kind, rest @ ..] = bytes {
            match *kind {
                END => break,
                NO_OPERATION => bytes = rest,
                kind => {
                    // RFC 9293 §3.1 (MUST-7): an illegal length must neither crash nor loop.
                    let len = rest.first().copied().unwrap_or(0);
                    let error = OptionsError { kind, len, left: bytes.len() };
                    if len < 2 {
                        return Err(error);
                    }
                    let value = bytes.get(2..usize::from(len)).ok_or(error)?;
                    options.take(kind, value).ok_or(error)?;
                    bytes = &bytes[usize::from(len)..];
                }
            }
        }
        Ok(options)
    }

    /// One option; none when its length is not the one its kind has.
    fn take(&mut self, kind: u8, value: &[u8]) -> Option<()> {
        match kind {
            MSS => self.mss = Some(u16::from_be_bytes(value.try_into().ok()?)),
            WINDOW_SCALE => self.window_scale = Some(<[u8; 1]>::try_from(value).ok()?[0]),
            SACK_PERMITTED => self.sack_permitted = value.is_empty().then_some(true)?,
            SACK => {
                let edges = value.chunks_exact(8);
                edges.remainder().is_empty().then_some(())?;
                self.sack = edges.map(|edge| (be32(&edge[..4]), be32(&edge[4..]))).collect();
            }
            TIMESTAMPS => {
                let value: [u8; 8] = value.try_into().ok()?;
                self.timestamps = Some(Timestamps { value: be32(&value[..4]), echo: be32(&value[4..]) });
            }
            // RFC 7413 §4.1.1: what has another length is passed over.
            FAST_OPEN => match value.len() {
                0 | 4 | 6 | 8 | 10 | 12 | 14 | 16 => self.fast_open = Some(value.into()),
                _ => {}
            },
            // RFC 9293 §3.1 (MUST-6, MUST-68): an unknown option is skipped by its length.
            _ => {}
        }
        Some(())
    }

    /// The bytes on the wire, laid out so that each value is aligned, the whole a multiple of four.
    ///
    /// SACK blocks that no longer fit into [`MAX_LEN`] are left out.
    pub fn emit(&self) -> SmallVec<[u8; MAX_LEN]> {
        let mut bytes = SmallVec::new();
        match self.layout {
            Layout::Linux => {
                self.emit_mss(&mut bytes);
                if self.sack_permitted && self.timestamps.is_none() {
                    bytes.extend_from_slice(&[NO_OPERATION, NO_OPERATION]);
                }
                self.emit_sack_permitted(&mut bytes);
                self.emit_timestamps(&mut bytes);
                self.emit_window_scale(&mut bytes);
            }
            Layout::FreeBsd => {
                self.emit_mss(&mut bytes);
                self.emit_window_scale(&mut bytes);
                self.emit_sack_permitted(&mut bytes);
                self.emit_timestamps(&mut bytes);
            }
        }
        self.emit_sack(&mut bytes);
        self.emit_fast_open(&mut bytes);
        // RFC 9293 §3.1 (MUST-69): zeros behind the last option.
        while bytes.len() % 4 > 0 {
            bytes.push(END);
        }
        bytes
    }

    fn emit_mss(&self, bytes: &mut SmallVec<[u8; MAX_LEN]>) {
        if let Some(mss) = self.mss {
            bytes.extend_from_slice(&[MSS, 4]);
            bytes.extend_from_slice(&mss.to_be_bytes());
        }
    }

    fn emit_window_scale(&self, bytes: &mut SmallVec<[u8; MAX_LEN]>) {
        if let Some(shift) = self.window_scale {
            bytes.extend_from_slice(&[NO_OPERATION, WINDOW_SCALE, 3, shift]);
        }
    }

    fn emit_sack_permitted(&self, bytes: &mut SmallVec<[u8; MAX_LEN]>) {
        if self.sack_permitted {
            bytes.extend_from_slice(&[SACK_PERMITTED, 2]);
        }
    }

    /// RFC 7323 §3.2: the two values begin on a multiple of four.
    fn emit_timestamps(&self, bytes: &mut SmallVec<[u8; MAX_LEN]>) {
        let Some(Timestamps { value, echo }) = self.timestamps else { return };
        while bytes.len() % 4 != 2 {
            bytes.push(NO_OPERATION);
        }
        bytes.extend_from_slice(&[TIMESTAMPS, 10]);
        bytes.extend_from_slice(&value.to_be_bytes());
        bytes.extend_from_slice(&echo.to_be_bytes());
    }

    fn emit_fast_open(&self, bytes: &mut SmallVec<[u8; MAX_LEN]>) {
        let Some(cookie) = self.fast_open.as_ref().filter(|cookie| bytes.len() + 2 + cookie.len() <= MAX_LEN) else {
            return;
        };
        bytes.extend_from_slice(&[FAST_OPEN, 2 + cookie.len() as u8]);
        bytes.extend_from_slice(cookie);
        while self.layout == Layout::Linux && !bytes.len().is_multiple_of(4) {
            bytes.push(NO_OPERATION);
        }
    }

    fn emit_sack(&self, bytes: &mut SmallVec<[u8; MAX_LEN]>) {
        let room = (MAX_LEN - bytes.len().next_multiple_of(4)).saturating_sub(4) / 8;
        let blocks = &self.sack[..self.sack.len().min(room)];
        if blocks.is_empty() {
            return;
        }
        bytes.resize(bytes.len().next_multiple_of(4) + 2, NO_OPERATION);
        bytes.extend_from_slice(&[SACK, 2 + 8 * blocks.len() as u8]);
        for (left, right) in blocks {
            bytes.extend_from_slice(&left.to_be_bytes());
            bytes.extend_from_slice(&right.to_be_bytes());
        }
    }

    /// How many bytes [`emit`](Options::emit) gives, in either layout.
    pub fn len(&self) -> usize {
        if self.fast_open.is_some() {
            return self.emit().len();
        }
        let timestamps = if self.timestamps.is_some() { 10 } else { 0 };
        let sack_permitted = match (self.sack_permitted, self.timestamps.is_some()) {
            (true, false) => 4,
            (_, true) => 2,
            (false, false) => 0,
        };
        let mss = if self.mss.is_some() { 4 } else { 0 };
        let window_scale = if self.window_scale.is_some() { 4 } else { 0 };
        let fixed = mss + sack_permitted + timestamps + window_scale;
        let blocks = self.sack.len().min((MAX_LEN - fixed).saturating_sub(4) / 8);
        fixed + if blocks > 0 { 4 + 8 * blocks } else { 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
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
            let wanted = good.then(|| Cookie::from_elem(7, usize::from(len)));
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
                fast_open: Some(Cookie::from_elem(9, len)),
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
        fn parse_undoes_emit(mss: Option<u16>, window_scale: Option<u8>, sack_permitted: bool, blocks in proptest::collection::vec(any::<(u32, u32)>(), 0..3), times: Option<(u32, u32)>, freebsd: bool) {
            let layout = if freebsd { Layout::FreeBsd } else { Layout::Linux };
            let room = MAX_LEN - Options { mss, window_scale, sack_permitted, timestamps: times.map(|_| Timestamps::default()), ..Options::default() }.len();
            let sack = blocks.into_iter().take(room.saturating_sub(4) / 8).collect();
            let timestamps = times.map(|(value, echo)| Timestamps { value, echo });
            let options = Options { mss, window_scale, sack_permitted, sack, timestamps, layout, ..Options::default() };
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
}
