//! Frames from strangers: random ones, and good ones with damage, through Ethernet, ARP, IP, ICMP and UDP.
//!
//! Nothing may panic, nothing may grow without bound, and what is found intact must be right.

use proptest::prelude::*;
use strata::event::Context;
use strata::frame::{Checksum, Offload, Received};
use strata::icmp::{self, Disposition, Icmp};
use strata::ip::{self, Ip, NetworkError, Outgoing};
use strata::link::{self, Link};
use strata::pool::Pool;
use strata::random::Random;
use strata::time::Instant;
use strata::udp;
use strata::wire::{MacAddress, arp, ethernet, icmpv4, ipv4, protocol};

const OUR_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

struct Host {
    link: Link,
    ip: Ip,
    icmp: Icmp,
    random: Random,
    pool: Pool,
    frames: u64,
    now: Instant,
    /// Packets that reached a transport.
    risen: usize,
}

impl Host {
    fn new() -> Host {
        let addresses = vec!["192.0.2.2/24".parse().expect("a prefix")];
        let mut random = Random::new(1);
        Host {
            link: Link::new(link::Config { mac: OUR_MAC, addresses: addresses.clone(), ..link::Config::default() }),
            ip: Ip::new(ip::Config { addresses, ..ip::Config::default() }, &mut random),
            icmp: Icmp::new(icmp::Config::default()),
            random,
            pool: Pool::default(),
            frames: 0,
            now: Instant::ZERO,
            risen: 0,
        }
    }

    /// A frame climbs as far as it gets; what answers it leaves.
    fn handle(&mut self, bytes: &[u8], checksum: Checksum) {
        let mut cx = Context::new(self.now, &mut self.random, &mut self.pool, &mut self.frames, None);
        let offload = Offload { checksum, segment_size: None };
        let Some(up) = self.link.handle(&mut cx, Received { bytes, offload }) else { return };
        let Some(packet) = self.ip.handle(&mut cx, up) else { return };
        self.risen += 1;
        let answer = match packet.protocol {
            protocol::ICMP => match self.icmp.handle(&mut cx, &packet) {
                Disposition::Reply(reply) => Some(reply),
                Disposition::Error(quoted) => {
                    assert!(quoted.transport.len() >= 8);
                    None
                }
                Disposition::EchoReply(_) | Disposition::None => None,
            },
            protocol::UDP => udp::handle(&mut cx, &packet)
                .is_some()
                .then(|| self.icmp.error(&mut cx, &packet, NetworkError::PortUnreachable))
                .flatten(),
            _ => self.icmp.error(&mut cx, &packet, NetworkError::ProtocolUnreachable),
        };
        if let Some(answer) = answer {
            // No route is an answer too: the source may be far away.
            send(&mut self.ip, &mut cx, answer, &mut self.link);
        }
    }

    /// Time passes, and the device takes what is ready; gives how many frames that was.
    fn settle(&mut self, span: std::time::Duration) -> usize {
        self.now += span;
        let mut cx = Context::new(self.now, &mut self.random, &mut self.pool, &mut self.frames, None);
        self.link.handle_timeout(&mut cx);
        self.ip.handle_timeout(&mut cx);
        while let Some((packet, problem)) = self.ip.poll_problem() {
            if let Some(error) = self.icmp.error(&mut cx, &packet, problem.into()) {
                send(&mut self.ip, &mut cx, error, &mut self.link);
            }
        }
        while self.link.poll_failure().is_some() {}
        let mut sent = 0;
        while let Some(frame) = self.link.poll_transmit() {
            assert!(frame.len() <= 1514, "larger than the MTU");
            sent += 1;
        }
        sent
    }
}

fn send(ip: &mut Ip, cx: &mut Context<'_>, mut packet: Outgoing, link: &mut Link) {
    if ip.send(cx, &mut packet, link) == Ok(true) {
        link.enqueue(cx, packet.frame);
    }
}

fn in_ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let source = MacAddress([2, 0, 0, 0, 0, 1]);
    let header = ethernet::Header { destination: OUR_MAC, source, ether_type, ..ethernet::Header::default() };
    header.emit(|header| [header, payload].concat())
}

fn in_ip(protocol: u8, fragment: (u16, bool), identification: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = ipv4::Header {
        traffic_class: 0,
        total_length: (20 + options.len() + payload.len()) as u16,
        identification,
        dont_fragment: false,
        more_fragments: fragment.1,
        fragment_offset: fragment.0,
        ttl: 64,
        protocol,
        source: [192, 0, 2, 1].into(),
        destination: [192, 0, 2, 2].into(),
        options: options.into(),
    };
    in_ethernet(ethernet::ether_type::IPV4, &header.emit(|header| [header, payload].concat()))
}

