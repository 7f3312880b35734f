//! The bytes of every header: one short file a protocol, each with its fields as a table.
//!
//! A `parse` takes bytes and gives the header and the rest, or says what is wrong; an `emit` gives the bytes back.
//! Any bytes may be parsed without a panic, and `parse` undoes `emit`.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod field;
pub mod icmpv4;
pub mod ipv4;
mod mac;
pub mod offload;
pub mod protocol;
pub mod tcp;
pub mod tcp_options;
pub mod udp;

pub use mac::{MacAddress, MacParseError};
