//! `strata get`: an HTTP client over our own TCP.

use super::failure::{Doing, Failure};
use super::node::{Needs, Node};
use super::options::{HostOptions, ViewOptions};
use super::target::Target;
use super::views::Terminal;
use crate::probe::layer_tree::Detail;
use crate::runtime::Host;
use crate::runtime::asynchronous::TcpStream;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Fetch a page with an HTTP client that runs on the stack itself
///
/// The page goes to standard output. The exit status is 1 when the server cannot be reached or answers with an error.
#[derive(Args, Debug)]
pub struct Get {
    /// What to fetch, such as http://192.0.2.1:8000/
    #[arg(value_name = "URL")]
    url: String,

    /// Ask for the header only, and show it
    #[arg(short = 'I', long)]
    head: bool,

    /// Write the page to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Send a header of your own, such as "Accept: text/plain"; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header_line)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// Give up when it takes longer than so many seconds
    #[arg(short = 'm', long, value_name = "SECONDS", default_value_t = 60.0)]
    max_time: f64,

    #[command(flatten)]
    host: HostOptions,
    #[command(flatten)]
    views: ViewOptions,
}

fn header_line(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header has the form \"Name: value\"")?;
    let name = name.trim().parse().map_err(|_| format!("{name} is not a header name"))?;
    let value = value.trim().parse().map_err(|_| "the value has bytes that a header may not hold".to_owned())?;
    Ok((name, value))
}

impl Get {
    pub fn run(self, verbose: u8) -> Result<u8, Failure> {
        let target = Target::parse(&self.url)?;
        let limit = Duration::try_from_secs_f64(self.max_time)
            .map_err(|_| Failure::wrong_use("--max-time wants a number of seconds that is not negative"))?;
        let Some(node) = Node::start(&self.host, &self.views, Needs::CLIENT, Terminal::Stderr(Detail::Full))? else {
            return Ok(0);
        };
        let fetched = node.runtime().block_on(async {
            match tokio::time::timeout(limit, self.fetch(node.host(), &target, verbose > 0)).await {
                Ok(fetched) => fetched,
                Err(_) => Err(Failure::failed(format!("{} took longer than {limit:?}", target.server))),
            }
        });
        node.settle();
        let closed = node.stop();
        let status = fetched?;
        closed?;
        Ok(if status.is_client_error() || status.is_server_error() { 1 } else { 0 })
    }

    /// One request and its answer, written where it belongs.
    async fn fetch(&self, host: &Host, target: &Target, verbose: bool) -> Result<StatusCode, Failure> {
        let stream = TcpStream::connect(host, target.server).await?;
        let (mut sender, conversation) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.doing("HTTP")?;
        let conversation = tokio::spawn(conversation);
        let request = self.request(target)?;
        if verbose {
            let _ = show_request(&request);
        }
        let response = sender.send_request(request).await.doing(format_args!("asking {}", target.server))?;
        if verbose {
            show_response(&response, "< ", &mut io::stderr())?;
        }
        let status = response.status();
        if self.head {
            show_response(&response, "", &mut io::stdout())?;
        }
        self.write(response).await?;
        drop(sender);
        // Its own end, an error after the answer included, is no concern of whoever has the answer.
        let _ = conversation.await;
        Ok(status)
    }

    fn request(&self, target: &Target) -> Result<Request<Empty<Bytes>>, Failure> {
        let method = if self.head { Method::HEAD } else { Method::GET };
        let mut request = Request::builder()
            .method(method)
            .uri(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::USER_AGENT, concat!("strata/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .body(Empty::new())
            .doing("the request")?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        Ok(request)
    }

    async fn write(&self, response: Response<Incoming>) -> Result<(), Failure> {
        let mut out: Box<dyn Write> = match &self.output {
            Some(path) => Box::new(File::create(path).doing(format_args!("--output {}", path.display()))?),
            None => Box::new(io::stdout().lock()),
        };
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.doing("the answer broke off")?;
            if let Some(data) = frame.data_ref() {
                out.write_all(data).doing("writing the page")?;
            }
        }
        out.flush().doing("writing the page")
    }
}

fn show_request(request: &Request<Empty<Bytes>>) -> io::Result<()> {
    let mut out = io::stderr().lock();
    writeln!(out, "> {} {} HTTP/1.1", request.method(), request.uri())?;
    request
        .headers()
        .iter()
        .try_for_each(|(name, value)| writeln!(out, "> {name}: {}", String::from_utf8_lossy(value.as_bytes())))?;
    writeln!(out, ">")
}

fn show_response(response: &Response<Incoming>, mark: &str, out: &mut impl Write) -> io::Result<()> {
    let version = if response.version() == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    writeln!(out, "{mark}{version} {}", response.status())?;
    response
        .headers()
        .iter()
        .try_for_each(|(name, value)| writeln!(out, "{mark}{name}: {}", String::from_utf8_lossy(value.as_bytes())))?;
    writeln!(out, "{mark}")
}
