//! `strata serve`: the stack on a device, with its HTTP application and the small services.

use super::failure::{Doing, Failure};
use super::node::{Needs, Node};
use super::options::{HostOptions, SiteOptions, ViewOptions};
use super::views::Terminal;
use crate::app::executor::{Beside, Executor};
use crate::app::{http, services};
use crate::probe::layer_tree::Detail;
use crate::runtime::asynchronous::TcpListener;
use crate::runtime::{Driver, Host};
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
        for driver in node.drivers() {
            start(driver, &self.host, &self.site, node.seed())?;
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

/// Starts HTTP and the small services beside a stack, on its driver's thread.
pub fn start(driver: &Driver, options: &HostOptions, site: &SiteOptions, seed: u64) -> Result<(), Failure> {
    let (host, beside) = (driver.host(), Beside(driver.spawner().clone()));
    let local = SocketAddr::new(options.address(), HTTP_PORT);
    let listener = TcpListener::bind_with(host, any(local), BACKLOG, |_| {}).doing("HTTP")?;
    let site = http::Site { root: site.root.clone(), seed };
    let (router, clock, executor) = (http::router(&site), host.clock().clone(), beside.clone());
    beside.spawn(async move {
        let ended = http::serve(listener, router, clock, executor).await;
        tracing::debug!("HTTP has ended: {ended}");
    });
    services::start(host, any(local).ip(), seed, &beside).doing("the small services")
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
