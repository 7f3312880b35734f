//! Our stack with its default settings, on a plain TAP, its applications as tasks on the driver's thread.

use crate::client::{DISCARD, ECHO, HTTP, REQUEST, SOURCE, response};
use std::future::Future;
use std::net::Ipv4Addr;
use strata::runtime::asynchronous::{TcpListener, TcpStream, UdpSocket};
use strata::runtime::sandbox::{self, LinkRequest};
use strata::runtime::{Host, LocalDriver, Spawner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Serves on a TAP in a namespace of this process while `client` runs.
pub fn serve(client: impl FnOnce(Ipv4Addr) -> f64) -> f64 {
    let request = LinkRequest::Tap { name: None };
    let link = sandbox::open(&request, true, &sandbox::Config::default()).expect("a TAP in a namespace of our own");
    std::thread::spawn(move || {
        let mut driver =
            LocalDriver::new(strata::stack::Config::default(), 7, link.device, None).expect("a running stack");
        let (host, spawner) = (driver.host().clone(), driver.spawner());
        listen(&host, &spawner, DISCARD, discard);
        listen(&host, &spawner, SOURCE, source);
        listen(&host, &spawner, HTTP, http);
        driver.run(echo(host)).expect("a device that works");
    });
    client(SERVER)
}

async fn discard(mut stream: TcpStream) {
    let mut into = vec![0; 256 * 1024];
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

async fn echo(host: Host) {
    let socket = UdpSocket::bind(&host, (Ipv4Addr::UNSPECIFIED, ECHO).into()).expect("a free port");
    let mut into = [0; 2048];
    while let Ok((len, from)) = socket.recv_from(&mut into).await {
        let _lost = socket.send_to(&into[..len], from).await;
    }
}

fn listen<F>(host: &Host, spawner: &Spawner, port: u16, serve: fn(TcpStream) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind(host, (Ipv4Addr::UNSPECIFIED, port).into()).expect("a free port");
    let connections = spawner.clone();
    spawner.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    });
}
