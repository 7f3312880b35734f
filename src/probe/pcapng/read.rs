use super::block::{Cursor, Described, Order, enhanced_packet, simple_packet};
use super::{BYTE_ORDER_MAGIC, ENHANCED_PACKET, INTERFACE_DESCRIPTION, SECTION_HEADER, SIMPLE_PACKET};
use crate::probe::Direction;
use crate::time::Instant;
use std::io::{self, Read};
use thiserror::Error;

/// No block or packet is believed to be longer: what a damaged file can make us allocate.
const MAX_BLOCK: usize = 16 << 20;
/// Interfaces beyond these are not remembered.
const MAX_INTERFACES: usize = 1 << 16;

const PCAP_MICROSECONDS: u32 = 0xa1b2_c3d4;
const PCAP_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// A frame out of a capture file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Captured {
    /// Since the Unix epoch, or whatever the writer's beginning of time was.
    pub at: Instant,
    /// Which way it went, when the file says so.
    pub direction: Option<Direction>,
    /// LINKTYPE of its interface; [`ETHERNET`](super::ETHERNET) for what this stack captures.
    pub link_type: u16,
    pub bytes: Vec<u8>,
    /// Its length on the wire, which is more than was kept when the capture cut it.
    pub original_len: u32,
    pub comments: Vec<String>,
}

/// Why a capture file cannot be read on.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("neither a pcapng nor a pcap file: it begins with {magic:#010x}")]
    UnknownFormat { magic: u32 },
    #[error("a block of {len} bytes in a capture file, where at least {least} and at most {MAX_BLOCK} make sense")]
    BlockLength { len: usize, least: usize },
    #[error("a packet of interface {interface}, which the file does not describe")]
    UnknownInterface { interface: u32 },
    #[error("the capture file ends in the middle of a block")]
    Truncated,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Every frame of a capture file, pcapng or classic pcap.
pub fn read(input: impl Read) -> Result<Vec<Captured>, ReadError> {
    Reader::new(input)?.collect()
}

/// Reads a capture file frame by frame. After an error it gives nothing more.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    format: Format,
    failed: bool,
}

#[derive(Debug)]
enum Format {
    Pcap { order: Order, unit: u64, link_type: u16 },
    Pcapng { order: Order, interfaces: Vec<Described> },
}

impl<R: Read> Reader<R> {
    /// Finds out which format it is.
    pub fn new(mut input: R) -> Result<Reader<R>, ReadError> {
        let mut magic = [0; 4];
        input.read_exact(&mut magic).map_err(truncated)?;
        if u32::from_le_bytes(magic) == SECTION_HEADER {
            let mut reader = Reader {
                input,
                format: Format::Pcapng { order: Order::Little, interfaces: Vec::new() },
                failed: false,
            };
            reader.section_header()?;
            return Ok(reader);
        }
        let (order, magic) = match u32::from_le_bytes(magic) {
            magic @ (PCAP_MICROSECONDS | PCAP_NANOSECONDS) => (Order::Little, magic),
            _ => (Order::Big, u32::from_be_bytes(magic)),
        };
        let unit = match magic {
            PCAP_MICROSECONDS => 1_000,
            PCAP_NANOSECONDS => 1,
            _ => return Err(ReadError::UnknownFormat { magic }),
        };
        let mut header = [0; 20];
        input.read_exact(&mut header).map_err(truncated)?;
        let link_type = Cursor::new(&header[16..], order).u32()? as u16;
        Ok(Reader { input, format: Format::Pcap { order, unit, link_type }, failed: false })
    }

    fn step(&mut self) -> Result<Option<Captured>, ReadError> {
        match self.format {
            Format::Pcap { order, unit, link_type } => self.pcap_packet(order, unit, link_type),
            Format::Pcapng { .. } => loop {
                let Some(block_type) = self.block_type()? else { return Ok(None) };
                if block_type == SECTION_HEADER {
                    self.section_header()?;
                } else if let Some(packet) = self.block(block_type)? {
                    return Ok(Some(packet));
                }
            },
        }
    }

