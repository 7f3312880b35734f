//! Where servers run: in real time beside a stack on its driver's thread, or on tokio's threads; or in a simulation in
//! virtual time.

use crate::runtime::SendSpawner;
use crate::sim;
use std::future::Future;
use std::time::Duration;

/// What a server asks of the executor that it runs on.
pub trait Executor: Clone + Send + Sync + 'static {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    fn timer(&self) -> Timer;
}

/// What a task sleeps with.
#[derive(Clone)]
pub enum Timer {
    Tokio,
    Simulated(sim::Time),
}

impl Timer {
    pub async fn sleep(&self, span: Duration) {
        match self {
            Timer::Tokio => tokio::time::sleep(span).await,
            Timer::Simulated(time) => time.sleep(span).await,
        }
    }
}

/// The thread of a driver: a request is answered without a hop to another. The driver has to be started, or run, within a
/// runtime of tokio, which gives it timers and threads for what blocks.
///
/// ```no_run
/// # fn device() -> Box<dyn strata::device::Device> { unimplemented!() }
/// use strata::app::executor::{Beside, Executor};
/// use strata::app::http;
/// use strata::runtime::{Driver, asynchronous::TcpListener};
///
/// let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
/// let _within = tokio.enter();
/// let driver = Driver::start(strata::stack::Config::default(), 7, device(), None)?;
/// let listener = TcpListener::bind(driver.host(), "192.0.2.2:80".parse().unwrap())?;
/// let router = axum::Router::new().route("/", axum::routing::get(async || "answered beside the stack"));
/// let (clock, beside) = (driver.host().clock().clone(), Beside(driver.spawner().clone()));
/// beside.clone().spawn(async move {
///     http::serve(listener, router, clock, beside).await;
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Beside(pub SendSpawner);

impl Executor for Beside {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    fn timer(&self) -> Timer {
        Timer::Tokio
    }
}

/// Tokio's executor; to be used within its runtime. Each request costs two hops between its threads and the driver's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Executor for Tokio {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    fn timer(&self) -> Timer {
        Timer::Tokio
    }
}

/// A simulation's executor.
#[derive(Clone)]
pub struct Simulated {
    pub spawner: sim::Spawner,
    pub time: sim::Time,
}

impl Executor for Simulated {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawner.spawn(task);
    }

    fn timer(&self) -> Timer {
        Timer::Simulated(self.time.clone())
    }
}
