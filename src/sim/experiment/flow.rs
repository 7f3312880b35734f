//! The applications at both ends of a flow.

use super::Amount;
use crate::runtime::Host;
use crate::runtime::asynchronous::{TcpListener, TcpStream};
use crate::sim::Time;
use crate::tcp::congestion::Algorithm;
use crate::time::Instant;
use futures::future::{Either, select};
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What is sent, over and over: long enough that a byte out of its place is seen.
const PATTERN: usize = 65_521;
const STEP: Duration = Duration::from_millis(10);

/// How a flow stands.
#[derive(Default)]
pub struct Progress {
    pub read: u64,
    pub last: Option<Instant>,
    pub steps: Vec<(Instant, u64)>,
    pub finished: bool,
    pub error: Option<String>,
}

impl Progress {
    pub fn is_over(&self) -> bool {
        self.finished || self.error.is_some()
    }

    fn arrived(&mut self, now: Instant, len: usize) {
        self.read += len as u64;
        self.last = Some(now);
        // The last step moves on with what comes, as long as it is near the one before.
        match self.steps.as_mut_slice() {
            [.., before, last] if before.0 + STEP > now => *last = (now, self.read),
            _ => self.steps.push((now, self.read)),
        }
    }
}

/// Where one flow goes, and when.
#[derive(Clone)]
pub struct Course {
    pub time: Time,
    pub start: Instant,
    pub amount: Amount,
    pub server: SocketAddr,
    pub congestion: Option<Algorithm>,
    pub progress: Rc<RefCell<Progress>>,
    pattern: Rc<[u8]>,
}

impl Course {
    pub fn new(
        time: Time,
        start: Instant,
        amount: Amount,
        server: SocketAddr,
        congestion: Option<Algorithm>,
    ) -> Course {
        let pattern: Vec<u8> = (0..PATTERN as u32).map(|n| (n.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
        Course { time, start, amount, server, congestion, progress: Rc::default(), pattern: pattern.into() }
    }

    /// When a flow that runs for a time ends.
    fn end(&self) -> Option<Instant> {
        match self.amount {
            Amount::Bytes(_) => None,
            Amount::During(span) => Some(self.start + span),
        }
    }

    /// The sending application.
    pub async fn send(self, host: Host) {
        self.time.sleep_until(self.start).await;
        let sent = match self.end() {
            Some(end) => before(&self.time, end, self.stream_out(&host)).await.unwrap_or(Ok(())),
            None => self.stream_out(&host).await,
        };
        self.note("sending", sent);
    }

    async fn stream_out(&self, host: &Host) -> io::Result<()> {
        let congestion = self.congestion;
        let mut stream = TcpStream::connect_with(host, None, self.server, |config| {
            config.congestion = congestion.unwrap_or(config.congestion);
        })
        .await?;
        let mut left = match self.amount {
            Amount::Bytes(bytes) => bytes,
            Amount::During(_) => u64::MAX,
        };
        let mut at = 0;
        while left > 0 {
            let rest = &self.pattern[at..];
            let len = stream.write(&rest[..rest.len().min(left.try_into().unwrap_or(usize::MAX))]).await?;
            at = (at + len) % PATTERN;
            left -= len as u64;
        }
        stream.shutdown().await?;
        // The receiver's own FIN: until then the connection is in use.
        stream.read(&mut [0]).await.map(drop)
    }

    /// The receiving application.
    pub async fn receive(self, listener: TcpListener) {
        let received = match self.end() {
            Some(end) => before(&self.time, end, self.stream_in(listener)).await.unwrap_or(Ok(())),
            None => self.stream_in(listener).await,
        };
        self.note("receiving", received);
        let mut progress = self.progress.borrow_mut();
        progress.finished = progress.error.is_none();
    }

    async fn stream_in(&self, listener: TcpListener) -> io::Result<()> {
        let (mut stream, _) = listener.accept().await?;
        let (mut into, mut at) = (vec![0; PATTERN], 0);
        loop {
            let len = stream.read(&mut into[..PATTERN - at]).await?;
            if len == 0 {
                return Ok(());
            }
            if into[..len] != self.pattern[at..at + len] {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "bytes arrived that were not sent"));
            }
            at = (at + len) % PATTERN;
            self.progress.borrow_mut().arrived(self.time.now(), len);
        }
    }

    fn note(&self, doing: &str, result: io::Result<()>) {
        let mut progress = self.progress.borrow_mut();
        if let Err(error) = result
            && !progress.finished
        {
            progress.error.get_or_insert(format!("{doing}: {error}"));
        }
    }
}

/// What `work` gives, unless it is still at it then.
async fn before<T>(time: &Time, end: Instant, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), time.sleep_until(end)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
