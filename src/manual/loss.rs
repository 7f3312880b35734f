//! # Loss, delay and who does what about it
//!
//! One flow, one link, and what arrives: this stack beside smoltcp and beside the Linux kernel, for each loss, round trip
//! and controller. `scripts/loss` measures all of it and writes the tables below.
//!
//! The three meet the same link, which is this project's own ([`Wire`](crate::sim::network::Wire)): a queue, a rate, then
//! loss by chance, then the delay, the same in both directions. Acknowledgements are lost as often as data. Both simulated
//! stacks run in virtual time; the kernel runs in real time, its two ends in namespaces of their own, with a TAP each and
//! the link between them in a process of ours, at a real-time priority so that the machine's own delays stay out of it
//! (the kernel measures a shortest round trip of 1.0 ms where 1 ms is meant). Flows start cold, the handshake counts, and
//! the neighbours know each other already. Every stack has its default settings, but smoltcp has buffers of 4 MiB, since
//! it does not grow them.
#![doc = ""]
#![doc = include_str!("loss.md")]
//!
//! ## How to read it
//!
//! Reno and CUBIC take every loss for congestion, so on a link that loses at random their rate falls with the round trip
//! and with the root of the loss (Mathis, Semke, Mahdavi, Ott, "The macroscopic behavior of the TCP congestion avoidance
//! algorithm", 1997). No implementation can do much about that; what one can do is to spend no more than one reduction on
//! what was lost in one round trip, and to need no timeout. That is what separates the columns of one controller: with
//! SACK, RACK and tail loss probes a loss costs a round trip; without them the third loss in a window costs a timeout,
//! and another, twice as long.
//!
//! With CUBIC, the default, this stack is ahead of smoltcp everywhere, and at losses up to 3 % ahead of Linux or within a
//! twentieth of it. Where a window is four or five segments long, chance rules: with 3 % and 100 ms single runs lie between
//! 0.7 and 1.4 Mbit/s, and over thirty seeds CUBIC's mean there is 1.0 Mbit/s. Reno at 3 % and 20 ms is a tenth behind
//! Linux's also over thirty seeds (3.25 Mbit/s), neither with timeouts. At 10 % all wait for timers most of the time, and
//! ours is behind Linux by up to a third.
//!
//! BBR does not take a loss for congestion as such. Linux's is version 1, which does not look at losses at all; ours is
//! version 3, which gives way when more than 2 % of a round trip's data is lost. Beside other traffic that is what one
//! wants; on a link that loses at random it costs, and the more so the fewer packets a round trip has, since then one or
//! two of them are 2 %.
//!
//! A controller that controls nothing (`none`) has a full queue for its only effect, and smoltcp, which has no SACK,
//! repeats what had arrived.
//!
//! ## Sharing
#![doc = ""]
#![doc = include_str!("sharing.md")]
//!
//! Of one kind, two flows share evenly, once the second has found its place. Of two kinds they do not: CUBIC gives way by
//! three tenths where Reno gives way by half, and BBR does not take the losses of a full queue for its own until they are
//! more than 2 %.
