//! The commands of `ip`.

use super::{Order, RouteMetric};
use std::time::Duration;

/// `ip route change ... METRIC VALUE`, `ip link set ... mtu N`, `ip tcp_metrics flush`.
pub(super) fn ip(words: &[&str], orders: &mut Vec<Order>) -> Option<()> {
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
