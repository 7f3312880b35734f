//! `strata serve`: the stack on a device, with its HTTP application and the small services.

use super::failure::{Doing, Failure};
use super::node::{Needs, Node};
use super::options::{HostOptions, SiteOptions, ViewOptions};
use super::views::Terminal;
use crate::app::executor::Tokio;
use crate::app::{http, services};
use crate::probe::layer_tree::Detail;
use crate::runtime::Host;
use crate::runtime::asynchronous::TcpListener;
use clap::Args;
use std::net::SocketAddr;
use tokio::signal::unix::{SignalKind, signal};

/// Where HTTP is served.
pub const HTTP_PORT: u16 = 80;

/// Run the stack on a TAP or another device with its HTTP application and the small services
///
/// HTTP answers on port 80, echo on 7, discard on 9, daytime on 13 and chargen on 19. It runs until it is interrupted.
#[derive(Args, Debug)]
pub struct Serve {
    #[command(flatten)]
    host: HostOptions,
    #[command(flatten)]
    site: SiteOptions,
    #[command(flatten)]
    views: ViewOptions,
}

impl Serve {
    pub fn run(self) -> Result<u8, Failure> {
        self.site.check()?;
        let Some(node) = Node::start(&self.host, &self.views, Needs::SERVER, Terminal::Stdout(Detail::Full))? else {
            return Ok(0);
        };
        let _within = node.runtime().enter();
        for host in node.hosts() {
            start(host, &self.host, &self.site, node.seed())?;
        }
        let address = self.host.address();
        match &node.standing().enter {
            Some(enter) => anstream::eprintln!("strata: serving; to reach it: {enter} curl http://{address}/"),
            None => anstream::eprintln!("strata: serving http://{address}/ until interrupted"),
        }
        let ended = node.runtime().block_on(interrupted(node.host()));
        // The views are closed either way; the first reason is the one to tell.
        let stopped = node.stop();
        ended.and(stopped)?;
        Ok(0)
    }
}

/// Starts HTTP and the small services on `host`; to be called within tokio's runtime.
pub fn start(host: &Host, options: &HostOptions, site: &SiteOptions, seed: u64) -> Result<(), Failure> {
    let local = SocketAddr::new(options.address(), HTTP_PORT);
    let listener = TcpListener::bind_with(host, any(local), BACKLOG, |_| {}).doing("HTTP")?;
    let site = http::Site { root: site.root.clone(), seed };
    let (router, clock) = (http::router(&site), host.clock().clone());
    tokio::spawn(async move {
        let ended = http::serve(listener, router, clock, Tokio).await;
        tracing::debug!("HTTP has ended: {ended}");
    });
    services::start(host, any(local).ip(), seed, &Tokio).doing("the small services")
}

/// A busy server: a thousand connections may come at once.
const BACKLOG: usize = 1024;

/// All of our addresses, of the family of `local`.
fn any(local: SocketAddr) -> SocketAddr {
    let unspecified = match local {
        SocketAddr::V4(_) => std::net::IpAddr::from([0; 4]),
        SocketAddr::V6(_) => std::net::IpAddr::from([0; 16]),
    };
    SocketAddr::new(unspecified, local.port())
}

/// Waits for an interrupt, a request to terminate, or the end of the stack, which is an error.
async fn interrupted(host: &Host) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = host.until_ended() => Err(ended.into()),
    }
}
