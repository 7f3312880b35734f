//! What an application can learn about its connection, and how its calls can fail.

use super::chronograph::Chronograph;
use crate::event::{CloseReason, CongestionState, TcpState};
use crate::time::Instant;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use thiserror::Error;

/// What a caller can do with a connection now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    pub state: TcpState,
    /// The handshake is over: data may flow.
    pub established: bool,
    /// A read would give bytes, the end of the stream or an error at once.
    pub readable: bool,
    /// A write would take bytes or fail at once. Before it is established a connection is so that its first write opens
    /// ([`Config::fast_open_connect`](super::Config::fast_open_connect)).
    pub writable: bool,
    /// Set once the connection is over: who ended it, and how (RFC 9293 §3.6, MUST-12).
    pub closed: Option<CloseReason>,
}

/// The figures of a connection, with the meanings of Linux's `tcp_info`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Info {
    pub state: TcpState,
    /// The largest segment that we send now, in bytes of data.
    pub snd_mss: usize,
    /// The MSS that we announced.
    pub advertised_mss: usize,
    /// Shifts of the window field, when scaling was agreed on.
    pub snd_window_scale: Option<u8>,
    pub rcv_window_scale: Option<u8>,
    pub timestamps: bool,
    pub sack: bool,
    /// Both sides have agreed to explicit congestion notification.
    pub ecn: bool,
    /// Data in a SYN was taken, by us or by the peer (RFC 7413).
    pub syn_data: bool,
    /// Smoothed round-trip time and its variation; none before the first sample.
    pub rtt: Option<Duration>,
    pub rttvar: Duration,
    pub rto: Duration,
    /// How many timeouts in a row have doubled the RTO.
    pub backoff: u32,
    /// In bytes.
    pub cwnd: u64,
    pub ssthresh: u64,
    /// Sent and not acknowledged, in bytes.
    pub unacked: u64,
    /// Where loss recovery stands.
    pub ca_state: CongestionState,
    /// The same in segments; of those the sacked ones, the ones judged lost (sent again since or not), and the
    /// retransmissions on their way. In flight is unacked - sacked - lost + retrans.
    pub unacked_segments: u64,
    pub sacked: u64,
    pub lost: u64,
    pub retrans: u64,
    /// How many segments may overtake another before it counts as lost, as experience has it.
    pub reordering: u32,
    /// How often one did.
    pub reord_seen: u32,
    /// What explicit congestion notification has counted.
    pub marks: Marks,
    /// Totals in segments: delivered, those that arrived twice included, and those that D-SACK reported.
    pub delivered: u64,
    pub dsack_dups: u64,
    /// The shortest round trip of the last five minutes.
    pub min_rtt: Option<Duration>,
    /// How fast data leaves at the most, in bytes a second; none where the acknowledgements set the pace.
    pub pacing_rate: Option<u64>,
    /// How fast data arrives, in bytes a second, by the last sample that was not held down by the application; and
    /// whether that one was all the same, as the highest there was.
    pub delivery_rate: Option<u64>,
    pub delivery_rate_app_limited: bool,
    /// Unanswered probes of a closed window.
    pub probes: u32,
    /// Written and never sent, in bytes.
    pub notsent: u64,
    /// What the sender's time went to: `busy_time`, `rwnd_limited`, `sndbuf_limited`.
    pub chronograph: Chronograph,
    /// The largest IP packet that the path is believed to take, in bytes.
    pub pmtu: usize,
    /// How long an acknowledgement may wait for company.
    pub ato: Duration,
    /// How many bytes the application takes in a round trip, and how many may wait for it.
    pub rcv_space: u64,
    pub rcv_ssthresh: usize,
    /// The peer's window, in bytes.
    pub snd_wnd: u64,
    /// Our window as last advertised, in bytes.
    pub rcv_wnd: u64,
    /// Bytes waiting for the application, and waiting to be sent or acknowledged.
    pub receive_queue: usize,
    pub send_queue: usize,
    /// Totals of stream bytes: acknowledged by the peer, and received in order.
    pub bytes_acked: u64,
    pub bytes_received: u64,
    pub segments_sent: u64,
    pub segments_received: u64,
    pub retransmissions: u64,
    /// Of those segments the ones with data, retransmissions included, and the bytes that they carried; and what of it
    /// was carried again.
    pub data_segments_sent: u64,
    pub data_segments_received: u64,
    pub bytes_sent: u64,
    pub bytes_retransmitted: u64,
    /// Segments that came past a hole, and timeouts of the retransmission timer.
    pub out_of_order: u64,
    pub timeouts: u64,
    /// The most data that a segment has brought, in bytes.
    pub largest_received: usize,
    /// When data last came, last left, and when any segment last came; at first when the connection was established.
    pub data_received_at: Instant,
    pub data_sent_at: Instant,
    pub received_at: Instant,
    pub congestion: &'static str,
    /// How far ahead of the reader the urgent data ends (MUST-33); none when there is none.
    pub urgent_ahead: Option<u64>,
    /// The last soft error that ICMP reported (MUST-47, SHLD-25).
    pub soft_error: Option<&'static str>,
}

/// Marks, by Linux's names. With classic ECN (RFC 3168) what is delivered under a mark is a guess, and no bytes are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// Packets that came marked, and segments of ours that arrived so, as far as the peer has told.
    pub received_ce: u64,
    pub delivered_ce: u64,
    /// Bytes of data that came under ECT(0), CE and ECT(1).
    pub received_bytes: [u64; 3],
    /// The same of ours, where the peer tells by the AccECN option (RFC 9768 §3.2.3).
    pub delivered_bytes: [u64; 3],
}

/// Why a write failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SendError {
    #[error("the send buffer is full or the connection is still being opened")]
    WouldBlock,
    #[error("the connection was shut down for writing")]
    Shutdown,
    #[error("{0}")]
    Closed(CloseReason),
}

/// Why a read failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReceiveError {
    #[error("no data has arrived yet")]
    WouldBlock,
    #[error("{0}")]
    Closed(CloseReason),
}

/// Why a listener could not be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ListenError {
    #[error("address in use: something listens on port {port} already; close it or choose another port")]
    AddressInUse { port: u16 },
    #[error("{address} is not an address of this stack")]
    NotOurAddress { address: IpAddr },
    #[error("every TCP port is in use")]
    PortsExhausted,
}

/// Why an active open was refused before any packet left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ConnectError {
    #[error("no route to {remote}")]
    NoRoute { remote: IpAddr },
    /// RFC 9293 §3.9.1.1 (MUST-46).
    #[error("{remote} is not the address of a single host")]
    NotUnicast { remote: SocketAddr },
    #[error("{address} is not an address of this stack")]
    NotOurAddress { address: IpAddr },
    #[error("address in use: there is a connection from {local} to {remote} already")]
    AddressInUse { local: SocketAddr, remote: SocketAddr },
    #[error("every local port to {remote} is in use")]
    PortsExhausted { remote: SocketAddr },
}
