//! HTTP/1.1 on our own TCP: `hyper` speaks it, `axum` finds the handler.
//!
//! `axum::serve` takes our [`TcpListener`] as it is, and a handler sees its own connection through
//! `ConnectInfo<Watch>`. [`serve`] does the same with limits of time, and on any [`Executor`], so that a simulation
//! serves the very same pages.

mod files;
mod landing;
mod rules;
mod seeded_body;
mod site;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;

pub use site::{Site, router};

use super::executor::{Executor, Timer};
use crate::runtime::Clock;
use crate::runtime::asynchronous::{TcpListener, TcpStream, Watch};
use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::http::{HeaderValue, Request, Response, header};
use axum::serve::{IncomingStream, Listener};
use futures::FutureExt;
use futures::future::select;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// How many connections are served at a time; others wait in the listener's queue.
const CONNECTIONS: usize = 4096;

/// How long the header of a request may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long after its last answer a connection is read on, so that a client that still sends does not get a reset in
/// place of the answer (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);

/// How long to wait after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` to whoever connects, until the stack ends; gives the reason.
pub async fn serve(listener: TcpListener, router: Router, clock: Clock, executor: impl Executor) -> io::Error {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // Its handlers are made ready for use once, not with each request.
    let router: Router = router.with_state(());
    loop {
        let place = room.clone().acquire_owned().await.expect("nobody closes the semaphore");
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = connection(stream, router.clone(), clock.clone(), executor.timer());
                executor.spawn(connection.map(|()| drop(place)));
            }
            Err(ended) => return ended,
        }
    }
}

/// One connection from its first request to its end.
async fn connection(stream: TcpStream, router: Router, clock: Clock, timer: Timer) {
    let (watch, handle) = (stream.watch(), stream.handle());
    // The head of an answer and its body may come one after the other, a file from a disk for one. The end of it must not
    // wait for a client that delays its acknowledgement (RFC 9293 §3.7.4, RFC 1122 §4.2.3.2). The only error is a
    // connection that has ended, and that is found next.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    // A client may end its side after the request and still wants the answer. (`pipeline_flush` stays off: with it
    // hyper 1.12 loses the answer to a request that it cannot parse.)
    builder.half_close(true);
    match timer {
        Timer::Tokio => builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT),
        Timer::Simulated(_) => builder.auto_date_header(false),
    };
    let dated_by = clock.is_virtual().then_some(clock);
    let service = service_fn(move |request| answer(router.clone(), watch.clone(), dated_by.clone(), request));
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("{handle:?}: {error}");
    }
    linger(handle, &timer).await;
}

/// Finds the answer to one request; `dated_by` is the clock when it is not the system's, whose date hyper writes.
async fn answer(
    router: Router,
    watch: Watch,
    dated_by: Option<Clock>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    request.extensions_mut().insert(ConnectInfo(watch));
    let mut response = router.oneshot(request).await?;
    if let Some(clock) = dated_by {
        response.headers_mut().insert(header::DATE, date(&clock));
    }
    Ok(response)
}

/// As RFC 9110 §5.6.7 has it.
fn date(clock: &Clock) -> HeaderValue {
    let now = UNIX_EPOCH + Duration::from_nanos(clock.now().as_nanos());
    HeaderValue::from_str(&httpdate::fmt_http_date(now)).expect("a date is made of ASCII")
}

/// Ends our side and reads on for a while.
async fn linger(mut stream: TcpStream, timer: &Timer) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let drained = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(1..) = stream.read(&mut buffer).await {}
    };
    select(pin!(drained), pin!(timer.sleep(LINGER))).await;
}

impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match TcpListener::accept(self).await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::error!("accepting a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Watch {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Watch {
        stream.io().watch()
    }
}
