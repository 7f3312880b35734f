//! TCP options (RFC 9293 §3.2): ours, because unknown kinds must be skipped and any alignment accepted.

mod byte_counters;

pub use byte_counters::{ByteCounters, Order};

use arrayvec::ArrayVec;
use thiserror::Error;

/// The most option bytes that the data offset can name.
pub const MAX_LEN: usize = 40;
/// And those of a segment that has timestamps alone.
pub const LONE_TIMESTAMPS_LEN: usize = 12;

// RFC 9293 §3.2 (MUST-4), RFC 7323, RFC 2018, RFC 7413.
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const FAST_OPEN: u8 = 34;

/// Options as they are laid out on the wire.
pub type OptionBytes = ArrayVec<u8, MAX_LEN>;

/// The most SACK blocks that fit.
pub const MAX_BLOCKS: usize = 4;

/// A Fast Open cookie (RFC 7413 §2): 4 to 16 bytes, an even number; an empty one asks for one.
pub type Cookie = ArrayVec<u8, 16>;

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
    pub sack: ArrayVec<(u32, u32), MAX_BLOCKS>,
    /// RFC 7323 §3.2.
    pub timestamps: Option<Timestamps>,
    /// RFC 7413 §4.1.1.
    pub fast_open: Option<Cookie>,
    /// RFC 9768 §3.2.3.
    pub byte_counters: Option<ByteCounters>,
    /// How they are laid out when they are sent.
    pub layout: Layout,
}

/// TSval and TSecr.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timestamps {
    pub value: u32,
    pub echo: u32,
}

impl Timestamps {
    fn parse(times: &[u8; 8]) -> Timestamps {
        Timestamps { value: be32(&times[..4]), echo: be32(&times[4..]) }
    }

