//! What a connection tells of itself when it is asked (RFC 9293 §3.10.6).

use super::connection::Connection;
use super::info::{Info, Status};
use super::opening::headers;
use super::state;

impl Connection {
    pub fn status(&self) -> Status {
        let (readable, writable) = (self.is_readable(), self.is_writable());
        Status { state: self.state, established: true, readable, writable, closed: self.closed }
    }

    pub fn is_readable(&self) -> bool {
        self.rcv.buffer.readable() > 0 || self.peer_finished() || self.closed.is_some()
    }

    pub fn is_writable(&self) -> bool {
        self.room() > 0 || !state::sends(self.state) || self.closed.is_some()
    }

    pub fn info(&self) -> Info {
        let (sums, trouble) = (self.recovery.sums(), self.totals.trouble());
        Info {
            state: self.state,
            snd_mss: self.effective_mss(),
            advertised_mss: self.advertised_mss,
            snd_window_scale: self.window_scaling.then_some(self.snd.scale),
            rcv_window_scale: self.window_scaling.then_some(self.rcv.scale),
            timestamps: self.timestamps.is_some(),
            sack: self.sack,
            ecn: self.ecn.is_some() || self.accurate_ecn.is_some(),
            syn_data: self.totals.syn_data,
            rtt: self.rtt.srtt(),
            rttvar: self.rtt.rttvar(),
            rto: self.rtt.rto(),
            backoff: self.rtt.backoff(),
            cwnd: self.cwnd(),
            ssthresh: self.congestion.ssthresh(),
            unacked: self.recovery.outstanding(),
            ca_state: self.recovery.state(),
            unacked_segments: sums.outstanding.segments,
            sacked: self.recovery.sacked_segments(),
            lost: sums.lost.segments,
            retrans: sums.again.segments,
            reordering: self.recovery.reordering(),
            reord_seen: self.recovery.reordering_seen(),
            marks: self.marks(),
            delivered: self.recovery.counts().delivered,
            dsack_dups: self.recovery.counts().duplicates,
            min_rtt: self.rtt.min_rtt(),
            pacing_rate: self.pacing_rate(),
            delivery_rate: self.recovery.delivery_rate().map(|rate| rate.bytes_a_second()),
            delivery_rate_app_limited: self.recovery.delivery_rate().is_some_and(|rate| rate.application_limited),
            probes: self.window_probes,
            notsent: self.snd.unsent(),
            chronograph: self.chronograph,
            pmtu: self.snd.path_mss + headers(self.tuple.remote.ip()),
            ato: self.config.delayed_ack.unwrap_or_default(),
            rcv_space: self.rcv_space(),
            rcv_ssthresh: self.rcv.capacity(),
            snd_wnd: self.snd.wnd,
            rcv_wnd: self.rcv.wnd(),
            receive_queue: self.rcv.buffer.readable(),
            send_queue: self.snd.buffer.len(),
            bytes_acked: self.totals.bytes_acked,
            bytes_received: self.rcv.received(),
            segments_sent: self.totals.segments_sent,
            segments_received: self.totals.segments_received,
            retransmissions: trouble.retransmissions,
            data_segments_sent: self.totals.data_segments_sent,
            data_segments_received: self.totals.data_segments_received,
            bytes_sent: self.totals.bytes_sent,
            bytes_retransmitted: trouble.bytes_retransmitted,
            out_of_order: trouble.out_of_order,
            timeouts: trouble.timeouts,
            largest_received: self.totals.largest_received,
            data_received_at: self.totals.data_received_at,
            data_sent_at: self.totals.data_sent_at,
            received_at: self.received_at,
            congestion: self.config.congestion.name(),
            urgent_ahead: self.rcv.urgent.map(|urgent| urgent.saturating_sub(self.rcv.buffer.read_position())),
            soft_error: self.soft_error,
        }
    }

    /// What the application takes in a round trip; before that is known, what the peer may send in the first.
    fn rcv_space(&self) -> u64 {
        let first = u64::from(self.config.initial_window) * self.advertised_mss as u64;
        self.right_sizing.in_a_round_trip().unwrap_or(first.min(self.rcv.wnd()))
    }
}
