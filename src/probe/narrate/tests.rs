use super::*;
use crate::event::*;
use crate::probe::samples::connection;
use std::time::Duration;

fn tcp(event: TcpEvent) -> Event<'static> {
    Event::Tcp { connection: connection(), event }
}

#[test]
fn events_are_told_in_words() {
    let host = IpAddr::from([192, 0, 2, 2]);
    let rtt = Duration::from_micros(1_250);
    let rows: Vec<(Event<'_>, &str)> = vec![
        (Event::Dropped { layer: Layer::Tcp, reason: DropReason::BadTcpChecksum }, "dropped by TCP: checksum wrong"),
        (
            Event::Dropped { layer: Layer::Ethernet, reason: DropReason::OtherHost },
            "dropped by Ethernet: addressed to another host",
        ),
        (
            Event::NeighbourMessage { message: NeighbourMessage::Request, address: host },
            "ARP request: who has 192.0.2.2?",
        ),
        (
            Event::Neighbour {
                address: host,
                from: NeighbourState::Incomplete,
                to: NeighbourState::Reachable,
                why: "solicited reply",
            },
            "neighbour 192.0.2.2: INCOMPLETE -> REACHABLE: solicited reply",
        ),
        (
            Event::AwaitsNeighbour { address: host, waiting: 1 },
            "waits for the hardware address of 192.0.2.2 (1 packet waiting)",
        ),
        (
            Event::AddressConflict { address: host, claimant: [2, 0, 0, 0, 0, 9], defended: true },
            "address conflict: 02:00:00:00:00:09 claims 192.0.2.2, defended",
        ),
        (Event::Delivered { layer: Layer::Udp, len: 1 }, "1 byte delivered to the UDP socket"),
        (
            Event::Icmp { message: IcmpEvent::EchoRequest { id: 7, sequence: 1, len: 56 } },
            "echo request, id 7, sequence 1, 56 bytes",
        ),
        (
            tcp(TcpEvent::Synchronise {
                sent: false,
                isn: 0x1f3a_0000,
                mss: Some(1460),
                window_scale: Some(7),
                sack: true,
                timestamps: true,
            }),
            "SYN: ISN 0x1f3a0000, MSS 1460, window scale 7, SACK, timestamps",
        ),
        (
            tcp(TcpEvent::Synchronise {
                sent: true,
                isn: 1,
                mss: None,
                window_scale: None,
                sack: false,
                timestamps: false,
            }),
            "our SYN: ISN 0x00000001",
        ),
        (tcp(TcpEvent::AmbientLoss { from: 0, to: 12 }), "lost however little is sent: 0 % -> 1.2 %"),
        (
            tcp(TcpEvent::SynCookie { sent: false, mss: Some(1460), window_scale: None, sack: true }),
            "a SYN-ACK's cookie is back: MSS 1460, SACK",
        ),
        (
            tcp(TcpEvent::State { from: TcpState::SynReceived, to: TcpState::Established, why: StateCause::AckOfSyn }),
            "SYN-RECEIVED -> ESTABLISHED: rcv ACK of SYN",
        ),
        (
            tcp(TcpEvent::RttSample { rtt, srtt: rtt, rttvar: rtt / 2, rto: Duration::from_millis(200) }),
            "RTT 1.25 ms: SRTT 1.25 ms, RTTVAR 625 us, RTO 200 ms",
        ),
        (
            tcp(TcpEvent::DeliveryRate {
                rate: 144_800,
                delivered: 14_480,
                interval: Duration::from_millis(100),
                application_limited: true,
            }),
            "delivery rate 144800 bytes/s: 14480 bytes in 100 ms, limited by the application",
        ),
        (
            tcp(TcpEvent::Cwnd { from: 14600, to: 16060, ssthresh: u64::MAX, why: CwndCause::SlowStart }),
            "slow start: cwnd 14600 -> 16060",
        ),
        (
            tcp(TcpEvent::SegmentSent { seq: 9, len: 1460, why: SendReason::RetransmitTimeout }),
            "retransmission: the timer ran out, 1460 bytes from sequence number 9",
        ),
        (
            tcp(TcpEvent::SegmentSent { seq: 9, len: 0, why: SendReason::DelayedAck }),
            "ACK: the delayed-ACK timer ran out",
        ),
        (
            tcp(TcpEvent::TimerFired { timer: TimerKind::Retransmission, count: 2 }),
            "retransmission timer fired for the second time",
        ),
        (
            tcp(TcpEvent::TimerSet { timer: TimerKind::TimeWait, at: Instant::from_secs(60) }),
            "TIME-WAIT timer set, due in 59 s",
        ),
        (tcp(TcpEvent::Closed { why: CloseReason::Finished }), "connection over: both sides finished"),
    ];
    for (event, expected) in rows {
        assert_eq!(sentence(Instant::from_secs(1), &event), expected);
    }
}

#[test]
fn third_duplicate_ack_and_its_window_are_one_sentence() {
    let events = [
        tcp(TcpEvent::DuplicateAck { count: 3 }),
        tcp(TcpEvent::PeerWindow { from: 1, to: 2 }),
        tcp(TcpEvent::Cwnd { from: 14600, to: 10220, ssthresh: 10220, why: CwndCause::FastRetransmit }),
    ];
    assert_eq!(
        sentences(events.iter().map(|event| (Instant::ZERO, event))),
        ["third duplicate ACK: fast retransmit, cwnd 14600 -> 10220, ssthresh 10220", "the peer's window: 1 -> 2"]
    );
    assert_eq!(sentences([(Instant::ZERO, &events[0])]), ["duplicate ACK, the third"]);
}
