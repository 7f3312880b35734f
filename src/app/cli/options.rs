//! The options that several commands share, and what they mean.

use super::failure::Failure;
use crate::runtime::Polling;
use crate::runtime::sandbox::{self, LinkRequest, kernel_address};
use crate::stack;
use crate::tcp::{self, congestion::Algorithm};
use crate::wire::MacAddress;
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The host that we are, and the link it stands on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Host and link")]
pub struct HostOptions {
    /// The link to stand on: auto, tap[:NAME], packet:INTERFACE, veth or in-process
    ///
    /// auto takes the best that this system allows and says which it is; `strata doctor` shows them all.
    #[arg(long, value_name = "LINK", default_value = "auto")]
    pub link: LinkRequest,

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
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub offload: Switch,

    /// While it pays off, let the kernel take in our frames on other processors, where this user may choose them
    ///
    /// Else what the kernel's TCP does with a frame is done in the call that writes it, and the stack's thread waits.
    #[arg(long, value_name = "on|off", default_value = "on")]
    pub steering: Switch,

    /// How many queues serve the link, each with a thread and a share of the connections; more than one needs a TAP
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub queues: u16,

    /// Look for frames for so many microseconds before sleeping, or as long as it pays off (auto)
    ///
    /// Waking up is most of a round trip. Who looks for frames again and again is there when they come, and takes up a
    /// processor meanwhile; auto does so for 50 µs while wake-ups come quickly.
    #[arg(long, value_name = "MICROSECONDS|auto", num_args = 0..=1, default_missing_value = "1000000")]
    pub busy_poll: Option<BusyPoll>,

    /// The congestion controller of our connections
    #[arg(long, value_name = "NAME", default_value_t = tcp::Config::default().congestion)]
    pub congestion: Algorithm,

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
        if self.queues > 1 && !matches!(self.link, LinkRequest::Auto | LinkRequest::Tap { .. }) {
            let (queues, link) = (self.queues, &self.link);
            return Err(Failure::wrong_use(format!("--queues {queues}: {link} has one queue; only a TAP has several")));
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
            ..stack::Config::default()
        };
        config.tcp.congestion = self.congestion;
        config
    }

    /// How the two ends of the link are set up; `in_process` says whether it may end in this process.
    pub fn link_config(&self, in_process: bool) -> sandbox::Config {
        let (addresses, mtu) = (self.addresses.clone(), self.mtu as usize);
        let (offload, steering) = (self.offload == Switch::On, self.steering == Switch::On);
        let queues = usize::from(self.queues);
        sandbox::Config { addresses, mtu, offload, steering, queues, in_process, ..sandbox::Config::default() }
    }

    /// The host at the other end of an in-process link: where on another link the kernel would be.
    pub fn peer(&self) -> Result<stack::Config, Failure> {
        let addresses: Vec<IpNet> = self.addresses.iter().filter_map(|net| kernel_address(*net)).collect();
        if addresses.is_empty() {
            return Err(Failure::wrong_use("--ip: the network has no room for a second host"));
        }
        let MacAddress(mac) = sandbox::Config::default().kernel_mac;
        Ok(stack::Config { mac, addresses, mtu: self.mtu as usize, ..stack::Config::default() })
    }

    /// Our first address, under which the services are named.
    pub fn address(&self) -> IpAddr {
        self.addresses.first().map_or(IpAddr::from([192, 0, 2, 2]), IpNet::addr)
    }
}

/// How long is looked before sleeping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BusyPoll(pub Polling);

impl FromStr for BusyPoll {
    type Err = String;

    fn from_str(text: &str) -> Result<BusyPoll, String> {
        if text == "auto" {
            return Ok(BusyPoll(Polling::Adaptive));
        }
        let micros = text.parse().map_err(|_| format!("{text:?} is neither a number of microseconds nor auto"))?;
        Ok(BusyPoll(Polling::Busy(Duration::from_micros(micros))))
    }
}

/// `on` or `off`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Switch {
    On,
    Off,
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
