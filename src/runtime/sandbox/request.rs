//! Which link the user asks for, and what its two ends are to be called.

use crate::device::tap;
use crate::wire::MacAddress;
use ipnet::{IpNet, Ipv4Net};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// What `--link` says.
///
/// ```
/// use strata::runtime::sandbox::LinkRequest;
///
/// assert_eq!("tap:tap7".parse(), Ok(LinkRequest::Tap { name: Some("tap7".into()) }));
/// assert_eq!(LinkRequest::Packet { name: "eth0".into() }.to_string(), "packet:eth0");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum LinkRequest {
    /// The highest rung that works.
    #[default]
    Auto,
    /// A TAP, by name or by the configured one.
    Tap { name: Option<String> },
    /// Raw Ethernet on an interface that exists.
    Packet { name: String },
    /// A namespace of its own with a veth pair.
    Veth,
    /// A link to another host in this process.
    InProcess,
}

/// Why a text names no link.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestError {
    #[error("unknown link {link:?}: known are auto, tap, tap:NAME, packet:INTERFACE, veth and in-process")]
    Unknown { link: String },
    #[error("packet needs an interface: packet:eth0, say; `ip link` lists them")]
    MissingInterface,
    #[error("{name:?} cannot be the name of an interface: 1 to 15 bytes, without blanks, `/` and `:`")]
    BadName { name: String },
}

impl FromStr for LinkRequest {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<LinkRequest, RequestError> {
        let (kind, name) = match text.split_once(':') {
            Some((kind, name)) => (kind, Some(name)),
            None => (text, None),
        };
        if let Some(name) = name
            && matches!(kind, "tap" | "packet")
            && !tap::is_name(name)
        {
            return Err(RequestError::BadName { name: name.to_owned() });
        }
        match (kind, name) {
            ("auto", None) => Ok(LinkRequest::Auto),
            ("tap", name) => Ok(LinkRequest::Tap { name: name.map(str::to_owned) }),
            ("packet", Some(name)) => Ok(LinkRequest::Packet { name: name.to_owned() }),
            ("packet", None) => Err(RequestError::MissingInterface),
            ("veth", None) => Ok(LinkRequest::Veth),
            ("in-process", None) => Ok(LinkRequest::InProcess),
            _ => Err(RequestError::Unknown { link: text.to_owned() }),
        }
    }
}

impl fmt::Display for LinkRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkRequest::Auto => f.write_str("auto"),
            LinkRequest::Tap { name: None } => f.write_str("tap"),
            LinkRequest::Tap { name: Some(name) } => write!(f, "tap:{name}"),
            LinkRequest::Packet { name } => write!(f, "packet:{name}"),
            LinkRequest::Veth => f.write_str("veth"),
            LinkRequest::InProcess => f.write_str("in-process"),
        }
    }
}

/// How the two ends of the link are set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The kernel's interface.
    pub name: String,
    /// The stack's addresses, each with the prefix of its network.
    pub addresses: Vec<IpNet>,
    /// The MAC address of the kernel's interface: a fixed one makes captures that can be compared.
    pub kernel_mac: MacAddress,
    /// The largest IP packet of the link, in bytes.
    pub mtu: usize,
    /// The kernel may leave checksums partial and super-frames whole, and so may the stack.
    pub offload: bool,
    /// The kernel may take in our frames on other processors than ours, where it lets us choose them: of a TAP of one queue
    /// that we make, with offloads. Plain frames could come faster than the other processor takes them in.
    pub steering: bool,
    /// How many queues a TAP has, each a device of its own.
    pub queues: usize,
    /// May the link end in this process when nothing else works?
    pub in_process: bool,
}

impl Default for Config {
    /// `strata0`, the stack at 192.0.2.2/24, the kernel at 192.0.2.1 and 02:00:00:00:00:01, MTU 1500.
    fn default() -> Config {
        Config {
            name: "strata0".into(),
            addresses: vec![Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 2), 24).into()],
            kernel_mac: MacAddress([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            offload: true,
            steering: true,
            queues: 1,
            in_process: true,
        }
    }
}

impl Config {
    /// The name of the stack's end of a veth pair.
    pub(super) fn peer_name(&self) -> String {
        const SUFFIX: &str = "-stack";
        let room = 15 - SUFFIX.len();
        let cut = (0..=room).rev().find(|&at| self.name.is_char_boundary(at)).unwrap_or(0);
        format!("{}{SUFFIX}", &self.name[..cut.min(self.name.len())])
    }
}

/// The kernel's address on the network of `stack`: the first that a host may have there and that the stack has not.
/// None when there is no second one.
pub fn kernel_address(stack: IpNet) -> Option<IpNet> {
    let length = stack.prefix_len();
    // RFC 4291 §2.6.1: the first address of an IPv6 network is that of its routers; RFC 6164: not so of a /127.
    let anycast = |address: &IpAddr| address.is_ipv6() && length < 127 && *address == stack.network();
    let free = stack.hosts().find(|address| *address != stack.addr() && !anycast(address))?;
    Some(IpNet::new_assert(free, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_named_as_they_are_written() {
        for text in ["auto", "tap", "tap:tap7", "packet:eth0", "veth", "in-process"] {
            assert_eq!(text.parse::<LinkRequest>().map(|link| link.to_string()), Ok(text.to_owned()));
        }
        for (text, error) in [
            ("tun", r#"unknown link "tun": known are auto, tap, tap:NAME, packet:INTERFACE, veth and in-process"#),
            (
                "auto:x",
                r#"unknown link "auto:x": known are auto, tap, tap:NAME, packet:INTERFACE, veth and in-process"#,
            ),
            ("packet", "packet needs an interface: packet:eth0, say; `ip link` lists them"),
            ("tap:", r#""" cannot be the name of an interface: 1 to 15 bytes, without blanks, `/` and `:`"#),
        ] {
            assert_eq!(text.parse::<LinkRequest>().expect_err(text).to_string(), error);
        }
    }

    #[test]
    fn the_kernel_takes_the_first_address_that_is_free() {
        for (stack, kernel) in [
            ("192.0.2.2/24", Some("192.0.2.1/24")),
            ("192.0.2.1/24", Some("192.0.2.2/24")),
            ("10.1.2.3/8", Some("10.0.0.1/8")),
            ("192.0.2.5/30", Some("192.0.2.6/30")),
            ("192.0.2.6/31", Some("192.0.2.7/31")),
            ("192.0.2.7/31", Some("192.0.2.6/31")),
            ("192.0.2.7/32", None),
            ("255.255.255.255/32", None),
            ("2001:db8::2/64", Some("2001:db8::1/64")),
            ("2001:db8::1/64", Some("2001:db8::2/64")),
            ("2001:db8::3/127", Some("2001:db8::2/127")),
            ("2001:db8::3/128", None),
        ] {
            let stack: IpNet = stack.parse().expect("a prefix");
            assert_eq!(kernel_address(stack), kernel.map(|kernel| kernel.parse().expect("a prefix")), "{stack}");
        }
    }

    #[test]
    fn the_peers_name_fits() {
        for (name, peer) in [("strata0", "strata0-stack"), ("fifteen-bytes-x", "fifteen-b-stack"), ("t", "t-stack")] {
            let config = Config { name: name.into(), ..Config::default() };
            assert_eq!(config.peer_name(), peer);
        }
    }
}
