//! # Neighbours
//!
//! IP says which *host* a packet goes to; Ethernet needs to know which *interface* on this link. ARP (RFC 826) finds
//! out, by asking everybody: "who has 192.0.2.1? tell 192.0.2.2". The one who has it answers, and the answer goes into
//! the neighbour cache.
//!
//! The cache could be a plain table, but the answer does not stay true: hosts are switched off, cards are exchanged,
//! addresses move. RFC 4861 §7.3 worked out for IPv6 what to believe for how long, and this stack uses the same states
//! for ARP ([`NeighbourState`](crate::event::NeighbourState)):
//!
//! ```text
//!                  packet to send             answer
//!     (no entry) -----------------> INCOMPLETE ------> REACHABLE <-----------------.
//!                                      |                   |                       |
//!                          3 questions |                   | 15 to 45 s pass       | answer, or TCP
//!                          unanswered  |                   v                       | makes progress
//!                                      |                 STALE                     |
//!                                      |                   | packet to send        |
//!                                      |                   v                       |
//!                                      |                 DELAY --------------------+
//!                                      |                   | 5 s pass              |
//!                                      v                   v                       |
//!                                   FAILED <------------ PROBE --------------------'
//!                                          3 questions
//!                                          unanswered
//! ```
//!
//! - **INCOMPLETE**: asked, not answered. Packets wait here, up to a bound; the oldest gives way. A neighbour is asked
//!   at most once a second (RFC 1122 §2.3.2.1), however many packets want to go there.
//! - **REACHABLE**: confirmed not long ago. Packets just go. How long this lasts is drawn at random around 30 seconds, so
//!   that the hosts of a link do not ask in step.
//! - **STALE**: the address is probably still right. Nothing is asked while nobody needs it.
//! - **DELAY**: a packet was sent to the stale address. Before asking, the neighbour gets five seconds to show by itself
//!   that it is there: a TCP connection that makes progress is proof enough, and costs no message.
//! - **PROBE**: it is asked directly, no longer by broadcast.
//! - **FAILED**: no answer. What waited is dropped, and its senders are told that the host cannot be reached. The next
//!   packet begins again.
//!
//! ## Whose address is it?
//!
//! A stack that comes up announces its address twice with a *gratuitous ARP*, a request for itself that nobody answers.
//! On wish it asks three times first whether somebody has it already (RFC 5227 §2.1). If another host claims our
//! address later, we defend it with an announcement, once in ten seconds at most, so that two defenders do not flood
//! the link (§2.4).
//!
//! ## See it
//!
//! `cargo run --example two_hosts` begins like this: a host that wants to reach ours asks for its address, is
//! remembered, becomes stale-but-in-use, and is confirmed by TCP without a further question.
//!
//! ```text
//! -> frame 2  42 bytes in  0.000500
//!   Ethernet   02:00:00:00:00:01 -> broadcast, ARP               stripped 14 bytes
//!     ARP      request: who has 192.0.2.2? tell 192.0.2.1        stripped 28 bytes
//!              neighbour 192.0.2.1: UNKNOWN -> STALE: it made itself known
//! ...
//!              neighbour 192.0.2.1: STALE -> DELAY: a packet goes to a stale address
//! ...
//!              neighbour 192.0.2.1: DELAY -> REACHABLE: an upper layer confirms it
//! ```
