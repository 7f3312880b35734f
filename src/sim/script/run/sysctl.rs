//! System settings of Linux and FreeBSD, by their names, as settings of ours.

use super::Stop;
use super::commands::RouteMetric;
use crate::stack::ClosedPort;
use crate::tcp::congestion::Algorithm;
use crate::tcp::{Config, Ecn, SynCookies};
use std::time::Duration;

/// What the settings of a script have said that is no part of a connection's own settings.
#[derive(Clone, Debug)]
pub struct Sysctls {
    /// FreeBSD offers the shift that lets 16 bits cover the largest buffer.
    largest_buffer: u64,
    /// What answers a segment to a closed port, once it was set.
    pub closed_port: Option<ClosedPort>,
    /// What the cookies of Fast Open are made with, once it was set.
    pub fast_open_key: Option<[u8; 16]>,
    /// The cookies of servers are to be forgotten.
    pub forgets_cookies: bool,
}

impl Default for Sysctls {
    fn default() -> Sysctls {
        Sysctls { largest_buffer: 2 << 20, closed_port: None, fast_open_key: None, forgets_cookies: false }
    }
}

/// What the test suites of Linux begin with, where it differs from what a Linux profile is anyway.
const LINUX_DEFAULTS: &[(&str, &str)] = &[
    ("net.ipv4.tcp_rmem", "4096 540000 15728640"),
    ("net.ipv4.tcp_wmem", "4096 262144 4194304"),
    ("net.ipv4.tcp_timestamps", "1"),
    ("net.ipv4.tcp_sack", "1"),
    ("net.ipv4.tcp_syn_retries", "5"),
    ("net.ipv4.tcp_synack_retries", "5"),
    ("net.ipv4.tcp_slow_start_after_idle", "0"),
    ("net.ipv4.tcp_notsent_lowat", "4294967295"),
    ("net.ipv4.tcp_recovery", "1"),
    ("net.ipv4.tcp_reordering", "3"),
    ("net.ipv4.tcp_congestion_control", "cubic"),
    ("net.ipv4.tcp_fastopen", "0x3"),
    ("net.ipv4.tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"),
];

/// The same, of what we have.
pub fn linux_defaults() -> impl Iterator<Item = (&'static str, &'static str)> {
    let known =
        |(name, value): &(&str, &str)| !name.ends_with("congestion_control") || value.parse::<Algorithm>().is_ok();
    LINUX_DEFAULTS.iter().copied().filter(known)
}

/// Settings that have no counterpart here and change nothing that a script sees of a stack without them.
const KERNEL_ONLY: &[&str] = &[
    // Linux.
    "tcp_no_metrics_save",
    "tcp_moderate_rcvbuf",
    "tcp_adv_win_scale",
    "tcp_autocorking",
    "tcp_fack",
    "tcp_tso_win_divisor",
    "tcp_min_tso_segs",
    "tcp_tso_rtt_log",
    "tcp_pacing_ss_ratio",
    "tcp_pacing_ca_ratio",
    "tcp_shrink_window",
    "tcp_limit_output_bytes",
    "tcp_min_rtt_wlen",
    "tcp_challenge_ack_limit",
    "tcp_invalid_ratelimit",
    "tcp_comp_sack_delay_ns",
    "tcp_comp_sack_nr",
    "tcp_comp_sack_slack_ns",
    "tcp_backlog_ack_defer",
    "tcp_max_syn_backlog",
    "tcp_retries1",
    "tcp_tw_reuse",
    "tcp_base_mss",
    "tcp_mem",
    "ip_local_port_range",
    "rmem_max",
    "wmem_max",
    "optmem_max",
    "somaxconn",
    "default_qdisc",
    "netdev_max_backlog",
    // FreeBSD.
    "alloweddeviation",
    "hostcache.purgenow",
    "hostcache.enable",
    "hostcache.purge",
    "syncookies",
    "syncookies_only",
    "ts_offset_per_conn",
    "fast_finwait2_recycle",
    "nolocaltimewait",
    "maxtcptw",
    "log_in_vain",
    "log_debug",
    "tso",
    "recvbuf_auto",
    "recvbuf_max",
    "recvbuf_inc",
    "sendbuf_auto",
    "sendbuf_max",
    "sendbuf_inc",
    "sendbuf_auto_lowat",
    "ack_war_cnt",
    "ack_war_timewindow",
    "icmplim",
    "icmplim_output",
    "soreceive_stream",
    "functions_inherit_listen_socket_stack",
    "reass.maxqueuelen",
    "reass.maxsegments",
    "per_cpu_timers",
];

