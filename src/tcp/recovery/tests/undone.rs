//! What was taken for a loss was none: timestamps, D-SACKs, new data after a timeout.

use super::*;
use crate::event::SpuriousCause;

impl Bench {
    /// As [`ack`](Bench::ack), with a timestamp that went out so many milliseconds ago.
    fn ack_echoing(&mut self, una: u64, millis: u64) -> Report {
        self.una = self.una.max(at(una));
        let (now, ack, nxt, path) = (self.now, at(una), self.nxt, self.path());
        let echoed = Some(now - Duration::from_millis(millis));
        let una = self.una;
        let (duplicate, repeated) = (false, false);
        self.recovery.on_acknowledged(&Ack { now, ack, una, nxt, blocks: &[], duplicate, repeated, echoed, path })
    }

    fn time_out(&mut self) {
        self.recovery.on_timeout(self.now, self.una, self.nxt, MSS);
    }

    /// Sends again one segment of what waits for it.
    fn repair_one(&mut self) {
        let (start, end, _) = self.recovery.next_lost(MSS).expect("something is lost");
        self.recovery.on_retransmitted(start, end, self.now);
    }
}

/// RFC 3522 §3.2, with the lost marks of what was only late.
#[test]
fn a_timestamp_from_before_the_retransmission_takes_a_timeout_back() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(300);
    bench.time_out();
    bench.repair_one();
    bench.wait(10);
    let report = bench.ack_echoing(1, 310);
    assert_eq!(report.undone, Some(SpuriousCause::Timestamp));
    assert_eq!((bench.recovery.state(), bench.repair(), bench.pipe()), (CongestionState::Open, vec![], 9));
}

#[test]
fn a_timestamp_of_the_retransmission_proves_nothing() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(300);
    bench.time_out();
    bench.repair_one();
    bench.wait(100);
    assert_eq!(bench.ack_echoing(1, 100).undone, None);
    assert_eq!(bench.recovery.state(), CongestionState::Loss);
}

/// RFC 3708: not before the last of them.
#[test]
fn duplicates_of_every_retransmission_take_a_recovery_back() {
    let mut bench = Bench::sacking();
    bench.send(10);
    bench.wait(100);
    bench.ack(0, &[(2, 6)]);
    assert_eq!(bench.repair(), [0, 1]);
    bench.wait(10);
    assert_eq!(bench.ack(6, &[]).undone, None);
    bench.wait(90);
    assert_eq!(bench.ack(6, &[(0, 1)]).undone, None);
    assert_eq!(bench.ack(6, &[(1, 2)]).undone, Some(SpuriousCause::DuplicateSack));
    assert_eq!(bench.ack(6, &[(1, 2)]).undone, None, "once");
}

/// RFC 5682 §3.1.
#[test]
fn after_a_timeout_new_data_goes_first_and_what_was_sent_once_settles_it() {
    for spurious in [true, false] {
        let mut bench = Bench::sacking();
        bench.send(4);
        bench.wait(300);
        bench.time_out();
        bench.repair_one();
        bench.wait(10);
        bench.ack(1, &[]);
        assert!(bench.recovery.prefers_new_data() && !bench.recovery.holds_retransmissions(bench.nxt));
        bench.send(2);
        assert!(bench.recovery.holds_retransmissions(bench.nxt));
        bench.wait(10);
        let report = if spurious { bench.ack(2, &[]) } else { bench.ack(1, &[(4, 5)]) };
        assert_eq!(report.undone, spurious.then_some(SpuriousCause::ForwardRto));
        assert!(!bench.recovery.holds_retransmissions(bench.nxt));
        assert_eq!(bench.repair(), if spurious { vec![] } else { vec![1, 2, 3] });
    }
}
