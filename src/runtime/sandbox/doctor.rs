//! What this machine allows: every rung tried for real, every helper looked for, and the command that mends it.

use super::ladder::{self, Rung};
use super::namespace;
use super::request::{Config, kernel_address};
use crate::device::system::process::in_child;
use crate::device::tap::{self, NODE, Tap, TapError};
use crate::device::{Batch, Device};
use crate::frame::{Frame, FrameId, Payload};
use crate::time::Instant;
use crate::wire::ethernet::{self, ether_type};
use crate::wire::{MacAddress, arp};
use rustix::event::{PollFd, PollFlags, Timespec};
use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// What a finding is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    Rung(Rung),
    /// `/dev/net/tun`
    TunNode,
    UserNamespaces,
    /// The kernel's part of a busy stack on other processors.
    Steering,
    /// A program that is good to have.
    Tool(&'static str),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Rung(rung) => write!(f, "link {}: {rung}", rung.number()),
            Subject::TunNode => f.write_str(NODE),
            Subject::UserNamespaces => f.write_str("user namespaces"),
            Subject::Steering => f.write_str("receive packet steering"),
            Subject::Tool(name) => f.write_str(name),
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub subject: Subject,
    pub works: bool,
    /// What was found, in a few words.
    pub why: String,
    /// The command that makes it work, where one is known.
    pub mend: Option<String>,
}

/// Looks at everything. Takes some tenths of a second, leaves nothing behind, and has to be called before any other
/// thread starts.
pub fn diagnose() -> Vec<Finding> {
    let rungs = Rung::ALL.map(|rung| tried(Subject::Rung(rung), move || try_rung(rung)));
    let means = [
        tried(Subject::TunNode, try_node),
        tried(Subject::UserNamespaces, try_user_namespace),
        tried(Subject::Steering, try_steering),
    ];
    rungs.into_iter().chain(means).chain(TOOLS.iter().map(look_for)).collect()
}

/// What an attempt says: what was found, or why not and how to mend it.
type Outcome = Result<String, (String, Option<String>)>;

/// Makes the attempt in a child, with whose end it is undone.
fn tried(subject: Subject, attempt: impl FnOnce() -> Outcome) -> Finding {
    const WORKS: &str = "works";
    let told = in_child(|| match attempt() {
        Ok(why) => format!("{WORKS}\n{why}\n"),
        Err((why, mend)) => format!("fails\n{}\n{}", why.replace('\n', " "), mend.unwrap_or_default()),
    });
    match told {
        Ok(told) => {
            let mut lines = told.lines();
            let works = lines.next() == Some(WORKS);
            let why = lines.next().unwrap_or_default().to_owned();
            Finding { subject, works, why, mend: lines.next().filter(|mend| !mend.is_empty()).map(str::to_owned) }
        }
        Err(error) => Finding { subject, works: false, why: error.to_string(), mend: None },
    }
}

fn try_rung(rung: Rung) -> Outcome {
    match rung {
        Rung::Present => match Tap::open("strata%d", true) {
            Ok(tap) => Ok(format!("made {} and removed it again", tap.name())),
            Err(TapError::NotPermitted { .. }) => {
                Err(("needs root or CAP_NET_ADMIN".into(), Some("sudo strata serve".into())))
            }
            Err(error) => Err((error.reason(), error.mend())),
        },
        Rung::OwnTap | Rung::OwnVeth => {
            let config = Config::default();
            let carried = ladder::plan(rung, &config).carry_out().map_err(|error| (error.reason(), error.mend()))?;
            let mut device = carried.device.expect("the plan of this rung opens a device");
            kernel_answers(device.as_mut(), &config).map_err(|why| (why, None))
        }
        Rung::InProcess => Ok("needs nothing of the system".into()),
    }
}

fn try_node() -> Outcome {
    match tap::node_opens() {
        Ok(()) => Ok("opens".into()),
        Err(error) => Err((error.reason(), error.mend())),
    }
}

fn try_user_namespace() -> Outcome {
    match namespace::enter(true) {
        Ok(()) => match namespace::obstacle() {
            None => Ok("allowed".into()),
            // AppArmor lets one in, and takes the privileges away.
            Some(obstacle) => Err((obstacle.why.into(), Some(obstacle.mend.into()))),
        },
        Err(namespace::EnterError::Forbidden { why, mend }) => Err((why, mend)),
        Err(error) => Err((error.to_string(), None)),
    }
}

