//! The frames of a wire become one super-frame: TCP segments that follow each other and say the same but for their data.
//!
//! Nothing may be lost that a receiver could have learnt: it must be able to tell how many segments there were, how large,
//! and when each acknowledgement, window, timestamp, mark and flag came. So they are joined only when all of that is
//! equal; PSH and FIN may come with the last. It is what Linux asks for (`tcp_gro_receive`, `inet_gro_receive`).

use super::place::{Place, be16};
use crate::wire::checksum::Sum;
use crate::wire::tcp::Flags;
use std::num::NonZeroU16;
use std::ops::Range;

/// Ethernet without a tag and IPv4 without options: where TCP begins.
const IP: usize = 14;
const TCP: usize = 34;
/// Both addresses and both ports, next to each other.
const FLOW: Range<usize> = 26..38;
/// The longest IP packet.
const LONGEST: usize = 65_535;

/// A TCP segment of a frame whose headers are the plainest there are, as nearly all are.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    flow: [u8; 12],
    seq: u32,
    identification: u16,
    flags: u8,
    data: usize,
    end: usize,
}

/// A train of segments whose first one's frame grows by the others' data.
#[derive(Clone, Copy, Debug)]
pub struct Train {
    first: Segment,
    segment_size: NonZeroU16,
    next_seq: u32,
    last_identification: u16,
    flags: u8,
    /// Its first segment was found good.
    verified: bool,
    count: usize,
    /// Nothing may follow any more.
    closed: bool,
}

impl Segment {
    /// None when the frame is anything else: it stands for itself.
    pub fn find(bytes: &[u8]) -> Option<Segment> {
        let header: &[u8; TCP + 20] = bytes.first_chunk()?;
        // IPv4, five words of header; TCP; no fragment.
        let plain = header[12..15] == [8, 0, 0x45] && header[23] == 6 && header[20] & 0x3f == 0 && header[21] == 0;
        let end = IP + usize::from(be16(header, IP + 2)?);
        let data = TCP + usize::from(header[TCP + 12] >> 4) * 4;
        if !plain || data < TCP + 20 || data > end || end > bytes.len() {
            return None;
        }
        Some(Segment {
            flow: header[FLOW].try_into().expect("twelve bytes"),
            seq: u32::from_be_bytes(header[TCP + 4..TCP + 8].try_into().expect("four bytes")),
            identification: be16(header, IP + 4)?,
            flags: header[TCP + 13],
            data,
            end,
        })
    }

    /// Where its data lies in the frame.
    pub fn data(&self) -> Range<usize> {
        self.data..self.end
    }

    fn len(&self) -> usize {
        self.end - self.data
    }

    fn has(&self, flags: Flags) -> bool {
        self.flags & flags.bits() as u8 != 0
    }

    /// Are the checksums of IP and TCP right?
    fn is_good(&self, bytes: &[u8], checksum_good: bool) -> bool {
        Sum::default().plus(&bytes[IP..TCP]).is_good()
            && (checksum_good || {
                let pseudo_header = Sum::default().plus(&bytes[26..34]).plus(&[0, 6]);
                let len = (self.end - TCP) as u16;
                pseudo_header.plus(&len.to_be_bytes()).plus(&bytes[TCP..self.end]).is_good()
            })
    }
}

impl Train {
    /// A train that begins with this segment; none when nothing could follow it.
    pub fn begin(first: Segment) -> Option<Train> {
        let ends = first.has(Flags::FIN | Flags::SYN | Flags::RST | Flags::PSH | Flags::URG | Flags::CWR);
        let segment_size = NonZeroU16::new(u16::try_from(first.len()).ok()?)?;
        (!ends && first.has(Flags::ACK)).then_some(Train {
            first,
            segment_size,
            next_seq: first.seq.wrapping_add(first.len() as u32),
            last_identification: first.identification,
            flags: first.flags,
            verified: false,
            count: 1,
            closed: false,
        })
    }

    /// Does the segment belong to the same connection? Then it may not overtake this train.
    pub fn is_of(&self, segment: &Segment) -> bool {
        self.first.flow == segment.flow
    }

    /// Lets the segment of the frame `next` follow the others, whose first frame `train` is: gives where in the train its
    /// data belongs, behind which nothing is the train's. None when it must stand for itself; then nothing may follow
    /// this train any more. `good` says of either frame that its checksum was found good already.
    pub fn join(&mut self, train: &[u8], good: bool, next: &[u8], segment: &Segment, next_good: bool) -> Option<usize> {
        let joins = !self.closed && self.is_followed_by(train, next, segment) && {
            self.verified = self.verified || self.first.is_good(train, good);
            self.verified && segment.is_good(next, next_good)
        };
        if !joins {
            self.closed = true;
            return None;
        }
        let place = self.first.data + self.next_seq.wrapping_sub(self.first.seq) as usize;
        self.next_seq = self.next_seq.wrapping_add(segment.len() as u32);
        self.last_identification = segment.identification;
        self.flags |= segment.flags;
        self.count += 1;
        let is_last = segment.has(Flags::FIN | Flags::PSH) || segment.len() < usize::from(self.segment_size.get());
        self.closed = is_last;
        Some(place)
    }

    fn is_followed_by(&self, train: &[u8], next: &[u8], segment: &Segment) -> bool {
        let first = &self.first;
        let end_flags = (Flags::FIN | Flags::PSH).bits() as u8;
        let identification = segment.identification;
        let consecutive = identification == self.last_identification.wrapping_add(1)
            || identification == self.last_identification && identification == 0;
        segment.seq == self.next_seq
            && segment.data == first.data
            && (1..=usize::from(self.segment_size.get())).contains(&segment.len())
            && train.len() + segment.len() <= IP + LONGEST
            && segment.flags & !end_flags == first.flags
            && consecutive
            // Hardware addresses, EtherType, traffic class; fragmentation, TTL; addresses and ports.
            && train[..IP + 2] == next[..IP + 2]
            && train[IP + 6..IP + 10] == next[IP + 6..IP + 10]
            && train[FLOW] == next[FLOW]
            // Acknowledgement, header length and AE; window; urgent pointer and options.
            && train[TCP + 8..TCP + 13] == next[TCP + 8..TCP + 13]
            && train[TCP + 14..TCP + 16] == next[TCP + 14..TCP + 16]
            && train[TCP + 18..first.data] == next[TCP + 18..first.data]
    }

    /// Ends the train: its headers become those of the whole. The size of its segments; none when it is one alone, and
    /// then nothing was changed.
    ///
    /// The TCP checksum is left as it was: whoever is handed the train is told that it is good.
    pub fn finish(&self, train: &mut [u8]) -> Option<NonZeroU16> {
        if self.count < 2 {
            return None;
        }
        let place = Place::find(train, train.len())?;
        place.put_length(train, train.len() - TCP);
        train[TCP + 13] = self.flags;
        Some(self.segment_size)
    }
}
