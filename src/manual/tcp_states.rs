//! # The TCP states
//!
//! TCP makes out of packets that may be lost, doubled or late a stream of bytes in each direction. Both ends have to
//! agree on where the streams begin, and on when they are over. That is what the states are for: the beginning is the
//! three-way handshake, the end is one FIN in each direction (RFC 9293 §3.3.2).
//!
//! ## The usual life of a connection
//!
//! ```text
//!     client                                                server
//!     CLOSED                                                LISTEN
//!     SYN-SENT      ---- SYN seq 100 ------------------->   SYN-RECEIVED
//!     ESTABLISHED   <--- SYN,ACK seq 300 ack 101 --------
//!                   ---- ACK seq 101 ack 301 ----------->   ESTABLISHED
//!                         ... data both ways ...
//!     FIN-WAIT-1    ---- FIN,ACK ----------------------->   CLOSE-WAIT
//!     FIN-WAIT-2    <--- ACK ----------------------------
//!     TIME-WAIT     <--- FIN,ACK ------------------------   LAST-ACK
//!                   ---- ACK --------------------------->   CLOSED
//!     CLOSED        (after two maximum segment lifetimes)
//! ```
//!
//! SYN and FIN each take one sequence number of their own, so that they can be acknowledged like data. The initial
//! sequence numbers are not 100 and 300: each is a keyed hash of the addresses and ports plus a clock (RFC 6528), so
//! that nobody off the path can guess it.
//!
//! ## The table
//!
//! The whole machine is one function, [`tcp::next`](crate::tcp::next): a state and a cause give the next state, or
//! nothing where the cause means nothing.
//!
//! ```
//! use strata::event::{StateCause as Cause, TcpState as State};
//! use strata::tcp::next;
//!
//! // A server's connection, from beginning to end.
//! let causes = [Cause::PassiveOpen, Cause::SynReceived, Cause::AckOfSyn, Cause::FinReceived, Cause::Close, Cause::AckOfFin];
//! let mut state = State::Closed;
//! let life: Vec<String> = causes
//!     .into_iter()
//!     .map(|cause| {
//!         state = next(state, cause).expect("the usual life has no surprises");
//!         state.to_string()
//!     })
//!     .collect();
//! assert_eq!(life, ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]);
//!
//! // Both sides close at once: the FINs cross, and both wait.
//! assert_eq!(next(State::FinWait1, Cause::FinReceived), Some(State::Closing));
//! assert_eq!(next(State::Closing, Cause::AckOfFin), Some(State::TimeWait));
//!
//! // A FIN means nothing to a connection that has not begun.
//! assert_eq!(next(State::SynSent, Cause::FinReceived), None);
//! ```
//!
//! The RFC's own figure stands above that function in `tcp/state.rs`.
//!
//! ## Why TIME-WAIT?
//!
//! The end that closes first stays in TIME-WAIT when everything is over. There are two reasons. Its last ACK may have
//! been lost, and then the peer's FIN comes again and wants another. And old duplicates of this connection may still
//! be in the network: a new connection between the same ports must not take them for its own.
//!
//! ## Half-closed
//!
//! FIN ends one direction only. After its own FIN a side may still receive for as long as the other sends: that is
//! FIN-WAIT-2 here and CLOSE-WAIT there, and it may last for hours. `shutdown(Shutdown::Write)` makes one.
//!
//! ## Three shapes
//!
//! A connection needs different things at different times, so this stack has three types for it: a *listener*, which
//! holds only a queue of those who knock and one of those who have come in; an *opening*, in the middle of its
//! handshake, which holds what was offered; and a synchronized *connection*, which has buffers, timers and windows. A
//! flood of SYNs therefore costs little, and the code of each shape cannot touch what the others have.
