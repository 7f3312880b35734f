//! # Encapsulation
//!
//! A layer knows nothing of what it carries. TCP gets bytes and puts a header in front; to IP the whole is again just
//! bytes, and it puts its own header in front of that; Ethernet does the same. The receiver undoes it from the
//! outside in. Each header says what is inside of it:
//!
//! | header | field | says |
//! |---|---|---|
//! | Ethernet | type | `0x0800` IPv4, `0x0806` ARP, `0x86dd` IPv6 |
//! | IPv4 | protocol | 1 ICMP, 6 TCP, 17 UDP |
//! | TCP, UDP | destination port | which application: 80 HTTP, 7 echo |
//!
//! ## Down: prepending
//!
//! A [`Frame`](crate::frame::Frame) begins with the payload and has room in front of it. Each layer prepends its
//! header into that room, so nothing is ever moved; and after each step the bytes are a valid unit, which can be shown.
//!
//! ```
//! use strata::frame::{Frame, FrameId};
//! use strata::wire::{ethernet, ipv4, protocol, udp};
//!
//! // The innermost thing: five bytes from an application.
//! let mut frame = Frame::new(FrameId(1), b"hello".to_vec().into());
//!
//! // UDP: who speaks to whom on those hosts, and how long it is. (A checksum of zero says that there is none.)
//! let header = udp::Header { source_port: 5000, destination_port: 7, length: 8 + 5, checksum: 0 };
//! header.emit(|bytes| frame.prepend(bytes));
//! assert_eq!(frame.len(), 13);
//!
//! // IPv4: from which host to which, and what is inside.
//! let header = ipv4::Header {
//!     traffic_class: 0,
//!     total_length: 20 + 13,
//!     identification: 0,
//!     dont_fragment: true,
//!     more_fragments: false,
//!     fragment_offset: 0,
//!     ttl: 64,
//!     protocol: protocol::UDP,
//!     source: [192, 0, 2, 1].into(),
//!     destination: [192, 0, 2, 2].into(),
//!     options: Default::default(),
//! };
//! header.emit(|bytes| frame.prepend(bytes));
//!
//! // Ethernet: from which interface to which on this one link.
//! let header = ethernet::Header {
//!     destination: "02:00:00:00:00:02".parse()?,
//!     source: "02:00:00:00:00:01".parse()?,
//!     ether_type: ethernet::ether_type::IPV4,
//!     ..ethernet::Header::default()
//! };
//! header.emit(|bytes| frame.prepend(bytes));
//! assert_eq!(frame.len(), 14 + 20 + 8 + 5);
//! # Ok::<(), strata::wire::MacParseError>(())
//! ```
//!
//! ## Up: stripping
//!
//! Each `parse` reads one header from the front of its bytes and gives the rest back. The rest is the next layer's
//! whole world.
//!
//! ```
//! use strata::wire::{ethernet, ipv4, udp};
//!
//! # let frame = [
//! #     &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0][..],
//! #     &[0x45, 0, 0, 33, 0, 0, 0x40, 0, 64, 17, 0xb6, 0xc8, 192, 0, 2, 1, 192, 0, 2, 2],
//! #     &[0x13, 0x88, 0, 7, 0, 13, 0, 0],
//! #     b"hello",
//! # ].concat();
//! let (outer, rest) = ethernet::Header::parse(&frame)?;
//! assert_eq!(outer.ether_type, ethernet::ether_type::IPV4);
//!
//! let (packet, rest) = ipv4::Header::parse(rest)?;
//! assert_eq!(packet.source.to_string(), "192.0.2.1");
//!
//! let (datagram, data) = udp::Header::parse(rest)?;
//! assert_eq!((datagram.destination_port, data), (7, &b"hello"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Any bytes may be given to a `parse`: what comes from a network is made by strangers. It answers with the header or
//! with what is wrong, and never panics.
//!
//! ## Reading a header bit by bit
//!
//! Every protocol has a table of its fields with the place of each and the RFC that says so. The layer tree, dumps and
//! this book read headers through it:
//!
//! ```
//! use strata::wire::tcp::FIELDS;
//!
//! let header = [0xa1, 0x12, 0, 80, 0x1f, 0x3a, 0, 0, 0, 0, 0, 0, 0x50, 0x02, 0xfa, 0xf0, 0, 0, 0, 0];
//! let syn = FIELDS.iter().find(|field| field.name == "SYN").expect("TCP has a SYN bit");
//! assert_eq!(syn.read(&header), Some(1));
//! assert_eq!((syn.bits.clone(), syn.source), (110..111, "RFC 9293 §3.1"));
//! ```
//!
//! ## Checksums, and who computes them
//!
//! IPv4, ICMP, UDP and TCP protect themselves with the same sum, the ones' complement sum of 16-bit words
//! ([`checksum`](crate::wire::checksum), RFC 1071). UDP and TCP include a *pseudo-header*, the IP addresses among it,
//! so that a segment that was delivered to the wrong host does not check out either.
//!
//! Network cards compute that sum themselves if they are let. A frame therefore says beside its bytes
//! ([`Checksum`](crate::frame::Checksum)) whether the sum is in them already, is vouched for, or is left for the
//! device; and a *super-frame* carries 64 KiB, or more, that the card cuts into segments.
//! [`wire::offload`](crate::wire::offload) does in software what such a card does. [What is left to the
//! device](super::device) has a chapter of its own.
