//! All of them. Of two that match the first counts.

use super::moment::{is_orphan, is_reset_before_fin, is_synchronized};
use super::words::*;
use super::{Difference, parts, passes};
use crate::script::{Call, Place, Segment, Stamp, Step};
use strata::event::TcpState as State;
use strata::wire::tcp::Flags;

/// Those that show themselves in what is said.
pub const DIFFERENCES: &[Difference] = &[
    parts(
        "a segment that begins right after the window",
        "RFC 9293 §3.10.7.4, table 6: SEG.SEQ < RCV.NXT + RCV.WND; Linux takes the place behind that as well",
        |it| {
            is_synchronized(it.before().state)
                && it.segment().is_some_and(|segment| segment.place == Place::Right(0))
                && it.answers_as_unacceptable()
        },
    ),
    parts(
        "a segment right after the window, while the handshake is under way",
        "RFC 9293 §3.10.7.4, table 6: SEG.SEQ < RCV.NXT + RCV.WND; Linux completes the handshake with it",
        |it| {
            it.before().state == State::SynReceived
                && it.segment().is_some_and(|segment| segment.place == Place::Right(0))
                && !is_reset(it.linux())
                && only_ack(it.ours())
        },
    ),
    parts(
        "a segment that ends at the left edge",
        "RFC 9293 §3.10.7.4, table 6: SEG.SEQ + SEG.LEN - 1 >= RCV.NXT; to Linux that is a place inside",
        |it| it.segment().is_some_and(|segment| segment.len_to_left_edge() == Some(0)) && it.answers_as_unacceptable(),
    ),
    passes(
        "a duplicate block for what lies before the first byte",
        "RFC 2883 §4 (1): a block reports data that was received",
        |it| match (it.linux(), it.ours()) {
            ([linux], [ours]) => {
                let first = it.before().first;
                let is_before = blocks(linux).first().is_some_and(|(left, _)| *left < first);
                // Without it there is room to report another that came twice.
                let others = [ours.clone(), if reports_duplicate(ours) { without_sack(ours, 1) } else { ours.clone() }];
                is_before
                    && (it.same_but_echo(&within_stream(linux, first), ours)
                        || others.iter().any(|ours| it.same_but_echo(&without_sack(linux, 1), ours)))
            }
            _ => false,
        },
    ),
    passes(
        "no duplicate block with the acknowledgement of a FIN",
        "RFC 2883 §4: it is to be sent; Linux forgets it when it takes the FIN",
        |it| it.passes_fin() && it.linux().iter().cloned().eq(it.ours().iter().map(|text| without_sack(text, 1))),
    ),
    passes(
        "SACK blocks beyond the FIN",
        "RFC 9293 §3.10.7.4, eighth: nothing follows the FIN; Linux answers before it throws that away",
        |it| {
            let rest = |linux: &String, ours: &String| linux.strip_prefix(ours.as_str()).map(str::to_owned);
            it.passes_fin()
                && matches!((it.linux(), it.ours()), ([linux], [ours])
                    if rest(linux, ours).is_some_and(|rest| rest.starts_with(" sack ")))
        },
    ),
    passes(
        "SACK blocks in a reset",
        "RFC 2018 §1: they are for a sender's retransmissions, of which there will be none",
        |it| {
            it.ours().iter().any(|text| text.starts_with('R'))
                && it.linux().iter().map(|text| without_sack(text, 4)).eq(it.ours().iter().cloned())
        },
    ),
    passes(
        "no ACK bit, outside of the window",
        "RFC 9293 §3.10.7.4: the sequence number comes first, and is answered; Linux looks for the ACK bit before",
        |it| {
            let (flags, state) = (it.flags(), it.before().state);
            it.segment().is_some()
                && !flags.ack()
                && !flags.syn()
                && !flags.rst()
                && (is_synchronized(state) || state == State::SynReceived)
                && it.linux().is_empty()
                && only_ack(it.ours())
        },
    ),
    parts(
        "an old acknowledgement in a predicted segment",
        "RFC 5961 §5.2: to be discarded; Linux's header prediction takes the data and the timestamp all the same",
        |it| {
            it.segment().is_some_and(|segment| segment.place == Place::Left(0))
                && it.flags() == Flags::ACK
                && it.before().state == State::Established
                && it.before().ack_is_too_old
                && it.took_text_or_timestamp()
        },
    ),
    parts(
        "text in a SYN,ACK",
        "RFC 9293 §3.10.7.3: processing goes on with the sixth step; Linux leaves the text to be sent again",
        |it| {
            it.before().state == State::SynSent
                && it.flags().contains(Flags::SYN | Flags::ACK)
                && it.segment().is_some_and(|segment| segment.sequence_len() > 1)
                && only_ack(it.linux())
        },
    ),
    passes(
        "options in the answer to a crossed SYN",
        "RFC 7323 §2.2, §3.2, RFC 2018 §2: in a SYN,ACK only what the peer's SYN offered",
        |it| {
            it.before().state == State::SynSent
                && it.flags().syn()
                && it.linux().len() == 1
                && it.linux().iter().zip(it.ours()).all(|(linux, ours)| is_subset(ours, linux))
        },
    ),
    parts(
        "a SYN in the window while the handshake is under way",
        "RFC 9293 §3.10.7.4, fourth: a passive open returns to LISTEN; Linux sends a RST, as RFC 793 had it",
        |it| {
            it.before().state == State::SynReceived && it.flags().syn() && is_reset(it.linux()) && it.ours().is_empty()
        },
    ),
    parts(
        "sequence number before ACK while the handshake is under way",
        "RFC 9293 §3.10.7.4, RFC 7323 §5.3: first timestamp and sequence number, and an ACK where one is unacceptable",
        |it| {
            it.before().state == State::SynReceived
                && it.segment().is_some_and(|segment| segment.place != Place::Left(0) || segment.stamp == Stamp::Old)
                && it.flags().ack()
                && is_reset(it.linux())
                && only_ack(it.ours())
        },
    ),
    parts(
        "a reset inside of the window, to FIN-WAIT-2 of nobody or past what SACK reported",
        "RFC 5961 §3.2: only one at RCV.NXT counts; Linux takes these too",
        |it| {
            it.flags().rst()
                && (it.before().state == State::FinWait2 && it.is_closed() || it.last_sack_edge().is_some())
                && it.linux().is_empty()
                && only_ack(it.ours())
        },
    ),
    passes(
        "a reset that begins before RCV.NXT and carries what reaches past it",
        "RFC 9293 §3.10.7.4, second: a RST outside the window is dropped in silence; Linux challenges it",
        |it| {
            it.flags().rst()
                && it.segment().and_then(Segment::len_to_left_edge).is_some_and(|beyond| beyond > 0)
                && it.segment().is_some_and(|segment| matches!(segment.place, Place::Left(offset) if offset < 0))
                && only_ack(it.linux())
                && it.ours().is_empty()
        },
    ),
    passes(
        "a reset right after the window, while the handshake is under way",
        "RFC 9293 §3.10.7.4, second: a RST outside the window is dropped in silence; Linux challenges it",
        |it| {
            it.before().state == State::SynReceived
                && it.flags().rst()
                && it.segment().is_some_and(|segment| segment.place == Place::Right(0))
                && only_ack(it.linux())
                && it.ours().is_empty()
        },
    ),
    passes(
        "a SYN again, that Linux has sent before",
        "RFC 9293 §3.5.1: it follows our first RST; Linux has counted the peer's RST as one of its own",
        |it| {
            let both = it.linux().first().zip(it.ours().first());
            it.before().state == State::SynSent
                && is_reset(it.linux())
                && both.is_some_and(|(linux, ours)| linux == ours)
                && matches!(it.ours(), [_, syn] if syn.starts_with("S "))
                && (0..it.at())
                    .any(|at| matches!(&it.linux[at][..], [only] if only.starts_with("S ")) && it.ours[at].is_empty())
        },
    ),
    passes(
        "a reset with a wrong ACK in SYN-SENT",
        "RFC 9293 §3.10.7.3, first: it is dropped; Linux sends its SYN again as if it had reset something itself",
        |it| {
            it.before().state == State::SynSent
                && it.flags().contains(Flags::RST | Flags::ACK)
                && matches!(it.linux(), [only] if only.starts_with("S "))
                && it.ours().is_empty()
        },
    ),
    parts(
        "a bare FIN past a hole, after CLOSE",
        "RFC 9293 §3.6.1 (SHLD-3): data that arrives after CLOSE is reset, and there is none yet; Linux does not wait",
        |it| {
            matches!(it.before().state, State::FinWait1 | State::FinWait2)
                && it.is_closed()
                && it.flags().fin()
                && it.segment().is_some_and(|segment| {
                    segment.len == 0 && matches!(segment.place, Place::Left(1..) | Place::Right(_))
                })
                && is_reset(it.linux())
                && only_ack(it.ours())
        },
    ),
    parts(
        "a reset one before RCV.NXT, after a FIN",
        "RFC 5961 §3.2: it is not at RCV.NXT; Linux takes it, since another system sends such",
        |it| is_reset_before_fin(it) && it.linux().is_empty() && only_ack(it.ours()),
    ),
    passes(
        "no timestamps in a reset that answers",
        "RFC 7323 §3.2: they should be in a RST too; Linux leaves them out where no socket sends it",
        |it| {
            matches!((it.linux(), it.ours()), ([linux], [ours])
                if linux.starts_with('R') && ours.split_once(" TS ").is_some_and(|(head, _)| head == linux))
        },
    ),
    parts(
        "FIN-WAIT-2 of nobody: acknowledgements",
        "RFC 9293 §3.10.7.4, fifth, RFC 5961 §5.2: checked there as in ESTABLISHED; Linux keeps too little for it",
        |it| {
            is_orphan(it)
                && it.flags().ack()
                && (it.before().ack_is_too_old || it.segment().is_some_and(|segment| segment.ack.0 != 0))
                && (it.linux().is_empty() || is_reset(it.linux()) || only_ack(it.linux()))
                && only_ack(it.ours())
        },
    ),
    parts("FIN-WAIT-2 of nobody: a SYN", "RFC 5961 §4.2: a challenge ACK; Linux sends a RST", |it| {
        is_orphan(it) && it.flags().syn() && is_reset(it.linux()) && only_ack(it.ours())
    }),
    passes(
        "FIN-WAIT-2 of nobody: a RST outside of the window",
        "RFC 9293 §3.10.7.4, first: dropped; Linux acknowledges it",
        |it| is_orphan(it) && it.flags().rst() && only_ack(it.linux()) && it.ours().is_empty(),
    ),
    passes(
        "FIN-WAIT-2 of nobody: what is kept",
        "RFC 7323 §4.3, RFC 2018 §4: timestamps are recorded and blocks reported; Linux has forgotten both",
        |it| {
            is_orphan(it)
                && only_ack(it.linux())
                && it.linux().iter().map(|text| bare(text)).eq(it.ours().iter().map(|text| bare(text)))
        },
    ),
    passes(
        "an unacceptable acknowledgement in TIME-WAIT",
        "RFC 9293 §3.10.7.4, fifth: answered by an ACK, as RFC 5961 §5.2 says for old ones; Linux does not look at it",
        |it| {
            it.before().state == State::TimeWait
                && it.flags().ack()
                && it.segment().is_some_and(|segment| segment.ack.0 > 0 || segment.ack.0 < -2000)
                && it.linux().is_empty()
                && only_ack(it.ours())
        },
    ),
    parts(
        "an acknowledgement of our ISN, where both have sent a SYN",
        "RFC 9293 §3.10.7.4, fifth: SND.UNA < SEG.ACK, else a RST; Linux takes it for the end of the handshake",
        |it| {
            it.before().ack_is_isn
                && it.before().state == State::SynReceived
                && only_ack(it.linux())
                && is_reset(it.ours())
        },
    ),
    parts(
        "the last segment that the window allows",
        "RFC 5681 §3.1: the congestion window allows it; Linux waits for an acknowledgement, to fill a larger frame",
        |it| {
            let (linux, ours) = (it.linux(), it.ours());
            matches!(it.step(), Step::Call(Call::Write(_)))
                && linux.len() + 1 == ours.len()
                && linux.len() > 2
                && ours.starts_with(linux)
                && ours.last().is_some_and(|text| text.starts_with('.') && !text.contains("(0)"))
        },
    ),
    passes(
        "timestamps in TIME-WAIT",
        "RFC 7323 §5.3, R3: recorded of every segment in the window; Linux does so of empty ones only",
        |it| it.before().state == State::TimeWait && it.differ_in_echo(),
    ),
    passes(
        "timestamp of a segment that acknowledges nothing new",
        "RFC 7323 §5.3, R3: recorded whatever it acknowledges; this Linux does not with an old ACK",
        |it| it.differ_in_echo() && it.echoed_segment().is_some_and(|segment| segment.ack.0 < 0),
    ),
    parts(
        "a segment that acknowledges our ISN",
        "RFC 5961 §5.2: nothing of ours lay before the SYN; Linux takes the SYN for data that was acknowledged",
        |it| {
            it.before().ack_is_isn && is_synchronized(it.before().state) && only_ack(it.ours()) && !is_reset(it.linux())
        },
    ),
    parts(
        "data across the peer's FIN",
        "RFC 9293 §3.10.7.4, seventh: after the FIN the text is ignored; Linux resets, or acknowledges",
        |it| {
            use State::{CloseWait, Closing, LastAck};
            matches!(it.before().state, CloseWait | Closing | LastAck)
                && it.segment().and_then(Segment::len_to_left_edge).is_some_and(|beyond| beyond > 0)
                && (is_reset(it.linux()) || only_ack(it.linux()))
                && !is_reset(it.ours())
        },
    ),
    parts(
        "a FIN at two places, or data beyond one",
        "RFC 9293 §3.10.7.4, eighth: nothing follows a FIN; whose peer contradicts itself may be acknowledged either way",
        |it| {
            let (plain, texts) = (it.contradicts_itself(), [it.linux(), it.ours()]);
            plain && texts.iter().all(|texts| texts.len() == 1 && texts[0].starts_with('.') && texts[0].contains("(0)"))
        },
    ),
    passes("no ACK bit in TIME-WAIT", "RFC 9293 §3.10.7.4, fifth: dropped; Linux does not look for it", |it| {
        it.before().state == State::TimeWait
            && !it.flags().ack()
            && !it.flags().syn()
            && only_ack(it.linux())
            && it.ours().is_empty()
    }),
    parts(
        "a SYN with a FIN",
        "RFC 9293 §3.10.7.2, third: the SYN is taken, other controls may be; Linux takes it for an attack",
        |it| {
            it.before().state == State::Closed
                && it.flags().contains(Flags::SYN | Flags::FIN)
                && it.linux().is_empty()
                && it.ours().iter().all(|text| text.starts_with("S."))
        },
    ),
    passes("a pure ACK with an old timestamp", "RFC 7323 §5.3, R1: acknowledged; this Linux is silent", |it| {
        it.segment().is_some_and(|segment| segment.stamp == Stamp::Old && segment.sequence_len() == 0)
            && it.linux().is_empty()
            && only_ack(it.ours())
    }),
    parts(
        "CLOSE in SYN-RECEIVED",
        "RFC 9293 §3.10.4: the FIN may be queued until ESTABLISHED; Linux sends it at once",
        |it| {
            it.before().state == State::SynReceived
                && *it.step() == Step::Call(Call::Close)
                && it.ours() == ["closed"]
                && it.linux().iter().any(|text| text.starts_with("F."))
        },
    ),
    parts(
        "reading up to the urgent mark",
        "RFC 9293 §3.8.5: the mark is told apart from the data (Info::urgent_ahead); Linux lets a read end there",
        |it| {
            let urgent = |step: &Step| matches!(step, Step::Segment(segment) if segment.flags.urg());
            matches!(it.step(), Step::Call(Call::Read(_)))
                && it.earlier(|step, _| urgent(step))
                && read_len(it.linux()).is_some_and(|linux| read_len(it.ours()).is_some_and(|ours| linux < ours))
        },
    ),
    passes(
        "reading again after an error",
        "RFC 9293 §3.10.3: RECEIVE of a connection that is no more gives an error, each time",
        |it| {
            matches!(it.step(), Step::Call(Call::Read(_)))
                && it.linux() == ["end of stream"]
                && it.ours() == ["error"]
                && it.earlier(|step, ours| {
                    matches!(step, Step::Call(Call::Read(_) | Call::Write(_))) && ours == ["error"]
                })
        },
    ),
];