/// What they are called where: the last part is a name in itself but for FreeBSD's `sack.enable` and the like.
const PREFIXES: &[&str] = &["net.ipv4.", "net.core.", "net.inet.tcp.", "net.inet.icmp.", "net.inet.ip.", "kern.ipc."];

fn short_name(name: &str) -> String {
    let dotted = name.replace('/', ".");
    let dotted = dotted.trim_start_matches('.').trim_start_matches("proc.sys.");
    let known = PREFIXES.iter().find_map(|prefix| dotted.strip_prefix(prefix));
    known.unwrap_or(dotted).to_owned()
}

/// A kernel reads these when it needs them, not when a socket is made.
pub fn is_asked_at_once(name: &str) -> bool {
    matches!(
        short_name(name).as_str(),
        "insecure_rst"
            | "insecure_syn"
            | "icmp_may_rst"
            | "drop_synfin"
            | "delayed_ack"
            | "delacktime"
            | "tcp_slow_start_after_idle"
            | "tcp_retries2"
            | "tcp_keepalive_time"
            | "tcp_keepalive_intvl"
            | "tcp_keepalive_probes"
    )
}

impl Sysctls {
    /// True when it became a setting of ours.
    pub fn apply(&mut self, name: &str, value: &str, config: &mut Config) -> Result<bool, Stop> {
        let short = short_name(name);
        let numbers: Vec<u64> = value.split_whitespace().filter_map(number).collect();
        let first = numbers.first().copied();
        let unknown = || Stop::unsupported(format!("the system setting {name}={value}"));
        match short.as_str() {
            "tcp_congestion_control" | "cc.algorithm" => return congestion_control(value, config),
            short if KERNEL_ONLY.contains(&short) => return Ok(false),
            "tcp_fastopen_key" => {
                self.fast_open_key = Some(fast_open_key(value).ok_or_else(unknown)?);
                return Ok(true);
            }
            "functions_default" if value == "freebsd" => return Ok(false),
            _ => {}
        }
        let first = first.ok_or_else(|| Stop::unsupported(format!("the value of {name}={value}")))?;
        if matches!(short.as_str(), "tcp_ecn" | "ecn.enable") {
            // Larger numbers ask for accurate feedback (RFC 9768).
            config.ecn = [Ecn::Off, Ecn::Request, Ecn::Respond].get(first as usize).copied().ok_or_else(unknown)?;
            return Ok(true);
        }
        if is_what_holds_anyway(&short, first) {
            return Ok(false);
        }
        let known = linux(&short, first, &numbers, config) || self.freebsd(&short, first, config);
        if known { Ok(true) } else { Err(unknown()) }
    }

