//! From a case to its packet script: reach the state, send the segment, expect the reply, and see that nothing else
//! came and that the state is the right one.

use crate::table::{Axis, Case};
use std::fmt::Write;

/// The window of every connection here: 65,535 bytes, unscaled.
const WINDOW: u32 = 65_535;

/// Where a connection stands, in the script's numbers.
struct Numbers {
    /// RCV.NXT.
    nxt: u32,
    /// SND.UNA and SND.NXT.
    una: u32,
    snd_nxt: u32,
}

/// The states, with what has been sent and received by then.
fn numbers(state: &str, irs: u32) -> Numbers {
    let first = irs.wrapping_add(1);
    let (nxt, una, snd_nxt) = match state {
        "CLOSED" | "LISTEN" | "SYN-SENT" => (first, 0, 1),
        "SYN-RECEIVED" => (first, 0, 1),
        "ESTABLISHED" => (first, 1, 1),
        "FIN-WAIT-1" => (first, 1, 2),
        "FIN-WAIT-2" => (first, 2, 2),
        "CLOSE-WAIT" => (first.wrapping_add(1), 1, 1),
        "CLOSING" | "LAST-ACK" => (first.wrapping_add(1), 1, 2),
        "TIME-WAIT" => (first.wrapping_add(1), 2, 2),
        other => panic!("{other} is no state"),
    };
    Numbers { nxt, una, snd_nxt }
}

/// The part of a script that reaches a state.
fn reach(script: &mut String, state: &str, way: &str, irs: u32) {
    let n = irs.wrapping_add(1);
    let after_fin = n.wrapping_add(1);
    let mut add = |line: String| writeln!(script, "{line}").expect("a string takes everything");
    add("0 socket(..., SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP) = 3".into());
    if state == "CLOSED" {
        // Nobody listens on the port.
        return add("+0 bind(3, ..., ...) = 0".into());
    }
    let active = matches!(way, "active" | "crossed") || way.ends_with("-active");
    if active {
        add("+0 connect(3, ..., ...) = -1 EINPROGRESS".into());
        add("+0 > S 0:0(0) <...>".into());
    } else {
        add("+0 bind(3, ..., ...) = 0".into());
        add("+0 listen(3, 5) = 0".into());
    }
    if matches!(state, "LISTEN" | "SYN-SENT") {
        return;
    }
    let fd = if active { 3 } else { 4 };
    if way == "crossed" || !active {
        add(format!("+.1 < S {irs}:{irs}(0) win 65535 <mss 1000>"));
        add(format!("+0 > S. 0:0(0) ack {n} win 65535 <mss 1460>"));
        if state == "SYN-RECEIVED" {
            return;
        }
        add(format!("+.1 < . {n}:{n}(0) ack 1 win 65535"));
    } else {
        add(format!("+.1 < S. {irs}:{irs}(0) ack 1 win 65535 <mss 1000>"));
        add(format!("+0 > . 1:1(0) ack {n} win 65535"));
    }
    if !active {
        add("+0 accept(3, ..., ...) = 4".into());
    }
    let close = if way.starts_with("shutdown") {
        format!("+.1 shutdown({fd}, SHUT_WR) = 0")
    } else {
        format!("+.1 close({fd}) = 0")
    };
    let steps: Vec<String> = match state {
        "ESTABLISHED" => vec![],
        "FIN-WAIT-1" => vec![close, format!("+0 > F. 1:1(0) ack {n}")],
        "FIN-WAIT-2" => vec![close, format!("+0 > F. 1:1(0) ack {n}"), format!("+.1 < . {n}:{n}(0) ack 2 win 65535")],
        "CLOSE-WAIT" => {
            vec![format!("+.1 < F. {n}:{n}(0) ack 1 win 65535"), format!("+0 > . 1:1(0) ack {after_fin} win 65535")]
        }
        "LAST-ACK" => vec![
            format!("+.1 < F. {n}:{n}(0) ack 1 win 65535"),
            format!("+0 > . 1:1(0) ack {after_fin} win 65535"),
            close,
            format!("+0 > F. 1:1(0) ack {after_fin}"),
        ],
        "CLOSING" => vec![
            close,
            format!("+0 > F. 1:1(0) ack {n}"),
            format!("+.1 < F. {n}:{n}(0) ack 1 win 65535"),
            format!("+0 > . 2:2(0) ack {after_fin} win 65535"),
        ],
        // Through FIN-WAIT-2, or where both have finished at once through CLOSING.
        "TIME-WAIT" if way.contains("closing") => vec![
            close,
            format!("+0 > F. 1:1(0) ack {n}"),
            format!("+.1 < F. {n}:{n}(0) ack 1 win 65535"),
            format!("+0 > . 2:2(0) ack {after_fin} win 65535"),
            format!("+.1 < . {after_fin}:{after_fin}(0) ack 2 win 65535"),
        ],
        "TIME-WAIT" => vec![
            close,
            format!("+0 > F. 1:1(0) ack {n}"),
            format!("+.1 < F. {n}:{n}(0) ack 2 win 65535"),
            format!("+0 > . 2:2(0) ack {after_fin} win 65535"),
        ],
        other => panic!("{other} is reached by {way}"),
    };
    steps.into_iter().for_each(&mut add);
}

