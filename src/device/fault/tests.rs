use super::*;
use crate::device::link::{Config, End, Link};
use crate::frame::{Checksum, FrameId, Offload};

const SEED: u64 = 42;

/// A host behind faults, and its peer without.
fn pair(faults: &str) -> (Fault<End>, End) {
    let (left, right) = Link::pair(Config { limit: 100_000, ..Config::default() });
    (Fault::new(left, faults.parse::<Faults>().expect("faults that parse"), SEED), right)
}

fn numbered(number: u32) -> Frame {
    Frame::new(FrameId(u64::from(number)), Payload::from([&number.to_be_bytes()[..], &[0xaa; 96]].concat()))
}

/// The numbers of the frames that are there.
fn numbers(device: &mut impl Device, now: Instant) -> Vec<u32> {
    let mut batch = Batch::new(100_000);
    device.receive(now, &mut batch).expect("a link does not fail");
    batch.iter().map(|frame| u32::from_be_bytes(frame.bytes[..4].try_into().expect("numbered"))).collect()
}

/// Sends `count` frames, a millisecond apart, and tells when which came out at the other end.
fn journey(faults: &str, count: u32) -> (Vec<(u64, u32)>, Counters) {
    let (mut left, mut right) = pair(faults);
    let mut came = Vec::new();
    let mut now = Instant::ZERO;
    let mut sent = 0;
    loop {
        while sent < count && now >= Instant::from_millis(u64::from(sent)) {
            left.transmit(now, &mut [numbered(sent)].into()).expect("sent");
            sent += 1;
        }
        left.receive(now, &mut Batch::new(1)).expect("nothing there");
        came.extend(numbers(&mut right, now).into_iter().map(|number| (now.as_micros(), number)));
        let next_frame = (sent < count).then(|| Instant::from_millis(u64::from(sent)));
        match next_frame.into_iter().chain(left.next_deadline()).min() {
            Some(next) => now = next,
            None => return (came, left.counters().1),
        }
    }
}

#[test]
fn nothing_said_nothing_done() {
    let (came, counters) = journey("none", 50);
    assert_eq!(came, (0..50).map(|n| (u64::from(n) * 1000, n)).collect::<Vec<_>>());
    assert_eq!(counters, Counters::default());
}

#[test]
fn shares_come_out_as_asked() {
    let (came, counters) = journey("loss 10% duplicate 5% delay 1ms reorder 20%", 20_000);
    let near = |what: &str, got: u64, share: f64| {
        let expected = 20_000.0 * share;
        assert!((got as f64 - expected).abs() < expected * 0.1, "{what}: {got} of about {expected}");
    };
    near("lost", counters.lost, 0.1);
    near("duplicated", counters.duplicated, 0.05);
    near("reordered", counters.reordered, 0.2 * 0.955);
    let accounted = counters.frames + counters.duplicated - counters.lost;
    assert_eq!(came.len() as u64, accounted, "every frame is accounted for");
}

#[test]
fn a_delay_without_jitter_keeps_the_order() {
    let (came, _) = journey("delay 20ms", 100);
    assert_eq!(came, (0..100).map(|n| (20_000 + u64::from(n) * 1000, n)).collect::<Vec<_>>());
}

#[test]
fn jitter_stays_in_its_bounds_and_reorders() {
    let (came, _) = journey("delay 20ms 5ms", 1000);
    assert_eq!(came.len(), 1000);
    for (at, number) in &came {
        let delay = at - u64::from(*number) * 1000;
        assert!((15_000..=25_000).contains(&delay), "frame {number} took {delay} us");
    }
    assert!(!came.is_sorted_by_key(|(_, number)| *number), "frames a millisecond apart overtake each other");
}

#[test]
fn every_gapth_frame_overtakes() {
    let (came, counters) = journey("delay 10ms reorder 100% gap 5", 20);
    let at_once: Vec<u32> = came.iter().filter(|(at, n)| *at == u64::from(*n) * 1000).map(|(_, n)| *n).collect();
    assert_eq!(at_once, [4, 9, 14, 19]);
    assert_eq!(counters.reordered, 4);
}

#[test]
fn rate_spaces_frames_and_counts_the_wait_as_delay() {
    // 100 bytes at 400 kbit/s take 2 ms, and a frame comes every millisecond.
    let (came, _) = journey("rate 400kbit", 4);
    assert_eq!(came, [(2_000, 0), (4_000, 1), (6_000, 2), (8_000, 3)]);
    let (came, _) = journey("rate 400kbit delay 3ms", 3);
    assert_eq!(came, [(5_000, 0), (7_000, 1), (9_000, 2)]);
}

#[test]
fn what_comes_on_top_of_the_limit_is_lost() {
    let (mut left, mut right) = pair("delay 10ms limit 3");
    left.transmit(Instant::ZERO, &mut (0..5).map(numbered).collect()).expect("sent");
    left.transmit(Instant::from_millis(10), &mut VecDeque::new()).expect("the due ones go");
    assert_eq!(numbers(&mut right, Instant::from_millis(10)), [0, 1, 2]);
    assert_eq!(left.counters().1.over_limit, 2);
}

