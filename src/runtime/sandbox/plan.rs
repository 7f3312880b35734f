//! What is done to the system to get a link, as a list of steps that can be printed as commands or carried out.
//!
//! Both come from the same list, so that what `--dry-run` prints is what happens.

use super::namespace::{self, EnterError};
use crate::device::Device;
use crate::device::netlink::Netlink;
use crate::device::packet::{Packet, PacketError};
use crate::device::steering;
use crate::device::system::interface;
use crate::device::tap::{Tap, TapError};
use crate::wire::MacAddress;
use ipnet::IpNet;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// Which groups may open ICMP sockets, so that `ping` needs no privilege of its own. In a user namespace only group 0
/// exists.
const PING_GROUPS: &str = "0 0";

/// How long an interface may take to get its carrier.
const CARRIER_PATIENCE: Duration = Duration::from_secs(2);

/// One change to the system. Its text is the command that does the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A network namespace, in a user namespace of its own if this process may not make one otherwise.
    EnterNamespace {
        user: bool,
    },
    /// Lets every program in a namespace of our own open ICMP sockets.
    AllowPing,
    /// Makes or attaches to a TAP; its frames are ours from then on.
    OpenTap {
        name: String,
        offload: bool,
        queues: usize,
    },
    AddVeth {
        name: String,
        peer: String,
    },
    SetMac {
        name: String,
        mac: MacAddress,
    },
    SetMtu {
        name: String,
        mtu: usize,
    },
    /// How many frames may wait for us.
    SetQueueLen {
        name: String,
        frames: u32,
    },
    /// The kernel takes in what a TAP sends on other processors than that of the stack's thread, while that pays off.
    Steer {
        name: String,
    },
    /// The kernel sends segments, not super-frames; checksums may stay partial.
    SendSegments {
        name: String,
    },
    /// No IPv6 address that nobody asked for, and so no solicitation, no report: quiet captures.
    NoGeneratedAddress {
        name: String,
    },
    /// An interface on which the kernel resolves nothing.
    NoArp {
        name: String,
    },
    AddAddress {
        name: String,
        prefix: IpNet,
    },
    AddRoute {
        name: String,
        prefix: IpNet,
    },
    BringUp {
        name: String,
    },
    /// Waits until frames pass: of a veth pair, the end that came up first gets its queue a moment later.
    AwaitCarrier {
        name: String,
    },
    /// Opens a packet socket on an interface; its frames are ours from then on.
    OpenPacket {
        name: String,
        offload: bool,
    },
}

/// The step that failed, as a command, and why.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Enter(#[from] EnterError),
    #[error(transparent)]
    Tap(#[from] TapError),
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error("`{command}` failed: {error}")]
    Command { command: String, error: io::Error },
}

impl StepError {
    /// What is wrong, without what to do about it.
    pub fn reason(&self) -> String {
        match self {
            StepError::Tap(error) => error.reason(),
            StepError::Enter(EnterError::Forbidden { why, .. }) => format!("no user namespace: {why}"),
            StepError::Enter(_) | StepError::Packet(_) | StepError::Command { .. } => self.to_string(),
        }
    }

    /// The command that mends it, where one does.
    pub fn mend(&self) -> Option<String> {
        match self {
            StepError::Tap(error) => error.mend(),
            StepError::Enter(EnterError::Forbidden { mend, .. }) => mend.clone(),
            StepError::Command { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                namespace::obstacle().map(|obstacle| obstacle.mend.to_owned())
            }
            StepError::Enter(_) | StepError::Packet(_) | StepError::Command { .. } => None,
        }
    }

