//! `strata sandbox -- CMD`: any program meets the stack.

use super::failure::Failure;
use super::node::{Needs, Node};
use super::options::{HostOptions, SiteOptions, ViewOptions};
use super::serve;
use super::views::Terminal;
use crate::probe::layer_tree::Detail;
use crate::runtime::sandbox;
use clap::Args;
use std::ffi::OsString;
use tokio::signal::unix::{SignalKind, signal};

/// Run a command in a fresh namespace with the stack at the other end of its network
///
/// The command finds an interface strata0 with 192.0.2.1, and the stack serving at 192.0.2.2 what `strata serve` does.
/// Its exit status is passed on, and nothing is left behind.
#[derive(Args, Debug)]
pub struct Sandbox {
    /// The command and its arguments, after --
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,

    #[command(flatten)]
    host: HostOptions,
    #[command(flatten)]
    site: SiteOptions,
    #[command(flatten)]
    views: ViewOptions,
}

impl Sandbox {
    pub fn run(self) -> Result<u8, Failure> {
        self.site.check()?;
        let terminal = Terminal::Stderr(Detail::Full);
        let Some(node) = Node::start(&self.host, &self.views, Needs::SANDBOX, terminal)? else { return Ok(0) };
        for driver in node.drivers() {
            serve::start(driver, &self.host, &self.site, node.seed())?;
        }
        let _within = node.runtime().enter();
        let ran = run(&self.command);
        if node.is_watched() {
            node.settle();
        }
        node.stop()?;
        ran
    }
}

/// Runs the command and gives its exit status; to be called within tokio's runtime.
fn run(command: &[OsString]) -> Result<u8, Failure> {
    // An interrupt from the keyboard reaches the command as well; what it does about it decides.
    let _survives = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut child = sandbox::spawn(command).map_err(|error| Failure {
        status: u8::try_from(error.exit_code()).unwrap_or(1),
        sentence: error.to_string(),
    })?;
    let pid = rustix::process::Pid::from_child(&child);
    // Whoever ends us means the command.
    let passing_on = tokio::spawn(async move {
        while terminate.recv().await.is_some() {
            // The only error is a command that has ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    });
    let ended = child.wait();
    passing_on.abort();
    Ok(u8::try_from(sandbox::exit_code(ended?)).unwrap_or(1))
}
