//! Two hosts in virtual time. One asks the other for a page, and every frame of the server is drawn on the terminal.
//!
//! `cargo run --example two_hosts` for one line a layer, `cargo run --example two_hosts -- full` for every field.

use std::net::SocketAddr;
use std::time::Duration;
use strata::device::link::{self, Link};
use strata::probe::layer_tree::{Style, direct};
use strata::runtime::asynchronous::{TcpListener, TcpStream};
use strata::sim::Simulation;
use strata::stack;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nHello\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let style = if std::env::args().any(|argument| argument == "full") { Style::FULL } else { Style::BRIEF };
    let tree = direct(std::io::stdout(), style);

    // A link of half a millisecond each way, and a host on each end.
    let (near, far) = Link::pair(link::Config { delay: Duration::from_micros(500), ..link::Config::default() });
    let mut simulation = Simulation::new();
    let server = simulation.add_host(stack::Config::default(), 1, Box::new(near), Some(Box::new(tree.clone())));
    let config =
        stack::Config { mac: [2, 0, 0, 0, 0, 1], addresses: vec!["192.0.2.1/24".parse()?], ..stack::Config::default() };
    let client = simulation.add_host(config, 2, Box::new(far), None);

    let address: SocketAddr = "192.0.2.2:80".parse()?;
    let listener = TcpListener::bind(&server, address)?;
    simulation.spawn(async move {
        let served = async {
            let (mut connection, _) = listener.accept().await?;
            let mut request = [0; 1024];
            let asked = connection.read(&mut request).await?;
            assert!(request[..asked].starts_with(b"GET / "));
            connection.write_all(PAGE).await?;
            connection.shutdown().await
        };
        served.await.expect("nothing goes wrong on this link");
    });

    let answer = simulation.run(async move {
        let mut connection = TcpStream::connect(&client, address).await?;
        connection.write_all(b"GET / HTTP/1.1\r\nHost: 192.0.2.2\r\n\r\n").await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    })?;
    assert_eq!(answer, PAGE);

    // The client hangs up; both sides finish.
    simulation.run_for(Duration::from_secs(300));
    tree.finish()?;
    Ok(())
}
