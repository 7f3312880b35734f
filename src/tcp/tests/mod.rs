//! One end of TCP against a script: segments go in, and what comes out is read as text, in virtual time.
//!
//! Sequence numbers in the text are relative to each side's ISN, as packet scripts write them: `S. 0:0(0) ack 1`.
//! Every story runs with initial sequence numbers at zero and just before both wraps.

mod closing;
mod data;
mod defence;
mod duplicates;
mod opening;
mod pacing;
mod super_frames;
mod timers;
mod writing;

use super::congestion::Algorithm;
use super::fold::tests::refold;
use super::opening::{Opening, Outcome, Secrets};
use super::{Arrival, Config, Connection, Segment, State, Writing};
use crate::event::{CloseReason, Context, FourTuple};
use crate::frame::{Frame, FrameId, Payload};
use crate::pool::Pool;
use crate::random::Random;
use crate::time::Instant;
use crate::wire::tcp::{Flags, Header};
use crate::wire::tcp_options::{Options, Timestamps};
use std::time::Duration;

enum Shape {
    Opening(Box<Opening>),
    Connection(Box<Connection>),
    Over(CloseReason),
}

/// The end under test.
struct End {
    shape: Shape,
    now: Instant,
    random: Random,
    pool: Pool,
    frames: u64,
    isn: u32,
    /// The peer's ISN.
    irs: u32,
    /// Answers that belong to no connection.
    replies: Vec<Header>,
}

fn tuple() -> FourTuple {
    FourTuple { local: ([192, 0, 2, 2], 80).into(), remote: ([192, 0, 2, 1], 40000).into() }
}

/// Runs a story at every place of the sequence space where something could wrap.
fn everywhere(story: impl Fn(u32, u32)) {
    for isn in [0, 0x7fff_ffff - 700, 0xffff_ffff - 700, 0xffff_ffff] {
        for irs in [0, 0x7fff_ffff - 700, 0xffff_ffff - 700, 0xffff_ffff] {
            story(isn, irs);
        }
    }
}

/// No timestamps, no scaling, Reno: headers that are easy to read, and windows that are easy to compute.
fn plain() -> Config {
    Config {
        timestamps: false,
        sack: false,
        window_scale: None,
        receive_buffer: 10_000,
        congestion: Algorithm::RENO,
        ..Config::default()
    }
}

const PEER_SYN: &str = "S 0:0(0) win 10000 mss 1000";

impl End {
    fn active(config: Config, isn: u32, irs: u32) -> End {
        let (mut random, mut pool, mut frames) = (Random::new(1), Pool::default(), 0);
        let now = Instant::from_secs(1);
        let mut cx = Context::new(now, &mut random, &mut pool, &mut frames, None);
        let secrets = Secrets { isn, timestamp_offset: 0 };
        let opening = Opening::active(&mut cx, tuple(), config.into(), secrets, 1500);
        End { shape: Shape::Opening(opening), now, random, pool, frames, isn, irs, replies: Vec::new() }
    }

    fn passive(config: Config, isn: u32, irs: u32, syn: &str) -> End {
        let (mut random, mut pool, mut frames) = (Random::new(1), Pool::default(), 0);
        let now = Instant::from_secs(1);
        let mut cx = Context::new(now, &mut random, &mut pool, &mut frames, None);
        let secrets = Secrets { isn, timestamp_offset: 0 };
        let (header, data) = parse(syn, isn, irs);
        let segment = Segment { header, data: &data, ecn: 0, packets: 1 };
        let opening = Opening::passive(&mut cx, tuple(), config.into(), secrets, 1500, &segment);
        End { shape: Shape::Opening(opening), now, random, pool, frames, isn, irs, replies: Vec::new() }
    }

    /// A connection that a peer with MSS 1000 and window 10000 has opened.
    fn established(config: Config, isn: u32, irs: u32) -> End {
        let mut end = End::passive(config, isn, irs, PEER_SYN);
        assert_eq!(end.out().len(), 1);
        end.rcv(". 1:1(0) ack 1 win 10000");
        assert_eq!(end.out(), [""; 0]);
        end
    }

