//! `strata nc`: bytes between standard input and output and a socket of the stack, on its blocking sockets.

use super::failure::{Doing, Failure};
use super::node::{Needs, Node};
use super::options::{HostOptions, ViewOptions};
use super::target;
use super::views::Terminal;
use crate::probe::layer_tree::Detail;
use crate::runtime::Host;
use crate::runtime::blocking::{TcpListener, TcpStream, UdpSocket};
use clap::Args;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The largest datagram that UDP carries over IPv4, in bytes.
const DATAGRAM: usize = 65_507;

/// Carry bytes between standard input and output and a connection of the stack
///
/// As a client it connects to HOST and PORT; with -l it waits on PORT for one connection. The end of the input is sent
/// on as the end of the stream; the end of the stream ends the program.
#[derive(Args, Debug)]
pub struct Nc {
    /// Whom to connect to; left out with -l
    #[arg(value_name = "HOST", value_parser = target::host, required_unless_present = "listen")]
    to: Option<IpAddr>,

    /// The port there, or ours with -l
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), required_unless_present = "listen")]
    port: Option<u16>,

    /// Wait for a connection on this port of ours
    #[arg(short = 'l', long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), conflicts_with_all = ["to", "port"])]
    listen: Option<u16>,

    /// Use UDP: each read of the input is a datagram
    #[arg(short = 'u', long)]
    udp: bool,

    /// Give up connecting, or waiting for data once the input has ended, after so many seconds
    #[arg(short = 'w', long = "wait", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    wait: Option<u64>,

    #[command(flatten)]
    host: HostOptions,
    #[command(flatten)]
    views: NcViews,
}

/// As elsewhere, but for `-w`, which has meant a time to every nc.
#[derive(Args, Clone, Debug)]
struct NcViews {
    /// Write a capture with our comments, for Wireshark
    #[arg(long, value_name = "FILE.pcapng")]
    capture: Option<std::path::PathBuf>,

    /// Show each frame as nested layers on standard error
    #[arg(long)]
    trace: bool,
}

impl Nc {
    pub fn run(self) -> Result<u8, Failure> {
        let views = ViewOptions { capture: self.views.capture.clone(), trace: self.views.trace, ..Default::default() };
        let Some(node) = Node::start(&self.host, &views, Needs::CLIENT, Terminal::Stderr(Detail::Full))? else {
            return Ok(0);
        };
        let carried = match (self.udp, self.listen, self.to, self.port) {
            (false, Some(port), ..) => self.listen_tcp(node.host(), port),
            (false, None, Some(to), Some(port)) => self.connect_tcp(node.host(), SocketAddr::new(to, port)),
            (true, Some(port), ..) => self.carry_udp(node.host(), port, None),
            (true, None, Some(to), Some(port)) => self.carry_udp(node.host(), 0, Some(SocketAddr::new(to, port))),
            (_, None, None, _) | (_, None, _, None) => {
                Err(Failure::wrong_use("name a host and a port, or -l and a port"))
            }
        };
        node.settle();
        let closed = node.stop();
        carried?;
        closed?;
        Ok(0)
    }

    fn patience(&self) -> Option<Duration> {
        self.wait.map(Duration::from_secs)
    }

    fn connect_tcp(&self, host: &Host, to: SocketAddr) -> Result<(), Failure> {
        let stream = match self.patience() {
            Some(patience) => TcpStream::connect_timeout(host, to, patience)?,
            None => TcpStream::connect(host, to)?,
        };
        self.carry_tcp(stream)
    }

    fn listen_tcp(&self, host: &Host, port: u16) -> Result<(), Failure> {
        let listener = TcpListener::bind(host, SocketAddr::from(([0; 4], port)))?;
        let (stream, peer) = listener.accept()?;
        tracing::info!("connection from {peer}");
        self.carry_tcp(stream)
    }

    fn carry_tcp(&self, stream: TcpStream) -> Result<(), Failure> {
        stream.set_read_timeout(self.patience())?;
        let writer = stream.try_clone()?;
        // Not joined: the end of the stream ends the program, whether or not the input has ended.
        std::thread::spawn(move || {
            let copied = copy(&mut io::stdin(), &mut &writer);
            let _ = copied.and_then(|()| writer.shutdown(Shutdown::Write));
        });
        match copy(&mut &stream, &mut io::stdout()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            copied => copied.doing(format_args!("{:?}", stream)),
        }
    }

    /// Without a peer the first datagram that arrives says who it is.
    fn carry_udp(&self, host: &Host, port: u16, to: Option<SocketAddr>) -> Result<(), Failure> {
        let socket = Arc::new(UdpSocket::bind(host, SocketAddr::from(([0; 4], port)))?);
        let mut buffer = vec![0; DATAGRAM];
        match to {
            Some(to) => socket.connect(to)?,
            None => {
                let (len, from) = socket.recv_from(&mut buffer)?;
                socket.connect(from)?;
                put(&buffer[..len])?;
            }
        }
        let sender = socket.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; DATAGRAM];
            while let Ok(len @ 1..) = io::stdin().read(&mut buffer) {
                if sender.send(&buffer[..len]).is_err() {
                    break;
                }
            }
        });
        socket.set_read_timeout(self.patience())?;
        loop {
            match socket.recv(&mut buffer) {
                Ok(len) => put(&buffer[..len])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Copies and flushes what there is, so that a conversation can go back and forth.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            len => to.write_all(&buffer[..len]).and_then(|()| to.flush())?,
        }
    }
}

fn put(data: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(data).and_then(|()| out.flush())
}
