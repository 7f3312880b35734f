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
//! Linux has for the same. `cargo test --test flood` floods a stack in virtual time.
//!
//! ## A million SYNs in real time
//!
//! `scripts/flood --syns 1000000` makes a namespace with a TAP. A kernel's socket keeps up a bulk transfer with our stack,
//! another client comes every ten milliseconds for a page, and a packet socket puts 20,000 SYNs a second onto the kernel's side
//! of the TAP, each from another address, all to the port that the clients come to. Two seconds without the flood and two with
//! it take turns, so that whatever else the machine does touches both; both processors are shared by the stack, the clients,
//! the kernel and the flood itself. Two virtual processors with nothing else to do, a release build, 25 pairs of windows
//! (median, least and most):
//!
//! | | to our stack: without | with | from our stack: without | with |
//! |---|---|---|---|---|
//! | transfer, Gbit/s | 100 (68 to 105) | 71 (49 to 87) | 57 (44 to 62) | 52 (39 to 56) |
//! | what it keeps, pair by pair | | 72 % (61 to 91) | | 90 % (72 to 109) |
//! | CPU of the stack, s/GB | 0.08 | 0.10 | 0.14 | 0.15 |
//! | cookies sent | 3,522 | 1,003,966 | 3,732 | 1,003,983 |
//! | new clients served, refused | 4,910, 0 | 4,870, 0 | 4,940, 0 | 4,958, 0 |
//! | a page after, median, ms | 0.49 | 0.85 | 0.27 | 0.27 |
//! | 99 of 100 within, all within, ms | 3.8, 10 | 3.9, 14 | 0.7, 5 | 0.8, 3 |
//! | connections at most | 130 | 130 | 129 | 129 |
//! | memory of the process, clients and flood in it, MiB | 6.3 | 6.3 | 3.3 | 3.3 |
//!
//! To our stack the transfer takes both processors as a whole (194 of 200 %) before there is any flood, so that all that the
//! flood takes is missing: the flooder's own eleven per cent of a processor, what a SYN costs our thread (five to six
//! microseconds, `--bulk none`, three fifths of that in the kernel: reading a frame, and writing one that nobody takes), and
//! trains that SYNs break. While the stack carried 61 Gbit/s in the same place it kept 87 %, which was 50.
//!
//! What the measurement found: a client that happened to use the port of a connection in TIME-WAIT was shut out for 67
//! seconds while the SYN queue was full. A newer SYN may take the place of such a connection (RFC 6191), but only where
//! the listener would open one, and a listener that answers with cookies would not. Now it does: whose connection is in
//! TIME-WAIT has been here before, and is no forgery.
