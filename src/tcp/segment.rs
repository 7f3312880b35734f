//! Segments: one that arrived, cut to what a state machine asks about, and one that leaves, as a frame.

use super::seq::Seq;
use crate::event::{Context, Event, FourTuple, Layer, SendReason, TcpEvent};
use crate::frame::{Checksum, Frame};
use crate::wire::checksum::Sum;
use crate::wire::tcp::{CHECKSUM, Flags, Header};

/// The protocol number of TCP.
const PROTOCOL: u8 = 6;

/// A segment that arrived, its checksum verified.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    pub header: Header,
    pub data: &'a [u8],
    /// The lowest two bits of the packet's traffic class (RFC 3168 §5).
    pub ecn: u8,
    /// In how many packets it crossed the wire: more than one when the device has put them together.
    pub packets: u32,
}

impl Segment<'_> {
    pub fn seq(&self) -> Seq {
        Seq(self.header.seq)
    }

    pub fn ack(&self) -> Seq {
        Seq(self.header.ack)
    }

    pub fn flags(&self) -> Flags {
        self.header.flags
    }

    /// SEG.LEN: data, SYN and FIN each take sequence numbers (RFC 9293 §3.4).
    pub fn sequence_len(&self) -> u64 {
        self.data.len() as u64 + u64::from(self.flags().syn()) + u64::from(self.flags().fin())
    }

    /// What follows the SYN, as a segment of its own: RFC 9293 §3.10.7.3 goes on with the rest of it.
    pub fn past_syn(mut self) -> Self {
        if self.flags().syn() {
            self.header.seq = self.header.seq.wrapping_add(1);
            // With a SYN, ECE and CWR ask for ECN (RFC 3168 §6.1.1), and tell nothing of the path.
            let handshake = Flags::SYN | Flags::ECE | Flags::CWR | Flags::AE;
            self.ecn = 0;
            self.header.flags = Flags::from_bits(self.header.flags.bits() & !handshake.bits());
        }
        self
    }

    /// The RST that answers a segment for which there is no connection (RFC 9293 §3.10.7.1); none answers a RST.
    pub fn reset_reply(&self) -> Option<Header> {
        if self.flags().rst() {
            return None;
        }
        let (seq, ack, flags) = if self.flags().ack() {
            (self.header.ack, 0, Flags::RST)
        } else {
            (0, self.header.seq.wrapping_add(self.sequence_len() as u32), Flags::RST | Flags::ACK)
        };
        Some(Header {
            source_port: self.header.destination_port,
            destination_port: self.header.source_port,
            seq,
            ack,
            flags,
            ..Header::default()
        })
    }
}

/// Prepends the TCP header to a frame that has only its payload: the first step down.
pub fn emit(cx: &mut Context<'_>, frame: &mut Frame, tuple: &FourTuple, header: &Header, why: SendReason) {
    let len = frame.payload().len();
    cx.tell(|| Event::Tcp { connection: *tuple, event: TcpEvent::SegmentSent { seq: header.seq, len, why } });
    header.emit(|bytes| {
        let pseudo = Sum::pseudo_header(tuple.local.ip(), tuple.remote.ip(), PROTOCOL, bytes.len() + len);
        // RFC 9293 §3.1 (MUST-2); the device fills in a partial checksum where it can.
        let checksum = if cx.partial_checksum {
            pseudo.folded()
        } else {
            let slices = frame.payload().slices();
            slices.iter().fold(pseudo.plus(bytes), |sum, slice| sum.plus(slice)).checksum()
        };
        bytes[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        frame.prepend(bytes);
    });
    if cx.partial_checksum {
        frame.offload.checksum = Checksum::Partial { start: 0, offset: CHECKSUM.start as u16 };
    }
    cx.tell(|| Event::Prepended { layer: Layer::Tcp, header: frame.headers(), payload: len });
}
