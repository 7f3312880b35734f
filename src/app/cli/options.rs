//! The options that several commands share, and what they mean.

use super::failure::Failure;
use crate::stack;
use crate::tcp::congestion;
use crate::wire::MacAddress;
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The host that we are, and the link it stands on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Host and link")]
pub struct HostOptions {
    /// The link to stand on: auto, tap[:NAME], packet:INTERFACE or in-process
    ///
    /// auto takes the best that this system allows and says which it is; `strata doctor` shows them all.
    #[arg(long, value_name = "LINK", default_value = "auto")]
    pub link: LinkChoice,

    /// Our address with its prefix, such as 192.0.2.2/24; may be given several times
    #[arg(long = "ip", value_name = "ADDR/PREFIX", default_value = "192.0.2.2/24")]
    pub addresses: Vec<IpNet>,

    /// The router for everything outside of our prefixes
    #[arg(long, value_name = "ADDR")]
    pub gateway: Option<IpAddr>,

    /// Our hardware address
    #[arg(long, value_name = "MAC", default_value = "02:00:00:00:00:02")]
    pub mac: MacAddress,

    /// The largest IP packet of the link, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1500, value_parser = clap::value_parser!(u32).range(68..=65_521))]
    pub mtu: u32,

    /// Let the device fill in checksums and split large frames, where it can
    #[arg(long, value_name = "on|off", default_value = "off")]
    pub offload: Switch,

    /// How many queues serve the link; more than one is not supported yet
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub queues: u32,

    /// The congestion controller of our connections
    #[arg(long, value_name = "NAME", default_value = "reno", value_parser = congestion_name)]
    pub congestion: &'static str,

    /// What the link does to frames, in netem's words: "loss 2% delay 20ms 5ms reorder 1% rate 10mbit"
    #[arg(long, value_name = "SPEC")]
    pub fault: Option<crate::device::fault::Spec>,

    /// Decides everything that is left to chance; without it every run differs
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Print what would be done to the system, as ip(8) commands, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl HostOptions {
    /// What no parser of a single option can find.
    pub fn check(&self) -> Result<(), Failure> {
        if self.queues != 1 {
            let queues = self.queues;
            return Err(Failure::wrong_use(format!("--queues {queues}: only one queue is supported yet; use 1")));
        }
        if let Some(other) = self.addresses.iter().find(|net| net.addr().is_ipv6()) {
            return Err(Failure::wrong_use(format!("--ip {other}: IPv6 is not supported yet; give an IPv4 address")));
        }
        if !self.mac.is_unicast() {
            let mac = self.mac;
            return Err(Failure::wrong_use(format!(
                "--mac {mac}: a host needs a unicast address; make the first digit pair even"
            )));
        }
        Ok(())
    }

    /// The seed that was given, or one of the system's.
    pub fn seed(&self) -> Result<u64, Failure> {
        match self.seed {
            Some(seed) => Ok(seed),
            None => {
                getrandom::u64().map_err(|error| Failure::failed(format!("the system gives no randomness: {error}")))
            }
        }
    }

    /// The stack's own configuration for a device of such an MTU.
    pub fn stack(&self, device: crate::device::Capabilities) -> stack::Config {
        let mut config = stack::Config {
            mac: self.mac.0,
            addresses: self.addresses.clone(),
            gateway: self.gateway,
            mtu: device.mtu.min(self.mtu as usize),
            partial_checksum: device.partial_checksum,
            ..stack::Config::default()
        };
        config.tcp.congestion = self.congestion;
        config
    }

    /// The host at the other end of an in-process link: the first address of our network that is not ours.
    pub fn peer(&self) -> Result<stack::Config, Failure> {
        let net = self.addresses.first().ok_or_else(|| Failure::wrong_use("--ip: an address is needed"))?;
        let address = net.hosts().find(|address| *address != net.addr());
        let address = address.ok_or_else(|| Failure::wrong_use(format!("--ip {net}: no room for a second host")))?;
        let address = IpNet::new(address, net.prefix_len()).map_err(|error| Failure::failed(error.to_string()))?;
        let mac = [0x02, 0, 0, 0, 0, 0x01];
        Ok(stack::Config { mac, addresses: vec![address], mtu: self.mtu as usize, ..stack::Config::default() })
    }

    /// Our first address, under which the services are named.
    pub fn address(&self) -> IpAddr {
        self.addresses.first().map_or(IpAddr::from([192, 0, 2, 2]), IpNet::addr)
    }
}

/// `--link`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkChoice {
    Auto,
    /// A TAP; with a name, that one.
    Tap(Option<String>),
    /// Raw Ethernet on an interface that exists.
    Packet(String),
    InProcess,
}

