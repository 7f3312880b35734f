//! Tail loss probes.

use super::*;

/// RFC 8985 §7.4.2, case by case: what a probe that was a retransmission may bring back.
#[test]
fn a_probe_that_repaired_a_loss_is_told_and_one_that_was_needless_is_not() {
    type Answers = &'static [(u64, &'static [(u64, u64)])];
    let rows: [(Answers, bool); 4] = [
        // Both arrived, and D-SACK says so; or a second acknowledgement without one.
        (&[(10, &[]), (10, &[(9, 10)]), (11, &[])], false),
        (&[(10, &[]), (10, &[]), (11, &[])], false),
        // One of them arrived.
        (&[(10, &[]), (11, &[])], true),
        // It shows a loss before it: recovery sees to that.
        (&[(8, &[(9, 10)]), (10, &[]), (11, &[])], false),
    ];
    for (answers, lost) in rows {
        let mut bench = Bench::sacking();
        bench.send(10);
        bench.wait(202);
        bench.recovery.on_probe_timeout();
        assert!(bench.recovery.probe_is_due());
        let (start, end) = bench.recovery.last_segment(MSS).expect("there is one");
        assert_eq!((start, end), (at(9), at(10)));
        bench.recovery.on_retransmitted(start, end, bench.now);
        bench.recovery.on_probe_sent(bench.nxt, true);
        bench.recovery.on_probe_timeout();
        assert!(!bench.recovery.probe_is_due(), "one at a time");
        bench.wait(100);
        let mut told = false;
        for (una, blocks) in answers {
            if *una == 11 {
                bench.send(1);
                bench.wait(100);
            }
            told |= bench.ack(*una, blocks).tail_lost;
            bench.repair();
        }
        assert_eq!(told, lost, "{answers:?}");
    }
}

#[test]
fn probes_wait_for_two_round_trips_and_are_for_calm_times() {
    let (srtt, delay, initial) = (Some(Duration::from_millis(100)), Duration::from_millis(200), Duration::from_secs(1));
    let mut bench = Bench::sacking();
    let timeout = |bench: &Bench, srtt| bench.recovery.probe_timeout(srtt, delay, initial).map(|span| span.as_millis());
    assert_eq!(timeout(&bench, srtt), None, "nothing is outstanding");
    bench.send(1);
    assert_eq!((timeout(&bench, srtt), timeout(&bench, None)), (Some(400), Some(1000)));
    bench.send(9);
    assert_eq!(timeout(&bench, srtt), Some(202));
    bench.wait(100);
    bench.ack(0, &[(1, 5)]);
    assert_eq!(timeout(&bench, srtt), None, "recovery looks after itself");
    let mut off = Bench::new(LossRecovery { tlp: false, ..LossRecovery::default() }, true);
    off.send(2);
    assert_eq!(timeout(&off, srtt), None);
}
