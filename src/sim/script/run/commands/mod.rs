//! The commands of a script: what they would have changed of a machine becomes a setting here, what they ask about
//! sockets is answered by the stack, and what is neither ends the script as unsupported.

mod ip;
#[cfg(test)]
mod tests;

use super::{Run, Stop, code, sysctl};
use crate::event::TcpState;
use std::time::Duration;

/// What a command is to us.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    /// A system setting.
    Setting { name: String, value: String },
    /// What `ip route` says of the way to the peer.
    Route(RouteMetric),
    /// The largest packet of the link.
    Mtu(usize),
    /// So many sockets must be in this state; none for any state.
    Count { state: Option<TcpState>, number: String },
    /// It changes nothing that a script could see here.
    Note(String),
}

#[derive(Clone, PartialEq, Debug)]
pub enum RouteMetric {
    InitialWindow(u32),
    MinRto(Duration),
    Mtu(u16),
    AdvertisedMss(u16),
    QuickAck(bool),
    Congestion(String),
}

/// Programs whose work has no meaning here: there are no caches, queues, modules or files.
const HARMLESS: &[&str] =
    &["true", ":", "sync", "sleep", "dd", "kldload", "modprobe", "rm", "tc", "tcpdrop", "ethtool", "set"];

/// Reads the lines of a back-quoted command.
pub fn orders(command: &str) -> Result<Vec<Order>, Stop> {
    let clean = calculated(command)?.replace("\\\n", " ").replace("||", "\n").replace("&&", "\n");
    let mut orders = Vec::new();
    for line in clean.split(['\n', ';']) {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if !line.is_empty() && !line.starts_with('#') {
            order(line, &mut orders)?;
        }
    }
    Ok(orders)
}

/// `$((32*1024))` is what it comes to.
fn calculated(command: &str) -> Result<String, Stop> {
    let (mut clean, mut rest) = (String::new(), command);
    while let Some((before, behind)) = rest.split_once("$((") {
        let unknown = || Stop::unsupported(format!("the command `{command}`"));
        let (sum, behind) = behind.split_once("))").ok_or_else(unknown)?;
        let value = code::calculate(sum).map_err(|_| unknown())?;
        clean.push_str(before);
        clean.push_str(&value.to_string());
        rest = behind;
    }
    Ok(clean + rest)
}

fn order(line: &str, orders: &mut Vec<Order>) -> Result<(), Stop> {
    let unsupported = || Stop::unsupported(format!("the command `{line}`"));
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((program, rest)) = words.split_first() else { return Ok(()) };
    let program = program.rsplit('/').next().unwrap_or(program);
    match program {
        "sysctl" | "set_sysctls.py" => settings(line, orders),
        "defaults.sh" => {
            orders.extend(
                sysctl::linux_defaults().map(|(name, value)| Order::Setting { name: name.into(), value: value.into() }),
            );
        }
        // `echo 1 > /proc/sys/net/ipv4/tcp_sack`
        "echo" => match line["echo".len()..].split_once('>') {
            Some((value, path)) if path.trim().starts_with("/proc/sys/") => {
                let value = value.trim().trim_start_matches("-n").trim().trim_matches(['"', '\'']);
                orders.push(Order::Setting { name: path.trim().into(), value: value.into() });
            }
            _ => orders.push(Order::Note(line.into())),
        },
        "sockstat" => orders.push(sockets(line).ok_or_else(unsupported)?),
        "ip" => ip::ip(rest, orders).ok_or_else(unsupported)?,
        // A queue that takes nothing.
        "tc" if rest.windows(2).any(|words| words == ["limit", "0"]) => return Err(unsupported()),
        // The kernel's counters can be reset, and asked for nothing here.
        "nstat" if !line.contains('|') => orders.push(Order::Note(line.into())),
        name if HARMLESS.contains(&name) || name.starts_with("sysctl_restore") => orders.push(Order::Note(line.into())),
        _ => return Err(unsupported()),
    }
    Ok(())
}

