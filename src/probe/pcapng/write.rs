use super::{
    BYTE_ORDER_MAGIC, ENHANCED_PACKET, ETHERNET, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS, SECTION_HEADER, option,
};
use crate::probe::Direction;
use crate::time::Instant;
use std::io::{self, Write};

/// Nanoseconds: timestamps count in units of ten to the minus nine.
const NANOSECONDS: u8 = 9;

/// The longest option value, in bytes: what its 16-bit length can say, kept a multiple of four.
const MAX_OPTION: usize = 0xfffc;

/// What the section header says of where the file was made; nothing of the host when it should be the same everywhere.
#[derive(Clone, Default, Debug)]
pub struct Section {
    pub hardware: Option<String>,
    pub os: Option<String>,
    pub application: Option<String>,
}

/// The interface on which everything in the file was seen.
#[derive(Clone, Default, Debug)]
pub struct Interface {
    /// "strata0"
    pub name: String,
    /// One line for people: "TAP strata0, MTU 1500".
    pub description: String,
}

/// One frame as the wire showed it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub at: Instant,
    pub direction: Direction,
    pub bytes: &'a [u8],
    /// Frames before this one that did not make it into the file.
    pub missed: u64,
    /// Each becomes a comment of its own.
    pub comments: &'a [String],
}

/// The closing words of a capture.
#[derive(Clone, Default, Debug)]
pub struct Statistics {
    pub start: Instant,
    pub end: Instant,
    /// Frames seen, whether written or not.
    pub received: u64,
    /// Frames seen and not written.
    pub dropped: u64,
    pub comment: Option<String>,
}

/// Writes a pcapng file of one section and one Ethernet interface, little-endian on every machine.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes the section header and the interface description.
    pub fn new(out: W, section: &Section, interface: &Interface) -> io::Result<Writer<W>> {
        let mut writer = Writer { out, block: Vec::new() };
        writer.section_header(section)?;
        writer.interface_description(interface)?;
        Ok(writer)
    }

    fn section_header(&mut self, section: &Section) -> io::Result<()> {
        self.u32(BYTE_ORDER_MAGIC);
        self.u16(1);
        self.u16(0);
        // The section's length is not known in advance: -1.
        self.block.extend_from_slice(&[0xff; 8]);
        let facts = [
            (option::SHB_HARDWARE, &section.hardware),
            (option::SHB_OS, &section.os),
            (option::SHB_USERAPPL, &section.application),
        ];
        for (code, text) in facts {
            if let Some(text) = text {
                self.text(code, text);
            }
        }
        self.end(SECTION_HEADER)
    }

    fn interface_description(&mut self, interface: &Interface) -> io::Result<()> {
        self.u16(ETHERNET);
        self.u16(0);
        // No limit on the captured length.
        self.u32(0);
        self.text(option::IF_NAME, &interface.name);
        self.text(option::IF_DESCRIPTION, &interface.description);
        self.option(option::IF_TSRESOL, &[NANOSECONDS]);
        self.end(INTERFACE_DESCRIPTION)
    }

    pub fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        self.u32(0);
        self.timestamp(packet.at);
        let len = u32::try_from(packet.bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.u32(len);
        self.u32(len);
        self.padded(packet.bytes);
        packet.comments.iter().for_each(|comment| self.text(option::COMMENT, comment));
        let direction: u32 = match packet.direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        self.option(option::EPB_FLAGS, &direction.to_le_bytes());
        if packet.missed > 0 {
            self.option(option::EPB_DROPCOUNT, &packet.missed.to_le_bytes());
        }
        self.end(ENHANCED_PACKET)
    }

    pub fn statistics(&mut self, statistics: &Statistics) -> io::Result<()> {
        self.u32(0);
        self.timestamp(statistics.end);
        if let Some(comment) = &statistics.comment {
            self.text(option::COMMENT, comment);
        }
        for (code, at) in [(option::ISB_STARTTIME, statistics.start), (option::ISB_ENDTIME, statistics.end)] {
            self.option(code, &timestamp(at));
        }
        self.option(option::ISB_IFRECV, &statistics.received.to_le_bytes());
        self.option(option::ISB_IFDROP, &statistics.dropped.to_le_bytes());
        self.end(INTERFACE_STATISTICS)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub fn into_inner(self) -> W {
        self.out
    }

    fn u16(&mut self, number: u16) {
        self.block.extend_from_slice(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.block.extend_from_slice(&number.to_le_bytes());
    }

    fn timestamp(&mut self, at: Instant) {
        self.block.extend_from_slice(&timestamp(at));
    }

    /// Bytes and zeros up to the next multiple of four.
    fn padded(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        debug_assert!(value.len() <= MAX_OPTION, "values are cut before");
        self.u16(code);
        self.u16(value.len() as u16);
        self.padded(value);
    }

    fn text(&mut self, code: u16, text: &str) {
        self.option(code, &text.as_bytes()[..text.floor_char_boundary(MAX_OPTION)]);
    }

    /// Closes the options and writes the block with its length on both ends.
    fn end(&mut self, block_type: u32) -> io::Result<()> {
        self.u16(option::END);
        self.u16(0);
        let len = (self.block.len() + 12) as u32;
        let mut written = self.out.write_all(&block_type.to_le_bytes());
        for piece in [&len.to_le_bytes()[..], &self.block, &len.to_le_bytes()] {
            written = written.and_then(|()| self.out.write_all(piece));
        }
        self.block.clear();
        written
    }
}

/// Upper half, then lower half.
fn timestamp(at: Instant) -> [u8; 8] {
    let nanos = at.as_nanos();
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&((nanos >> 32) as u32).to_le_bytes());
    bytes[4..].copy_from_slice(&(nanos as u32).to_le_bytes());
    bytes
}