/// The longest name that Linux gives an interface, in bytes.
const LONGEST_NAME: usize = 15;

impl FromStr for LinkChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<LinkChoice, String> {
        let (kind, name) = match text.split_once(':') {
            Some((kind, name)) => (kind, Some(interface_name(name)?)),
            None => (text, None),
        };
        match (kind, name) {
            ("auto", None) => Ok(LinkChoice::Auto),
            ("tap", name) => Ok(LinkChoice::Tap(name)),
            ("packet", Some(name)) => Ok(LinkChoice::Packet(name)),
            ("packet", None) => Err("packet needs an interface: packet:eth0".into()),
            ("in-process", None) => Ok(LinkChoice::InProcess),
            _ => Err("a link is one of auto, tap, tap:NAME, packet:INTERFACE, in-process".into()),
        }
    }
}

fn interface_name(name: &str) -> Result<String, String> {
    let fits = (1..=LONGEST_NAME).contains(&name.len()) && !name.contains(['/', ' ']) && name != "." && name != "..";
    if fits {
        Ok(name.to_owned())
    } else {
        Err(format!("an interface name has 1 to {LONGEST_NAME} bytes, no / and no space"))
    }
}

impl fmt::Display for LinkChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkChoice::Auto => f.write_str("auto"),
            LinkChoice::Tap(None) => f.write_str("tap"),
            LinkChoice::Tap(Some(name)) => write!(f, "tap:{name}"),
            LinkChoice::Packet(name) => write!(f, "packet:{name}"),
            LinkChoice::InProcess => f.write_str("in-process"),
        }
    }
}

/// `on` or `off`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

fn congestion_name(name: &str) -> Result<&'static str, String> {
    let known = congestion::NAMES.iter().find(|known| **known == name).copied();
    known.ok_or_else(|| format!("there is no congestion controller of that name; there is {}", congestion::NAMES_TEXT))
}

/// What is shown and kept of the traffic.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Views")]
pub struct ViewOptions {
    /// Write a capture with our comments, for Wireshark
    #[arg(short = 'w', long, value_name = "FILE.pcapng")]
    pub capture: Option<PathBuf>,

    /// Show in the capture what the device saw: large frames and unfinished checksums
    #[arg(long, requires = "capture")]
    pub capture_offload: bool,

    /// Show each frame as nested layers on the terminal
    #[arg(long)]
    pub trace: bool,

    /// Write every event as a JSON object on a line
    #[arg(long, value_name = "FILE.jsonl")]
    pub events: Option<PathBuf>,

    /// Write the counters as JSON at the end
    #[arg(long, value_name = "FILE.json")]
    pub stats: Option<PathBuf>,
}

/// What HTTP serves.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "HTTP")]
pub struct SiteOptions {
    /// Serve the files of this folder
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

impl SiteOptions {
    /// A folder that cannot be read is told at the start, not to the first visitor.
    pub fn check(&self) -> Result<(), Failure> {
        let Some(root) = &self.root else { return Ok(()) };
        match std::fs::read_dir(root) {
            Ok(_) => Ok(()),
            Err(error) => {
                let root = root.display();
                Err(Failure::wrong_use(format!("--root {root}: {error}; name a folder that you may read")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_named_as_the_help_says() {
        for text in ["auto", "tap", "tap:strata0", "packet:eth0", "in-process"] {
            assert_eq!(text.parse::<LinkChoice>().expect("a link").to_string(), text);
        }
        for text in ["", "tun", "tap:", "tap:a/b", "tap:sixteen-letters-", "packet", "auto:x", "in-process:x"] {
            assert!(text.parse::<LinkChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_congestion_controller_is_told_the_names() {
        assert_eq!(congestion_name("reno"), Ok("reno"));
        assert!(congestion_name("vegas").expect_err("unknown").contains("reno"));
    }
}
