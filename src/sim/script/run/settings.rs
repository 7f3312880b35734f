//! What a script says of its surroundings: its options, and the system settings that its commands change.

use super::Stop;
use crate::sim::script::syntax::{Script, Setting, Value};
use crate::tcp::Config;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// A script's options, with what holds when it gives none.
#[derive(Clone, Debug)]
pub struct Settings {
    pub local: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    pub remote: Ipv4Addr,
    pub mtu: usize,
    pub mss: Option<u16>,
    pub tolerance: Duration,
    pub tolerance_percent: f64,
    pub strict_segments: bool,
    /// The stack whose policy the script was written for; see [`Config::profile`].
    pub profile: Option<Config>,
    pub relaxed: bool,
    /// The script is only to be read.
    pub dry_run: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            local: Ipv4Addr::new(192, 168, 0, 1),
            prefix: 16,
            gateway: Ipv4Addr::new(192, 168, 0, 2),
            remote: Ipv4Addr::new(192, 0, 2, 1),
            mtu: 1500,
            mss: None,
            tolerance: Duration::from_micros(4_000),
            tolerance_percent: 12.5,
            strict_segments: false,
            profile: None,
            relaxed: false,
            dry_run: false,
        }
    }
}

/// Options that concern what this runner has no need of.
const HARMLESS: &[&str] =
    &["non_fatal", "verbose", "send_omit_free", "persistent_tun_dev", "tun_dev", "wire_client", "speed"];

impl Settings {
    pub fn of(script: &Script) -> Result<Settings, Stop> {
        let mut settings = Settings::default();
        script.settings.iter().try_for_each(|setting| settings.take(setting))?;
        Ok(settings)
    }

