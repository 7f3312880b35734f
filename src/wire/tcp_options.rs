//! TCP options (RFC 9293 §3.2): ours, because unknown kinds must be skipped and any alignment accepted.

use smallvec::SmallVec;
use thiserror::Error;

/// The most option bytes that the data offset can name.
pub const MAX_LEN: usize = 40;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// The options that this stack understands, each at most once: the last one counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Maximum segment size (RFC 9293 §3.7.1).
    pub mss: Option<u16>,
    /// Shift count as on the wire (RFC 7323 §2.2); whoever uses it limits it to 14.
    pub window_scale: Option<u8>,
    /// SACK may be used (RFC 2018 §2).
    pub sack_permitted: bool,
    /// Left and right edges of what has arrived past a hole (RFC 2018 §3).
    pub sack: SmallVec<[(u32, u32); 4]>,
    /// RFC 7323 §3.2.
    pub timestamps: Option<Timestamps>,
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
            // RFC 9293 §3.1 (MUST-6): an unknown option is skipped by its length.
            _ => {}
        }
        Some(())
    }

    /// The bytes on the wire, padded with NOPs so that each value is aligned, the whole a multiple of four.
    ///
    /// The order is the one that Linux sends: MSS, SACK-permitted, timestamps, window scale, SACK. Blocks that no
    /// longer fit into [`MAX_LEN`] are left out.
    pub fn emit(&self) -> SmallVec<[u8; MAX_LEN]> {
        let mut bytes = SmallVec::new();
        if let Some(mss) = self.mss {
            bytes.extend_from_slice(&[MSS, 4]);
            bytes.extend_from_slice(&mss.to_be_bytes());
        }
        match (self.sack_permitted, self.timestamps) {
            (true, Some(_)) => bytes.extend_from_slice(&[SACK_PERMITTED, 2]),
            (true, None) => bytes.extend_from_slice(&[NO_OPERATION, NO_OPERATION, SACK_PERMITTED, 2]),
            (false, Some(_)) => bytes.extend_from_slice(&[NO_OPERATION, NO_OPERATION]),
            (false, None) => {}
        }
        if let Some(Timestamps { value, echo }) = self.timestamps {
            bytes.extend_from_slice(&[TIMESTAMPS, 10]);
            bytes.extend_from_slice(&value.to_be_bytes());
            bytes.extend_from_slice(&echo.to_be_bytes());
        }
        if let Some(shift) = self.window_scale {
            bytes.extend_from_slice(&[NO_OPERATION, WINDOW_SCALE, 3, shift]);
        }
        let room = (MAX_LEN - bytes.len()).saturating_sub(4) / 8;
        let blocks = &self.sack[..self.sack.len().min(room)];
        if !blocks.is_empty() {
            bytes.extend_from_slice(&[NO_OPERATION, NO_OPERATION, SACK, 2 + 8 * blocks.len() as u8]);
            for (left, right) in blocks {
                bytes.extend_from_slice(&left.to_be_bytes());
                bytes.extend_from_slice(&right.to_be_bytes());
            }
        }
        bytes
    }

    /// How many bytes [`emit`](Options::emit) gives.
    pub fn len(&self) -> usize {
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

    proptest! {
        #[test]
        fn parse_undoes_emit(mss: Option<u16>, window_scale: Option<u8>, sack_permitted: bool, blocks in proptest::collection::vec(any::<(u32, u32)>(), 0..3), times: Option<(u32, u32)>) {
            let room = MAX_LEN - Options { mss, window_scale, sack_permitted, timestamps: times.map(|_| Timestamps::default()), ..Options::default() }.len();
            let sack = blocks.into_iter().take(room.saturating_sub(4) / 8).collect();
            let timestamps = times.map(|(value, echo)| Timestamps { value, echo });
            let options = Options { mss, window_scale, sack_permitted, sack, timestamps };
            let bytes = options.emit();
            prop_assert_eq!(bytes.len() % 4, 0);
            prop_assert_eq!(bytes.len(), options.len());
            prop_assert_eq!(Options::parse(&bytes), Ok(options));
        }

        #[test]
        fn any_bytes_parse_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..41)) {
            let _ = Options::parse(&bytes);
        }
    }
}
