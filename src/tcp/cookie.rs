//! SYN cookies (RFC 4987 §3.6): a handshake of which nothing is kept until it is complete.
//!
//! When a listener's SYN queue is full, our SYN-ACK itself remembers: its ISN holds the peer's MSS and a keyed hash of
//! the connection, the peer's ISN and the time; the low bits of its timestamp hold what else the two have agreed on.
//! The ACK that completes the handshake brings both back.
//!
//! ```text
//!   ISN        counter of 64 s (8 bits) | hash (24 bits), plus which of eight MSS;   all of it plus another hash
//!   timestamp  our clock (26 bits) | ECN (1 bit) | SACK (1 bit) | window scale (4 bits, 15: none)
//! ```

use super::config::Config;
use super::opening::{PeerSyn, Secrets, advertised_mss};
use super::segment::Segment;
use super::seq::Seq;
use crate::time::Instant;
use crate::wire::tcp::{Flags, Header};
use crate::wire::tcp_options::{Options, Timestamps};
use std::net::IpAddr;
use std::time::Duration;

/// Of these the largest that the peer takes.
const MSS: [u16; 8] = [28, 536, 1220, 1360, 1420, 1440, 1460, 8960];
/// How long the counter stands still, in seconds. A cookie counts in its own period and in the one after it.
const PERIOD: u64 = 64;
const PERIODS: u32 = 2;
pub const LIFETIME: Duration = Duration::from_secs(PERIOD * PERIODS as u64);
const HASH: u32 = (1 << 24) - 1;
/// The bits of a timestamp that are options.
const OPTIONS: u32 = 63;
const NO_SCALE: u32 = 15;
const SACK: u32 = 16;
const ECN: u32 = 32;

/// What only the stack can tell: hashes that others cannot compute.
pub trait Hashes {
    /// Of the connection.
    fn of_connection(&self) -> u32;
    /// Of the connection, the peer's ISN, and the period.
    fn of_period(&self, irs: u32, period: u64) -> u32;
}

/// In which period is `now`?
fn period(now: Instant) -> u64 {
    now.as_millis() / 1000 / PERIOD
}

/// The ISN of a SYN-ACK to a peer whose SYN had `irs` and `mss`.
fn isn(hashes: &impl Hashes, now: Instant, irs: u32, mss: u16) -> u32 {
    let (period, which) = (period(now), MSS.partition_point(|known| *known <= mss).saturating_sub(1));
    let hash = hashes.of_period(irs, period).wrapping_add(which as u32) & HASH;
    ((period as u32) << 24 | hash).wrapping_add(hashes.of_connection()).wrapping_add(irs)
}

/// The MSS in a cookie, if we made it lately.
fn mss(hashes: &impl Hashes, now: Instant, irs: u32, isn: u32) -> Option<u16> {
    let value = isn.wrapping_sub(hashes.of_connection()).wrapping_sub(irs);
    let age = (period(now) as u32).wrapping_sub(value >> 24) & 0xff;
    let made = (age < PERIODS).then(|| period(now).checked_sub(age.into()))??;
    let which = value.wrapping_sub(hashes.of_period(irs, made)) & HASH;
    MSS.get(which as usize).copied()
}

