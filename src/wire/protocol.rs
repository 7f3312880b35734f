//! Protocol numbers of the IP header (IANA "Assigned Internet Protocol Numbers").

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
