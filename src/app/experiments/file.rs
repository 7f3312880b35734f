//! From a file to an experiment.
//!
//! ```
//! use strata::app::experiments::File;
//!
//! let file = File::parse(r#"
//!     hosts = ["alice", "bob"]
//!     [[links]]
//!     between = ["alice", "bob"]
//!     rate = "10mbit"
//!     delay = "20ms"
//!     loss = "1%"
//!     [[flows]]
//!     from = "alice"
//!     to = "bob"
//!     bytes = "10MB"
//! "#)?;
//! assert_eq!(file.experiment()?.links[0].there.rate, Some(10_000_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::reader::{Reader, expected};
use super::units;
use crate::device::fault::Spec;
use crate::sim::experiment::{Amount, Experiment, Flow, Host, Link, Problem};
use crate::sim::network::{Outage, Shape};
use crate::tcp::congestion::Algorithm;
use crate::tcp::{Config, Ecn};
use std::time::Duration;
use toml::{Table, Value};

/// What of a link's keys may differ between its directions.
pub const WIRE_KEYS: &[&str] =
    &["rate", "rtt", "delay", "queue", "loss", "reorder", "duplicate", "corrupt", "mark", "outages"];
/// What a flow can be told apart from its ends.
pub const FLOW_KEYS: &[&str] = &["start", "bytes", "duration", "congestion"];
/// What a host's connections can be told.
pub const HOST_KEYS: &[&str] = &[
    "profile",
    "congestion",
    "ecn",
    "receive_buffer",
    "send_buffer",
    "window_scale",
    "initial_window",
    "sack",
    "timestamps",
    "delayed_ack",
    "nagle",
    "min_rto",
];

const ETHERNET: usize = 14;
const QUEUE: &str = "packets, as a number, or a part of what is under way at full rate: \"1bdp\", \"0.5bdp min 100\"";

/// A file that is a table, whatever stands in it.
#[derive(Clone, PartialEq, Debug)]
pub struct File {
    pub table: Table,
}

impl File {
    pub fn parse(text: &str) -> Result<File, toml::de::Error> {
        Ok(File { table: text.parse()? })
    }

    /// One line about it, from its key `about`.
    pub fn about(&self) -> Option<&str> {
        self.table.get("about").and_then(Value::as_str)
    }

    /// The experiment that it describes.
    pub fn experiment(&self) -> Result<Experiment, Problem> {
        let mut file = Reader::new("", self.table.clone());
        file.text("about")?;
        let default = Experiment::default();
        let seed = file.read("seed", |value| units::number(value, 0..=u64::MAX))?.unwrap_or(default.seed);
        let time_limit = file.read("time_limit", units::time)?.unwrap_or(default.time_limit);
        let mut tcp = Config::default();
        if let Some(mut defaults) = file.table("defaults")? {
            settings(&mut defaults, &mut tcp)?;
            defaults.finish()?;
        }
        let hosts = hosts(&mut file, &tcp)?;
        let switches = file.read("switches", names)?.unwrap_or_default();
        let links = file.tables("links")?.into_iter().map(link).collect::<Result<_, _>>()?;
        let flows = file.tables("flows")?.into_iter().map(flow).collect::<Result<_, _>>()?;
        file.finish()?;
        let experiment = Experiment { seed, time_limit, hosts, switches, links, flows };
        experiment.check()?;
        Ok(experiment)
    }
}

/// A list of names, or a table of names with settings.
fn hosts(file: &mut Reader, tcp: &Config) -> Result<Vec<Host>, Problem> {
    let path = file.path("hosts");
    let named = |name: String| Host { name, tcp: tcp.clone(), offload: false };
    match file.take("hosts") {
        Some(Value::Table(table)) => {
            let with_settings = |(name, value): (String, Value)| {
                let mut reader = Reader::of(format!("{path}.{name}"), value)?;
                let mut host = named(name);
                settings(&mut reader, &mut host.tcp)?;
                reader.finish().map(|()| host)
            };
            table.into_iter().map(with_settings).collect()
        }
        Some(value) => match names(&value) {
            Ok(names) => Ok(names.into_iter().map(named).collect()),
            Err(what) => Err(Problem { path, what }),
        },
        None => file.required("hosts", None, "a list of names, like [\"alice\", \"bob\"]"),
    }
}

