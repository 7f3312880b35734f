//! Runs a script against a stack in virtual time.
//!
//! Events happen strictly in their order. Before each the clock goes on, from one deadline of the stack to the next,
//! to the event's time; an expected packet is looked for at once, so that one which comes too early is noticed. What
//! the stack cannot do, and what this runner cannot, ends the script as unsupported: neither passed nor failed.
//!
//! `machine` is the stack with its clock, `mapping` the numbers of script and wire, `inbound`, `outbound`, `expect` and
//! `compare` the packets of the two directions, `calls`, `options`, `poll` and `epoll` the system calls on `sockets`, `code` the
//! assertions, `settings` what the script's options say of its surroundings, `commands` and `sysctl` what its commands
//! would do to them.

mod calls;
mod code;
mod commands;
mod compare;
mod constants;
mod epoll;
mod events;
mod expect;
mod inbound;
mod machine;
mod mapping;
mod options;
mod outbound;
mod poll;
mod settings;
mod sockets;
mod stamps;
mod sysctl;

use super::syntax::{Call, Script};
use crate::device::SUPER_FRAME;
use crate::event::Observer;
use crate::stack;
use crate::tcp;
use crate::time::Instant;
use machine::Machine;
use mapping::Mapping;
use settings::Settings;
use sockets::File;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::time::Duration;
use sysctl::Sysctls;

/// How a script is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What TCP sockets start with; see [`tcp::Config::profile`].
    pub tcp: tcp::Config,
    /// The system whose socket interface scripts expect, where systems differ.
    pub system: System,
    /// Overlook what stacks may well do in different ways: the order of options, the size of windows, an
    /// acknowledgment that another one overtakes.
    pub relaxed: bool,
    /// How long the host has been up when the script begins. Its initial sequence numbers follow the clock, a step every
    /// 4 µs (RFC 9293 §3.4.1), so that this can put them anywhere.
    pub uptime: Duration,
    /// The stack leaves checksums and segmentation to its device, and scripts see what that puts on the wire.
    pub offload: bool,
    /// How many packets may be handed to the stack and deadlines of the stack pass, all in all, before the script counts
    /// as one without end.
    pub most_steps: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            tcp: tcp::Config::default(),
            system: System::default(),
            relaxed: false,
            uptime: Duration::ZERO,
            offload: false,
            most_steps: 1_000_000,
        }
    }
}

/// The systems that scripts are written for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum System {
    #[default]
    Linux,
    FreeBsd,
}

impl Options {
    /// How scripts are run that were written for a stack: one of [`tcp::Config::PROFILES`].
    pub fn profile(name: &str) -> Option<Options> {
        let system = if name == "freebsd" { System::FreeBsd } else { System::Linux };
        Some(Options { tcp: tcp::Config::profile(name)?, system, ..Options::default() })
    }
}

/// What became of a script.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Passed,
    /// `expected` and `got` are text of the script's language where they are packets.
    Failed {
        line: u32,
        expected: String,
        got: String,
    },
    /// Neither passed nor failed.
    Unsupported {
        line: u32,
        reason: String,
    },
}

/// Why a script does not go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    Failed { expected: String, got: String },
    Unsupported(String),
}

impl Stop {
    fn failed(expected: impl Display, got: impl Display) -> Stop {
        Stop::Failed { expected: expected.to_string(), got: got.to_string() }
    }

    fn unsupported(reason: impl Into<String>) -> Stop {
        Stop::Unsupported(reason.into())
    }
}

/// Runs a script from its beginning to its end; `observer` watches the stack.
pub fn run(script: &Script, options: &Options, observer: Option<Box<dyn Observer>>) -> Outcome {
    let outcome = Run::new(script, options, observer).map_err(|stop| (1, stop)).and_then(|mut run| {
        let outcome = if run.settings.dry_run { Ok(()) } else { run.events(script) };
        run.finish();
        outcome
    });
    match outcome {
        Ok(()) => Outcome::Passed,
        Err((line, Stop::Failed { expected, got })) => Outcome::Failed { line, expected, got },
        Err((line, Stop::Unsupported(reason))) => Outcome::Unsupported { line, reason },
    }
}