    fn pcap_packet(&mut self, order: Order, unit: u64, link_type: u16) -> Result<Option<Captured>, ReadError> {
        let Some(first) = self.word_or_end()? else { return Ok(None) };
        let mut rest = [0; 12];
        self.input.read_exact(&mut rest).map_err(truncated)?;
        let seconds = u64::from(order.u32(first));
        let mut cursor = Cursor::new(&rest, order);
        let (fraction, len, original_len) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let bytes = self.take(len as usize)?;
        let at = Instant::from_nanos(seconds * 1_000_000_000 + u64::from(fraction) * unit);
        Ok(Some(Captured { at, direction: None, link_type, bytes, original_len, comments: Vec::new() }))
    }

    /// The next four bytes; none at the end of the file.
    fn word_or_end(&mut self) -> Result<Option<[u8; 4]>, ReadError> {
        let mut word = Vec::with_capacity(4);
        self.input.by_ref().take(4).read_to_end(&mut word)?;
        match <[u8; 4]>::try_from(word) {
            Ok(word) => Ok(Some(word)),
            Err(word) if word.is_empty() => Ok(None),
            Err(_) => Err(ReadError::Truncated),
        }
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>, ReadError> {
        if len > MAX_BLOCK {
            return Err(ReadError::BlockLength { len, least: 0 });
        }
        // Grows as the bytes come: a length alone allocates nothing.
        let mut bytes = Vec::new();
        self.input.by_ref().take(len as u64).read_to_end(&mut bytes)?;
        if bytes.len() == len { Ok(bytes) } else { Err(ReadError::Truncated) }
    }

    fn block_type(&mut self) -> Result<Option<u32>, ReadError> {
        let order = self.order();
        // The type of a section header reads the same in both orders.
        Ok(self.word_or_end()?.map(|word| order.u32(word)))
    }

    fn order(&self) -> Order {
        match self.format {
            Format::Pcap { order, .. } | Format::Pcapng { order, .. } => order,
        }
    }

    /// The rest of a section header, whose type was read: a new byte order, and no interfaces yet.
    fn section_header(&mut self) -> Result<(), ReadError> {
        let mut start = [0; 8];
        self.input.read_exact(&mut start).map_err(truncated)?;
        let [len, magic] = [0, 4].map(|at| [start[at], start[at + 1], start[at + 2], start[at + 3]]);
        let order = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (BYTE_ORDER_MAGIC, _) => Order::Little,
            (_, BYTE_ORDER_MAGIC) => Order::Big,
            (magic, _) => return Err(ReadError::UnknownFormat { magic }),
        };
        let len = order.u32(len) as usize;
        self.take(len.checked_sub(12).ok_or(ReadError::BlockLength { len, least: 28 })?)?;
        self.format = Format::Pcapng { order, interfaces: Vec::new() };
        Ok(())
    }

    fn block(&mut self, block_type: u32) -> Result<Option<Captured>, ReadError> {
        let mut len = [0; 4];
        self.input.read_exact(&mut len).map_err(truncated)?;
        let len = self.order().u32(len) as usize;
        let body = self.take(len.checked_sub(8).ok_or(ReadError::BlockLength { len, least: 12 })?)?;
        let body = body.get(..body.len().wrapping_sub(4)).ok_or(ReadError::BlockLength { len, least: 12 })?;
        let Format::Pcapng { order, interfaces } = &mut self.format else { return Ok(None) };
        let mut cursor = Cursor::new(body, *order);
        match block_type {
            INTERFACE_DESCRIPTION => {
                if interfaces.len() < MAX_INTERFACES {
                    interfaces.push(Described::read(&mut cursor)?);
                }
                Ok(None)
            }
            ENHANCED_PACKET => enhanced_packet(&mut cursor, interfaces).map(Some),
            SIMPLE_PACKET => simple_packet(&mut cursor, interfaces).map(Some),
            // Statistics, names, secrets and whatever is yet to be invented.
            _ => Ok(None),
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Captured, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.step().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

fn truncated(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadError::Truncated,
        _ => ReadError::Io(error),
    }
}
