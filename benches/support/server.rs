//! Our stack on a TAP in a namespace of our own, its applications as tasks on the driver's thread.

use super::SERVER;
use super::client::{BODY, REQUEST, port, response, written};
use super::machine::Worker;
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::LazyLock;
use std::time::Duration;
use strata::app::executor::{Beside, Executor, Tokio};
use strata::app::http as web;
use strata::device::Device;
use strata::runtime::asynchronous::{TcpListener, TcpStream, UdpSocket};
use strata::runtime::sandbox::{self, LinkRequest};
use strata::runtime::{Driver, Host, LocalDriver, Polling, Spawner};
use strata::stack;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

/// A TAP in a namespace that this process enters, with offloads or with plain frames.
pub fn tap(offload: bool) -> Box<dyn Device> {
    let config = sandbox::Config { offload, ..sandbox::Config::default() };
    sandbox::open(&LinkRequest::Tap { name: None }, true, &config).expect("a TAP in a namespace of our own").device
}

/// Who answers requests.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Http {
    /// A handler that just counts them off.
    #[default]
    Plain,
    /// A handler of `axum`, by way of `hyper`, on the driver's thread: as `strata serve` has it.
    Axum,
    /// The same on tokio's threads, with the driver on one of its own: what a program gets that spawns its connections on
    /// tokio.
    AxumOnTokio,
}

/// How the applications and their driver go about it.
#[derive(Clone, Copy, Default)]
pub struct Habits {
    /// How long the driver looks for frames before it sleeps.
    pub busy_poll: Duration,
    /// Bulk is read in place and handed over, where it is copied otherwise.
    pub owned: bool,
    /// Who answers requests.
    pub http: Http,
}

/// Serves on `device` from a thread of its own; gives that thread and the host that runs there.
pub fn serve(device: Box<dyn Device>, config: stack::Config, habits: Habits) -> (Worker, Host) {
    let (tell, told) = std::sync::mpsc::channel();
    let worker = on_a_thread("stack", move || {
        let tokio = (habits.http == Http::Axum).then(|| threads(1));
        let _within = tokio.as_ref().map(Runtime::enter);
        let mut driver = LocalDriver::new(config, 7, device, None).expect("a stack");
        driver.set_polling(if habits.busy_poll.is_zero() { Polling::Sleep } else { Polling::Busy(habits.busy_poll) });
        let (host, spawner) = (driver.host().clone(), driver.spawner());
        listen(&host, &spawner, port::ECHO, echo);
        if habits.owned {
            listen(&host, &spawner, port::DISCARD, discard_in_place);
            listen(&host, &spawner, port::SOURCE, source_of_bytes);
        } else {
            listen(&host, &spawner, port::DISCARD, discard);
            listen(&host, &spawner, port::SOURCE, source);
        }
        spawner.spawn(hold(bind(&host, port::IDLE)));
        match habits.http {
            Http::Plain => listen(&host, &spawner, port::HTTP, http),
            Http::Axum | Http::AxumOnTokio => serve_pages(&host, Beside(driver.send_spawner())),
        }
        listen(&host, &spawner, port::HTTP_ONCE, http_once);
        tell.send(host.clone()).expect("somebody listens");
        driver.run(datagrams(host)).expect("a device that works");
    });
    (worker, told.recv().expect("a stack that starts"))
}

/// Serves HTTP alone, by `axum` on tokio; gives the driver, which runs until it is dropped, with the runtime.
pub fn serve_on_tokio(device: Box<dyn Device>, config: stack::Config) -> (Driver, Runtime) {
    let driver = Driver::start(config, 7, device, None).expect("a stack");
    let runtime = threads(std::thread::available_parallelism().map_or(1, usize::from));
    let within = runtime.enter();
    serve_pages(driver.host(), Tokio);
    Tokio.spawn(hold(bind(driver.host(), port::IDLE)));
    drop(within);
    (driver, runtime)
}

fn threads(count: usize) -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(count).enable_all().build().expect("threads")
}