/// Where packets to the peer go. On the device of the field's tool, which has no link layer, the host may be its own
/// gateway: here somebody else on the link has to be.
fn router(settings: &Settings) -> Ipv4Addr {
    if settings.gateway == settings.local { Ipv4Addr::from(u32::from(settings.local) ^ 3) } else { settings.gateway }
}

/// What a system call gave.
struct Returned {
    value: i64,
    errno: Option<&'static str>,
    /// Any value that is no error is as good as another.
    descriptor: bool,
}

impl Returned {
    fn value(value: i64) -> Returned {
        Returned { value, errno: None, descriptor: false }
    }
}

/// A system call that has begun and not returned.
struct Pending {
    call: Call,
    line: u32,
    started: Instant,
    /// When the script wants it to return, and how exactly.
    end: Option<(Instant, std::time::Duration)>,
    begun: bool,
    /// Bytes that it has written so far.
    progress: usize,
    /// Its own timeout.
    wake_at: Option<Instant>,
}

/// A script that is being run.
struct Run {
    machine: Machine,
    map: Mapping,
    files: BTreeMap<i64, File>,
    pending: Vec<Pending>,
    /// What the script's code has named.
    variables: code::Variables,
    /// How many bytes are in each pipe.
    pipes: Vec<usize>,
    settings: Settings,
    sysctls: Sysctls,
    /// What new sockets start with.
    config: tcp::Config,
    system: System,
    relaxed: bool,
    /// The socket under test speaks UDP.
    udp: bool,
    /// Everything that was written was zeros.
    zeros: bool,
    /// When the previous event was complete, and its nominal time if it was an inbound packet.
    previous: Instant,
    previous_inbound: Option<Instant>,
}

impl Run {
    fn new(script: &Script, options: &Options, observer: Option<Box<dyn Observer>>) -> Result<Run, Stop> {
        let mut settings = Settings::of(script)?;
        let profile = settings.profile.take().unwrap_or_else(|| options.clone());
        let (config, system) = (profile.tcp, profile.system);
        let init = script.init.as_deref().unwrap_or_default();
        for order in commands::orders(init)? {
            if let commands::Order::Mtu(mtu) = order {
                settings.mtu = mtu;
            }
        }
        let address =
            ipnet::Ipv4Net::new(settings.local, settings.prefix).map_err(|_| Stop::unsupported("this netmask"))?;
        let stack = stack::Config {
            addresses: vec![address.into()],
            gateway: Some(router(&settings).into()),
            mtu: settings.mtu,
            tcp: config.clone(),
            partial_checksum: options.offload,
            segmentation: options.offload.then_some(SUPER_FRAME),
            ..stack::Config::default()
        };
        let machine = Machine::new(stack, settings.local, options, observer)?;
        let mut run = Run {
            previous: machine.beginning(),
            previous_inbound: None,
            map: Mapping::new(settings.local, settings.remote),
            machine,
            files: BTreeMap::new(),
            pending: Vec::new(),
            variables: code::Variables::new(),
            pipes: Vec::new(),
            relaxed: options.relaxed || settings.relaxed,
            settings,
            sysctls: Sysctls::default(),
            config,
            system,
            udp: false,
            zeros: true,
        };
        run.command(init)?;
        Ok(run)
    }

    /// Closes every socket, and lets a RST end the connection under test.
    fn finish(&mut self) {
        let files = std::mem::take(&mut self.files);
        files.into_values().for_each(|file| self.release(file));
        // Whatever the stack makes of its end, the outcome stands.
        let _ = self.machine.drain();
        if let Some(reset) = inbound::farewell(&mut self.map) {
            let _ = self.machine.inject(&[reset]);
        }
    }
}