    fn freebsd(&mut self, name: &str, number: u64, config: &mut Config) -> bool {
        let on = number != 0;
        let (millis, bytes) = (Duration::from_millis(number), number.clamp(1, 1 << 30) as usize);
        match name {
            // 0 neither, 1 both, 2 window scaling, 3 timestamps
            "rfc1323" => {
                config.timestamps = matches!(number, 1 | 3);
                config.window_scale = matches!(number, 1 | 2).then(|| self.shift());
            }
            "maxsockbuf" => {
                self.largest_buffer = number;
                config.window_scale = config.window_scale.map(|_| self.shift());
            }
            "sack.enable" => config.sack = on,
            "recvspace" => config.fix_receive_buffer(bytes),
            "sendspace" => config.fix_send_buffer(bytes),
            "delayed_ack" => config.delayed_ack = on.then(|| config.delayed_ack.unwrap_or(Duration::from_millis(40))),
            "delacktime" => config.delayed_ack = Some(millis.min(Duration::from_millis(499))),
            "rexmit_initial" => config.initial_rto = millis,
            "rexmit_min" => config.min_rto = millis,
            "rexmit_slop" => config.rto_slop = millis,
            "keepinit" => config.give_up_syn = millis,
            "keepidle" => config.keepalive.idle = millis,
            "keepintvl" => config.keepalive.interval = millis,
            "keepcnt" => config.keepalive.count = number.clamp(1, 127) as u32,
            "always_keepalive" => config.keepalive.enabled = on,
            "msl" => config.time_wait = 2 * millis,
            "finwait2_timeout" => config.fin_wait_2 = millis,
            "initcwnd_segments" => config.initial_window = number.clamp(1, 1000) as u32,
            "icmp_may_rst" => config.icmp_ends_opening = on,
            "insecure_rst" => config.any_reset_in_window = on,
            "insecure_syn" => config.syn_in_window_resets = on,
            "fastopen.client_enable" => self.forgets_cookies = !on,
            "fastopen.server_enable" => {}
            "drop_synfin" => config.drop_syn_fin = on,
            "blackhole" => {
                self.closed_port = Some(match number {
                    0 => ClosedPort::Resets,
                    1 => ClosedPort::DropsSyn,
                    _ => ClosedPort::DropsAll,
                });
            }
            _ => return false,
        }
        true
    }

    /// RFC 7323 §2.2, as FreeBSD chooses it.
    fn shift(&self) -> u8 {
        (0..14).find(|shift| 65_535 << shift >= self.largest_buffer).unwrap_or(14)
    }
}

/// How many openings with data a listener has that did not say.
const EVERY_LISTENER: usize = 128;

/// Four groups of eight hexadecimal digits, each a number of its own.
fn fast_open_key(text: &str) -> Option<[u8; 16]> {
    let mut key = [0; 16];
    let mut groups = text.split(',').next()?.split('-');
    for part in key.chunks_exact_mut(4) {
        part.copy_from_slice(&u32::from_str_radix(groups.next()?.trim(), 16).ok()?.to_le_bytes());
    }
    groups.next().is_none().then_some(key)
}

