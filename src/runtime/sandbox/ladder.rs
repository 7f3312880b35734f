//! The ladder of links: which rungs there are, and how the highest that works is found.

use super::namespace;
use super::plan::{Carried, Plan, Step, StepError};
use super::request::{Config, LinkRequest, kernel_address};
use crate::device::Device;
use crate::device::link::{self, Link};
use crate::device::system::interface;
use crate::device::tap;
use rustix::thread::CapabilitySet;
use std::fmt;
use std::io;

/// The queue of a TAP that we make: a window of several megabytes fits in plain frames, for what overflows it is lost.
const QUEUE_FRAMES: u32 = 4096;

/// The kinds of link, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rung {
    /// A device that the user names, or a TAP in the present namespace.
    Present,
    /// A namespace of its own with a TAP.
    OwnTap,
    /// A namespace of its own with a veth pair and a packet socket.
    OwnVeth,
    /// A link to another host in this process.
    InProcess,
}

impl Rung {
    pub const ALL: [Rung; 4] = [Rung::Present, Rung::OwnTap, Rung::OwnVeth, Rung::InProcess];

    /// 1 is the highest.
    pub fn number(self) -> usize {
        match self {
            Rung::Present => 1,
            Rung::OwnTap => 2,
            Rung::OwnVeth => 3,
            Rung::InProcess => 4,
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rung::Present => "a TAP or a named interface in this network namespace",
            Rung::OwnTap => "a TAP in a network namespace of its own",
            Rung::OwnVeth => "a veth pair with a packet socket in a network namespace of its own",
            Rung::InProcess => "a link to another host in this process",
        })
    }
}

/// On which rung a link stands, why, and what would lift it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    pub rung: Rung,
    /// The device in its own words.
    pub device: String,
    pub why: String,
    /// What leads one rung higher.
    pub lift: Option<String>,
    /// How a program outside reaches the link: the command that goes before its own.
    pub enter: Option<String>,
    /// What could not be done on the way and is not needed.
    pub warnings: Vec<String>,
}

/// One line: `TAP strata0, MTU 1500 (rung 1 of 4: asked for)`.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (rung {} of {}: {}", self.device, self.rung.number(), Rung::ALL.len(), self.why)?;
        if let Some(lift) = &self.lift {
            write!(f, "; one rung higher with: {lift}")?;
        }
        f.write_str(")")
    }
}

