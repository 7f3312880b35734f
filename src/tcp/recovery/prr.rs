//! Proportional rate reduction (RFC 9937, before it RFC 6937): how the window comes down to ssthresh in a recovery.
//!
//! Not at once, with silence until half of the flight has drained, and not with a burst at the end: for each segment
//! that is delivered so many go out as ssthresh is of the flight. Where losses have already taken the flight below
//! ssthresh it may catch up, one segment faster than what is delivered if the recovery makes good progress (slow start
//! reduction bound), and else not (conservative reduction bound).

use crate::tcp::fold::folded;

/// One reduction, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prr {
    /// RecoverFS: the flight when it began.
    flight: u64,
    ssthresh: u64,
    /// prr_delivered and prr_out.
    delivered: u64,
    out: u64,
    window: u64,
}

folded!(Prr { flight, ssthresh, delivered, out, window });

/// What an acknowledgement did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Round {
    pub delivered: u64,
    /// SafeACK: SND.UNA moved and nothing more was found lost.
    pub safe: bool,
    pub in_flight: u64,
    pub mss: u64,
}

impl Prr {
    pub fn new(flight: u64, ssthresh: u64) -> Prr {
        Prr { flight: flight.max(1), ssthresh, delivered: 0, out: 0, window: ssthresh }
    }

    /// How many bytes may be in flight.
    pub fn window(&self) -> u64 {
        self.window
    }

    pub fn on_sent(&mut self, bytes: u64) {
        self.out += bytes;
    }

    /// RFC 9937 §6.
    pub fn on_delivered(&mut self, round: Round) {
        if round.delivered == 0 {
            return;
        }
        self.delivered += round.delivered;
        let may = if round.in_flight > self.ssthresh { self.proportion(round.mss) } else { self.catch_up(round) };
        // The first retransmission is never held back.
        let least = if self.out == 0 { round.mss } else { 0 };
        self.window = round.in_flight + may.max(least);
    }

    /// Rounded up to whole segments, as Linux counts: what goes out are segments.
    fn proportion(&self, mss: u64) -> u64 {
        let share = u128::from(self.delivered) * u128::from(self.ssthresh) / u128::from(self.flight);
        u64::try_from(share).unwrap_or(u64::MAX).div_ceil(mss).saturating_mul(mss).saturating_sub(self.out)
    }

    fn catch_up(&self, round: Round) -> u64 {
        let bound = self.delivered.saturating_sub(self.out).max(round.delivered);
        let bound = if round.safe { bound + round.mss } else { bound };
        bound.min(self.ssthresh - round.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u64 = 1000;

    /// A flight of so many segments; of each acknowledgement one segment, with what is sent in answer.
    fn answers(prr: &mut Prr, mut in_flight: u64, rounds: u64, safe: bool) -> Vec<u64> {
        let answer = |_round| {
            in_flight -= MSS;
            prr.on_delivered(Round { delivered: MSS, safe, in_flight, mss: MSS });
            let sent = prr.window().saturating_sub(in_flight) / MSS;
            in_flight += sent * MSS;
            prr.on_sent(sent * MSS);
            sent
        };
        (0..rounds).map(answer).collect()
    }

    #[test]
    fn to_half_the_flight_every_second_delivery_sends_one() {
        let mut prr = Prr::new(20 * MSS, 10 * MSS);
        assert_eq!(answers(&mut prr, 20 * MSS, 18, false), [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn below_ssthresh_the_flight_is_kept_and_grows_when_that_is_safe() {
        let mut careful = Prr::new(20 * MSS, 10 * MSS);
        assert_eq!(answers(&mut careful, 5 * MSS, 6, false), [1, 1, 1, 1, 1, 1]);
        let mut safe = Prr::new(20 * MSS, 10 * MSS);
        assert_eq!(answers(&mut safe, 5 * MSS, 8, true), [2, 2, 2, 2, 2, 1, 1, 1], "and stops at ssthresh");
    }

    #[test]
    fn the_first_retransmission_is_not_held_back() {
        let mut prr = Prr::new(20 * MSS, 2 * MSS);
        prr.on_delivered(Round { delivered: 1, safe: false, in_flight: 18 * MSS, mss: MSS });
        assert_eq!(prr.window(), 19 * MSS);
        let mut silent = Prr::new(20 * MSS, 2 * MSS);
        silent.on_delivered(Round { delivered: 0, safe: true, in_flight: 0, mss: MSS });
        assert_eq!(silent.window(), 2 * MSS, "an acknowledgement that delivers nothing moves nothing");
    }
}
