//! The small services of the old internet, over TCP and UDP: echo (RFC 862), discard (RFC 863), daytime (RFC 867) and
//! character generator (RFC 864). Each is a few lines, which makes them good first applications to read.

use super::executor::Executor;
use crate::random::Random;
use crate::runtime::asynchronous::{TcpListener, TcpStream, UdpSocket};
use crate::runtime::{Clock, Host};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How many connections each service has at a time; one more is closed at once.
const CONNECTIONS: usize = 256;

/// The longest datagram that chargen answers with, in bytes (RFC 864).
const CHARGEN_DATAGRAM: u64 = 512;

/// One of the services.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    Echo,
    Discard,
    Daytime,
    Chargen,
}

impl Service {
    pub const ALL: [Service; 4] = [Service::Echo, Service::Discard, Service::Daytime, Service::Chargen];

    pub const fn port(self) -> u16 {
        match self {
            Service::Echo => 7,
            Service::Discard => 9,
            Service::Daytime => 13,
            Service::Chargen => 19,
        }
    }
}

/// Opens all services on `address`; they run until the stack ends.
pub fn start(host: &Host, address: IpAddr, seed: u64, executor: &impl Executor) -> io::Result<()> {
    for service in Service::ALL {
        let local = SocketAddr::new(address, service.port());
        let listener = TcpListener::bind(host, local)?;
        executor.spawn(accept(service, listener, host.clock().clone(), executor.clone()));
        let socket = UdpSocket::bind(host, local)?;
        executor.spawn(answer(service, socket, host.clock().clone(), Random::new(seed)));
    }
    Ok(())
}

async fn accept(service: Service, listener: TcpListener, clock: Clock, executor: impl Executor) {
    let open = Arc::new(AtomicUsize::new(0));
    while let Ok((stream, _)) = listener.accept().await {
        if open.load(Ordering::Relaxed) >= CONNECTIONS {
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (open, clock) = (open.clone(), clock.clone());
        executor.spawn(async move {
            // Whatever ends the conversation ends only that.
            let _ = converse(service, stream, &clock).await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// One connection of a service.
async fn converse(service: Service, mut stream: TcpStream, clock: &Clock) -> io::Result<()> {
    match service {
        Service::Echo => {
            let mut buffer = vec![0; 16 * 1024];
            while let len @ 1.. = stream.read(&mut buffer).await? {
                stream.write_all(&buffer[..len]).await?;
            }
        }
        Service::Discard => discard(&mut stream).await?,
        Service::Daytime => stream.write_all(daytime(clock).as_bytes()).await?,
        Service::Chargen => {
            let mut input = stream.handle();
            let thrown_away = std::pin::pin!(discard(&mut input));
            let generated = std::pin::pin!(generate(&mut stream));
            // Either way of ending ends it: the peer has closed, or takes no more.
            futures::future::select(thrown_away, generated).await;
        }
    }
    stream.shutdown().await
}

async fn discard(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    while let 1.. = stream.read(&mut buffer).await? {}
    Ok(())
}

async fn generate(stream: &mut TcpStream) -> io::Result<()> {
    let pattern = pattern();
    loop {
        stream.write_all(&pattern).await?;
    }
}

/// RFC 864's popular pattern: lines of 72 of the 95 printing characters, each beginning one further on.
fn pattern() -> Vec<u8> {
    const CHARACTERS: u8 = 95;
    (0..CHARACTERS)
        .flat_map(|first| {
            let line = (0..72).map(move |column| b' ' + (first + column) % CHARACTERS);
            line.chain(*b"\r\n")
        })
        .collect()
}

/// RFC 867 leaves the form open; this is the one of HTTP.
fn daytime(clock: &Clock) -> String {
    format!("{}\r\n", httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_nanos(clock.now().as_nanos())))
}

/// The datagrams of a service.
async fn answer(service: Service, socket: UdpSocket, clock: Clock, mut random: Random) {
    let mut buffer = vec![0; 65_536];
    loop {
        let (len, from) = match socket.recv_from(&mut buffer).await {
            Ok(datagram) => datagram,
            // An ICMP error about an earlier answer concerns that answer alone.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable) => {
                continue;
            }
            Err(_) => return,
        };
        // Two of these services must not talk to each other for ever (CA-1996-01).
        if Service::ALL.iter().any(|service| service.port() == from.port()) {
            continue;
        }
        let reply = match service {
            Service::Echo => buffer[..len].to_vec(),
            Service::Discard => continue,
            Service::Daytime => daytime(&clock).into_bytes(),
            Service::Chargen => {
                let len = random.below(CHARGEN_DATAGRAM + 1) as usize;
                pattern().into_iter().take(len).collect()
            }
        };
        // A datagram that cannot be sent is lost, as any may be.
        let _ = socket.send_to(&reply, from).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chargen_repeats_after_95_lines_of_74_bytes() {
        let pattern = pattern();
        assert_eq!(pattern.len(), 95 * 74);
        assert!(
            pattern.starts_with(b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n!\"")
        );
        assert!(pattern.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n')));
    }

    #[test]
    fn daytime_is_the_time_of_the_host() {
        let clock = Clock::starting_at(crate::time::Instant::from_secs(784_111_777));
        assert_eq!(daytime(&clock), "Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    }
}