/// Those that nothing may be said of: from there on the two are in different states.
pub const PARTINGS: &[Difference] = &[
    parts(
        "a reset one before RCV.NXT, after a FIN",
        "RFC 5961 §3.2: it is not at RCV.NXT; Linux takes it, since another system sends such",
        |it| is_reset_before_fin(it) && it.linux().is_empty() && it.ours().is_empty(),
    ),
    parts(
        "an echo that no SYN,ACK carried",
        "RFC 7323 §3.2: TSecr echoes what was last sent, here an ACK; Linux takes echoes of its SYN,ACK only",
        |it| {
            it.before().state == State::SynReceived
                && it.segment().is_some_and(|segment| segment.stamp != Stamp::Missing)
                && it.linux[..it.at()]
                    .iter()
                    .flatten()
                    .rfind(|text| text.contains(" ack "))
                    .is_some_and(|text| text.starts_with(". "))
        },
    ),
    parts(
        "a segment that ends at the left edge, and acknowledges",
        "RFC 9293 §3.10.7.4, table 6: SEG.SEQ + SEG.LEN - 1 >= RCV.NXT; to Linux that is a place inside",
        |it| {
            let has_sent = |_: &Step, ours: &[String]| ours.iter().any(|text| takes_numbers(text));
            it.segment().is_some_and(|segment| segment.len_to_left_edge() == Some(0))
                && it.flags().ack()
                && !it.flags().rst()
                && is_synchronized(it.before().state)
                && it.earlier(has_sent)
        },
    ),
    parts(
        "data that acknowledges our ISN",
        "RFC 5961 §5.2: nothing of ours lay before the SYN; Linux takes the SYN for data that was acknowledged",
        |it| {
            it.before().ack_is_isn
                && is_synchronized(it.before().state)
                && it.segment().is_some_and(|segment| segment.sequence_len() > 0)
                && only_ack(it.ours())
        },
    ),
    parts(
        "FIN-WAIT-2 of nobody: a reset right after the window",
        "RFC 5961 §3.2: outside of the window; Linux takes it",
        |it| is_orphan(it) && it.flags().rst() && it.segment().is_some_and(|segment| segment.place == Place::Right(0)),
    ),
];
