//! How large a packet the path takes, and whom to believe that it takes less (RFC 1191, RFC 5927 §7.2).
//!
//! "Fragmentation needed" comes from anybody, and whoever guesses four numbers could have a connection send crumbs. It
//! is a claim, and is held against what the connection knows by itself:
//!
//! | the claim | what becomes of it |
//! |---|---|
//! | at least the largest packet that was sent | nothing can have asked for it: no |
//! | no less than the largest packet that has arrived | it concerns a size that was never seen to arrive: at once |
//! | less than what has arrived | put aside, until the segment that it quotes has timed out; dropped when that arrives |
//!
//! So a path that narrows in mid-connection costs a timeout, and a lie nothing.

use super::connection::Connection;
use super::fold::folded;
use super::opening::{Opening, headers};
use super::seq::Seq;
use crate::event::{Context, MtuVerdict, TcpEvent};

/// How often the segment must have timed out (MAXSEGRTO).
const TIMEOUTS: u32 = 1;

/// Sizes of IP packets with data, in bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct PathMtu {
    largest_sent: u16,
    largest_arrived: u16,
    /// A larger one than has ever arrived is on its way: its size, and the position behind its data.
    trial: Option<(u16, u64)>,
    /// What was put aside.
    aside: Option<Box<Claim>>,
    /// A claim that was believed, for whoever else sends there.
    believed: Option<u16>,
}

/// Only `mtu` bytes go through, says somebody who quotes the segment at `quoted`; IP believes in no less than `floor`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Claim {
    mtu: u16,
    floor: u16,
    quoted: u64,
}

folded!(PathMtu { largest_sent, largest_arrived, trial, aside, believed });
folded!(Claim { mtu, floor, quoted });

impl PathMtu {
    pub fn on_sent(&mut self, size: usize, end: u64) {
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        self.largest_sent = self.largest_sent.max(size);
        if size > self.largest_arrived && self.trial.is_none() {
            self.trial = Some((size, end));
        }
    }

    /// Everything before `una` has arrived. Gives a claim that this has proved wrong.
    pub fn on_acknowledged(&mut self, una: u64) -> Option<u16> {
        if let Some((size, _)) = self.trial.take_if(|(_, end)| *end <= una) {
            self.largest_arrived = self.largest_arrived.max(size);
        }
        self.aside.take_if(|claim| claim.quoted < una).map(|claim| claim.mtu)
    }

    /// Segments get smaller: what is sent again is no trial of the old size.
    pub fn on_smaller(&mut self) {
        self.trial = None;
    }

    /// What to make of a claim, when `timeouts` in a row have waited for the segment at `una`.
    fn judge(&mut self, claim: Claim, una: u64, timeouts: u32) -> MtuVerdict {
        let Claim { mtu, quoted, .. } = claim;
        if mtu >= self.largest_sent {
            return MtuVerdict::TooLarge;
        }
        let timed_out = quoted == una && timeouts >= TIMEOUTS;
        if mtu >= self.largest_arrived || timed_out {
            self.believed = Some(mtu);
            return MtuVerdict::Believed;
        }
        self.aside = Some(Box::new(claim));
        MtuVerdict::PutAside
    }
}

impl Connection {
    /// "Fragmentation needed" that quotes `seq`, which lies in flight: only `mtu` bytes go through. IP believes in no
    /// less than `floor`.
    pub fn hear_path_mtu(&mut self, cx: &mut Context<'_>, seq: Seq, mtu: u16, floor: u16) {
        let claim = Claim { mtu, floor, quoted: seq.position(self.snd.una) };
        let verdict = self.path_mtu.judge(claim, self.snd.una, self.rtt.backoff());
        self.tell(cx, || TcpEvent::PathMtuClaim { mtu: mtu.into(), verdict });
        if verdict == MtuVerdict::Believed {
            self.handle_path_mtu(mtu.max(floor).into());
        }
    }

    /// The path takes packets of `mtu` bytes at most (RFC 1191 §6.4): what was larger goes again, smaller.
    pub fn handle_path_mtu(&mut self, mtu: usize) {
        let mss = mtu.saturating_sub(headers(self.tuple.remote.ip())).max(1);
        if mss < self.snd.path_mss {
            self.path_mtu.on_smaller();
            self.snd.path_mss = mss;
            let effective = self.effective_mss() as u64;
            self.recovery.on_smaller_mtu(effective, self.snd.nxt);
            self.congestion.set_mss(effective);
        }
    }