/// A frame that is right in every layer.
fn good_frame() -> impl Strategy<Value = Vec<u8>> {
    let data = || proptest::collection::vec(any::<u8>(), 0..200);
    let arp = (any::<bool>(), any::<u8>(), any::<u8>()).prop_map(|(reply, sender, target)| {
        let packet = arp::Packet {
            operation: if reply { arp::Operation::Reply } else { arp::Operation::Request },
            sender_mac: MacAddress([2, 0, 0, 0, 0, 1]),
            sender_ip: [192, 0, 2, sender].into(),
            target_mac: OUR_MAC,
            target_ip: [192, 0, 2, target % 4].into(),
        };
        in_ethernet(ethernet::ether_type::ARP, &packet.emit(<[u8]>::to_vec))
    });
    let echo = (data(), any::<u16>()).prop_map(|(data, id)| {
        let message = icmpv4::Message::EchoRequest { id, sequence: 1 };
        in_ip(protocol::ICMP, (0, false), 0, &[], &message.emit(&data, |header| [header, &data].concat()))
    });
    let error = (0u8..18, any::<u16>(), data()).prop_map(|(code, mtu, data)| {
        let quote = [&in_ip(protocol::UDP, (0, false), 0, &[], &data)[14..], &[]].concat();
        let message = icmpv4::Message::DestinationUnreachable { code, mtu };
        in_ip(protocol::ICMP, (0, false), 0, &[], &message.emit(&quote, |header| [header, &quote].concat()))
    });
    let datagram = (any::<[u16; 2]>(), data(), 0usize..3).prop_map(|(ports, data, options)| {
        let length = 8 + data.len() as u16;
        let header =
            strata::wire::udp::Header { source_port: ports[0], destination_port: ports[1], length, checksum: 0 };
        let payload = header.emit(|header| [header, &data].concat());
        in_ip(protocol::UDP, (0, false), 0, &[1, 7, 3, 4][..options.min(1) * 4], &payload)
    });
    let fragment = (0u16..6, any::<bool>(), 0u16..3, 1usize..4).prop_map(|(unit, more, id, units)| {
        in_ip(protocol::UDP, (unit * 8, more), id, &[], &vec![unit as u8; units * 8])
    });
    prop_oneof![arp, echo, error, datagram, fragment]
}

proptest! {
    #[test]
    fn random_frames_do_no_harm(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 1..30)) {
        let mut host = Host::new();
        for mut frame in frames {
            host.handle(&frame, Checksum::Full);
            // Let most get past Ethernet.
            if frame.len() > 14 {
                frame[..6].copy_from_slice(&OUR_MAC.octets());
                (frame[12], frame[13]) = (0x08, 6 * (frame[13] & 1));
                host.handle(&frame, Checksum::Full);
            }
        }
        prop_assert!(host.settle(std::time::Duration::from_secs(60)) <= 200);
    }

    #[test]
    fn damaged_frames_do_no_harm(
        frames in proptest::collection::vec((good_frame(), any::<prop::sample::Index>(), any::<u8>(), 0u8..4, any::<bool>()), 1..40),
        pause in 0u64..40,
    ) {
        let mut host = Host::new();
        for (mut frame, place, value, damage, vouched) in frames {
            match damage {
                0 => {
                    let place = place.index(frame.len());
                    frame[place] = value;
                }
                1 => frame.truncate(place.index(frame.len())),
                2 => {
                    // Damage behind a header checksum that is made good again.
                    let place = place.index(frame.len());
                    frame[place] = value;
                    mend_ip_checksum(&mut frame);
                }
                _ => {}
            }
            host.handle(&frame, if vouched { Checksum::Good } else { Checksum::Full });
            host.settle(std::time::Duration::from_secs(pause));
        }
    }

    #[test]
    fn good_frames_rise(frame in good_frame()) {
        let mut host = Host::new();
        host.handle(&frame, Checksum::Full);
        let is_ip = frame[12..14] == [8, 0];
        let is_fragment = is_ip && (frame[20] & 0x3f, frame[21]) != (0, 0);
        prop_assert_eq!(host.risen, usize::from(is_ip && !is_fragment));
    }
}

fn mend_ip_checksum(frame: &mut [u8]) {
    let Some(first) = frame.get(14) else { return };
    let len = usize::from(first & 0xf) * 4;
    if len >= 20 && frame.len() >= 14 + len {
        frame[24..26].fill(0);
        let checksum = strata::wire::checksum::Sum::default().plus(&frame[14..14 + len]).checksum();
        frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    }
}
