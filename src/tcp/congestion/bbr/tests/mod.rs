//! The state machine against a path that is made of numbers: one acknowledgement a round, each with a sample. The cases
//! are those of Appendix A of the draft.

mod losses;
mod phases;

use super::*;
use crate::tcp::congestion::testing::start;

const RTT: Duration = Duration::from_millis(100);
const MSS: u64 = 1000;

/// A connection and what its peer tells it.
struct Path {
    bbr: Bbr,
    now: Instant,
    delivered: u64,
}

/// A round: how fast data arrives, in bytes a second, and what is then in flight.
#[derive(Clone, Copy)]
struct Round {
    rate: u64,
    in_flight: u64,
    rtt: Duration,
    application_limited: bool,
    lost: u64,
    cwnd_limited: bool,
}

fn at(rate: u64) -> Round {
    let in_flight = model::volume(rate, RTT) * 99 / 100;
    Round { rate, in_flight, rtt: RTT, application_limited: false, lost: 0, cwnd_limited: false }
}

impl Path {
    fn new() -> Path {
        let bbr = Bbr::new(&Start { rtt: Some(RTT), ..start() });
        Path { bbr, now: Instant::ZERO, delivered: 0 }
    }

    fn pass(&mut self, round: Round) -> &'static str {
        self.now += RTT;
        let prior_delivered = self.delivered;
        let bytes = model::volume(round.rate, RTT);
        self.delivered += bytes;
        if round.lost > 0 {
            self.lose(round);
        }
        // Ever shorter by next to nothing, so that the shortest is never old.
        let shorter = Duration::from_nanos(self.now.as_millis() / 100);
        let rate = RateSample {
            delivered: bytes,
            interval: RTT,
            prior_delivered,
            lost: round.lost,
            sent_in_flight: round.in_flight,
            application_limited: round.application_limited,
        };
        self.bbr.on_delivered(&Acknowledged {
            bytes,
            lost: round.lost,
            delivered: self.delivered,
            in_flight: round.in_flight,
            rtt: Some(round.rtt - if round.rtt > RTT { Duration::ZERO } else { shorter }),
            cwnd_limited: round.cwnd_limited,
            rate: Some(rate),
            ..Acknowledged::new(self.now)
        });
        self.bbr.phase()
    }

    /// One acknowledgement more in the same round.
    fn more(&mut self, round: Round) -> &'static str {
        let before = RateSample {
            delivered: 1,
            interval: RTT,
            prior_delivered: 0,
            lost: 0,
            sent_in_flight: round.in_flight,
            application_limited: false,
        };
        self.bbr.on_delivered(&Acknowledged {
            delivered: self.delivered,
            in_flight: round.in_flight,
            cwnd_limited: round.cwnd_limited,
            rate: Some(before),
            ..Acknowledged::new(self.now)
        });
        self.bbr.phase()
    }

    fn lose(&mut self, round: Round) {
        let mut lost = 0;
        while lost < round.lost {
            lost += MSS;
            self.bbr.on_segment_lost(&LostSegment {
                now: self.now,
                len: MSS,
                sent_in_flight: round.in_flight,
                lost,
                delivered: self.delivered,
                application_limited: round.application_limited,
            });
        }
        self.bbr.on_lost(self.now, round.in_flight);
    }

    /// Startup and Drain on a path of so many bytes a second.
    fn cruising(rate: u64) -> Path {
        let mut path = Path::new();
        path.run_until("ProbeBW_CRUISE", at(rate));
        path
    }

    fn run_until(&mut self, phase: &str, round: Round) {
        for _ in 0..100 {
            if self.pass(round) == phase {
                return;
            }
        }
        panic!("never {phase}, but {}", self.bbr.phase());
    }
}

// A.1, A.3