fn names(value: &Value) -> Result<Vec<String>, String> {
    let list = value.as_array().map(|list| list.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    list.flatten().ok_or_else(|| expected(value, "a list of names, like [\"alice\", \"bob\"]"))
}

fn settings(from: &mut Reader, tcp: &mut Config) -> Result<(), Problem> {
    let profile = from.read("profile", |value| {
        let known = || expected(value, format_args!("one of {}", Config::PROFILES.join(", ")));
        value.as_str().and_then(Config::profile).ok_or_else(known)
    })?;
    *tcp = profile.unwrap_or_else(|| tcp.clone());
    if let Some(congestion) = from.read("congestion", congestion)? {
        tcp.congestion = congestion;
    }
    tcp.ecn = from.read("ecn", ecn)?.unwrap_or(tcp.ecn);
    if let Some(bytes) = from.read("receive_buffer", units::size)? {
        tcp.fix_receive_buffer(bytes as usize);
    }
    if let Some(bytes) = from.read("send_buffer", units::size)? {
        tcp.fix_send_buffer(bytes as usize);
    }
    if let Some(shift) = from.read("window_scale", |value| units::number(value, 0..=14))? {
        tcp.window_scale = Some(shift as u8);
    }
    if let Some(segments) = from.read("initial_window", |value| units::number(value, 1..=1000))? {
        tcp.initial_window = segments as u32;
    }
    tcp.sack = from.read("sack", units::switch)?.unwrap_or(tcp.sack);
    tcp.timestamps = from.read("timestamps", units::switch)?.unwrap_or(tcp.timestamps);
    if let Some(delay) = from.read("delayed_ack", units::time)? {
        tcp.delayed_ack = (!delay.is_zero()).then_some(delay);
    }
    tcp.nagle = from.read("nagle", units::switch)?.unwrap_or(tcp.nagle);
    tcp.min_rto = from.read("min_rto", units::time)?.unwrap_or(tcp.min_rto);
    Ok(())
}

fn congestion(value: &Value) -> Result<Algorithm, String> {
    let known = || expected(value, format_args!("one of {}", Algorithm::names()));
    value.as_str().and_then(|name| name.parse().ok()).ok_or_else(known)
}

fn ecn(value: &Value) -> Result<Ecn, String> {
    match value.as_str() {
        Some("off") => Ok(Ecn::Off),
        Some("respond") => Ok(Ecn::Respond),
        Some("request") => Ok(Ecn::Request),
        Some(_) | None => Err(expected(value, "one of off, respond, request")),
    }
}

/// One direction, before its queue is known in packets.
#[derive(Clone)]
struct Direction {
    shape: Shape,
    queue: Queue,
}

#[derive(Clone, Copy)]
enum Queue {
    Packets(usize),
    /// So much of the bandwidth-delay product, and at least so many packets.
    Product(f64, usize),
}

fn link(mut from: Reader) -> Result<Link, Problem> {
    let ends = from.read("between", |value| {
        let pair = names(value).ok().and_then(|names| <[String; 2]>::try_from(names).ok());
        pair.ok_or_else(|| expected(value, "the names of two hosts or switches"))
    })?;
    let between = from.required("between", ends, "the names of two hosts or switches")?;
    let name = from.text("name")?.unwrap_or_else(|| between.join("-"));
    let mtu = from.read("mtu", |value| units::number(value, 68..=65_535))?.unwrap_or(1500) as usize;
    let mut both = Direction { shape: Shape::default(), queue: Queue::Packets(Shape::default().queue) };
    direction(&mut from, &mut both)?;
    let (mut there, mut back) = (both.clone(), both);
    let paths = [from.path("there.queue"), from.path("back.queue")];
    for (key, way) in [("there", &mut there), ("back", &mut back)] {
        if let Some(mut reader) = from.table(key)? {
            direction(&mut reader, way)?;
            reader.finish()?;
        }
    }
    from.finish()?;
    let round_trip = there.shape.faults.delay + back.shape.faults.delay;
    let [there_path, back_path] = paths;
    let there = there.finish(round_trip, mtu, there_path)?;
    let back = back.finish(round_trip, mtu, back_path)?;
    Ok(Link { name, between, there, back, mtu })
}

fn direction(from: &mut Reader, way: &mut Direction) -> Result<(), Problem> {
    let Direction { shape, queue } = way;
    shape.rate = from.read("rate", units::rate)?.or(shape.rate);
    let faults: &mut Spec = &mut shape.faults;
    if let Some(round_trip) = from.read("rtt", units::time)? {
        faults.delay = round_trip / 2;
    }
    if let Some(spec) = from.read("delay", |value| units::netem("delay", value))? {
        (faults.delay, faults.jitter, faults.delay_correlation) = (spec.delay, spec.jitter, spec.delay_correlation);
    }
    if let Some(spec) = from.read("loss", |value| units::netem("loss", value))? {
        (faults.loss, faults.mark) = (spec.loss, spec.mark);
    }
    if let Some(spec) = from.read("reorder", |value| units::netem("reorder", value))? {
        (faults.reorder, faults.gap) = (spec.reorder, spec.gap);
    }
    if let Some(spec) = from.read("duplicate", |value| units::netem("duplicate", value))? {
        faults.duplicate = spec.duplicate;
    }
    if let Some(spec) = from.read("corrupt", |value| units::netem("corrupt", value))? {
        faults.corrupt = spec.corrupt;
    }
    if faults.reorder.percent > 0.0 && faults.delay.is_zero() {
        let what = "needs a delay: a frame can only overtake frames that wait".to_owned();
        return Err(Problem { path: from.path("reorder"), what });
    }
    *queue = from.read("queue", queue_of)?.unwrap_or(*queue);
    shape.mark = from
        .read("mark", |value| units::number(value, 0..=u64::from(u32::MAX)))?
        .map_or(shape.mark, |most| Some(most as usize));
    if let Some(outages) = from.read("outages", outages)? {
        shape.outages = outages;
    }
    Ok(())
}

fn queue_of(value: &Value) -> Result<Queue, String> {
    let wrong = || expected(value, QUEUE);
    if let Value::Integer(number) = value {
        return u32::try_from(*number).map(|packets| Queue::Packets(packets as usize)).map_err(|_| wrong());
    }
    let words: Vec<&str> = value.as_str().ok_or_else(wrong)?.split_whitespace().collect();
    let share =
        |word: &str| word.strip_suffix("bdp")?.parse::<f64>().ok().filter(|share| (0.0..=1000.0).contains(share));
    match words.as_slice() {
        [product] => share(product).map(|share| Queue::Product(share, 1)),
        [product, "min", least] => {
            share(product).zip(least.parse().ok()).map(|(share, least)| Queue::Product(share, least))
        }
        _ => None,
    }
    .ok_or_else(wrong)
}

fn outages(value: &Value) -> Result<Vec<Outage>, String> {
    let wrong = || expected(value, "pairs of times, like [[\"10s\", \"20s\"]]");
    let pair = |value: &Value| match value.as_array().map(Vec::as_slice) {
        Some([from, to]) => Ok(Outage { from: units::time(from)?, to: units::time(to)? }),
        Some(_) | None => Err(wrong()),
    };
    value.as_array().ok_or_else(wrong)?.iter().map(pair).collect()
}

impl Direction {
    fn finish(self, round_trip: Duration, mtu: usize, path: String) -> Result<Shape, Problem> {
        let Direction { mut shape, queue } = self;
        shape.queue = match queue {
            Queue::Packets(packets) => packets,
            Queue::Product(share, least) => {
                let rate = shape.rate.ok_or_else(|| Problem {
                    path,
                    what: "a bandwidth-delay product needs a rate: give the link one, or say packets".to_owned(),
                })?;
                let bits = rate as f64 * round_trip.as_secs_f64() * share;
                ((bits / 8.0 / (mtu + ETHERNET) as f64).ceil() as usize).max(least)
            }
        };
        Ok(shape)
    }
}

fn flow(mut from: Reader) -> Result<Flow, Problem> {
    let (source, destination) = (from.text("from")?, from.text("to")?);
    let source = from.required("from", source, "the name of a host")?;
    let destination = from.required("to", destination, "the name of a host")?;
    let name = from.text("name")?;
    let start = from.read("start", units::time)?.unwrap_or_default();
    let (bytes, duration) = (from.read("bytes", units::size)?, from.read("duration", units::time)?);
    let amount = match (bytes, duration) {
        (Some(bytes), None) => Amount::Bytes(bytes),
        (None, Some(span)) => Amount::During(span),
        (None, None) => from.required("bytes", None, "how many, or a duration")?,
        (Some(_), Some(_)) => {
            let what = "the flow has bytes already: it ends after them or after a time, not both".to_owned();
            return Err(Problem { path: from.path("duration"), what });
        }
    };
    let congestion = from.read("congestion", congestion)?;
    from.finish()?;
    let flow = Flow { start, congestion, ..Flow::new(source, destination, amount) };
    Ok(Flow { name: name.unwrap_or_else(|| flow.name.clone()), ..flow })
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
