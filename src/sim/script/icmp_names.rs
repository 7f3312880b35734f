//! ICMP types and codes by the names that scripts give them.

/// Names of types of ICMP for IPv4; `type_N` is any.
const KINDS: &[(&str, u8)] = &[
    ("echo_reply", 0),
    ("unreachable", 3),
    ("source_quench", 4),
    ("redirect", 5),
    ("echo_request", 8),
    ("time_exceeded", 11),
    ("parameter_problem", 12),
    ("timestamp_request", 13),
    ("timestamp_reply", 14),
    ("timestamp", 13),
    ("timestampreply", 14),
    ("information_request", 15),
    ("information_reply", 16),
    ("address_mask_request", 17),
    ("address_mask_reply", 18),
];

/// The same of ICMPv6.
const KINDS_V6: &[(&str, u8)] = &[
    ("unreachable", 1),
    ("packet_too_big", 2),
    ("time_exceeded", 3),
    ("parameter_problem", 4),
    ("echo_request", 128),
    ("echo_reply", 129),
];

/// Codes; those of Destination Unreachable, most of them.
const CODES: &[(&str, u8)] = &[
    ("net_unreachable", 0),
    ("host_unreachable", 1),
    ("protocol_unreachable", 2),
    ("port_unreachable", 3),
    ("frag_needed", 4),
    ("source_route_failed", 5),
    ("net_unknown", 6),
    ("host_unknown", 7),
    ("source_host_isolated", 8),
    ("net_prohibited", 9),
    ("host_prohibited", 10),
    ("net_unreachable_for_tos", 11),
    ("host_unreachable_for_tos", 12),
    ("net_for_tos", 11),
    ("host_for_tos", 12),
    ("packet_filtered", 13),
    ("precedence_violation", 14),
    ("precedence_cutoff", 15),
    // Of Time Exceeded.
    ("ttl_exceeded_in_transit", 0),
    ("frag_reass_exceeded", 1),
];

const CODES_V6: &[(&str, u8)] = &[
    ("no_route", 0),
    ("admin_prohibited", 1),
    ("not_neighbour", 2),
    ("address_unreachable", 3),
    ("port_unreachable", 4),
    ("exceeded_hop_limit", 0),
    ("exceeded_frag_time", 1),
    ("header_field", 0),
    ("unknown_next_header", 1),
    ("unknown_option", 2),
];

fn number(name: &str, table: &[(&str, u8)], prefix: &str) -> Option<u8> {
    let named = table.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    named.or_else(|| name.strip_prefix(prefix)?.parse().ok())
}

pub fn is_kind(name: &str) -> bool {
    kind_v4(name).or_else(|| number(name, KINDS_V6, "type_")).is_some()
}

pub fn is_code(name: &str) -> bool {
    code_v4(name).or_else(|| number(name, CODES_V6, "code_")).is_some()
}

/// The type number for IPv4; none when only ICMPv6 has it.
pub fn kind_v4(name: &str) -> Option<u8> {
    number(name, KINDS, "type_")
}

pub fn code_v4(name: &str) -> Option<u8> {
    number(name, CODES, "code_")
}

/// The name of a type of IPv4.
pub fn kind_name(kind: u8) -> String {
    KINDS.iter().find(|(_, number)| *number == kind).map_or_else(|| format!("type_{kind}"), |(name, _)| (*name).into())
}

/// The name of a code; only those of Destination Unreachable have one.
pub fn code_name(kind: u8, code: u8) -> String {
    let named = CODES.iter().find(|(_, number)| *number == code && kind == 3);
    named.map_or_else(|| format!("code_{code}"), |(name, _)| (*name).into())
}