/// A SYN's answer with a cookie in it.
pub fn syn_ack(
    hashes: &impl Hashes,
    now: Instant,
    config: &Config,
    (mtu, remote): (usize, IpAddr),
    (syn, timestamp_offset): (&Segment<'_>, u32),
) -> Header {
    let (theirs, irs) = (&syn.header.options, syn.header.seq);
    let default = if remote.is_ipv4() { 536 } else { 1220 };
    let stamps = theirs.timestamps.filter(|_| config.timestamps);
    // Without timestamps nothing brings the rest back.
    let scale = stamps.and(theirs.window_scale).filter(|_| config.window_scale.is_some());
    let sack = stamps.is_some() && theirs.sack_permitted && config.sack;
    let ecn = stamps.is_some() && config.ecn.answers(syn);
    let flag = |agreed: bool, bit: u32| if agreed { bit } else { 0 };
    let agreed = scale.map_or(NO_SCALE, |shift| u32::from(shift.min(14))) | flag(sack, SACK) | flag(ecn, ECN);
    let clock = (now.as_millis() as u32).wrapping_add(timestamp_offset);
    // Never ahead of the clock: the timestamps that follow must not be older.
    let value = (clock & !OPTIONS | agreed).wrapping_sub(if agreed > clock & OPTIONS { OPTIONS + 1 } else { 0 });
    Header {
        source_port: syn.header.destination_port,
        destination_port: syn.header.source_port,
        seq: isn(hashes, now, irs, theirs.mss.unwrap_or(default)),
        ack: irs.wrapping_add(1),
        flags: Flags::SYN | Flags::ACK | if ecn { Flags::ECE } else { Flags::NONE },
        window: config.first_receive_buffer().min(usize::from(u16::MAX)) as u16,
        options: Options {
            mss: Some(advertised_mss(config, mtu, remote)),
            window_scale: config.window_scale.filter(|_| scale.is_some()),
            sack_permitted: sack,
            timestamps: stamps.map(|theirs| Timestamps { value, echo: theirs.value }),
            layout: config.option_layout,
            ..Options::default()
        },
        ..Header::default()
    }
}

/// What the peer's SYN had offered, and our secrets, if `ack` completes a handshake whose SYN-ACK held a cookie.
pub fn recall(
    hashes: &impl Hashes,
    now: Instant,
    config: &Config,
    (ack, timestamp_offset): (&Segment<'_>, u32),
) -> Option<(PeerSyn, Secrets)> {
    let (irs, isn) = (ack.header.seq.wrapping_sub(1), ack.header.ack.wrapping_sub(1));
    let mss = mss(hashes, now, irs, isn)?;
    let stamps = ack.header.options.timestamps.filter(|_| config.timestamps);
    let agreed = stamps.map_or(NO_SCALE, |stamps| stamps.echo & OPTIONS);
    let peer = PeerSyn {
        irs: Seq(irs).first_position(),
        mss: Some(mss),
        window_scale: Some((agreed & NO_SCALE) as u8).filter(|shift| u32::from(*shift) != NO_SCALE),
        sack: agreed & SACK != 0,
        cookie: None,
        timestamp: stamps.map(|stamps| stamps.value),
        ecn: agreed & ECN != 0,
        window: ack.header.window,
        ..PeerSyn::default()
    };
    Some((peer, Secrets { isn, timestamp_offset }))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known;

    impl Hashes for Known {
        fn of_connection(&self) -> u32 {
            0xdead_beef
        }

        fn of_period(&self, irs: u32, period: u64) -> u32 {
            irs.wrapping_mul(0x9e37_79b1).rotate_left(7) ^ (period as u32).wrapping_mul(0x85eb_ca6b)
        }
    }

    const REMOTE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn syn(irs: u32, options: Options) -> Segment<'static> {
        Segment {
            header: Header { seq: irs, flags: Flags::SYN, options, ..Header::default() },
            data: b"",
            ecn: 0,
            packets: 1,
        }
    }

    /// The handshake's third segment, as a peer makes it from our second.
    fn completes(answer: &Header, value: u32) -> Segment<'static> {
        let timestamps = answer.options.timestamps.map(|ours| Timestamps { value, echo: ours.value });
        let options = Options { timestamps, ..Options::default() };
        let (seq, ack) = (answer.ack, answer.seq.wrapping_add(1));
        Segment {
            header: Header { seq, ack, flags: Flags::ACK, options, window: 7, ..Header::default() },
            data: b"",
            ecn: 0,
            packets: 1,
        }
    }

    #[test]
    fn what_a_syn_offers_comes_back_with_the_ack() {
        let config = Config::default();
        for (seconds, irs, offset) in [(0, 0, 0), (1_000_003, u32::MAX, 0xffff_ffc0), (64 * 256, 1 << 31, 17)] {
            let now = Instant::from_millis(seconds * 1000 + 37);
            for (mss, kept) in [(None, 536), (Some(1), 28), (Some(1459), 1440), (Some(1460), 1460), (Some(65535), 8960)]
            {
                for scale in [None, Some(0), Some(7), Some(14)] {
                    for sack in [false, true] {
                        let timestamps = Some(Timestamps { value: 5, echo: 0 });
                        let offered = Options {
                            mss,
                            window_scale: scale,
                            sack_permitted: sack,
                            timestamps,
                            ..Options::default()
                        };
                        let answer = syn_ack(&Known, now, &config, (1500, REMOTE), (&syn(irs, offered), offset));
                        let clock = (now.as_millis() as u32).wrapping_add(offset);
                        let stamp = answer.options.timestamps.expect("agreed on").value;
                        assert!(clock.wrapping_sub(stamp) < 128, "never ahead, nor far behind");
                        let later = now + std::time::Duration::from_secs(60);
                        let ack = completes(&answer, 9);
                        let (peer, secrets) = recall(&Known, later, &config, (&ack, offset)).expect("our cookie");
                        assert_eq!((peer.mss, peer.window_scale, peer.sack), (Some(kept), scale, sack));
                        assert_eq!((peer.irs, peer.timestamp), (Seq(irs).first_position(), Some(9)));
                        assert_eq!(secrets.isn, answer.seq);
                    }
                }
            }
        }
    }

    #[test]
    fn ecn_comes_back_where_it_was_asked_for() {
        let (config, now) = (Config::default(), Instant::from_secs(77));
        for (asks, stamped, expected) in [(true, true, true), (false, true, false), (true, false, false)] {
            let timestamps = stamped.then_some(Timestamps { value: 5, echo: 0 });
            let mut syn = syn(1, Options { timestamps, ..Options::default() });
            if asks {
                syn.header.flags |= Flags::ECE | Flags::CWR;
            }
            let answer = syn_ack(&Known, now, &config, (1500, REMOTE), (&syn, 0));
            assert_eq!(answer.flags.contains(Flags::ECE), expected, "{asks} {stamped}");
            let (peer, _) = recall(&Known, now, &config, (&completes(&answer, 9), 0)).expect("our cookie");
            assert_eq!(peer.ecn, expected);
        }
    }

    #[test]
    fn without_timestamps_only_the_mss_is_agreed_on() {
        let (config, now) = (Config::default(), Instant::from_secs(5));
        let offered = Options { mss: Some(1460), window_scale: Some(7), sack_permitted: true, ..Options::default() };
        let answer = syn_ack(&Known, now, &config, (1500, REMOTE), (&syn(1, offered), 0));
        assert_eq!((answer.options.window_scale, answer.options.sack_permitted), (None, false));
        let (peer, _) = recall(&Known, now, &config, (&completes(&answer, 0), 0)).expect("our cookie");
        assert_eq!((peer.mss, peer.window_scale, peer.sack), (Some(1460), None, false));
    }

    #[test]
    fn a_cookie_grows_old_and_cannot_be_guessed_nearby() {
        let (config, made) = (Config::default(), Instant::from_secs(64 * 100));
        let answer = syn_ack(&Known, made, &config, (1500, REMOTE), (&syn(1, Options::default()), 0));
        let ack = completes(&answer, 0);
        let counts = |at: u64, ack: &Segment<'_>| recall(&Known, Instant::from_secs(at), &config, (ack, 0)).is_some();
        assert!(counts(64 * 100, &ack) && counts(64 * 102 - 1, &ack) && !counts(64 * 102, &ack));
        assert!(!counts(64 * 100 - 1, &ack), "nor is it of the future");
        let mut forged = ack;
        for step in 8..2000 {
            forged.header.ack = answer.seq.wrapping_add(1 + step);
            assert!(!counts(64 * 100, &forged));
        }
        forged.header.ack = answer.seq.wrapping_add(1);
        forged.header.seq = forged.header.seq.wrapping_add(1);
        assert!(!counts(64 * 100, &forged), "of another ISN of the peer's");
    }
}
