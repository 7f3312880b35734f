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
//! At losses up to 3 % each of ours is ahead of Linux's of the same name or within a twentieth of it, and everywhere
//! ahead of smoltcp. Where a window is four or five segments long, chance rules: with 3 % and 100 ms single runs lie
//! between 0.7 and 1.4 Mbit/s. There small things count. A window of five and a half segments has five in flight, so a
//! round of growth is five acknowledged; and the acknowledgement that ends a recovery counts for growth like any other,
//! which at 3 % is every thirtieth. At 10 % all wait for timers most of the time; there our Reno is behind Linux's by up
//! to a quarter, CUBIC by a tenth at the longest path.
//!
//! BBR does not take a loss for congestion as such, but what it makes of losses differs. Linux's is version 1, which does
//! not look at them at all. Version 3 gives way when probing for more loses more than 2 %, and outside of probing to any
//! loss, down to what got through: on a link that loses 1 % at random that is 2 % slower each round, and after two
//! seconds a half. Ours is version 3 that asks where packets were lost. What is lost where there is no queue was not lost
//! for want of room: that share, up to a tenth, is *ambient*, and only what is lost beyond it, and beyond what chance may
//! add, counts. Losses beside a queue are answered as version 3 answers them, and beside other traffic ours takes no more
//! than that would (see below).
//!
//! Both ends have to play along: what is sent while a lost retransmission is repaired waits past the hole, for two or
//! three round trips, and neither the send buffer nor the receive window may be full by then. So the window that is
//! offered grows by what waits as well as by what is read.
//!
//! What this costs: a policer, or a queue of so few packets that it cannot be seen, drops where there seems to be no
//! queue, and then up to a tenth is believed. A single flow finds a policer's rate all the same, since it sends no faster
//! than was delivered, once what was delivered before is forgotten. But four flows through a queue of three packets lose
//! an eighth of what they send, where version 3 by the letter loses a fortieth; and eight flows that have eight packets
//! each under way lose a quarter in a queue of seven. To believe nothing where so few are under way would mend that, and
//! was tried: it takes three quarters of the rate from a single flow that loses a tenth on a path of a millisecond. A
//! queue of a tenth of what is under way is seen: there four flows lose a twentieth, and two of them a seventieth.
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
//! more than 2 % of a probe.