/// `name=value` pairs; `name="a b c"` is one word to the shell.
fn settings(line: &str, orders: &mut Vec<Order>) {
    let line = line.split(" >").next().unwrap_or(line);
    let mut rest = line;
    while let Some(place) = rest.find('=') {
        let name = rest[..place].trim_end().rsplit(char::is_whitespace).next().unwrap_or_default();
        let after = rest[place + 1..].trim_start();
        let (value, behind) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
            _ => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        orders.push(Order::Setting { name: name.into(), value: value.into() });
        rest = behind;
    }
    if rest == line {
        // Only read.
        orders.push(Order::Note(line.into()));
    }
}

/// `sockstat ... | grep -c STATE | grep N`: the list of sockets, counted.
fn sockets(line: &str) -> Option<Order> {
    let stages: Vec<Vec<&str>> = line.split('|').map(|stage| stage.split_whitespace().collect()).collect();
    let [_, filters @ .., counting, number] = stages.as_slice() else { return None };
    // A filter by the name of the program: every socket here is the program's.
    let by_program = |stage: &Vec<&str>| matches!(stage.as_slice(), ["grep", name] if name.starts_with("packetdril"));
    if !filters.iter().all(by_program) {
        return None;
    }
    match (counting.as_slice(), number.as_slice()) {
        (["grep", "-c", state], ["grep", number]) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(Order::Count { state: Some(state_of(state)?), number: (*number).into() })
        }
        _ => None,
    }
}

/// A state by the name that FreeBSD's tools give it.
fn state_of(name: &str) -> Option<TcpState> {
    Some(match name {
        "CLOSED" => TcpState::Closed,
        "LISTEN" => TcpState::Listen,
        "SYN_SENT" => TcpState::SynSent,
        "SYN_RCVD" | "SYN_RECEIVED" => TcpState::SynReceived,
        "ESTABLISHED" => TcpState::Established,
        "FIN_WAIT_1" => TcpState::FinWait1,
        "FIN_WAIT_2" => TcpState::FinWait2,
        "CLOSE_WAIT" => TcpState::CloseWait,
        "CLOSING" => TcpState::Closing,
        "LAST_ACK" => TcpState::LastAck,
        "TIME_WAIT" => TcpState::TimeWait,
        _ => return None,
    })
}

impl Run {
    /// Does what a command asks; the MTU of a link that is in use stays.
    pub(super) fn command(&mut self, command: &str) -> Result<(), Stop> {
        for order in orders(command)? {
            match order {
                Order::Setting { name, value } => self.setting(&name, &value)?,
                Order::Route(metric) => sysctl::apply_route(&metric, &mut self.config)?,
                Order::Mtu(mtu) if mtu == self.settings.mtu => {}
                Order::Mtu(_) => return Err(Stop::unsupported("another MTU in the middle of a script")),
                Order::Count { state, number } => self.count(state, &number)?,
                Order::Note(_) => {}
            }
        }
        Ok(())
    }

    fn setting(&mut self, name: &str, value: &str) -> Result<(), Stop> {
        self.sysctls.apply(name, value, &mut self.config)?;
        if let Some(closed_port) = self.sysctls.closed_port.take() {
            self.machine.stack.set_closed_port(closed_port);
        }
        if let Some(key) = self.sysctls.fast_open_key.take() {
            self.machine.stack.set_fast_open_key(Some(key));
        }
        if std::mem::take(&mut self.sysctls.forgets_cookies) {
            self.machine.stack.forget_fast_open_cookies();
        }
        if !sysctl::is_asked_at_once(name) {
            return Ok(());
        }
        // What a kernel looks up when it needs it holds for the sockets that there are, too.
        for file in self.files.values_mut() {
            if let Some(config) = file.config(&self.machine.stack) {
                let mut config = config.clone();
                self.sysctls.apply(name, value, &mut config)?;
                file.configure(&mut self.machine.stack, self.machine.now, |old| *old = config);
            }
        }
        Ok(())
    }

    /// As `grep -c` counts and `grep` looks: the number's digits must occur.
    fn count(&self, state: Option<TcpState>, number: &str) -> Result<(), Stop> {
        let states = self.machine.stack.tcp_states();
        let found = states.filter(|found| state.is_none_or(|state| state == *found)).count();
        let named = state.map_or_else(|| "open".to_owned(), |state| state.to_string());
        if found.to_string().contains(number) {
            return Ok(());
        }
        Err(Stop::failed(format!("{number} sockets in {named}"), found))
    }
}