fn linux(name: &str, number: u64, numbers: &[u64], config: &mut Config) -> bool {
    let on = number != 0;
    let (seconds, count) = (Duration::from_secs(number), number.clamp(1, 127) as u32);
    // The middle of three is the one that a socket begins with.
    let middle = numbers.get(1).copied().unwrap_or(number).clamp(1, 1 << 30);
    match name {
        // Bit 10 with bit 1: every listener, as if each had asked for it.
        "tcp_fastopen" if number & !0x403 == 0 => {
            config.fast_open_queue = if number & 0x402 == 0x402 { EVERY_LISTENER } else { 0 }
        }
        "tcp_sack" => config.sack = on,
        "tcp_early_retrans" => config.recovery.tlp = matches!(number, 3 | 4),
        "tcp_frto" => config.recovery.frto = on,
        "tcp_recovery" => {
            config.recovery.rack = number & 1 != 0;
            config.recovery.fixed_reordering_window = number & 2 != 0;
            config.recovery.duplicate_threshold = number & 4 == 0;
        }
        "tcp_reordering" => config.recovery.reordering = number.clamp(1, 300) as u32,
        "tcp_max_reordering" => config.recovery.max_reordering = number.clamp(1, 10_000) as u32,
        "tcp_timestamps" => config.timestamps = on,
        "tcp_window_scaling" => config.window_scale = config.window_scale.or(Some(8)).filter(|_| on),
        "tcp_rmem" => {
            config.fix_receive_buffer(middle as usize);
            // The shift offered follows from how large the buffer may become.
            let largest = numbers.get(2).copied().unwrap_or(middle).max(1);
            config.window_scale = config.window_scale.map(|_| largest.ilog2().saturating_sub(15).min(14) as u8);
        }
        "tcp_wmem" => {
            let largest = numbers.get(2).copied().unwrap_or(middle).clamp(middle, 1 << 30);
            (config.initial_send_buffer, config.send_buffer) = (middle as usize, largest as usize);
        }
        "tcp_keepalive_time" => config.keepalive.idle = seconds,
        "tcp_keepalive_intvl" => config.keepalive.interval = seconds,
        "tcp_keepalive_probes" => config.keepalive.count = count,
        "tcp_fin_timeout" => config.fin_wait_2 = seconds,
        "tcp_syncookies" => {
            config.syn_cookies = match number {
                0 => SynCookies::Never,
                1 => SynCookies::WhenFull,
                _ => SynCookies::Always,
            }
        }
        "tcp_abort_on_overflow" => config.reset_on_overflow = on,
        // A SYN that is sent N times more, at 1, 2, 4 .. seconds.
        "tcp_syn_retries" | "tcp_synack_retries" => {
            config.give_up_syn = Duration::from_secs((2u64 << number.min(10)) - 1);
        }
        // Linux counts as if each path had the smallest timeout.
        "tcp_retries2" => {
            let waits = (0..=number.min(60)).map(|n| Duration::from_millis(200u64 << n.min(20)).min(config.max_rto));
            config.give_up = waits.sum();
        }
        "tcp_slow_start_after_idle" => config.restart_after_idle = on,
        "tcp_notsent_lowat" => config.unsent_limit = Some(number).filter(|n| *n < 1 << 30).map(|n| n as usize),
        "tcp_rto_min_us" => config.min_rto = Duration::from_micros(number),
        "tcp_rto_max_ms" => config.max_rto = Duration::from_millis(number),
        _ => return false,
    }
    true
}

/// What a stack without the extension does anyway, or what is built in and needs no setting.
fn is_what_holds_anyway(name: &str, number: u64) -> bool {
    match name {
        "fastopen.psk_enable" | "tcp_mtu_probing" => number == 0,
        "rexmit_drop_options" | "tcp_thin_linear_timeouts" | "tcp_rfc1337" => number == 0,
        "tcp_dsack" => number <= 1,
        "mssdflt" => number == 536,
        "path_mtu_discovery" | "rfc3042" | "rfc3390" | "do_prr" | "rfc6675_pipe" => number == 1,
        "ip_no_pmtu_disc" | "do_lrd" | "tolerate_missing_ts" => number == 0,
        "abc_l_var" | "cc.abe" => true,
        _ => false,
    }
}

fn congestion_control(value: &str, config: &mut Config) -> Result<bool, Stop> {
    let value = if value == "newreno" { "reno" } else { value };
    let unknown = |_| Stop::unsupported(format!("congestion control by {value}"));
    config.congestion = value.parse().map_err(unknown)?;
    Ok(true)
}

pub fn apply_route(metric: &RouteMetric, config: &mut Config) -> Result<(), Stop> {
    match metric {
        RouteMetric::InitialWindow(segments) => config.initial_window = (*segments).clamp(1, 1000),
        RouteMetric::MinRto(time) => config.min_rto = *time,
        RouteMetric::Mtu(mtu) => config.mss = Some(mtu.saturating_sub(40).max(1)),
        RouteMetric::AdvertisedMss(mss) => config.mss = Some((*mss).max(1)),
        RouteMetric::QuickAck(on) => config.delayed_ack = config.delayed_ack.filter(|_| !on),
        RouteMetric::Congestion(name) => {
            congestion_control(name, config)?;
        }
    }
    Ok(())
}

/// As the kernels read them: decimal, or hexadecimal behind `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