    /// The first segment in flight has timed out: a claim that quotes it was true.
    pub(super) fn reconsider_path_mtu(&mut self, cx: &mut Context<'_>) {
        let (una, timeouts) = (self.snd.una, self.rtt.backoff());
        let claim = self.path_mtu.aside.take_if(|claim| claim.quoted == una && timeouts >= TIMEOUTS);
        if let Some(Claim { mtu, floor, .. }) = claim.as_deref().copied() {
            self.path_mtu.believed = Some(mtu);
            self.tell(cx, || TcpEvent::PathMtuClaim { mtu: mtu.into(), verdict: MtuVerdict::BelievedLate });
            self.handle_path_mtu(mtu.max(floor).into());
        }
    }

    /// What the connection has come to believe since it was last asked, in bytes of IP packet: all that send there should
    /// know.
    pub fn take_path_mtu(&mut self) -> Option<u16> {
        self.path_mtu.believed.take()
    }

    pub(super) fn note_arrival(&mut self, cx: &mut Context<'_>, una: u64) {
        if let Some(mtu) = self.path_mtu.on_acknowledged(una) {
            self.tell(cx, || TcpEvent::PathMtuClaim { mtu: mtu.into(), verdict: MtuVerdict::Refuted });
        }
    }
}

impl Opening {
    /// "Fragmentation needed" that quotes our SYN, which is never the largest packet of a connection: it counts only
    /// if the SYN had so much data that it may be true. True when it does.
    pub fn hear_path_mtu(&mut self, cx: &mut Context<'_>, mtu: u16) -> bool {
        let believed = usize::from(mtu) < self.syn_len;
        let verdict = if believed { MtuVerdict::Believed } else { MtuVerdict::TooLarge };
        self.tell(cx, TcpEvent::PathMtuClaim { mtu: mtu.into(), verdict });
        believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sent, up to where acknowledged; then the claim, the segment that it quotes, timeouts so far; and the verdict.
    #[test]
    fn a_claim_is_held_against_what_was_sent_and_what_has_arrived() {
        use MtuVerdict::{Believed, PutAside, TooLarge};
        type Case = (&'static [(usize, u64)], u64, (u16, u64, u32), MtuVerdict);
        let cases: [Case; 9] = [
            (&[(1500, 1460)], 0, (1500, 0, 0), TooLarge),
            (&[(1500, 1460)], 0, (1499, 0, 0), Believed),
            (&[(1500, 1460)], 0, (60, 0, 0), Believed),
            (&[(1500, 1460), (1500, 2920)], 1460, (1400, 1460, 0), PutAside),
            (&[(1500, 1460), (1500, 2920)], 1460, (1400, 1460, 1), Believed),
            (&[(1500, 1460), (1500, 2920), (1500, 4380)], 1460, (1400, 2920, 1), PutAside),
            (&[(100, 60), (1500, 1520)], 60, (1400, 60, 0), Believed),
            (&[(100, 60), (1500, 1520)], 60, (99, 60, 0), PutAside),
            (&[(1500, 1460)], 1459, (99, 1459, 0), Believed),
        ];
        for (sent, una, (mtu, quoted, timeouts), verdict) in cases {
            let mut path = PathMtu::default();
            sent.iter().for_each(|(size, end)| path.on_sent(*size, *end));
            path.on_acknowledged(una);
            assert_eq!(
                path.judge(Claim { mtu, floor: 552, quoted }, una, timeouts),
                verdict,
                "{sent:?} {una} {mtu} {quoted} {timeouts}"
            );
            assert_eq!(path.believed.is_some(), verdict == Believed);
        }
    }

    #[test]
    fn an_arrival_refutes_what_was_put_aside() {
        let mut path = PathMtu::default();
        path.on_sent(1500, 1460);
        path.on_acknowledged(1460);
        path.on_sent(1500, 2920);
        assert_eq!(path.judge(Claim { mtu: 600, floor: 552, quoted: 1460 }, 1460, 0), MtuVerdict::PutAside);
        assert_eq!((path.on_acknowledged(1460), path.on_acknowledged(2920)), (None, Some(600)));
    }

    #[test]
    fn what_goes_again_in_smaller_pieces_proves_nothing_of_the_old_size() {
        let mut path = PathMtu::default();
        path.on_sent(1500, 1460);
        path.on_smaller();
        path.on_acknowledged(1460);
        assert_eq!(path.largest_arrived, 0);
    }
}
