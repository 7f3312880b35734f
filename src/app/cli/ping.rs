//! `strata ping`: echo requests from the stack itself.

use super::failure::{Doing, Failure};
use super::node::{Needs, Node};
use super::options::{HostOptions, ViewOptions};
use super::target;
use super::views::Terminal;
use crate::probe::layer_tree::Detail;
use crate::runtime::{Host, PingSocket};
use crate::stack::PingReply;
use crate::time::Instant;
use clap::Args;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// What each request weighs beside its data, in bytes: as ping counts, with the ICMP header and with both headers.
const ICMP_HEADER: usize = 8;
const HEADERS: u16 = 28;

/// Send echo requests from the stack and time the replies
///
/// The exit status is 1 when no reply came at all.
#[derive(Args, Debug)]
pub struct Ping {
    /// Whom to ask
    #[arg(value_name = "HOST", value_parser = target::host)]
    to: IpAddr,

    /// Stop after so many requests; without it, when interrupted
    #[arg(short = 'c', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Seconds from one request to the next
    #[arg(short = 'i', long, value_name = "SECONDS", default_value_t = 1.0)]
    interval: f64,

    /// Bytes of data in each request
    #[arg(short = 's', long, value_name = "BYTES", default_value_t = 56, value_parser = clap::value_parser!(u16).range(..=65_507))]
    size: u16,

    /// Seconds to wait for a reply after the last request
    #[arg(short = 'W', long, value_name = "SECONDS", default_value_t = 1.0)]
    wait: f64,

    /// Time to live of the requests
    #[arg(short = 't', long, value_name = "HOPS", default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..))]
    ttl: u8,

    /// Only the summary
    #[arg(short = 'q', long)]
    quiet: bool,

    /// The results as one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    host: HostOptions,
    #[command(flatten)]
    views: ViewOptions,
}

impl Ping {
    pub fn run(self) -> Result<u8, Failure> {
        let interval = seconds(self.interval, "--interval")?;
        let wait = seconds(self.wait, "--wait")?;
        let Some(node) = Node::start(&self.host, &self.views, Needs::CLIENT, Terminal::Stderr(Detail::Full))? else {
            return Ok(0);
        };
        let mut tally = Tally::new(self.to);
        let asked = node.runtime().block_on(self.ask(node.host(), interval, wait, &mut tally));
        let closed = node.stop();
        asked?;
        closed?;
        if self.json {
            anstream::println!("{}", tally.to_json());
        } else {
            anstream::print!("{}", tally.summary());
        }
        Ok(if tally.times.is_empty() { 1 } else { 0 })
    }

    async fn ask(&self, host: &Host, interval: Duration, wait: Duration, tally: &mut Tally) -> Result<(), Failure> {
        let socket = PingSocket::open(host);
        let data: Vec<u8> = (0..self.size).map(|index| index as u8).collect();
        if !self.quiet && !self.json {
            anstream::println!("PING {} {}({}) bytes of data", self.to, self.size, self.size + HEADERS);
        }
        let mut beat = tokio::time::interval(interval.max(Duration::from_micros(1)));
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        let mut last_word = std::pin::pin!(tokio::time::sleep(Duration::MAX));
        tally.began = host.now();
        loop {
            let asking = self.count.is_none_or(|count| tally.sent < count);
            tokio::select! {
                _ = &mut interrupted => break,
                _ = beat.tick(), if asking => {
                    let sequence = ((tally.sent + 1) % 65_536) as u16;
                    let at = socket.send(self.to, sequence, &data, self.ttl).doing(format_args!("asking {}", self.to))?;
                    tally.sent(sequence, at);
                    last_word.as_mut().reset(tokio::time::Instant::now() + wait);
                }
                () = &mut last_word, if !asking => break,
                reply = socket.receive() => self.take(reply?, tally),
            }
            if !asking && tally.waiting.is_empty() {
                break;
            }
        }
        tally.ended = host.now();
        Ok(())
    }

    fn take(&self, reply: PingReply, tally: &mut Tally) {
        let heard = tally.heard(&reply);
        if self.quiet || self.json {
            return;
        }
        let PingReply { from, sequence, len, ttl, .. } = reply;
        let len = len + ICMP_HEADER;
        match (reply.error, heard) {
            (Some(error), _) => anstream::println!("from {from}: seq={sequence} {error}"),
            (None, Some(time)) => {
                anstream::println!("{len} bytes from {from}: seq={sequence} ttl={ttl} time={} ms", millis(time));
            }
            (None, None) => anstream::println!("{len} bytes from {from}: seq={sequence} ttl={ttl} (again)"),
        }
    }
}

fn seconds(value: f64, option: &str) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| Failure::wrong_use(format!("{option} wants a number of seconds that is not negative")))
}

