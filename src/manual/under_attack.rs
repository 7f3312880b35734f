//! # Under attack
//!
//! Whatever comes from the network may come from somebody who means harm, a million times, from addresses that do not
//! exist. Two rules hold throughout: nothing that a stranger sends makes anything grow without bound, and nothing that
//! a stranger guesses ends what others have.
//!
//! | attack | what stands against it | where |
//! |---|---|---|
//! | a flood of SYNs | a bounded SYN queue; when it is full, cookies, of which nothing is kept (RFC 4987 §3.6) | [`tcp::cookie`](crate::tcp::cookie) |
//! | clients that nobody accepts | a bounded accept queue; silence, or a RST on demand | [`reset_on_overflow`](crate::tcp::Config::reset_on_overflow) |
//! | connections without end | [`connection_limit`](crate::stack::Config::connection_limit), then SYNs are dropped | `stack` |
//! | slow readers, tiny segments far past a hole | one bound over all buffers: [`tcp_memory_limit`](crate::stack::Config::tcp_memory_limit) | `tcp/memory.rs` |
//! | thousands of short connections | records of TIME-WAIT under 100 bytes each, at most [`time_wait_limit`](crate::stack::Config::time_wait_limit) | `stack/time_wait.rs` |
//! | TIME-WAIT assassination | no RST ends TIME-WAIT (RFC 1337), a SYN only when it is newer (RFC 6191) | [`tcp::time_wait`](crate::tcp::time_wait) |
//! | blind RST, SYN and data | exact numbers or a challenge (RFC 5961), ten challenges in five seconds for each connection | `tcp/limiter.rs` |
//! | forged ICMP | errors count only if they quote what is in flight; hard ones end no connection that stands; a path MTU smaller than what has arrived waits for a timeout (RFC 5927) | `tcp/close.rs`, `tcp/path_mtu.rs` |
//!
//! ## A handshake that is kept by the other side
//!
//! A cookie is a SYN-ACK whose ISN holds the peer's MSS (one of eight) and a keyed hash of the connection and the time.
//! The ACK of the handshake brings it back, one higher, and a listener that has lately sent cookies recognises it. The
//! ISN has no room for window scaling, SACK and ECN; the low six bits of our timestamp have, and the peer echoes
//! that too. So a client with timestamps loses nothing, and one without them loses scaling and SACK. A cookie counts
//! for one to two minutes. [`SynCookies`](crate::tcp::SynCookies) turns them off, or on for every SYN.
//!
//! ## When memory is scarce
//!
//! Receive windows grow with what an application needs, up to 16 MiB, and send buffers up to 24 MiB; over all connections they
//! may take 512 MiB. From half of that on nothing grows further and what is hardly used is given back; at the limit
//! each connection keeps 2 KiB in each direction, so that everybody goes on, slowly, until somebody reads.
//!
//! ## To see it
//!
//! Each of these shows itself: `tcp_syn_cookie` and `tcp_memory` among the counters of
//! [`probe`](crate::probe), drops by their reasons, [`Stack::tcp_usage`](crate::stack::Stack::tcp_usage) for the moment.
//! [`Stack::tcp_handshakes`](crate::stack::Stack::tcp_handshakes) counts what became of the SYNs, beside the names that
//! Linux has for the same. `cargo test --test flood` floods a stack in virtual time, and `scripts/flood` in real time.
