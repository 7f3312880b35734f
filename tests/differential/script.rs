//! What happens to an end, step by step: generated from a seed, written so that no step names a number of either end.

use std::fmt;
use strata::random::Random;
use strata::wire::tcp::Flags;

/// Scripts are short enough for every real step of 70 ms to be over before a retransmission timer of 1 s is due.
const MAX_STEPS: u64 = 9;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The end connects to the peer.
    Active,
    /// The end listens.
    Passive,
}

/// What the peer offers in its SYN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer {
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub sack: bool,
    pub timestamps: bool,
}

/// Where a segment begins, in terms of what the end has told of its receive window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// So many bytes from the left edge.
    Left(i32),
    /// So many bytes from the right edge.
    Right(i32),
}

/// What a segment acknowledges, counted from the end's highest sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acknowledged(pub i32);

/// What a segment says of time, where timestamps were agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stamp {
    Present,
    Missing,
    /// Older than what was sent before (RFC 7323 §5).
    Old,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    pub flags: Flags,
    pub place: Place,
    pub len: u16,
    pub ack: Acknowledged,
    pub stamp: Stamp,
    pub urgent: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// Listen or connect, as the role says.
    Open,
    Write(u16),
    Read(u16),
    Shutdown,
    Close,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Segment(Segment),
    Call(Call),
    Wait,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    pub seed: u64,
    pub role: Role,
    pub offer: Offer,
    /// The peer's initial sequence number.
    pub isn: u32,
    pub steps: Vec<Step>,
}

impl Segment {
    fn new(flags: Flags) -> Segment {
        let (place, ack) = (Place::Left(0), Acknowledged(0));
        Segment { flags, place, len: 0, ack, stamp: Stamp::Present, urgent: 0 }
    }

    /// SEG.LEN (RFC 9293 §3.4).
    pub fn sequence_len(&self) -> i32 {
        i32::from(self.len) + i32::from(self.flags.syn()) + i32::from(self.flags.fin())
    }

    /// How far the end of a segment that takes numbers lies beyond the left edge.
    pub fn len_to_left_edge(&self) -> Option<i32> {
        match self.place {
            Place::Left(offset) if self.sequence_len() > 0 => Some(offset + self.sequence_len()),
            Place::Left(_) | Place::Right(_) => None,
        }
    }
}

impl Script {
    pub fn generate(seed: u64) -> Script {
        let mut random = Random::new(seed);
        let role = if random.chance(0.7) { Role::Passive } else { Role::Active };
        let offer = Offer {
            mss: random.chance(0.9).then(|| pick(&mut random, &[536, 1000, 1460])),
            window_scale: random.chance(0.5).then_some(2),
            sack: random.chance(0.5),
            timestamps: random.chance(0.4),
        };
        // RFC 9293 §3.4: the sequence space has no special places; ours may not either.
        let near = pick(&mut random, &[0u32, 1 << 31, random_u32(seed)]);
        let isn = near.wrapping_sub(random.below(3000) as u32);
        let mut steps = vec![Step::Call(Call::Open)];
        steps.extend(handshake(&mut random, role));
        let count = steps.len() as u64 + 5 + random.below(MAX_STEPS - 4);
        while (steps.len() as u64) < count {
            steps.push(step(&mut random));
        }
        Script { seed, role, offer, isn, steps }
    }
}

fn random_u32(seed: u64) -> u32 {
    Random::new(seed ^ 0x5eed).next_u32()
}

fn pick<T: Copy>(random: &mut Random, from: &[T]) -> T {
    from[random.below(from.len() as u64) as usize]
}

/// The usual opening, most of the time as far as ESTABLISHED.
fn handshake(random: &mut Random, role: Role) -> Vec<Step> {
    let whole = match role {
        Role::Active => vec![Flags::SYN | Flags::ACK],
        Role::Passive => vec![Flags::SYN, Flags::ACK],
    };
    let kept = if random.chance(0.85) { whole.len() } else { random.below(whole.len() as u64) as usize };
    whole.into_iter().take(kept).map(|flags| Step::Segment(Segment::new(flags))).collect()
}

