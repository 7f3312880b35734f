//! Is our address ours? Conflict detection after RFC 5227: probe, announce, defend.
//!
//! ```text
//!   probing (3 times, on wish) --> announcing (twice) --> ours, defended once in ten seconds
//!        |   ^
//!   heard|   | a minute later
//!        v   |
//!     conflicting
//! ```

use crate::event::{Context, Event};
use crate::time::Instant;
use crate::wire::MacAddress;
use crate::wire::arp::{Operation, Packet};
use std::net::Ipv4Addr;
use std::time::Duration;

// RFC 5227 §1.1
const PROBE_WAIT: Duration = Duration::from_secs(1);
const PROBE_NUM: u32 = 3;
const PROBE_MIN: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(2);
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);
const ANNOUNCE_NUM: u32 = 2;
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
const RATE_LIMIT_INTERVAL: Duration = Duration::from_secs(60);
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Probes sent so far.
    Probing(u32),
    /// Announcements sent so far.
    Ours(u32),
    /// Somebody else had it when we probed.
    Conflicting,
}

/// What is to be broadcast about an address of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Say {
    Probe(Ipv4Addr),
    Announcement(Ipv4Addr),
}

#[derive(Debug)]
struct Claim {
    address: Ipv4Addr,
    state: State,
    deadline: Option<Instant>,
    last_conflict: Option<Instant>,
}

/// Our addresses and how sure we are of them.
#[derive(Debug)]
pub(super) struct Claims {
    claims: Vec<Claim>,
    probe: bool,
}

impl Claims {
    pub fn new(addresses: impl Iterator<Item = Ipv4Addr>, probe: bool) -> Claims {
        let state = if probe { State::Probing(0) } else { State::Ours(0) };
        let claim = |address| Claim { address, state, deadline: None, last_conflict: None };
        Claims { claims: addresses.map(claim).collect(), probe }
    }

    /// The first announcements are due at once, the first probes within a second.
    pub fn start(&mut self, cx: &mut Context<'_>) {
        for claim in &mut self.claims {
            let wait = if self.probe { random_between(cx, Duration::ZERO, PROBE_WAIT) } else { Duration::ZERO };
            claim.deadline = Some(cx.after(wait));
        }
    }

    pub fn is_ours(&self, address: Ipv4Addr) -> bool {
        self.claims.iter().any(|claim| claim.address == address && matches!(claim.state, State::Ours(_)))
    }

    /// Nothing stands against any of our addresses.
    pub fn are_settled(&self) -> bool {
        self.claims.iter().all(|claim| matches!(claim.state, State::Ours(_)))
    }

    /// Looks at every ARP packet of others; what is to be said in defence.
    pub fn handle(&mut self, cx: &mut Context<'_>, packet: &Packet) -> Option<Say> {
        let claim = self.claims.iter_mut().find(|claim| claim.is_disputed_by(packet))?;
        let address = claim.address;
        let defended = claim.handle_conflict(cx);
        let claimant = packet.sender_mac;
        cx.tell(|| Event::AddressConflict { address: address.into(), claimant: claimant.octets(), defended });
        defended.then_some(Say::Announcement(address))
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.claims.iter().filter_map(|claim| claim.deadline).min()
    }

    /// One thing that is due to be said; to be called until there is none.
    pub fn poll_due(&mut self, cx: &mut Context<'_>) -> Option<Say> {
        let due = |claim: &&mut Claim| claim.deadline.is_some_and(|at| at <= cx.now);
        let claim = self.claims.iter_mut().find(due)?;
        Some(claim.handle_timeout(cx))
    }
}

impl Claim {
    fn is_disputed_by(&self, packet: &Packet) -> bool {
        let uses = packet.sender_ip == self.address;
        // RFC 5227 §2.1.1: two hosts that probe for the same address at once give way to each other.
        let probes = packet.operation == Operation::Request
            && packet.sender_ip.is_unspecified()
            && packet.target_ip == self.address;
        uses || probes && matches!(self.state, State::Probing(_))
    }