/// A segment: flags, where it stands, and how much sequence space it takes.
struct Segment {
    flags: String,
    seq: u32,
    data: u32,
    ack: Option<u32>,
}

impl Segment {
    /// SEG.LEN.
    fn sequence_len(&self) -> u32 {
        self.data + u32::from(self.flags.contains('S')) + u32::from(self.flags.contains('F'))
    }
}

/// `F.=+10`: flags, `=` for an acknowledgment of everything sent, and so many bytes of data.
fn segment(case: &Case, at: &Numbers) -> Segment {
    let (event, data) = case.event.split_once('+').unwrap_or((&case.event, "0"));
    let data = data.parse().expect("a number of bytes");
    let flags = event.trim_end_matches('=');
    let seq = match (case.axis, case.position.as_str()) {
        (Axis::Sequence, "left") => at.nxt.wrapping_sub(1),
        (Axis::Sequence, "edge") | (Axis::Acknowledgment | Axis::Anywhere, _) => at.nxt,
        (Axis::Sequence, "inside") => at.nxt.wrapping_add(1_000),
        (Axis::Sequence, "last") => at.nxt.wrapping_add(WINDOW - 1),
        (Axis::Sequence, "beyond") => at.nxt.wrapping_add(WINDOW),
        (Axis::Sequence, other) => panic!("{other} is no position"),
    };
    // A SYN that may be the first has its own number.
    let first = matches!(case.state.as_str(), "CLOSED" | "LISTEN" | "SYN-SENT") && flags.contains('S');
    let seq = if first { at.nxt.wrapping_sub(1) } else { seq };
    let waiting = matches!(case.state.as_str(), "SYN-SENT" | "SYN-RECEIVED");
    let right = if event.ends_with('=') || waiting { at.snd_nxt } else { at.una };
    let ack = match (case.axis, case.position.as_str()) {
        (Axis::Acknowledgment, "ancient") => at.una.wrapping_sub(100_000),
        (Axis::Acknowledgment, "old") => at.una.wrapping_sub(1),
        (Axis::Acknowledgment, "una") => at.una,
        (Axis::Acknowledgment, "nxt") => at.snd_nxt,
        (Axis::Acknowledgment, "unsent") => at.snd_nxt.wrapping_add(1),
        (Axis::Acknowledgment, other) => panic!("{other} is no position"),
        (Axis::Sequence | Axis::Anywhere, _) => right,
    };
    Segment { ack: flags.contains('.').then_some(ack), flags: flags.to_owned(), seq, data }
}

