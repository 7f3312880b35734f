//! What can be chosen about TCP, per stack, per listener and per connection, with the defaults and their reasons.

use super::byte_counters::EcnOption;
use super::congestion::Algorithm;
use super::ecn::Ecn;
use super::recovery::LossRecovery;
use crate::wire::tcp_options::Layout;
use std::time::Duration;

/// The settings of a connection. A listener hands a copy to each connection that it accepts.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Upper bound of the segment size announced and used, in bytes; the path's own limit always holds too.
    pub mss: Option<u16>,
    /// The shift offered in our SYN (RFC 7323 §2.2), 0 to 14; none to offer no scaling.
    pub window_scale: Option<u8>,
    /// Offer and use timestamps (RFC 7323 §3).
    pub timestamps: bool,
    /// Offer SACK, and report what arrives past a hole (RFC 2018).
    pub sack: bool,
    /// The order of the options that are sent, and the padding between them.
    pub option_layout: Layout,
    /// Hold back small segments while data is unacknowledged (RFC 9293 §3.7.4, SHLD-7); `nodelay` turns it off
    /// (MUST-17).
    pub nagle: bool,
    /// Hold back every small segment until this is taken away, or for the time that silly-window avoidance allows:
    /// `TCP_CORK`.
    pub cork: bool,
    /// A writer has to wait while this many bytes that it wrote have not been sent: `TCP_NOTSENT_LOWAT`. None for as
    /// many as the send buffer holds.
    pub unsent_limit: Option<usize>,
    /// How long an acknowledgement may wait for company (RFC 9293 §3.8.6.3, SHLD-18: under 0.5 s, MUST-40); none to
    /// acknowledge at once.
    pub delayed_ack: Option<Duration>,
    /// How many full segments of a young connection are acknowledged at once all the same, so that the peer's window
    /// opens fast; Linux has 16.
    pub quick_acks: u32,
    /// The most bytes that wait for the application.
    pub receive_buffer: usize,
    /// How many of them the peer is offered at first. The window grows with what the application reads in a round trip,
    /// up to `receive_buffer`.
    pub initial_receive_buffer: usize,
    /// The most bytes that wait for the peer's acknowledgement. A writer is woken when a third of them is free, so two
    /// thirds of it are what a path can hold.
    pub send_buffer: usize,
    /// How many of them are taken at first; then as many as twice what is in flight, up to `send_buffer`.
    pub initial_send_buffer: usize,
    /// Once the peer's MSS is known, round both buffers up to whole segments, as FreeBSD does.
    pub buffers_in_segments: bool,
    /// Without scaling, a receive buffer of more than 65,535 bytes counts as the window although the field cannot say
    /// so, as FreeBSD does: segments past the advertised edge for which there is room are taken.
    pub window_beyond_field: bool,
    /// The congestion controller: one of [`Algorithm::ALL`], or a program's own.
    pub congestion: Algorithm,
    /// Explicit congestion notification (RFC 3168).
    pub ecn: Ecn,
    /// Where accurate feedback was agreed on: which segments say how many bytes were marked (RFC 9768 §3.2.3).
    pub ecn_option: EcnOption,
    /// The initial congestion window, in segments (RFC 6928).
    pub initial_window: u32,
    /// The most segments by which one acknowledgement opens the window in slow start: L of RFC 3465, by RFC 9406 §4.2
    /// 8 where nothing is paced; none for no limit.
    pub slow_start_limit: Option<u32>,
    /// Data leaves at the rate of a window each round trip, and somewhat more, where the controller has no rate of its
    /// own; else as the acknowledgements allow. `pacing` in this crate's source says why that is the default.
    pub pacing: bool,
    /// Data leaves no faster than this, in bytes a second: `SO_MAX_PACING_RATE`.
    pub max_pacing_rate: Option<u64>,
    /// The congestion window shrinks while nothing is sent, or too little to fill it, for as long as a retransmission
    /// timeout (RFC 5681 §4.1, RFC 2861).
    pub restart_after_idle: bool,
    /// A closed window is probed without data, which the peer must answer since the segment lies left of what it
    /// expects, as Linux does; else with one octet (RFC 9293 §3.8.6.1).
    pub empty_window_probes: bool,
    /// Every acknowledgement but a challenge repeats our FIN until the peer has acknowledged it, as in FreeBSD.
    pub acks_repeat_fin: bool,
    /// TCP Fast Open (RFC 7413): how many openings of a listener may have their data taken while their handshake is not
    /// done, as `TCP_FASTOPEN`; 0 for none, and no cookies. Data in a SYN may come twice: only for protocols that can
    /// stand it.
    pub fast_open_queue: usize,
    /// A connection to a server that has given us a cookie (RFC 7413) stands at once for its application, and is opened by
    /// its first write, whose data goes with the SYN: `TCP_FASTOPEN_CONNECT`. To any other the SYN asks for a cookie.
    pub fast_open_connect: bool,
    /// After the RST for an old connection of the peer's (RFC 9293 §3.5.1) the SYN goes again at once, as in Linux; else
    /// when its timer says.
    pub prompt_syn: bool,
    /// The retransmission timeout before the first round trip is measured (RFC 6298 §2.1).
    pub initial_rto: Duration,
    /// The least that the timeout lies above the smoothed round trip (G of RFC 6298 §2.3); Linux's 200 ms, since the
    /// RFC's whole second spoils short paths.
    pub min_rto: Duration,
    pub max_rto: Duration,
    /// Added to every timeout but the very first, as FreeBSD does (`net.inet.tcp.rexmit_slop`).
    pub rto_slop: Duration,
    /// How long data may stay unacknowledged before the connection ends: R2 of RFC 9293 §3.8.3, at least 100 s
    /// (SHLD-11).
    pub give_up: Duration,
    /// The same for a SYN, at least 3 minutes (MUST-22, MUST-23).
    pub give_up_syn: Duration,
    /// The application's own, stricter limit (RFC 9293 §3.9.1.1, MUST-21); it counts for a closed window as well.
    pub user_timeout: Option<Duration>,
    /// How losses are found and repaired.
    pub recovery: LossRecovery,
    pub keepalive: Keepalive,
    /// How long TIME-WAIT lasts: 2 MSL, with Linux's MSL of 30 s.
    pub time_wait: Duration,
    /// How long a connection that its application has let go waits in FIN-WAIT-2 for the peer's FIN.
    pub fin_wait_2: Duration,
    /// A hard ICMP error that quotes our SYN ends the attempt to connect (RFC 5461 §3); else it counts as soft.
    pub icmp_ends_opening: bool,
    /// Any RST within the window resets, as RFC 793 had it. **Unsafe**: who does not see the traffic can reset a
    /// connection with one guess in 2^32 / window; RFC 5961 §3.2 asks for RCV.NXT exactly.
    pub any_reset_in_window: bool,
    /// A SYN within the window resets the connection, as RFC 793 had it. **Unsafe** in the same way; RFC 5961 §4.2
    /// challenges it.
    pub syn_in_window_resets: bool,
    /// What a listener does with a SYN that its queue has no room for.
    pub syn_cookies: SynCookies,
    /// When the accept queue is full, who connects gets a RST, so that it knows; else nothing, so that it tries again
    /// (`tcp_abort_on_overflow`).
    pub reset_on_overflow: bool,
    /// A listener drops a SYN that carries FIN, which no stack sends to open a connection.
    pub drop_syn_fin: bool,
    /// Time to live of the packets (MUST-49).
    pub ttl: u8,
    /// DiffServ and ECN bits of the packets (MUST-48), which may change at any time (SHLD-21) and go to IP as they are
    /// (SHLD-22).
    pub traffic_class: u8,
}

