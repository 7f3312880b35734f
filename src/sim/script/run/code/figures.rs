//! The figures that assertions are about, by the names of Linux's `tcp_info`.

use super::Value;
use crate::event::{CongestionState, TcpState};
use crate::sim::script::run::System;
use crate::tcp::{Config, Info};
use crate::time::Instant;

/// What is known of the connection under test.
#[derive(Clone, Copy, Default)]
pub struct Figures<'f> {
    pub system: System,
    pub now: Instant,
    pub state: Option<TcpState>,
    /// Only once it is established.
    pub info: Option<&'f Info>,
    pub config: Option<&'f Config>,
}

impl Figures<'_> {
    /// None when there is no such figure, or none yet.
    pub fn value(&self, name: &str) -> Option<Value> {
        match (name, self.info, self.config) {
            ("tcpi_congestion", Some(info), _) => Some(Value::Text(info.congestion.into())),
            (_, Some(info), _) if name.starts_with("tcpi_") => {
                figure(name, info, self.system, self.now).map(Value::Number)
            }
            ("tcpi_state", None, _) => Some(Value::Number(state_number(self.state?) as f64)),
            ("tcpi_options", None, _) => self.state.map(|_| Value::Number(0.0)),
            ("SK_MEMINFO_RCVBUF", _, Some(config)) => {
                Some(Value::Number(config.receive_buffer.min(config.initial_receive_buffer) as f64))
            }
            ("SK_MEMINFO_SNDBUF", _, Some(config)) => {
                Some(Value::Number(config.send_buffer.min(config.initial_send_buffer) as f64))
            }
            (_, _, _) => None,
        }
    }
}

pub fn constant(name: &str) -> Option<f64> {
    const CONSTANTS: &[(&str, u32)] = &[
        ("TCP_ESTABLISHED", 1),
        ("TCP_SYN_SENT", 2),
        ("TCP_SYN_RECV", 3),
        ("TCP_FIN_WAIT1", 4),
        ("TCP_FIN_WAIT2", 5),
        ("TCP_TIME_WAIT", 6),
        ("TCP_CLOSE", 7),
        ("TCP_CLOSE_WAIT", 8),
        ("TCP_LAST_ACK", 9),
        ("TCP_LISTEN", 10),
        ("TCP_CLOSING", 11),
        // The same states by the names of FreeBSD.
        ("TCPI_ESTABLISHED", 1),
        ("TCPI_SYN_SENT", 2),
        ("TCPI_SYN_RECEIVED", 3),
        ("TCPI_FIN_WAIT_1", 4),
        ("TCPI_FIN_WAIT_2", 5),
        ("TCPI_TIME_WAIT", 6),
        ("TCPI_CLOSED", 7),
        ("TCPI_CLOSE_WAIT", 8),
        ("TCPI_LAST_ACK", 9),
        ("TCPI_LISTEN", 10),
        ("TCPI_CLOSING", 11),
        ("TCPI_OPT_TIMESTAMPS", 1),
        ("TCPI_OPT_SACK", 2),
        ("TCPI_OPT_WSCALE", 4),
        ("TCPI_OPT_ECN", 8),
        ("TCPI_OPT_ECN_SEEN", 16),
        ("TCPI_OPT_SYN_DATA", 32),
        ("TCPI_OPT_USEC_TS", 64),
        ("TCPI_OPT_TFO_CHILD", 128),
        ("TCP_INFINITE_SSTHRESH", 0x7fff_ffff),
        ("TCP_CA_Open", 0),
        ("TCP_CA_Disorder", 1),
        ("TCP_CA_CWR", 2),
        ("TCP_CA_Recovery", 3),
        ("TCP_CA_Loss", 4),
        ("True", 1),
        ("False", 0),
    ];
    CONSTANTS.iter().find(|(known, _)| *known == name).map(|(_, value)| f64::from(*value))
}