/// An open link.
pub struct Opened {
    /// The stack's end.
    pub device: Box<dyn Device>,
    /// Its further queues, as many as were asked for where the link can have them.
    pub more: Vec<Box<dyn Device>>,
    /// The other end, when it is in this process too.
    pub peer: Option<link::End>,
    pub standing: Standing,
    /// What was done for it.
    pub plan: Plan,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(transparent)]
    Step(#[from] StepError),
    #[error("{link} is in this network namespace, and a sandbox has a namespace of its own: use `serve --link {link}`")]
    NotInASandbox { link: LinkRequest },
    #[error("no other program can reach a link in this process: use another `--link`, or `strata demo`")]
    NobodyThere,
    #[error("no link works here: {reason}; `strata doctor` tells more")]
    Nothing { reason: String },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Opens a link. A `sandbox` is always in a namespace of its own; otherwise a TAP in the present one is tried first.
///
/// Entering a namespace concerns the whole process, so this has to be called before any thread starts.
pub fn open(request: &LinkRequest, sandbox: bool, config: &Config) -> Result<Opened, LinkError> {
    const ASKED: &str = "asked for";
    let open = |rung, config: &Config| stand(rung, plan(rung, config), sandbox, ASKED.into(), None);
    match request {
        LinkRequest::Auto => automatic(sandbox, config),
        LinkRequest::Tap { name } => {
            Ok(open(if sandbox { Rung::OwnTap } else { Rung::Present }, &named(config, name))?)
        }
        LinkRequest::Packet { .. } if sandbox => Err(LinkError::NotInASandbox { link: request.clone() }),
        LinkRequest::Packet { name } => {
            Ok(stand(Rung::Present, packet_plan(name, config), sandbox, ASKED.into(), None)?)
        }
        LinkRequest::Veth => Ok(open(Rung::OwnVeth, config)?),
        LinkRequest::InProcess if !config.in_process => Err(LinkError::NobodyThere),
        LinkRequest::InProcess => in_process(config, ASKED.into(), None),
    }
}

/// The commands that [`open`] would carry out, as far as can be told without doing it.
pub fn dry_run(request: &LinkRequest, sandbox: bool, config: &Config) -> Vec<String> {
    let plan = match request {
        LinkRequest::Auto => plan(foreseen(sandbox), config),
        LinkRequest::Tap { name } => plan(if sandbox { Rung::OwnTap } else { Rung::Present }, &named(config, name)),
        LinkRequest::Packet { name } => packet_plan(name, config),
        LinkRequest::Veth => plan(Rung::OwnVeth, config),
        LinkRequest::InProcess => Plan::default(),
    };
    plan.commands()
}

/// From the top down, until a rung holds.
fn automatic(sandbox: bool, config: &Config) -> Result<Opened, LinkError> {
    let higher = if sandbox {
        None
    } else {
        let why = "this process may set up the network here";
        match stand(Rung::Present, plan(Rung::Present, config), sandbox, why.into(), None) {
            Ok(opened) => return Ok(opened),
            Err(error) if error.is_lack_of_means() => Some(error),
            Err(error) => return Err(error.into()),
        }
    };
    own(sandbox, config, higher)
}

/// A namespace of its own, entered once, for there is no way back: with a TAP, or else with a veth pair.
fn own(sandbox: bool, config: &Config, higher: Option<StepError>) -> Result<Opened, LinkError> {
    let entrance = Plan { steps: own_namespace().into() };
    if let Err(error) = entrance.carry_out() {
        return last_resort(config, error);
    }
    let (why, lift) = match &higher {
        Some(error) => (error.reason(), Some("root, or CAP_NET_ADMIN".to_owned())),
        None => ("a sandbox is a namespace of its own".to_owned(), None),
    };
    let attempt = |rung, why, lift| {
        let opened = stand(rung, Plan { steps: inside(rung, config) }, sandbox, why, lift)?;
        let steps = [entrance.steps.clone(), opened.plan.steps].concat();
        Ok(Opened { plan: Plan { steps }, ..opened })
    };
    match attempt(Rung::OwnTap, why, lift) {
        Err(error) if StepError::is_lack_of_means(&error) => {
            attempt(Rung::OwnVeth, error.reason(), error.mend()).or_else(|error| last_resort(config, error))
        }
        outcome => Ok(outcome?),
    }
}

fn last_resort(config: &Config, error: StepError) -> Result<Opened, LinkError> {
    match (error.is_lack_of_means(), config.in_process) {
        (true, true) => in_process(config, error.reason(), error.mend()),
        (true, false) => Err(LinkError::Nothing { reason: error.to_string() }),
        (false, _) => Err(error.into()),
    }
}

/// Carries the plan out, and says where the link stands then.
fn stand(rung: Rung, plan: Plan, sandbox: bool, why: String, lift: Option<String>) -> Result<Opened, StepError> {
    let user = namespace::needs_user_namespace();
    let Carried { device, more, warnings } = plan.carry_out()?;
    let device = device.expect("the plan of every rung but the last opens a device");
    let own = matches!(rung, Rung::OwnTap | Rung::OwnVeth);
    let enter = (own && !sandbox).then(|| enter_command(user));
    Ok(Opened {
        standing: Standing { rung, device: device.describe(), why, lift, enter, warnings },
        device,
        more,
        peer: None,
        plan,
    })
}

fn enter_command(user: bool) -> String {
    let credentials = if user { "--user --preserve-credentials " } else { "" };
    format!("nsenter --target {} {credentials}--net", std::process::id())
}

fn in_process(config: &Config, why: String, lift: Option<String>) -> Result<Opened, LinkError> {
    let (device, peer) = Link::pollable_pair(link::Config { mtu: config.mtu, ..link::Config::default() })?;
    let standing =
        Standing { rung: Rung::InProcess, device: device.describe(), why, lift, enter: None, warnings: Vec::new() };
    Ok(Opened { device: Box::new(device), more: Vec::new(), peer: Some(peer), standing, plan: Plan::default() })
}

/// The rung on which `auto` will most likely stand.
fn foreseen(sandbox: bool) -> Rung {
    match (tap::node_opens().is_ok(), sandbox || !namespace::has(CapabilitySet::NET_ADMIN)) {
        (true, false) => Rung::Present,
        (true, true) => Rung::OwnTap,
        (false, _) => Rung::OwnVeth,
    }
}

/// The steps to a rung, from the namespace that this process is in.
pub fn plan(rung: Rung, config: &Config) -> Plan {
    match rung {
        Rung::Present | Rung::InProcess => Plan { steps: inside(rung, config) },
        Rung::OwnTap | Rung::OwnVeth => Plan { steps: [own_namespace().into(), inside(rung, config)].concat() },
    }
}

fn own_namespace() -> [Step; 3] {
    let user = namespace::needs_user_namespace();
    [Step::EnterNamespace { user }, Step::BringUp { name: "lo".into() }, Step::AllowPing]
}

/// The steps to a rung within the namespace in which it stands.
fn inside(rung: Rung, config: &Config) -> Vec<Step> {
    let (name, offload) = (|| config.name.clone(), config.offload);
    let tap = Step::OpenTap { name: name(), offload, queues: config.queues };
    let queue = Step::SetQueueLen { name: name(), frames: QUEUE_FRAMES };
    match rung {
        // Somebody has set the interface up already, and it stays as it is.
        Rung::Present if interface::facts(&config.name).is_ok_and(|facts| facts.up) => vec![tap],
        Rung::Present | Rung::OwnTap => {
            let steers = config.steering && offload && config.queues == 1 && namespace::rules_the_machine();
            let steer = steers.then(|| Step::Steer { name: name() });
            [vec![tap, queue], steer.into_iter().collect(), kernel_end(config)].concat()
        }
        Rung::OwnVeth => {
            let carrier = Step::AwaitCarrier { name: config.peer_name() };
            let packet = Step::OpenPacket { name: config.peer_name(), offload };
            [veth_pair(config), kernel_end(config), vec![carrier, packet]].concat()
        }
        Rung::InProcess => Vec::new(),
    }
}

/// A veth pair, and its end for the stack, on which the kernel keeps silent.
fn veth_pair(config: &Config) -> Vec<Step> {
    let (name, peer) = (config.name.clone(), config.peer_name());
    let segments = (!config.offload).then(|| Step::SendSegments { name: name.clone() });
    let mut steps = vec![Step::AddVeth { name, peer: peer.clone() }];
    steps.extend(segments);
    steps.extend([
        Step::SetMtu { name: peer.clone(), mtu: config.mtu },
        Step::NoGeneratedAddress { name: peer.clone() },
        Step::NoArp { name: peer.clone() },
        Step::BringUp { name: peer },
    ]);
    steps
}

/// The kernel's interface, the same on every rung.
fn kernel_end(config: &Config) -> Vec<Step> {
    let name = || config.name.clone();
    let mut steps = vec![
        Step::SetMac { name: name(), mac: config.kernel_mac },
        Step::SetMtu { name: name(), mtu: config.mtu },
        Step::NoGeneratedAddress { name: name() },
        Step::BringUp { name: name() },
    ];
    steps.extend(config.addresses.iter().map(|&stack| match kernel_address(stack) {
        Some(prefix) => Step::AddAddress { name: name(), prefix },
        // A network of one address has no place for the kernel, which finds the stack by a route.
        None => Step::AddRoute { name: name(), prefix: stack },
    }));
    steps
}

fn packet_plan(name: &str, config: &Config) -> Plan {
    Plan { steps: vec![Step::OpenPacket { name: name.to_owned(), offload: config.offload }] }
}

fn named(config: &Config, name: &Option<String>) -> Config {
    Config { name: name.clone().unwrap_or_else(|| config.name.clone()), ..config.clone() }
}