    /// Calls into the connection or the opening with a context.
    fn with<T>(&mut self, act: impl FnOnce(&mut Shape, &mut Context<'_>) -> T) -> T {
        let mut cx = Context::new(self.now, &mut self.random, &mut self.pool, &mut self.frames, None);
        act(&mut self.shape, &mut cx)
    }

    fn conn(&mut self) -> &mut Connection {
        match &mut self.shape {
            Shape::Connection(connection) => connection,
            Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
        }
    }

    /// A segment arrives.
    fn rcv(&mut self, text: &str) {
        let (header, data) = parse(text, self.isn, self.irs);
        self.rcv_segment(header, &data);
    }

    fn rcv_segment(&mut self, header: Header, data: &[u8]) {
        self.rcv_train(header, data, 1);
    }

    /// A frame of which the device says that it crossed the wire in so many packets.
    fn rcv_train(&mut self, header: Header, data: &[u8], packets: u32) {
        let segment = Segment { header, data, ecn: 0, packets };
        let outcome = self.with(|shape, cx| match shape {
            Shape::Opening(opening) => opening.handle_segment(cx, &segment),
            Shape::Connection(connection) => {
                assert_ne!(connection.handle_segment(cx, &segment), Arrival::NewIncarnation);
                Outcome::Stay
            }
            Shape::Over(_) => Outcome::Stay,
        });
        self.conclude(outcome, Some(segment));
    }

    fn conclude(&mut self, outcome: Outcome, segment: Option<Segment<'_>>) {
        match outcome {
            Outcome::Stay => {}
            Outcome::Established(mut connection) => {
                let segment = segment.expect("only a segment establishes");
                self.with(|_, cx| connection.handle_rest(cx, segment));
                self.shape = Shape::Connection(connection);
            }
            Outcome::Closed(reason) => self.shape = Shape::Over(reason),
            Outcome::Reply(header) => self.replies.push(header),
        }
    }

    fn write(&mut self, data: &[u8]) -> usize {
        self.write_with(data, Writing::default())
    }

    fn write_with(&mut self, data: &[u8], how: Writing) -> usize {
        self.with(|shape, cx| match shape {
            Shape::Connection(connection) => connection.send_with(cx, data, how).expect("room in the buffer"),
            Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
        })
    }

    fn read(&mut self, len: usize) -> Vec<u8> {
        let mut into = vec![0; len];
        let got = self.conn().receive(&mut into, &mut Pool::default()).expect("something to read");
        into.truncate(got);
        into
    }

    fn shutdown(&mut self) {
        self.with(|shape, cx| match shape {
            Shape::Connection(connection) => connection.shutdown(cx),
            Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
        });
    }

    fn release(&mut self) {
        self.with(|shape, cx| match shape {
            Shape::Connection(connection) => connection.release(cx),
            Shape::Opening(_) | Shape::Over(_) => panic!("not established"),
        });
    }

    fn state(&self) -> State {
        match &self.shape {
            Shape::Opening(opening) => opening.state(),
            Shape::Connection(connection) => connection.state(),
            Shape::Over(_) => State::Closed,
        }
    }

    fn closed(&self) -> Option<CloseReason> {
        match &self.shape {
            Shape::Opening(_) => None,
            Shape::Connection(connection) => connection.status().closed,
            Shape::Over(reason) => Some(*reason),
        }
    }

    /// Virtual time goes on; whatever timer comes due on the way fires at its own time. Gives what was sent, with the
    /// milliseconds since the call.
    fn wait(&mut self, span: Duration) -> Vec<String> {
        let (start, end) = (self.now, self.now + span);
        let mut sent = Vec::new();
        loop {
            let deadline = match &self.shape {
                Shape::Opening(opening) => opening.next_deadline(),
                Shape::Connection(connection) => connection.next_deadline(),
                Shape::Over(_) => None,
            };
            let Some(deadline) = deadline.filter(|deadline| *deadline <= end) else { break };
            self.now = self.now.max(deadline);
            let outcome = self.with(|shape, cx| match shape {
                Shape::Opening(opening) => opening.handle_timeout(cx),
                Shape::Connection(connection) => {
                    connection.handle_timeout(cx);
                    Outcome::Stay
                }
                Shape::Over(_) => Outcome::Stay,
            });
            self.conclude(outcome, None);
            let at = self.now.since(start).as_millis();
            sent.extend(self.out().into_iter().map(|text| format!("{at} {text}")));
        }
        self.now = end;
        sent
    }

    /// Everything that goes out now, as text.
    fn out(&mut self) -> Vec<String> {
        let mut texts: Vec<String> =
            std::mem::take(&mut self.replies).iter().map(|header| self.text(header, 0)).collect();
        while let Some(frame) = self.poll() {
            let bytes = frame.to_vec();
            let (header, data) = Header::parse(&bytes).expect("our own headers parse");
            texts.push(self.text(&header, data.len()));
        }
        // Whatever these stories tell, it makes no difference to have been folded.
        if let Shape::Connection(connection) = &mut self.shape {
            refold(connection, self.now);
        }
        texts
    }

    fn poll(&mut self) -> Option<Frame> {
        let mut frame = Frame::new(FrameId::default(), Payload::default());
        let sends = self.with(|shape, cx| match shape {
            Shape::Opening(opening) => opening.poll_transmit(cx, &mut frame),
            Shape::Connection(connection) => connection.poll_transmit(cx, &mut frame),
            Shape::Over(_) => false,
        });
        sends.then_some(frame)
    }

    fn text(&self, header: &Header, len: usize) -> String {
        let start = header.seq.wrapping_sub(self.isn);
        let mut text = format!("{} {start}:{}({len})", letters(header.flags), u64::from(start) + len as u64);
        if header.flags.ack() {
            text += &format!(" ack {}", header.ack.wrapping_sub(self.irs));
        }
        text += &format!(" win {}", header.window);
        if header.flags.urg() {
            text += &format!(" urg {}", header.urgent);
        }
        if let Some(mss) = header.options.mss {
            text += &format!(" mss {mss}");
        }
        if header.options.sack_permitted {
            text += " sackOK";
        }
        if let Some(scale) = header.options.window_scale {
            text += &format!(" wscale {scale}");
        }
        if let Some(timestamps) = header.options.timestamps {
            text += &format!(" TS {} {}", timestamps.value, timestamps.echo);
        }
        for (left, right) in &header.options.sack {
            text += &format!(" sack {}:{}", left.wrapping_sub(self.irs), right.wrapping_sub(self.irs));
        }
        text
    }
}

fn letters(flags: Flags) -> String {
    const LETTERS: [(char, Flags); 6] = [
        ('F', Flags::FIN),
        ('S', Flags::SYN),
        ('R', Flags::RST),
        ('P', Flags::PSH),
        ('U', Flags::URG),
        ('.', Flags::ACK),
    ];
    let letters: String = LETTERS.iter().filter(|(_, flag)| flags.contains(*flag)).map(|(letter, _)| *letter).collect();
    if letters.is_empty() { "-".into() } else { letters }
}

/// `FLAGS START:END(LEN) [ack N] [win N] [urg N] [mss N] [sackOK] [wscale N] [TS VAL ECR]` from the peer. The data of
/// the stream is its position, modulo 251.
fn parse(text: &str, isn: u32, irs: u32) -> (Header, Vec<u8>) {
    let mut words = text.split_whitespace();
    let mut next = || words.next().expect("a word");
    let flags = next().chars().fold(Flags::NONE, |flags, letter| {
        flags
            | match letter {
                'F' => Flags::FIN,
                'S' => Flags::SYN,
                'R' => Flags::RST,
                'P' => Flags::PSH,
                'U' => Flags::URG,
                '.' => Flags::ACK,
                '-' => Flags::NONE,
                other => panic!("{other} is no flag"),
            }
    });
    let (start, rest) = next().split_once(':').expect("START:END(LEN)");
    let len = rest.split_once('(').expect("LEN").1.trim_end_matches(')');
    let (start, len): (i64, usize) = (start.parse().expect("a number"), len.parse().expect("a number"));
    let mut header = Header {
        source_port: tuple().remote.port(),
        destination_port: tuple().local.port(),
        seq: irs.wrapping_add(start as u32),
        flags,
        window: 10_000,
        ..Header::default()
    };
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let mut number = || words.next().expect("a number").parse::<i64>().expect("a number");
        match word {
            "ack" => header.ack = isn.wrapping_add(number() as u32),
            "win" => header.window = number() as u16,
            "urg" => header.urgent = number() as u16,
            "mss" => options.mss = Some(number() as u16),
            "sackOK" => options.sack_permitted = true,
            "wscale" => options.window_scale = Some(number() as u8),
            "TS" => options.timestamps = Some(Timestamps { value: number() as u32, echo: number() as u32 }),
            other => panic!("{other}: what is that?"),
        }
    }
    header.options = options;
    (header, stream(start, len))
}

/// The peer's stream from a relative sequence number on.
fn stream(start: i64, len: usize) -> Vec<u8> {
    (start..start + len as i64).map(|position| position.rem_euclid(251) as u8).collect()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