    /// Is it that this user may not, or that this machine cannot, so that another kind of link may do?
    pub fn is_lack_of_means(&self) -> bool {
        match self {
            StepError::Tap(error) => error.is_lack_of_means(),
            StepError::Packet(PacketError::NotPermitted { .. }) => true,
            StepError::Enter(EnterError::Forbidden { .. } | EnterError::Other(_)) => true,
            // A mistake of the program, which another rung would only hide.
            StepError::Enter(EnterError::Threads { .. }) => false,
            StepError::Command { error, .. } => {
                matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
            }
            StepError::Packet(_) => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::EnterNamespace { user: true } => write!(f, "unshare --user --map-root-user --net"),
            Step::EnterNamespace { user: false } => write!(f, "unshare --net"),
            Step::AllowPing => write!(f, "sysctl -w net.ipv4.ping_group_range='{PING_GROUPS}'"),
            Step::OpenTap { name, queues, .. } => {
                let several = if *queues > 1 { " multi_queue" } else { "" };
                write!(f, "ip tuntap add dev {name} mode tap vnet_hdr{several}")
            }
            Step::AddVeth { name, peer } => write!(f, "ip link add dev {name} type veth peer name {peer}"),
            Step::SetMac { name, mac } => write!(f, "ip link set dev {name} address {mac}"),
            Step::SetMtu { name, mtu } => write!(f, "ip link set dev {name} mtu {mtu}"),
            Step::SetQueueLen { name, frames } => write!(f, "ip link set dev {name} txqueuelen {frames}"),
            Step::Steer { name } => {
                // What is mounted at /sys may show another namespace.
                let (mask, rps_cpus) = (steering::allowed(), steering::rps_cpus(name));
                write!(f, "unshare --mount sh -c 'mount -t sysfs sysfs /sys && echo {mask} > /sys/{rps_cpus}'")?;
                write!(f, " # while it pays off, and less the stack's")
            }
            Step::SendSegments { name } => write!(f, "ip link set dev {name} gso_max_segs 1"),
            Step::NoGeneratedAddress { name } => write!(f, "ip link set dev {name} addrgenmode none"),
            Step::NoArp { name } => write!(f, "ip link set dev {name} arp off"),
            Step::AddAddress { name, prefix: IpNet::V4(prefix) } => {
                let broadcast = if prefix.prefix_len() < 31 { " broadcast +" } else { "" };
                write!(f, "ip address add {prefix}{broadcast} dev {name}")
            }
            Step::AddAddress { name, prefix: IpNet::V6(prefix) } => {
                write!(f, "ip address add {prefix} dev {name} nodad")
            }
            Step::AddRoute { name, prefix } => write!(f, "ip route add {} dev {name}", prefix.trunc()),
            Step::BringUp { name } => write!(f, "ip link set dev {name} up"),
            Step::AwaitCarrier { name } => {
                write!(f, "until ip link show dev {name} | grep -q 'state UP'; do sleep 0.01; done")
            }
            Step::OpenPacket { name, .. } => write!(f, "# a packet socket on {name} is the stack's end"),
        }
    }
}

impl Step {
    /// May the rest go on without it?
    fn is_only_comfort(&self) -> bool {
        match self {
            // A read-only /proc/sys, as containers have it, or a kernel without IPv6, or without RPS.
            Step::AllowPing | Step::NoGeneratedAddress { .. } | Step::SetQueueLen { .. } | Step::Steer { .. } => true,
            Step::EnterNamespace { .. }
            | Step::OpenTap { .. }
            | Step::AddVeth { .. }
            | Step::SetMac { .. }
            | Step::SetMtu { .. }
            | Step::SendSegments { .. }
            | Step::NoArp { .. }
            | Step::AddAddress { .. }
            | Step::AddRoute { .. }
            | Step::BringUp { .. }
            | Step::AwaitCarrier { .. }
            | Step::OpenPacket { .. } => false,
        }
    }

