//! The commands of a script: what they would have changed of a machine becomes a setting here, what they ask about
//! sockets is answered by the stack, and what is neither ends the script as unsupported.

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
    &["true", ":", "sync", "sleep", "kldload", "modprobe", "rm", "tc", "tcpdrop", "ethtool", "set"];

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
        "ip" => ip(rest, orders).ok_or_else(unsupported)?,
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

/// `ip route change ... METRIC VALUE`, `ip link set ... mtu N`, `ip tcp_metrics flush`.
fn ip(words: &[&str], orders: &mut Vec<Order>) -> Option<()> {
    let mut words = words.iter().copied().skip_while(|word| word.starts_with('-'));
    let (object, verb) = (words.next()?, words.next()?);
    match (object, verb) {
        ("tcp_metrics" | "tcpmetrics", "flush" | "delete" | "del") => orders.push(Order::Note("ip tcp_metrics".into())),
        ("link" | "l", "set") => {
            let mut words = words.skip_while(|word| *word != "mtu");
            match words.next() {
                Some(_) => orders.push(Order::Mtu(words.next()?.parse().ok()?)),
                // `up`, a queue's length, another address: nothing of TCP.
                None => orders.push(Order::Note("ip link set".into())),
            }
        }
        ("route" | "r" | "ro", "change" | "chg" | "replace" | "add" | "append") => {
            // The destination.
            words.next()?;
            route(words, orders)?;
        }
        ("route" | "r" | "ro", "show" | "list" | "get" | "flush") => orders.push(Order::Note("ip route".into())),
        _ => return None,
    }
    Some(())
}

fn route<'w>(mut words: impl Iterator<Item = &'w str>, orders: &mut Vec<Order>) -> Option<()> {
    while let Some(name) = words.next() {
        let mut value = words.next()?;
        if value == "lock" {
            value = words.next()?;
        }
        let metric = match name {
            "via" | "dev" | "src" | "proto" | "scope" | "table" | "metric" => continue,
            "initcwnd" => RouteMetric::InitialWindow(value.parse().ok()?),
            "rto_min" => RouteMetric::MinRto(time(value)?),
            "mtu" => RouteMetric::Mtu(value.parse().ok()?),
            "advmss" => RouteMetric::AdvertisedMss(value.parse().ok()?),
            "quickack" => RouteMetric::QuickAck(value != "0"),
            "congctl" => RouteMetric::Congestion(value.into()),
            _ => return None,
        };
        orders.push(Order::Route(metric));
    }
    Some(())
}

/// `5ms`, `1s`; milliseconds without a unit.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "s" | "sec" | "secs" => number,
        "" | "ms" | "msec" | "msecs" => number / 1e3,
        "us" | "usec" | "usecs" => number / 1e6,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> Order {
        Order::Setting { name: name.into(), value: value.into() }
    }

    #[test]
    fn commands_become_orders() {
        let count = |state, number: &str| Order::Count { state: Some(state), number: number.into() };
        let table = [
            ("sysctl -q net.ipv4.tcp_sack=0", vec![setting("net.ipv4.tcp_sack", "0")]),
            (
                "sysctl -w net.ipv4.tcp_rmem=\"4096 10000 20000\" a.b=1 > /dev/null 2>&1",
                vec![setting("net.ipv4.tcp_rmem", "4096 10000 20000"), setting("a.b", "1")],
            ),
            (
                "./set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 \\\n /proc/sys/x=1",
                vec![setting("/proc/sys/net/ipv4/tcp_timestamps", "0"), setting("/proc/sys/x", "1")],
            ),
            ("sysctl -q a.b=\"1 $((32*1024+1))\" c=$((3 << 2))", vec![setting("a.b", "1 32769"), setting("c", "12")]),
            ("nstat -n", vec![Order::Note("nstat -n".into())]),
            ("echo 0 > /proc/sys/net/ipv4/tcp_sack", vec![setting("/proc/sys/net/ipv4/tcp_sack", "0")]),
            (
                "sockstat -4 -P tcp -s | grep packetdril | grep -c TIME_WAIT | grep 1",
                vec![count(TcpState::TimeWait, "1")],
            ),
            ("sockstat -4 -P tcp -p 8080 -s | grep -c SYN_RCVD | grep 0", vec![count(TcpState::SynReceived, "0")]),
            (
                "ip route change 192.0.2.0/24 via 192.168.0.2 dev tun0 mtu lock 1400 rto_min 5ms initcwnd 3",
                vec![
                    Order::Route(RouteMetric::Mtu(1400)),
                    Order::Route(RouteMetric::MinRto(Duration::from_millis(5))),
                    Order::Route(RouteMetric::InitialWindow(3)),
                ],
            ),
            ("ip link set dev tun0 mtu 9000", vec![Order::Mtu(9000)]),
            ("ip tcp_metrics flush all > /dev/null 2>&1", vec![Order::Note("ip tcp_metrics".into())]),
            ("true # sysctl a=1\n# nothing", vec![Order::Note("true".into())]),
            ("tc qdisc add dev tun0 root pfifo", vec![Order::Note("tc qdisc add dev tun0 root pfifo".into())]),
        ];
        for (command, expected) in table {
            assert_eq!(orders(command), Ok(expected), "{command}");
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for command in [
            "cat /proc/net/tcp",
            "sysctl a=$((1+))",
            "sysctl a=$((1",
            "tc qdisc replace dev tun0 root pfifo limit 0",
            "nstat | grep TcpExtBeyondWindow",
            "grep 0A /proc/net/tcp",
            "sockstat -4 | grep 1",
            "sockstat | awk x | grep -c CLOSED | grep 1",
            "ip rule add x",
            "ip route change default features ecn",
            "ip route change default rto_min",
            "./run.sh",
        ] {
            let Err(Stop::Unsupported(reason)) = orders(command) else { panic!("{command}") };
            assert!(reason.contains(command), "{reason}");
        }
    }
}
