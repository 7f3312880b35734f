//! The known differences between Linux and ours: each with the rule that allows or demands what ours does.

use crate::script::{Place, Segment, Step};

/// A step at which the two differ.
pub struct Disagreement<'a> {
    pub step: &'a Step,
    pub linux: &'a [String],
    pub ours: &'a [String],
}

/// A difference that is known.
pub struct Difference {
    pub name: &'static str,
    /// Why ours may, or must.
    pub because: &'static str,
    pub matches: fn(&Disagreement<'_>) -> bool,
}

pub const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "duplicate SACK",
        because: "RFC 2883 is optional: ours reports no block that the acknowledgment number covers",
        matches: |it| it.linux.iter().map(|text| without_duplicate_sack(text)).eq(it.ours.iter().cloned()),
    },
    Difference {
        name: "form of a reset",
        because: "RFC 9293 §3.10.5, §3.10.7: both reset; ours from a connection has its SND.NXT and an ACK",
        matches: |it| [it.linux, it.ours].iter().all(|texts| matches!(texts, [only] if only.starts_with('R'))),
    },
    Difference {
        name: "no ACK bit, outside of the window",
        because: "RFC 9293 §3.10.7.4: the sequence number comes first, and ours answers; Linux looks for ACK first",
        matches: |it| {
            segment(it).is_some_and(|it| !it.flags.ack() && !it.flags.syn() && !it.flags.rst())
                && it.linux.is_empty()
                && only_ack(it.ours)
        },
    },
    Difference {
        name: "data that ends at the left edge",
        because: "RFC 9293 §3.10.7.4: unacceptable, and answered by ours before its ACK is looked at",
        matches: |it| segment(it).is_some_and(ends_at_left_edge) && it.linux.is_empty() && only_ack(it.ours),
    },
    Difference {
        name: "old ACK while closing",
        because: "RFC 9293 §3.10.7.4: a duplicate ACK can be ignored; Linux challenges it outside of ESTABLISHED",
        matches: |it| segment(it).is_some_and(|it| it.ack.0 < 0) && only_ack(it.linux) && it.ours.is_empty(),
    },
    Difference {
        name: "order of checks: sequence number before ACK",
        because: "RFC 9293 §3.10.7.4: first the sequence number, and an ACK where that is out of the window",
        matches: |it| {
            segment(it).is_some_and(|it| it.flags.ack() && it.place != Place::Left(0))
                && is_reset(it.linux)
                && only_ack(it.ours)
        },
    },
];

fn segment<'a>(it: &Disagreement<'a>) -> Option<&'a Segment> {
    match it.step {
        Step::Segment(segment) => Some(segment),
        Step::Call(_) | Step::Wait => None,
    }
}

fn ends_at_left_edge(segment: &Segment) -> bool {
    segment.len > 0 && !segment.flags.fin() && segment.place == Place::Left(-i32::from(segment.len))
}

fn only_ack(texts: &[String]) -> bool {
    matches!(texts, [only] if only.starts_with('.') && only.contains("(0)"))
}

fn is_reset(texts: &[String]) -> bool {
    matches!(texts, [only] if only.starts_with('R'))
}

/// The text without SACK blocks that end at or before what it acknowledges, or lie in the block that follows.
fn without_duplicate_sack(text: &str) -> String {
    let Some((head, rest)) = text.split_once(" sack ") else { return text.to_owned() };
    let ack = head.split(" ack ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<i32>().ok()).unwrap_or(0);
    let edges = |block: &str| block.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let blocks: Vec<(i32, i32)> = rest.split(" sack ").filter_map(edges).collect();
    let duplicate = |at: usize| {
        let (left, right) = blocks[at];
        let inside = blocks.get(1).is_some_and(|next| next.0 <= left && right <= next.1);
        at == 0 && (right.wrapping_sub(ack) <= 0 || inside)
    };
    let kept = (0..blocks.len()).filter(|at| !duplicate(*at));
    kept.fold(head.to_owned(), |text, at| format!("{text} sack {}:{}", blocks[at].0, blocks[at].1))
}

/// The one that explains a disagreement.
pub fn explanation(disagreement: &Disagreement<'_>) -> Option<&'static Difference> {
    DIFFERENCES.iter().find(|difference| (difference.matches)(disagreement))
}