/// When a listener answers with a cookie (RFC 4987 §3.6), and keeps nothing of the handshake. Of what was offered only
/// timestamps can bring back window scaling and SACK. `tcp_syncookies`: 0, 1, 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SynCookies {
    /// A SYN that finds no room is dropped.
    Never,
    /// When the SYN queue is full.
    WhenFull,
    /// To try them out.
    Always,
}

/// Keepalive (RFC 9293 §3.8.4, MAY-5): off by default (MUST-25), and then not before two hours (MUST-28).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keepalive {
    pub enabled: bool,
    /// How long nothing must have come in before the first probe.
    pub idle: Duration,
    /// The time between probes (MUST-27).
    pub interval: Duration,
    /// How many probes in a row go unanswered before the connection ends.
    pub count: u32,
}

impl Default for Keepalive {
    fn default() -> Keepalive {
        Keepalive { enabled: false, idle: Duration::from_secs(7200), interval: Duration::from_secs(75), count: 10 }
    }
}

impl Config {
    /// Exactly so many bytes may wait for the application, however fast it reads: what `SO_RCVBUF` says.
    pub fn fix_receive_buffer(&mut self, bytes: usize) {
        (self.initial_receive_buffer, self.receive_buffer) = (bytes, bytes);
    }

    /// Exactly so many bytes may wait for acknowledgement: what `SO_SNDBUF` says.
    pub fn fix_send_buffer(&mut self, bytes: usize) {
        (self.initial_send_buffer, self.send_buffer) = (bytes, bytes);
    }

