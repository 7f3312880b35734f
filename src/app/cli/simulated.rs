//! The demo's request between two hosts of ours in virtual time: the same frames on every machine, at the same times.

use super::failure::{Doing, Failure};
use super::views::tree_style;
use crate::app::executor::Simulated;
use crate::app::http;
use crate::device::link::{Config as LinkConfig, Link};
use crate::probe::layer_tree::{self, Detail};
use crate::probe::{Fanout, capture};
use crate::runtime::Host;
use crate::runtime::asynchronous::{TcpListener, TcpStream};
use crate::sim::Simulation;
use crate::stack;
use crate::time::Instant;
use axum::http::{Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// When it happens: the first of January 2026, 00:00 UTC.
const BEGINNING: Instant = Instant::from_secs(1_767_225_600);

const SEED: u64 = 791;

/// How long a frame takes over the link.
const DELAY: Duration = Duration::from_micros(100);

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Fetches the landing page of one host from the other, with a capture of the server's side and its frames on the
/// terminal; gives the answer, head and page.
pub fn request(path: &Path, detail: Detail) -> Result<Vec<u8>, Failure> {
    let file = File::create(path).doing(format_args!("cannot create {}", path.display()))?;
    let (answer, file) = record(BufWriter::new(file), anstream::stdout(), detail)?;
    let mut file = file;
    file.flush().doing(format_args!("writing {}", path.display()))?;
    Ok(answer)
}

/// The same to any two outputs; gives back the one of the capture.
fn record<W>(capture_to: W, tree_to: impl Write + Send + 'static, detail: Detail) -> Result<(Vec<u8>, W), Failure>
where
    W: Write + Send + 'static,
{
    let (left, right) = Link::pair(LinkConfig { delay: DELAY, ..LinkConfig::default() });
    let about =
        capture::Options { description: right_description(), reproducible: true, ..capture::Options::default() };
    let capture = capture::direct(capture_to, &about)?;
    let tree = layer_tree::direct(tree_to, tree_style(&std::io::stdout(), detail));
    let observer = Fanout::new().with(capture.clone()).with(tree.clone()).into_observer();

    let mut sim = Simulation::starting_at(BEGINNING);
    let client = sim.add_host(config(1), SEED, Box::new(left), None);
    let server = sim.add_host(stack::Config::default(), SEED + 1, Box::new(right), observer);
    serve(&sim, &server)?;
    let (spawner, host) = (sim.spawner(), client.clone());
    let answer = sim.run(async move { fetch(&host, &spawner).await })?;
    // Until the four-way close is complete: what is left then waits in TIME-WAIT.
    let over = || client.unfinished_connections() + server.unfinished_connections() == 0;
    sim.run_until(Duration::from_secs(10), over).doing("the connection did not come to its end")?;
    server.set_observer(None);
    tree.finish().doing("drawing the layers")?;
    let (_, sink) = capture.finish().doing("writing the capture")?;
    Ok((answer, sink.into_inner()))
}

fn right_description() -> String {
    "in-process link in virtual time, MTU 1500".into()
}

fn config(last: u8) -> stack::Config {
    let address = ipnet::Ipv4Net::new(Ipv4Addr::new(192, 0, 2, last), 24).expect("a prefix length of IPv4");
    stack::Config { mac: [0x02, 0, 0, 0, 0, last], addresses: vec![address.into()], ..stack::Config::default() }
}

fn serve(sim: &Simulation, server: &Host) -> Result<(), Failure> {
    let listener = TcpListener::bind(server, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80)))?;
    let site = http::Site { root: None, seed: SEED };
    let executor = Simulated { spawner: sim.spawner(), time: sim.time() };
    let (router, clock) = (http::router(&site), server.clock().clone());
    sim.spawn(async move {
        // The end of the host, with which the simulation ends as well.
        let _ = http::serve(listener, router, clock, executor).await;
    });
    Ok(())
}

/// One request with hyper's client; the answer as it stood on the wire, but for the order of header fields.
async fn fetch(host: &Host, spawner: &crate::sim::Spawner) -> Result<Vec<u8>, Failure> {
    let stream = TcpStream::connect(host, SocketAddr::from((SERVER, 80))).await?;
    let (mut sender, conversation) = http1::handshake(TokioIo::new(stream)).await.doing("HTTP")?;
    spawner.spawn(async move {
        // Its end after the answer is no concern of the answer.
        let _ = conversation.await;
    });
    let request = Request::get("/")
        .header(header::HOST, SERVER.to_string())
        .header(header::USER_AGENT, "strata-demo")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .doing("the request")?;
    let response = sender.send_request(request).await.doing("the request")?;
    let mut answer = format!("HTTP/1.1 {}\r\n\r\n", response.status()).into_bytes();
    let body = response.into_body().collect().await.doing("the answer broke off")?;
    answer.extend_from_slice(&body.to_bytes());
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_gives_the_same_capture() {
        let run = || record(Vec::new(), std::io::sink(), Detail::Brief).expect("a page");
        let ((answer, first), (_, second)) = (run(), run());
        assert!(answer.starts_with(b"HTTP/1.1 200 OK") && answer.ends_with(b"</html>\n"));
        assert!(first.len() > 5_000, "{} bytes", first.len());
        assert!(first == second, "two runs, two captures");
    }
}