    /// The whole option.
    #[inline]
    fn emit(self) -> [u8; 10] {
        let ([a, b, c, d], [e, f, g, h]) = (self.value.to_be_bytes(), self.echo.to_be_bytes());
        [TIMESTAMPS, 10, a, b, c, d, e, f, g, h]
    }
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
        // RFC 7323, appendix A: how nearly all segments have their only option.
        if let [NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10, times @ ..] = bytes
            && let Ok(times) = times.try_into()
        {
            options.timestamps = Some(Timestamps::parse(times));
            return Ok(options);
        }
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
                self.sack = edges.take(MAX_BLOCKS).map(|edge| (be32(&edge[..4]), be32(&edge[4..]))).collect();
            }
            TIMESTAMPS => self.timestamps = Some(Timestamps::parse(value.try_into().ok()?)),
            // RFC 7413 §4.1.1: what has another length is passed over.
            FAST_OPEN => match value.len() {
                0 | 4 | 6 | 8 | 10 | 12 | 14 | 16 => self.fast_open = Some(value.try_into().ok()?),
                _ => {}
            },
            byte_counters::ORDER_0 => self.byte_counters = Some(ByteCounters::parse(Order::Ect0First, value)),
            byte_counters::ORDER_1 => self.byte_counters = Some(ByteCounters::parse(Order::Ect1First, value)),
            // RFC 9293 §3.1 (MUST-6, MUST-68): an unknown option is skipped by its length.
            _ => {}
        }
        Some(())
    }

    /// The bytes on the wire, laid out so that each value is aligned, the whole a multiple of four.
    ///
    /// SACK blocks that no longer fit into [`MAX_LEN`] are left out.
    pub fn emit(&self) -> OptionBytes {
        let mut bytes = OptionBytes::new();
        match self.layout {
            Layout::Linux => {
                self.emit_mss(&mut bytes);
                if self.timestamps.is_some() {
                    self.emit_sack_permitted(&mut bytes);
                    self.emit_timestamps(&mut bytes);
                }
                self.emit_byte_counters(&mut bytes);
                if self.sack_permitted && self.timestamps.is_none() {
                    put(&mut bytes, &[NO_OPERATION, NO_OPERATION]);
                    self.emit_sack_permitted(&mut bytes);
                }
                self.emit_window_scale(&mut bytes);
            }
            Layout::FreeBsd => {
                self.emit_mss(&mut bytes);
                self.emit_window_scale(&mut bytes);
                self.emit_sack_permitted(&mut bytes);
                self.emit_timestamps(&mut bytes);
                self.emit_byte_counters(&mut bytes);
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

    /// The same of what nearly all segments have: timestamps and nothing else.
    #[inline]
    pub fn emit_lone_timestamps(&self) -> Option<[u8; LONE_TIMESTAMPS_LEN]> {
        let lone = self.mss.is_none()
            && self.window_scale.is_none()
            && !self.sack_permitted
            && self.sack.is_empty()
            && self.fast_open.is_none()
            && self.byte_counters.is_none();
        let [a, b, c, d, e, f, g, h, i, j] = self.timestamps.filter(|_| lone)?.emit();
        Some([NO_OPERATION, NO_OPERATION, a, b, c, d, e, f, g, h, i, j])
    }

    fn emit_mss(&self, bytes: &mut OptionBytes) {
        if let Some(mss) = self.mss {
            let [high, low] = mss.to_be_bytes();
            put(bytes, &[MSS, 4, high, low]);
        }
    }

    fn emit_window_scale(&self, bytes: &mut OptionBytes) {
        if let Some(shift) = self.window_scale {
            put(bytes, &[NO_OPERATION, WINDOW_SCALE, 3, shift]);
        }
    }

    fn emit_sack_permitted(&self, bytes: &mut OptionBytes) {
        if self.sack_permitted {
            put(bytes, &[SACK_PERMITTED, 2]);
        }
    }

    /// RFC 7323 §3.2: the two values begin on a multiple of four.
    fn emit_timestamps(&self, bytes: &mut OptionBytes) {
        let Some(timestamps) = self.timestamps else { return };
        while bytes.len() % 4 != 2 {
            bytes.push(NO_OPERATION);
        }
        put(bytes, &timestamps.emit());
    }

    /// Between words, so that everything else keeps its place.
    fn emit_byte_counters(&self, bytes: &mut OptionBytes) {
        let Some(counters) = self.byte_counters else { return };
        if bytes.len().next_multiple_of(4) + counters.len() <= MAX_LEN {
            pad(bytes);
            counters.emit(bytes);
            pad(bytes);
        }
    }

    fn emit_fast_open(&self, bytes: &mut OptionBytes) {
        let Some(cookie) = self.fast_open.as_ref().filter(|cookie| bytes.len() + 2 + cookie.len() <= MAX_LEN) else {
            return;
        };
        put(bytes, &[FAST_OPEN, 2 + cookie.len() as u8]);
        put(bytes, cookie);
        if self.layout == Layout::Linux {
            pad(bytes);
        }
    }

    fn emit_sack(&self, bytes: &mut OptionBytes) {
        let room = (MAX_LEN - bytes.len().next_multiple_of(4)).saturating_sub(4) / 8;
        let blocks = &self.sack[..self.sack.len().min(room)];
        if blocks.is_empty() {
            return;
        }
        pad(bytes);
        put(bytes, &[NO_OPERATION, NO_OPERATION, SACK, 2 + 8 * blocks.len() as u8]);
        for (left, right) in blocks {
            put(bytes, &left.to_be_bytes());
            put(bytes, &right.to_be_bytes());
        }
    }

    /// How many bytes [`emit`](Options::emit) gives, in either layout.
    pub fn len(&self) -> usize {
        if self.fast_open.is_some() || self.byte_counters.is_some() {
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

/// # Panics
/// When there is no room, which whoever lays out what may be long sees to before.
fn put(bytes: &mut OptionBytes, option: &[u8]) {
    bytes.try_extend_from_slice(option).expect("what may be long is left out where there is no room");
}

/// Up to the next word.
fn pad(bytes: &mut OptionBytes) {
    while !bytes.len().is_multiple_of(4) {
        bytes.push(NO_OPERATION);
    }
}

fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests;
