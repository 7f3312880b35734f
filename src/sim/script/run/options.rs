//! `getsockopt` and `setsockopt`: the socket options that the stack has a notion of.

use super::constants::{member, number};
use super::sockets::{File, Kind};
use super::{Returned, Stop, System, stamps};
use crate::sim::script::syntax::Expression;
use crate::stack::Stack;
use crate::tcp::{Config, congestion::Algorithm};
use crate::time::Instant;
use std::fmt::Display;
use std::time::Duration;

/// Options that change nothing that a script could see here. What they were set to can be read again.
const HARMLESS: &[&str] = &[
    "SO_REUSEADDR",
    "SO_REUSEPORT",
    "SO_NOSIGPIPE",
    "SO_PRIORITY",
    "SO_MARK",
    "SO_DEBUG",
    "SO_DONTROUTE",
    "SO_BUSY_POLL",
    "SO_INCOMING_CPU",
    "SO_OOBINLINE",
    "IP_MTU_DISCOVER",
    "IP_FREEBIND",
    "IP_TRANSPARENT",
    "IP_BIND_ADDRESS_NO_PORT",
    "IP_RECVERR",
    "TCP_THIN_LINEAR_TIMEOUTS",
    "TCP_SAVE_SYN",
    "TCP_LOG",
    "TCP_LOGID",
];

/// Options that ask for what there is not; to be without them is what they ask for with 0.
const MISSING: &[&str] = &["TCP_DEFER_ACCEPT", "SO_TIMESTAMPING", "SO_TXTIME"];

/// The largest buffer that a script gets.
const LARGEST_BUFFER: i64 = 1 << 26;

/// How long an acknowledgement waits where `TCP_QUICKACK` wants it to.
const DELAYED_ACK: Duration = Duration::from_millis(40);

pub fn set(
    stack: &mut Stack,
    system: System,
    now: Instant,
    file: &mut File,
    name: &str,
    value: &Expression,
) -> Result<Returned, Stop> {
    if matches!(file.kind, Kind::Epoll(_) | Kind::Zeros | Kind::Pipe(_)) {
        return Ok(Returned { value: -1, errno: Some("ENOTSOCK"), descriptor: false });
    }
    match (name, value) {
        ("SO_LINGER", value) => {
            let member = |name| member(value, name).and_then(number);
            let (Some(onoff), Some(seconds)) = (member("onoff"), member("linger")) else {
                return Err(Stop::unsupported("this value of SO_LINGER"));
            };
            let linger = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            file.attributes.linger = (onoff != 0).then_some(linger);
            return Ok(Returned::value(0));
        }
        ("TCP_CONGESTION", Expression::Text(text)) => {
            let known: Algorithm =
                text.parse().map_err(|_| Stop::unsupported(format!("congestion control by {text}")))?;
            file.configure(stack, now, |config| config.congestion = known);
            return Ok(Returned::value(0));
        }
        (_, _) => {}
    }
    let value = number(value).ok_or_else(|| Stop::unsupported(format!("this value of {name}")))?;
    match name {
        "SO_TIMESTAMPING" if value & !stamps::KNOWN == 0 && matches!(file.kind, Kind::Tcp(_)) => {
            if let Kind::Tcp(tcp) = &mut file.kind {
                let acknowledged = stack.tcp_info(tcp.id).map_or(0, |info| info.bytes_acked);
                tcp.stamps.ask(value, acknowledged, tcp.written);
            }
        }
        "SO_ZEROCOPY" => file.attributes.zero_copy = value != 0,
        "TCP_INQ" => file.attributes.inquire = value != 0,
        "SO_RCVLOWAT" => file.attributes.low_water = usize::try_from(value).unwrap_or(usize::MAX).max(1),
        name if HARMLESS.contains(&name) => drop(file.attributes.remembered.insert(name.into(), value)),
        name if MISSING.contains(&name) && value == 0 => {}
        name => {
            if name == "TCP_NODELAY" && value != 0 {
                // Set once more it lets go once more what waits.
                file.configure(stack, now, |config| config.nagle = true);
            }
            let doubled = system == System::Linux && name == "SO_SNDBUF";
            let change = change_of(name, if doubled { value.saturating_mul(2) } else { value })?;
            if let Kind::Udp(id) = &file.kind {
                match name {
                    "IP_TTL" => stack.udp_set_ttl(*id, value as u8),
                    "SO_BROADCAST" => stack.udp_set_broadcast(*id, value != 0),
                    _ => {}
                }
            }
            if system == System::Linux && matches!(name, "SO_RCVBUF" | "SO_SNDBUF") {
                set_buffer(file, name, value);
                if name == "SO_RCVBUF" && matches!(file.kind, Kind::Fresh { .. } | Kind::Listener(_)) {
                    let shift = shift_for(value);
                    file.configure(stack, now, |config| config.window_scale = config.window_scale.map(|_| shift));
                }
            }
            file.configure(stack, now, change);
        }
    }
    Ok(Returned::value(0))
}

