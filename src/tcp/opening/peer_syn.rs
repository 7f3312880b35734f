//! What the peer's SYN offers, and what follows for segments, buffers and windows.

use super::Opening;
use crate::event::{Context, TcpEvent};
use crate::tcp::accurate_ecn;
use crate::tcp::fast_open::Cookie;
use crate::tcp::segment::Segment;
use crate::wire::tcp_options::ByteCounters;
use std::sync::Arc;

/// RFC 9293 §3.7.1 (MUST-15): what a peer takes that did not say.
const DEFAULT_MSS_V4: u16 = 536;
const DEFAULT_MSS_V6: u16 = 1220;
/// Smaller than any network allows (RFC 791: 68 bytes of packet), so that no peer can make us send a byte a segment.
const SMALLEST_MSS: u16 = 28;
/// RFC 7323 §2.3: a larger shift counts as this one.
const MAX_WINDOW_SCALE: u8 = 14;

/// What the peer's SYN offered.
#[derive(Clone, Debug, Default)]
pub struct PeerSyn {
    /// The position of the SYN: IRS.
    pub irs: u64,
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub sack: bool,
    pub timestamp: Option<u32>,
    /// It asks for ECN, or agrees to it, and so do we (RFC 3168 §6.1.1).
    pub ecn: bool,
    /// The same of accurate feedback (RFC 9768).
    pub accurate_ecn: bool,
    /// The lowest two bits of its packet's traffic class, and what its AE, CWR and ECE say of our SYN's.
    pub ecn_bits: u8,
    pub ecn_told: u8,
    /// RFC 9768 §3.2.3; of a SYN,ACK.
    pub byte_counters: Option<ByteCounters>,
    /// RFC 7413.
    pub cookie: Option<Cookie>,
    pub window: u16,
}

impl Opening {
    pub(in crate::tcp) fn take_syn(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>) {
        self.follows_reset = false;
        let options = &segment.header.options;
        self.peer = PeerSyn {
            irs: segment.seq().first_position(),
            mss: options.mss,
            window_scale: options.window_scale.map(|shift| shift.min(MAX_WINDOW_SCALE)),
            sack: options.sack_permitted,
            timestamp: options.timestamps.map(|timestamps| timestamps.value),
            ecn: !self.agrees_on_accurate_ecn(segment) && self.agrees_on_ecn(segment),
            accurate_ecn: self.agrees_on_accurate_ecn(segment),
            ecn_bits: segment.ecn,
            ecn_told: accurate_ecn::number(segment.flags()),
            // RFC 9768 §3.2.3.2.1: on a SYN it means nothing.
            byte_counters: options.byte_counters.filter(|_| segment.flags().ack()),
            cookie: options.fast_open.clone(),
            window: segment.header.window,
        };
        let event = TcpEvent::Synchronise {
            sent: false,
            isn: segment.header.seq,
            mss: options.mss,
            window_scale: options.window_scale,
            sack: options.sack_permitted,
            timestamps: options.timestamps.is_some(),
        };
        self.tell(cx, event);
        if !self.passive {
            self.size_buffers();
        }
    }

    /// The largest segment that we may send, in bytes of data with its options: RFC 9293 §3.7.1 (MUST-15).
    pub(in crate::tcp) fn peer_mss(&self) -> u16 {
        let default = if self.tuple.remote.is_ipv4() { DEFAULT_MSS_V4 } else { DEFAULT_MSS_V6 };
        self.peer.mss.unwrap_or(default).max(SMALLEST_MSS)
    }

    pub(in crate::tcp) fn size_buffers(&mut self) {
        if self.config.buffers_in_segments {
            let mss = usize::from(self.peer_mss().min(self.advertised_mss()));
            let config = Arc::make_mut(&mut self.config);
            let (receive, send) = (&mut config.receive_buffer, &mut config.send_buffer);
            for buffer in [receive, send, &mut config.initial_receive_buffer, &mut config.initial_send_buffer] {
                *buffer = buffer.next_multiple_of(mss);
            }
        }
    }

    /// What lies in the window while the handshake is under way.
    pub(in crate::tcp) fn window(&self) -> u64 {
        // The record of a passive opening is too small to know of a larger buffer, at FreeBSD.
        let beyond = self.config.window_beyond_field && !self.passive;
        if beyond {
            return self.config.first_receive_buffer() as u64;
        }
        // What an ACK tells is rounded up.
        let unit = if self.has_acknowledged { 1 << self.scale() } else { 1 };
        u64::from(self.offered_window()).next_multiple_of(unit)
    }

    pub(super) fn offered_window(&self) -> u16 {
        self.config.first_receive_buffer().min(usize::from(u16::MAX)) as u16
    }

    pub(super) fn scaled_window(&self) -> u16 {
        self.offered_window().div_ceil(1 << self.scale())
    }

    /// The shift of our windows: none before both have offered one.
    pub(super) fn scale(&self) -> u8 {
        let agreed = self.config.window_scale.filter(|_| self.peer.window_scale.is_some());
        agreed.unwrap_or(0).min(MAX_WINDOW_SCALE)
    }
}