fn millis(span: Duration) -> String {
    format!("{:.3}", span.as_secs_f64() * 1_000.0)
}

/// What has been asked and heard.
struct Tally {
    to: IpAddr,
    began: Instant,
    ended: Instant,
    sent: u64,
    /// Requests without an answer: by sequence number, when they left.
    waiting: BTreeMap<u16, Instant>,
    errors: u64,
    duplicates: u64,
    times: Vec<Duration>,
}

impl Tally {
    fn new(to: IpAddr) -> Tally {
        Tally {
            to,
            began: Instant::ZERO,
            ended: Instant::ZERO,
            sent: 0,
            waiting: BTreeMap::new(),
            errors: 0,
            duplicates: 0,
            times: Vec::new(),
        }
    }

    fn sent(&mut self, sequence: u16, at: Instant) {
        self.sent += 1;
        self.waiting.insert(sequence, at);
    }

    /// The round-trip time, unless this reply has been heard before.
    fn heard(&mut self, reply: &PingReply) -> Option<Duration> {
        let left = self.waiting.remove(&reply.sequence);
        match (reply.error, left) {
            (Some(_), _) => {
                self.errors += 1;
                None
            }
            (None, Some(left)) => {
                let time = reply.at.since(left);
                self.times.push(time);
                Some(time)
            }
            (None, None) => {
                self.duplicates += 1;
                None
            }
        }
    }

    fn loss(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { 100.0 * (1.0 - self.times.len() as f64 / self.sent as f64) }
    }

    /// Least, mean, greatest and mean deviation, as ping has them.
    fn spread(&self) -> Option<[Duration; 4]> {
        let count = self.times.len() as f64;
        let (least, greatest) = (self.times.iter().min()?, self.times.iter().max()?);
        let mean = self.times.iter().map(Duration::as_secs_f64).sum::<f64>() / count;
        let squares = self.times.iter().map(|time| time.as_secs_f64().powi(2)).sum::<f64>() / count;
        let deviation = (squares - mean * mean).max(0.0).sqrt();
        Some([*least, Duration::from_secs_f64(mean), *greatest, Duration::from_secs_f64(deviation)])
    }

    fn summary(&self) -> String {
        let (sent, heard, loss) = (self.sent, self.times.len(), (self.loss() * 1e4).round() / 1e4);
        let elapsed = self.ended.since(self.began).as_millis();
        let errors = if self.errors > 0 { format!(", +{} errors", self.errors) } else { String::new() };
        let again = if self.duplicates > 0 { format!(", +{} duplicates", self.duplicates) } else { String::new() };
        let mut text = format!("\n--- {} ping statistics ---\n", self.to);
        text += &format!(
            "{sent} packets transmitted, {heard} received{again}{errors}, {loss}% packet loss, time {elapsed}ms\n"
        );
        if let Some([least, mean, greatest, deviation]) = self.spread().map(|spread| spread.map(millis)) {
            text += &format!("rtt min/avg/max/mdev = {least}/{mean}/{greatest}/{deviation} ms\n");
        }
        text
    }

    fn to_json(&self) -> serde_json::Value {
        let spread = self.spread().map(|spread| spread.map(|span| span.as_secs_f64() * 1_000.0));
        serde_json::json!({
            "to": self.to.to_string(),
            "transmitted": self.sent,
            "received": self.times.len(),
            "duplicates": self.duplicates,
            "errors": self.errors,
            "loss_percent": self.loss(),
            "rtt_ms": spread.map(|[min, avg, max, mdev]| serde_json::json!({"min": min, "avg": avg, "max": max, "mdev": mdev})),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(sequence: u16, millis: u64, error: Option<&'static str>) -> PingReply {
        let from = IpAddr::from([192, 0, 2, 1]);
        PingReply { from, sequence, len: 64, ttl: 64, at: Instant::from_millis(millis), error }
    }

    #[test]
    fn summary_reads_like_that_of_ping() {
        let mut tally = Tally::new(IpAddr::from([192, 0, 2, 1]));
        (0..4).for_each(|sequence| tally.sent(sequence, Instant::from_millis(u64::from(sequence) * 10)));
        assert_eq!(tally.heard(&reply(0, 1, None)), Some(Duration::from_millis(1)));
        assert_eq!(tally.heard(&reply(1, 13, None)), Some(Duration::from_millis(3)));
        assert_eq!(tally.heard(&reply(1, 14, None)), None, "a duplicate");
        assert_eq!(tally.heard(&reply(2, 20, Some("host unreachable"))), None);
        tally.ended = Instant::from_millis(1_040);
        assert_eq!(
            tally.summary(),
            "\n--- 192.0.2.1 ping statistics ---\n\
             4 packets transmitted, 2 received, +1 duplicates, +1 errors, 50% packet loss, time 1040ms\n\
             rtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms\n"
        );
    }
}
