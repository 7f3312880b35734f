//! Our stack with its default settings, its applications as tasks on the driver's thread.

use super::{SERVER, on_a_thread};
use crate::client::{REQUEST, port, response};
use crate::machine::Worker;
use crate::workload::Workload;
use std::future::Future;
use std::net::Ipv4Addr;
use std::time::Duration;
use strata::runtime::asynchronous::{TcpListener, TcpStream, UdpSocket};
use strata::runtime::sandbox::{self, LinkRequest};
use strata::runtime::{Host, LocalDriver, Spawner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub fn serve<T>(workload: Workload, client: impl FnOnce(&Worker) -> T) -> T {
    let config = sandbox::Config { offload: !workload.plain, ..sandbox::Config::default() };
    let link = sandbox::open(&LinkRequest::Tap { name: None }, true, &config).expect("a TAP in a namespace of our own");
    let worker = on_a_thread(move || {
        let mut driver = LocalDriver::new(strata::stack::Config::default(), 7, link.device, None).expect("a stack");
        if workload.busy_poll {
            driver.set_busy_poll(Duration::from_secs(1));
        }
        let (host, spawner) = (driver.host().clone(), driver.spawner());
        listen(&host, &spawner, port::ECHO, echo);
        listen(&host, &spawner, port::DISCARD, discard);
        listen(&host, &spawner, port::SOURCE, source);
        listen(&host, &spawner, port::HTTP, http);
        listen(&host, &spawner, port::HTTP_ONCE, http_once);
        driver.run(datagrams(host)).expect("a device that works");
    });
    client(&worker)
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
    let zeroes = vec![0; 256 * 1024];
    while stream.write_all(&zeroes).await.is_ok() {}
}

async fn http(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("an open stream");
    let (mut request, response) = ([0; REQUEST.len()], response());
    while stream.read_exact(&mut request).await.is_ok() && stream.write_all(&response).await.is_ok() {}
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
    let listener = TcpListener::bind(host, (SERVER, port).into()).expect("a free port");
    let connections = spawner.clone();
    spawner.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    });
}
