//! `strata demo`: the main job in one command.

use super::failure::{Doing, Failure};
use super::node::{Attached, Needs, attach};
use super::options::{HostOptions, SiteOptions, ViewOptions};
use super::serve;
use super::simulated;
use super::views::Terminal;
use crate::probe::layer_tree::Detail;
use crate::runtime::sandbox::{LinkRequest, Rung};
use clap::{Args, Parser};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// How long the kernel's client waits for anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// The main job: a real HTTP request, the journey of each frame, and a capture for Wireshark
///
/// The Linux kernel's own TCP is the client and this stack the server, joined by a link in a namespace that is gone
/// afterwards. Where no namespace may be made, two hosts of this stack meet in virtual time.
#[derive(Args, Debug)]
pub struct Demo {
    /// The link to stand on: auto or in-process
    ///
    /// in-process needs no privileges and gives the same capture on every machine, byte for byte.
    #[arg(long, value_name = "LINK", default_value = "auto")]
    link: LinkRequest,

    /// Where the capture goes
    #[arg(short = 'w', long, value_name = "FILE.pcapng", default_value = "demo.pcapng")]
    capture: PathBuf,

    /// Show every header's bytes and fields as well
    #[arg(long)]
    full: bool,
}

impl Demo {
    pub fn run(self) -> Result<u8, Failure> {
        let capture = self.capture.display();
        File::create(&self.capture).doing(format_args!("cannot create {capture}; name another file with -w"))?;
        if self.link == LinkRequest::InProcess {
            self.in_process("asked for")?;
        } else {
            let options = HostOptions { link: self.link.clone(), ..default_host() };
            let link = attach(&options, Needs::DEMO)?.expect("only a dry run gives no link");
            match link.standing.rung {
                Rung::InProcess => {
                    let lift = link.standing.lift.as_ref().map_or(String::new(), |lift| format!("; more with: {lift}"));
                    self.in_process(&format!("{}{lift}", link.standing.why))?;
                }
                Rung::Present | Rung::OwnTap | Rung::OwnVeth => self.with_kernel(link, &options)?,
            }
        }
        self.farewell();
        Ok(0)
    }

    fn detail(&self) -> Detail {
        if self.full { Detail::Full } else { Detail::Brief }
    }

    /// The kernel asks, the stack answers.
    fn with_kernel(&self, link: Attached, options: &HostOptions) -> Result<(), Failure> {
        introduce("the Linux kernel's own TCP", &link.standing.to_string());
        let views = ViewOptions { capture: Some(self.capture.clone()), trace: true, ..ViewOptions::default() };
        let node = link.start(options, &views, Terminal::Stdout(self.detail()))?;
        for driver in node.drivers() {
            serve::start(driver, options, &SiteOptions::default(), node.seed())?;
        }
        let page = fetch(SocketAddr::new(options.address(), serve::HTTP_PORT));
        node.settle();
        node.stop()?;
        report(&page.doing("the kernel's request to the stack failed")?)
    }

    /// Two hosts of ours in virtual time.
    fn in_process(&self, why: &str) -> Result<(), Failure> {
        introduce("another Strata host", &format!("in process and in virtual time (rung 4 of 4: {why})"));
        report(&simulated::request(&self.capture, self.detail())?)
    }

    fn farewell(&self) {
        let capture = self.capture.display();
        let strata = std::env::args().next().unwrap_or_else(|| "strata".into());
        anstream::println!(
            "\nEvery frame is in {capture}, with a comment that says what Strata decided. Look at it with\n  \
             wireshark {capture}\n  \
             tshark -r {capture} -T fields -e frame.number -e _ws.col.Info -e frame.comment\n\
             and go on with\n  \
             {strata} sandbox -- curl http://192.0.2.2/"
        );
    }
}

/// The options of a host as the command line has them by default.
fn default_host() -> HostOptions {
    #[derive(Parser)]
    struct Defaults {
        #[command(flatten)]
        host: HostOptions,
    }
    Defaults::parse_from(["strata"]).host
}

fn introduce(client: &str, link: &str) {
    anstream::println!(
        "An HTTP request through every layer of a TCP/IP stack\n\n  \
         client  192.0.2.1  {client}\n  \
         server  192.0.2.2  Strata\n  \
         link    {link}\n\n\
         Below, -> is a frame that climbs: each layer strips its header. <- is one that goes down: each prepends its own.\n"
    );
}

/// One request over the kernel's sockets; gives the whole answer.
fn fetch(server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let host = server.ip();
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: strata-demo\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// What the client got, or a failure when that is not a page.
fn report(answer: &[u8]) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(answer);
    let status = text.lines().next().unwrap_or_default();
    let page = text.split_once("\r\n\r\n").map_or("", |(_, page)| page);
    if !status.starts_with("HTTP/1.1 200") || !page.contains("</html>") {
        return Err(Failure::failed(format!("the answer was not the page that was asked for, but {status:?}")));
    }
    anstream::println!("\nThe client got \"{status}\" and a page of {} bytes, whole.", page.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_page_is_told() {
        assert!(report(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n<html></html>").is_ok());
        for answer in [&b""[..], b"HTTP/1.1 500 No\r\n\r\n<html></html>", b"HTTP/1.1 200 OK\r\n\r\n<html>"] {
            assert!(report(answer).is_err(), "{}", String::from_utf8_lossy(answer));
        }
    }
}
