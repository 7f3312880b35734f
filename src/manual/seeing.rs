//! # Seeing through it
//!
//! The core tells what it does at the instant it does it, as typed [events](crate::event::Event): a frame came in, a
//! header was stripped, a connection changed its state, the congestion window grew, a timer fired, a frame was dropped
//! and why. Whoever wants to see something implements [`Observer`](crate::event::Observer) and gives it to the stack.
//! With no observer an event costs one branch.
//!
//! Everything else in [`probe`](crate::probe) is built from those events alone:
//!
//! | view | command line | what it is |
//! |---|---|---|
//! | [`Capture`](crate::probe::Capture) | `--capture FILE.pcapng` | every frame for Wireshark, with comments |
//! | [`LayerTree`](crate::probe::LayerTree) | `--trace` | each frame as nested layers on the terminal |
//! | `JsonLines` (feature `app`) | `--events FILE.jsonl` | every event as an object on a line |
//! | [`Counters`](crate::probe::Counters) | `--stats FILE.json` | how often each event happened |
//!
//! They share one vocabulary, [`narrate`](crate::probe::narrate): a capture's comment, the layer tree and the `text` of
//! a JSON line say the same thing in the same words.
//!
//! ## An observer of your own
//!
//! ```
//! use strata::event::{DropReason, Event, Layer, Observer, Record};
//! use strata::probe::narrate::sentence;
//! use strata::time::Instant;
//!
//! /// Complains about every frame that is thrown away.
//! struct Complain;
//!
//! impl Observer for Complain {
//!     fn observe(&mut self, record: &Record<'_>) {
//!         if let Event::Dropped { .. } = record.event {
//!             eprintln!("{}: {}", record.at, sentence(record.at, &record.event));
//!         }
//!     }
//! }
//!
//! let dropped = Event::Dropped { layer: Layer::Udp, reason: DropReason::NoUdpSocket };
//! assert_eq!(sentence(Instant::ZERO, &dropped), "dropped by UDP: no UDP socket on that port");
//! ```
//!
//! `stack.set_observer(Some(Box::new(Complain)))` and it listens. Several observers go into one
//! [`Fanout`](crate::probe::Fanout).
//!
//! ## Captures
//!
//! A capture is a pcapng file with both directions, nanosecond timestamps, and on every packet one comment for each
//! thing that the stack did or decided about it. In Wireshark they stand at the top of the packet's details; the display
//! filter `frame.comment contains "retransmission"` finds them, and so does
//!
//! ```text
//! tshark -r demo.pcapng -T fields -e frame.number -e frame.comment
//! ```
//!
//! It shows what the wire would show: a checksum that is left to the device is filled in, a super-frame is split. The
//! file is written on a thread of its own behind a bounded queue. If the disk cannot keep up, frames are missing from
//! the file, never from the network, and the file says how many and where.
//!
//! Wireshark itself may listen on the kernel's end of a TAP. It then sees super-frames whole, with checksums that nobody
//! has filled in and, from 64 KiB on, a length of zero; its buffer of 2 MiB overflows where gigabits pass, against which
//! `tshark -B 32` helps, and `--offload off` shows frames as a wire has them.
//!
//! In virtual time a capture is written [directly](crate::probe::capture::direct), and equal runs give equal files:
//!
//! ```
//! use strata::event::{Event, Observer, Record};
//! use strata::frame::{Frame, FrameId};
//! use strata::probe::capture::{Options, direct};
//! use strata::probe::pcapng;
//! use strata::time::Instant;
//!
//! let capture = direct(Vec::new(), &Options { reproducible: true, ..Options::default() })?;
//! // This clone would go to the stack.
//! let mut observer = capture.clone();
//! let frame = Frame::new(FrameId(1), b"a frame".to_vec().into());
//! observer.observe(&Record { at: Instant::from_secs(1), frame: None, event: Event::FrameSent { frame: &frame } });
//!
//! let (_, sink) = capture.finish()?;
//! let file = sink.into_inner();
//! let packets = pcapng::read(&file[..]).expect("what we write we can read");
//! assert_eq!((packets[0].at, &packets[0].bytes[..]), (Instant::from_secs(1), &b"a frame"[..]));
//! # std::io::Result::Ok(())
//! ```
//!
//! ## Stories
//!
//! What is told about one frame is spread over many events. [`Gather`](crate::probe::Gather) puts it together again: a
//! [`Story`](crate::probe::Story) has the frame's bytes, the headers that came off or went on in their order, and the
//! decisions. If you write a view of frames, begin there.