fn try_steering() -> Outcome {
    if !namespace::rules_the_machine() {
        return Err(("needs root".into(), Some("sudo strata serve".into())));
    }
    if std::thread::available_parallelism().is_ok_and(|count| count.get() == 1) {
        return Err(("this program may run on one processor alone".into(), None));
    }
    namespace::enter(false).map_err(|error| (error.to_string(), None))?;
    let mut tap = Tap::open("strata%d", true).map_err(|error| (error.reason(), error.mend()))?;
    match tap.steer() {
        Ok(()) => Ok("the kernel's part of a busy stack is done on other processors".into()),
        Err(error) => Err((error.to_string(), None)),
    }
}

/// Asks the kernel at the other end for its MAC address: the shortest proof that a link carries frames both ways.
fn kernel_answers(device: &mut dyn Device, config: &Config) -> Result<String, String> {
    const OURS: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
    const TRIES: usize = 20;
    let (stack, kernel) = first_ipv4(config).ok_or("no IPv4 address to ask for")?;
    let request = arp::Packet {
        operation: arp::Operation::Request,
        sender_mac: OURS,
        sender_ip: stack,
        target_mac: MacAddress::UNSPECIFIED,
        target_ip: kernel,
    };
    let ethernet_header = ethernet::Header {
        destination: MacAddress::BROADCAST,
        source: OURS,
        ether_type: ether_type::ARP,
        ..ethernet::Header::default()
    };
    let mut batch = Batch::new(8);
    for _ in 0..TRIES {
        let mut frame = Frame::new(FrameId(0), Payload::default());
        request.emit(|header| frame.prepend(header));
        ethernet_header.emit(|header| frame.prepend(header));
        let mut frames = VecDeque::from([frame]);
        device.transmit(Instant::ZERO, &mut frames).map_err(|error| error.to_string())?;
        wait_for(device);
        batch.clear();
        device.receive(Instant::ZERO, &mut batch).map_err(|error| error.to_string())?;
        if batch.iter().any(|frame| is_reply(frame.bytes, kernel)) {
            return Ok(format!("{}: the kernel answers at {kernel}", device.describe()));
        }
    }
    Err(format!("{}: the kernel does not answer at {kernel}", device.describe()))
}

fn first_ipv4(config: &Config) -> Option<(Ipv4Addr, Ipv4Addr)> {
    config.addresses.iter().find_map(|&stack| match (stack.addr(), kernel_address(stack)?.addr()) {
        (IpAddr::V4(stack), IpAddr::V4(kernel)) => Some((stack, kernel)),
        (IpAddr::V4(_) | IpAddr::V6(_), IpAddr::V4(_) | IpAddr::V6(_)) => None,
    })
}

fn wait_for(device: &dyn Device) {
    let tenth = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    if let Some(fd) = device.descriptor() {
        // An interrupted wait is only a shorter one.
        let _ = rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&tenth));
    }
}

fn is_reply(bytes: &[u8], kernel: Ipv4Addr) -> bool {
    ethernet::Header::parse(bytes)
        .ok()
        .filter(|(header, _)| header.ether_type == ether_type::ARP)
        .and_then(|(_, rest)| arp::Packet::parse(rest).ok())
        .is_some_and(|(packet, _)| packet.operation == arp::Operation::Reply && packet.sender_ip == kernel)
}

/// A program, what it is good for, and the package that brings it: in Debian's words, and in Fedora's.
struct Tool {
    name: &'static str,
    packages: [&'static str; 2],
}

const TOOLS: [Tool; 3] = [
    Tool { name: "curl", packages: ["curl", "curl"] },
    Tool { name: "ping", packages: ["iputils-ping", "iputils"] },
    Tool { name: "tshark", packages: ["tshark", "wireshark-cli"] },
];

fn look_for(tool: &Tool) -> Finding {
    let subject = Subject::Tool(tool.name);
    match find(tool.name) {
        Some(path) => Finding { subject, works: true, why: path.display().to_string(), mend: None },
        None => {
            let [debian, fedora] = tool.packages;
            let managers = [
                ("apt-get", "apt-get install", debian),
                ("dnf", "dnf install", fedora),
                ("pacman", "pacman -S", fedora),
                ("apk", "apk add", fedora),
                ("zypper", "zypper install", fedora),
            ];
            let manager = managers.into_iter().find(|(program, _, _)| find(program).is_some());
            let mend = manager.map(|(_, install, package)| format!("sudo {install} {package}"));
            Finding { subject, works: false, why: "not installed".into(), mend }
        }
    }
}

/// Where the program lies: among the folders of `PATH`, and those of the administrator.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok())
}