/// Lets a thread serve, and learns which one it is. `name` is what profilers call it.
pub fn on_a_thread(name: &str, serve: impl FnOnce() + Send + 'static) -> Worker {
    let (tell, told) = std::sync::mpsc::channel();
    let run = move || {
        tell.send(Worker::this_thread()).expect("somebody listens");
        serve();
    };
    std::thread::Builder::new().name(name.into()).spawn(run).expect("a thread");
    told.recv().expect("a thread that starts")
}

/// Accepts connections and keeps them.
async fn hold(listener: TcpListener) {
    let mut held = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        held.push(stream);
    }
}

fn bind(host: &Host, port: u16) -> TcpListener {
    TcpListener::bind(host, (SERVER, port).into()).expect("a free port")
}

async fn echo(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("an open stream");
    let mut into = [0; 1024];
    while let Ok(len) = stream.read(&mut into).await
        && len > 0
        && stream.write_all(&into[..len]).await.is_ok()
    {}
}

async fn discard(mut stream: TcpStream) {
    // What has come is read as it comes: a buffer of its own for an idle connection would be the most of what it costs.
    let mut first = [0; 64];
    let mut into = match stream.read(&mut first).await {
        Ok(len) if len > 0 => vec![0; 256 * 1024],
        _ => return,
    };
    while stream.read(&mut into).await.is_ok_and(|len| len > 0) {}
}

async fn source(mut stream: TcpStream) {
    let data = written(256 * 1024);
    while stream.write_all(&data).await.is_ok() {}
}

async fn discard_in_place(stream: TcpStream) {
    while stream.read_with(|bytes| (bytes.len(), !bytes.is_empty())).await.is_ok_and(|more| more) {}
}

async fn source_of_bytes(stream: TcpStream) {
    let data = Bytes::from(written(64 * 1024));
    while stream.write_bytes(&mut data.clone()).await.is_ok() {}
}

/// What the plainest handler answers: the same memory for all, as the responder without state has it.
static RESPONSE: LazyLock<Bytes> = LazyLock::new(|| response().into());

async fn http(stream: TcpStream) {
    stream.set_nodelay(true).expect("an open stream");
    while count_off(&stream, REQUEST.len()).await && stream.write_bytes(&mut RESPONSE.clone()).await.is_ok() {}
}

/// Takes so many bytes and looks at none; false when the stream ends before.
async fn count_off(stream: &TcpStream, mut missing: usize) -> bool {
    while missing > 0 {
        let take = |bytes: &[u8]| (bytes.len().min(missing), bytes.len().min(missing));
        match stream.read_with(take).await {
            Ok(len) if len > 0 => missing -= len,
            Ok(_) | Err(_) => return false,
        }
    }
    true
}

/// The pages of the server that is written with `axum`.
static PAGES: LazyLock<Router> = LazyLock::new(|| {
    const PAGE: &[u8] = &[b'x'; BODY];
    Router::new().route("/", get(async || PAGE))
});

fn serve_pages(host: &Host, executor: impl Executor) {
    let (listener, clock) = (bind(host, port::HTTP), host.clock().clone());
    let connections = executor.clone();
    executor.spawn(async move { drop(web::serve(listener, PAGES.clone(), clock, connections).await) });
}

async fn http_once(mut stream: TcpStream) {
    let mut request = [0; REQUEST.len()];
    if stream.read_exact(&mut request).await.is_ok() && stream.write_all(&response()).await.is_ok() {
        let _gone = stream.shutdown().await;
    }
}

async fn datagrams(host: Host) {
    let socket = UdpSocket::bind(&host, (Ipv4Addr::UNSPECIFIED, port::ECHO).into()).expect("a free port");
    let mut into = [0; 2048];
    while let Ok((len, from)) = socket.recv_from(&mut into).await {
        let _lost = socket.send_to(&into[..len], from).await;
    }
}

fn listen<F>(host: &Host, spawner: &Spawner, port: u16, serve: fn(TcpStream) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let listener = bind(host, port);
    let connections = spawner.clone();
    spawner.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    });
}