/// A field of Linux's `tcp_info`: windows and queues in segments, times in microseconds. FreeBSD counts windows in bytes.
fn figure(name: &str, info: &Info, system: System, now: Instant) -> Option<f64> {
    let mss = if system == System::FreeBsd { 1 } else { info.snd_mss.max(1) as u64 };
    let value = match name {
        "tcpi_state" => state_number(info.state),
        "tcpi_options" => {
            let agreed = [info.timestamps, info.sack, info.snd_window_scale.is_some(), info.ecn, false, info.syn_data];
            agreed.iter().rev().fold(0, |bits, agreed| bits << 1 | u64::from(*agreed))
        }
        "tcpi_snd_cwnd" => info.cwnd / mss,
        "tcpi_snd_ssthresh" if info.ssthresh == u64::MAX => match system {
            System::Linux => 0x7fff_ffff,
            System::FreeBsd => 65_535 << 14,
        },
        "tcpi_snd_ssthresh" => info.ssthresh / mss,
        "tcpi_unacked" => info.unacked_segments,
        "tcpi_ca_state" => ca_state_number(info.ca_state),
        "tcpi_sacked" => info.sacked,
        "tcpi_lost" => info.lost,
        "tcpi_retrans" => info.retrans,
        "tcpi_reordering" => u64::from(info.reordering),
        "tcpi_delivered" => info.delivered,
        "tcpi_delivered_ce" => info.marks.delivered_ce,
        "tcpi_received_ce" => info.marks.received_ce,
        "tcpi_received_e0_bytes" => info.marks.received_bytes[0],
        "tcpi_received_ce_bytes" => info.marks.received_bytes[1],
        "tcpi_received_e1_bytes" => info.marks.received_bytes[2],
        "tcpi_delivered_e0_bytes" => info.marks.delivered_bytes[0],
        "tcpi_delivered_ce_bytes" => info.marks.delivered_bytes[1],
        "tcpi_delivered_e1_bytes" => info.marks.delivered_bytes[2],
        "tcpi_dsack_dups" => info.dsack_dups,
        "tcpi_min_rtt" => info.min_rtt.map_or(u64::from(u32::MAX), |rtt| rtt.as_micros() as u64),
        "tcpi_pacing_rate" => info.pacing_rate.unwrap_or(u64::MAX),
        "tcpi_delivery_rate" => info.delivery_rate.unwrap_or(0),
        "tcpi_delivery_rate_app_limited" => u64::from(info.delivery_rate_app_limited),
        "tcpi_probes" => u64::from(info.probes),
        "tcpi_notsent_bytes" => info.notsent,
        "tcpi_busy_time" => info.chronograph.busy_time(now).as_micros() as u64,
        "tcpi_rwnd_limited" => info.chronograph.rwnd_limited(now).as_micros() as u64,
        "tcpi_sndbuf_limited" => info.chronograph.sndbuf_limited(now).as_micros() as u64,
        "tcpi_pmtu" => info.pmtu as u64,
        "tcpi_ato" => info.ato.as_micros() as u64,
        "tcpi_rcv_space" => info.rcv_space,
        "tcpi_rcv_ssthresh" => info.rcv_ssthresh as u64,
        "tcpi_reord_seen" => u64::from(info.reord_seen),
        "tcpi_rtt" => info.rtt.map_or(0, |rtt| rtt.as_micros() as u64),
        "tcpi_rttvar" => info.rttvar.as_micros() as u64,
        "tcpi_rto" => info.rto.as_micros() as u64,
        "tcpi_backoff" => u64::from(info.backoff),
        "tcpi_snd_mss" => info.snd_mss as u64,
        "tcpi_advmss" => info.advertised_mss as u64,
        "tcpi_total_retrans" => info.retransmissions,
        "tcpi_bytes_acked" => info.bytes_acked,
        "tcpi_bytes_received" => info.bytes_received,
        "tcpi_segs_out" => info.segments_sent,
        "tcpi_segs_in" => info.segments_received,
        "tcpi_snd_wscale" => u64::from(info.snd_window_scale.unwrap_or(0)),
        "tcpi_rcv_wscale" => u64::from(info.rcv_window_scale.unwrap_or(0)),
        "tcpi_snd_wnd" => info.snd_wnd,
        "tcpi_rcv_wnd" => info.rcv_wnd,
        "tcpi_data_segs_out" => info.data_segments_sent,
        "tcpi_data_segs_in" => info.data_segments_received,
        "tcpi_bytes_sent" => info.bytes_sent,
        "tcpi_bytes_retrans" => info.bytes_retransmitted,
        "tcpi_rcv_ooopack" => info.out_of_order,
        "tcpi_total_rto" => info.timeouts,
        "tcpi_last_data_recv" => now.since(info.data_received_at).as_millis() as u64,
        "tcpi_last_data_sent" => now.since(info.data_sent_at).as_millis() as u64,
        "tcpi_last_ack_recv" => now.since(info.received_at).as_millis() as u64,
        // Linux begins with a guess.
        "tcpi_rcv_mss" if info.largest_received == 0 => info.advertised_mss.min(536) as u64,
        "tcpi_rcv_mss" => info.largest_received as u64,
        // Since 4.15 Linux leaves it so.
        "tcpi_fackets" => 0,
        // Timeouts in a row are what it counts.
        "tcpi_retransmits" => u64::from(info.backoff),
        _ => return None,
    };
    Some(value as f64)
}

fn ca_state_number(state: CongestionState) -> u64 {
    match state {
        CongestionState::Open => 0,
        CongestionState::Disorder => 1,
        CongestionState::Cwr => 2,
        CongestionState::Recovery => 3,
        CongestionState::Loss => 4,
    }
}

fn state_number(state: TcpState) -> u64 {
    match state {
        TcpState::Established => 1,
        TcpState::SynSent => 2,
        TcpState::SynReceived => 3,
        TcpState::FinWait1 => 4,
        TcpState::FinWait2 => 5,
        TcpState::TimeWait => 6,
        TcpState::Closed => 7,
        TcpState::CloseWait => 8,
        TcpState::LastAck => 9,
        TcpState::Listen => 10,
        TcpState::Closing => 11,
    }
}