    /// True when the address is to be defended.
    fn handle_conflict(&mut self, cx: &mut Context<'_>) -> bool {
        match self.state {
            State::Probing(_) | State::Conflicting => {
                self.state = State::Conflicting;
                self.deadline = Some(cx.after(RATE_LIMIT_INTERVAL));
                false
            }
            // RFC 5227 §2.4 (c): whoever has configured this address wants it kept; once in ten seconds is enough
            // to say so, lest two defenders flood the link.
            State::Ours(_) => {
                let quiet = self.last_conflict.is_none_or(|last| cx.now.since(last) >= DEFEND_INTERVAL);
                if quiet {
                    self.last_conflict = Some(cx.now);
                }
                quiet
            }
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_>) -> Say {
        match self.state {
            State::Probing(sent) if sent < PROBE_NUM => {
                self.state = State::Probing(sent + 1);
                let wait = if sent + 1 < PROBE_NUM { random_between(cx, PROBE_MIN, PROBE_MAX) } else { ANNOUNCE_WAIT };
                self.deadline = Some(cx.after(wait));
                Say::Probe(self.address)
            }
            State::Conflicting => {
                self.state = State::Probing(1);
                let wait = random_between(cx, PROBE_MIN, PROBE_MAX);
                self.deadline = Some(cx.after(wait));
                Say::Probe(self.address)
            }
            State::Probing(_) => self.announce(cx, 1),
            State::Ours(sent) => self.announce(cx, sent + 1),
        }
    }

    fn announce(&mut self, cx: &mut Context<'_>, sent: u32) -> Say {
        self.state = State::Ours(sent);
        self.deadline = (sent < ANNOUNCE_NUM).then(|| cx.after(ANNOUNCE_INTERVAL));
        Say::Announcement(self.address)
    }
}

/// RFC 5227 §2.1.1: chosen so that hosts powered on together do not speak together.
fn random_between(cx: &mut Context<'_>, least: Duration, most: Duration) -> Duration {
    least + (most - least).mul_f64(cx.random.fraction())
}

/// What an ARP packet of ours says about `address` (RFC 5227 §2.1.1 and §2.3).
pub(super) fn packet(say: Say, mac: MacAddress) -> Packet {
    let (sender_ip, target_ip) = match say {
        Say::Probe(address) => (Ipv4Addr::UNSPECIFIED, address),
        Say::Announcement(address) => (address, address),
    };
    Packet { operation: Operation::Request, sender_mac: mac, sender_ip, target_mac: MacAddress::UNSPECIFIED, target_ip }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
    const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

    fn with<R>(now: Instant, work: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let (mut random, mut frames) = (Random::new(now.as_nanos()), 0);
        let mut pool = crate::pool::Pool::default();
        work(&mut Context::new(now, &mut random, &mut pool, &mut frames, None))
    }

    fn from_another(sender_ip: Ipv4Addr, target_ip: Ipv4Addr) -> Packet {
        let (sender_mac, target_mac) = (MacAddress([2, 0, 0, 0, 0, 9]), MacAddress::UNSPECIFIED);
        Packet { operation: Operation::Request, sender_mac, sender_ip, target_mac, target_ip }
    }

    /// Everything that is said until nothing is due any more, with the time of each.
    fn run(claims: &mut Claims) -> Vec<(Instant, Say)> {
        let mut said = Vec::new();
        while let Some(at) = claims.next_deadline() {
            said.extend(with(at, |cx| claims.poll_due(cx)).map(|say| (at, say)));
            assert!(said.len() < 20, "it comes to an end");
        }
        said
    }

    #[test]
    fn without_probing_two_announcements_leave_two_seconds_apart() {
        let mut claims = Claims::new([OURS].into_iter(), false);
        with(Instant::ZERO, |cx| claims.start(cx));
        assert!(claims.is_ours(OURS) && claims.are_settled());
        let announcement = Say::Announcement(OURS);
        assert_eq!(run(&mut claims), [(Instant::ZERO, announcement), (Instant::from_secs(2), announcement)]);
    }

    #[test]
    fn three_probes_come_before_the_address_is_ours() {
        let mut claims = Claims::new([OURS].into_iter(), true);
        with(Instant::ZERO, |cx| claims.start(cx));
        assert!(!claims.is_ours(OURS) && !claims.are_settled());
        let said = run(&mut claims);
        let (probe, announcement) = (Say::Probe(OURS), Say::Announcement(OURS));
        assert_eq!(
            said.iter().map(|(_, say)| *say).collect::<Vec<_>>(),
            [probe, probe, probe, announcement, announcement]
        );
        assert!(said[0].0 <= Instant::ZERO + PROBE_WAIT);
        for pair in said[..3].windows(2) {
            assert!((PROBE_MIN..=PROBE_MAX).contains(&pair[1].0.since(pair[0].0)));
        }
        assert_eq!(said[3].0.since(said[2].0), ANNOUNCE_WAIT);
        assert!(claims.is_ours(OURS));
    }

    #[test]
    fn a_use_or_a_probe_by_another_stops_our_probing_for_a_minute() {
        for (packet, conflict) in [
            (from_another(OURS, OTHER), true),
            (from_another(Ipv4Addr::UNSPECIFIED, OURS), true),
            (from_another(OTHER, OURS), false),
        ] {
            let mut claims = Claims::new([OURS].into_iter(), true);
            with(Instant::ZERO, |cx| claims.start(cx));
            assert_eq!(with(Instant::from_secs(1), |cx| claims.handle(cx, &packet)), None);
            let waits_long = claims.next_deadline() == Some(Instant::from_secs(61));
            assert_eq!(waits_long, conflict, "{packet:?}");
            let said = run(&mut claims);
            assert_eq!(said.len(), 5, "then all over again");
            assert!(claims.is_ours(OURS));
        }
    }

    #[test]
    fn an_address_in_use_is_defended_once_in_ten_seconds() {
        let mut claims = Claims::new([OURS].into_iter(), false);
        for (second, defended) in [(100, true), (101, false), (109, false), (110, true), (115, false)] {
            let say = with(Instant::from_secs(second), |cx| claims.handle(cx, &from_another(OURS, OTHER)));
            assert_eq!(say.is_some(), defended, "at {second}");
        }
        let probe = from_another(Ipv4Addr::UNSPECIFIED, OURS);
        assert_eq!(with(Instant::from_secs(200), |cx| claims.handle(cx, &probe)), None, "a probe is answered, no more");
        assert!(claims.is_ours(OURS));
    }
}