    pub(super) fn first_receive_buffer(&self) -> usize {
        self.initial_receive_buffer.min(self.receive_buffer)
    }

    /// The names that [`profile`](Config::profile) knows.
    pub const PROFILES: [&str; 3] = ["strata", "linux", "freebsd"];

    /// The settings under which this stack is most like another: `strata` (our own), `linux` or `freebsd`.
    pub fn profile(name: &str) -> Option<Config> {
        let ours = Config::default();
        match name {
            "strata" => Some(ours),
            "linux" => Some(Config {
                window_scale: Some(8),
                quick_acks: 16,
                empty_window_probes: true,
                slow_start_limit: None,
                ..ours
            }),
            "freebsd" => Some(Config::freebsd()),
            _ => None,
        }
    }

    /// FreeBSD 14 with its system settings as they come.
    fn freebsd() -> Config {
        Config {
            option_layout: Layout::FreeBsd,
            window_scale: Some(6),
            receive_buffer: 65_536,
            initial_receive_buffer: 65_536,
            send_buffer: 32_768,
            initial_send_buffer: 32_768,
            buffers_in_segments: true,
            window_beyond_field: true,
            min_rto: Duration::from_millis(30),
            max_rto: Duration::from_secs(64),
            rto_slop: Duration::from_millis(200),
            give_up_syn: Duration::from_secs(75),
            keepalive: Keepalive { count: 8, ..Keepalive::default() },
            prompt_syn: false,
            acks_repeat_fin: true,
            recovery: LossRecovery { rack: false, tlp: false, frto: false, ..LossRecovery::default() },
            ..Config::default()
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mss: None,
            window_scale: Some(8),
            timestamps: true,
            sack: true,
            option_layout: Layout::default(),
            nagle: true,
            cork: false,
            unsent_limit: None,
            delayed_ack: Some(Duration::from_millis(40)),
            quick_acks: 0,
            receive_buffer: 16 << 20,
            initial_receive_buffer: 512 << 10,
            send_buffer: 24 << 20,
            initial_send_buffer: 512 << 10,
            buffers_in_segments: false,
            window_beyond_field: false,
            congestion: Algorithm::CUBIC,
            ecn: Ecn::Respond,
            ecn_option: EcnOption::default(),
            initial_window: 10,
            slow_start_limit: Some(8),
            pacing: false,
            max_pacing_rate: None,
            restart_after_idle: true,
            empty_window_probes: false,
            acks_repeat_fin: false,
            fast_open_queue: 0,
            fast_open_connect: false,
            prompt_syn: true,
            initial_rto: Duration::from_secs(1),
            min_rto: Duration::from_millis(200),
            max_rto: Duration::from_secs(120),
            rto_slop: Duration::ZERO,
            give_up: Duration::from_secs(900),
            give_up_syn: Duration::from_secs(180),
            user_timeout: None,
            recovery: LossRecovery::default(),
            keepalive: Keepalive::default(),
            time_wait: Duration::from_secs(60),
            fin_wait_2: Duration::from_secs(60),
            icmp_ends_opening: true,
            any_reset_in_window: false,
            syn_in_window_resets: false,
            syn_cookies: SynCookies::WhenFull,
            reset_on_overflow: false,
            drop_syn_fin: false,
            ttl: 64,
            traffic_class: 0,
        }
    }
}