#[test]
fn losses_come_in_bursts_when_they_are_correlated() {
    let runs = |faults: &str| {
        let (came, counters) = journey(faults, 20_000);
        let gaps = came.windows(2).filter(|pair| pair[1].1 != pair[0].1 + 1).count();
        counters.lost as f64 / gaps as f64
    };
    assert!(runs("loss 20% 90%") > 2.0 * runs("loss 20%"), "the mean burst grows");
}

#[test]
fn directions_are_their_own() {
    let (mut left, mut right) = pair("in loss 100%; out delay 5ms");
    left.transmit(Instant::ZERO, &mut [numbered(1)].into()).expect("sent");
    right.transmit(Instant::ZERO, &mut [numbered(2)].into()).expect("sent");
    assert!(numbers(&mut left, Instant::ZERO).is_empty());
    assert_eq!((numbers(&mut right, Instant::ZERO), left.next_deadline()), (vec![], Some(Instant::from_millis(5))));
    assert!(numbers(&mut left, Instant::from_millis(5)).is_empty());
    assert_eq!(numbers(&mut right, Instant::from_millis(5)), [1]);
    assert_eq!((left.counters().0.lost, left.counters().1.lost), (1, 0));
    let watch = left.watch();
    assert_eq!(watch.counters(), left.counters());
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    const ALL: &str = "loss 5% reorder 5% duplicate 2% corrupt 1% delay 5ms 2ms rate 1mbit limit 20";
    assert_eq!(journey(ALL, 500), journey(ALL, 500));
}

/// A device that hands over one frame with its offload facts, again and again.
struct Vouching(Offload);

impl Device for Vouching {
    fn describe(&self) -> String {
        "one frame".into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { mtu: 1500, partial_checksum: true, segmentation: None, receive_queue: None }
    }

    fn receive(&mut self, _: Instant, batch: &mut Batch) -> io::Result<()> {
        batch.push(&[0; 40], self.0);
        Ok(())
    }

    fn transmit(&mut self, _: Instant, _: &mut VecDeque<Frame>) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn damage_is_never_vouched_for() {
    for checksum in [Checksum::Good, Checksum::Partial { start: 14, offset: 6 }, Checksum::Full] {
        let device = Vouching(Offload { checksum, segment_size: None });
        let mut fault = Fault::new(device, "corrupt 100%".parse::<Spec>().expect("parses"), SEED);
        let mut batch = Batch::new(1);
        fault.receive(Instant::ZERO, &mut batch).expect("received");
        let frame = batch.iter().next().expect("one frame");
        assert_eq!(frame.offload, Offload::default(), "{checksum:?} is verified again");
        let finished = match checksum {
            Checksum::Partial { .. } => 0xffff,
            Checksum::Good | Checksum::Full => 0,
        };
        let mut sound = [0u8; 40];
        sound[20..22].copy_from_slice(&u16::to_be_bytes(finished));
        let wrong: u32 = frame.bytes.iter().zip(sound).map(|(got, sent)| (got ^ sent).count_ones()).sum();
        assert_eq!(wrong, 1, "exactly one bit differs from the finished frame");
    }
}

#[test]
fn a_super_frame_is_split_before_its_fate() {
    let mut netem = Netem::new("loss 0% delay 1ms".parse().expect("parses"), Random::new(SEED));
    let mut bytes = Vec::new();
    let packet = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64);
    packet.tcp(1, 2, 3, 4).write(&mut bytes, &[7; 2500]).expect("a vector takes everything");
    let offload = Offload { checksum: Checksum::Good, segment_size: std::num::NonZeroU16::new(1000) };
    netem.enqueue(Instant::ZERO, Packet { id: FrameId(9), bytes, offload });
    let pieces: Vec<_> = std::iter::from_fn(|| netem.dequeue(Instant::from_millis(1))).collect();
    assert_eq!(pieces.iter().map(|piece| piece.bytes.len()).collect::<Vec<_>>(), [1054, 1054, 554]);
    assert!(pieces.iter().all(|piece| piece.offload == Offload::default() && piece.id == FrameId(9)));
}

#[test]
fn faults_of_both_directions_are_said_back() {
    for text in ["none", "loss 2%", "in loss 2%", "out delay 5ms", "in loss 2%; out delay 5ms"] {
        assert_eq!(text.parse::<Faults>().map(|faults| faults.to_string()), Ok(text.to_owned()));
    }
    for (text, error) in [
        ("in loss 2%; in loss 3%", "in is said twice"),
        (
            "in loss 2%; both",
            r#"unknown fault "both": known are loss, delay, reorder, duplicate, corrupt, rate and limit"#,
        ),
    ] {
        assert_eq!(text.parse::<Faults>().expect_err(text).to_string(), error);
    }
}
