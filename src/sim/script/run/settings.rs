//! What a script says of its surroundings in its options.

use super::mapping::PORT;
use super::{Options, Stop};
use crate::sim::script::syntax::{Script, Setting, Value};
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
    /// How long a tick of the timestamps in the script is, in microseconds: then the timestamps that the stack sends
    /// are compared.
    pub timestamp_tick: Option<u64>,
    /// An echo that the stack has not sent counts as what it would have been at that time.
    pub scale_echoes: bool,
    /// The ports that `...` stands for in `bind` and `connect`.
    pub bind_port: u16,
    pub connect_port: u16,
    /// The stack whose policy the script was written for.
    pub profile: Option<Options>,
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
            timestamp_tick: None,
            scale_echoes: false,
            bind_port: PORT,
            connect_port: PORT,
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
                    Some(Value::Word(name)) => Options::profile(name),
                    _ => None,
                };
                self.profile = Some(profile.ok_or_else(wrong)?);
            }
            "relaxed" => self.relaxed = true,
            "dry_run" => self.dry_run = true,
            "tcp_ts_tick_usecs" => {
                let tick = number.filter(|tick| *tick <= 1_000_000).ok_or_else(wrong)?;
                self.timestamp_tick = Some(tick).filter(|tick| *tick > 0);
            }
            "tcp_ts_ecr_scaled" => self.scale_echoes = true,
            "bind_port" => self.bind_port = number.and_then(|port| port.try_into().ok()).ok_or_else(wrong)?,
            "connect_port" => self.connect_port = number.and_then(|port| port.try_into().ok()).ok_or_else(wrong)?,
            "strict_segments" => self.strict_segments = true,
            "ip_version" if matches!(&setting.value, Some(Value::Word(word)) if word == "ipv4") => {}
            name if HARMLESS.contains(&name) => {}
            _ => return Err(wrong()),
        }
        Ok(())
    }
}