/// The lines that expect the reply; gives RCV.NXT as the probe may expect it.
fn replies(script: &mut String, reply: &str, at: &Numbers, segment: &Segment) -> u32 {
    let (kind, advance) = reply.split_once('+').unwrap_or((reply, "0"));
    let nxt = at.nxt.wrapping_add(advance.parse().expect("a number"));
    let snd = at.snd_nxt;
    let line = match kind {
        "none" => return nxt,
        "ack" => format!("> . {snd}:{snd}(0) ack {nxt}"),
        // RFC 9293 §3.5.3 (group 1): from the ACK field where there is one, else from what it acknowledges.
        "rst" => match segment.ack {
            Some(ack) => format!("> R {ack}:{ack}(0) win 0"),
            None => format!("> R. 0:0(0) ack {} win 0", segment.seq.wrapping_add(segment.sequence_len())),
        },
        "syn-ack" => format!("> S. 0:0(0) ack {} <...>", at.nxt),
        // Another connection: its initial number is another, too, and scripts count from it.
        "anew" => format!("> S. 0:0(0) ack {} <...>", segment.seq.wrapping_add(1)),
        other => panic!("{other} is no reply"),
    };
    writeln!(script, "* {line}").expect("a string takes everything");
    nxt
}

/// A segment whose answer tells whether anything else came before it.
fn probe(script: &mut String, state: &str, nxt: u32, at: &Numbers) {
    let snd = at.snd_nxt;
    match state {
        "CLOSED" | "LISTEN" | "SYN-SENT" => {
            writeln!(script, "+.06 < . {nxt}:{nxt}(0) ack 77 win 65535").expect("room");
            writeln!(script, "+0 > R 77:77(0) win 0").expect("room");
        }
        _ => {
            let left = nxt.wrapping_sub(1);
            writeln!(script, "+.06 < . {left}:{left}(0) ack {} win 65535", at.una).expect("room");
            writeln!(script, "+0 > . {snd}:{snd}(0) ack {nxt}").expect("room");
        }
    }
    let name = match state {
        // A socket that is over may be there or not; that it is over the RST has told.
        "CLOSED" => return,
        "SYN-RECEIVED" => "SYN_RCVD".to_owned(),
        other => other.replace('-', "_"),
    };
    writeln!(script, "+0 `sockstat -4 -P tcp -s | grep -c {name} | grep 1`").expect("room");
}

/// The script of a case, the peer's initial sequence number being `irs`.
pub fn script(case: &Case, irs: u32) -> String {
    let mut script = format!("// {case}: {}\n// {}\n", case.expected, case.source);
    reach(&mut script, &case.state, &case.way, irs);
    let at = numbers(&case.state, irs);
    let segment = segment(case, &at);
    let end = segment.seq.wrapping_add(segment.data);
    let ack = segment.ack.map_or(String::new(), |ack| format!(" ack {ack}"));
    writeln!(script, "+.01 < {} {}:{end}({}){ack} win 65535", segment.flags, segment.seq, segment.data).expect("room");
    let (reply, state) = case.expected.split_once('>').unwrap_or((&case.expected, &case.state));
    let nxt = replies(&mut script, reply, &at, &segment);
    if state == "SYN-SENT" && reply == "rst" {
        // RFC 9293 §3.5.1: the old connection that answered is gone now, and the SYN follows at once.
        writeln!(script, "+.01 > S 0:0(0) <...>").expect("a string takes everything");
    }
    if reply == "anew" {
        let numbers = Numbers { nxt: segment.seq.wrapping_add(1), una: 0, snd_nxt: 1 };
        probe(&mut script, state, numbers.nxt, &numbers);
    } else {
        // What acknowledged our SYN or FIN has moved SND.UNA with it.
        let una = if state == case.state { at.una } else { at.snd_nxt };
        probe(&mut script, state, nxt, &Numbers { una, ..at });
    }
    script
}