    fn take(&mut self, setting: &Setting) -> Result<(), Stop> {
        let wrong = || Stop::unsupported(format!("the option {setting}"));
        let number = match setting.value {
            Some(Value::Integer(number)) => u64::try_from(number).ok(),
            _ => None,
        };
        let address = match &setting.value {
            Some(Value::Address(IpAddr::V4(address))) => Some(*address),
            _ => None,
        };
        match setting.name.as_str() {
            "local_ip" => self.local = address.ok_or_else(wrong)?,
            "remote_ip" => self.remote = address.ok_or_else(wrong)?,
            "gateway_ip" => self.gateway = address.ok_or_else(wrong)?,
            "netmask_ip" => self.prefix = u32::from(address.ok_or_else(wrong)?).count_ones() as u8,
            "mtu" => self.mtu = number.filter(|mtu| (68..=65_535).contains(mtu)).ok_or_else(wrong)? as usize,
            "mss" => self.mss = Some(number.and_then(|mss| u16::try_from(mss).ok()).ok_or_else(wrong)?),
            "tolerance_usecs" => self.tolerance = Duration::from_micros(number.ok_or_else(wrong)?),
            "tolerance_percent" => self.tolerance_percent = number.filter(|n| *n <= 100).ok_or_else(wrong)? as f64,
            "profile" => {
                let profile = match &setting.value {
                    Some(Value::Word(name)) => Config::profile(name),
                    _ => None,
                };
                self.profile = Some(profile.ok_or_else(wrong)?);
            }
            "relaxed" => self.relaxed = true,
            "dry_run" => self.dry_run = true,
            "strict_segments" => self.strict_segments = true,
            "ip_version" if matches!(&setting.value, Some(Value::Word(word)) if word == "ipv4") => {}
            name if HARMLESS.contains(&name) => {}
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

/// A command of a script: its `sysctl` settings become ours. Gives what was left out, which does no harm.
pub fn apply(command: &str, config: &mut Config) -> Result<Vec<String>, Stop> {
    let mut notes = Vec::new();
    let clean = command.replace("\\\n", " ");
    for line in clean.split(['\n', ';']).flat_map(|line| line.split("&&")) {
        let line = line.trim();
        let Some(program) = line.split_whitespace().next() else { continue };
        let name = program.rsplit('/').next().unwrap_or(program);
        match name {
            "sysctl" | "set_sysctls.py" | "defaults.sh" => sysctls(line, config, &mut notes)?,
            "true" | "sync" | "sleep" | "echo" | "kldload" | "rm" | "#" => notes.push(line.to_owned()),
            _ => return Err(Stop::unsupported(format!("the command `{line}`"))),
        }
    }
    Ok(notes)
}

fn sysctls(line: &str, config: &mut Config, notes: &mut Vec<String>) -> Result<(), Stop> {
    // `sysctl name="a b c"` is one word to the shell.
    let mut rest = line;
    while let Some(place) = rest.find('=') {
        let name = rest[..place].trim_end().rsplit(char::is_whitespace).next().unwrap_or_default();
        // FreeBSD says `tcp.sack.enable`: the last word alone would say nothing.
        let mut parts = name.rsplit(['/', '.']);
        let name = match (parts.next().unwrap_or_default(), parts.next()) {
            ("enable", Some(what)) => format!("{what}.enable"),
            (name, _) => name.to_owned(),
        };
        let after = rest[place + 1..].trim_start();
        let (value, behind) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
            _ => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        if !setting(&name, value, config)? {
            notes.push(format!("{name}={value}"));
        }
        rest = behind;
    }
    Ok(())
}

/// System settings that have no counterpart here and change nothing that a script sees of a stack without them.
const KERNEL_ONLY: &[&str] = &[
    "tcp_no_metrics_save",
    "tcp_early_retrans",
    "tcp_moderate_rcvbuf",
    "tcp_adv_win_scale",
    "tcp_autocorking",
    "tcp_fastopen_key",
    "tcp_frto",
    "tcp_tso_win_divisor",
    "tcp_min_tso_segs",
    "tcp_pacing_ss_ratio",
    "tcp_pacing_ca_ratio",
    "tcp_shrink_window",
    "rmem_max",
    "wmem_max",
    "optmem_max",
    "alloweddeviation",
    "purgenow",
    "maxsockbuf",
    "syncookies",
    "ts_offset_per_conn",
    "fast_finwait2_recycle",
    "hostcache.enable",
    "somaxconn",
    "tcp_mem",
];

/// True when it became a setting of ours.
fn setting(name: &str, value: &str, config: &mut Config) -> Result<bool, Stop> {
    let numbers: Vec<u64> = value.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let number = numbers.first().copied();
    let need = |number: Option<u64>| number.ok_or_else(|| Stop::unsupported(format!("the value of {name}={value}")));
    let on = number != Some(0);
    match name {
        "tcp_sack" | "sack.enable" => config.sack = on,
        "tcp_recovery" => {
            let bits = need(number)?;
            config.recovery.rack = bits & 1 != 0;
            config.recovery.fixed_reordering_window = bits & 2 != 0;
            config.recovery.duplicate_threshold = bits & 4 == 0;
        }
        "tcp_reordering" => config.recovery.reordering = need(number)?.clamp(1, 300) as u32,
        "tcp_max_reordering" => config.recovery.max_reordering = need(number)?.clamp(1, 10_000) as u32,
        "tcp_timestamps" => config.timestamps = on,
        "tcp_window_scaling" => config.window_scale = config.window_scale.or(Some(8)).filter(|_| on),
        // FreeBSD's name for both.
        "rfc1323" => {
            config.timestamps &= on;
            config.window_scale = config.window_scale.filter(|_| on);
        }
        "recvspace" => config.fix_receive_buffer(need(number)?.clamp(1, 1 << 30) as usize),
        "sendspace" => config.fix_send_buffer(need(number)?.clamp(1, 1 << 30) as usize),
        "delayed_ack" => config.delayed_ack = config.delayed_ack.filter(|_| on),
        "tcp_keepalive_time" => config.keepalive.idle = Duration::from_secs(need(number)?),
        "tcp_keepalive_intvl" => config.keepalive.interval = Duration::from_secs(need(number)?),
        "tcp_keepalive_probes" => config.keepalive.count = need(number)?.min(127) as u32,
        "tcp_fin_timeout" => config.fin_wait_2 = Duration::from_secs(need(number)?),
        "tcp_rmem" => {
            config.fix_receive_buffer(need(numbers.get(1).copied().or(number))?.clamp(1, 1 << 30) as usize);
        }
        "tcp_wmem" => {
            config.fix_send_buffer(need(numbers.get(1).copied().or(number))?.clamp(1, 1 << 30) as usize);
        }
        // A SYN that is sent N times more, at 1, 2, 4 .. seconds.
        "tcp_syn_retries" | "tcp_synack_retries" => {
            config.give_up_syn = Duration::from_secs((2u64 << need(number)?.min(10)) - 1);
        }
        "tcp_slow_start_after_idle" => config.restart_after_idle = on,
        "tcp_notsent_lowat" => {
            config.unsent_limit = Some(need(number)?).filter(|n| *n < 1 << 30).map(|n| n as usize);
        }
        "tcp_rto_min_us" => config.min_rto = Duration::from_micros(need(number)?),
        "tcp_congestion_control" | "algorithm" => {
            let value = if value == "newreno" { "reno" } else { value };
            let unknown = |_| Stop::unsupported(format!("congestion control by {value}"));
            config.congestion = value.parse().map_err(unknown)?;
        }
        name if KERNEL_ONLY.contains(&name) => return Ok(false),
        // Two is what FreeBSD has by default: ECN only where the peer asks for it, which a stack without it passes.
        "ecn.enable" if number != Some(1) => return Ok(false),
        // What a stack without the extension does anyway.
        "fastopen.server_enable" | "insecure_rst" | "insecure_syn" if !on => return Ok(false),
        "tcp_ecn" | "tcp_fastopen" | "tcp_dsack" | "tcp_mtu_probing" if !on => return Ok(false),
        _ => return Err(Stop::unsupported(format!("the system setting {name}={value}"))),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysctl_lines_become_settings_or_notes_or_reasons() {
        let mut config = Config::default();
        let notes = apply(
            "sysctl -q net.ipv4.tcp_sack=0\nsysctl -w net.ipv4.tcp_rmem=\"4096 10000 20000\" && true; \
             sysctl -w net.inet.tcp.ecn.enable=2 kern.ipc.maxsockbuf=9; ./set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 /proc/sys/net/ipv4/tcp_no_metrics_save=1",
            &mut config,
        );
        let left_out = ["true", "ecn.enable=2", "maxsockbuf=9", "tcp_no_metrics_save=1"].map(String::from);
        assert_eq!(notes.ok(), Some(left_out.to_vec()));
        assert!(!config.sack && !config.timestamps && config.receive_buffer == 10_000);
        for command in ["tc qdisc add", "sysctl net.ipv4.tcp_ecn=1", "sysctl net.ipv4.tcp_congestion_control=bbr"] {
            assert!(matches!(apply(command, &mut config), Err(Stop::Unsupported(_))), "{command}");
        }
    }
}