fn step(random: &mut Random) -> Step {
    match random.below(100) {
        0..65 => Step::Segment(segment(random)),
        65..76 => Step::Call(Call::Write(pick(random, &[1, 100, 999, 1460, 4000]))),
        76..86 => Step::Call(Call::Read(pick(random, &[1, 100, 20_000]))),
        86..92 => Step::Call(Call::Shutdown),
        92..96 => Step::Call(Call::Close),
        _ => Step::Wait,
    }
}

fn segment(random: &mut Random) -> Segment {
    const ACK: Flags = Flags::ACK;
    let flags = match random.below(100) {
        0..62 => ACK,
        62..74 => Flags::FIN | ACK,
        74..79 => Flags::SYN,
        79..83 => Flags::SYN | ACK,
        83..89 => Flags::RST,
        89..92 => Flags::RST | ACK,
        92..94 => Flags::NONE,
        94..96 => Flags::FIN,
        96..98 => Flags::URG | ACK,
        _ => Flags::from_bits(random.below(0x40) as u16),
    };
    let place = match random.below(100) {
        0..55 => Place::Left(0),
        55..70 => Place::Left(pick(random, &[-1, -10, -100, -2000])),
        70..88 => Place::Left(pick(random, &[1, 10, 100, 1000])),
        88..91 => Place::Right(-1),
        91..94 => Place::Right(0),
        94..97 => Place::Right(1),
        _ => Place::Left(pick(random, &[1 << 24, -(1 << 24)])),
    };
    let ack = match random.below(100) {
        0..75 => 0,
        75..90 => pick(random, &[-1, -100, -1000, -2000]),
        90..97 => pick(random, &[1, 1000]),
        _ => pick(random, &[-(1 << 24), 1 << 24]),
    };
    // Where the windows of two ends differ in size, only what is empty or past both can be compared at their edges.
    let len = if matches!(place, Place::Right(_)) || random.chance(0.4) { 0 } else { pick(random, &[1, 10, 100, 500]) };
    let stamp = match random.below(20) {
        0 => Stamp::Missing,
        1 => Stamp::Old,
        _ => Stamp::Present,
    };
    let urgent = if flags.urg() { pick(random, &[0, 1, 50]) } else { 0 };
    Segment { flags, place, len, ack: Acknowledged(ack), stamp, urgent }
}

/// The letters of packet scripts, PSH left out.
pub fn letters(flags: Flags) -> String {
    const LETTERS: [(char, Flags); 5] =
        [('F', Flags::FIN), ('S', Flags::SYN), ('R', Flags::RST), ('U', Flags::URG), ('.', Flags::ACK)];
    let letters: String = LETTERS.iter().filter(|(_, flag)| flags.contains(*flag)).map(|(letter, _)| *letter).collect();
    if letters.is_empty() { "-".into() } else { letters }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {:?}, {:?}, peer's ISN {}", self.seed, self.role, self.offer, self.isn)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Segment(segment) => write!(f, "< {segment}"),
            Step::Call(call) => write!(f, "{call:?}"),
            Step::Wait => f.write_str("wait"),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", letters(self.flags))?;
        match self.place {
            Place::Left(offset) => write!(f, "left{offset:+}")?,
            Place::Right(offset) => write!(f, "right{offset:+}")?,
        }
        write!(f, "({})", self.len)?;
        if self.flags.ack() {
            write!(f, " ack {:+}", self.ack.0)?;
        }
        if self.flags.urg() {
            write!(f, " urg {}", self.urgent)?;
        }
        match self.stamp {
            Stamp::Present => Ok(()),
            Stamp::Missing => f.write_str(" without TS"),
            Stamp::Old => f.write_str(" old TS"),
        }
    }
}
