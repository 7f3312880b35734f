//! # What is left to the device
//!
//! A frame costs a stack the same whatever its size, and a system call as well. So the way to be fast is to have fewer,
//! larger frames, to sleep seldom, and to share nothing. This chapter says what is done for that, what it costs, and what
//! was tried and did not help.
//!
//! ## Super-frames
//!
//! TCP builds frames of many segments ([`segment_size`](crate::frame::Offload) says where they come apart), and takes in
//! such frames, counting the segments in them wherever the RFCs count segments. They have up to 64 KiB, as much as IP can
//! say. To a TAP they have up to 256 KiB where the kernel is the receiver and knows such frames, as it does since Linux 6.3
//! (*BIG TCP*: the length in the IP header is then zero, and the packet ends with its frame). A kernel that passes frames
//! on, as a bridge or a router, would have to cut them into single segments, and so it gets the shorter ones; that is found
//! out when the TAP is opened. Who cuts and joins depends on the device:
//!
//! | device | going out | coming in |
//! |---|---|---|
//! | TAP, packet socket | the kernel, or nobody when it is the receiver | the kernel does not cut them in the first place |
//! | the same with `--offload off` | [`device::offload`](crate::device::offload), just before the frame is written | [`Coalesce`](crate::device::Coalesce), before the stack sees them |
//! | link in this process | the link, unless its `offload` lets them pass | whatever came |
//! | capture, fault | each for itself: a capture shows what a wire would, and each segment has a fate of its own | |
//!
//! Joined is only what loses nothing by it: segments of one connection that follow each other in one batch, were found good,
//! and say the same but for their data; PSH or FIN ends a train. Over plain frames of 1500 bytes, cutting in software takes
//! a quarter off the CPU time that sending a gigabyte takes (3.4 to 2.6 s in runs side by side), joining a tenth of what
//! receiving one takes; the rest is the kernel's part of a system call for each frame. A frame of up to 2 KiB is copied into
//! one piece before it is written: 20 ns, where the kernel's gathering of further pieces takes over 100.
//!
//! None of that may be seen on the wire but in fewer acknowledgements, and so packet scripts, the matrix, the model, the fault
//! sweep, loss recovery and the property tests run with super-frames as well as without. That found what each side alone
//! does not show:
//!
//! - A batch with more holes than an acknowledgement has blocks for is answered by several: what it does not hear of, the
//!   peer takes for lost.
//! - A super-frame is no longer than a millisecond of the window's rate, whether or not anybody paces. A third of a window in
//!   one burst let Reno fill half of a slow link behind a short queue, instead of four fifths.
//! - The last segment of a super-frame waits for the others. BBR took that for a queue, and chance loss for twice of what
//!   it was. The allowance for that hides real queues from flows that have little of the path: four behind a queue of
//!   seven packets lose 10 % with trains of two segments, which is the least that leaves at once
//!   (draft-ietf-ccwg-bbr §5.6.3), and 4 % without.
//!
//! Datagrams have trains as well: [`send_segments_to`](crate::runtime::blocking::UdpSocket::send_segments_to) and
//! [`recv_segments_from`](crate::runtime::blocking::UdpSocket::recv_segments_from), on both kinds of sockets.
//!
//! ```
//! use strata::device::link::{Config, Link};
//! use strata::runtime::{Driver, blocking::UdpSocket};
//! use strata::stack;
//!
//! let (left, right) = Link::pollable_pair(Config { offload: true, ..Config::default() })?;
//! let addresses = vec!["192.0.2.1/24".parse().unwrap()];
//! let near = stack::Config { mac: [2, 0, 0, 0, 0, 1], addresses, ..stack::Config::default() };
//! let (near, far) = (Driver::start(near, 1, Box::new(left), None)?, Driver::start(stack::Config::default(), 2, Box::new(right), None)?);
//! let sender = UdpSocket::bind(near.host(), "192.0.2.1:4000".parse().unwrap())?;
//! let receiver = UdpSocket::bind(far.host(), "192.0.2.2:4000".parse().unwrap())?;
//!
//! // Three datagrams, of 1000, 1000 and 500 bytes.
//! sender.send_segments_to(&[7; 2500], 1000, "192.0.2.2:4000".parse().unwrap())?;
//! let mut buffer = [0; 65_535];
//! let train = receiver.recv_segments_from(&mut buffer)?;
//! assert_eq!((train.len, train.segment_size), (2500, 1000));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! ## The checksum
//!
//! Where nobody else computes it, it is added up in sixteen lanes of 32 bits, to which each word gives both of its halves:
//! a form that compilers turn into vectors of whatever width the target has. With the 128 bits that every x86-64 has it
//! runs at 45 to 55 GB/s, half as fast as copying the same bytes; the loop before it ran at 52 or at 12, depending on what
//! was inlined. `benches/checksum.rs` fails when that comes back. Wider vectors, chosen at run time, would be twice as fast
//! and need `unsafe` in the core: 16 ns of the 600 that a frame costs.
//!
//! ## Waiting
//!
//! A driver [sleeps](crate::runtime::Polling) until the system wakes it. That is most of a round trip on a quiet machine
//! with two processors: some 75 µs, of which looking again and again leaves 25. `--busy-poll` looks always, for a whole
//! processor; `--busy-poll auto` only while wake-ups come within 100 µs of each other, for 50 µs at a time, and the more
//! seldom the more often that was in vain. It is not the default: where client and stack share a processor, looking takes
//! the time of the very program that it waits for.
//!
//! ## Whose thread
//!
//! Waking another thread costs as much as waking a driver, and a server that runs on threads of its own is woken for each
//! request, and wakes the driver for each answer. So a driver runs tasks beside its stack: between the halves of a turn,
//! when it has taken in what came and before it sends, so that an answer leaves with the acknowledgement of its question.
//! `strata serve` answers HTTP and its small services there.
//!
//! | who drives | tasks come by | for |
//! |---|---|---|
//! | [`Driver`](crate::runtime::Driver), a thread of its own | [`spawner`](crate::runtime::Driver::spawner), from any thread | servers beside a program that does other things |
//! | [`LocalDriver`](crate::runtime::LocalDriver), your thread | the same, or a [`Spawner`](crate::runtime::Spawner) for tasks that never leave it | a program that is its server |
//! | a `Driver`, with tasks on tokio | `tokio::spawn`, `axum::serve` | handlers that compute for long, on all processors |
//!
//! The stack waits while a task runs. What blocks belongs on threads of tokio's: a driver that is started within a runtime
//! lends it to its tasks, with timers, files and `spawn_blocking`. So `strata serve` computes long digests, and reads what of a
//! file the kernel does not have in memory; the rest it reads in place.
//! Tasks that give way, or wake each other, have a few rounds and then the device has its turn. One that panics ends alone.
//!
//! ## Whose processor
//!
//! What the kernel's TCP does with a frame of ours, up to waking the program that waits for it, it does within the `write`
//! that brings the frame: it is the time of the stack's thread, and where requests are answered it is most of it. The kernel
//! can do that on other processors (*receive packet steering*: a mask, `rps_cpus`, for each queue of an interface): on
//! those on which the stack's thread may run, without the one on which it does. With a TAP of our own that is tried while
//! the thread is busy, which is to say that it ran for at least 85 % of the last 10 ms: six windows of 10 ms, by turns
//! without it and with it. It stays for five seconds if a frame costs the thread less time with it, and is tried again
//! then; it ends when the thread runs for less than half of the time. What came of it is
//! [measured](crate::manual::speed#what-requests-cost-and-who-pays).
//!
//! It is not always so, for it is not always good. A lone round trip is shortest where client and stack share a processor,
//! and would take twice as long; handing a datagram of 32 bytes over costs more than receiving it, a ninth of its
//! time in all. A TAP that somebody else made, or whose processors somebody has chosen (`net.core.rps_default_mask`), stays
//! as it is; who pins the stack's thread (`taskset`) keeps it from other processors; `--steering off` leaves everything where
//! it was. Plain frames are never steered: another processor takes no more than a thousand into its queue
//! (`net.core.netdev_max_backlog`), and of 1500 bytes each a window has more. With several queues each has a thread that
//! needs a processor. An ordinary user has no say in it: the kernel asks for root. `strata doctor` tells whether it works.
//!
//! Frames of one connection stay in order, but when the choice changes. Those of different connections may be seen by
//! `tcpdump` on the TAP in another order than that in which they were sent; a capture of ours knows the right one.
//!
//! ## Several queues
//!
//! `--queues N` makes a TAP of N queues and a stack with a thread for each: [`Driver::start_queues`](crate::runtime::Driver::start_queues).
//! They have one set of addresses, and nothing else in common that a segment would meet. A connection lives on the queue
//! of its flow: the kernel hands what it sends to the queue by a hash of addresses and ports, or to the one on which the
//! flow was answered last. So whoever connects to us is served by the stack that got the SYN, and what we open stays on
//! the queue on which we opened it.
//!
//! The kernel forgets after three seconds of silence on which queue a flow was answered, and then goes by the hash again. For
//! a connection that we opened that may be another queue. What comes there is a [`Stray`](crate::stack::Stray): a segment, a
//! datagram, an echo reply or an ICMP error that finds no socket goes from stack to stack until one knows it, and the answer of
//! that one makes the kernel remember again. Only the last refuses it, as a single stack would. An ARP reply is for all of
//! them. Ports, ping identifiers and IP identifications that a stack chooses by itself are of its own share, so that no two
//! choose the same; the secrets are shared, so that each knows the cookies of all.
//!
//! Tasks run beside their queue, on the thread of its driver: nothing is handed from thread to thread, neither a segment nor
//! a wake-up. With threads of your own, [`LocalDriver::queues`](crate::runtime::LocalDriver::queues) gives a host for each
//! queue, and each goes to the thread that drives it.
//!
//! There are no queues on a packet socket. The kernel would share out what comes among several sockets
//! (`PACKET_FANOUT`), but unlike a TAP it does not learn from what goes out: by its own hash, whose key it keeps to itself,
//! all but one in N of the connections that we open would have their answers on a wrong queue for as long as they last, a
//! stray with every segment. A classic BPF program (`PACKET_FANOUT_CBPF`) could share out by ports that we choose ourselves;
//! fragments, which have none but in the first of them, would all have to go to one queue. It has not been built: on two
//! processors the queues of a TAP bring nothing either, and a card with several receive queues, where it should pay, has
//! not been at hand to measure with.
//!
//! What it brings depends on who else needs the processors. On two of them, with the clients on the same machine, nothing:
//! the kernel's half of each transfer already runs on the second one, inside of our own system calls. Four downloads at once
//! took a fifth to a third longer with two queues than with one there, and requests on 64 connections came out even within
//! the noise. Raw writes from two threads carry 1.2 to 1.6 times those of one. Where clients are elsewhere each queue
//! can add a processor's worth, for as long as flows are many and spread; a single flow stays on one.
//!
//! ## What did not help
//!
//! io_uring on a TAP (as fast for small frames, slower for large ones), `IFF_NAPI` (writes a third slower), `poll` before
//! each `read` (0.3 µs a frame), and waiting to fill a frame while something may be lost: the acknowledgements that it
//! waits for never come (RFC 3042). The last was found by running every packet script with offloads.
