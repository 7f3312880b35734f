//! # The simulator
//!
//! An experiment on real machines takes as long as it takes, never happens twice in the same way, and needs the
//! machines. In virtual time the clock jumps from one thing that happens to the next: half a minute of traffic takes a
//! second, a laptop holds a network of hundred hosts, and the same file with the same seed gives the same result on
//! every machine, to the last digit. What runs there is no model of a TCP: it is this stack, all of it, frame by frame.
//!
//! ```text
//! strata sim labs/lossy-link.toml
//! ```
//!
//! ```text
//! One flow over 10 Mbit/s and a round trip of 20 ms, with 1 % loss
//!
//! flow       congestion  start  duration    bytes      goodput  sent again  RTOs  RTT min  RTT mean  queue drops
//! alice-bob  cubic       0.0 s    5.52 s  5.00 MB  7.24 Mbit/s      2.90 %     0  21.0 ms   27.8 ms           71
//!
//! link       direction    frames    used  longest queue  queue drops  lost  cut
//! alice-bob  alice > bob    3559  76.3 %             20           71    29    0
//! ```
//!
//! *Goodput* is what the receiving application has read, by the time from the flow's start (before ARP and the
//! handshake) to its last byte. *Sent again* is the share of bytes that were retransmitted. *Queue drops* are frames that
//! found a queue full; *lost* ones were taken by chance, *cut* ones by an outage. `--json` gives all figures of a run as
//! one object, `--csv` a row for each flow; `-w FILE.pcapng --host NAME` a capture of one host with the stack's own
//! comments.
//!
//! Five files to begin with are in `labs/`: a lossy link, a long fat path, two flows that share a bottleneck, a queue that
//! is too long, a path that goes away. Each says what to try with it.
//!
//! ## The file
//!
//! ```
//! # let file = r#"
//! about = "Two senders behind one slow line"   # all optional: a line about it,
//! seed = 7                                     #   what decides over chance (1),
//! time_limit = "60s"                           #   when it is over at the latest (600s)
//! switches = ["office"]                        # what joins several links
//!
//! [defaults]                                   # for all hosts
//! congestion = "cubic"
//!
//! [hosts]                                      # or hosts = ["alice", "bob", "server"]
//! alice = {}
//! bob = { sack = false, receive_buffer = "64KiB" }
//! server = { profile = "linux" }
//!
//! [[links]]
//! between = ["alice", "office"]                # no rate: nothing ever waits
//!
//! [[links]]
//! between = ["bob", "office"]
//!
//! [[links]]
//! name = "bottleneck"
//! between = ["office", "server"]
//! rate = "20mbit"
//! delay = "15ms 2ms"                           # and up to 2 ms more or less; or rtt = "30ms" for both ways
//! queue = "1bdp min 20"
//! loss = 0.5
//! outages = [["10s", "12s"]]
//! back = { rate = "2mbit", loss = 0 }          # the other direction differs in this
//!
//! [[flows]]
//! from = "alice"
//! to = "server"
//! duration = "20s"                             # as much as it can, for so long
//!
//! [[flows]]
//! name = "late"
//! from = "bob"
//! to = "server"
//! start = "5s"
//! bytes = "2MB"
//! congestion = "reno"
//! # "#;
//! # #[cfg(feature = "app")]
//! # strata::app::experiments::File::parse(file)?.experiment()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | of a link | |
//! |---|---|
//! | `between` | two hosts or switches; a host has one link, and there is one way between any two |
//! | `name` | else its ends: `alice-office` |
//! | `rate` | `10mbit`; without one nothing ever waits |
//! | `delay`, `rtt` | `20ms`, with a jitter `20ms 5ms`; `rtt` is the delay of both directions together |
//! | `queue` | how many packets wait at most while one is being sent (1000); `"1bdp"` for as many as are under way at the full rate in one round trip *of this link*, `"0.5bdp min 100"` |
//! | `loss`, `duplicate`, `corrupt`, `reorder` | percent; the further words are netem's: `loss = "1% 25%"`, `reorder = "2% gap 5"` |
//! | `mark` | from how many waiting packets on those that come are marked instead of waiting to be lost, where both hosts agreed to ECN; `loss = "2% ecn"` marks by chance |
//! | `outages` | when the link is cut: `[["2s", "12s"]]` |
//! | `mtu` | 1500; the same for all links |
//! | `there`, `back` | tables of the keys above, for the direction from the first to the second and back |
//!
//! | of a host, or of `defaults` | |
//! |---|---|
//! | `profile` | `strata`, `linux` or `freebsd`: a set of settings to begin with |
//! | `congestion` | a controller by its name |
//! | `ecn` | `off`, `respond` (agree where the peer asks) or `request` |
//! | `receive_buffer`, `send_buffer` | bytes, fixed; without them buffers grow with what is needed |
//! | `window_scale`, `initial_window` | the shift that is offered, 0 to 14; in segments |
//! | `sack`, `timestamps`, `nagle` | true or false |
//! | `delayed_ack`, `min_rto` | times; `delayed_ack = "0"` acknowledges at once |
//!
//! What cannot be is told by its key: ``links[2].queue: "lots": expected packets, as a number, or ..``.
//!
//! A frame first waits for its turn (or finds the queue full), leaves at the rate, may be lost or damaged, and travels.
//! Loss by chance therefore takes its time on the wire, and falls on acknowledgements as on data unless `back` says
//! otherwise. Switches forward at once: what waits, waits in front of a link.
//!
//! ## A grid of runs
//!
//! ```text
//! strata sim labs/lossy-link.toml --sweep 'loss=0,0.1,1,3 rtt=1,20,100 congestion=reno,cubic seed=1..5'
//! ```
//!
//! runs every combination, on all cores, and draws one row for each point with the mean over the seeds. Each run is added
//! as a line to `lossy-link.results.jsonl` when it is over. Stop it whenever you like: the same command goes on where it
//! was, and a grid that has grown since takes what is there already.
//!
//! A name is a key of the file. Those of links go to the only link or the one called `bottleneck`, those of flows to every
//! flow, those of hosts to every host; `late.start=0,5` or `bottleneck.back.loss=1` names one. A number without a unit is
//! milliseconds for links and hosts, seconds for flows, Mbit/s, percent.
//!
//! Many machines share a grid by `--shard 2/8`: every eighth point, beginning with the second, into a file of its own.
//! Nothing has to talk to anything, so any scheduler will do:
//!
//! ```text
//! sbatch --array=1-8 --wrap 'strata sim wide.toml --sweep "$GRID" --shard $SLURM_ARRAY_TASK_ID/8'
//! cat wide.results.*-of-8.jsonl > wide.results.jsonl
//! strata sim wide.toml --sweep "$GRID" --csv > wide.csv
//! ```
//!
//! The last command finds every result and runs nothing.
//!
//! ## In Rust
//!
//! A file becomes an [`Experiment`](crate::sim::experiment::Experiment), and that can be built by hand as well. Underneath
//! is [`Simulation`](crate::sim::Simulation): hosts, [cables and switches](crate::sim::network) and your own applications,
//! as ordinary futures over the asynchronous sockets.
