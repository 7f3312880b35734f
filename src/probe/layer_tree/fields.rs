//! A header's fields by name, from the tables of [`crate::wire`].

use super::sequence::Relative;
use crate::event::Layer;
use crate::wire::field::Field;
use crate::wire::{MacAddress, arp, ethernet, icmpv4, ipv4, tcp, udp};
use std::net::Ipv4Addr;

/// A field's name and what it says.
pub(super) type Row = (&'static str, String);

pub(super) fn rows(layer: Layer, header: &[u8], relative: Option<Relative>) -> Vec<Row> {
    match layer {
        Layer::Ethernet => ethernet_rows(header),
        Layer::Arp => table(arp::FIELDS, header),
        Layer::Ipv4 => table(ipv4::FIELDS, header),
        // Its table comes with its codec.
        Layer::Ipv6 => Vec::new(),
        Layer::Icmp => icmp_rows(header),
        Layer::Udp => table(udp::FIELDS, header),
        Layer::Tcp => tcp_rows(header, relative),
    }
}

fn table(fields: &[Field], header: &[u8]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut flags: Option<Vec<&str>> = None;
    for field in fields {
        let Some(value) = field.read(header) else { break };
        if field.bits.len() == 1 {
            let set = flags.get_or_insert_default();
            if value == 1 {
                set.push(field.name);
            }
            continue;
        }
        rows.extend(flags.take().map(flags_row));
        rows.push((field.name, shown(field, value)));
    }
    rows.extend(flags.map(flags_row));
    rows
}

/// Single bits share a row that names those that are set.
fn flags_row(set: Vec<&str>) -> Row {
    ("flags", if set.is_empty() { "none".into() } else { set.join(", ") })
}

fn shown(field: &Field, value: u64) -> String {
    let is_code = ["checksum", "type", "identification", "identifier"].iter().any(|word| field.name.ends_with(word));
    let is_address = ["source", "destination", "address"].iter().any(|word| field.name.ends_with(word));
    match (field.bits.len(), is_address, is_code) {
        (48, _, _) => {
            let [_, _, octets @ ..] = value.to_be_bytes();
            MacAddress(octets).to_string()
        }
        (32, true, _) => Ipv4Addr::from(value as u32).to_string(),
        (bits @ 9.., _, true) => format!("{value:#0width$x}", width = 2 + bits.div_ceil(4)),
        (_, _, _) => value.to_string(),
    }
}

/// The tags stand before the type, and move it.
fn ethernet_rows(header: &[u8]) -> Vec<Row> {
    let tags = ethernet::Header::parse(header).map_or(0, |(header, _)| header.tags.len());
    let addresses = table(&ethernet::FIELDS[..2], header);
    let tags_and_type = header.get(12..).unwrap_or_default();
    let tags = tags_and_type.chunks(4).take(tags).flat_map(|tag| table(ethernet::TAG_FIELDS, tag));
    let moved = header.get(header.len().saturating_sub(ethernet::MIN_HEADER_LEN)..).unwrap_or_default();
    addresses.into_iter().chain(tags).chain(table(&ethernet::FIELDS[2..], moved)).collect()
}

fn icmp_rows(header: &[u8]) -> Vec<Row> {
    let (common, rest) = icmpv4::FIELDS.split_at(3);
    let rest = match header {
        [icmpv4::ECHO_REPLY | icmpv4::ECHO_REQUEST, ..] => icmpv4::ECHO_FIELDS,
        [icmpv4::DESTINATION_UNREACHABLE, icmpv4::unreachable::FRAGMENTATION_NEEDED, ..] => {
            icmpv4::FRAGMENTATION_NEEDED_FIELDS
        }
        [icmpv4::PARAMETER_PROBLEM, ..] => icmpv4::PARAMETER_PROBLEM_FIELDS,
        _ => rest,
    };
    table(common, header).into_iter().chain(table(rest, header)).collect()
}

fn tcp_rows(header: &[u8], relative: Option<Relative>) -> Vec<Row> {
    let mut rows = table(tcp::FIELDS, header);
    if let Some(Relative { seq, ack }) = relative {
        for (name, number) in [("sequence number", seq), ("acknowledgment number", ack)] {
            rows.iter_mut()
                .filter(|row| row.0 == name)
                .for_each(|row| row.1.push_str(&format!(" (relative {number})")));
        }
    }
    if let Ok((tcp::Header { options, .. }, _)) = tcp::Header::parse(header) {
        let said = [
            options.mss.map(|mss| format!("MSS {mss}")),
            options.sack_permitted.then(|| "SACK permitted".into()),
            options.timestamps.map(|times| format!("timestamps {} echoing {}", times.value, times.echo)),
            options.window_scale.map(|shift| format!("window scale {shift}")),
            options.byte_counters.map(|counters| counters.to_string()),
        ];
        let blocks = options.sack.iter().map(|(left, right)| format!("SACK {left}..{right}"));
        let said: Vec<String> = said.into_iter().flatten().chain(blocks).collect();
        if !said.is_empty() {
            rows.push(("options", said.join(", ")));
        }
    }
    rows
}