/// Linux takes twice what is asked for, for its own bookkeeping, and says so.
fn set_buffer(file: &mut File, name: &str, value: i64) {
    let smallest = if name == "SO_RCVBUF" { 2304 } else { 4608 };
    file.attributes.remembered.insert(name.into(), value.saturating_mul(2).max(smallest));
}

/// The window scale that a buffer of a size that is fixed needs.
fn shift_for(buffer: i64) -> u8 {
    (0..14).find(|shift| buffer >> shift <= i64::from(u16::MAX)).unwrap_or(14)
}

/// What an option does to a connection's settings.
fn change_of(name: &str, value: i64) -> Result<impl FnOnce(&mut Config), Stop> {
    const KNOWN: &[&str] = &[
        "TCP_NODELAY",
        "SO_KEEPALIVE",
        "TCP_KEEPIDLE",
        "TCP_KEEPALIVE",
        "TCP_KEEPINTVL",
        "TCP_KEEPCNT",
        "TCP_KEEPINIT",
        "TCP_USER_TIMEOUT",
        "TCP_MAXSEG",
        "SO_RCVBUF",
        "SO_SNDBUF",
        "IP_TTL",
        "IP_TOS",
        "SO_BROADCAST",
        "TCP_LINGER2",
        "TCP_CORK",
        "TCP_NOPUSH",
        "TCP_QUICKACK",
        "TCP_NOTSENT_LOWAT",
        "TCP_SYNCNT",
        "TCP_FASTOPEN",
        "TCP_FASTOPEN_CONNECT",
        "SO_MAX_PACING_RATE",
    ];
    if !KNOWN.contains(&name) {
        return Err(Stop::unsupported(format!("the socket option {name}")));
    }
    let seconds = Duration::from_secs(u64::try_from(value).unwrap_or(0));
    let millis = Duration::from_millis(u64::try_from(value).unwrap_or(0));
    let name = name.to_owned();
    Ok(move |config: &mut Config| match name.as_str() {
        "TCP_NODELAY" => config.nagle = value == 0,
        "SO_KEEPALIVE" => config.keepalive.enabled = value != 0,
        "TCP_KEEPIDLE" | "TCP_KEEPALIVE" => config.keepalive.idle = seconds,
        "TCP_KEEPINTVL" => config.keepalive.interval = seconds,
        "TCP_KEEPCNT" => config.keepalive.count = value.clamp(1, 127) as u32,
        "TCP_KEEPINIT" => config.give_up_syn = seconds,
        "TCP_USER_TIMEOUT" => config.user_timeout = (value != 0).then_some(millis),
        "TCP_MAXSEG" => config.mss = u16::try_from(value).ok().filter(|mss| *mss > 0),
        // Linux doubles what is asked for. Of what is received it holds half for bookkeeping; what is sent in long writes
        // takes nearly all of it.
        "SO_RCVBUF" => config.fix_receive_buffer(value.clamp(1, LARGEST_BUFFER) as usize),
        "SO_SNDBUF" => config.fix_send_buffer(value.clamp(1, LARGEST_BUFFER) as usize),
        "IP_TTL" => config.ttl = value.clamp(1, 255) as u8,
        "IP_TOS" => config.traffic_class = value as u8,
        "TCP_LINGER2" => config.fin_wait_2 = seconds,
        "TCP_CORK" | "TCP_NOPUSH" => config.cork = value != 0,
        "TCP_QUICKACK" => config.delayed_ack = (value == 0).then_some(DELAYED_ACK),
        "TCP_NOTSENT_LOWAT" => config.unsent_limit = usize::try_from(value).ok().filter(|limit| *limit > 0),
        // A SYN that is sent N times more, at 1, 2, 4 .. seconds.
        "TCP_FASTOPEN_CONNECT" => config.fast_open_connect = value != 0,
        "TCP_FASTOPEN" => config.fast_open_queue = usize::try_from(value).unwrap_or(0),
        "TCP_SYNCNT" => config.give_up_syn = Duration::from_secs((2 << value.clamp(1, 20)) - 1),
        "SO_MAX_PACING_RATE" => {
            config.max_pacing_rate = u64::try_from(value).ok().filter(|rate| *rate < u64::from(u32::MAX))
        }
        _ => {}
    })
}

