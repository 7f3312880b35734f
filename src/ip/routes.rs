//! Which neighbour a packet goes to: the longest prefix that holds its destination (RFC 1122 §3.3.1).

use super::Route;
use crate::time::Instant;
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;

/// How long a gateway that did not answer is passed over when there is another.
const AVOID: Duration = Duration::from_secs(60);

/// The routing table, the longest prefixes first.
#[derive(Debug)]
pub(super) struct Routes {
    routes: Vec<Route>,
    avoided: Vec<(IpAddr, Instant)>,
}

impl Routes {
    pub fn new(addresses: &[IpNet], others: &[Route]) -> Routes {
        let own = addresses.iter().map(|address| Route { prefix: address.trunc(), gateway: None });
        let mut routes: Vec<Route> = own.chain(others.iter().copied()).collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.prefix_len()));
        Routes { routes, avoided: Vec::new() }
    }

    /// The next hop: the destination itself on a link of ours, else a gateway; among equals the first that answers.
    pub fn next_hop(&self, destination: IpAddr) -> Option<IpAddr> {
        let mut matching = self.routes.iter().filter(|route| route.prefix.contains(&destination));
        let best = *matching.next()?;
        let hop = |route: &Route| route.gateway.unwrap_or(destination);
        if self.avoided.is_empty() || !self.is_avoided(hop(&best)) {
            return Some(hop(&best));
        }
        let equals = matching.take_while(|route| route.prefix.prefix_len() == best.prefix.prefix_len());
        Some(equals.map(hop).find(|hop| !self.is_avoided(*hop)).unwrap_or(hop(&best)))
    }

    /// A neighbour does not answer: as a gateway it is passed over for a while (RFC 1122 §3.3.1.5).
    pub fn avoid(&mut self, now: Instant, neighbour: IpAddr) {
        self.avoided.retain(|(address, _)| *address != neighbour);
        if self.routes.iter().any(|route| route.gateway == Some(neighbour)) {
            self.avoided.push((neighbour, now + AVOID));
        }
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.avoided.first().map(|(_, until)| *until)
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.avoided.retain(|(_, until)| *until > now);
    }

    fn is_avoided(&self, address: IpAddr) -> bool {
        self.avoided.iter().any(|(avoided, _)| *avoided == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn route(prefix: &str, gateway: &str) -> Route {
        Route { prefix: prefix.parse().expect("a prefix"), gateway: gateway.parse().ok() }
    }

    #[test]
    fn the_longest_prefix_wins_whatever_the_order() {
        let routes = Routes::new(
            &["192.0.2.2/24".parse().expect("a prefix")],
            &[
                route("0.0.0.0/0", "192.0.2.1"),
                route("198.51.100.0/24", "192.0.2.7"),
                route("198.51.100.128/25", "192.0.2.8"),
                route("203.0.113.0/24", ""),
            ],
        );
        for (destination, expected) in [
            ("192.0.2.77", "192.0.2.77"),
            ("198.51.100.1", "192.0.2.7"),
            ("198.51.100.200", "192.0.2.8"),
            ("203.0.113.5", "203.0.113.5"),
            ("8.8.8.8", "192.0.2.1"),
        ] {
            assert_eq!(routes.next_hop(address(destination)), Some(address(expected)), "{destination}");
        }
        assert_eq!(routes.next_hop(address("2001:db8::1")), None);
        assert_eq!(Routes::new(&[], &[]).next_hop(address("8.8.8.8")), None);
    }

    #[test]
    fn a_dead_gateway_is_passed_over_for_a_minute_when_there_is_another() {
        let defaults = [route("0.0.0.0/0", "192.0.2.1"), route("0.0.0.0/0", "192.0.2.9")];
        let mut routes = Routes::new(&["192.0.2.2/24".parse().expect("a prefix")], &defaults);
        let hop = |routes: &Routes| routes.next_hop(address("8.8.8.8")).expect("a default route").to_string();
        routes.avoid(Instant::ZERO, address("192.0.2.1"));
        assert_eq!(hop(&routes), "192.0.2.9");
        routes.avoid(Instant::from_secs(10), address("192.0.2.9"));
        assert_eq!(hop(&routes), "192.0.2.1", "when none answers, the first is as good as any");
        assert_eq!(routes.next_deadline(), Some(Instant::from_secs(60)));
        routes.handle_timeout(Instant::from_secs(60));
        assert_eq!(hop(&routes), "192.0.2.1");
        routes.avoid(Instant::from_secs(60), address("192.0.2.77"));
        assert_eq!(routes.next_deadline(), Some(Instant::from_secs(70)), "a host is no gateway");
    }
}
