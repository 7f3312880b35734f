//! `getsockopt` and `setsockopt`: the socket options that the stack has a notion of.

use super::constants::{member, number};
use super::sockets::{File, Kind, error_number};
use super::{Returned, Stop};
use crate::sim::script::syntax::Expression;
use crate::stack::Stack;
use crate::tcp::{Config, congestion::Algorithm};
use crate::time::Instant;
use std::time::Duration;

/// Options that change nothing that a script could see here.
const HARMLESS: &[&str] = &[
    "SO_REUSEADDR",
    "SO_REUSEPORT",
    "SO_NOSIGPIPE",
    "SO_PRIORITY",
    "TCP_QUICKACK",
    "IP_MTU_DISCOVER",
    "TCP_DEFER_ACCEPT_OFF",
    "SO_DEBUG",
];

pub fn set(stack: &mut Stack, now: Instant, file: &mut File, name: &str, value: &Expression) -> Result<Returned, Stop> {
    if HARMLESS.contains(&name) {
        return Ok(Returned::value(0));
    }
    if name == "SO_LINGER" {
        let member = |name| member(value, name).and_then(number).unwrap_or(0);
        let aborts = member("onoff") != 0 && member("linger") == 0;
        match &mut file.kind {
            Kind::Tcp(tcp) => tcp.aborts = aborts,
            _ if !aborts => {}
            _ => return Err(Stop::unsupported("SO_LINGER before there is a connection")),
        }
        return Ok(Returned::value(0));
    }
    if name == "TCP_CONGESTION" {
        let Expression::Text(text) = value else { return Err(Stop::unsupported("this value of TCP_CONGESTION")) };
        let known: Algorithm = text.parse().map_err(|_| Stop::unsupported(format!("congestion control by {text}")))?;
        file.configure(stack, now, |config| config.congestion = known);
        return Ok(Returned::value(0));
    }
    let value = number(value).ok_or_else(|| Stop::unsupported(format!("this value of {name}")))?;
    let change = change_of(name, value)?;
    if let Kind::Udp(id) = &file.kind {
        match name {
            "IP_TTL" => stack.udp_set_ttl(*id, value as u8),
            "SO_BROADCAST" => stack.udp_set_broadcast(*id, value != 0),
            _ => {}
        }
    }
    file.configure(stack, now, change);
    Ok(Returned::value(0))
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
        // Linux doubles what is asked for, and holds half of it for bookkeeping.
        "SO_RCVBUF" => config.fix_receive_buffer(value.clamp(1, 1 << 30) as usize),
        "SO_SNDBUF" => config.fix_send_buffer(value.clamp(1, 1 << 30) as usize),
        "IP_TTL" => config.ttl = value.clamp(1, 255) as u8,
        "IP_TOS" => config.traffic_class = value as u8,
        "TCP_LINGER2" => config.fin_wait_2 = seconds,
        _ => {}
    })
}

/// Reads an option and compares it with what the script expects in its place.
pub fn get(stack: &Stack, file: &mut File, name: &str, expected: &Expression) -> Result<Returned, Stop> {
    let found = match (&mut file.kind, name) {
        (_, "TCP_INFO" | "TCP_CC_INFO" | "SO_MEMINFO") => return Ok(Returned::value(0)),
        (Kind::Tcp(tcp), "SO_ERROR") => tcp.take_error(stack).map_or(0, error_number),
        (_, "SO_ERROR") => 0,
        (Kind::Tcp(tcp), "TCP_MAXSEG") => match stack.tcp_info(tcp.id) {
            Some(info) => info.snd_mss as i64,
            None => return Err(Stop::unsupported("TCP_MAXSEG before the connection is established")),
        },
        (_, name) => match file.config(stack) {
            Some(config) => of_config(config, name)?,
            None => return Err(Stop::unsupported(format!("{name} of this socket"))),
        },
    };
    match value_of(expected) {
        Some(wanted) if wanted != found => Err(Stop::failed(format!("{name} [{wanted}]"), format!("[{found}]"))),
        _ => Ok(Returned::value(0)),
    }
}

/// A number, or an error by its name.
fn value_of(expected: &Expression) -> Option<i64> {
    let word = match expected {
        Expression::List(list) if list.len() == 1 => &list[0],
        other => other,
    };
    match word {
        Expression::Word(name) if error_number(name) != 0 => Some(error_number(name)),
        _ => number(expected),
    }
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
        _ => return Err(Stop::unsupported(format!("the socket option {name}"))),
    })
}