    fn run(&self, done: &mut Done) -> Result<(), StepError> {
        match self {
            Step::EnterNamespace { user } => {
                namespace::enter(*user)?;
                // What was asked before belongs to the namespace that was left.
                done.netlink = None;
                Ok(())
            }
            Step::OpenTap { name, offload, queues } => {
                done.taps = Tap::open_queues(name, *offload, *queues)?;
                done.wait_if_up(name)
            }
            Step::OpenPacket { name, offload } => {
                done.packet = Some(Packet::open(name, *offload)?);
                Ok(())
            }
            Step::AllowPing => std::fs::write("/proc/sys/net/ipv4/ping_group_range", PING_GROUPS),
            Step::AddVeth { name, peer } => done.netlink().and_then(|netlink| netlink.add_veth(name, peer)),
            Step::SetMac { name, mac } => done.on(name, |netlink, index| netlink.set_mac(index, *mac)),
            Step::SetMtu { name, mtu } => {
                let mtu = u32::try_from(*mtu).unwrap_or(u32::MAX);
                done.on(name, |netlink, index| netlink.set_mtu(index, mtu))
            }
            Step::SetQueueLen { name, frames } => done.on(name, |netlink, index| netlink.set_queue_len(index, *frames)),
            Step::Steer { .. } => done.taps.iter_mut().try_for_each(Tap::steer),
            Step::SendSegments { name } => done.on(name, |netlink, index| netlink.set_gso_max_segs(index, 1)),
            Step::NoGeneratedAddress { name } => done.on(name, Netlink::set_no_generated_address),
            Step::NoArp { name } => done.on(name, Netlink::set_arp_off),
            Step::AddAddress { name, prefix } => done.on(name, |netlink, index| netlink.add_address(index, *prefix)),
            Step::AddRoute { name, prefix } => done.on(name, |netlink, index| netlink.add_route(index, *prefix)),
            Step::BringUp { name } => done.on(name, Netlink::set_up),
            Step::AwaitCarrier { name } => done.wait_until(name, Netlink::is_operational),
        }
        .map_err(|error| StepError::Command { command: self.to_string(), error })
    }
}

/// What the steps have brought so far.
#[derive(Default)]
struct Done {
    netlink: Option<Netlink>,
    taps: Vec<Tap>,
    packet: Option<Packet>,
}

impl Done {
    fn netlink(&mut self) -> io::Result<&mut Netlink> {
        if self.netlink.is_none() {
            self.netlink = Some(Netlink::open()?);
        }
        Ok(self.netlink.as_mut().expect("it was opened just now"))
    }

    /// Waits until the kernel's work item has given the interface its queue: what is sent before is lost.
    fn wait_until(&mut self, name: &str, ready: impl Fn(&mut Netlink, u32) -> io::Result<bool>) -> io::Result<()> {
        let patience = Instant::now() + CARRIER_PATIENCE;
        let index = interface::index(name)?;
        while !ready(self.netlink()?, index)? {
            if Instant::now() >= patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // The state shows before the queue is there; who has waited for the kernel's configuration lock finds both.
        self.netlink()?.settle(index)
    }

    /// An interface that was up without us gets its carrier, and then its queue, when we attach to it.
    fn wait_if_up(&mut self, name: &str) -> io::Result<()> {
        let facts = interface::facts(name)?;
        if !facts.up {
            return Ok(());
        }
        self.wait_until(name, |_, _| Ok(interface::facts(name)?.running))
    }

    fn on(&mut self, name: &str, change: impl FnOnce(&mut Netlink, u32) -> io::Result<()>) -> io::Result<()> {
        let index = interface::index(name)?;
        change(self.netlink()?, index)
    }
}

/// The steps to one link, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// What came of a plan.
pub struct Carried {
    /// The stack's end of the link, if the plan opens one.
    pub device: Option<Box<dyn Device>>,
    /// Its further queues.
    pub more: Vec<Box<dyn Device>>,
    /// What could not be done and is not needed.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The commands that do the same by hand.
    pub fn commands(&self) -> Vec<String> {
        self.steps.iter().map(Step::to_string).collect()
    }

    /// Carries the steps out, up to the first that fails. An interface that was made vanishes with the device (TAP)
    /// or with the namespace (veth).
    pub fn carry_out(&self) -> Result<Carried, StepError> {
        let mut done = Done::default();
        let mut warnings = Vec::new();
        for step in &self.steps {
            match step.run(&mut done) {
                Err(error) if step.is_only_comfort() => warnings.push(error.to_string()),
                outcome => outcome?,
            }
        }
        for tap in &mut done.taps {
            // Its MTU may have been set since it was opened.
            tap.refresh().map_err(|error| TapError::Other { name: tap.name().to_owned(), error })?;
        }
        let mut queues = done.taps.into_iter().map(|tap| Box::new(tap) as Box<dyn Device>);
        let packet = done.packet.map(|packet| Box::new(packet) as Box<dyn Device>);
        Ok(Carried { device: queues.next().or(packet), more: queues.collect(), warnings })
    }
}
