//! What the SYNs of a connection offer, and the settings under which a stack offers it.

use super::calls::Program;
use super::capture::Seen;
use crate::sim::script::syntax::TcpOption;
use crate::tcp::Config;

impl Program<'_> {
    /// Options of the script and system settings, without which our stack would not begin as that one did.
    pub fn settings(&self) -> Vec<String> {
        let Some(syn) = self.our_syn() else { return Vec::new() };
        let mut lines = Vec::new();
        let options = Offered::of(syn);
        let mss = options.mss.unwrap_or(536);
        if mss != 1460 && (28..=u16::MAX - 40).contains(&mss) {
            lines.push(format!("--mtu={}", mss + 40));
        }
        let longest = self.segments.iter().filter(|seen| seen.from != self.local).map(|seen| seen.tcp.len).max();
        if longest.is_some_and(|longest| longest > mss) {
            lines.push(format!("--mss={}", mss.saturating_sub(if options.timestamps { 12 } else { 0 }).max(1)));
        }
        let window = syn.tcp.window.unwrap_or(0);
        let offers = |profile: &str| {
            let shift = Config::profile(profile).and_then(|config| config.window_scale);
            window == u16::MAX && (options.shift.is_none() || options.shift == shift)
        };
        match options.shift_is_second {
            false if offers("strata") => {}
            true if offers("freebsd") => lines.push("--profile=freebsd".into()),
            freebsd => {
                lines.push(format!("--profile={}", if freebsd { "freebsd" } else { "linux" }));
                // Its windows are those of its own buffers.
                lines.push("--relaxed".into());
            }
        }
        let asked = match self.their_syn() {
            Some(theirs) if self.passive => Offered::of(theirs),
            _ => Offered { timestamps: true, sack: true, shift: Some(0), ..Offered::default() },
        };
        let off: Vec<&str> = [
            (asked.timestamps && !options.timestamps, "net.ipv4.tcp_timestamps=0"),
            (asked.sack && !options.sack, "net.ipv4.tcp_sack=0"),
            (asked.shift.is_some() && options.shift.is_none(), "net.ipv4.tcp_window_scaling=0"),
        ]
        .into_iter()
        .filter_map(|(missing, setting)| missing.then_some(setting))
        .collect();
        if !off.is_empty() {
            lines.push(format!("`sysctl -q {}`", off.join(" ")));
        }
        lines
    }
}

/// What a SYN offers.
#[derive(Clone, Copy, Default)]
pub(super) struct Offered {
    pub mss: Option<u16>,
    pub timestamps: bool,
    pub sack: bool,
    pub shift: Option<u8>,
    /// The window scale stands next to the MSS, as in stacks of BSD.
    pub shift_is_second: bool,
}

impl Offered {
    pub fn of(syn: &Seen) -> Offered {
        let mut offered = Offered::default();
        let options = syn.tcp.options.iter().flatten();
        for (place, option) in options.filter(|option| !matches!(option, TcpOption::Nop)).enumerate() {
            match option {
                TcpOption::Mss(mss) => offered.mss = Some(*mss),
                TcpOption::WindowScale(shift) => {
                    (offered.shift, offered.shift_is_second) = (Some(*shift), place == 1 && options_follow(syn));
                }
                TcpOption::SackPermitted => offered.sack = true,
                TcpOption::Timestamps { .. } => offered.timestamps = true,
                TcpOption::Nop
                | TcpOption::Eol
                | TcpOption::Sack(_)
                | TcpOption::FastOpen { .. }
                | TcpOption::Md5(_)
                | TcpOption::AccEcn(_) => {}
            }
        }
        offered
    }
}

/// Where nothing stands behind the window scale its place tells nothing.
fn options_follow(syn: &Seen) -> bool {
    let last = syn.tcp.options.iter().flatten().rfind(|option| !matches!(option, TcpOption::Nop | TcpOption::Eol));
    !matches!(last, Some(TcpOption::WindowScale(_)))
}
