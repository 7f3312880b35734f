//! # How fast it is, and how one knows
//!
//! A figure in Gbit/s says more about a machine than about a stack: the same program moved from 65 to 100 Gbit/s between
//! two runs half an hour apart, because the machine was shared. So everything here is a ratio, and both of its sides were
//! measured in the same minute.
//!
//! ## Against what
//!
//! `scripts/bench` runs one workload after the other, each on every stack in turn, round by round:
//!
//! | stack | what it is |
//! |---|---|
//! | limit | a *blind responder* on the same TAP: it answers each segment by what stands in it and keeps no state worth the name. What a frame of 64 KiB costs there is what the path costs; with such frames a real stack can approach it, not pass it by much |
//! | limit-copying | the same with the one copy that it takes to read into an application's memory or write from it, in one bulk transfer: what of the distance to the limit nobody who copies could save |
//! | limit-big-tcp | the same with frames of up to 256 KiB where the TAP takes them, as it does from this stack, in one bulk transfer: what they alone are worth. The limit itself sends 64 KiB at a time |
//! | strata | this stack as it is, with nothing tuned |
//! | smoltcp-tuned | smoltcp with what a user could give it: a device of ours with offloads, buffers of 4 MiB, CUBIC |
//! | smoltcp | smoltcp as it is shipped: its own TAP, buffers of 64 KiB |
//! | kernel | Linux to itself over a veth pair; nginx where HTTP is spoken |
//!
//! The client is the kernel with ordinary sockets, the same program for all of them, and each socket is told to use CUBIC
//! before it is opened; the kernel's servers get it by their route. Where the default is BBR, its pacing would be measured
//! in place of the stack, and a socket that was opened with BBR goes on pacing under CUBIC: that alone halved what every
//! stack took in, until it was found.
//!
//! ## What is measured
//!
//! - **Bulk** in and out, over 1, 4 and 64 connections; with super-frames and partial checksums, and (`plain`) with
//!   neither; and with reads in place and writes that hand their bytes over (`owned`).
//! - **A round trip** of one byte, client and stack on one processor, on one each, and with a stack that never sleeps.
//!   On two processors most of it is the waking up of whoever sleeps.
//! - **Requests** of 1 KiB on 1, 32 and 256 connections that stay open, to the plainest server that there can be; to one
//!   that is written with `axum`, on the driver's thread, as `strata serve` has it; and to the same on tokio's threads, as a
//!   program has it that spawns its connections there. One thread of the client fills a processor, so the CPU time for each
//!   request tells more than their number.
//! - **Connections** that are opened, asked once, and closed by the server, which has TIME-WAIT to keep.
//! - **Datagrams** of 32 bytes, there and back, 32 of them under way.
//! - **The same beside** 10, 10,000 and 100,000 idle connections: by default a round trip and requests, with `--beside
//!   10000,100000` everything. Their peers are simulated by a packet socket, for sockets of the kernel's would end with its
//!   ports and with the files that a process may open. Each connection is proven by a keepalive probe that the stack
//!   answers. A stack that cannot hold them within twenty seconds is named, with how far it got.
//!
//! CPU time is that of whoever serves, and of the whole machine beside it: much of what a TAP costs happens inside of our own
//! system calls, and much of what a veth pair costs in nobody's name. Memory for each idle connection is told twice, as what
//! was asked of the allocator and as what is resident; for the kernel both are its slab.
//!
//! ## What is told
//!
//! The median over the rounds of the ratio within a round, with the least and the most. Rounds in which the hypervisor gave
//! a tenth of the time to others are left out, and when other programs took part of the machine the table says how much.
//! `--save` keeps every sample as a line of JSON, from which `--from` makes the table, the picture (`--svg`) and the page
//! (`--markdown`) again. `--rounds-of` gives a workload whose ratio moves much more rounds than the others. At the end each
//! target stands beside what came of it.
//!
//! ## What came of it
//!
//! Rounds of six tenths of a second on two processors of a shared machine, everything as it is by default: five, or nine to
//! twenty-two where ratios move much. The table is older than what is told of requests below it, and at the end of that
//! stands what has become faster since.
//!
#![doc = include_str!("speed.md")]
//!
//! ## Counting in place of timing
//!
//! Where a clock says nothing, instructions do. `scripts/instructions` counts what a packet costs in our code alone, in
//! virtual time and without a device, and `scripts/check` compares that with what was accepted last. `scripts/silence`
//! counts it a second time in a stack in which [events](crate::manual::seeing) are compiled out: the difference is what they
//! cost while nobody observes. `cargo bench --bench operations` times single operations: a checksum, a look-up among ten
//! and among a hundred thousand connections, a timer, a ring, a hole that is filled, one more segment sacked.
//!
//! ## What a bulk transfer out costs
//!
//! What a sender spends on a frame it pays twice. Let the copying limit idle for 600 ns with each frame of 64 KiB, and its
//! CPU time grows by 18 ms for each GB where 9 were to be expected; by 35 with 1200 ns, where 19 were. A receiver that is
//! faster than its sender sleeps after each frame, and is woken by the next one within the sender's own system call. So it
//! paid to have fewer frames, and that paid twice as well: with 256 KiB each ([BIG TCP](crate::manual::device)), and the
//! acknowledgements looked at after 128 KiB in place of 256, one stream rose from 0.61 of the limit to what the table says.
//!
//! ## What requests cost, and who pays
//!
//! A request is two frames and two system calls. Most of its time goes into our own `write`: the kernel takes the client's
//! whole TCP along within it, to the waking of the client's thread. What is ours is some 9,000 instructions, 7,700 of them in
//! the core, none of which stands out, and 78 cache lines of which each connection has its own: beside neighbours who fill
//! the caches they take twice the time that they take beside none.
//!
//! So a busy stack has the kernel do its part [on another processor](crate::manual::device), where that pays off. Measured in
//! turns with the same stack before it could, and before a connection was made smaller, on two processors and another
//! machine than the table's, whose memory copied at two thirds of its speed:
//!
//! | of the limit | before | now | CPU before | CPU now |
//! |---|---:|---:|---:|---:|
//! | requests on 32 connections | 0.70 | 0.90 | 1.31 | 1.09 |
//! | on 256 | 0.72 | 0.91 | 1.46 | 1.10 |
//! | through `axum` on 256 | 0.44 | 0.53 to 0.62 | 2.30 | 1.70 to 1.94 |
//! | connections opened and closed | 0.73 | 0.86 | 1.43 | 1.21 |
//! | bulk out | 0.60 | 0.74 to 0.78 | 1.65 | 1.28 to 1.36 |
//! | bulk in on 64 connections | 0.72 | 0.86 | 1.45 | 1.28 |
//! | bulk in | 0.81 | 0.81 | 1.27 | 1.22 |
//! | datagrams | 0.81 | 0.80 | 1.37 | 1.28 |
//!
//! The first two are of 25 rounds of a second and a half, of which 17 and 19 were quiet; shorter series gave 0.79 to 0.96 and
//! 0.85 to 0.98, for neighbours come and go, and with them a third of the speed.
//!
//! The CPU time of the whole machine fell as well, but for connections, bulk in and datagrams, where it rose by 2 to 14 %.
//! The limit itself gains nothing from it: it writes each frame alone, and wakes the other processor for each. With its
//! frames steered it had 0.72 to 0.82 of the requests that it has without. `wrk` on 64 connections got 45,400 pages a second
//! from `strata serve`, and 33,400 with `--steering off`.
//!
//! The kernel can also find the processor by itself on which the client runs (`net.core.rps_sock_flow_entries` and
//! `rps_flow_cnt`: *receive flow steering*). That gave no more, and one of the two settings is the whole machine's.
//!
//! ## On another machine
//!
//! On that machine the limit itself takes 50 to 60 Gbit/s in and out where it takes 90 on the table's, and frames of 256 KiB
//! bring it nothing (1.04, against 1.44): there it is not frames that cost, but memory. The copying limit stood at 0.71 of
//! the limit in bulk out and at 0.84 in bulk in, and this stack at 0.74 and 0.81; where it copies nothing, at 1.04 and 0.91. A
//! lone round trip took 1.25 times that of the limit, plain frames came in at 0.68 of it. So of the targets those of
//! requests, of bulk without a copy, of tuned smoltcp and of idle connections are met there, and those of bulk transfers
//! that copy, of plain frames and of round trips are not, nor, by 0.04, those of connections and datagrams. A request was
//! answered 1.7 to 2.0 times as often as by nginx, and 1.3 times through `axum`.
//!
//! So that the table still says something, the build that it is of ran there in turns with the present one, 13 rounds of half a
//! second, or 21 where they moved much. What the present one does to what that one did:
//!
//! | | rate | CPU |
//! |---|---:|---:|
//! | bulk in / out / out without a copy | 1.05 / 1.20 / 1.16 | 0.96 / 0.84 / 0.86 |
//! | plain frames in / out | 0.98 / 1.00 | 1.02 / 1.00 |
//! | a round trip on one processor / with a stack that never sleeps (its time) | 0.98 / 1.00 | 0.96 / 1.00 |
//! | requests on 32 / on 256 / through `axum` on 256 connections | 1.12 / 1.20 / 1.32 | 0.86 / 0.80 / 0.76 |
//! | connections opened and closed | 1.06 | 0.72 |
//! | datagrams | 0.99 | 1.00 |
//!
//! In a first series of 13 rounds bulk out without a copy had stood at 0.94, and plain frames at 0.93 in and 0.91 out: so much
//! is noise there.
//!
//! ## What did not help
//!
//! - Sending a megabyte before the acknowledgements are looked at: what was written has left the cache (0.18 to 0.33 s/GB
//!   against 0.15); nor batches of 256 KiB for readers that copy, nor chunks of 256 KiB for writers that do.
//! - A timer wheel: the tree costs a few instructions a segment, since a deadline that moves back keeps its entry.
//! - Reading until nothing is left: one read more than there are frames, and it came before the answer. Reading no more than
//!   came the last time took a round trip on one processor from 1.27 times the limit to 1.08. Batches still grow at once
//!   where more is there, or a backlog would be read in small ones.
//! - Send buffers of less than 512 KiB to begin with, or of one megabyte at the most: half of the rate, or no difference
//!   that could be told.
//! - A writer that may have little unsent (128 to 512 KiB, woken as soon as it is sent), so that what is written leaves while
//!   it is in the cache; and huge pages for what it writes to: no difference that could be told.
//! - One codegen unit in place of four: nothing that could be told from the noise. Code that is optimized one level less
//!   (requests as before, plain frames 10 to 15 % slower) or for its size (4 to 8 % slower).
//! - To look for 50 µs before every sleep ([`Polling::Adaptive`](crate::runtime::Polling)) by default: with 256 connections
//!   batches get smaller, and requests fell from 0.91 to 0.82 of the limit. Datagrams rose from 0.80 to 0.82.
//!
//! ## What is left
//!
//! A writer that copies pays for the copy, as the copying limit does, and for a client that sleeps more often because it
//! is served more slowly: waking it is our time. With requests our own code takes 1 to 2.5 µs of 5, in many small
//! pieces. A reader that copies does so once: large frames in their turn are not copied into the receive buffer but kept.
