//! System settings of Linux and FreeBSD, by their names, as settings of ours.

mod names;

pub use names::{is_asked_at_once, linux_defaults};

use super::Stop;
use super::commands::RouteMetric;
use crate::stack::ClosedPort;
use crate::tcp::{Config, Ecn, EcnOption, SynCookies};
use names::{KERNEL_ONLY, is_what_holds_anyway, short_name};
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
            config.ecn = match first {
                0 => Ecn::Off,
                1 => Ecn::Request,
                2 => Ecn::Respond,
                3 => Ecn::RequestAccurate,
                5 => Ecn::RespondAccurate,
                _ => return Err(unknown()),
            };
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
        "tcp_ecn_option" => {
            config.ecn_option = match number {
                0 => EcnOption::Never,
                1 => EcnOption::OnChange,
                2 => EcnOption::Always,
                _ => EcnOption::Persistently,
            }
        }
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