/// Reads an option and compares it with what the script expects in its place.
pub fn get(
    stack: &Stack,
    system: System,
    file: &mut File,
    name: &str,
    expected: &Expression,
) -> Result<Returned, Stop> {
    let failed = |wanted: &dyn Display, found: &dyn Display| Err(Stop::failed(format!("{name} {wanted}"), found));
    match (name, expected) {
        ("TCP_INFO" | "TCP_CC_INFO" | "SO_MEMINFO", _) => return Ok(Returned::value(0)),
        ("TCP_CONGESTION", Expression::Text(wanted)) => {
            let config = file.config(stack).ok_or_else(|| Stop::unsupported("TCP_CONGESTION of this socket"))?;
            let found = config.congestion.to_string();
            return if *wanted == found { Ok(Returned::value(0)) } else { failed(wanted, &found) };
        }
        ("SO_LINGER", Expression::Struct(_)) => {
            let linger = file.attributes.linger;
            let found = [i64::from(linger.is_some()), linger.map_or(0, |linger| linger.as_secs() as i64)];
            let wanted = ["onoff", "linger"].map(|name| member(expected, name).and_then(number));
            let same = wanted.iter().zip(found).all(|(wanted, found)| wanted.is_none_or(|wanted| wanted == found));
            let told = format!("{{onoff={}, linger={}}}", found[0], found[1]);
            return if same { Ok(Returned::value(0)) } else { failed(expected, &told) };
        }
        (_, _) => {}
    }
    if let ("SO_ERROR", Kind::Tcp(tcp)) = (name, &mut file.kind) {
        let error = tcp.take_error(stack);
        let named = matches!(simple(expected), Expression::Word(wanted) if Some(wanted.as_str()) == error);
        let found = error.map_or(0, |error| error_number(system, error));
        return match number(expected) {
            Some(wanted) if !named && wanted != found => failed(&format!("[{wanted}]"), &format!("[{found}]")),
            _ => Ok(Returned::value(0)),
        };
    }
    let found = match (&file.kind, name) {
        (_, name) if file.attributes.remembered.contains_key(name) => file.attributes.remembered[name],
        (_, "SO_ERROR") => 0,
        (_, "SO_ZEROCOPY") => i64::from(file.attributes.zero_copy),
        (Kind::Tcp(tcp), "SO_TIMESTAMPING") => tcp.stamps.asked(),
        (_, "TCP_INQ") => i64::from(file.attributes.inquire),
        (_, "SO_RCVLOWAT") => file.attributes.low_water as i64,
        (Kind::Tcp(tcp), "TCP_MAXSEG") => match stack.tcp_info(tcp.id) {
            Some(info) => info.snd_mss as i64,
            None => return Err(Stop::unsupported("TCP_MAXSEG before the connection is established")),
        },
        (Kind::Listener(_), "SO_ACCEPTCONN") => 1,
        (_, "SO_ACCEPTCONN") => 0,
        (_, name) if HARMLESS.contains(&name) || MISSING.contains(&name) => 0,
        (_, name) => match file.config(stack) {
            Some(config) => of_config(config, name)?,
            None => return Err(Stop::unsupported(format!("{name} of this socket"))),
        },
    };
    match number(expected) {
        Some(wanted) if wanted != found => failed(&format!("[{wanted}]"), &format!("[{found}]")),
        _ => Ok(Returned::value(0)),
    }
}

/// What stands in a list of one.
fn simple(expected: &Expression) -> &Expression {
    match expected {
        Expression::List(list) if list.len() == 1 => &list[0],
        other => other,
    }
}

/// What a system calls an error by its number.
fn error_number(system: System, name: &str) -> i64 {
    const NUMBERS: [(&str, i64, i64); 5] = [
        ("ECONNRESET", 104, 54),
        ("ECONNREFUSED", 111, 61),
        ("ETIMEDOUT", 110, 60),
        ("EHOSTUNREACH", 113, 65),
        ("EINPROGRESS", 115, 36),
    ];
    let known = NUMBERS.iter().find(|(known, ..)| *known == name);
    known.map_or(0, |(_, linux, freebsd)| if system == System::FreeBsd { *freebsd } else { *linux })
}

fn of_config(config: &Config, name: &str) -> Result<i64, Stop> {
    Ok(match name {
        "TCP_NODELAY" => i64::from(!config.nagle),
        "SO_KEEPALIVE" => i64::from(config.keepalive.enabled),
        "TCP_KEEPIDLE" | "TCP_KEEPALIVE" => config.keepalive.idle.as_secs() as i64,
        "TCP_KEEPINTVL" => config.keepalive.interval.as_secs() as i64,
        "TCP_KEEPCNT" => i64::from(config.keepalive.count),
        "TCP_KEEPINIT" => config.give_up_syn.as_secs() as i64,
        "TCP_USER_TIMEOUT" => config.user_timeout.map_or(0, |timeout| timeout.as_millis() as i64),
        "TCP_MAXSEG" => i64::from(config.mss.unwrap_or(536)),
        "SO_RCVBUF" => config.receive_buffer.min(config.initial_receive_buffer) as i64,
        "SO_SNDBUF" => config.send_buffer.min(config.initial_send_buffer) as i64,
        "IP_TTL" => i64::from(config.ttl),
        "IP_TOS" => i64::from(config.traffic_class),
        "SO_TYPE" => 1,
        "SO_PROTOCOL" => 6,
        "SO_DOMAIN" => 2,
        "TCP_FASTOPEN" => config.fast_open_queue as i64,
        "TCP_FASTOPEN_CONNECT" => i64::from(config.fast_open_connect),
        "TCP_CORK" | "TCP_NOPUSH" => i64::from(config.cork),
        "TCP_QUICKACK" => i64::from(config.delayed_ack.is_none()),
        "TCP_NOTSENT_LOWAT" => config.unsent_limit.map_or(0, |limit| limit as i64),
        _ => return Err(Stop::unsupported(format!("the socket option {name}"))),
    })
}
