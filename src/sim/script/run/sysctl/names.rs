//! The names of system settings: how scripts write them, and which of them mean nothing here.

use crate::tcp::congestion::Algorithm;

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
pub(super) const KERNEL_ONLY: &[&str] = &[
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

pub(super) fn short_name(name: &str) -> String {
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

/// What a stack without the extension does anyway, or what is built in and needs no setting.
pub(super) fn is_what_holds_anyway(name: &str, number: u64) -> bool {
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
