//! The page that shows visitors the connection over which they read it.

use crate::runtime::asynchronous::Watch;
use crate::tcp::Info;
use std::fmt::Write;
use std::time::Duration;

const TEMPLATE: &str = include_str!("landing.html");

/// The page, self-contained. Without a connection of ours, as under a test of the router alone, it says so.
pub fn page(connection: Option<(&Watch, &Info)>) -> String {
    let (peer, local, figures) = match connection {
        Some((watch, info)) => (watch.peer.to_string(), watch.local.to_string(), figures(info)),
        None => ("unknown".into(), "unknown".into(), String::new()),
    };
    TEMPLATE.replace("{{peer}}", &peer).replace("{{local}}", &local).replace("{{figures}}", &figures)
}

/// Rows of name, value and meaning. Nothing in them comes from the visitor, so nothing needs escaping.
fn figures(info: &Info) -> String {
    let rows = [
        ("State", info.state.to_string(), "where RFC 9293's state machine stands"),
        ("Segment size", bytes(info.snd_mss as u64), "MSS: the most data that one segment carries to you"),
        ("Window scale", scales(info), "shifts of the window fields, yours and mine (RFC 7323)"),
        ("Round trip", info.rtt.map_or("not yet measured".into(), span), "smoothed; from here to you and back"),
        ("Retransmission timeout", span(info.rto), "how long I wait before I send again (RFC 6298)"),
        ("Congestion window", bytes(info.cwnd), "how much I dare to have in flight"),
        ("Your window", bytes(info.snd_wnd), "how much you are ready to take"),
        ("My window", bytes(info.rcv_wnd), "how much I am ready to take"),
        ("Bytes you sent", bytes(info.bytes_received), "received in order, this request among them"),
        ("Bytes you acknowledged", bytes(info.bytes_acked), "this page is not yet among them"),
        ("Segments", format!("{} in, {} out", info.segments_received, info.segments_sent), "so far"),
        ("Retransmissions", info.retransmissions.to_string(), "segments that had to be sent again"),
        ("Options", options(info), "agreed on in the handshake"),
        ("Congestion control", info.congestion.to_string(), "who decides the window"),
    ];
    rows.iter().fold(String::new(), |mut html, (name, value, meaning)| {
        writeln!(html, "<div><dt>{name}</dt><dd>{value}<small>{meaning}</small></dd></div>")
            .expect("a String takes everything");
        html
    })
}

/// Thousands set apart by a narrow space.
fn bytes(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 + 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped + "\u{a0}B"
}

fn span(span: Duration) -> String {
    match span.as_micros() {
        micros @ 0..1_000 => format!("{micros}\u{a0}µs"),
        micros => format!("{:.3}\u{a0}ms", micros as f64 / 1_000.0),
    }
}

fn scales(info: &Info) -> String {
    match (info.snd_window_scale, info.rcv_window_scale) {
        (Some(theirs), Some(ours)) => format!("{theirs} and {ours}"),
        (None, _) | (_, None) => "none".into(),
    }
}

fn options(info: &Info) -> String {
    let agreed = [(info.timestamps, "timestamps"), (info.sack, "SACK"), (info.snd_window_scale.is_some(), "scaling")];
    let names: Vec<&str> = agreed.iter().filter(|(used, _)| *used).map(|(_, name)| *name).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(bytes(0), "0\u{a0}B");
        assert_eq!(bytes(1_234_567), "1\u{202f}234\u{202f}567\u{a0}B");
        assert_eq!(span(Duration::from_micros(87)), "87\u{a0}µs");
        assert_eq!(span(Duration::from_micros(20_500)), "20.500\u{a0}ms");
    }

    #[test]
    fn every_placeholder_is_filled() {
        let page = page(None);
        assert!(!page.contains("{{") && !page.contains("}}"));
    }
}
