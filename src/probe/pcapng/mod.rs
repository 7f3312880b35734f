//! Capture files: pcapng (draft-ietf-opsawg-pcapng) written and read, classic pcap (draft-ietf-opsawg-pcap) read.
//!
//! Our own, because the crates fall short of what we need. `pcap-file` 2.0, its last stable release (2023), takes every
//! timestamp for nanoseconds whatever `if_tsresol` says; 3.0 mends that and has been a release candidate since.
//! `pcap-parser` 0.17 reads only, decodes options as little-endian in every file, and recognises a file only when its
//! first read brings the whole first block. Our writer uses five block types and a dozen options, the reader is as
//! short as a wrapper around either crate would be, and Wireshark judges both in `tests/capture.rs`.
//!
//! Everything that we say goes into comments: a custom block would show up in Wireshark as one more packet.

mod block;
mod read;
mod write;

pub use read::{Captured, ReadError, Reader, read};
pub use write::{Interface, Packet, Section, Statistics, Writer};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Read in the wrong byte order it tells that every other number is swapped as well.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// The link type of Ethernet (LINKTYPE_ETHERNET).
pub const ETHERNET: u16 = 1;

/// Option codes. 1 is a comment in every block; the others count within theirs.
mod option {
    pub const END: u16 = 0;
    pub const COMMENT: u16 = 1;
    pub const SHB_HARDWARE: u16 = 2;
    pub const SHB_OS: u16 = 3;
    pub const SHB_USERAPPL: u16 = 4;
    pub const IF_NAME: u16 = 2;
    pub const IF_DESCRIPTION: u16 = 3;
    pub const IF_TSRESOL: u16 = 9;
    pub const IF_TSOFFSET: u16 = 14;
    pub const EPB_FLAGS: u16 = 2;
    pub const EPB_DROPCOUNT: u16 = 4;
    pub const ISB_STARTTIME: u16 = 2;
    pub const ISB_ENDTIME: u16 = 3;
    pub const ISB_IFRECV: u16 = 4;
    pub const ISB_IFDROP: u16 = 5;
}

#[cfg(test)]
mod tests;
