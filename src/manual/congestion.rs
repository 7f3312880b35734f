//! # Congestion control, and one of your own
//!
//! Whoever sends must find out how much the network takes, and nobody tells. Too little wastes the path; too much fills
//! a queue somewhere, which makes everybody wait and then drops. A *congestion controller* is the part of a connection
//! that guesses: how many bytes may be in flight, and how fast they leave.
//!
//! Here it stands behind one trait, [`CongestionControl`](crate::tcp::CongestionControl). It sees no connection and no
//! sequence number. It is told facts, and keeps a [`Window`](crate::tcp::congestion::Window):
//!
//! | told | when |
//! |---|---|
//! | `on_acknowledged` | new data arrived, and the window may grow |
//! | `reduced` | packets were lost, marked, or the timer ran out: how small is `ssthresh` to be? |
//! | `on_delivered` | any acknowledgement, recovery or not, with a sample of the rate |
//! | `on_segment_lost`, `on_timeout`, `on_undo`, `on_idle` .. | for those who want to know more |
//!
//! The first two, with `window` and `window_mut`, are all that must be written. *What* is lost, and how the window comes
//! down to `ssthresh` while it is repaired, is the business of loss recovery; a controller that has a rate of its own
//! says so in `pacing_rate`, and its data is paced.
//!
//! The built-in ones are chosen by name, for a program (`--congestion bbr`), a listener or a connection
//! ([`Config::congestion`](crate::tcp::Config::congestion)):
//!
//! ```
//! use strata::tcp::congestion::Algorithm;
//!
//! for algorithm in Algorithm::ALL {
//!     println!("{:6} {}", algorithm.name(), algorithm.summary());
//! }
//! assert_eq!(Algorithm::names(), "none, reno, cubic, bbr, dctcp");
//! ```
//!
//! ## One of your own
//!
//! Reno and CUBIC fill the queue until it overflows. TCP Vegas (Brakmo and Peterson, 1995) listens to the round trip
//! instead: if it grows beyond the shortest one, what is in flight beyond `cwnd * shortest / present` must be waiting in
//! a queue. It keeps that at two to four segments. In Strata this is one struct, one `impl` and one value:
//!
//! ```
//! use strata::tcp::CongestionControl;
//! use strata::tcp::congestion::{Acknowledged, Algorithm, Congested, Start, Window};
//!
//! #[derive(Debug)]
//! struct Vegas {
//!     window: Window,
//! }
//!
//! impl Vegas {
//!     /// How many of the bytes in flight wait in a queue.
//!     fn queued(&self, ack: &Acknowledged) -> Option<u64> {
//!         let (now, shortest) = (ack.rtt?.as_nanos(), ack.min_rtt?.as_nanos());
//!         let cwnd = u128::from(self.window.cwnd);
//!         Some((cwnd - cwnd * shortest.min(now) / now.max(1)) as u64)
//!     }
//! }
//!
//! impl CongestionControl for Vegas {
//!     fn window(&self) -> &Window {
//!         &self.window
//!     }
//!
//!     fn window_mut(&mut self) -> &mut Window {
//!         &mut self.window
//!     }
//!
//!     fn on_acknowledged(&mut self, ack: &Acknowledged) {
//!         // A window that the application leaves unused says nothing of the path.
//!         let Some(queued) = self.queued(ack).filter(|_| ack.cwnd_limited) else { return };
//!         let segment = self.window.mss;
//!         if self.window.in_slow_start() {
//!             self.window.slow_start(ack.bytes);
//!             if queued > 4 * segment {
//!                 // There is a queue already: as much as it holds comes off again.
//!                 self.window.cwnd -= queued - 2 * segment;
//!                 self.window.ssthresh = self.window.cwnd;
//!             }
//!         } else if ack.round_starts && queued < 2 * segment {
//!             self.window.cwnd += segment;
//!         } else if ack.round_starts && queued > 4 * segment {
//!             self.window.cwnd = (self.window.cwnd - segment).max(2 * segment);
//!         }
//!     }
//!
//!     /// Losses are rare, and answered as Reno does.
//!     fn reduced(&mut self, event: &Congested) -> u64 {
//!         self.window.half(event.in_flight())
//!     }
//! }
//!
//! const VEGAS: Algorithm =
//!     Algorithm::new("vegas", "two to four segments in the queue", |start: &Start| {
//!         Box::new(Vegas { window: Window::new(start) })
//!     });
//!
//! // Ten megabits a second, 20 ms there and back, and room for a hundred packets.
//! use std::time::Duration;
//! use strata::sim::experiment::{Amount, Experiment, Flow, FlowOutcome, Host, Link};
//! use strata::sim::network::Shape;
//!
//! fn flow(congestion: Algorithm) -> FlowOutcome {
//!     let shape = Shape { rate: Some(10_000_000), queue: 100, faults: "delay 10ms".parse().unwrap(), ..Shape::default() };
//!     let amount = Amount::During(Duration::from_secs(4));
//!     let experiment = Experiment {
//!         hosts: vec![Host::named("a"), Host::named("b")],
//!         links: vec![Link::between("a", "b", shape)],
//!         flows: vec![Flow { congestion: Some(congestion), ..Flow::new("a", "b", amount) }],
//!         ..Experiment::default()
//!     };
//!     experiment.run().expect("nothing is wrong with it").flows.remove(0)
//! }
//!
//! let (vegas, reno) = (flow(VEGAS), flow(Algorithm::RENO));
//! assert!(vegas.goodput() > 9_000_000.0, "the link is filled: {}", vegas.goodput());
//! assert!(vegas.mean_rtt < Some(Duration::from_millis(30)), "with hardly a queue: {:?}", vegas.mean_rtt);
//! assert!(reno.mean_rtt > Some(Duration::from_millis(60)), "Reno has filled the queue: {:?}", reno.mean_rtt);
//! assert_eq!((vegas.retransmitted_bytes, vegas.congestion), (0, "vegas"));
//! ```
//!
//! That is all of it. To have it known by name, put the `impl` into a file of its own in `src/tcp/congestion` and the
//! value into [`Algorithm::ALL`](crate::tcp::congestion::Algorithm::ALL): the command line, the simulator and the packet scripts
//! find it there. Before you do, let two of its flows share a bottleneck, and one of them share it with CUBIC: Vegas
//! gives way to whoever fills the queue, which is why it is not among the built-in ones.
//!
//! ## Seeing it
//!
//! Every change of the window is an event with its reason ([`TcpEvent::Cwnd`](crate::event::TcpEvent::Cwnd)); so are samples of the
//! rate, losses, marks, and the phases of a controller, which are what `phase` returns:
//!
//! ```text
//! congestion control: Startup -> Drain
//! delivery rate 1194216 bytes/s: 71952 bytes in 60.2 ms
//! marked by the network (ECN): cwnd 57920 -> 40544
//! ```
//!
//! What is in force now is in [`Info`](crate::tcp::Info): `cwnd`, `ssthresh`, `pacing_rate`, `delivery_rate`.
//!
//! ## How much was marked
//!
//! Classic ECN (RFC 3168) says once in a round trip that something was marked. Accurate ECN (RFC 9768), which
//! [`Config::ecn`](crate::tcp::Config::ecn) turns on, counts: the marked packets in three flags of the header, modulo
//! eight, and the bytes under each mark in an option that every segment has
//! ([`Config::ecn_option`](crate::tcp::Config::ecn_option) wants it less often). CUBIC and Reno only ask whether there
//! was a mark; DCTCP goes by how many bytes had one, exactly so where the option comes through. Both counts are in
//! [`Info::marks`](crate::tcp::Info::marks), and each report of the peer's is an event:
//!
//! ```text
//! the peer tells of marks: 3 packets, 2500 bytes
//! accurate ECN: segments with the AccECN option get lost: it is not sent any more
//! ```
