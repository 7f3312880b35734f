//! Hardware addresses (IEEE 802 MAC-48).

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// `aa:bb:cc:dd:ee:ff`, in the order of the wire.
///
/// ```
/// use strata::wire::MacAddress;
/// let mac: MacAddress = "02:00:00:00:00:02".parse()?;
/// assert_eq!(mac.to_string(), "02:00:00:00:00:02");
/// assert!(mac.is_unicast() && !MacAddress::BROADCAST.is_unicast());
/// # Ok::<(), strata::wire::MacParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    pub const BROADCAST: MacAddress = MacAddress([0xff; 6]);
    /// No address: what an ARP request says of the target it asks for.
    pub const UNSPECIFIED: MacAddress = MacAddress([0; 6]);

    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// All ones.
    pub fn is_broadcast(self) -> bool {
        self == MacAddress::BROADCAST
    }

    /// The group bit is set: multicast, broadcast among it.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// The address of one interface: not a group, not zero.
    pub fn is_unicast(self) -> bool {
        !self.is_multicast() && self != MacAddress::UNSPECIFIED
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<[u8; 6]> for MacAddress {
    fn from(octets: [u8; 6]) -> MacAddress {
        MacAddress(octets)
    }
}

/// The text was no hardware address.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{text:?} is not a MAC address: six pairs of hexadecimal digits are wanted, as in 02:00:00:00:00:02")]
pub struct MacParseError {
    text: String,
}

impl FromStr for MacAddress {
    type Err = MacParseError;

    /// Takes colons or hyphens between the pairs.
    fn from_str(text: &str) -> Result<MacAddress, MacParseError> {
        let error = || MacParseError { text: text.to_owned() };
        let mut octets = [0; 6];
        let mut pairs = text.split([':', '-']);
        for octet in &mut octets {
            let pair =
                pairs.next().filter(|pair| pair.len() <= 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit()));
            *octet = u8::from_str_radix(pair.ok_or_else(error)?, 16).map_err(|_| error())?;
        }
        if pairs.next().is_some() { Err(error()) } else { Ok(MacAddress(octets)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_are_no_addresses_are_refused() {
        for text in ["", "02:00:00:00:00", "02:00:00:00:00:02:03", "02:00:00:00:00:0g", "02:00:00:00:00:+2", "::::: "] {
            assert!(text.parse::<MacAddress>().is_err(), "{text}");
        }
        assert_eq!("2-0-0-0-0-FF".parse(), Ok(MacAddress([2, 0, 0, 0, 0, 255])));
    }

    proptest! {
        #[test]
        fn from_str_undoes_display(octets: [u8; 6]) {
            prop_assert_eq!(MacAddress(octets).to_string().parse(), Ok(MacAddress(octets)));
        }
    }
}
